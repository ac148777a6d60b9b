"""Decides how this machine talks to a Kubernetes API server; knows nothing of Ray, pods or ports.

kr8s does the Kubernetes part. It is asynchronous and the runner is not: each use has its own event loop.
"""

import asyncio
import base64
import logging
import os
import shutil
import ssl
import tempfile
import warnings
from collections.abc import AsyncIterator, Coroutine, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import httpx
import kr8s
import kr8s.asyncio
import yaml

# Long enough for a Pi that wakes its disk up, short enough to say that nobody is there.
API_TIMEOUT_S = 15.0

T = TypeVar("T")


class KubernetesError(Exception):
    """Kubernetes cannot be reached or lacks what was asked for; one line that says what to do."""


@dataclass(frozen=True)
class Kubeconfig:
    """A kubeconfig in files that only this user can read.

    Attributes:
        path: The kubeconfig; its keys are in files beside it.
        server: URL of the API server, for messages.
    """

    path: Path
    server: str


@contextmanager
def private_kubeconfig(text: str) -> Iterator[Kubeconfig]:
    """Write a kubeconfig's text to files, and remove every trace afterwards.

    kr8s writes the keys that a kubeconfig holds to temporary files and leaves them there. Given their paths
    it does not, so the keys are written here: 0600, in a folder of our own that goes away with the run.

    Raises:
        KubernetesError: If the text is no kubeconfig.
    """
    config = _load(text)
    folder = Path(tempfile.mkdtemp(prefix="piray-"))
    try:
        for entries, inner in ((config["clusters"], "cluster"), (config["users"], "user")):
            for index, entry in enumerate(entries):
                _keys_to_files(entry[inner], folder, f"{inner}-{index}")
        path = folder / "kubeconfig"
        _write_private(path, yaml.safe_dump(config).encode())
        yield Kubeconfig(path, config["clusters"][0]["cluster"]["server"])
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@asynccontextmanager
async def connect(config: Kubeconfig) -> AsyncIterator[kr8s.asyncio.Api]:
    """Connect to Kubernetes; every foreseeable failure inside the block becomes a KubernetesError.

    Raises:
        KubernetesError: If the server is away, refuses the credentials, or answers with an error.
    """
    where = f"Kubernetes at {config.server}"
    # kr8s warns about every Kubernetes that is newer than itself.
    warnings.filterwarnings("ignore", module="kr8s", category=UserWarning)
    try:
        api = await asyncio.wait_for(kr8s.asyncio.api(kubeconfig=str(config.path)), API_TIMEOUT_S)
        api.timeout = API_TIMEOUT_S
        yield api
    except (TimeoutError, kr8s.APITimeoutError, httpx.TimeoutException):
        raise KubernetesError(
            f"{where} does not answer: is the server's Pi on, and is this machine in its network?"
        ) from None
    except kr8s.ServerError as error:
        raise KubernetesError(_refusal(where, error)) from None
    except (httpx.TransportError, ssl.SSLError, OSError) as error:
        if "CERTIFICATE_VERIFY_FAILED" in str(error):
            raise KubernetesError(
                f"{where} shows a certificate that is not this stack's: was k3s installed again? "
                "Run `make up` for the stack."
            ) from None
        raise KubernetesError(
            f"{where} cannot be reached ({error}): is the server's Pi on, and is k3s running there?"
        ) from None


def run_on(loop: asyncio.AbstractEventLoop, work: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine on a loop of its own, then cancel whatever it left behind and close the loop."""
    # A connection that breaks is the client's business, which sees it and tries again: no traceback for it.
    loop.set_exception_handler(lambda _, context: logging.getLogger(__name__).debug("kr8s: %s", context))
    logging.getLogger("httpx").setLevel(logging.WARNING)
    try:
        return loop.run_until_complete(work)
    finally:
        left = cancel_all(loop)
        if left:
            loop.run_until_complete(asyncio.wait(left))
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.close()


def cancel_all(loop: asyncio.AbstractEventLoop) -> set[asyncio.Task[Any]]:
    """Cancel and return every task of a loop; call it in the loop's own thread."""
    tasks = asyncio.all_tasks(loop)
    for task in tasks:
        task.cancel()
    return tasks


def _refusal(where: str, error: kr8s.ServerError) -> str:
    code = error.response.status_code if error.response is not None else 0
    reason = str(error).partition("\n")[0]
    if code in (401, 403):
        return (
            f"{where} refuses the stack's credentials ({reason}): run `make up` for the stack to renew them."
        )
    return f"{where} answered with an error ({reason}): is k3s healthy there?"


def _load(text: str) -> dict[str, Any]:
    error = KubernetesError("the output kubeconfig does not hold a kubeconfig: run `make up` for the stack.")
    try:
        config = yaml.safe_load(text)
        names = [config["contexts"][0]["context"], config["current-context"], config["users"][0]["user"]]
        server = config["clusters"][0]["cluster"]["server"]
    except (yaml.YAMLError, KeyError, IndexError, TypeError):
        raise error from None
    if not all(names) or not isinstance(server, str):
        raise error
    return dict(config)


def _keys_to_files(entry: dict[str, Any], folder: Path, name: str) -> None:
    for key in ("client-key", "client-certificate", "certificate-authority"):
        data = entry.pop(f"{key}-data", None)
        if data is None:
            continue
        path = folder / f"{name}-{key}.pem"
        _write_private(path, base64.b64decode(data))
        entry[key] = str(path)


def _write_private(path: Path, data: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
