"""`python -m infra.local apply|undo`: what Pulumi runs for platform `local`, with a Wanted as JSON on stdin.

`apply` prints the dashboard's address as JSON. `undo` reads no more than the stack's name: its input comes
from the state of the stack, where an older version may have written it.
"""

import json
import os
import sys
from collections.abc import Sequence

from infra.local.wanted import LocalRayError, Wanted

USAGE = "usage: python -m infra.local apply|undo, with what the stack wants as JSON on stdin"


def main(arguments: Sequence[str], text: str) -> int:
    """Run the command line; return its exit code.

    Args:
        arguments: What follows the name of the program.
        text: What was read from stdin.
    """
    if list(arguments) not in (["apply"], ["undo"]):
        print(f"piray: {' '.join(arguments)!r} is not an action; {USAGE}", file=sys.stderr)
        return 2
    try:
        _run(arguments[0], text)
    except LocalRayError as error:
        print(f"piray: {error}", file=sys.stderr)
        return 1
    return 0


def _run(action: str, text: str) -> None:
    stack = json.loads(text)["stack"]
    try:
        from infra.local import nodes  # noqa: PLC0415 — what it imports may be missing, which is told in one line

        if action == "apply":
            print(json.dumps({"dashboardUrl": nodes.apply(Wanted.from_json(text))}))
        else:
            nodes.undo(stack)
    except ModuleNotFoundError as error:
        raise LocalRayError(
            f"{sys.executable} has no {error.name}",
            "it is the first python3 of .venv/bin and PATH, and needs what is in requirements.lock",
            f"run `make {'up' if action == 'apply' else 'down'} STACK={stack}`, which installs that in .venv",
        ) from None
    except OSError as error:
        raise LocalRayError(
            str(error),
            "the files of the nodes are in $XDG_STATE_HOME/piray, else in ~/.local/state/piray",
            "make room there, or see to it that you may write there",
        ) from None


if __name__ == "__main__":
    # Logs and the files of jobs are for their owner's eyes only.
    os.umask(0o077)
    try:
        sys.exit(main(sys.argv[1:], sys.stdin.read()))
    except KeyboardInterrupt:
        # Pulumi says that it was interrupted; the next `up` goes on from here.
        sys.exit(130)
