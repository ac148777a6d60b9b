"""Installs once for each Node what the Ray image lacks; the container `packages` runs this text by itself.

It runs in the Ray image, which has nothing of this program: the standard library alone. Arguments: the folder
that all pods of a Node share, the name of the folder in it that is wanted, and requirements. The variable
PIRAY_WHEELS_URL says where a mirror may have wheels.
"""

import fcntl
import os
import shutil
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

# The one that is wanted, and the one before: pods of an older revision may still read that.
KEPT = 2
_TIMEOUT_S = 5
_PARTIAL = ".partial-"


class InstallError(Exception):
    """The packages cannot be had; one line with what was tried, the rule and the remedy."""


def install(folder: Path, key: str, requirements: Sequence[str], wheels_url: str | None) -> bool:
    """Install the packages unless they are there, and say whether anything was installed.

    Args:
        folder: What all pods of a Node share.
        key: Name of the folder in it that gets the packages; there only when it is complete.
        requirements: What pip is to install, as far as the image lacks it.
        wheels_url: A mirror's listing of wheels; used if it answers with some.

    Raises:
        InstallError: If they cannot be had.
    """
    with _alone(folder):
        target = folder / key
        if installed := not target.is_dir():
            _make(target, requirements, wheels_url)
        os.utime(target)
        _prune(folder)
    return installed


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Let no other pod of the Node install meanwhile; the kernel frees the lock of a pod that was killed."""
    with (folder / ".lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print("another pod on this Node is installing packages: waiting for it", flush=True)
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _make(target: Path, requirements: Sequence[str], wheels_url: str | None) -> None:
    # Only who has the lock makes such folders: these are of pods that were killed.
    for left in target.parent.glob(f"{_PARTIAL}*"):
        shutil.rmtree(left)
    partial = Path(tempfile.mkdtemp(prefix=_PARTIAL, dir=target.parent))
    partial.chmod(0o755)
    source = _source(wheels_url)
    # With --user, pip takes what the image has for installed; the folder gets the rest alone.
    options = ["--user", "--no-cache-dir", "--disable-pip-version-check", "--no-warn-script-location"]
    said = _pip([*options, *source, *requirements], partial)
    if said is not None:
        shutil.rmtree(partial)
        place = f"the mirror ({wheels_url})" if source else "the index that the image's pip knows (PyPI)"
        raise InstallError(
            f"{', '.join(requirements)} cannot be installed from {place}: {said}; each host installs once "
            "what the Ray image lacks, before Ray starts; connect the hosts to the internet, or put the "
            "wheels into the mirror (piray mirror DIR --stack NAME), or use an image that has them "
            "(ray.image in the stack file). The next attempt follows by itself"
        )
    # After a power cut the folder must not be there with empty files in it.
    os.sync()
    partial.rename(target)


def _pip(arguments: Sequence[str], base: Path) -> str | None:
    """Run `pip install`, show its output, and return its last error; None if it went well."""
    command = [sys.executable, "-m", "pip", "install", *arguments]
    environment = {**os.environ, "PYTHONUSERBASE": str(base)}
    error = ""
    with subprocess.Popen(
        command,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    ) as pip:
        assert pip.stdout is not None
        for line in pip.stdout:
            print(line, end="", flush=True)
            if line.startswith("ERROR:"):
                error = line.removeprefix("ERROR:").strip()
    return None if pip.returncode == 0 else error or f"pip ended with code {pip.returncode}"


def _source(wheels_url: str | None) -> list[str]:
    """Return pip's options for a mirror that lists wheels; none for one that has none, as of k3s alone."""
    if not wheels_url:
        return []
    # What is in the LAN is not behind a proxy.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(wheels_url, timeout=_TIMEOUT_S) as answer:
            if b".whl" not in answer.read():
                return []
    except (OSError, ValueError) as error:
        print(f"{wheels_url} does not answer ({error})", flush=True)
        return []
    # Without an index: where there is no internet, pip would ask for it again and again before it goes on.
    options = ["--no-index", f"--find-links={wheels_url}"]
    parts = urlsplit(wheels_url)
    return [*options, f"--trusted-host={parts.netloc}"] if parts.scheme == "http" else options


def _prune(folder: Path) -> None:
    """Remove all but those that were wanted last."""
    complete = [path for path in folder.iterdir() if path.is_dir() and not path.name.startswith(".")]
    for old in sorted(complete, key=lambda path: path.stat().st_mtime, reverse=True)[KEPT:]:
        shutil.rmtree(old)


def main(folder: str, key: str, *requirements: str) -> str | None:
    """Install, say so, and return what is wrong; None if nothing is."""
    try:
        installed = install(Path(folder), key, requirements, os.environ.get("PIRAY_WHEELS_URL"))
    except InstallError as error:
        return str(error)
    except OSError as error:
        return (
            f"{folder} of this Node cannot be written ({error}): what the Ray image lacks is kept there; "
            "make room on the host's disk, or run make up again"
        )
    print(f"packages {key}: {'installed' if installed else 'there already, nothing to install'}", flush=True)
    return None


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
