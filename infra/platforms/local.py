"""Platform `local`: Ray on the machine that runs Pulumi."""

from infra.config.model import StackConfig
from infra.local.component import LocalRay
from infra.outputs import StackOutputs


def declare(config: StackConfig) -> StackOutputs:
    """Declare the resources of a stack on this machine and return its outputs."""
    local = LocalRay("ray", config.ray, config.workers)
    return StackOutputs(
        platform=config.platform,
        ray_version=config.ray.version,
        ray_token=local.token,
        workers=config.workers,
        runtime_packages=config.ray.runtime_packages,
        dashboard_url=local.dashboard_url,
    )
