"""remove_k3s.sh on fake hosts: k3s goes, and what the host had before stays."""

import shutil
from pathlib import Path

import pytest

from tests.infra.fake_host import FakeHost, contents
from tests.infra.k3s.mirror import Mirror, install, refusal, tokens

DATA = "var/lib/rancher/k3s"


def live(host: FakeHost, mirror: Mirror) -> None:
    """Install k3s, let it write its data, and remove it."""
    first = install(host, mirror)
    assert first.returncode == 0, first.stderr.decode()
    host.write(f"{DATA}/server/db/state.db", "the cluster's")
    host.write(f"{DATA}/agent/containerd/blob", "an image")
    host.write("etc/rancher/k3s/k3s.yaml", "of k3s")
    undone = install(host, mirror, action="undo")
    assert undone.returncode == 0, undone.stderr.decode()


@pytest.mark.parametrize("place", ["var/lib/rancher", DATA])
def test_a_link_to_another_disk_stays_and_the_disk_is_as_it_was(
    host: FakeHost, mirror: Mirror, place: str
) -> None:
    disk = host.root / "mnt/ssd/data"
    disk.mkdir(parents=True)
    (disk / "photos").write_text("the owner's")
    (host.root / place).parent.mkdir(parents=True, exist_ok=True)
    (host.root / place).symlink_to(disk)
    before = contents(host.root)
    live(host, mirror)
    assert contents(host.root) == before


def test_pods_below_a_link_are_killed_by_where_the_link_leads(host: FakeHost, mirror: Mirror) -> None:
    disk = host.root / "mnt/ssd"
    disk.mkdir(parents=True)
    (host.root / DATA).parent.mkdir(parents=True)
    (host.root / DATA).symlink_to(disk)
    install(host, mirror)
    host.write(
        "usr/local/bin/k3s-killall.sh", '#!/bin/sh\necho "killall $K3S_DATA_DIR" >>"$FAKE/calls"\n'
    ).chmod(0o755)
    install(host, mirror, action="undo")
    assert f"killall {disk}" in host.calls()


def test_a_link_to_a_disk_that_is_not_there_is_refused(host: FakeHost, mirror: Mirror) -> None:
    (host.root / DATA).parent.mkdir(parents=True)
    (host.root / DATA).symlink_to("/mnt/no-such-disk")
    text = refusal(install(host, mirror))
    assert "/var/lib/rancher/k3s is a link to /mnt/no-such-disk, which is not there" in text


def test_the_database_of_an_earlier_cluster_is_refused_and_stays(host: FakeHost, mirror: Mirror) -> None:
    host.write(f"{DATA}/server/db/state.db", "somebody's")
    before = contents(host.root)
    assert "has the database of an earlier k3s" in refusal(install(host, mirror))
    assert contents(host.root) == before


def test_the_owners_files_stay_whenever_they_came(host: FakeHost, mirror: Mirror) -> None:
    host.write("etc/rancher/k3s/registries.yaml", "mirrors: {old: {}}\n").chmod(0o640)
    before = contents(host.root)
    live(host, mirror)
    assert contents(host.root) == before
    install(host, mirror)
    host.write("etc/rancher/k3s/registries.yaml", "mirrors: {new: {}}\n")
    host.write("etc/rancher/k3s/config.yaml.d/mine.yaml", "debug: true\n")
    install(host, mirror, action="undo")
    assert host.read("etc/rancher/k3s/registries.yaml") == "mirrors: {new: {}}\n"
    assert host.read("etc/rancher/k3s/config.yaml.d/mine.yaml") == "debug: true\n"
    assert not (host.root / "etc/rancher/k3s/k3s.yaml").exists()
    assert not (host.root / "etc/rancher/k3s/config.yaml").exists()


def test_a_configuration_of_an_earlier_k3s_is_given_back_and_its_token_not_used(
    host: FakeHost, mirror: Mirror
) -> None:
    host.write("etc/rancher/k3s/config.yaml", 'token: "12345"\n')
    before = contents(host.root)
    install(host, mirror)
    assert "12345" not in tokens(host)
    install(host, mirror, action="undo")
    assert contents(host.root) == before


def test_empty_directories_that_were_there_stay(host: FakeHost, mirror: Mirror) -> None:
    (host.root / "var/lib/rancher/k3s/storage").mkdir(parents=True)
    (host.root / "etc/rancher").mkdir(parents=True)
    before = contents(host.root)
    live(host, mirror)
    assert contents(host.root) == before


@pytest.mark.parametrize("cut", ["uninstall", "find", "tar"])
def test_a_removal_that_was_cut_short_is_finished_by_the_next_one(
    host: FakeHost, mirror: Mirror, cut: str
) -> None:
    host.write("etc/rancher/k3s/registries.yaml", "mirrors: {}\n")
    host.write(f"{DATA}/agent/images/mine.tar", "the owner's")
    before = contents(host.root)
    install(host, mirror)
    programs = host.fake / "bin"
    uninstall = host.root / "usr/local/bin/k3s-uninstall.sh"
    if cut == "uninstall":
        text = uninstall.read_text()
        uninstall.write_text(text + "kill -9 $PPID\n")
    else:
        found = shutil.which(cut)
        (programs / cut).write_text(f'#!/bin/sh\n[ ! -e {uninstall} ] && kill -9 $PPID\nexec {found} "$@"\n')
        (programs / cut).chmod(0o755)
    assert install(host, mirror, action="undo").returncode != 0
    (programs / cut).unlink(missing_ok=True)
    undone = install(host, mirror, action="undo")
    assert undone.returncode == 0, undone.stderr.decode()
    assert contents(host.root) == before


def test_an_installation_from_before_this_rule_is_removed_as_ever(host: FakeHost, mirror: Mirror) -> None:
    before = contents(host.root)
    install(host, mirror)
    state = Path(host.root / "var/lib/piray")
    (state / "k3s-found").unlink()
    lines = (state / "k3s").read_text().splitlines(keepends=True)
    (state / "k3s").write_text("".join(line for line in lines if not line.startswith("data=")))
    assert install(host, mirror, action="undo").returncode == 0
    assert contents(host.root) == before
