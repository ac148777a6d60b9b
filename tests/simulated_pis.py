"""Whether this machine can have simulated Pis; in CI it must."""

import os
from collections.abc import Sequence

import pytest

from sandbox.machine.prerequisites import missing


def require_sandbox(reasons: Sequence[str] = ()) -> None:
    """Skip the test where there is no sandbox; where PIRAY_REQUIRE_SANDBOX is set, fail it instead.

    Args:
        reasons: Further ones why there is none.
    """
    found = [*missing(), *reasons]
    if not found:
        return
    said = "no sandbox on this machine: " + "; ".join(found)
    if os.environ.get("PIRAY_REQUIRE_SANDBOX"):
        pytest.fail(said)
    pytest.skip(said)
