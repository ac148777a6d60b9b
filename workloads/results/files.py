"""Decides how results become files and how files become results: whole or not at all.

pydantic checks the types of the fields, the records themselves what the values mean.
"""

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, BinaryIO, get_args, get_origin, get_type_hints

from pydantic import TypeAdapter, ValidationError
from pydantic_core import ErrorDetails

from workloads.results.pi_records import PiResult
from workloads.results.records import FORMAT, FORMAT_VERSION, ReportError, Result

KINDS: dict[Any, type[Result] | type[PiResult]] = {kind.workload: kind for kind in (Result, PiResult)}
_JSON_NAMES = {
    str: "a text",
    int: "a whole number",
    float: "a number",
    NoneType: "null",
    Mapping: "an object",
    tuple: "a list",
}


class FileError(OSError):
    """A file cannot be written; the message says which and what to do."""


@contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """Open a file under a temporary name beside it; it takes its place once the block has ended well.

    Raises:
        FileError: If the folder is missing, not writable or full; an older file is then still whole.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        try:
            with temporary.open("wb") as file:
                yield file
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)
    except OSError as error:
        reason = error.strerror or str(error)
        raise FileError(
            f"Cannot write {path}: {reason}. Choose a file in a folder that exists and that you may write to."
        ) from error


def replace_file(path: Path, content: bytes) -> None:
    """Write a file; an older one is replaced only by a whole one.

    Raises:
        FileError: As `replacing`.
    """
    with replacing(path) as file:
        file.write(content)


def write_json(path: Path, result: Result | PiResult | Mapping[str, Any]) -> None:
    """Write a result, or a record made with `record`; an older file is replaced only by a whole one.

    Raises:
        FileError: If the file cannot be written.
        ValueError: If the record holds NaN or infinity, which JSON has not.
    """
    values = result if isinstance(result, Mapping) else result.to_dict()
    text = json.dumps(values, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    replace_file(path, text.encode())


def load_json(path: Path) -> Result | PiResult:
    """Read a result.

    Raises:
        ReportError: If the file is no result of this format version; lists every problem.
    """
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ReportError(f"Cannot read {path}: {error.strerror}.") from error
    except (ValueError, RecursionError) as error:
        raise ReportError(
            f"{path} is not JSON: {error}. Run the workload again to make a new one."
        ) from error
    try:
        return from_dict(values)
    except ReportError as error:
        raise ReportError(f"{path} is not a result that this piray can read:\n{error}") from error


def from_dict(values: object) -> Result | PiResult:
    """Rebuild a result from its JSON record; what follows from other fields may be missing.

    Raises:
        ReportError: Lists every field that is missing, unknown, of the wrong type or contradicts another.
    """
    if not isinstance(values, Mapping) or values.get("format") != FORMAT:
        raise ReportError(f"It lacks `format`: {FORMAT!r}. Give a file that `piray run` wrote.")
    kind = _kind(values)
    problems = [] if "created" in values else ["created is missing."]
    try:
        # As text: only then pydantic takes lists for tuples and nothing else for what it is not.
        result = _checker(kind.workload).validate_json(json.dumps(values), strict=True)
    except ValidationError as error:
        problems = [*(_in_words(one, kind) for one in error.errors()), *problems]
    if problems:
        raise ReportError("\n".join(problems))
    expected = result.to_dict()
    different = [key for key in sorted(values) if key not in expected or expected[key] != values[key]]
    if different:
        raise ReportError(
            "\n".join(f"{key} is unknown or does not follow from the other fields." for key in different)
        )
    return result


def _kind(values: Mapping[str, Any]) -> type[Result] | type[PiResult]:
    """Return what the envelope says that a record is."""
    version = values.get("format_version")
    if version != FORMAT_VERSION or type(version) is not int:
        raise ReportError(
            f"format_version is {version!r}: this piray reads {FORMAT_VERSION}. Run the workload again, or "
            "use the piray that wrote the file."
        )
    workload = values.get("workload")
    if not isinstance(workload, str) or workload not in KINDS:
        raise ReportError(f"workload is {workload!r}: it must be one of {', '.join(KINDS)}.")
    return KINDS[workload]


@cache
def _checker(workload: str) -> TypeAdapter[Result | PiResult]:
    """Return what checks the types of a record; to make it takes a tenth of a second."""
    return TypeAdapter(KINDS[workload])


def _in_words(problem: ErrorDetails, kind: Any) -> str:
    """Say what pydantic found: which field, its value, and of what type it must be."""
    path = ""
    for step in problem["loc"]:
        path += f"[{step}]" if isinstance(step, int) else f".{step}" if path else step
        kind = get_args(kind)[0] if isinstance(step, int) else get_type_hints(kind)[step]
    if problem["type"] == "missing":
        return f"{path} is missing."
    if problem["type"] == "value_error":
        reason = str(problem["ctx"]["error"])
        return f"{path}: {reason}" if path else reason
    allowed = get_args(kind) if isinstance(kind, UnionType) else (get_origin(kind) or kind,)
    names = " or ".join(_JSON_NAMES.get(one, "an object") for one in allowed)
    return f"{path} is {problem['input']!r:.80}: it must be {names}."
