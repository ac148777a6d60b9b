"""When a job on a schedule runs: what KubeRay takes, checked before a cluster sees it. Pure.

https://pkg.go.dev/github.com/robfig/cron/v3#ParseStandard
"""

import re

from infra.config.problems import InvalidValueError

_WORDS = ("@yearly", "@annually", "@monthly", "@weekly", "@daily", "@midnight", "@hourly")
_EVERY = re.compile(r"@every ([0-9]+(\.[0-9]+)?(h|m|s))+")
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
# What a field counts, its least and its most number, and the names of its numbers.
_FIELDS = (
    ("minute", 0, 59, ()),
    ("hour", 0, 23, ()),
    ("day of the month", 1, 31, ()),
    ("month", 1, 12, _MONTHS),
    ("day of the week", 0, 6, _DAYS),
)
_RANGE = re.compile(r"(?:[*?]|([0-9a-z]{1,3})(?:-([0-9a-z]{1,3}))?)(?:/([0-9]{1,4}))?")
_REMEDY = 'Write minute, hour, day of the month, month and day of the week, as in "30 3 * * *", or @daily.'


def parse_schedule(text: str) -> str:
    """Return a schedule that KubeRay takes.

    Raises:
        InvalidValueError: If it is none; names the field that is wrong.

    >>> parse_schedule("*/10 8-16 * * mon-fri")
    '*/10 8-16 * * mon-fri'
    """
    if text in _WORDS or _EVERY.fullmatch(text):
        return text
    parts = text.split()
    if len(parts) != len(_FIELDS):
        raise InvalidValueError("must be a schedule of five fields", _REMEDY)
    for part, (name, low, high, names) in zip(parts, _FIELDS, strict=True):
        numbers = {word: number for number, word in enumerate(names, low)}
        if not all(_is_range(each, low, high, numbers) for each in part.lower().split(",")):
            raise InvalidValueError(
                f"has {part!r} as {name}, which must be from {low} to {high}, or * for each", _REMEDY
            )
    return text


def _is_range(text: str, low: int, high: int, names: dict[str, int]) -> bool:
    match = _RANGE.fullmatch(text)
    if match is None:
        return False
    ends = [end for end in match.groups()[:2] if end is not None]
    if not all(end in names or end.isdecimal() for end in ends):
        return False
    numbers = [names.get(end, int(end) if end.isdecimal() else low) for end in ends]
    return numbers == sorted(numbers) and all(low <= number <= high for number in numbers) and match[3] != "0"
