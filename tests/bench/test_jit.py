"""What counts as a cold and as a warm process; nothing is timed here."""

from pathlib import Path

import pytest

from bench import jit
from bench.figures import WrongAnswer
from bench.jit import Start

COLD, WARM = Start(1.0, 1.5, "picture", 1, 0), Start(0.1, 0.5, "picture", 0, 1)


def starts(monkeypatch: pytest.MonkeyPatch, cold: Start, warm: Start) -> None:
    """Have processes start so: the first one in a folder is cold."""
    known: set[Path] = set()

    def start(folder: Path) -> Start:
        first = folder not in known
        known.add(folder)
        return cold if first else warm

    monkeypatch.setattr(jit, "_start", start)


def test_the_ratios_are_those_of_cold_to_warm(monkeypatch: pytest.MonkeyPatch) -> None:
    starts(monkeypatch, COLD, WARM)
    assert [figure.ratio for figure in jit.figures()] == [10.0, 3.0]


@pytest.mark.parametrize(
    ("cold", "warm", "message"),
    [
        (Start(1.0, 1.5, "picture", 0, 1), WARM, "in an empty folder"),
        (COLD, Start(0.1, 0.5, "picture", 1, 0), "compiled what was there"),
        (COLD, Start(0.1, 0.5, "another", 0, 1), "another picture"),
    ],
)
def test_a_process_that_does_something_else_is_no_figure(
    monkeypatch: pytest.MonkeyPatch, cold: Start, warm: Start, message: str
) -> None:
    starts(monkeypatch, cold, warm)
    with pytest.raises(WrongAnswer, match=message):
        jit.figures()
