"""Whole numbers, and what somebody has meant who wrote one as people do: with a unit, blanks or a point."""

import re

from pydantic import BeforeValidator

from infra.config.problems import InvalidValueError

_DIGITS = re.compile(r"[+-]?[0-9]{1,30}")
_MIB_OF = {"": 1, "m": 1, "g": 1024, "t": 1024 * 1024}
_SIZE = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,3})?)\s*([mgt]?)(?:i?b|ega|iga)?(?:byte)?s?")
_PLAIN = re.compile(r"[0-9]{1,3}(?:[_,.' ]?[0-9]{3}){0,5}|[0-9]{1,15}")
_POWER = re.compile(r"[0-9]{1,3}(?:\.[0-9]{1,9})?e\+?[0-9]{1,2}|[0-9]{1,15}\.0+")


def whole_number(low: int, high: int, remedy: str, *, mib: bool = False) -> BeforeValidator:
    """Return a validator of whole numbers.

    Args:
        low: The least.
        high: The most.
        remedy: What to do where a number is beyond them.
        mib: Whether it counts MiB.
    """

    def check(value: object) -> int:
        if isinstance(value, str) and _DIGITS.fullmatch(value):
            value = int(value)
        if isinstance(value, bool) or not isinstance(value, int):
            meant = meant_number(value, mib=mib)
            write = f"digits only, as in {2048 if mib else 3}" if meant is None else meant
            raise InvalidValueError("must be a whole number", f"Write {write}{'; it counts MiB' * mib}.")
        if not low <= value <= high:
            # Nobody has so few MiB; the number is in GiB.
            gib = f" {value} GiB are {value * _MIB_OF['g']}." if mib and 0 < value < low // 8 else ""
            raise InvalidValueError(f"must be a whole number from {low} to {high}", f"{remedy}{gib}")
        return value

    return BeforeValidator(check)


def meant_number(value: object, *, mib: bool = False) -> int | None:
    """Return the whole number that a value seems to stand for; None where none is to be seen.

    Args:
        value: What stands in the place of a whole number.
        mib: Whether the number counts MiB, so that a unit may stand behind it.

    >>> meant_number("8GB", mib=True), meant_number("10_000_000"), meant_number(3.0), meant_number("many")
    (8192, 10000000, 3, None)
    """
    if isinstance(value, bool) or not isinstance(value, str | float):
        return None
    text = str(value).strip().lower()
    if mib and (size := _SIZE.fullmatch(text)):
        return round(float(size[1]) * _MIB_OF[size[2]])
    if _PLAIN.fullmatch(text):
        return int(re.sub("[_,.' ]", "", text))
    if _POWER.fullmatch(text) and float(text).is_integer():
        return int(float(text))
    return None
