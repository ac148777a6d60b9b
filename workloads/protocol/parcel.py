"""The program around a job whose files are wanted: runs it, and sends what it wrote as lines of its log.

It runs beside Ray as `python -I -c SOURCE COMMAND PATTERN…`, in the job's working directory. The standard
library has to suffice: nothing else of ours is there.
"""

import base64
import glob
import hashlib
import json
import os
import signal
import stat
import subprocess
import sys
import zlib
from collections.abc import Callable, Iterator

# Each line of a parcel begins so; the others are the job's own.
MARK = "piray-parcel "
# All files of a job together, not packed. They stay in the log on a Pi's card as long as Ray runs.
MAX_BYTES = 64 * 1024 * 1024
MAX_FILES = 1000
# Ray's client refuses messages above 4 MiB, and Ray sends up to ten lines in one.
CHUNK_BYTES = 48_000
# So many names in a message.
SHOWN = 8
# What holds this program. The job does not need it.
VARIABLE = "PIRAY_PARCEL"
# What Python writes beside modules.
_UNWANTED = "__pycache__"

# Name → what changes if the file is written: time, size and inode.
Files = dict[str, tuple[int, int, int]]


def main(command: str, patterns: list[str]) -> int:
    """Run a command as Ray does; send the files; return the command's exit status, negative for a signal."""
    before = files()
    environment = {name: value for name, value in os.environ.items() if name != VARIABLE}
    code = subprocess.call(command, shell=True, env=environment)  # noqa: S602 — Ray gives it to a shell, too
    try:
        after = files()
        send({name for name in after if after[name] != before.get(name)}, patterns, tell)
    except Exception as error:
        # Whatever it is, the job has ended as it has.
        tell({"kind": "failed", "why": f"{type(error).__name__}: {error}"})
    return code


def files() -> Files:
    """Return all regular files below this folder; links are not followed."""
    found = {}
    for folder, folders, names in os.walk("."):
        folders[:] = [name for name in folders if name != _UNWANTED]
        for name in names:
            path = os.path.normpath(os.path.join(folder, name))
            try:
                facts = os.lstat(path)
            except OSError:
                continue
            if stat.S_ISREG(facts.st_mode):
                found[path] = (facts.st_mtime_ns, facts.st_size, facts.st_ino)
    return found


def send(written: set[str], patterns: list[str], tell: Callable[[dict[str, object]], None]) -> None:
    """Send the files that were written and that a pattern names.

    Args:
        written: Names of files.
        patterns: As of `glob`; a folder stands for all that is in it.
        tell: Takes one line: file, chunk, end; left, for a file that is not sent; nothing, for a pattern that
            names none; done, at the end.
    """
    wanted: set[str] = set()
    for pattern in patterns:
        named, links = _named(pattern, written)
        for name in sorted(links):
            tell({"kind": "left", "name": name, "why": "link", "size": 0})
        if not named and not links:
            names = sorted(written)
            tell({"kind": "nothing", "pattern": pattern, "wrote": names[:SHOWN], "of": len(names)})
        wanted |= named
    room, count = MAX_BYTES, 0
    for name in sorted(wanted):
        size = os.path.getsize(name)
        why = _refusal(name, size, room, count)
        if why:
            tell({"kind": "left", "name": name, "why": why, "size": size})
            continue
        for line in _lines(name, size):
            tell(line)
        room, count = room - size, count + 1
    tell({"kind": "done"})


def _named(pattern: str, written: set[str]) -> tuple[set[str], set[str]]:
    """Return the written files that a pattern names, and the links that it names."""
    named, links = set(), set()
    here = os.path.realpath(".")
    for found in glob.glob(pattern, recursive=True):
        path = os.path.normpath(found)
        if os.path.realpath(path) != os.path.normpath(os.path.join(here, path)):
            links.add(path)
        elif os.path.isdir(path):
            named |= {name for name in written if path == "." or name.startswith(path + os.sep)}
        elif path in written:
            named.add(path)
    return named, links


def _refusal(name: str, size: int, room: int, count: int) -> str:
    if not name.isprintable():
        return "name"
    if not os.access(name, os.R_OK):
        return "unreadable"
    if count >= MAX_FILES:
        return "count"
    return "size" if size > room else ""


def _lines(name: str, size: int) -> Iterator[dict[str, object]]:
    yield {"kind": "file", "name": name}
    digest, left = hashlib.sha256(), size
    with open(name, "rb") as file:
        # Not more than there was: somebody may write on.
        while chunk := file.read(min(CHUNK_BYTES, left)):
            left -= len(chunk)
            digest.update(chunk)
            yield {"kind": "chunk", "data": base64.b64encode(zlib.compress(chunk)).decode("ascii")}
    yield {"kind": "end", "size": size - left, "sha256": digest.hexdigest()}


def tell(values: dict[str, object]) -> None:
    """Write a line of the parcel."""
    # The line feed in front ends what the job has left unfinished; the receiver knows of it.
    data = f"\n{MARK}{json.dumps(values, separators=(',', ':'))}\n".encode("ascii")
    while data:
        data = data[os.write(1, data) :]


def end(code: int) -> None:
    """End as the command has: with its exit status, or by the signal that ended it."""
    if code < 0:
        if -code != signal.SIGKILL:
            signal.signal(-code, signal.SIG_DFL)
        os.kill(os.getpid(), -code)
    sys.exit(code)


if __name__ == "__main__":
    end(main(sys.argv[1], sys.argv[2:]))
