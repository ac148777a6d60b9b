"""The checks on fake hosts: what is wrong with a host, and what is said about it."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from infra.hosts.check_list import CHECKS
from tests.infra.fake_host import ADDRESS, ADDRESSES, LINE, ROUTES, FakeHost, contents, make_host

GOOD_LINE = LINE.rstrip(b"\n") + b" cgroup_memory=1 cgroup_enable=memory cgroup_enable=cpuset\n"
HOOK = "etc/kernel/postinst.d/z50-raspi-firmware"
HOOK_TEXT = "#!/bin/sh\ncat /etc/default/raspi-extra-cmdline\n"


@dataclass(frozen=True)
class Case:
    """What is done to a good host, and what the doctor then says.

    Attributes:
        spoil: Makes it a bad one.
        severity: Of the finding.
        id: Of the finding.
        words: Parts of what is said about it, rule and remedy included.
    """

    spoil: Callable[[FakeHost], object]
    severity: str
    id: str
    words: tuple[str, ...] = ()
    variables: tuple[tuple[str, str], ...] = ()


def says(name: str, body: str) -> Callable[[FakeHost], object]:
    return lambda host: host.program(name, body)


def has(path: str, text: str | bytes = "") -> Callable[[FakeHost], object]:
    return lambda host: host.write(path, text)


def addresses(text: str) -> Callable[[FakeHost], object]:
    return lambda host: (host.fake / "addresses").write_text(text)


def routes(text: str) -> Callable[[FakeHost], object]:
    return lambda host: (host.fake / "routes").write_text(text)


def both(*spoils: Callable[[FakeHost], object]) -> Callable[[FakeHost], object]:
    return lambda host: [spoil(host) for spoil in spoils]


def lan(cidr: str) -> Callable[[FakeHost], object]:
    return addresses(f"2: eth0    inet {cidr} brd 198.51.100.255 scope global eth0\n")


def at(address: str) -> tuple[tuple[str, str], ...]:
    return (("ADDRESS", address),)


def mounts(root: str, *others: str) -> Callable[[FakeHost], object]:
    return has("proc/mounts", "".join(f"{line}\n" for line in (root, *others)))


def command_line(line: bytes) -> Callable[[FakeHost], object]:
    return both(has("boot/firmware/cmdline.txt", line), lambda host: host.boot())


UBUNTU = both(
    says("modprobe", "case $* in *vxlan*) exit 1 ;; esac"),
    has("lib/modules/5.19.0-1001-raspi/modules.dep"),
    says("uname", 'if [ "$1" = -r ]; then echo 5.19.0-1001-raspi; else echo aarch64; fi'),
    says("apt-get", ""),
)
NO_VXLAN = both(
    says("modprobe", "case $* in *vxlan*) exit 1 ;; esac"), has("lib/modules/6.12.34+rpt-rpi-v8/modules.dep")
)
UFW = "echo 'Status: active'; echo '22/tcp  ALLOW  Anywhere'"
SERVER = (("ROLE", "server"),)

CASES = {
    "32-bit kernel": Case(says("uname", "echo armv7l"), "error", "kernel", ("armv7l", "needs aarch64")),
    "32-bit programs": Case(says("getconf", "echo 32"), "error", "programs", ("32-bit", "64-bit image")),
    "pages of 16 KiB": Case(
        says("getconf", 'if [ "$1" = PAGESIZE ]; then echo 16384; else echo 64; fi'),
        "info",
        "page-size",
        ("16 KiB",),
    ),
    "no systemd": Case(
        lambda host: (host.root / "run/systemd/system").rmdir(),
        "error",
        "systemd",
        ("systemd is not running",),
    ),
    "hostname of nobody": Case(
        lambda host: (host.fake / "hostname").write_text("localhost\n"), "error", "hostname", ("'localhost'",)
    ),
    "no machine id": Case(
        has("etc/machine-id"), "error", "machine-id", ("empty", "/var/lib/dbus/machine-id")
    ),
    "machine id of an image": Case(
        has("etc/machine-id", "uninitialized\n"), "error", "machine-id", ("is uninitialized",)
    ),
    "clock of the last shutdown": Case(
        says("date", 'if [ "$*" = +%s ]; then echo 1700000000; else exec /bin/date "$@"; fi'),
        "error",
        "clock",
        ("not be valid yet", "set-ntp true"),
    ),
    "no time server": Case(says("timedatectl", "echo no"), "warning", "clock-server", ("no time server",)),
    "little memory": Case(
        has("proc/meminfo", "MemTotal:  430000 kB\n"), "error", "memory", ("419 MiB", "needs 480 MiB")
    ),
    "little memory for a server": Case(
        has("proc/meminfo", "MemTotal:  930000 kB\n"), "warning", "memory", ("908 MiB", "2 GB"), SERVER
    ),
    "zram": Case(
        has("proc/swaps", "Filename Type Size\n/dev/zram0 partition 2097148 0 100\n"),
        "warning",
        "swap",
        ("/dev/zram0", "compressed memory"),
    ),
    "swap file": Case(
        has("proc/swaps", "Filename Type Size\n/var/swap file 102396 0 -2\n"),
        "warning",
        "swap",
        ("/var/swap",),
    ),
    "one core": Case(says("nproc", "echo 1"), "warning", "cores", ("1 core",)),
    "weak power supply": Case(
        says("vcgencmd", "echo throttled=0x50005"),
        "warning",
        "power",
        ("now: under-voltage, throttled", "since the boot: under-voltage, throttled"),
    ),
    "hot": Case(
        has("sys/class/thermal/thermal_zone0/temp", "83100\n"), "warning", "temperature", ("83 degrees",)
    ),
    "kernel options missing": Case(
        command_line(LINE), "info", "kernel-options", ("lacks cgroup_memory=1", "restarts the host once")
    ),
    "hook that rewrites the line": Case(
        has(HOOK, HOOK_TEXT), "info", "kernel-options", ("anew", "/etc/default/raspi-extra-cmdline")
    ),
    "hook with two lines": Case(
        both(has(HOOK, HOOK_TEXT), has("etc/default/raspi-extra-cmdline", "a\nb\n")),
        "error",
        "kernel-options",
        ("/etc/default/raspi-extra-cmdline has more than one line",),
    ),
    "options by model": Case(
        has("boot/firmware/config.txt", "[pi4]\nos_prefix=four/\n[all]\n"),
        "warning",
        "firmware",
        ("os_prefix=",),
    ),
    "two boot partitions": Case(
        has("boot/firmware/autoboot.txt", "[all]\ntryboot_a_b=1\n"), "warning", "firmware", ("tryboot",)
    ),
    "overlay root": Case(
        mounts("overlay / overlay rw,upperdir=/media/root-rw/overlay 0 0"),
        "error",
        "root",
        ("overlay in memory",),
    ),
    "overlay root from the next boot on": Case(
        command_line(GOOD_LINE.replace(b"\n", b" boot=overlay\n")), "error", "root", ("disable_overlayfs",)
    ),
    "root on NFS": Case(
        mounts("10.0.0.1:/srv/pi / nfs4 rw 0 0"), "error", "root", ("over the network", "10.0.0.1:/srv/pi")
    ),
    "root on NBD": Case(mounts("/dev/nbd0 / ext4 rw 0 0"), "error", "root", ("/dev/nbd0",)),
    "data on a USB stick as bought": Case(
        both(
            mounts("/dev/mmcblk0p2 / ext4 rw 0 0", "/dev/sda1 /var/lib/rancher vfat rw 0 0"),
            lambda host: (host.root / "var/lib/rancher").mkdir(),
        ),
        "error",
        "data-directory",
        ("is on vfat (/dev/sda1)", "ext4"),
    ),
    "card of 8 GB": Case(
        says("df", 'printf "h\\n/dev/x 7600000 3400000 4200000 45%% /\\n"'),
        "error",
        "room",
        ("4101 MiB free", "5120 MiB", "371 MiB", "larger card"),
    ),
    "few inodes": Case(
        says(
            "df",
            'case $1 in -Pi) printf "h\\nx 120000 60000 60000 50%% /\\n" ;; '
            '*) printf "h\\nx 30000000 1 29999999 1%% /\\n" ;; esac',
        ),
        "error",
        "inodes",
        ("60000 more files",),
    ),
    "address of another host": Case(
        addresses("2: eth0    inet 198.51.100.77/24 brd 198.51.100.255 scope global eth0\n"),
        "error",
        "address",
        (f"has {ADDRESS}", "eth0 198.51.100.77/24"),
    ),
    "broadcast address": Case(
        addresses(f"2: eth0    inet {ADDRESS}/30 brd {ADDRESS} scope global eth0\n"),
        "error",
        "address",
        ("broadcast",),
    ),
    "address by DHCP": Case(
        addresses(ADDRESSES.replace("scope global", "scope global dynamic")),
        "warning",
        "dhcp",
        ("DHCP", "reserve"),
    ),
    "no default route": Case(
        routes(ROUTES.splitlines(keepends=True)[1]),
        "error",
        "default-route",
        ("no default route", "switch without a router", "ip route add default via GATEWAY dev eth0"),
    ),
    "default route by Wi-Fi": Case(
        routes("default via 192.0.2.1 dev wlan0\n"), "info", "interface", ("wlan0", "over eth0")
    ),
    "LAN of the pods": Case(
        lan("10.42.0.7/24"), "error", "network", ("10.42.0.7/24", "10.42.0.0/16"), at("10.42.0.7")
    ),
    "LAN of the Services": Case(lan("10.43.9.7/16"), "error", "network", ("10.43.0.0/16",), at("10.43.9.7")),
    "large LAN": Case(
        lan("10.1.0.7/8"), "warning", "network", ("10.1.0.7/8", "10.42.0.0/16"), at("10.1.0.7")
    ),
    "large LAN, address of a pod": Case(
        lan("10.42.3.7/8"), "error", "network", ("10.42.3.7/8",), at("10.42.3.7")
    ),
    "ufw": Case(
        says("ufw", UFW),
        "error",
        "firewall",
        ("8472/udp", "10250/tcp", "6443/tcp", "from 10.42.0.0/16", "sudo ufw allow from 198.51.100.0/24"),
        SERVER,
    ),
    "firewalld": Case(
        both(
            lambda host: host.start_units("firewalld"),
            says(
                "firewall-cmd",
                'case $1 in --state) echo running ;; --list-ports) echo "6443/tcp 8472/udp" ;; esac',
            ),
        ),
        "error",
        "firewall",
        ("firewalld", "does not let in: 10250/tcp, everything from 10.42.0.0/16"),
    ),
    "rules by hand": Case(
        says("iptables", 'if [ "$1" = -S ]; then echo "-P INPUT DROP"; fi'),
        "warning",
        "firewall",
        ("nft list ruleset",),
    ),
    "k3s of somebody else": Case(
        has("etc/systemd/system/k3s-agent.service"),
        "error",
        "other-kubernetes",
        ("sudo k3s-agent-uninstall.sh",),
    ),
    "kubelet of kubeadm": Case(
        has("usr/lib/systemd/system/kubelet.service"), "error", "other-kubernetes", ("kubelet.service",)
    ),
    "Docker": Case(lambda host: host.start_units("docker"), "info", "docker", ("Docker",)),
    "port taken": Case(
        says(
            "ss",
            "case $* in *:6443) echo 'LISTEN 0 9 *:6443 *:* users:((\"nginx\",pid=7,fd=3))' ;; esac",
        ),
        "error",
        "port",
        ("port 6443 is taken by nginx",),
        SERVER,
    ),
    "flannel's port taken": Case(
        says("ss", "case $* in *:8472) echo UNCONN ;; esac"), "error", "port", ("8472/udp",)
    ),
    "old iptables": Case(
        says("iptables", 'echo "iptables v1.8.2 (nf_tables)"'), "info", "iptables", ("v1.8.2", "its own")
    ),
    "no vxlan on Ubuntu": Case(
        both(UBUNTU, has("etc/os-release", "ID=ubuntu\n")),
        "info",
        "modules",
        ("no module vxlan", "make up installs linux-modules-extra-raspi"),
    ),
    "no vxlan elsewhere": Case(
        NO_VXLAN, "error", "modules", ("no module vxlan", "linux-modules-extra-raspi", "full-upgrade")
    ),
    "kernel updated, not restarted": Case(
        both(says("modprobe", "exit 1"), has("lib/modules/6.12.99/modules.dep")),
        "error",
        "modules",
        ("6.12.34+rpt-rpi-v8 are gone", "sudo systemctl reboot"),
    ),
    "proxy": Case(
        has("etc/environment", 'https_proxy="http://me:secret@192.0.2.9:3128"\nno_proxy=localhost\n'),
        "warning",
        "proxy",
        ("http://***@192.0.2.9:3128", "NO_PROXY", "198.51.100.0/24"),
    ),
    "proxy with the network excepted": Case(
        has("etc/environment", "https_proxy=http://192.0.2.9:3128\nno_proxy=198.51.0.0/16\n"), "info", "proxy"
    ),
    "releases out of reach": Case(
        says("curl", 'echo "curl: (6) Could not resolve host: mirror.example" >&2; exit 6'),
        "error",
        "sources",
        ("cannot download http://mirror.example/sums", "Could not resolve host", "piray:k3s.mirror"),
        (("SOURCES", "http://mirror.example/sums"),),
    ),
    "clock compared with the server of the releases": Case(
        says(
            "curl",
            'while [ "$1" != --dump-header ]; do shift; done\n'
            'printf "HTTP/1.1 200 OK\\r\\nDate: Thu, 05 Nov 2020 08:49:37 GMT\\r\\n" >"$2"',
        ),
        "error",
        "clock",
        ("mirror.example says 2020-11-05 08:49:37", "set-ntp true"),
        (("SOURCES", "http://mirror.example/sums"),),
    ),
    "no way to the registry": Case(
        says("curl", "printf 000; exit 7"),
        "warning",
        "registry",
        ("https://registry.example/v2/",),
        (("REGISTRY", "https://registry.example/v2/"),),
    ),
}


def examine(host: FakeHost, **variables: str) -> list[dict[str, Any]]:
    """Return the findings of the doctor's script."""
    given = {"ARCH": "arm64", "ADDRESS": ADDRESS, "ROLE": "agent", "ROOM_MIB": "5120", **variables}
    result = host.run([*CHECKS, "doctor/doctor.sh"], "doctor", **given)
    assert result.returncode == 0, result.stderr.decode()
    assert result.stderr == b""
    findings: list[dict[str, Any]] = json.loads(result.stdout)["findings"]
    return findings


