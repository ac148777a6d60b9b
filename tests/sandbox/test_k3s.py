"""The stand-in for k3s: its own tests, which are written in Go."""

import os

from sandbox.machine.process import run
from sandbox.release import SOURCE


def test_its_own_tests_pass() -> None:
    # Not ./...: that would compile all of Kubernetes for packages without a test.
    tested = sorted({f"./{path.parent.relative_to(SOURCE)}" for path in SOURCE.rglob("*_test.go")})
    said = run("go", "test", "-trimpath", *tested, cwd=SOURCE, env={**os.environ, "CGO_ENABLED": "0"})
    assert sum(line.startswith("ok") for line in said.splitlines()) == len(tested)
