"""Hosts that cannot be used: all named at once, nothing installed, and `down` takes back what was begun."""

import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

from sandbox.pi.host import PLAIN, Hardware, Host
from sandbox.site import Site
from tests.checkout import Checkout
from tests.e2e.cluster import Cluster
from tests.e2e.process_list import ProcessWatch

PASSWORD = 'pi\'s "pass" $HOME ü'  # noqa: S105 — of a simulated Pi
PORT = 2222

HARDWARE = {
    "pi5": PLAIN,
    "pi6": Hardware(card=("no-sudo",)),
    "pi7": Hardware(card=("32-bit",)),
    "pi8": PLAIN,
    "pi9": Hardware(hostname="pi5"),
    "pi10": Hardware(sudo_password=PASSWORD),
}


@pytest.fixture(scope="module")
def hosts(site: Site) -> Iterator[dict[str, Host]]:
    made = {name: site.start(name, hardware) for name, hardware in HARDWARE.items()}
    for host in made.values():
        host.wait_until_up()
    rules = f"Port {PORT}\nAllowUsers pi@{made['pi5'].address}\n"
    made["pi10"].as_root(
        f"printf %s {shlex.quote(rules)} >/etc/ssh/sshd_config.d/behind.conf && systemctl restart ssh"
    )
    yield made
    for host in made.values():
        host.remove()


@pytest.fixture
def stack(site: Site, engine: Path | None, hosts: dict[str, Host], tmp_path: Path) -> Iterator[Cluster]:
    """Yield a stack of its own, with no hosts yet; in the end the hosts are as they were."""
    stack = Cluster(site, Checkout(tmp_path, engine), ProcessWatch(), [])
    before = {name: host.files() for name, host in hosts.items()}
    yield stack
    down = stack.down()
    assert down.code == 0, down.said
    assert {name: host.files() for name, host in hosts.items()} == before


def test_every_host_that_refuses_is_named_with_the_remedy(stack: Cluster, hosts: dict[str, Host]) -> None:
    stack.hosts = [hosts[name] for name in ("pi5", "pi6", "pi7", "pi8")]
    stack.host_keys = {"pi8": hosts["pi5"].host_key}
    up = stack.up()
    assert up.code != 0
    assert "piray: pi6: user pi may not run sudo without a password" in up.said
    assert "piray: pi7: the system's programs are 32-bit" in up.said
    assert "host key mismatch" in up.said
    assert "pi8-prepare" in up.said
    assert "Traceback" not in up.said
    assert up.names("create") <= {
        "ray-token",
        *(f"{host.name}-prepare" for host in stack.hosts),
        "pi5-verify",
    }


def test_two_hosts_with_one_name_are_told_apart_before_k3s_comes(
    stack: Cluster, hosts: dict[str, Host]
) -> None:
    stack.hosts = [hosts["pi5"], hosts["pi9"]]
    up = stack.up()
    assert up.code != 0
    assert f"piray: pi9: the hostname pi5 is already taken by pi5 ({hosts['pi5'].address})" in up.said
    assert "sudo hostnamectl set-hostname pi9" in up.said
    assert not {name for name in up.names("create") if name.endswith("-install")}


def test_a_password_for_sudo_and_a_jump_host_lead_to_a_host_and_nobody_is_told_the_password(
    stack: Cluster, hosts: dict[str, Host]
) -> None:
    gate, behind = hosts["pi5"], hosts["pi10"]
    # The second one refuses, so that nothing is installed.
    stack.hosts = [behind, hosts["pi7"]]
    stack.proxy, stack.ports = gate, {behind.name: PORT}
    stack.passwords = {"piray:hosts[0].sudoPassword": PASSWORD}
    with stack.watch.running() as watch:
        up = stack.up()
    assert up.code != 0
    assert "piray: pi7: the system's programs are 32-bit" in up.said
    assert "pi10-prepare" in up.names("create")
    assert "piray: pi10" not in up.said
    kept = [path for path in stack.program.folder.parent.rglob("backend/**/*") if path.is_file()]
    state = "".join(path.read_text(errors="replace") for path in kept)
    assert "pi10-prepare" in state
    for where in (up.said, state, *watch.seen):
        assert PASSWORD not in where
