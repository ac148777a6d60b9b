"""Decides what becomes of the files that a job sends in its log: where each goes, and what is said of it.

Whatever the log says, a file comes to lie in the folder that was asked for or below it, and none that is
there already is changed.
"""

import base64
import hashlib
import json
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from workloads.protocol.parcel import CHUNK_BYTES, MARK, MAX_BYTES, MAX_FILES, SHOWN

_MIB = 1024 * 1024
# A line longer than this belongs to no parcel.
_MAX_LINE_CHARACTERS = 4 * CHUNK_BYTES
_NUMBERS = 1000
_WHY_LEFT = {
    "link": "is a link, or lies behind one",
    "name": "has a name with characters that cannot be shown",
    "unreadable": "cannot be read by the job's own user",
    "count": f"would be more than the {MAX_FILES} files that can be brought at once",
}


class _RefusedError(Exception):
    """A file cannot be placed; why."""


def apart(pieces: Iterable[str], take: Callable[[Mapping[str, Any]], None] | None = None) -> Iterator[str]:
    """Yield a log without the lines of a parcel, in pieces and as soon as possible.

    Args:
        pieces: The log, cut anywhere.
        take: Takes what a line of the parcel says.
    """
    rest, fresh = "", True
    for piece in pieces:
        rest += piece
        while rest:
            if fresh and _may_be_marked(rest):
                line, complete, after = rest.lstrip("\n").partition("\n")
                if not complete and len(line) <= _MAX_LINE_CHARACTERS:
                    break
                values = _values(line)
                if complete and values is not None:
                    rest = after
                    if take is not None:
                        take(values)
                    continue
            line, complete, rest = rest.partition("\n")
            fresh = bool(complete)
            yield line + complete
    if rest:
        yield rest


def _may_be_marked(text: str) -> bool:
    """Say whether a text, at the beginning of a line, is the beginning of a parcel's line."""
    # The sender puts a line feed in front, and an empty line of the job's own may come before that.
    start = text.removeprefix("\n")
    return start.startswith(MARK) or MARK.startswith(start)


def _values(line: str) -> Mapping[str, Any] | None:
    try:
        values = json.loads(line.removeprefix(MARK))
    except (ValueError, RecursionError):
        return None
    return values if isinstance(values, dict) else None


class Unpacker:
    """Takes the lines of a parcel and writes its files.

    Args:
        folder: Where they go; it must be there.

    Attributes:
        brought: The files that are here now.
        notes: What the user should know besides.
    """

    def __init__(self, folder: Path) -> None:
        self.brought: list[Path] = []
        self.notes: list[str] = []
        self._folder = folder
        self._name = ""
        self._content = bytearray()
        self._total = 0
        self._done = False

    def take(self, values: Mapping[str, Any]) -> None:
        """Take what one line says."""
        try:
            match values["kind"]:
                case "file":
                    self._name, self._content = str(values["name"]), bytearray()
                case "chunk":
                    self._add(base64.b64decode(values["data"]))
                case "end":
                    self._end(str(values["sha256"]))
                case "left":
                    self.notes.append(_left_note(values))
                case "nothing":
                    self.notes.append(_nothing_note(values))
                case "failed":
                    self.notes.append(f"the files could not be sent ({values['why']}).")
                    self._done = True
                case "done":
                    self._done = True
        except _RefusedError as error:
            self.notes.append(f"{self._name!r} was not brought: {error}.")
        except (KeyError, TypeError, ValueError, zlib.error):
            # A line of the job's own that looks like one of ours, or a damaged one: the checksum tells.
            return

    def finish(self) -> list[str]:
        """Return what to tell the user, one sentence each."""
        notes = list(self.notes)
        if not self._done:
            notes.append("not all files came: the job's log ended before.")
        if self.brought:
            notes.insert(0, f"brought {shortened([str(path) for path in self.brought])}")
        return notes

    def _add(self, packed: bytes) -> None:
        chunk = zlib.decompressobj().decompress(packed, CHUNK_BYTES)
        self._total += len(chunk)
        if self._total <= MAX_BYTES:
            self._content += chunk

    def _end(self, sha256: str) -> None:
        content = bytes(self._content)
        self._content = bytearray()
        if hashlib.sha256(content).hexdigest() != sha256:
            raise _RefusedError("it arrived damaged (its checksum differs); run the job again")
        path = place(self._folder, self._name, content)
        if path.name != PurePosixPath(self._name).name:
            there = self._folder / self._name
            self.notes.append(f"{there} is there already and differs: what the job wrote is in {path}.")
        self.brought.append(path)


def place(folder: Path, name: str, content: bytes) -> Path:
    """Write a file into a folder, beside what is there already.

    Args:
        folder: Must be there.
        name: Path from the folder on, with / between its parts.
        content: What the file holds.

    Returns:
        Where it is. If a file of this name is there and differs, the new one has a number in its name.

    Raises:
        _RefusedError: If the name leads out of the folder, or nothing can be written there.
    """
    parts = name.split("/")
    if not name.isprintable() or any(part in {"", ".", ".."} or "\\" in part for part in parts):
        raise _RefusedError("its name leads out of the folder, or is none")
    try:
        parent = folder
        for part in parts[:-1]:
            parent /= part
            parent.mkdir(exist_ok=True)
            if parent.is_symlink():
                raise _RefusedError(f"{parent} is a link, and files are not written behind one")
        for path in _candidates(parent / parts[-1]):
            if _is_written(path, content):
                return path
    except OSError as error:
        raise _RefusedError(f"it cannot be written here ({error.strerror})") from None
    raise _RefusedError(f"there are {_NUMBERS} files of this name already")


def _candidates(path: Path) -> Iterator[Path]:
    yield path
    for number in range(1, _NUMBERS):
        yield path.with_name(f"{path.stem}.{number}{path.suffix}")


def _is_written(path: Path, content: bytes) -> bool:
    """Write a new file; say whether the content is there now."""
    try:
        # Fails also where a link stands that leads to nothing.
        file = path.open("xb")
    except FileExistsError:
        return not path.is_symlink() and path.is_file() and path.read_bytes() == content
    try:
        with file:
            file.write(content)
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    return True


def _left_note(values: Mapping[str, Any]) -> str:
    name, why = str(values["name"]), str(values["why"])
    if why == "size":
        return (
            f"{name!r} ({int(values['size']) / _MIB:.1f} MiB) was not brought: all files together may have "
            f"{MAX_BYTES // _MIB} MiB; let the job write less, or name fewer files."
        )
    return f"{name!r} was not brought: it {_WHY_LEFT[why]}."


def _nothing_note(values: Mapping[str, Any]) -> str:
    wrote = [str(name) for name in values["wrote"]]
    said = shortened([repr(name) for name in wrote], int(values["of"])) if wrote else "no file at all"
    return f"--fetch {values['pattern']} names nothing that the job wrote; in its folder it wrote {said}."


def shortened(names: Sequence[str], of: int | None = None) -> str:
    """Return the first of some names, and how many more there are.

    Args:
        names: Some or all of them.
        of: How many there are.
    """
    shown = names[:SHOWN]
    more = (len(names) if of is None else of) - len(shown)
    return ", ".join(shown) + (f" and {more} more" if more else "")
