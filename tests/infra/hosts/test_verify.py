"""verify.sh on fake hosts: what a host must be like after its reboot, and the facts it tells."""

import json
import subprocess
from pathlib import Path

import pytest

from tests.infra.fake_host import FIRMWARE, LINE, FakeHost, contents, make_host

OPTIONS = b" cgroup_memory=1 cgroup_enable=memory cgroup_enable=cpuset\n"
GOOD = LINE.rstrip(b"\n") + OPTIONS
CLEAN = {
    "REBOOTED_FROM": "",
    "TAKEN_HOSTNAME": "",
    "HOSTNAME_OWNER": "",
    "TAKEN_MACHINE_ID": "",
    "MACHINE_OWNER": "",
}


def verify(host: FakeHost, **variables: str) -> subprocess.CompletedProcess[bytes]:
    return host.run(["hosts/verify.sh"], "apply", **{**CLEAN, **variables})


def refusal(result: subprocess.CompletedProcess[bytes]) -> str:
    assert result.returncode == 1
    assert result.stdout == b""
    return result.stderr.decode()


@pytest.mark.parametrize("v2", [True, False], ids=["cgroup v2", "cgroup v1"])
def test_a_good_host_tells_its_facts_the_same_each_time(tmp_path: Path, v2: bool) -> None:
    host = make_host(tmp_path, line=GOOD, v2=v2)
    host.write("proc/device-tree/model", b"Raspberry Pi 4 Model B Rev 1.4\0")
    host.program("vcgencmd", "echo throttled=0x50005")
    before = contents(host.root, times=True)
    result = verify(host)
    assert json.loads(result.stdout) == {
        "arch": "aarch64",
        "kernel": "6.12.34+rpt-rpi-v8",
        "model": "Raspberry Pi 4 Model B Rev 1.4",
        "cores": 4,
        "memoryMib": 3794,
        "cgroupVersion": 2 if v2 else 1,
        "throttled": ["under-voltage", "throttled"],
    }
    host.program("vcgencmd", "echo throttled=0x50000")
    assert verify(host).stdout == result.stdout
    assert contents(host.root, times=True) == before


def test_a_host_without_device_tree_and_vcgencmd_says_so(tmp_path: Path) -> None:
    host = make_host(tmp_path, line=GOOD)
    facts = json.loads(verify(host).stdout)
    assert facts["model"] == "unknown"
    assert facts["throttled"] is None


def test_the_boot_from_before_is_refused_with_the_fallback_named(tmp_path: Path) -> None:
    host = make_host(tmp_path)
    text = refusal(verify(host, REBOOTED_FROM=host.read("proc/sys/kernel/random/boot_id").strip()))
    assert "the boot from before" in text
    assert len(text.splitlines()) == 1
    assert "fallback" in text
    assert "sudo systemctl reboot" in text


def test_another_boot_is_fine(tmp_path: Path) -> None:
    host = make_host(tmp_path, line=GOOD)
    assert verify(host, REBOOTED_FROM="11111111-2222-3333-4444-555555555555").returncode == 0


@pytest.mark.parametrize("v2", [True, False], ids=["cgroup v2", "cgroup v1"])
@pytest.mark.parametrize(
    ("line", "words"),
    [
        (GOOD.rstrip(b"\n") + b" cgroup_disable=memory\n", "cgroup_disable=memory after our option"),
        (LINE, "started without cgroup_enable=memory"),
    ],
)
def test_what_the_kernel_was_started_with_is_named(tmp_path: Path, line: bytes, words: str, v2: bool) -> None:
    host = make_host(tmp_path, line=line, v2=v2)
    assert words in refusal(verify(host))


def test_a_firmware_that_reads_another_file_is_told_from_a_kernel_that_ignores_the_option(
    tmp_path: Path,
) -> None:
    host = make_host(tmp_path, line=GOOD)
    host.write("sys/fs/cgroup/cgroup.controllers", "cpuset cpu io pids\n")
    assert "full-upgrade" in refusal(verify(host))
    host.write("proc/cmdline", "console=tty1 rootwait\n")
    assert "os_prefix" in refusal(verify(host))


def test_every_problem_is_told_at_once(tmp_path: Path) -> None:
    host = make_host(tmp_path, line=GOOD)
    host.write("sys/fs/cgroup/cgroup.controllers", "cpu io pids\n")
    host.write("proc/cmdline", "cgroup_enable=memory " + FIRMWARE)
    text = refusal(
        verify(
            host,
            TAKEN_HOSTNAME="pi2",
            HOSTNAME_OWNER="pi1 (198.51.100.1)",
            TAKEN_MACHINE_ID="0123456789abcdef0123456789abcdef",
            MACHINE_OWNER="pi3 (198.51.100.3)",
        )
    )
    assert "the hostname pi2 is already taken by pi1 (198.51.100.1)" in text
    assert "same as that of pi3 (198.51.100.3)" in text
    assert "cgroup_disable=memory" in text
    assert "cgroup_enable=cpuset" in text
    assert len(text.splitlines()) == 4


def test_a_host_renamed_after_its_refusal_passes(tmp_path: Path) -> None:
    host = make_host(tmp_path, line=GOOD)
    taken = {"TAKEN_HOSTNAME": "raspberrypi", "HOSTNAME_OWNER": "pi1 (198.51.100.1)"}
    (host.fake / "hostname").write_text("raspberrypi\n")
    assert "already taken" in refusal(verify(host, **taken))
    (host.fake / "hostname").write_text("pi2\n")
    assert verify(host, **taken).returncode == 0


def test_the_rescue_of_the_listener_is_called_off(tmp_path: Path) -> None:
    host = make_host(tmp_path, line=GOOD)
    verify(host)
    assert "systemctl stop piray-listener.timer" in host.calls()
