"""Programs run in an unpacked image, in namespaces of their own, without root; on arm64 emulated."""

import json
import os
import platform
import subprocess
import tarfile
from pathlib import Path

import pytest

from tests.images.pis import CPUINFO

EMULATED_RAY = "PIRAY_TEST_EMULATED_RAY"
# Private to the namespace, as the kernel allows from 6.7 on. https://docs.kernel.org/admin-guide/binfmt-misc.html
_EMULATE = r"""
mount -t binfmt_misc binfmt_misc /proc/sys/fs/binfmt_misc
printf '%s' ':qemu-aarch64:M::\x7fELF\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\xb7\x00:'\
'\xff\xff\xff\xff\xff\xff\xff\x00\xff\xff\xff\xff\xff\xff\xff\xff\xfe\xff\xff\xff:'\
"$(command -v qemu-aarch64-static)"':F' \
  > /proc/sys/fs/binfmt_misc/register
"""
_ENTER = """
set -e
ip link set lo up
{emulate}
mount -t proc proc "$0/proc"
mount --rbind /dev "$0/dev"
mount -t tmpfs tmpfs "$0/dev/shm"
mount -t tmpfs tmpfs "$0/tmp"
cp -r {project}/workloads {project}/tests "$0/tmp/"
if [ -n "{cpuinfo}" ]; then
  printf '%s' "{cpuinfo}" > "$0/tmp/cpuinfo"
  mount --bind "$0/tmp/cpuinfo" "$0/proc/cpuinfo"
fi
root=$0
exec env -i $settings "$(command -v chroot)" "$root" "$@"
"""


def require_quick_emulation() -> None:
    """Skip the test unless whoever runs it says that an emulated `ray start` is quick enough here.

    Ray 2.60.0 gives a raylet 30 s to register, in ray/_private/node.py, and no setting changes that; on two
    cores that others use, too, an emulated one was seen to take longer.
    """
    if not os.environ.get(EMULATED_RAY):
        pytest.skip(
            f"an emulated raylet may take longer than Ray's 30 s; {EMULATED_RAY}=1 on an idle machine"
        )


def unpack(archive: Path, root: Path) -> dict[str, str]:
    """Unpack the layers of an archive; return its environment, and its `architecture`."""
    with tarfile.open(archive) as tar:
        tar.extractall(root.with_name("blobs"), filter="data")
    blobs = root.with_name("blobs")
    (saved,) = json.loads((blobs / "manifest.json").read_text())
    root.mkdir()
    for layer in saved["Layers"]:
        subprocess.run(
            [
                "tar",
                "--zstd",
                "--extract",
                "--no-same-owner",
                f"--file={blobs / layer}",
                f"--directory={root}",
            ],
            check=True,
        )
    config = json.loads((blobs / saved["Config"]).read_text())
    settings = dict(entry.split("=", 1) for entry in config["config"]["Env"])
    return {**settings, "architecture": config["architecture"]}


def run(
    root: Path, settings: dict[str, str], project: Path, *command: str, cpu: str = "", timeout: float = 900
) -> str:
    """Run a command as the image's own root, with the project's `workloads` and `tests` in /tmp.

    Args:
        root: From `unpack`.
        settings: From `unpack`, and more variables.
        project: The project's root.
        command: With paths of the image.
        cpu: Of CPUINFO, a processor to emulate: what it lacks is no instruction then. Empty for any.
        timeout: Seconds after which it is killed with all that it started.
    """
    foreign = settings["architecture"] == "arm64" and platform.machine() not in {"aarch64", "arm64"}
    enter = _ENTER.format(
        emulate=_EMULATE if foreign else "", project=project, cpuinfo=CPUINFO[cpu] if cpu else ""
    )
    chosen = {**settings, "QEMU_CPU": cpu} if cpu else settings
    variables = " ".join(f"{name}={value}" for name, value in chosen.items() if name != "architecture")
    done = subprocess.run(
        [
            *("unshare", "--user", "--map-root-user", "--mount", "--pid", "--net", "--fork", "--kill-child"),
            *("sh", "-c", f"settings='{variables}'\n{enter}", str(root), *command),
        ],
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    return done.stdout
