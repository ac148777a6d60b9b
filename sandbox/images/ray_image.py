"""The Ray image as images/ray/Dockerfile makes it, in the store of a registry that only has to be served."""

import shutil
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from infra.image_inputs import DOCKERFILE, PROJECT, context_files
from sandbox.images.base_image import __file__ as base_image_recipe
from sandbox.images.base_image import base_image
from sandbox.images.debian import SUITE
from sandbox.images.registry import REPOSITORY, TAG, pushed
from sandbox.machine.cache import cached
from sandbox.machine.docker import Docker
from sandbox.machine.process import run

_LOCK = "images/ray/requirements.lock"
_BUILT = "piray-ray:sandbox"
# Of both bases.
_PYTHON = "3.11"


def ray_store(docker: Docker) -> Path:
    """Return the store of a registry that holds the Ray image.

    Args:
        docker: Builds the image, if it has not been made before.

    Raises:
        SandboxError: If packages cannot be had.
    """

    def make(folder: Path) -> None:
        base = _build(docker)
        with pushed(folder) as host:
            name = f"{host}/{REPOSITORY}:{TAG}"
            docker("tag", _BUILT, name)
            docker("push", "--quiet", name)
        docker("rmi", "--force", name, _BUILT, base)

    recipe = [Path(__file__), Path(base_image_recipe)]
    return cached("ray-image", [SUITE, *recipe, *(PROJECT / name for name in context_files())], make)


def _build(docker: Docker) -> str:
    """Build the image and return the name of its base."""
    base = base_image(docker, (PROJECT / DOCKERFILE).read_text())
    with tempfile.TemporaryDirectory(prefix="piray-ray-") as name:
        wheels, context = Path(name) / "wheels", Path(name) / "context"
        for file in context_files():
            (context / file).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(PROJECT / file, context / file)
        lock = context / _LOCK
        # Outside of the build, with whatever settings this machine's pip needs: no image gets to know them.
        run(
            sys.executable, "-m", "pip", "download", "--quiet", "--dest", wheels, "--no-deps",
            "--only-binary=:all:", f"--python-version={_PYTHON}", "--require-hashes", "--requirement", lock,
        )  # fmt: skip
        with _served(wheels) as address:
            lock.write_text(f"--no-index\n--find-links {address}\n{lock.read_text()}")
            # The host's network is the one with the wheels; the daemon has none of its own.
            docker(
                "build", "--quiet", "--network=host", f"--build-arg=BASE={base}", f"--tag={_BUILT}",
                f"--file={context / DOCKERFILE}", context,
            )  # fmt: skip
    return base


@contextmanager
def _served(folder: Path) -> Iterator[str]:
    """Serve a directory on the loopback interface and yield its address."""
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=str(folder))) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/"
        finally:
            server.shutdown()


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 — the name is the base class's
        """Say nothing: what goes wrong is in pip's own message."""
