"""prepare.sh on fake hosts: which file it edits and how, when it reboots, what it refuses, and its undo."""

import json
import subprocess
import tempfile
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from infra.hosts.check_list import PREPARE
from infra.remote.stdin import render_stdin
from tests.infra.fake_host import FIRMWARE, LAYOUTS, LINE, STUB, contents, is_enabled, make_host
from tests.infra.hosts.preparing import command_line, prepare, refusals, said

SCRIPTS = PREPARE
TOKENS = b"cgroup_memory=1 cgroup_enable=memory cgroup_enable=cpuset"
EDITED = LINE.rstrip(b"\n") + b" " + TOKENS + b"\n"


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("v2", [True, False], ids=["cgroup v2", "cgroup v1"])
def test_a_fresh_host_is_edited_once_rebooted_once_and_restored(
    tmp_path: Path, layout: str, v2: bool
) -> None:
    host = make_host(tmp_path, layout, v2=v2)
    fresh = contents(host.root)

    first = said(prepare(host))
    assert first["rebooting"] is True
    assert command_line(host) == EDITED
    for other, content in LAYOUTS[layout][1].items():
        assert (host.root / other).read_bytes() == content

    boot_id = host.boot()
    edited, calls = contents(host.root, times=True), len(host.calls())
    second = said(prepare(host))
    assert second == {**first, "boot_id": boot_id, "rebooting": False}
    assert contents(host.root, times=True) == edited
    assert not [call for call in host.calls()[calls:] if "systemd-run" in call or "stop" in call]
    assert said(prepare(host)) == second

    assert prepare(host, "undo").returncode == 0
    assert contents(host.root) == fresh
    assert prepare(host, "undo").returncode == 0
    assert contents(host.root) == fresh


def test_the_answer_names_host_boot_and_machine(tmp_path: Path) -> None:
    host = make_host(tmp_path)
    assert said(prepare(host)) == {
        "hostname": "pi2",
        "boot_id": host.read("proc/sys/kernel/random/boot_id").strip(),
        "machine_id": "0123456789abcdef0123456789abcdef",
        "rebooting": True,
        "warnings": [],
    }


def test_the_answer_has_the_warnings_of_the_checks_and_the_right_time_of_a_clock_that_is_off(
    tmp_path: Path,
) -> None:
    host = make_host(tmp_path)
    host.program("timedatectl", "echo no")
    host.program("df", 'printf "h\\nx 30000000 1 29999999 1%% /\\n"')
    ahead = 'case "$*" in +%s) echo $(($(/usr/bin/date +%s) + 200)) ;; *) exec /usr/bin/date "$@" ;; esac'
    host.program("date", ahead)
    host.program(
        "curl",
        'while [ "$1" != --dump-header ]; do shift; done\n'
        'printf "HTTP/1.1 200 OK\\r\\nDate: $(/usr/bin/date -u -R)\\r\\n" >"$2"',
    )
    before = time.time()
    answer = json.loads(prepare(host, SOURCES="http://mirror.example/sums").stdout)
    assert int(before) - 1 <= answer["checked"] <= time.time() + 1
    assert [(one["severity"], one["id"]) for one in answer["warnings"]] == [("warning", "clock-server")]


def test_the_door_is_closed_before_the_reboot_and_opens_by_itself_if_it_does_not_come(tmp_path: Path) -> None:
    host = make_host(tmp_path)
    host.start_units("ssh.socket", "ssh")
    prepare(host)
    calls = [call for call in host.calls() if call.startswith(("systemd-run", "systemctl stop ssh"))]
    fallback, stop, reboot = calls
    assert fallback.endswith("--on-active=300 systemctl start ssh.socket ssh.service")
    assert stop == "systemctl stop ssh.socket ssh.service"
    assert "--on-active=1 " in reboot
    assert reboot.endswith("systemctl reboot")


