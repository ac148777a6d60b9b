"""What lies on cards, and how it is read."""

from pathlib import Path

import yaml

from tests.infra.fake_host import LINE


def user_data(folder: Path) -> dict[str, object]:
    loaded: dict[str, object] = yaml.safe_load((folder / "user-data").read_text())
    return loaded


def keys_on(folder: Path) -> tuple[str, str]:
    """Return the private and the public host key of a card."""
    keys = user_data(folder)["ssh_keys"]
    assert isinstance(keys, dict)
    return keys["ed25519_private"], keys["ed25519_public"]


def state(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def boot_partition(folder: Path, line: bytes = LINE, name: str = "cmdline.txt") -> Path:
    """Make a boot partition as it is after the image was written."""
    (folder / name).parent.mkdir(parents=True)
    (folder / name).write_bytes(line)
    for template in ("user-data", "network-config", "meta-data"):
        (folder / template).write_text("# from the image\n")
    return folder
