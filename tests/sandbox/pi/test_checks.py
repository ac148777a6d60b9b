"""The doctor on simulated Pis, over the system's own ssh; and what it calls an error, `up` refuses."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import pytest
import yaml

from infra.config.parse import parse
from infra.doctor.__main__ import examine
from infra.doctor.report import as_json
from infra.doctor.stack import Stack, read_stack
from infra.hosts.check_list import PREPARE
from infra.remote.stdin import render_stdin
from sandbox.machine.docker import GATEWAY
from sandbox.pi.host import PLAIN, Hardware, Host
from tests.sandbox.making import ARCH, Making, prepare, undo

PASSWORD = "open 'sesame'"  # noqa: S105 — of a simulated Pi
HARDWARE = {
    "good": PLAIN,
    "spoiled": PLAIN,
    "cloned": Hardware(hostname="raspberrypi"),
    "copy": Hardware(hostname="raspberrypi"),
    "password": Hardware(sudo_password=PASSWORD),
    "wrong key": PLAIN,
    "off": PLAIN,
}
VERSION = "v1.36.3+k3s1"
# Each line is something that a Pi's owner may have. The clock of a container is that of this machine.
SPOIL = """
set -eu
ip route del default
setsid socat TCP-LISTEN:10250,fork,reuseaddr EXEC:cat </dev/null >/dev/null 2>&1 &
mkdir -p /var/lib/rancher
mount -t tmpfs none /var/lib/rancher
touch /etc/systemd/system/kubelet.service
cat >/usr/local/bin/date <<'X'
#!/bin/sh
case "$*" in +%s*) set -- -d "1 hour" "$@" ;; esac
exec /usr/bin/date "$@"
X
chmod 755 /usr/local/bin/date
mkdir -p /etc/kernel/postinst.d
printf '#!/bin/sh\\ncat /etc/default/raspi-extra-cmdline\\n' >/etc/kernel/postinst.d/z50-raspi-firmware
nft add table inet mine
nft add chain inet mine input '{ type filter hook input priority 0 ; policy drop ; }'
nft add rule inet mine input ct state established,related accept
nft add rule inet mine input iifname lo accept
nft add rule inet mine input tcp dport 22 accept
"""
MEND = """
set -eu
nft delete table inet mine
rm /usr/local/bin/date /etc/systemd/system/kubelet.service
umount /var/lib/rancher
rmdir /var/lib/rancher
pkill --exact socat
ip route add default via {gateway}
"""
ERRORS = {"default-route", "port", "data-directory", "other-kubernetes", "clock"}


@dataclass(frozen=True)
class Seen:
    """What the doctor said in one run, and what the hosts had before and after it."""

    hosts: dict[str, Host]
    stack: Stack
    said: dict[str, dict[str, Any]]
    of_stack: list[dict[str, Any]]
    before: dict[str, dict[str, str]]
    after: dict[str, dict[str, str]]

    def ids(self, kind: str, severity: str) -> set[str]:
        return {one["id"] for one in self.said[kind]["findings"] if one["severity"] == severity}

    def texts(self, kind: str, id_: str) -> list[str]:
        found = [one for one in self.said[kind]["findings"] if one["id"] == id_]
        return [" ".join((one["what"], one["rule"], one["remedy"])) for one in found]


@pytest.fixture(scope="module")
def mirror(making: Making, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Yield the URL of a mirror with the sums of one release; the hosts' network is there with the daemon."""
    folder = tmp_path_factory.mktemp("mirror")
    (folder / VERSION).mkdir()
    (folder / VERSION / f"sha256sum-{ARCH}.txt").write_text("0  k3s\n")
    (folder / "install.sh").write_text("exit 1\n")
    handler = partial(SimpleHTTPRequestHandler, directory=str(folder))
    with ThreadingHTTPServer((GATEWAY, 0), handler) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://{GATEWAY}:{server.server_address[1]}"
        server.shutdown()


@pytest.fixture(scope="module")
def seen(making: Making, mirror: str, tmp_path_factory: pytest.TempPathFactory) -> Seen:
    """Return one look at all hosts at the same time."""
    hosts = {kind: making.host(hardware) for kind, hardware in HARDWARE.items()}
    with ThreadPoolExecutor() as threads:
        list(threads.map(Host.wait_until_up, hosts.values()))
    keys = {kind: host.host_key for kind, host in hosts.items()}
    keys["wrong key"] = keys["good"]
    hosts["spoiled"].as_root(SPOIL)
    hosts["copy"].as_root(f"echo {hosts['cloned'].as_root('cat /etc/machine-id').strip()} >/etc/machine-id")
    entries = [
        {
            "name": host.name,
            "address": host.address,
            "role": "server" if kind == "good" else "agent",
            "hostKey": keys[kind],
        }
        for kind, host in hosts.items()
    ]
    config = {
        "piray:platform": "pi",
        "piray:arch": ARCH,
        "piray:hosts": entries,
        "piray:ssh": {"user": "pi", "privateKeyFile": str(hosts["good"].key_file)},
        "piray:k3s": {"version": VERSION, "mirror": mirror},
        "piray:ray": {"image": f"{GATEWAY}:1/ray:1"},
        "piray:workers": 1,
    }
    folder = tmp_path_factory.mktemp("project")
    (folder / "Pulumi.home.yaml").write_text(yaml.safe_dump({"config": config}))
    stack = read_stack("home", folder)
    watched = {kind: hosts[kind] for kind in ("good", "spoiled", "password")}
    before = {kind: host.files() for kind, host in watched.items()}
    hosts["off"].power_off()
    report = as_json(examine(stack, write_test=True))
    after = {kind: host.files() for kind, host in watched.items()}
    said = dict(zip(hosts, report["hosts"], strict=True))
    return Seen(hosts, stack, said, report["findings"], before, after)


