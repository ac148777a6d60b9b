"""What `python -m infra.delivery` is told on stdin."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from infra.config.model import HostConfig, SshConfig
from infra.config.ray_image import ImageSource
from infra.config.values.ssh_keys import Secret


@dataclass(frozen=True, kw_only=True)
class Task:
    """Which image goes where, and how. Secret: it may hold a private key and passwords.

    Attributes:
        image: Reference of the image.
        arch: "arm64" or "amd64".
        source: Where it comes from.
        hosts: The Nodes; the first one gets it first.
        ssh: How to log in there.
    """

    image: str
    arch: str
    source: ImageSource
    hosts: Sequence[HostConfig]
    ssh: SshConfig

    def to_json(self) -> str:
        """Return it as text that is the same whenever it says the same."""
        hosts = [_revealed(host.model_dump(exclude={"memory_mib", "cpus"})) for host in self.hosts]
        values = {
            "image": self.image,
            "arch": self.arch,
            "source": _revealed(self.source.model_dump(exclude={"password", "user"})),
            "hosts": hosts,
            "ssh": _revealed(self.ssh.model_dump()),
        }
        return json.dumps(values, sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> "Task":
        """Return what a text says."""
        values = json.loads(text)
        ssh = values["ssh"]
        for key in ("private_key", "sudo_password"):
            ssh[key] = None if ssh[key] is None else Secret(ssh[key])
        return cls(
            image=values["image"],
            arch=values["arch"],
            source=ImageSource(**values["source"]),
            hosts=[HostConfig(**host) for host in values["hosts"]],
            ssh=SshConfig(**ssh),
        )


def _revealed(values: dict[str, Any]) -> dict[str, Any]:
    return {
        key: value.reveal() if isinstance(value, Secret) else str(value) if key == "address" else value
        for key, value in values.items()
    }
