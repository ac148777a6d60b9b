"""The checks on fake hosts: what is wrong with a host, and what is said about it."""

import json
from pathlib import Path
from typing import Any

import pytest

from infra.hosts.check_list import CHECKS
from tests.infra.fake_host import ADDRESS, LINE, FakeHost, contents, make_host
from tests.infra.hosts import machine_cases, network_cases
from tests.infra.hosts.case import Case
from tests.infra.hosts.machine_cases import GOOD_LINE
from tests.infra.hosts.network_cases import UFW

CASES = {**machine_cases.CASES, **network_cases.CASES}


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


def test_a_firewall_that_lets_in_single_hosts_may_let_in_all_of_them(tmp_path: Path) -> None:
    host = good_host(tmp_path)
    host.program("ufw", f"{UFW}; echo 'Anywhere ALLOW 198.51.100.3'; echo 'Anywhere ALLOW 10.0.0.0/8'")
    (finding,) = examine(host)
    assert finding["severity"] == "warning"
    assert "8472/udp, 10250/tcp" in finding["what"]
    assert "10.42" not in finding["what"]


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
