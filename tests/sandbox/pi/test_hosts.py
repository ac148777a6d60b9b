"""Each kind of simulated Pi is what it claims to be: the program's own scripts say so, over SSH."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import pytest

from sandbox.machine.process import SandboxError
from sandbox.pi.faults import full_disk, read_only
from sandbox.pi.host import PLAIN, Hardware, Host
from tests.sandbox.making import ARCH, NOBODY, PREPARE, VERIFY, Making, prepare, refusal, undo, verify

SLOW_BOOT_S = 6

GOOD = {
    "Raspberry Pi OS": PLAIN,
    "Ubuntu 25.10": Hardware(card=("ubuntu",)),
    "old Raspberry Pi OS": Hardware(card=("old",)),
    "cgroup v2": Hardware(cgroup=2),
    "slow boot": Hardware(slow_boot_s=SLOW_BOOT_S),
}
COMMAND_LINE = {
    "Ubuntu 25.10": "/boot/firmware/current/cmdline.txt",
    "old Raspberry Pi OS": "/boot/cmdline.txt",
}
OTHERS = {
    "32-bit": Hardware(card=("32-bit",)),
    "password": Hardware(card=("no-sudo",)),
    "no second boot": Hardware(boots=1),
    "same name": Hardware(hostname="raspberrypi"),
    "bare": PLAIN,
}
TOKENS = "cgroup_memory=1 cgroup_enable=memory cgroup_enable=cpuset"


@dataclass(frozen=True)
class Life:
    """What became of a host that was prepared, rebooted, verified and given back."""

    host: Host
    before: dict[str, str]
    line_before: str
    memory_before: str
    prepared: dict[str, Any]
    line: str
    booted_with: str
    memory: str
    again: dict[str, Any]
    verified: dict[str, Any]
    after: dict[str, str]


@pytest.fixture(scope="module")
def hosts(making: Making) -> dict[str, Host]:
    """Return a host of each kind."""
    kinds = {**GOOD, **OTHERS}
    made = {kind: making.host(hardware) for kind, hardware in kinds.items()}
    with ThreadPoolExecutor() as threads:
        list(threads.map(Host.wait_until_up, made.values()))
    return made


@pytest.fixture(scope="module")
def lives(hosts: dict[str, Host]) -> dict[str, Life]:
    """Return the lives of the good hosts, lived at the same time."""
    with ThreadPoolExecutor() as threads:
        return dict(zip(GOOD, threads.map(live, GOOD, (hosts[kind] for kind in GOOD)), strict=True))


def live(kind: str, host: Host) -> Life:
    file = COMMAND_LINE.get(kind, "/boot/firmware/cmdline.txt")
    before, line_before, memory_before = host.files(), host.as_root(f"cat {file}"), memory(host)
    prepared = prepare(host)
    host.wait_for(f"test $(cat /proc/sys/kernel/random/boot_id) != {prepared['boot_id']}")
    line, booted_with = host.as_root(f"cat {file}"), host.as_root("cat /proc/cmdline")
    again, verified = prepare(host), verify(host, prepared["boot_id"])
    memory_with = memory(host)
    undo(host)
    return Life(
        host,
        before,
        line_before,
        memory_before,
        prepared,
        line,
        booted_with,
        memory_with,
        again,
        verified,
        host.files(),
    )


def memory(host: Host) -> str:
    """Say whether a limit of 16 MiB ends a program that takes 64, or why there is no limit."""
    return host.as_root(
        """
        group=/sys/fs/cgroup/memory/limit
        list=/sys/fs/cgroup/cgroup.controllers
        if [ -e $list ]; then
          grep --quiet --word-regexp memory $list && echo listed || echo not listed
        elif [ -e /sys/fs/cgroup/memory ]; then
          mkdir $group
          echo 16M >$group/memory.limit_in_bytes
          bash -c "echo \\$\\$ >$group/cgroup.procs; head --bytes=64M /dev/zero | tail" >/dev/null 2>&1
          case $? in 0) echo no limit ;; *) echo limited ;; esac
          rmdir $group
        else
          echo not there
        fi
        """
    ).strip()


@pytest.mark.parametrize("kind", GOOD)
def test_a_good_host_gets_its_kernel_options_with_one_reboot(lives: dict[str, Life], kind: str) -> None:
    life = lives[kind]
    assert life.prepared["rebooting"] is True
    assert life.line == f"{life.line_before.rstrip()} {TOKENS}\n"
    assert life.booted_with.rstrip().endswith(life.line.rstrip())
    now = {key: life.again[key] for key in ("boot_id", "checked")}
    assert life.again == {**life.prepared, **now, "rebooting": False}
    assert life.again["boot_id"] != life.prepared["boot_id"]
    assert life.host.as_root("wc --lines </var/log/pi-boots").strip() == "2"


@pytest.mark.parametrize("kind", GOOD)
def test_the_memory_controller_follows_the_kernel_line(lives: dict[str, Life], kind: str) -> None:
    life = lives[kind]
    if life.verified["cgroupVersion"] == 2:
        assert (life.memory_before, life.memory) == ("not listed", "listed")
    else:
        assert (life.memory_before, life.memory) == ("not there", "limited")


def test_a_host_shows_the_version_of_control_groups_that_it_was_asked_for(lives: dict[str, Life]) -> None:
    assert lives["cgroup v2"].verified["cgroupVersion"] == 2


@pytest.mark.parametrize("kind", GOOD)
def test_undo_leaves_every_file_and_unit_as_it_was_found(lives: dict[str, Life], kind: str) -> None:
    assert len(lives[kind].before) > 500
    assert lives[kind].after == lives[kind].before


def test_a_32_bit_system_is_refused(hosts: dict[str, Host]) -> None:
    assert "the system's programs are 32-bit" in refusal(hosts["32-bit"], PREPARE, ARCH=ARCH)


def test_sudo_that_asks_for_a_password_is_refused(hosts: dict[str, Host]) -> None:
    line = refusal(hosts["password"], PREPARE, ARCH=ARCH)
    assert "user pi may not run sudo without a password" in line


def test_a_name_that_is_taken_is_refused_until_hostnamectl_has_changed_it(hosts: dict[str, Host]) -> None:
    host = hosts["same name"]
    taken = {**NOBODY, "REBOOTED_FROM": "", "TAKEN_HOSTNAME": "raspberrypi", "HOSTNAME_OWNER": "pi1"}
    host.as_root(
        f"echo ' {TOKENS}' >/tmp/tokens; sed -i '1s/$/'\"$(cat /tmp/tokens)\"/ /boot/firmware/cmdline.txt"
    )
    host.reboot()
    line = refusal(host, VERIFY, **taken)
    assert "the hostname raspberrypi is already taken by pi1" in line
    remedy = line.split("run: ")[1].split(";")[0]
    host.ssh(remedy)
    host.reboot()
    assert host.ssh("hostname").strip() == host.name
    assert verify(host, "")["arch"]


def test_a_boot_partition_that_cannot_be_written_is_refused_and_nothing_is_left(
    hosts: dict[str, Host],
) -> None:
    before = hosts["bare"].files()
    with read_only(hosts["bare"], "/boot/firmware"):
        line = refusal(hosts["bare"], PREPARE, ARCH=ARCH)
    assert "cannot change /boot/firmware/cmdline.txt" in line
    assert "Read-only file system" in line
    assert hosts["bare"].files() == before


def test_a_full_boot_partition_is_refused_and_nothing_is_left(hosts: dict[str, Host]) -> None:
    before = hosts["bare"].files()
    with full_disk(hosts["bare"], "/boot/firmware"):
        line = refusal(hosts["bare"], PREPARE, ARCH=ARCH)
    assert "cannot change /boot/firmware/cmdline.txt" in line
    assert "No space left on device" in line
    assert hosts["bare"].files() == before


def test_a_host_that_never_comes_back_stays_away(hosts: dict[str, Host]) -> None:
    host = hosts["no second boot"]
    assert prepare(host)["rebooting"] is True
    with pytest.raises(SandboxError):
        host.wait_until_up(8)


def test_a_slow_host_answers_late(hosts: dict[str, Host]) -> None:
    host = hosts["slow boot"]
    host.ssh("sudo systemctl reboot", check=False)
    with pytest.raises(SandboxError):
        host.wait_until_up(SLOW_BOOT_S - 3)
    host.wait_until_up()


def test_a_host_without_power_keeps_its_card(hosts: dict[str, Host]) -> None:
    host = hosts["bare"]
    key, boot = host.host_key, host.boot_id()
    host.ssh("sudo touch /etc/mine && sync")
    host.power_off()
    assert not host.is_there()
    host.power_on()
    assert host.host_key == key
    assert host.boot_id() != boot
    host.ssh("sudo rm /etc/mine")


def test_a_connection_that_is_cut_ends_the_command_for_its_caller(hosts: dict[str, Host]) -> None:
    host = hosts["bare"]
    with ThreadPoolExecutor() as threads:
        running = threads.submit(host.ssh, "touch /tmp/begun; sleep 60")
        host.wait_for("test -e /tmp/begun")
        host.cut_ssh()
        with pytest.raises(SandboxError):
            running.result(timeout=10)
    host.wait_until_up()