def test_a_listener_whose_stop_would_end_this_session_is_left_open(tmp_path: Path) -> None:
    host = make_host(tmp_path)
    host.start_units("ssh")
    host.write("proc/self/cgroup", "0::/system.slice/ssh.service\n")
    stop_kills = (host.fake / "bin" / "systemctl").read_text().replace("echo process", "echo control-group")
    (host.fake / "bin" / "systemctl").write_text(stop_kills)
    assert said(prepare(host))["rebooting"] is True
    assert "systemctl stop ssh.service" not in host.calls()
    assert any(call.endswith("systemctl reboot") for call in host.calls())


def test_a_reboot_that_was_interrupted_is_made_up_for(tmp_path: Path) -> None:
    host = make_host(tmp_path, line=EDITED)
    host.write("proc/cmdline", FIRMWARE + LINE.decode())
    host.write("sys/fs/cgroup/cgroup.controllers", "cpuset cpu io pids\n")
    assert said(prepare(host))["rebooting"] is True
    assert command_line(host) == EDITED
    assert not (host.root / "var/lib/piray").exists()


def test_a_kernel_that_ignores_its_options_is_not_rebooted_for_ever(tmp_path: Path) -> None:
    host = make_host(tmp_path, line=EDITED)
    host.write("sys/fs/cgroup/cgroup.controllers", "cpuset cpu io pids\n")
    assert said(prepare(host))["rebooting"] is False


def test_an_edit_that_a_pending_kernel_of_ubuntu_would_undo_is_refused(tmp_path: Path) -> None:
    host = make_host(tmp_path, "Ubuntu 25.10")
    host.write("boot/firmware/new/state", "unknown\n")
    before = contents(host.root)
    (line,) = refusals(prepare(host))
    assert "waits for its first boot" in line
    assert contents(host.root) == before
    host.write("boot/firmware/new/state", "bad\n")
    assert said(prepare(host))["rebooting"] is True


def test_options_of_the_user_stay_when_ours_are_taken_off(tmp_path: Path) -> None:
    host = make_host(tmp_path, line=b"root=/dev/sda1 cgroup_enable=memory cgroup_memory=1 quiet\n")
    prepare(host)
    assert (
        command_line(host)
        == b"root=/dev/sda1 cgroup_enable=memory cgroup_memory=1 quiet cgroup_enable=cpuset\n"
    )
    prepare(host, "undo")
    assert command_line(host) == b"root=/dev/sda1 cgroup_enable=memory cgroup_memory=1 quiet\n"


def test_later_edits_of_the_user_outlive_undo(tmp_path: Path) -> None:
    host = make_host(tmp_path)
    prepare(host)
    assert host.command_line is not None
    host.command_line.write_bytes(b"usb-storage.quirks=152d:0578:u " + EDITED.rstrip(b"\n") + b" quiet\n")
    prepare(host, "undo")
    assert command_line(host) == b"usb-storage.quirks=152d:0578:u " + LINE.rstrip(b"\n") + b" quiet\n"
    assert not list(host.root.rglob("*piray*"))


def test_options_that_the_user_moved_to_the_front_are_taken_off_there(tmp_path: Path) -> None:
    host = make_host(tmp_path)
    prepare(host)
    assert host.command_line is not None
    host.command_line.write_bytes(TOKENS + b"\t" + LINE)
    prepare(host, "undo")
    assert command_line(host) == LINE


def test_an_option_that_the_user_took_off_comes_back_and_goes_with_the_others(tmp_path: Path) -> None:
    host = make_host(tmp_path)
    prepare(host)
    assert host.command_line is not None
    host.command_line.write_bytes(EDITED.replace(b" cgroup_enable=memory", b""))
    assert said(prepare(host))["rebooting"] is True
    prepare(host, "undo")
    assert command_line(host) == LINE


def test_a_line_that_the_user_broke_is_left_alone_with_its_backup(tmp_path: Path) -> None:
    host = make_host(tmp_path)
    prepare(host)
    assert host.command_line is not None
    host.command_line.write_bytes(EDITED + b"second line\n")
    result = prepare(host, "undo")
    assert result.returncode == 0
    assert b"is left alone" in result.stderr
    assert command_line(host) == EDITED + b"second line\n"
    assert host.command_line.with_name("cmdline.txt.piray-backup").read_bytes() == LINE


