"""RayServices: Serve applications on a cluster that KubeRay makes for each service."""

from typing import Any

import yaml

from infra.config.ray import RayConfig, RayServiceConfig
from infra.kuberay.manifests.cluster import API_VERSION, cluster_spec, other_cluster
from infra.objects.metadata import metadata


def ray_service(
    service: RayServiceConfig, ray: RayConfig, arch: str, namespace_name: Any, revision: Any
) -> dict[str, Any]:
    """Return a RayService.

    Args:
        service: Its application and port.
        ray: Version, image, and the shares of the head; its cluster is a head and nothing more.
        arch: "arm64" or "amd64", which the nodes must have.
        namespace_name: The Namespace; text or what will become text.
        revision: What its pods have in their annotation; as the Namespace.
    """
    return {
        "api_version": API_VERSION,
        "kind": "RayService",
        "metadata": metadata(service.name, namespace_name),
        "spec": {
            "serveConfigV2": yaml.safe_dump(serve_config(service), sort_keys=False),
            # "NewCluster" has a second cluster start beside the first one: the Pis have no memory for both. A
            # changed application is changed in place; for another cluster the service is made anew.
            "upgradeStrategy": {"type": "None"},
            "rayClusterConfig": cluster_spec(
                ray.model_copy(update={"groups": ()}), arch, other_cluster(service.port), revision
            ),
        },
    }


def serve_config(service: RayServiceConfig) -> dict[str, Any]:
    """Return what Ray Serve is told.

    https://docs.ray.io/en/latest/serve/production-guide/config.html
    """
    application: dict[str, Any] = {
        "name": service.name,
        "route_prefix": service.route,
        "import_path": service.import_path,
    }
    if service.runtime_env:
        application["runtime_env"] = dict(service.runtime_env)
    if service.deployments:
        application["deployments"] = [dict(one) for one in service.deployments]
    return {
        "proxy_location": "EveryNode",
        # In the pod's own network, where the NetworkPolicies let nobody in but the operator.
        "http_options": {"host": "0.0.0.0", "port": service.port},  # noqa: S104
        "applications": [application],
    }


def serve_service_name(service: RayServiceConfig) -> str:
    """Return the name of the Service that the operator makes in front of the applications."""
    return f"{service.name}-serve-svc"
