"""Decides how this machine talks to a Kubernetes API server; knows nothing of Ray, pods or ports.

kr8s does the Kubernetes part. It is asynchronous and the runner is not: each use has its own event loop.
"""

import asyncio
import logging
import ssl
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import httpx
import kr8s
import kr8s.asyncio
from kr8s.asyncio import Api

from workloads.runner.kubeconfig import Kubeconfig, KubernetesError

# Long enough for a Pi that wakes its disk up, short enough to say that nobody is there.
API_TIMEOUT_S = 15.0

T = TypeVar("T")


@asynccontextmanager
async def connect(config: Kubeconfig) -> AsyncIterator[kr8s.asyncio.Api]:
    """Connect to Kubernetes; every foreseeable failure inside the block becomes a KubernetesError.

    Raises:
        KubernetesError: If the server is away, refuses the credentials, or answers with an error.
    """
    where = f"Kubernetes at {config.server}"
    try:
        api = await asyncio.wait_for(_open(config), API_TIMEOUT_S)
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


class _DirectApi(Api):
    """kr8s' client without the proxies of the environment, which may neither see nor reach the user's Pis."""

    async def _create_session(self) -> None:
        # kr8s has no option for it, and makes a new session whenever the server refused the old one's token.
        await super()._create_session()
        if self.auth.proxy is None:
            assert self._session is not None
            timeout = self._session.timeout
            await self._session.aclose()
            self._session = httpx.AsyncClient(
                base_url=self.auth.server,
                headers=self._session.headers,
                verify=await _tls(self),
                timeout=timeout,
                follow_redirects=True,
                trust_env=False,
            )


async def _tls(api: Api) -> ssl.SSLContext | bool:
    found: ssl.SSLContext | bool = await api.auth.ssl_context()  # type: ignore[no-untyped-call]  # kr8s has no types here
    return found


async def _open(config: Kubeconfig) -> Api:
    """Return a client that the server has answered once.

    Raises:
        KubernetesError: If the kubeconfig's user gets no credentials, or the server is no Kubernetes.
    """
    api = _DirectApi(kubeconfig=str(config.path), bypass_factory=True)
    try:
        await api.auth
        await _tls(api)
    except Exception as error:
        # A program that the kubeconfig names (exec) may fail in any way, and so may a key that is cut off.
        reason = f"{type(error).__name__}: {error}".partition("\n")[0]
        raise KubernetesError(
            f"the output kubeconfig leads to no credentials for {config.server} ({reason}): "
            "run `make up` for the stack, then read its outputs again."
        ) from None
    try:
        await api.async_version()
    except (ValueError, LookupError, TypeError):
        # kr8s looks into the answer without a look at what it is.
        raise KubernetesError(
            f"Kubernetes at {config.server} answers, but not as Kubernetes does: does another program listen "
            "at that address?"
        ) from None
    return api


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
