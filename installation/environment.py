"""Makes and fills .venv, so that a run that was cut off or failed is repaired by the next one."""

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Dict, List, Optional

from installation import registry

INSTALLER = "requirements-installer.lock"
LOCKS = {"run": "requirements.lock", "dev": "requirements-dev.lock", "bench": "requirements-bench.lock"}
# There while .venv is being changed: what was cut off in the middle may look whole.
_UNFINISHED = ".unfinished"


class InstallationError(Exception):
    """Something could not be installed; the message says what to do."""


class Environment:
    """The virtual environment of a checkout.

    Args:
        root: the checkout.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.path = root / ".venv"
        self.python = self.path / "bin" / "python"

    def is_usable(self) -> bool:
        """Whether its Python starts and nothing was left half-done in it."""
        if (self.path / _UNFINISHED).exists() or not self.python.exists():
            return False
        try:
            return subprocess.call([str(self.python), "-c", ""], stderr=subprocess.DEVNULL) == 0
        except OSError:
            return False

    def lacks(self, lock: str) -> bool:
        """Whether what a lock file lists is not installed, or was installed from another text of it."""
        try:
            return self._stamp(lock).read_text(encoding="utf-8") != self._digest(lock)
        except OSError:
            return True

    def make(self) -> None:
        """Make it anew, with the Python that runs this.

        Raises:
            InstallationError: it cannot be made.
        """
        if self.path.is_symlink():
            raise InstallationError(f"{self.path} is a link to an environment that does not work: remove it")
        if self.path.exists():
            print("piray: .venv is not complete, it is made anew", flush=True)
            shutil.rmtree(str(self.path))
        self.path.mkdir()
        (self.path / _UNFINISHED).touch()
        command = [sys.executable, "-m", "venv", str(self.path)]
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
        if done.returncode:
            shutil.rmtree(str(self.path))
            said = done.stdout.decode(errors="replace").strip().splitlines() or ["no message"]
            raise InstallationError(f"`{' '.join(command)}` failed: {said[-1]}")

    def install(self, lock: str) -> None:
        """Install what a lock file lists, and piray itself as an editable package.

        Raises:
            InstallationError: neither uv nor pip could; what they printed says why.
        """
        (self.path / _UNFINISHED).touch()
        for one in sorted({LOCKS["run"], lock}, reverse=True):
            if self.lacks(one):
                self._pip(["--require-hashes", "-r", one])
                if one == LOCKS["run"]:
                    self._pip(["--no-deps", "--no-build-isolation", "-e", "."])
                self._stamp(one).write_text(self._digest(one), encoding="utf-8")
        (self.path / _UNFINISHED).unlink()

    def _pip(self, arguments: List[str]) -> None:
        if self._has_uv():
            command = [
                str(self.python),
                "-m",
                "uv",
                "pip",
                "install",
                "--quiet",
                "--python",
                str(self.python),
                # Unlike pip, uv leaves this to the first import; here that would be each import, for seconds.
                *(["--compile-bytecode"] if sys.dont_write_bytecode else []),
            ]
            if subprocess.call(command + arguments, cwd=str(self.root), env=self._uv_environment()) == 0:
                return
            print("piray: uv could not install this, pip is tried instead", flush=True)
        if self._call(["-m", "pip", "install", "--quiet", *arguments]):
            raise InstallationError(
                "the packages could not be installed; once that is mended, run make again"
            )

    def _has_uv(self) -> bool:
        """Install uv from its own lock file, as a wheel: building it would take a Rust compiler."""
        if self.lacks(INSTALLER):
            wheel = ["--only-binary", ":all:", "--require-hashes", "-r", INSTALLER]
            if self._call(["-m", "pip", "install", "--quiet", *wheel], stderr=subprocess.DEVNULL):
                return False
            self._stamp(INSTALLER).write_text(self._digest(INSTALLER), encoding="utf-8")
        return True

    def _uv_environment(self) -> Dict[str, str]:
        command = [str(self.python), "-m", "pip", "config", "list"]
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=False)
        listed = done.stdout.decode(errors="replace") if done.returncode == 0 else ""
        return {**os.environ, **registry.environment(listed, os.environ)}

    def _call(self, arguments: List[str], stderr: Optional[int] = None) -> int:
        return subprocess.call([str(self.python), *arguments], cwd=str(self.root), stderr=stderr)

    def _stamp(self, lock: str) -> Path:
        return self.path / f".installed-{lock}"

    def _digest(self, lock: str) -> str:
        texts = [(self.root / name).read_bytes() for name in (lock, "pyproject.toml")]
        return hashlib.sha256(b"".join(texts)).hexdigest()
