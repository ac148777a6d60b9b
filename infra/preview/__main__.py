"""`python -m infra.preview STACK=HEAD.json[,BASE.json] …` prints a comment on what a pull request changes."""

import sys
from collections.abc import Sequence
from pathlib import Path

from infra.preview.comment import StackChanges, render_comment
from infra.preview.digest import PreviewError, changes_of, hidden_in

USAGE = "usage: python -m infra.preview STACK=HEAD.json[,BASE.json] …"


def main(arguments: Sequence[str]) -> int:
    """Run the command line; return its exit code, 2 for what the caller has to mend."""
    try:
        if not arguments or not all("=" in argument for argument in arguments):
            raise PreviewError(USAGE)
        sys.stdout.write(render_comment(dict(map(_read, arguments))))
    except (PreviewError, OSError) as error:
        print(f"piray: {error}", file=sys.stderr)
        return 2
    return 0


def _read(argument: str) -> tuple[str, StackChanges]:
    stack, _, files = argument.partition("=")
    head, *base = (Path(name).read_bytes() for name in files.split(",", 1))
    if base:
        return stack, StackChanges(changes_of(head, base[0]), hidden_in(head))
    return stack, StackChanges(changes_of(head))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