def test_a_command_line_kept_through_a_symlink_stays_one(tmp_path: Path) -> None:
    host = make_host(tmp_path, "Debian")
    (host.root / "boot/cmdline.txt").symlink_to("firmware/cmdline.txt")
    fresh = contents(host.root)
    prepare(host)
    assert (host.root / "boot/cmdline.txt").is_symlink()
    prepare(host, "undo")
    assert contents(host.root) == fresh


def test_a_host_that_is_no_pi_needs_no_file_when_its_controllers_are_on(tmp_path: Path) -> None:
    host = make_host(tmp_path, None)
    fresh = contents(host.root, times=True)
    assert said(prepare(host))["rebooting"] is False
    assert contents(host.root, times=True) == fresh


def test_a_host_without_file_and_without_controllers_is_refused(tmp_path: Path) -> None:
    host = make_host(tmp_path, None)
    host.write("sys/fs/cgroup/cgroup.controllers", "cpu io pids\n")
    (line,) = refusals(prepare(host))
    assert "no kernel command line file" in line


def test_an_unmounted_boot_partition_is_refused_and_the_stub_never_edited(tmp_path: Path) -> None:
    host = make_host(tmp_path)
    assert host.command_line is not None
    host.command_line.unlink()
    (line,) = refusals(prepare(host))
    assert "only says that the file has moved" in line
    assert (host.root / "boot/cmdline.txt").read_bytes() == STUB


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (b"", "is empty"),
        (b" \t\n", "is empty"),
        (b"\n", "is empty"),
        (b"root=/dev/sda1\ncgroup_enable=memory\n", "more than one line"),
        (b"root=/dev/sda1\0quiet\n", "more than one line"),
        (b'root=/dev/sda1 dyndbg="file hub.c +p\n', "odd number of double quotes"),
        (b"root=/dev/sda1 -- single\n", "holds --"),
    ],
)
def test_a_line_that_cannot_be_edited_safely_is_refused(tmp_path: Path, line: bytes, words: str) -> None:
    host = make_host(tmp_path, line=line)
    fresh = contents(host.root, times=True)
    (refusal,) = refusals(prepare(host))
    assert words in refusal
    assert contents(host.root, times=True) == fresh


def test_what_the_checks_only_warn_of_is_no_refusal(tmp_path: Path) -> None:
    host = make_host(tmp_path)
    host.write("proc/swaps", "Filename Type Size\n/dev/zram0 partition 2097148 0 100\n")
    assert said(prepare(host))["rebooting"] is True


def test_every_problem_is_told_at_once(tmp_path: Path) -> None:
    host = make_host(tmp_path, line=b"two\nlines\n")
    fresh = contents(host.root, times=True)
    host.program("uname", "echo armv7l")
    host.program("getconf", "echo 32")
    host.program("dpkg", "echo armhf")
    (host.fake / "hostname").write_text("localhost\n")
    (host.root / "run/systemd/system").rmdir()
    host.write("etc/machine-id", "")
    text = "\n".join(refusals(prepare(host)))
    for words in ("armv7l", "32-bit, armhf", "'localhost'", "systemd", "machine-id", "more than one line"):
        assert words in text
    (host.root / "run/systemd/system").mkdir()
    host.write("etc/machine-id", fresh["etc/machine-id"][1])  # type: ignore[arg-type]  # bytes of the file
    assert contents(host.root).keys() == fresh.keys()
    asked = [call for call in host.calls() if call.startswith("systemctl")]
    assert all(call.startswith("systemctl is-active") for call in asked)


def test_a_64_bit_kernel_under_a_32_bit_system_is_refused(tmp_path: Path) -> None:
    host = make_host(tmp_path)
    host.program("getconf", "echo 32")
    host.program("dpkg", "echo armhf")
    (line,) = refusals(prepare(host))
    assert "32-bit" in line
    assert "64-bit image" in line


