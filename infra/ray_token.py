"""Ray's bearer token: drawn once on the machine that runs Pulumi, then a secret of the stack's state."""

import pulumi
from pulumi_command import local

# 256 bits in hex. The text never changes, so neither does the token until somebody replaces the resource.
_DRAW = "head -c 32 /dev/urandom | od -An -tx1 | tr -d ' \\n'"


def ray_token(name: str, opts: pulumi.ResourceOptions | None = None) -> pulumi.Output[str]:
    """Declare the token that Ray's processes, its dashboard and its Jobs API ask for.

    Args:
        name: Name of the resource.
        opts: Options of the resource, e.g. its parent.

    Returns:
        64 hexadecimal digits. Secret.
    """
    command = local.Command(
        name,
        create=_DRAW,
        logging=local.Logging.NONE,
        add_previous_output_in_env=False,
        opts=pulumi.ResourceOptions.merge(
            pulumi.ResourceOptions(additional_secret_outputs=["stdout", "stderr"]), opts
        ),
    )
    return pulumi.Output.secret(command.stdout)
