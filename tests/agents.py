"""SSH agents of the tests' own."""

import os
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

_START_S = 60


@contextmanager
def agent_with(keys: Sequence[Path]) -> Iterator[Path]:
    """Yield the socket of an OpenSSH agent that has these keys in this order, until the end of the block."""
    # The path of a socket has at most a hundred characters.
    with tempfile.TemporaryDirectory(prefix="piray-agent-") as folder:
        path = Path(folder) / "agent"
        agent = subprocess.Popen(["ssh-agent", "-D", "-a", path], stdout=subprocess.DEVNULL)
        try:
            deadline = time.monotonic() + _START_S
            while not path.is_socket():
                assert agent.poll() is None
                assert time.monotonic() < deadline
                time.sleep(0.01)
            for key in keys:
                env = {**os.environ, "SSH_AUTH_SOCK": str(path)}
                subprocess.run(["ssh-add", "-q", key], env=env, check=True)
            yield path
        finally:
            agent.terminate()
            agent.wait()
