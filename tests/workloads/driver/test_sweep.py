"""Problems of a sweep, and how their scaling is shown."""

import io
import json
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from tests.workloads.cli.test_app import piray
from workloads.driver.sweep import DEEP_VIEW, MAX_TILE, Problem, problems
from workloads.mandelbrot.plan import MAX_GRIDS, MAX_ITERATIONS, Plan
from workloads.results.sweep_tables import analyse, print_sweep, to_dict
from workloads.scaling.forecast import Costs
from workloads.scaling.row_work import row_work


def work(plan: Plan) -> float:
    return float(row_work(plan).sum())


def test_problems_are_as_much_work_as_asked_for_but_the_write_ups_is_what_it_is() -> None:
    write_up, *others = problems(seconds=2.0, speed=1e9)
    assert write_up.plan == Plan()
    assert {problem.plan.view for problem in others} == {Plan().view, DEEP_VIEW}
    for problem in others:
        assert work(problem.plan) == pytest.approx(2e9, rel=0.1)


def test_a_problem_is_as_large_as_it_may_be_where_that_is_too_little() -> None:
    plans = [problem.plan for problem in problems(seconds=1e9, speed=1e9)[1:]]
    assert {plan.grid_width for plan in plans} == {100, MAX_TILE}
    assert MAX_ITERATIONS in {plan.max_iterations for plan in plans}


def test_a_weak_problem_grows_with_the_cores_and_a_strong_one_does_not() -> None:
    plan = Plan(y_grids=8)
    assert Problem("same", "strong", plan).for_cores(12, 1) == plan
    weak = Problem("more", "weak", plan)
    assert [weak.for_cores(cores, 2).y_grids for cores in (2, 3, 4)] == [8, 12, 16]
    assert weak.for_cores(10**6, 1).y_grids == MAX_GRIDS


def measured(kind: str = "strong", name: str = "the write-up's") -> dict[str, Any]:
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


def test_a_table_shows_every_row_its_efficiency_and_the_write_ups_figure() -> None:
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
    assert "Row 3 lacks rounds: a worker was lost for good" in shown(part)
    assert len(to_dict(part, COSTS)["scaling"]["gains"]) == 3


def test_a_problem_that_lost_all_its_workers_does_not_take_the_others_with_it() -> None:
    nothing = {**measured(), "rows": [], "dropped": [0, 1, 2, 3]}
    raw = io.StringIO()
    print_sweep(
        [to_dict(one, COSTS) for one in (nothing, measured("weak", "more rows"))], Console(file=raw, width=80)
    )
    assert "The write-up's: 3200 x 3200 pixels" in " ".join(raw.getvalue().split())
    assert "nothing measured: a worker was lost for good" in " ".join(raw.getvalue().split())
    assert "Gustafson's law" in raw.getvalue()
    assert to_dict(nothing, COSTS)["scaling"] is None


@pytest.mark.ray
def test_a_sweep_measures_every_problem_with_every_number_of_workers(tmp_path: Path) -> None:
    done = piray("sweep", "--seconds=0.01", "--repeats=2", "--workers=1", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    values = json.loads((tmp_path / "sweep.json").read_text())
    assert (values["workload"], values["unit"]) == ("sweep", "core")
    assert [problem["kind"] for problem in values["problems"]] == ["strong"] * 4 + ["weak"]
    for problem in values["problems"]:
        assert [row["workers"] for row in problem["rows"]] == [0, 1]
        assert all(len(row["values_s"]) == len(row["busy_s"]) == 2 for row in problem["rows"])
        assert [row["simulated_s"] is None for row in problem["rows"]] == [True, False]
        assert problem["scaling"]["gains"][0]["efficiency"]["value"] == 1.0
    assert "Amdahl's law: not determined" in " ".join(done.stdout.split())
    assert "With many nodes like these" in done.stdout
    assert [limit["outcomes"].keys() for limit in values["more_nodes"]] == [{"4", "16", "64", "1000"}] * 4
