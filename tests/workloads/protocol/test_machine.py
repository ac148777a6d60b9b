"""What a value is, and what is said of a machine."""

import getpass
import json
import os
import platform
import socket
from pathlib import Path

import pytest

from workloads.protocol.machine import Measurement, machine_facts, repeat


def test_every_call_is_a_warmup_or_a_value() -> None:
    calls: list[None] = []
    measurement = repeat(lambda: calls.append(None), values=5, warmups=2, loops=3)
    assert len(calls) == (5 + 2) * 3
    assert (len(measurement.values), len(measurement.warmups), measurement.loops) == (5, 2, 3)
    assert all(value > 0 for value in (*measurement.values, *measurement.warmups))
    assert measurement.unit == "second"


def test_a_value_is_wall_time_divided_by_the_loops(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter([0.0, 8.0, 10.0, 12.0, 20.0, 26.0])
    monkeypatch.setattr("time.perf_counter", lambda: next(clock))
    measurement = repeat(lambda: None, values=2, warmups=1, loops=2)
    assert measurement == Measurement(values=(1.0, 3.0), warmups=(4.0,), loops=2)


def test_warmups_do_not_count() -> None:
    measurement = Measurement(values=(3.0, 1.0, 2.0, 10.0), warmups=(99.0,))
    assert (measurement.median, measurement.min, measurement.max) == (2.5, 1.0, 10.0)


@pytest.mark.parametrize(("values", "warmups", "loops"), [(0, 1, 1), (1, -1, 1), (1, 0, 0)])
def test_too_few_calls_are_refused(values: int, warmups: int, loops: int) -> None:
    with pytest.raises(ValueError, match="choose at least 1 value, 0 warmups and 1 loop"):
        repeat(lambda: None, values, warmups, loops)


def test_a_measurement_without_a_value_is_refused() -> None:
    with pytest.raises(ValueError, match="measure at least one"):
        Measurement(values=())


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
