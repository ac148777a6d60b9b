"""What a script answered, found among what else a login may have printed."""

import json
from collections.abc import Mapping
from typing import Any


class AnswerError(ValueError):
    """A host has printed no answer; the text is one line for the user and holds nothing that was printed."""


def parse_answer(host: str, stdout: str) -> Mapping[str, Any]:
    """Return the JSON object that a script has printed: the last one, on one line, to the line's end.

    What a ~/.bashrc or a file in /etc/profile.d prints comes before it, and may lack a line end.

    Args:
        host: Name of the host, for the message.
        stdout: All that came over the connection's standard output.

    Raises:
        AnswerError: If there is none.
    """
    for line in reversed(stdout.splitlines()):
        text = line.strip()
        start = text.find("{")
        while start >= 0:
            try:
                found = json.loads(text[start:])
            except (ValueError, RecursionError):
                start = text.find("{", start + 1)
                continue
            if isinstance(found, dict):
                return found
            break
    raise AnswerError(
        f"piray: {host}: the script's answer did not arrive, though nothing failed; what runs at each login "
        "must not end the shell or start another one; look into ~/.bashrc and /etc/profile.d on the host, "
        "then run make up again"
    )
