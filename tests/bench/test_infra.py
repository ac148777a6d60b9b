"""What the benchmark of the Pulumi program measures, and that it refuses a wrong answer."""

import json
from pathlib import Path
from typing import Any

import pytest

from bench import infra
from bench.figures import WrongAnswer
from bench.infra import Took
from infra.config.values.ssh_keys import parse_host_key


def takes(per_host: float, *, wrong_preview: int = 0) -> Any:
    """Return stand-ins for a run under mocks and a preview: seconds for each host, four resources each."""

    def under_mocks(_: Path, config: Any) -> Took:
        size = len(json.loads(config["piray:hosts"]))
        return Took(1 + per_host * size, 100.0, 16 + 4 * size)

    def preview(size: int, engine: Path | None) -> Took:
        return Took(1 + per_host * size, 100.0, 16 + 4 * size + wrong_preview)

    return under_mocks, preview


@pytest.fixture(autouse=True)
def no_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bench.infra.shutil.which", lambda _: None)


def test_a_linear_program_of_four_resources_a_host_is_good(monkeypatch: pytest.MonkeyPatch) -> None:
    under_mocks, preview = takes(0.01)
    monkeypatch.setattr(infra, "_under_mocks", under_mocks)
    monkeypatch.setattr(infra, "_preview", preview)
    assert [round(figure.ratio, 6) for figure in infra.figures()] == [1.0, 1.0, 1.0, 1.0]


def test_a_preview_that_would_make_something_else_is_a_wrong_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    under_mocks, preview = takes(0.01, wrong_preview=1)
    monkeypatch.setattr(infra, "_under_mocks", under_mocks)
    monkeypatch.setattr(infra, "_preview", preview)
    with pytest.raises(WrongAnswer, match="would create 33 resources for 4 hosts, not 32"):
        infra.figures()


def test_the_program_and_its_peer_run_under_mocks() -> None:
    config = infra._config(5, servers=3)
    ours, peer = (infra._under_mocks(program, config) for program in (infra.PROGRAM, infra.PEER))
    assert (ours.resources, peer.resources) == (42, 20)
    assert min(ours.seconds, ours.megabytes, peer.seconds, peer.megabytes) > 0


def test_host_keys_are_well_formed() -> None:
    assert parse_host_key(infra._host_key("pi1")) != parse_host_key(infra._host_key("pi2"))