def good_host(folder: Path) -> FakeHost:
    host = make_host(folder, line=GOOD_LINE)
    host.program("df", 'printf "h\\nx 30000000 1 29999999 1%% /\\n"')
    return host


def test_a_good_host_gives_no_finding_and_is_left_as_it_was(tmp_path: Path) -> None:
    host = good_host(tmp_path)
    before = contents(host.root, times=True)
    assert examine(host) == []
    assert contents(host.root, times=True) == before


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_what_is_wrong_is_found_and_alone(tmp_path: Path, case: Case) -> None:
    host = good_host(tmp_path)
    case.spoil(host)
    (finding,) = examine(host, **dict(case.variables))
    assert (finding["severity"], finding["id"]) == (case.severity, case.id), finding
    text = " ".join((finding["what"], finding["rule"], finding["remedy"]))
    for words in case.words:
        assert words in text
    # What is only to be known needs no remedy.
    assert bool(finding["remedy"]) is (case.severity != "info")


@pytest.mark.parametrize(
    "rules",
    [
        "echo 'Anywhere  ALLOW IN  198.51.100.0/24'; echo 'Anywhere  ALLOW IN  10.42.0.0/16'; "
        "echo 'Anywhere  ALLOW IN  10.43.0.0/16'",
        "echo '6443/tcp ALLOW Anywhere'; echo '8472/udp ALLOW Anywhere'; echo '10250/tcp ALLOW Anywhere'; "
        "echo 'Anywhere ALLOW 10.42.0.0/16'; echo 'Anywhere ALLOW 10.43.0.0/16'",
    ],
    ids=["the network", "each port"],
)
def test_a_firewall_that_lets_the_cluster_in_is_no_finding(tmp_path: Path, rules: str) -> None:
    host = good_host(tmp_path)
    host.program("ufw", f"{UFW}; {rules}")
    assert examine(host, ROLE="server") == []


