"""What the doctor prints, and its exit status; the visits are made up."""

import json
import shutil
from collections.abc import Sequence

import pytest

from infra.doctor import __main__ as doctor
from infra.doctor.channel import check_version
from infra.doctor.finding import Finding, error, info, warning
from infra.doctor.stack import DoctorError
from infra.doctor.visit import Visit
from infra.remote import agent
from tests.infra.doctor.made import not_seen, stack, visit

NEWEST = {"stable": "v1.36.5+k3s1", "v1.36": "v1.36.5+k3s1", "v1.35": "v1.35.9+k3s1"}
SWAP = warning("swap", "swap is on", "times vary", "run: sudo swapoff --all")
OFF = error("reachable", "no connection", "every step goes over SSH", "switch it on")


@pytest.fixture
def visits(monkeypatch: pytest.MonkeyPatch) -> list[Visit]:
    """Return what the next visits bring; empty it and fill it."""
    made = [visit(1), visit(2)]
    monkeypatch.setattr(doctor, "read_stack", lambda name: stack("server", "agent", workers=1))
    monkeypatch.setattr(doctor, "visit_all", lambda *_: made)
    monkeypatch.setattr(doctor, "newest_by_channel", dict)
    monkeypatch.setattr(agent, "judge", lambda *_, **__: agent.Verdict())
    monkeypatch.setattr(shutil, "which", lambda name: name)
    return made


def test_without_errors_the_status_is_0_also_with_warnings(
    visits: list[Visit], capsys: pytest.CaptureFixture[str]
) -> None:
    visits[:] = [visit(1, SWAP), visit(2, SWAP)]
    assert doctor.main(["home"]) == 0
    said = capsys.readouterr().out
    # The same of two hosts is told once.
    assert said.count("swap is on") == 1
    assert "pi1, pi2" in said
    assert "0 errors, 2 warnings" in said


def test_with_an_error_the_status_is_1_and_the_worst_comes_first(
    visits: list[Visit], capsys: pytest.CaptureFixture[str]
) -> None:
    visits[:] = [visit(1, info("docker", "Docker runs"), SWAP), not_seen(2, OFF)]
    assert doctor.main(["home"]) == 1
    said = capsys.readouterr().out
    assert said.index("no connection") < said.index("swap is on") < said.index("Docker runs")
    assert "switch it on" in said


def test_the_json_holds_everything_under_keys_that_stay(
    visits: list[Visit], capsys: pytest.CaptureFixture[str]
) -> None:
    visits[:] = [visit(1, SWAP), not_seen(2, OFF)]
    assert doctor.main(["home", "--json"]) == 1
    said = json.loads(capsys.readouterr().out)
    assert said.keys() == {"version", "stack", "counts", "hosts", "findings"}
    assert said["counts"] == {"error": 1, "warning": 1, "info": 0}
    first, second = said["hosts"]
    assert first.keys() == {"name", "address", "role", "facts", "findings"}
    assert first["findings"] == [
        {
            "severity": "warning",
            "id": "swap",
            "what": "swap is on",
            "rule": "times vary",
            "remedy": "run: sudo swapoff --all",
        }
    ]
    assert second["facts"] is None


def test_what_no_look_can_be_taken_at_is_status_2(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(name: str) -> None:
        raise DoctorError(f"there is no stack file Pulumi.{name}.yaml")

    monkeypatch.setattr(doctor, "read_stack", refuse)
    monkeypatch.setattr(shutil, "which", lambda name: name)
    assert doctor.main(["home"]) == 2
    assert capsys.readouterr().err.startswith("piray: there is no stack file")


def test_an_agent_that_is_gone_is_an_error_of_the_stack(
    visits: list[Visit], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    verdict = agent.Verdict(problem="no SSH agent answers; run: unset SSH_AUTH_SOCK")
    monkeypatch.setattr(agent, "judge", lambda *_, **__: verdict)
    assert doctor.main(["home", "--json"]) == 1
    (finding,) = json.loads(capsys.readouterr().out)["findings"]
    assert (finding["what"], finding["remedy"]) == ("no SSH agent answers", "run: unset SSH_AUTH_SOCK")


@pytest.mark.parametrize(
    ("version", "expected"),
    [
        ("v1.36.5+k3s1", []),
        ("v1.36.3+k3s1", ["warning"]),
        ("v1.35.9+k3s1", ["info"]),
        ("v1.37.0+k3s1", []),
        ("own", []),
    ],
)
def test_a_k3s_behind_its_channel_is_a_warning(version: str, expected: Sequence[str]) -> None:
    found: list[Finding] = check_version(version, NEWEST)
    assert [one.severity for one in found] == expected
    assert check_version(version, {}) == []


LOGIN = error("login", "user ada may not log in with any key of your SSH agent", "the key", "ssh-copy-id")


def test_a_missing_agent_is_told_once_and_not_again_of_each_host(
    visits: list[Visit], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    verdict = agent.Verdict(problem="there is no SSH agent; load your key")
    monkeypatch.setattr(agent, "judge", lambda *_, **__: verdict)
    visits[:] = [not_seen(1, LOGIN), not_seen(2, OFF)]
    assert doctor.main(["home", "--json"]) == 1
    told = json.loads(capsys.readouterr().out)
    assert [one["what"] for one in told["findings"]] == ["there is no SSH agent"]
    # What has nothing to do with keys is told of its host.
    assert [[one["id"] for one in host["findings"]] for host in told["hosts"]] == [[], ["reachable"]]
    assert told["counts"]["error"] == 2


def test_a_refused_login_is_told_where_the_agent_is_fine(
    visits: list[Visit], capsys: pytest.CaptureFixture[str]
) -> None:
    visits[:] = [visit(1), not_seen(2, LOGIN)]
    assert doctor.main(["home"]) == 1
    assert "may not log in" in capsys.readouterr().out


def test_a_stack_without_pis_is_said_to_give_nothing_to_look_at(capsys: pytest.CaptureFixture[str]) -> None:
    assert doctor.main(["local"]) == 0
    said = capsys.readouterr()
    assert "there is nothing to look at: stack local is of platform local" in said.err
    assert "Nothing was checked" in said.err
    assert doctor.main(["local", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["version"], told["stack"], told["hosts"], told["findings"]) == (1, "local", [], [])
