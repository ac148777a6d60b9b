"""A copy of the program whose stack files nobody else sees, and a network with Pis."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.infra.init.network import Network, missing, network, quiet

ROOT = Path(__file__).resolve().parents[3]
STACK = """# My Pis.
config:
  piray:platform: pi
  piray:hosts:
    - {{name: pi1, address: 192.0.2.11, role: server, hostKey: "{one} root@pi1"}}  # upstairs
    - {{name: pi2, address: 192.0.2.12, role: agent, hostKey: {two}}}
  piray:ssh: {{user: anna, privateKeyFile: ssh/key}}
  piray:workers: 1
"""
ONE = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIH1BNAnKq+6bI8LNyVt8cB30GzloUqXSXl1nKUDlHZ+i"
TWO = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAID/xoKMJ4KbSVsPEvu5mHnpjN/UQTU44ml6CoJZs/fl9"


@dataclass
class Project:
    """The program in a folder of its own.

    Attributes:
        folder: Where stack files go.
        env: Environment of its processes.
        network: Where its processes run; None for this machine's own network.
    """

    folder: Path
    env: dict[str, str]
    network: Network | None = None
    command: list[str] = field(default_factory=lambda: [sys.executable, "-m", "infra.init"])

    def argv(self, *arguments: str) -> list[str]:
        """Return the command line of `piray init`."""
        whole = [*self.command, *arguments]
        return self.network.inside(*whole) if self.network else whole

    def init(self, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
        """Run `piray init` without a terminal."""
        return subprocess.run(
            self.argv(*arguments),
            cwd=self.folder,
            env={**self.env, **variables},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )

    def stack(self, name: str = "home") -> Path:
        return self.folder / f"Pulumi.{name}.yaml"

    def contents(self) -> set[str]:
        """Return the names of all files that are not the program's."""
        return {
            str(path.relative_to(self.folder))
            for path in self.folder.rglob("*")
            if path.is_file() and path.relative_to(self.folder).parts[0] not in ("infra", "ssh")
        }


@pytest.fixture
def project(tmp_path: Path) -> Project:
    folder = tmp_path / "project"
    shutil.copytree(ROOT / "infra", folder / "infra", ignore=shutil.ignore_patterns("__pycache__"))
    # What the doctor finds is its own tests' business.
    (folder / "infra/doctor/__main__.py").write_text("")
    keys = folder / "ssh"
    keys.mkdir()
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", keys / "key"], check=True)
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "secret", "-f", keys / "locked"], check=True)
    return Project(folder, quiet({"PYTHONPATH": str(folder)}, tmp_path))


@pytest.fixture(scope="module")
def pis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Network]:
    if reason := missing():
        if os.environ.get("PIRAY_REQUIRE_SANDBOX") == "1":
            pytest.fail(reason)
        pytest.skip(reason)
    with network(tmp_path_factory.mktemp("network")) as made:
        yield made


@pytest.fixture
def home(project: Project, pis: Network) -> Project:
    """The program in a network with three Pis."""
    project.network = pis
    return project


@pytest.fixture
def stack(project: Project) -> Project:
    """The program with a stack of two Pis."""
    project.stack().write_text(STACK.format(one=ONE, two=TWO))
    return project
