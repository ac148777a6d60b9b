"""cloud-init's own program, which checks and converts files; nothing here lets it change this machine."""

import os
import shutil
import subprocess
from functools import cache
from pathlib import Path

import pytest

from infra.user_cache import cache_directory


@cache
def _program() -> tuple[tuple[str, ...], str]:
    """Return the command of cloud-init, and where its modules are, if it is not installed."""
    unpacked = cache_directory() / "cloud-init/usr/lib/python3/dist-packages"
    if installed := shutil.which("cloud-init"):
        return (installed,), ""
    if unpacked.is_dir():
        return ("/usr/bin/python3", "-m", "cloudinit.cmd.main"), str(unpacked)
    reason = "this machine lacks cloud-init (.ci/packages unpacks it)"
    if os.environ.get("PIRAY_REQUIRE_SANDBOX") == "1":
        pytest.fail(reason)
    pytest.skip(reason)


def cloud_init(*arguments: str | Path) -> str:
    """Run cloud-init; return what it said, and fail the test if it fails."""
    command, modules = _program()
    result = subprocess.run(
        [*command, *map(str, arguments)],
        env={"PATH": os.environ["PATH"], "PYTHONPATH": modules, "LC_ALL": "C.UTF-8"},
        capture_output=True,
        text=True,
        check=False,
    )
    said = result.stdout + result.stderr
    assert result.returncode == 0, said
    return said


def knows_network_schema() -> bool:
    """Whether this cloud-init has a schema of network-config: Debian 12's has none."""
    return "--schema-type" in cloud_init("schema", "--help")
