"""How a script reaches a host: a connection with a pinned key, and a Command with the script on its stdin.

A Command's text is a constant: it is in every failure message and in the host's process list. All that
varies, secrets included, travels on stdin. pulumi-command gives the same stdin to create, update and delete.
"""

import shlex
from collections.abc import Mapping, Sequence
from functools import cache, partial
from importlib import resources

import pulumi
from pulumi_command import remote

from infra.config.load import HostConfig, SshConfig

APPLY = "bash -s -- apply"
UNDO = "bash -s -- undo"

# Retries start at 0.1 s and back off to 5 s: ten refusals take 11 s, 120 take ten minutes.
# https://github.com/pulumi/pulumi-command/blob/v1.2.1/provider/pkg/provider/remote/connection.go
_DIAL_ERRORS = 10
_DIAL_ERRORS_ACROSS_REBOOT = 120
_DIAL_TIMEOUT_S = 10
_DIAL_TIMEOUT_ACROSS_REBOOT_S = 5


def connection(host: HostConfig, ssh: SshConfig, *, across_reboot: bool = False) -> remote.ConnectionArgs:
    """Build the SSH connection to a host, from static configuration alone.

    A connection is an input of every Command: whatever changed in it between two runs would re-run every
    script.

    Args:
        host: The host; without a host key (piray:insecureHostKeys) whatever key it shows is accepted.
        ssh: User, port and private key; without a key the SSH agent is asked.
        across_reboot: Wait about ten minutes for a host that is restarting, instead of giving up after
            seconds.
    """
    return remote.ConnectionArgs(
        host=host.address,
        port=ssh.port,
        user=ssh.user,
        private_key=ssh.private_key.output if ssh.private_key else None,
        # The provider wants type and key; a comment behind them would be part of the key.
        host_key=" ".join(host.host_key.split()[:2]) if host.host_key else None,
        dial_error_limit=_DIAL_ERRORS_ACROSS_REBOOT if across_reboot else _DIAL_ERRORS,
        per_dial_timeout=_DIAL_TIMEOUT_ACROSS_REBOOT_S if across_reboot else _DIAL_TIMEOUT_S,
    )


def remote_script(
    resource_name: str,
    host: HostConfig,
    ssh: SshConfig,
    scripts: Sequence[str],
    variables: Mapping[str, str] | pulumi.Output[Mapping[str, str]],
    *,
    undo: bool = False,
    secret: bool = False,
    across_reboot: bool = False,
    triggers: Sequence[pulumi.Input[str]] = (),
    timeout: str = "30m",
    opts: pulumi.ResourceOptions | None = None,
) -> remote.Command:
    """Declare a Command that runs scripts on a host as root.

    Args:
        resource_name: Name of the resource.
        host: Where it runs, and how messages call it (variable HOST).
        ssh: How to get there.
        scripts: Paths in infra, as in hosts/verify.sh; lib.sh comes before them, the last one has `main`.
        variables: Shell variables of the script; an Output of them may be secret. One Output for all of
            them: with one for each, a thousand hosts take noticeably longer.
        undo: Whether deleting the resource runs the script with `undo`. It is then deleted before it is
            replaced: created first, the new one would be undone by the deletion of the old one.
        secret: Whether stdin and what the script prints are secret.
        across_reboot: Whether the host may be restarting when the script is due.
        triggers: A change of one of these replaces the resource instead of updating it.
        timeout: Longest time of each operation, in Pulumi's notation.
        opts: Options of the resource, e.g. parent and depends_on.
    """
    render = partial(_render_for, host, scripts)
    stdin: pulumi.Input[str] = (
        variables.apply(render) if isinstance(variables, pulumi.Output) else render(variables)
    )
    if secret:
        stdin = pulumi.Output.secret(stdin)
    return remote.Command(
        resource_name,
        connection=connection(host, ssh, across_reboot=across_reboot),
        create=APPLY,
        update=APPLY,
        delete=UNDO if undo else None,
        triggers=list(triggers) or None,
        stdin=stdin,
        # Setting variables over SSH needs AcceptEnv on the host.
        add_previous_output_in_env=False,
        logging=remote.Logging.NONE,
        opts=pulumi.ResourceOptions.merge(
            pulumi.ResourceOptions(
                additional_secret_outputs=["stdout", "stderr"] if secret else None,
                delete_before_replace=undo or None,
                custom_timeouts=pulumi.CustomTimeouts(create=timeout, update=timeout, delete=timeout),
            ),
            opts,
        ),
    )


def _render_for(host: HostConfig, scripts: Sequence[str], variables: Mapping[str, str]) -> str:
    return render_stdin(scripts, {"HOST": host.name, **variables})


def render_stdin(scripts: Sequence[str], variables: Mapping[str, str]) -> str:
    """Render what bash reads: the step to root, variables, lib.sh, the scripts, and a call of main.

    Nothing runs before the last line, so a connection that breaks half-way changes nothing on the host.

    Args:
        scripts: Paths in infra; the last one has `main`.
        variables: Shell variables by name, HOST among them.
    """
    # ROOT is set on purpose: one in the user's environment must not move the paths.
    assignments = [f"{name}={shlex.quote(value)}\n" for name, value in {"ROOT": "", **variables}.items()]
    elevate, *files = [_read_script(file) for file in ("remote/elevate.sh", "remote/lib.sh", *scripts)]
    host = f"HOST={shlex.quote(variables['HOST'])}\n"
    return "".join([host, elevate, *assignments, *files, 'main "$@" </dev/null\n'])


@cache
def _read_script(file: str) -> str:
    return (resources.files("infra") / file).read_text(encoding="utf-8")
