"""What turns a check of one value into a type of the configuration."""

import difflib
import re
from collections.abc import Callable, Sequence

from pydantic import BeforeValidator

from infra.config.problems import InvalidValueError


def as_text(value: object) -> str:
    """Return a value that is text; raise InvalidValueError for any other one."""
    # Half a surrogate pair, which JSON can hold, is no text.
    if not isinstance(value, str) or re.search("[\ud800-\udfff]", value):
        raise InvalidValueError(
            "must be text", "Write a value in quotes, or delete the line to get the default."
        )
    return value


def text(check: Callable[[str], str]) -> BeforeValidator:
    """Return a validator of text from a check that raises InvalidValueError."""
    return BeforeValidator(lambda value: check(as_text(value)))


def pattern(expression: re.Pattern[str], rule: str, remedy: str) -> BeforeValidator:
    """Return a validator of text that an expression has to match as a whole."""

    def check(value: str) -> str:
        if not expression.fullmatch(value):
            raise InvalidValueError(rule, remedy)
        return value

    return text(check)


def as_switch(value: object) -> bool:
    """Return a value that is true or false, also as text."""
    if isinstance(value, bool):
        return value
    if value in ("true", "false"):
        return value == "true"
    raise InvalidValueError("must be true or false", "Write true or false.")


def as_list(value: object) -> list[object]:
    """Return a value that is a list; raise InvalidValueError for any other one."""
    if not isinstance(value, list | tuple):
        raise InvalidValueError("must be a list", "Write one entry per line, each after `- `.")
    return list(value)


def one_of(choices: Sequence[str], remedy: str) -> BeforeValidator:
    """Return a validator that takes exactly the choices, and names the nearest one for a slip."""

    def check(value: object) -> str:
        if isinstance(value, str) and value in choices:
            return value
        by_small = {choice.lower(): choice for choice in choices}
        near = difflib.get_close_matches(str(value).lower()[:64], by_small, n=1)
        guess = f" Did you mean {by_small[near[0]]}?" if near else ""
        raise InvalidValueError(f"must be one of {', '.join(choices)}", f"{remedy}{guess}")

    return BeforeValidator(check)
