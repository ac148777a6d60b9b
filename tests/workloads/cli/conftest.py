"""The command beside a real head."""

import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

import pytest

from tests.workloads.cli.commands import start


class Head(Protocol):
    def outputs(self, **changes: Any) -> str: ...


@pytest.fixture
def piray(head: Head, tmp_path: Path) -> Callable[..., "subprocess.Popen[str]"]:
    """Return what starts the command beside the head."""
    (tmp_path / "outputs.json").write_text(head.outputs())
    return lambda command, *arguments: start(tmp_path, command, "--outputs", "outputs.json", *arguments)
