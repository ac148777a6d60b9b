"""A proxy for tests that records the first line of every request, and refuses it."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

# Every program has its own choice among these: curl, requests, httpx, gRPC.
VARIABLES = [
    name
    for lower in ("http_proxy", "https_proxy", "all_proxy", "grpc_proxy", "ws_proxy", "wss_proxy")
    for name in (lower, lower.upper())
]


@dataclass
class RefusingProxy:
    """What came to the proxy so far.

    Attributes:
        port: Where it listens, at 127.0.0.1.
        asked: The first line of every request, or what went wrong.
    """

    port: int
    asked: list[str] = field(default_factory=list)

    @property
    def environment(self) -> dict[str, str]:
        """Variables of a user behind this proxy, with no exceptions; what is there already counts no more."""
        used = dict.fromkeys(VARIABLES, f"http://127.0.0.1:{self.port}")
        return {**used, "no_proxy": "", "NO_PROXY": ""}


@contextmanager
def refusing_proxy() -> Iterator[RefusingProxy]:
    """Run a proxy; nothing that was sent to it before the block ends is missed."""
    listener = socket.create_server(("127.0.0.1", 0))
    proxy = RefusingProxy(int(listener.getsockname()[1]))

    def accept() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            proxy.asked.append("a connection")
            with connection, suppress(OSError):
                connection.settimeout(5)
                proxy.asked.append(connection.recv(4096).partition(b"\r\n")[0].decode(errors="replace"))
                connection.sendall(
                    b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
                )

    thread = threading.Thread(target=accept, daemon=True)
    thread.start()
    try:
        yield proxy
    finally:
        # Closing alone would leave the thread in accept().
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join(20)