def test_a_host_that_piray_has_installed_may_use_its_own_ports_and_disk(tmp_path: Path) -> None:
    host = good_host(tmp_path)
    host.write("var/lib/piray/k3s", "role=server\nversion=v1.36.3+k3s1\n")
    host.write("etc/systemd/system/k3s.service", "")
    host.program("ss", "echo LISTEN")
    host.program("df", 'printf "h\\nx 7600000 3400000 4200000 45%% /\\n"')
    assert examine(host, ROLE="server") == []


def test_the_write_test_leaves_nothing_behind(tmp_path: Path) -> None:
    host = good_host(tmp_path)
    before = contents(host.root)
    # Whether this machine's disk is slow is not the test's business.
    assert {finding["id"] for finding in examine(host, WRITE_TEST="1")} <= {"write-speed"}
    assert contents(host.root) == before


def test_the_line_that_config_txt_names_is_the_one_that_counts(tmp_path: Path) -> None:
    host = good_host(tmp_path)
    host.write("boot/firmware/config.txt", "[pi3]\nkernel=x\n[all]\nos_prefix=mine/\ncmdline=line.txt\n")
    host.write("boot/firmware/mine/line.txt", LINE)
    (finding,) = examine(host)
    assert "/boot/firmware/mine/line.txt lacks" in finding["what"]
