"""What bash reads on a host: the step to root, variables, the library, the scripts. Pure text; no Pulumi."""

import shlex
from collections.abc import Mapping, Sequence
from functools import cache
from importlib import resources


def render_stdin(
    scripts: Sequence[str],
    variables: Mapping[str, str],
    sudo_password: str | None = None,
    *,
    more_follows: bool = False,
) -> str:
    """Render what bash reads: the step to root, variables, lib.sh, the scripts, and a call of main.

    Nothing runs before the last line, so a connection that breaks half-way changes nothing on the host.

    Args:
        scripts: Paths in infra; the last one has `main`.
        variables: Shell variables by name, HOST among them.
        sudo_password: What sudo is answered with where it asks; the whole text is then as secret as this.
        more_follows: Whether `main` itself reads what comes after the text; nothing of it is run.
    """
    # ROOT is set on purpose: one in the user's environment must not move the paths.
    assignments = [f"{name}={shlex.quote(value)}\n" for name, value in {"ROOT": "", **variables}.items()]
    elevate, *files = [_read_script(file) for file in ("remote/elevate.sh", "remote/lib.sh", *scripts)]
    # Set in any case: one in the user's environment is none of ours.
    login = {"HOST": variables["HOST"], "SUDO_PASSWORD": sudo_password or ""}
    before = [f"{name}={shlex.quote(value)}\n" for name, value in login.items()]
    call = '{ main "$@"; exit; }\n' if more_follows else 'main "$@" </dev/null\n'
    return "".join([*before, elevate, *assignments, *files, call])


@cache
def _read_script(file: str) -> str:
    return (resources.files("infra") / file).read_text(encoding="utf-8")
