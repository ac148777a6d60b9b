"""Files from the network onto the disk: whole or not at all, and gone on with where they were cut off."""

import hashlib
import http.client
import shutil
import urllib.error
import urllib.request
from http import HTTPStatus
from pathlib import Path

_STALLED_S = 60
_PART = ".part"
_CUT = (urllib.error.URLError, http.client.HTTPException, OSError)


class DownloadError(Exception):
    """A file cannot be had, or is another one; the text says which, and what to do."""


class NotThereError(DownloadError):
    """The other side has no such file."""


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file in hex; empty where there is none."""
    if not path.is_file():
        return ""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def fetch_text(url: str) -> str:
    """Return a small file.

    Raises:
        NotThereError: If the other side has none.
        DownloadError: If it cannot be had.
    """
    try:
        with urllib.request.urlopen(url, timeout=_STALLED_S) as answer:  # noqa: S310 — http(s), see __main__
            text: str = answer.read().decode()
            return text
    except _CUT as error:
        raise _explained(url, error) from None


def fetch(url: str, path: Path, sha256: str) -> bool:
    """Let a file be there, with the right sum; say whether it had to be downloaded.

    Args:
        url: Where it comes from.
        path: Where it goes. What a cut download left beside it is gone on with.
        sha256: Its sum.

    Raises:
        NotThereError: If the other side has none.
        DownloadError: If it cannot be had, or has another sum. Nothing is replaced then.
    """
    if sha256_of(path) == sha256:
        return False
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(path.name + _PART)
    went_on = part.exists()
    _download(url, part)
    if went_on and sha256_of(part) != sha256:
        # Begun by another release, or damaged.
        part.unlink()
        _download(url, part)
    found = sha256_of(part)
    if found != sha256:
        part.unlink()
        raise DownloadError(
            f"{url} has the SHA-256 {found}; the list of sums says {sha256}; run it again, or choose another "
            "--from: the file there is not the one of the release"
        )
    part.replace(path)
    return True


def _download(url: str, part: Path) -> None:
    """Add to a file what it lacks."""
    size = part.stat().st_size if part.exists() else 0
    request = urllib.request.Request(url, headers={"Range": f"bytes={size}-"} if size else {})  # noqa: S310
    try:
        with urllib.request.urlopen(request, timeout=_STALLED_S) as answer:  # noqa: S310
            goes_on = answer.status == HTTPStatus.PARTIAL_CONTENT
            with part.open("ab" if goes_on else "wb") as file:
                shutil.copyfileobj(answer, file, 1 << 20)
            length = answer.headers.get("Content-Length")
            if length is not None and part.stat().st_size != int(length) + (size if goes_on else 0):
                raise OSError("the connection was cut")
    except urllib.error.HTTPError as error:
        if error.code == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
            return  # It has all of it already.
        raise _explained(url, error) from None
    except _CUT as error:
        raise _explained(url, error) from None


def _explained(url: str, error: Exception) -> DownloadError:
    if isinstance(error, urllib.error.HTTPError) and error.code in (
        HTTPStatus.NOT_FOUND,
        HTTPStatus.FORBIDDEN,
    ):
        return NotThereError(f"{url} is not there (HTTP {error.code}); check the version, or --from")
    reason = getattr(error, "reason", None) or error
    return DownloadError(
        f"{url} cannot be downloaded ({reason}); run it again with internet: what is there is kept"
    )
