"""Scripts that Pulumi runs on a host as root, each as one Command with the script on its stdin.

A Command's text is a constant: it is in every failure message and in the host's process list. All that
varies, secrets included, travels on stdin. pulumi-command gives the same stdin to create, update and delete.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import pulumi
from pulumi_command import remote

from infra.config.model import HostConfig, SshConfig
from infra.remote.answer import AnswerError, parse_answer
from infra.remote.connection import connection
from infra.remote.stdin import render_stdin

APPLY = "bash -s -- apply"
UNDO = "bash -s -- undo"

# Longest time of each operation.
_TIMEOUT = pulumi.CustomTimeouts(create="30m", update="30m", delete="30m")


@dataclass(frozen=True, kw_only=True)
class Script:
    """What runs on a host, and what Pulumi has to know about it.

    Attributes:
        files: Paths in infra, as in hosts/verify.sh; lib.sh comes before them, the last one has `main`.
        variables: Shell variables of the script; an Output of them may be secret. One Output for all of
            them: with one for each, a thousand hosts take noticeably longer.
        undo: Whether deleting the resource runs the script with `undo`. It is then deleted before it is
            replaced: created first, the new one would be undone by the deletion of the old one.
        secret: Whether stdin and what the script prints are secret.
        across_reboot: Whether the host may be restarting when the script is due.
        triggers: A change of one of these replaces the resource instead of updating it.
    """

    files: Sequence[str]
    variables: Mapping[str, str] | pulumi.Output[Mapping[str, str]]
    undo: bool = False
    secret: bool = False
    across_reboot: bool = False
    triggers: Sequence[pulumi.Input[str]] = ()


def remote_script(
    name: str,
    host: HostConfig,
    ssh: SshConfig,
    script: Script,
    opts: pulumi.ResourceOptions | None = None,
) -> remote.Command:
    """Declare a Command that runs a script on a host as root.

    Args:
        name: Name of the resource.
        host: Where it runs, and how messages call it (variable HOST).
        ssh: How to get there.
        script: What runs.
        opts: Options of the resource, e.g. parent and depends_on.
    """
    return remote.Command(
        name,
        connection=connection(host, ssh, across_reboot=script.across_reboot),
        create=APPLY,
        update=APPLY,
        delete=UNDO if script.undo else None,
        triggers=list(script.triggers) or None,
        stdin=_stdin(host, ssh, script),
        # Setting variables over SSH needs AcceptEnv on the host.
        add_previous_output_in_env=False,
        logging=remote.Logging.NONE,
        opts=pulumi.ResourceOptions.merge(_options(script), opts),
    )


def answer(host: HostConfig, command: remote.Command) -> pulumi.Output[Mapping[str, Any]]:
    """Return what a script has answered on a host; as secret as what the Command prints."""
    return command.stdout.apply(partial(_parse, host.name))


def _parse(host: str, stdout: str) -> Mapping[str, Any]:
    try:
        return parse_answer(host, stdout)
    except AnswerError as error:
        # Shown without a traceback.
        raise pulumi.RunError(str(error)) from None


def _stdin(host: HostConfig, ssh: SshConfig, script: Script) -> pulumi.Input[str]:
    password = ssh.sudo_password_on(host)

    def render(variables: Mapping[str, str]) -> str:
        return render_stdin(
            script.files, {"HOST": host.name, **variables}, password.reveal() if password else None
        )

    variables = script.variables
    stdin: pulumi.Input[str] = (
        variables.apply(render) if isinstance(variables, pulumi.Output) else render(variables)
    )
    return pulumi.Output.secret(stdin) if script.secret or password else stdin


def _options(script: Script) -> pulumi.ResourceOptions:
    return pulumi.ResourceOptions(
        additional_secret_outputs=["stdout", "stderr"] if script.secret else None,
        delete_before_replace=script.undo or None,
        custom_timeouts=_TIMEOUT,
        # A change in lib.sh would fill the screen once for each Command of each host. That stdin has changed
        # is still in the preview's JSON.
        hide_diffs=["stdin"],
    )
