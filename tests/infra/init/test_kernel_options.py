"""The kernel options on a card are those that `prepare.sh` sets on a Pi that runs."""

import re
from pathlib import Path

import pytest

from infra.config.problems import InvalidValueError
from infra.hosts.check_list import PREPARE
from infra.init.cards.kernel_options import OPTIONS, with_options
from tests.infra.fake_host import LINE, make_host

ROOT = Path(__file__).resolve().parents[3]
ALL = " ".join(OPTIONS).encode()


def prepared(folder: Path, content: bytes) -> bytes | None:
    """Return what prepare.sh makes of a command line; None if it refuses it."""
    host = make_host(folder, line=content)
    result = host.run(PREPARE, "apply", ARCH="arm64")
    assert host.command_line is not None
    return None if result.returncode else host.command_line.read_bytes()


def test_the_options_are_those_that_a_running_pi_gets() -> None:
    script = (ROOT / "infra/hosts/checks/kernel_options.sh").read_text()
    declared = re.search(r"^TOKENS=\((.*)\)$", script, re.MULTILINE)
    assert declared is not None
    assert tuple(declared[1].split()) == OPTIONS


@pytest.mark.parametrize(
    "content",
    [
        LINE,
        LINE.rstrip(b"\n"),
        LINE.replace(b"\n", b"\r\n"),
        LINE.rstrip(b"\n") + b" " + ALL + b"\n",
        b"root=x " + ALL + b" cgroup_disable=memory\n",
        b"root=x cgroup_disable=memory " + ALL + b"\n",
        b"root=x cgroup_enable=cpuset,memory quiet\n",
        b"root=x cgroup_enable=cpuset cgroup_disable=cpuset,memory\n",
        b"root=x cgroup_memory=1 cgroup_memory=0 cgroup_enable=memory\n",
        b'root=x dyndbg="file a +p cgroup_enable=memory" quiet\n',
        b"",
        b"  \n",
        b"root=x\nquiet\n",
        b'root=x dyndbg="open\n',
        b"root=x -- single\n",
    ],
)
def test_a_command_line_becomes_what_prepare_sh_makes_of_it(tmp_path: Path, content: bytes) -> None:
    expected = prepared(tmp_path, content)
    if expected is None:
        with pytest.raises(InvalidValueError):
            with_options(content)
    else:
        assert with_options(content) == expected
        assert with_options(expected) == expected


def test_bytes_that_are_no_text_stay_as_they_are() -> None:
    assert with_options(b"root=x note=caf\xe9\n") == b"root=x note=caf\xe9 " + ALL + b"\n"
