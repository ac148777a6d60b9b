"""A workload on a stack's cluster: what the target refuses before anything is sent."""

import pytest

from workloads.protocol.specs import ConnectivitySpec
from workloads.runner.jobs_api.dashboard import ClusterError
from workloads.runner.stack_outputs import parse
from workloads.runner.target import StackTarget


@pytest.mark.parametrize("url", ["ftp://pi1", "pi1:8265", "http://[::1", ""])
def test_a_dashboard_that_is_no_web_address_is_refused_with_the_remedy(url: str) -> None:
    values = {
        "contractVersion": 1,
        "platform": "local",
        "rayVersion": "2.60.0",
        "rayToken": "t",
        "workers": 0,
    }
    outputs = parse({**values, "dashboardUrl": url}, "dev")
    target = StackTarget("dev", outputs, print)
    with pytest.raises(ClusterError, match=r"dashboardUrl is .* http:// or https://; run `make up`"):
        next(target.run(ConnectivitySpec(rounds=1, tasks=1)))
