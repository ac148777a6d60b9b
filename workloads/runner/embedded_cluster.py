"""Decides how a Ray of this machine alone takes jobs as a cluster does: for as long as somebody needs it."""

import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager

import ray

from workloads.protocol.specs import HostingSpec
from workloads.runner import embedded
from workloads.runner.follow import wait_for
from workloads.runner.jobs_api.dashboard import ClusterError, ask
from workloads.runner.stack_outputs import parse
from workloads.runner.target import StackTarget

START_TIMEOUT_S = 60.0
POLL_S = 0.2


@contextmanager
def embedded_cluster(tell: Callable[[str], None]) -> Iterator[StackTarget]:
    """Yield a cluster of this machine, which is there inside the block.

    Args:
        tell: Takes one line about what is being done.

    Raises:
        EmbeddedError: If it cannot be started.
        RunError: If Ray fails.
        ClusterError: If Ray takes no jobs.
    """
    token = secrets.token_hex(32)
    with closing(embedded.run(HostingSpec(), token=token)) as pieces:
        url = str(wait_for(pieces, "serving").values["url"])
        _wait_for_the_jobs_api(url, token)
        told = {"platform": "local", "workers": 0, "dashboardUrl": url, "rayToken": token}
        outputs = parse({"contractVersion": 1, "rayVersion": str(ray.__version__), **told}, "embedded")
        yield StackTarget("", outputs, tell)


def _wait_for_the_jobs_api(url: str, token: str) -> None:
    """Wait for the part of the dashboard that comes last."""
    limit = time.monotonic() + START_TIMEOUT_S
    while True:
        try:
            ask(url, token, "/api/jobs/")
            return
        except ClusterError:
            if time.monotonic() > limit:
                raise
            time.sleep(POLL_S)
