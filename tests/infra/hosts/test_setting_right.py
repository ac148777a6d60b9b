"""What prepare.sh sets right besides the command line itself, and takes back again."""

from pathlib import Path

import pytest

from tests.infra.fake_host import FIRMWARE, LINE, FakeHost, contents, is_enabled, make_host
from tests.infra.hosts.preparing import prepare, refusals, said

TOKENS = b"cgroup_memory=1 cgroup_enable=memory cgroup_enable=cpuset"
HOOK = "etc/kernel/postinst.d/z50-raspi-firmware"
EXTRA = "etc/default/raspi-extra-cmdline"


@pytest.mark.parametrize("extra", [None, b"net.ifnames=0\n", b"net.ifnames=0 cgroup_enable=memory\n", b""])
def test_where_a_hook_rewrites_the_line_its_source_gets_the_options_too_and_loses_them_again(
    tmp_path: Path, extra: bytes | None
) -> None:
    host = make_host(tmp_path, "Debian")
    host.write(HOOK, "#!/bin/sh\n. /etc/default/raspi-firmware\ncat /etc/default/raspi-extra-cmdline\n")
    if extra is not None:
        host.write(EXTRA, extra)
    fresh = contents(host.root)
    assert said(prepare(host))["rebooting"] is True
    line = host.read(EXTRA)
    assert line.startswith((extra or b"").decode().strip())
    assert is_enabled("memory", FIRMWARE + line)
    assert is_enabled("cpuset", FIRMWARE + line)
    # What the hook does at the next update of the kernel.
    assert host.command_line is not None
    host.command_line.write_bytes(LINE.rstrip(b"\n") + b" " + line.encode())
    host.boot()
    edited = contents(host.root, times=True)
    assert said(prepare(host))["rebooting"] is False
    assert contents(host.root, times=True) == edited
    assert prepare(host, "undo").returncode == 0
    if extra is None or extra.strip():
        assert contents(host.root).get(EXTRA) == fresh.get(EXTRA)
    assert not list(host.root.rglob("*piray*"))


def test_a_hook_that_came_later_is_found_by_the_next_run(tmp_path: Path) -> None:
    host = make_host(tmp_path, "Debian")
    prepare(host)
    host.boot()
    host.write(HOOK, "cat /etc/default/raspi-extra-cmdline\n")
    assert said(prepare(host))["rebooting"] is False
    assert host.read(EXTRA).encode().strip() == TOKENS


APT = """
case "$*" in
  *install*linux-modules-extra-raspi*) mkdir -p "$FAKE/../root/sys/module/vxlan" ;;
  *purge*linux-modules-extra-raspi*) rm -r "$FAKE/../root/sys/module/vxlan" ;;
esac"""


def ubuntu_without_vxlan(folder: Path) -> FakeHost:
    host = make_host(folder, "Ubuntu")
    host.write("etc/os-release", 'ID=ubuntu\nPRETTY_NAME="Ubuntu 22.10"\n')
    host.write("lib/modules/5.19.0-1001-raspi/modules.dep", "")
    host.program("uname", 'if [ "$1" = -r ]; then echo 5.19.0-1001-raspi; else echo aarch64; fi')
    host.program("modprobe", "case $* in *vxlan*) exit 1 ;; esac")
    return host


def test_a_module_in_a_package_of_its_own_is_installed_and_removed_again(tmp_path: Path) -> None:
    host = ubuntu_without_vxlan(tmp_path)
    host.program("apt-get", APT)
    fresh = contents(host.root)
    said(prepare(host))
    assert (host.root / "sys/module/vxlan").exists()
    assert prepare(host, "undo").returncode == 0
    assert not (host.root / "sys/module/vxlan").exists()
    assert contents(host.root) == fresh


def test_a_package_that_cannot_be_had_is_refused_and_nothing_is_left(tmp_path: Path) -> None:
    host = ubuntu_without_vxlan(tmp_path)
    host.program("apt-get", "echo 'E: Unable to locate package' >&2; exit 100")
    fresh = contents(host.root)
    (line,) = refusals(prepare(host))
    assert "cannot install linux-modules-extra-raspi (E: Unable to locate package)" in line
    assert contents(host.root) == fresh
