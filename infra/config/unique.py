"""Whether the entries of a list differ in what names them."""

from collections.abc import Mapping, Sequence
from typing import Any

from infra.config.problems import ProblemList


def check_unique(
    entries: Sequence[Mapping[str, Any]],
    path: tuple[str | int, ...],
    field: str,
    remedy: str,
    problems: ProblemList,
) -> None:
    """Check that no two entries have the same value of a field.

    Args:
        entries: The fields that could be read of each entry.
        path: Where the list is.
        field: The field, and its key.
        remedy: What to do where two have the same one.
        problems: Gets each entry whose value an earlier one has.
    """
    first: dict[str, int] = {}
    for index, entry in enumerate(entries):
        if (value := entry.get(field)) is None:
            continue
        if value in first:
            problems.add(
                (*path, index, field), value, f"is also the {field} of {path[-1]}[{first[value]}]", remedy
            )
        else:
            first[value] = index