def test_missing_tools_are_named(tmp_path: Path) -> None:
    host = make_host(tmp_path)
    programs = host.fake / "bin"
    needed = (
        "date",
        "df",
        "dirname",
        "readlink",
        "bash",
        "cat",
        "cut",
        "flock",
        "grep",
        "head",
        "mktemp",
        "rm",
        "sed",
        "tr",
        "wc",
        "awk",
    )
    for tool in needed:
        found = subprocess.run(["which", tool], capture_output=True, text=True, check=True).stdout.strip()
        (programs / tool).symlink_to(found)
    stdin = render_stdin(SCRIPTS, {"ROOT": str(host.root), "HOST": "pi2", "ARCH": "arm64"})
    without = stdin.replace(":/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "")
    result = subprocess.run(
        [str(programs / "bash"), "-s", "--", "apply"],
        input=without.encode(),
        env={"PATH": str(programs), "FAKE": str(host.fake)},
        capture_output=True,
        check=False,
        timeout=60,
    )
    text = "\n".join(refusals(result))
    assert "curl is missing" in text
    assert "sha256sum is missing" in text


@pytest.mark.parametrize(
    ("tool", "pattern"),
    [
        ("mktemp", "*cmdline.txt.piray-*"),
        ("sync", "*cmdline.txt.piray-*"),
        ("mv", "*cmdline.txt.piray-backup"),
        ("mv", "*cmdline.txt"),
        ("mv", "*command-line"),
    ],
)
def test_a_partition_that_cannot_be_written_changes_nothing(tmp_path: Path, tool: str, pattern: str) -> None:
    host = make_host(tmp_path)
    fresh = contents(host.root)
    real = subprocess.run(["which", tool], capture_output=True, text=True, check=True).stdout.strip()
    failing = f"""
for word in "$@"; do
  case $word in {pattern}) echo "{tool}: $word: Read-only file system" >&2; exit 1 ;; esac
done
exec {real} "$@" """
    host.program(tool, failing)
    (line,) = refusals(prepare(host))
    assert "cannot change /boot/firmware/cmdline.txt" in line
    assert "Read-only file system" in line
    assert contents(host.root) == fresh
    assert not [call for call in host.calls() if call.startswith("systemd-run")]


_words = st.sampled_from(
    [
        "quiet",
        "root=PARTUUID=4e639091-02",
        "cgroup_enable=memory",
        "cgroup_enable=cpuset",
        "cgroup_enable=cpuset,memory",
        "cgroup_memory=1",
        "cgroup_disable=memory",
        "cgroup_disable=cpuset,memory",
        "xcgroup_enable=memory",
        "cgroup_enable=memory2",
        'dyndbg="file a.c +p"',
        "naïve=ü",
        "star=*",
        "back\\slash=%s",
    ]
)
_blanks = st.sampled_from([" ", "  ", "\t", " \t "])


@st.composite
def _lines(draw: st.DrawFn) -> bytes:
    words = draw(st.lists(_words, min_size=1, max_size=8))
    text = draw(st.sampled_from(["", " "]))
    for word in words:
        text += word + draw(_blanks)
    return (text.rstrip() + draw(st.sampled_from(["", " ", "\t"]))).encode() + draw(
        st.sampled_from([b"", b"\n", b"\r\n", b"\n\n"])
    )


@settings(max_examples=25, deadline=None)
@given(line=_lines())
def test_any_line_gets_its_options_once_and_comes_back_byte_for_byte(line: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        host = make_host(Path(folder).resolve(), "Debian", line=line)
        said(prepare(host))
        edited = command_line(host)
        end = line[len(line.rstrip(b"\r\n")) :]
        assert edited.endswith(end)
        assert edited[: len(edited) - len(end)].startswith(line.rstrip(b"\r\n"))
        effective = FIRMWARE + edited.decode()
        assert is_enabled("memory", effective)
        assert is_enabled("cpuset", effective)
        host.boot()
        assert said(prepare(host))["rebooting"] is False
        assert command_line(host) == edited
        assert prepare(host, "undo").returncode == 0
        assert command_line(host) == line