def test_a_good_host_has_no_error_and_its_facts_are_told(seen: Seen) -> None:
    assert seen.ids("good", "error") == set()
    facts = seen.said["good"]["facts"]
    assert facts["hostname"] == seen.hosts["good"].name
    assert facts["interface"] == facts["defaultRouteInterface"] == "eth0"
    assert "MiB/s" in facts["writeSpeed"]


def test_the_options_that_up_will_add_are_no_error(seen: Seen) -> None:
    (text,) = seen.texts("good", "kernel-options")
    assert "make up adds them" in text


def test_everything_that_is_wrong_with_a_host_is_found_at_once(seen: Seen) -> None:
    assert seen.ids("spoiled", "error") == ERRORS
    assert "firewall" in seen.ids("spoiled", "warning")
    (port,) = seen.texts("spoiled", "port")
    assert "port 10250 is taken by socat" in port
    (clock,) = seen.texts("spoiled", "clock")
    assert f"{GATEWAY}:" in clock
    assert any("raspi-extra-cmdline" in text for text in seen.texts("spoiled", "kernel-options"))


def test_of_two_copies_of_a_card_the_second_is_named_with_the_first(seen: Seen) -> None:
    assert seen.ids("cloned", "error") == set()
    assert seen.ids("copy", "error") == {"hostname", "machine-id"}
    (text,) = seen.texts("copy", "machine-id")
    assert seen.hosts["cloned"].address in text
    assert "rm -f /etc/machine-id /var/lib/dbus/machine-id" in text


def test_without_sudo_a_host_is_still_looked_at(seen: Seen) -> None:
    assert seen.ids("password", "error") == {"sudo"}
    (text,) = seen.texts("password", "sudo")
    assert "may not run sudo without a password" in text
    assert seen.said["password"]["facts"]["kernel"]


def test_a_host_behind_a_jump_host_whose_sudo_asks_for_a_password_is_looked_at_as_root(seen: Seen) -> None:
    given, gate = seen.stack.values, seen.hosts["good"]
    names = [seen.hosts[kind].name for kind in ("good", "password")]
    values = {
        **given,
        "hosts": [entry for entry in given["hosts"] if entry["name"] in names],
        "ssh": {**given["ssh"], "proxy": {"address": gate.address, "hostKey": gate.host_key}},
        "sudoPassword": PASSWORD,
    }
    secret = frozenset({"sudoPassword"})
    stack = Stack(name="home", config=parse(values, secret_keys=secret), values=values, secret_keys=secret)
    said = as_json(examine(stack, write_test=True))
    findings = [one for host in said["hosts"] for one in host["findings"] if one["severity"] == "error"]
    assert findings == []
    # Only root can write there.
    assert "MiB/s" in said["hosts"][1]["facts"]["writeSpeed"]


def test_another_host_key_is_no_login(seen: Seen) -> None:
    assert seen.ids("wrong key", "error") == {"host-key"}
    (text,) = seen.texts("wrong key", "host-key")
    assert f"ssh-keyscan -t ed25519 {seen.hosts['wrong key'].address}" in text
    assert seen.said["wrong key"]["facts"] is None


def test_a_host_that_is_switched_off_does_not_keep_the_others_waiting(seen: Seen) -> None:
    assert seen.ids("off", "error") == {"reachable"}
    (text,) = seen.texts("off", "reachable")
    assert "switched on" in text


def test_the_doctor_leaves_every_host_as_it_was(seen: Seen) -> None:
    assert len(seen.before["good"]) > 500
    assert seen.after == seen.before


def test_up_refuses_a_host_by_the_same_list_and_changes_nothing_then_takes_it_once_it_is_mended(
    seen: Seen, mirror: str
) -> None:
    host = seen.hosts["spoiled"]
    variables = {"ARCH": ARCH, "ADDRESS": host.address, "ROLE": "agent", "SOURCES": f"{mirror}/install.sh"}
    stdin = render_stdin(PREPARE, {"HOST": host.name, **variables})
    before = host.files()
    lines = host.ssh("bash -s -- apply && echo accepted", stdin=stdin, check=False).strip().splitlines()
    assert all(line.startswith(f"piray: {host.name}: ") for line in lines), lines
    assert len(lines) == len(ERRORS)
    assert host.files() == before

    host.as_root(MEND.format(gateway=GATEWAY))
    mended = host.files()
    boot_id = prepare(host)["boot_id"]
    host.wait_for(f"test $(cat /proc/sys/kernel/random/boot_id) != {boot_id}")
    assert "cgroup_enable=memory" in host.as_root("cat /etc/default/raspi-extra-cmdline")
    undo(host)
    assert host.files() == mended
