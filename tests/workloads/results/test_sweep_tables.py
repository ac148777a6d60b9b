"""How the scaling of a sweep's problems is shown."""

import io
from typing import Any

import pytest
from rich.console import Console

from workloads.mandelbrot.plan import Plan
from workloads.results.sweep_tables import analyse, more_nodes, print_forecasts, print_sweep, to_dict
from workloads.scaling import laws
from workloads.scaling.forecast import ARTICLE_PROBLEM, Costs


def measured(kind: str = "strong", name: str = ARTICLE_PROBLEM) -> dict[str, Any]:
    times = {0: (0, 40.0), 1: (1, 42.0), 2: (2, 21.0), 3: (3, 15.0)}
    return {
        "name": name,
        "kind": kind,
        "plan": Plan().to_dict(),
        "rows": [
            {
                "workers": workers,
                "nodes": ["here"],
                "actors": actors,
                "cores": [actors],
                "plan": Plan().to_dict(),
                "values_s": [seconds, seconds * 1.01, seconds * 0.99],
                "busy_s": [seconds * max(1, actors) * 0.9] * 3,
            }
            for workers, (actors, seconds) in times.items()
        ],
        "dropped": [],
    }


COSTS = Costs(call_s=1e-3, copy_bytes_s=1e9, driver_cores=4)


def shown(problem: dict[str, Any]) -> str:
    raw = io.StringIO()
    print_sweep([to_dict(problem, COSTS)], Console(file=raw, width=80))
    return raw.getvalue()


def test_rows_are_compared_with_one_core_without_ray() -> None:
    found = analyse(measured())
    speedups = {gain.cores: gain.speedup.value for gain in found.gains}
    assert speedups == pytest.approx({1: 1.0, 2: 40 / 21, 3: 40 / 15})
    assert to_dict(measured(), COSTS)["scaling"]["gains"][1]["efficiency"]["value"] == pytest.approx(20 / 21)


def test_a_table_shows_every_row_its_efficiency_and_the_articles_figure() -> None:
    lines = [line.split() for line in shown(measured()).splitlines()]
    assert ["1", "1", "42.00", "37.84", "90", "%", "0.95", "95", "%", "(95-95)", "0.93"] in lines
    assert ["3", "3", "15.00", "13.56", "90", "%", "2.67", "89", "%", "(89-89)", "1.30"] in lines
    assert "…" not in shown(measured())


def test_the_laws_are_said_in_words() -> None:
    strong, weak = shown(measured()), shown(measured("weak", "more rows"))
    assert "Amdahl's law: serial fraction 0.0" in strong
    assert "contention sigma" in strong
    assert "Gustafson's law: serial fraction" in weak
    assert "(weak scaling)" in weak


def test_a_row_that_lost_its_workers_is_named_and_the_other_rows_are_shown() -> None:
    part = {**measured(), "dropped": [3]}
    part["rows"][3] |= {"values_s": [15.0], "busy_s": [40.0]}
    assert "Row 3 lacks rounds: a worker was lost and did not come back" in shown(part)
    assert len(to_dict(part, COSTS)["scaling"]["gains"]) == 3


def test_a_problem_that_lost_all_its_workers_does_not_take_the_others_with_it() -> None:
    nothing = {**measured(), "rows": [], "dropped": [0, 1, 2, 3]}
    raw = io.StringIO()
    print_sweep(
        [to_dict(one, COSTS) for one in (nothing, measured("weak", "more rows"))], Console(file=raw, width=80)
    )
    assert "The 2020 article's: 3200 x 3200 pixels" in " ".join(raw.getvalue().split())
    assert "nothing measured: a worker was lost and did not come back" in " ".join(raw.getvalue().split())
    assert "Gustafson's law" in raw.getvalue()
    assert to_dict(nothing, COSTS)["scaling"] is None


def test_each_law_is_fitted_once_for_the_file_and_the_table(monkeypatch: pytest.MonkeyPatch) -> None:
    fits: list[str] = []
    fit = laws._law

    def counted(name: str, *arguments: Any) -> laws.Law:
        fits.append(name)
        law: laws.Law = fit(name, *arguments)
        return law

    monkeypatch.setattr(laws, "_law", counted)
    assert "contention sigma" in shown(measured())
    assert fits == ["amdahl", "usl"]


def test_a_small_speed_up_keeps_its_digits() -> None:
    slow = measured()
    slow["rows"][3] |= {"values_s": [9000.0] * 3, "busy_s": [40.0] * 3}
    assert "0.0044" in shown(slow).split()


def test_only_the_article_s_problem_stands_beside_the_article() -> None:
    assert "Article" in shown(measured())
    assert "Article" not in shown(measured(name="more pixels"))


def test_many_nodes_are_foretold_and_what_holds_them_back_is_said() -> None:
    costs = Costs(call_s=1e-3, copy_bytes_s=1e9, driver_cores=4)
    found = more_nodes(
        {"speeds": [1e9], "costs": costs.to_dict(), "problems": [measured(), measured("weak")]}
    )
    assert [forecast.picture for forecast in found] == [ARTICLE_PROBLEM]
    raw = io.StringIO()
    print_forecasts(found, costs, Console(file=raw, width=80))
    text = " ".join(raw.getvalue().split())
    assert "110 MB/s into the head and 0.3 ms to it (assumed)" in text
    assert '"90 % up to" is the largest number of nodes with such an efficiency' in text
