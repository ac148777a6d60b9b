"""What is on record of the nodes, also after an interrupted run or one of an older version."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from infra.local.nodes import generation, unfit_nodes
from infra.local.processes import Process, find_process
from infra.local.state import Record, State
from infra.local.wanted import Wanted

WANTED = Wanted("test", "7e" * 32, generation=0, ray_version="2.60.0", workers=2, head_cpus=1, worker_cpus=3)


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[State]:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    state = State("test")
    yield state
    # The directory of Ray's sockets is not in tmp_path.
    state.remove()


def me() -> Process:
    process = find_process(os.getpid())
    assert process is not None
    return process


def keep(state: State, *names: str) -> frozenset[tuple[str, str]]:
    """Put nodes on record that run as the stack wants them, and return what the cluster counts then."""
    state.create()
    for name in names:
        state.keep(name, Record(me(), "1-1", WANTED.settings(name)))
    return frozenset((name, "1-1") for name in names)


def test_what_is_kept_is_read_again(state: State) -> None:
    keep(state, "worker-1")
    assert state.record("worker-1") == Record(me(), "1-1", "3 cpus, ray 2.60.0")
    state.generation = 7
    assert State("test").generation == 7
    state.remove()
    assert not state.folder.exists()


def test_a_node_that_an_older_version_has_started_goes_on_running(state: State) -> None:
    counted = keep(state, "head")
    pid, started = me()
    text = f"pid={pid}\nstarted={started}\nstart=1-1\nas=1 cpus, ray 2.60.0, token 2914683155 64\n"
    (state.folder / "nodes" / "head").write_text(text)
    assert unfit_nodes(WANTED, state, counted) == []


def test_nodes_that_are_too_many_or_not_counted_or_ended_are_unfit_and_the_others_are_not(
    state: State,
) -> None:
    counted = keep(state, "head", "worker-1", "worker-2", "worker-3")
    assert unfit_nodes(WANTED, state, counted) == ["worker-3"]
    assert unfit_nodes(WANTED, state, counted - {("worker-1", "1-1")}) == ["worker-1", "worker-3"]
    state.keep("worker-2", Record(Process(os.getpid(), "earlier"), "1-1", WANTED.settings("worker-2")))
    assert unfit_nodes(WANTED, state, counted) == ["worker-2", "worker-3"]
    state.keep("head", Record(me(), "1-1", "2 cpus, ray 2.60.0"))
    assert len(unfit_nodes(WANTED, state, counted)) == 4, (
        "workers have nothing to go on with without their head"
    )


@pytest.mark.parametrize("text", ["", "pid=\n", "no record"])
def test_a_record_that_a_cut_has_left_counts_as_a_dead_node(state: State, text: str) -> None:
    keep(state, "head")
    (state.folder / "nodes" / "head").write_text(text)
    assert state.record("head") is None
    assert generation("test") == 1


def test_a_process_that_ended_before_it_could_be_recorded_is_dead(state: State) -> None:
    keep(state, "head")
    state.keep("head", Record(Process(2**22 + 1, ""), "1-1", WANTED.settings("head")))
    assert generation("test") == 1


def test_no_other_directory_is_removed_for_the_one_of_rays_sockets(state: State, tmp_path: Path) -> None:
    keep(state, "head")
    elsewhere = tmp_path / "piray-else"
    elsewhere.mkdir()
    own = state.temp
    (state.folder / "temp").write_text(f"{elsewhere}\n")
    state.remove()
    assert elsewhere.is_dir()
    assert own is not None
    own.rmdir()
