"""How long a node is waited for, and when it is started again, with nodes that are no processes."""

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

import pytest

from infra.local import registration
from infra.local.processes import Process
from infra.local.registration import wait_for
from infra.local.state import Record, State
from infra.local.wanted import LocalRayError, Wanted

WANTED = Wanted("test", "7e" * 32, generation=0, ray_version="2.60.0", workers=1, head_cpus=1, worker_cpus=1)


@dataclass
class EndsThreeTimes:
    """A node that ends three times, each time with the same last words, and runs after its fourth start."""

    said: str
    starts: int = 0

    def start(self, name: str, wanted: Wanted, state: State) -> None:
        self.starts += 1
        state.log(name).write_text(f"{self.said}\n")
        state.keep(name, Record(Process(1, "never"), str(self.starts), wanted.settings(name)))

    def is_running(self, name: str, state: State) -> bool:
        return self.starts == 4

    def counted(self, name: str) -> frozenset[tuple[str, str]] | None:
        return frozenset({(name, "4")}) if self.starts == 4 else None


def starts_again(monkeypatch: pytest.MonkeyPatch, folder: Path, name: str, said: str) -> int:
    """Wait for a node that ends three times and return how often it was started."""
    monkeypatch.setenv("XDG_STATE_HOME", str(folder))
    state = State("test")
    state.create()
    node = EndsThreeTimes(said)

    def stop(names: Collection[str], state: State) -> None:
        assert list(names) == [name]

    monkeypatch.setattr(registration, "start", node.start)
    monkeypatch.setattr(registration, "stop", stop)
    monkeypatch.setattr(registration, "is_running", node.is_running)
    monkeypatch.setattr(registration, "counted_nodes", lambda port, token: node.counted(name))
    monkeypatch.setattr(registration, "_POLL_S", 0)
    try:
        node.start(name, WANTED, state)
        wait_for([name], WANTED, state)
    finally:
        state.remove()
    return node.starts


@pytest.mark.parametrize("node", ["head", "worker-1"])
def test_a_node_that_was_too_slow_for_ray_is_started_again(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, node: str
) -> None:
    said = "Exception: The current node timed out during startup. This could"
    assert starts_again(monkeypatch, tmp_path, node, said) == 4


def test_a_node_that_ends_twice_for_another_reason_is_given_up_with_its_last_words(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with pytest.raises(LocalRayError, match="worker-1 did not start.*Address already in use"):
        starts_again(monkeypatch, tmp_path, "worker-1", "Address already in use")
