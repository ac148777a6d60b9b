"""What the Ray image lacks, kept on each Node: the volume, the container that fills it, what Ray is told.

The volume is one PersistentVolume of type `local` that every Node can have: the same path is another folder
on each, and a pod sees that of its own Node. A `hostPath` in the pod itself is what the namespace forbids.
https://kubernetes.io/docs/concepts/storage/volumes/#local
"""

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from infra.config.ray import RayConfig
from infra.names import LABEL_ARCH
from infra.objects.metadata import metadata
from infra.objects.pods import environment

# On every host, made by infra/k3s/k3s.sh, gone with k3s.
HOST_FOLDER = "/var/lib/rancher/k3s/piray-packages"
CLAIM = "ray-packages"
SETTINGS = "ray-packages"

_WHEELS_KEY = "wheelsUrl"
_KEY_DIGITS = 12
_FOLDER = "/opt/piray-packages"
# No more than a number that claim and volume have to agree on: a folder has no size of its own.
_SIZE = "1Gi"
_ACCESS = ["ReadWriteMany"]


def key_of(ray: RayConfig) -> str:
    """Return the name of the folder with the packages: other packages or another image is another folder."""
    text = "\n".join([ray.image, *ray.runtime_packages])
    return hashlib.sha256(text.encode()).hexdigest()[:_KEY_DIGITS]


def volume(namespace: str, arch: str) -> dict[str, Any]:
    """Return the PersistentVolume; it is in no Namespace, so that its name has that of the claim's.

    Args:
        namespace: Name of the Namespace whose claim it is for.
        arch: "arm64" or "amd64", which all Nodes have.
    """
    term = {"matchExpressions": [{"key": LABEL_ARCH, "operator": "In", "values": [arch]}]}
    return {
        "metadata": metadata(f"{namespace}-{CLAIM}"),
        "spec": {
            "capacity": {"storage": _SIZE},
            "accessModes": _ACCESS,
            "persistentVolumeReclaimPolicy": "Retain",
            "storageClassName": "",
            "claimRef": {"namespace": namespace, "name": CLAIM},
            "local": {"path": HOST_FOLDER},
            "nodeAffinity": {"required": {"nodeSelectorTerms": [term]}},
        },
    }


def claim(namespace: str, namespace_name: Any) -> dict[str, Any]:
    """Return the claim through which pods have the volume.

    Args:
        namespace: Name of the Namespace.
        namespace_name: The same, known only once it exists; text or what will become text.
    """
    return {
        "metadata": metadata(CLAIM, namespace_name),
        "spec": {
            "accessModes": _ACCESS,
            "storageClassName": "",
            "volumeName": f"{namespace}-{CLAIM}",
            "resources": {"requests": {"storage": _SIZE}},
        },
    }


def settings(wheels_url: str | None, namespace_name: Any) -> dict[str, Any]:
    """Return the ConfigMap that says where wheels are.

    Apart from the pods: another mirror restarts none, and one that waits for packages reads it at its next
    attempt.

    Args:
        wheels_url: Where a mirror may have wheels; None for the internet alone.
        namespace_name: As for claim.
    """
    return {
        "metadata": metadata(SETTINGS, namespace_name),
        "data": {} if wheels_url is None else {_WHEELS_KEY: wheels_url},
    }


def with_packages(ray: RayConfig, pod: Mapping[str, Any]) -> dict[str, Any]:
    """Return the spec of one of Ray's pods with the packages that the image lacks, if it lacks any.

    The packages are Python's user site. A virtualenv, as Ray makes one for a job that brings packages of its
    own, puts those before it. https://docs.python.org/3/library/site.html

    Args:
        ray: Image, and what it lacks.
        pod: The spec with the container of Ray alone.
    """
    if not ray.runtime_packages:
        return dict(pod)
    (container,) = pod["containers"]
    mount = {"name": "packages", "mountPath": _FOLDER}
    with_ray = {
        **container,
        "env": [*container["env"], {"name": "PYTHONUSERBASE", "value": f"{_FOLDER}/{key_of(ray)}"}],
        "volumeMounts": [*container["volumeMounts"], {**mount, "readOnly": True}],
    }
    return {
        **pod,
        "initContainers": [_installer(ray, container, mount)],
        "containers": [with_ray],
        "volumes": [*pod["volumes"], {"name": "packages", "persistentVolumeClaim": {"claimName": CLAIM}}],
    }


def _installer(ray: RayConfig, beside: Mapping[str, Any], mount: Mapping[str, Any]) -> dict[str, Any]:
    """Return the container that installs; it has the security context and resources of the one beside it."""
    shared = ("image", "imagePullPolicy", "workingDir", "securityContext", "resources")
    program = Path(__file__).with_name("installer.py").read_text(encoding="utf-8")
    wheels = {"name": SETTINGS, "key": _WHEELS_KEY, "optional": True}
    return {
        **{key: beside[key] for key in shared},
        "name": "packages",
        "command": ["python", "-c", program, _FOLDER, key_of(ray), *ray.runtime_packages],
        "env": [
            *environment({}),
            {"name": "PIRAY_WHEELS_URL", "valueFrom": {"configMapKeyRef": wheels}},
        ],
        # So that the pod's status has the line that says why it waits.
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "volumeMounts": [*beside["volumeMounts"], mount],
    }
