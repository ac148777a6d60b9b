"""Decides how a driver tells its runner what happens: event lines between log lines; knows nothing of Ray.

An event is one line `piray-event {json}`. The runner may get the lines in pieces of any size, with lines of
other programs in between (Ray's own log lines share the job's output).
"""

import base64
import hashlib
import io
import json
import os
import tempfile
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, BinaryIO

PREFIX = "piray-event "
# Ray's log tail sends a message for every 20 000 characters and the client refuses messages above 4 MiB.
PICTURE_CHUNK_BYTES = 48_000
# A line longer than this is no event; it is cut: a program that never ends its line must not fill the memory.
MAX_LINE_CHARS = 1_000_000


class EventError(RuntimeError):
    """The events contradict each other: a picture that is not whole."""


@dataclass(frozen=True)
class Event:
    """Something that happened in the driver.

    Attributes:
        kind: "nodes", "warm", "progress", "row", "loss", "after", "picture", "result", "error", …
        values: JSON types only.
    """

    kind: str
    values: Mapping[str, Any] = field(default_factory=dict)


Emit = Callable[[Event], None]


def encode(event: Event) -> str:
    """Render an event as one ASCII line without its line end."""
    return PREFIX + json.dumps({"kind": event.kind, **event.values}, ensure_ascii=True, separators=(",", ":"))


def decode(line: str) -> Event | None:
    """Read one line; None if it is a plain line."""
    if not line.startswith(PREFIX):
        return None
    try:
        values = json.loads(line[len(PREFIX) :])
    except (ValueError, RecursionError):
        return None
    if not isinstance(values, dict) or not isinstance(values.get("kind"), str):
        return None
    return Event(values.pop("kind"), values)


class Printer:
    """Writes events to a file descriptor; may be called from several threads."""

    def __init__(self, descriptor: int = 1) -> None:
        self._descriptor = descriptor
        self._lock = threading.Lock()

    def __call__(self, event: Event) -> None:
        """Write one event."""
        # The line feed in front ends whatever another program left unfinished on the shared output, and a
        # single write keeps it from getting in between.
        data = f"\n{encode(event)}\n".encode("ascii")
        with self._lock:
            while data:
                data = data[os.write(self._descriptor, data) :]


class Parser:
    """Turns text in pieces into events and plain lines."""

    def __init__(self) -> None:
        self._rest = ""

    def feed(self, text: str) -> Iterator[Event | str]:
        """Yield every line that `text` completes: an event, or a plain line without its line end.

        Blank lines are left out.
        """
        # Only a line feed ends a line: str.splitlines also cuts at characters that a plain line may hold.
        *lines, self._rest = (self._rest + text).split("\n")
        self._rest = self._rest[:MAX_LINE_CHARS]
        for line in lines:
            yield from _read_line(line)

    def close(self) -> Iterator[Event | str]:
        """Yield what was left without a line end."""
        line, self._rest = self._rest, ""
        yield from _read_line(line)


def _read_line(line: str) -> Iterator[Event | str]:
    line = line.removesuffix("\r")
    event = decode(line)
    if event is not None:
        yield event
    elif line.strip():
        yield line


def picture_events(pieces: Iterable[bytes]) -> Iterator[Event]:
    """Cut a stream into numbered events; the last one carries the length and the SHA-256 of the whole."""
    digest, length, index, rest = hashlib.sha256(), 0, 0, b""
    for piece in pieces:
        digest.update(piece)
        length += len(piece)
        rest += piece
        while len(rest) >= PICTURE_CHUNK_BYTES:
            yield _chunk(index, rest[:PICTURE_CHUNK_BYTES])
            index, rest = index + 1, rest[PICTURE_CHUNK_BYTES:]
    if rest:
        yield _chunk(index, rest)
        index += 1
    yield Event("picture-end", {"chunks": index, "length": length, "sha256": digest.hexdigest()})


def _chunk(index: int, data: bytes) -> Event:
    return Event("picture", {"index": index, "base64": base64.b64encode(data).decode("ascii")})


class Picture:
    """Puts a picture together from its events, in whatever order and however often they come.

    It is kept in a temporary file without a name, so memory stays bounded whatever its size.
    """

    def __init__(self) -> None:
        self._file: BinaryIO | None = None
        self._seen: set[int] = set()
        self._end: Mapping[str, Any] | None = None

    def add(self, event: Event) -> bool:
        """Take an event; False if it is not about the picture."""
        if event.kind == "picture":
            index = int(event.values["index"])
            if self._file is None:
                self._file = tempfile.TemporaryFile()  # noqa: SIM115  # closed with the object
            # All chunks but the last have one size.
            self._file.seek(index * PICTURE_CHUNK_BYTES)
            self._file.write(base64.b64decode(event.values["base64"]))
            self._seen.add(index)
        elif event.kind == "picture-end":
            self._end = event.values
        else:
            return False
        return True

    def open(self) -> BinaryIO:
        """Return the whole picture as a file, at its beginning.

        Raises:
            EventError: If a chunk is missing or the bytes are not those that were sent.
        """
        if self._end is None:
            raise EventError("the picture did not arrive: its last part is missing. Run it again.")
        missing = self._end["chunks"] - len(self._seen)
        if missing:
            raise EventError(
                f"{missing} of the picture's {self._end['chunks']} parts are missing. Run it again."
            )
        file = self._file or io.BytesIO()
        file.seek(0)
        digest = hashlib.sha256()
        while piece := file.read(PICTURE_CHUNK_BYTES):
            digest.update(piece)
        if file.tell() != self._end["length"] or digest.hexdigest() != self._end["sha256"]:
            raise EventError("the picture arrived damaged (its checksum differs). Run it again.")
        file.seek(0)
        return file
