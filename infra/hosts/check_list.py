"""The checks of a host, in one list for `up` and the doctor, and what they must know. Pure; no Pulumi."""

from collections.abc import Sequence
from dataclasses import dataclass

from infra.config.image_rules import registry_of
from infra.config.model import HostConfig
from infra.config.ray_image import OFFICIAL_IMAGE
from infra.config.values.fields import image_name_and_tag

# The first two have what the others call; a file may ask what an earlier one has found.
CHECKS = (
    "remote/clock.sh",
    *(
        f"hosts/checks/{name}.sh"
        for name in (
            "findings",
            "system",
            "hardware",
            "kernel_options",
            "storage",
            "network",
            "firewall",
            "software",
            "sources",
        )
    ),
)
PREPARE = ("remote/remove_k3s.sh", *CHECKS, "hosts/prepare.sh")

# The binary unpacked, the images of its own pods, logs. https://docs.k3s.io/installation/requirements
_K3S_MIB = 1024
# containerd keeps an image packed and unpacked: some 1 GiB and 3 GiB of the official one. Any other one is
# taken to be as large as that of images/ray.
_OFFICIAL_IMAGE_MIB = 4096
_OTHER_IMAGE_MIB = 1536


@dataclass(frozen=True, kw_only=True)
class HostNeeds:
    """What all hosts of a stack are checked for.

    Attributes:
        arch: "arm64" or "amd64".
        servers: Number of servers; more than one keep etcd, which has ports of its own.
        server: Address of the first one, by whose clock the others are set; empty to leave that unchecked.
        sources: URLs that every host must be able to download.
        room_mib: Disk that k3s and the Ray image take; None to leave that unchecked.
    """

    arch: str
    servers: int = 1
    server: str = ""
    sources: Sequence[str] = ()
    room_mib: int | None = None

    def variables(self, host: HostConfig) -> dict[str, str]:
        """Return the shell variables of the checks, HOST not among them.

        Args:
            host: The host to check.
        """
        return {
            "ARCH": self.arch,
            "ADDRESS": str(host.address),
            "ROLE": host.role,
            "SERVERS": str(self.servers),
            "SERVER": self.server if self.server != str(host.address) else "",
            "SOURCES": " ".join(self.sources),
            "ROOM_MIB": "" if self.room_mib is None else str(self.room_mib),
        }


def room_mib(image: str) -> int:
    """Return the disk in MiB that k3s and a Ray image take on a host.

    Args:
        image: Reference of the image.
    """
    name, _ = image_name_and_tag(image)
    return _K3S_MIB + (_OFFICIAL_IMAGE_MIB if name == OFFICIAL_IMAGE else _OTHER_IMAGE_MIB)


def registry_url(image: str, *, plain_http: bool = False) -> str:
    """Return where the registry of an image answers.

    >>> registry_url("registry.example:5000/ray:1"), registry_url("rayproject/ray:2.60.0")
    ('https://registry.example:5000/v2/', 'https://registry-1.docker.io/v2/')
    """
    named = registry_of(image)
    host = named if named and named != "docker.io" else "registry-1.docker.io"
    return f"{'http' if plain_http else 'https'}://{host}/v2/"
