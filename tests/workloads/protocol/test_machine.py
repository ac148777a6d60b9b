"""What is said of a machine."""

import getpass
import json
import os
import platform
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from workloads.protocol.machine import condition, machine_facts, usable_cores


def test_this_machine_is_described_in_json() -> None:
    facts = machine_facts()
    assert json.loads(json.dumps(facts)) == facts
    assert facts["arch"] == platform.machine()
    assert facts["cores"] >= 1
    assert {"numpy", "numba", "ray"} <= facts["versions"].keys()


def test_nothing_personal_is_said() -> None:
    text = json.dumps(machine_facts())
    assert str(Path.home()) not in text
    assert socket.gethostname() not in text.split('"')
    assert getpass.getuser() not in text.split('"')


@pytest.fixture
def pi_root(tmp_path: Path) -> Path:
    """Files of a Raspberry Pi 4 with Raspberry Pi OS."""
    files = {
        "proc/device-tree/model": "Raspberry Pi 4 Model B Rev 1.4\0",
        "proc/cpuinfo": "processor\t: 0\nBogoMIPS\t: 108.00\nFeatures\t: fp asimd\n",
        "proc/meminfo": "MemTotal:        3884332 kB\nMemFree:          100000 kB\n",
        "etc/os-release": 'NAME="Debian GNU/Linux"\nPRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\n',
    }
    for name, text in files.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return tmp_path


def test_a_raspberry_pi_is_named_by_its_device_tree(pi_root: Path) -> None:
    facts = machine_facts(pi_root)
    assert facts["model"] == "Raspberry Pi 4 Model B Rev 1.4"
    assert facts["memory_mib"] == 3793
    assert facts["os"] == "Debian GNU/Linux 12 (bookworm)"


def test_another_machine_is_named_by_its_processor(pi_root: Path) -> None:
    (pi_root / "proc/device-tree/model").unlink()
    (pi_root / "proc/cpuinfo").write_text("processor\t: 0\nmodel name\t: AMD EPYC 9R14\n")
    assert machine_facts(pi_root)["model"] == "AMD EPYC 9R14"


def test_in_a_container_on_a_raspberry_pi_the_kernel_names_the_board(pi_root: Path) -> None:
    (pi_root / "proc/device-tree/model").unlink()
    with (pi_root / "proc/cpuinfo").open("a") as file:
        file.write("Hardware\t: BCM2835\nModel\t\t: Raspberry Pi 4 Model B Rev 1.4\n")
    assert machine_facts(pi_root)["model"] == "Raspberry Pi 4 Model B Rev 1.4"


def test_facts_that_are_not_there_are_left_open(tmp_path: Path) -> None:
    facts = machine_facts(tmp_path)
    assert facts["memory_mib"] is None
    assert facts["os"] == platform.system()


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        ("echo throttled=0x50005", "0x50005"),
        ("echo throttled=0x0", "0x0"),
        ("echo VCHI initialization failed; exit 255", None),
        ("echo something else", None),
    ],
)
def test_throttling_is_asked_of_the_firmware(
    script: str, expected: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tool = tmp_path / "vcgencmd"
    tool.write_text(f'#!/bin/sh\n[ "$1" = get_throttled ] || exit 9\n{script}\n')
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    assert machine_facts()["throttled"] == expected


def test_without_a_firmware_throttling_is_unknown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert machine_facts()["throttled"] is None


@pytest.mark.parametrize(
    "folder", ["soc/soc:firmware", "axi/axi:firmware", "soc@107c000000/firmware", "firmware"]
)
@pytest.mark.parametrize(
    ("text", "expected"), [("50005\n", "0x50005"), ("0\n", "0x0"), ("0x80008", "0x80008")]
)
def test_in_a_container_the_kernel_tells_of_throttling_and_temperature(
    folder: str, text: str, expected: str, tmp_path: Path
) -> None:
    files = {
        f"sys/devices/platform/{folder}/get_throttled": text,
        "sys/class/thermal/thermal_zone0/temp": "61834\n",
    }
    for name, content in files.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True)
        path.write_text(content)
    assert condition(tmp_path) == {"throttled": expected, "temperature_c": 61.8}


def test_what_a_file_of_the_kernel_cannot_mean_is_unknown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    path = tmp_path / "sys/devices/platform/soc/soc:firmware/get_throttled"
    path.parent.mkdir(parents=True)
    path.write_text("no flags\n")
    assert condition(tmp_path) == {"throttled": None, "temperature_c": None}


@pytest.mark.parametrize(
    ("cores", "files", "expected"),
    [
        pytest.param(8, {}, 8, id="no control groups"),
        pytest.param(
            8, {"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": "200000 100000\n"}, 2, id="container"
        ),
        pytest.param(
            8, {"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": "max 100000\n"}, 8, id="no quota"
        ),
        pytest.param(
            8, {"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": "250000 100000\n"}, 2, id="2.5 cores"
        ),
        pytest.param(
            8, {"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": "50000 100000\n"}, 1, id="half a core"
        ),
        pytest.param(
            2,
            {"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": "600000 100000\n"},
            2,
            id="more than it has",
        ),
        pytest.param(
            8,
            {
                "proc/self/cgroup": "0::/user.slice/session.scope\n",
                "sys/fs/cgroup/user.slice/cpu.max": "300000 100000\n",
                "sys/fs/cgroup/user.slice/session.scope/cpu.max": "max 100000\n",
            },
            3,
            id="the quota of a group above",
        ),
        pytest.param(
            8,
            {"proc/self/cgroup": "0::/../other\n", "sys/fs/cgroup/cpu.max": "300000 100000\n"},
            3,
            id="a path that leads out of the container",
        ),
        pytest.param(
            8,
            {
                "proc/self/cgroup": "4:memory:/docker/1\n3:cpu,cpuacct:/docker/1\n0::/\n",
                "sys/fs/cgroup/cpu/cpu.cfs_quota_us": "400000\n",
                "sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000\n",
            },
            4,
            id="version 1",
        ),
        pytest.param(
            8,
            {
                "proc/self/cgroup": "3:cpu:/\n",
                "sys/fs/cgroup/cpu/cpu.cfs_quota_us": "-1\n",
                "sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000\n",
            },
            8,
            id="version 1 without a quota",
        ),
        pytest.param(
            8, {"proc/self/cgroup": "nonsense\n", "sys/fs/cgroup/cpu.max": "1 0 x\n"}, 8, id="nonsense"
        ),
        pytest.param(
            8, {"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": "100000 0\n"}, 8, id="a period of none"
        ),
    ],
)
def test_cores_are_those_that_the_quota_of_a_container_leaves(
    cores: int, files: dict[str, str], expected: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(cores)), raising=False)
    for name, text in files.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    assert usable_cores(tmp_path) == expected
    assert machine_facts(tmp_path)["cores"] == expected


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="this system has no affinity")
def test_cores_that_the_affinity_leaves_out_are_not_counted() -> None:
    code = (
        "import os; from workloads.protocol.machine import usable_cores; "
        "os.sched_setaffinity(0, {min(os.sched_getaffinity(0))}); print(usable_cores())"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "1\n"
