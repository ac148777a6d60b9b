"""Where pods have what the image lacks, in either mode."""

from typing import Any

import pytest

from infra.config.model import StackConfig
from infra.config.parse import parse
from infra.kuberay.manifests.cluster import STACKS_OWN, cluster_spec
from infra.ray_cluster import deployments, packages


def stack(**ray: object) -> StackConfig:
    hosts = [{"name": "pi1", "address": "198.51.100.11", "role": "server"}]
    given = {"platform": "pi", "hosts": hosts, "ssh": {"user": "pi"}, "insecureHostKeys": True}
    return parse({**given, "ray": ray})


def pods(config: StackConfig) -> list[dict[str, Any]]:
    """Return the specs of heads and workers: those of the Deployments, those of KubeRay."""
    ray, arch = config.ray, config.arch
    cluster = cluster_spec(ray, arch, STACKS_OWN, "")
    templates = [
        deployments.head_deployment(ray, arch, "ray", "token")["spec"]["template"],
        deployments.worker_deployment(ray, ray.groups[0], arch, "ray", "token")["spec"]["template"],
        cluster["headGroupSpec"]["template"],
        cluster["workerGroupSpecs"][0]["template"],
    ]
    return [template["spec"] for template in templates]


def mount_of(container: dict[str, Any]) -> dict[str, Any]:
    (found,) = (one for one in container["volumeMounts"] if one["name"] == "packages")
    assert isinstance(found, dict)
    return found


@pytest.mark.parametrize("position", range(4))
def test_a_pod_installs_before_ray_starts_and_ray_only_reads(position: int) -> None:
    config = stack()
    pod = pods(config)[position]
    (installer,), (ray,) = pod["initContainers"], pod["containers"]
    assert (installer["name"], installer["image"]) == ("packages", ray["image"])
    assert installer["command"][3:] == ["/opt/piray-packages", packages.key_of(config.ray), "numba==0.68.1"]
    # Kubernetes would put a variable's value in its place.
    assert "$(" not in installer["command"][2]
    assert "readOnly" not in mount_of(installer)
    assert mount_of(ray)["readOnly"] is True
    base = f"/opt/piray-packages/{packages.key_of(config.ray)}"
    assert {"name": "PYTHONUSERBASE", "value": base} in ray["env"]
    claims = [one["persistentVolumeClaim"] for one in pod["volumes"] if one["name"] == "packages"]
    assert claims == [{"claimName": packages.CLAIM}]
    assert installer["resources"] == ray["resources"]


@pytest.mark.parametrize("position", range(4))
def test_with_an_image_that_lacks_nothing_no_pod_knows_of_packages(position: int) -> None:
    pod = pods(stack(runtimePackages=[]))[position]
    assert "initContainers" not in pod
    assert "packages" not in str(pod["volumes"])
    assert "PYTHONUSERBASE" not in str(pod["containers"])


def test_other_packages_or_another_image_are_another_folder() -> None:
    image = f"class/ray@sha256:{'0' * 64}"
    given: list[dict[str, object]] = [
        {},
        {"runtimePackages": ["numba==0.68.0"]},
        {"image": image, "runtimePackages": ["numba==0.68.1"]},
    ]
    keys = {packages.key_of(stack(**ray).ray) for ray in given}
    assert len(keys) == len(given)
    assert {len(key) for key in keys} == {12}


def test_claim_and_volume_belong_to_each_other_and_to_every_node() -> None:
    volume, claim = packages.volume("maths", "arm64")["spec"], packages.claim("maths", "maths")
    assert volume["claimRef"] == {"namespace": "maths", "name": claim["metadata"]["name"]}
    assert claim["spec"]["volumeName"] == packages.volume("maths", "arm64")["metadata"]["name"]
    assert volume["accessModes"] == claim["spec"]["accessModes"]
    (term,) = volume["nodeAffinity"]["required"]["nodeSelectorTerms"]
    # As every pod of Ray asks for it: a Node that may run one has the volume.
    (expression,) = term["matchExpressions"]
    assert (expression["key"], expression["values"]) == ("kubernetes.io/arch", ["arm64"])


def test_another_mirror_changes_no_pod() -> None:
    data = [packages.settings(url, "ray")["data"] for url in (None, "http://192.0.2.10/wheels/")]
    assert data == [{}, {"wheelsUrl": "http://192.0.2.10/wheels/"}]
