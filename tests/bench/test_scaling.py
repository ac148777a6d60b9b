"""What the bench makes of the rounds that a race and a sweep told; fixed numbers, and nothing is timed."""

from types import SimpleNamespace
from typing import Any

import pytest

from bench import scaling
from bench.figures import Verdict
from bench.ratios import Interval, Ratio
from workloads.mandelbrot.plan import Plan

IDEAL = Ratio(0.9, Interval(0.8, 1.0, 0.95))
COSTS = {"call_s": 0.001, "copy_bytes_s": 1e9, "driver_cores": 2}


def sweep(kind: str, base_s: list[float], last_s: list[float]) -> dict[str, Any]:
    """Return a problem with rows of the driver alone and of two workers."""
    rows = [{"actors": actors, "values_s": values} for actors, values in ((0, base_s), (2, last_s))]
    return {"name": "more pixels", "kind": kind, "rows": rows}


@pytest.mark.parametrize(("kind", "efficiency"), [("strong", 0.8), ("weak", 1.6)])
def test_efficiency_is_compared_round_by_round(kind: str, efficiency: float) -> None:
    figure = scaling._efficiency(sweep(kind, [1.6, 3.2, 1.6], [1.0, 2.0, 1.0]), IDEAL)
    assert figure.ratio == pytest.approx(efficiency / 0.9)
    assert figure.interval is not None
    # A quotient of two intervals, of which that of three rounds is 75 % sure.
    assert figure.interval.low == pytest.approx(efficiency / 1.0)
    assert figure.interval.high == pytest.approx(efficiency / 0.8)
    assert figure.interval.confidence == pytest.approx(0.7)


def test_a_row_that_lacks_the_last_rounds_is_compared_in_those_that_it_has() -> None:
    figure = scaling._efficiency(sweep("strong", [1.6, 1.6, 9.9], [1.0, 1.0]), IDEAL)
    assert figure.ratio == pytest.approx(0.8 / 0.9)


def test_each_round_is_simulated_with_the_speed_of_that_round(monkeypatch: pytest.MonkeyPatch) -> None:
    def predict(_: Plan, cores: tuple[int, ...], kernel_s: float, __: Any) -> Any:
        return SimpleNamespace(wall_s=kernel_s / cores[0])

    monkeypatch.setattr(scaling, "predict", predict)
    times = {
        "one core": [2.0, 4.0, 2.0],
        "Ray, one core": [2.5, 5.0, 2.5],
        "independent": [1.0, 3.0, 1.0],
        "Ray": [1.0, 2.0, 1.25],
    }
    picture = {"seconds": 2.0, "plan": Plan().to_dict(), "times": times}
    one, two = scaling._predictions({"pictures": [picture], "costs": COSTS})
    assert (one.ratio, one.interval) == (0.8, Interval(0.8, 0.8, 0.75))
    # Simulated over measured is 1, 1.5 and 0.8: as close as can be, and as far as 1 / 1.5.
    assert (two.ratio, two.interval) == (1.0, Interval(1 / 1.5, 1.0, 0.75))
    assert (one.verdict, two.verdict) == (Verdict.OPEN, Verdict.TOO_NOISY)


def test_the_interval_of_the_simulated_pis_is_that_of_the_worst_problem() -> None:
    worst = Ratio(0.8, Interval(0.7, 0.85, 0.75))
    figure = scaling._agreement(2, {"deep": worst, "more": Ratio(0.97, Interval(0.6, 1.0, 0.75))})
    assert (figure.ratio, figure.interval, figure.verdict) == (0.8, worst.interval, Verdict.OPEN)
    assert "deep 0.80, more 0.97" in figure.how
