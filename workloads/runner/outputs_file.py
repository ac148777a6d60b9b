"""Decides what a file holds that another program wrote a stack's outputs to, and what is wrong with it."""

import json
from typing import Any

from workloads.runner.stack_outputs import StackError, StackOutputs, check

# What pulumi prints in the place of a secret without --show-secrets.
REDACTED = "[secret]"
WRITE_FILE = "`pulumi stack output --json --show-secrets`"


def read_file(path: str, content: bytes) -> StackOutputs:
    """Parse outputs that were saved to a file.

    Args:
        path: Where the bytes came from, for messages.
        content: JSON in UTF-8 or, as PowerShell's `>` writes it, in UTF-16.

    Raises:
        StackError: If the text is no JSON object or the outputs cannot be used.
    """
    values = _json(content, path)
    if not isinstance(values, dict):
        raise StackError(
            f"{path} must hold one JSON object of stack outputs, not {type(values).__name__}: "
            f"write it with {WRITE_FILE}."
        )
    redacted = [name for name, value in values.items() if _is_redacted(value)]
    if redacted:
        raise StackError(
            f"{path} was written without its secrets (output {', '.join(redacted)}): add --show-secrets to "
            "`pulumi stack output --json`."
        )
    if "deployment" in values and "contractVersion" not in values:
        raise StackError(f"{path} is the export of a stack, not its outputs: write it with {WRITE_FILE}.")
    return check(values, path, f"run `make up` for its stack, then write the file with {WRITE_FILE}")


def _json(content: bytes, path: str) -> Any:
    """Return what a file holds.

    Raises:
        StackError: If it is no JSON.
    """
    try:
        # Not json.loads alone: it takes for UTF-8 with a mark what is empty but for the mark of UTF-16.
        text = content.decode(json.detect_encoding(content))
        if not text.strip("\ufeff \t\r\n"):
            raise StackError(
                f"{path} is empty: the command that should have written it failed; "
                f"write it with {WRITE_FILE}."
            )
        return json.loads(text.removeprefix("\ufeff"))
    except UnicodeDecodeError:
        raise StackError(
            f"{path} is not JSON (it is no text in UTF-8 or UTF-16): write it with {WRITE_FILE}."
        ) from None
    except (ValueError, RecursionError) as error:
        raise StackError(f"{path} is not JSON ({error}): write it with {WRITE_FILE}.") from None


def _is_redacted(value: object) -> bool:
    """Return whether a secret was left out of an output, or of something within it."""
    left = [value]
    while left:
        one = left.pop()
        if one == REDACTED:
            return True
        if isinstance(one, dict | list):
            left += one.values() if isinstance(one, dict) else one
    return False
