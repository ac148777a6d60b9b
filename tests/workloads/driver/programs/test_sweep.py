"""Problems of a sweep, and a whole one."""

import json
from pathlib import Path

import pytest

from tests.workloads.cli.test_app import piray
from workloads.driver.programs.sweep import DEEP_VIEW, MAX_TILE, ScalingProblem, problems
from workloads.mandelbrot.plan import MAX_GRIDS, MAX_ITERATIONS, Plan
from workloads.scaling.row_work import row_work


def work(plan: Plan) -> float:
    return float(row_work(plan).sum())


def test_problems_are_as_much_work_as_asked_for_but_the_articles_is_what_it_is() -> None:
    article, *others = problems(seconds=2.0, speed=1e9)
    assert article.plan == Plan()
    assert {problem.plan.view for problem in others} == {Plan().view, DEEP_VIEW}
    for problem in others:
        assert work(problem.plan) == pytest.approx(2e9, rel=0.1)


def test_a_problem_is_as_large_as_it_may_be_where_that_is_too_little() -> None:
    plans = [problem.plan for problem in problems(seconds=1e9, speed=1e9)[1:]]
    assert {plan.grid_width for plan in plans} == {100, MAX_TILE}
    assert MAX_ITERATIONS in {plan.max_iterations for plan in plans}


def test_a_weak_problem_grows_with_the_cores_and_a_strong_one_does_not() -> None:
    plan = Plan(y_grids=8)
    assert ScalingProblem("same", "strong", plan).for_cores(12, 1) == plan
    weak = ScalingProblem("more", "weak", plan)
    assert [weak.for_cores(cores, 2).y_grids for cores in (2, 3, 4)] == [8, 12, 16]
    assert weak.for_cores(10**6, 1).y_grids == MAX_GRIDS


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
