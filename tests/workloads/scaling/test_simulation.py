"""The simulation where the answer is known: no cost, one cost that decides, no second unaccounted for."""

import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from workloads.mandelbrot.plan import Plan
from workloads.scaling.forecast import Costs, forecasts, predict
from workloads.scaling.simulated_cluster import SimulatedCluster
from workloads.scaling.simulation import CAUSES, simulate

SPEED = 1e6


def picture(side: int) -> Plan:
    return Plan(x_grids=1, y_grids=1, grid_width=side, grid_height=side)


def even(plan: Plan, updates: float = 1.0) -> NDArray[np.float64]:
    return np.full(plan.height, plan.width * updates)


@st.composite
def clusters(draw: st.DrawFn) -> SimulatedCluster:
    return SimulatedCluster(
        cores=tuple(draw(st.lists(st.integers(1, 3), min_size=1, max_size=6))),
        speed=SPEED,
        call_s=draw(st.sampled_from([0.0, 1e-4, 1e-2])),
        gap_s=draw(st.sampled_from([0.0, 1e-3])),
        start_s=draw(st.sampled_from([0.0, 0.1])),
        latency_s=draw(st.sampled_from([0.0, 1e-3, 0.1])),
        link_bytes_s=draw(st.sampled_from([math.inf, 1e6, 1e4])),
        copy_bytes_s=draw(st.sampled_from([math.inf, 1e6])),
        spare_core=draw(st.booleans()),
        spread=draw(st.sampled_from([0.0, 0.3])),
        straggler=draw(st.sampled_from([1.0, 8.0])),
    )


@settings(deadline=None)
@given(clusters(), st.sampled_from([0.0, 0.5]), st.integers(0, 9))
def test_every_second_of_every_core_is_accounted_for(
    cluster: SimulatedCluster, error: float, seed: int
) -> None:
    plan = picture(300)
    outcome = simulate(plan, even(plan, 4), cluster, error, seed)
    assert set(outcome.lost) == set(CAUSES)
    assert all(lost >= 0 for lost in outcome.lost.values())
    assert outcome.efficiency + sum(outcome.lost.values()) == pytest.approx(1)
    assert 0 < outcome.busy_s <= outcome.workers * outcome.wall_s * (1 + 1e-9)


@pytest.mark.parametrize("workers", [1, 2, 3, 12])
def test_without_costs_nothing_is_lost_but_the_last_strips(workers: int) -> None:
    plan = picture(1024)
    outcome = simulate(plan, even(plan), SimulatedCluster((workers,), SPEED))
    strip_s = 8 * plan.width / SPEED
    ideal_s = plan.width * plan.height / SPEED / workers
    assert ideal_s <= outcome.wall_s * (1 + 1e-9) <= ideal_s + 2 * strip_s
    assert outcome.busy_s == pytest.approx(ideal_s * workers)
    assert outcome.efficiency == pytest.approx(ideal_s / outcome.wall_s)


def test_the_same_seed_gives_the_same_time() -> None:
    plan, cluster = picture(300), SimulatedCluster((2, 2), SPEED, 1e-4, spread=0.2)
    first, again, other = (simulate(plan, even(plan), cluster, 0.3, seed) for seed in (1, 1, 2))
    assert first == again
    assert first != other


@pytest.mark.parametrize(("workers", "bound"), [(5, False), (41, True)])
def test_the_driver_decides_where_results_come_faster_than_it_places_them(workers: int, bound: bool) -> None:
    # A core makes SPEED / 100 bytes a second, the driver places those of twenty.
    plan = picture(2000)
    cluster = SimulatedCluster((workers,), SPEED, call_s=1e-6, copy_bytes_s=20 * SPEED / 100)
    outcome = simulate(plan, even(plan, 100), cluster)
    # A worker needs as long to put its result into memory: a twentieth of its work.
    most = 20 / workers if bound else 1 / 1.05
    assert 0.85 * most < outcome.efficiency <= most * 1.02
    assert (outcome.main_cause == "driver") == bound
    assert outcome.lost["call"] == pytest.approx(outcome.efficiency / 20, rel=0.1)


@pytest.mark.parametrize(("workers", "good"), [(10, True), (300, False)])
def test_a_call_for_each_worker_may_not_take_as_long_as_its_work(workers: int, good: bool) -> None:
    # 105 s of work and 0.01 s a call: with 102 workers both are the same.
    plan = Plan(x_grids=10, y_grids=10, grid_width=1024, grid_height=1024)
    outcome = simulate(plan, even(plan), SimulatedCluster((workers,), SPEED, call_s=1e-2))
    assert outcome.efficiency > 0.95 if good else outcome.efficiency < 0.4


def test_workers_that_are_too_many_do_little_harm() -> None:
    plan = Plan(x_grids=10, y_grids=10, grid_width=1024, grid_height=1024)
    few, many = (
        simulate(plan, even(plan), SimulatedCluster((count,), SPEED, call_s=1e-2)) for count in (100, 300)
    )
    assert many.wall_s < 1.25 * few.wall_s


@pytest.mark.parametrize(("nodes", "bound"), [(5, False), (41, True)])
def test_the_link_decides_where_results_come_faster_than_it_takes_them(nodes: int, bound: bool) -> None:
    # A core makes SPEED / 100 bytes a second, the link takes those of twenty.
    plan = picture(2000)
    cluster = SimulatedCluster((1,) * nodes, SPEED, call_s=1e-6, link_bytes_s=20 * SPEED / 100)
    outcome = simulate(plan, even(plan, 100), cluster)
    # The driver's own core sends nothing over it.
    most = 21 / nodes if bound else 1.0
    assert 0.85 * most < outcome.efficiency <= most * 1.02
    assert (outcome.lost["link"] > 0.4) == bound


def test_the_results_of_the_drivers_node_cross_no_link() -> None:
    plan = picture(300)
    alone = simulate(plan, even(plan), SimulatedCluster((2,), SPEED))
    assert simulate(plan, even(plan), SimulatedCluster((2,), SPEED, latency_s=5, link_bytes_s=1)) == alone


def test_latency_is_hidden_by_the_call_that_waits_at_the_worker() -> None:
    plan = picture(1000)
    cluster = SimulatedCluster((1, 1), SPEED, call_s=1e-3, latency_s=1e-2)
    assert simulate(plan, even(plan, 20), cluster).efficiency > 0.99
    assert simulate(plan, even(plan), SimulatedCluster((1, 1), SPEED, latency_s=1.0)).main_cause == "latency"


def test_everybody_waits_for_a_driver_that_has_to_think_first() -> None:
    plan = picture(300)
    outcome = simulate(plan, even(plan), SimulatedCluster((2, 1), SPEED, start_s=5.0))
    assert outcome.lost["driver"] * outcome.wall_s == pytest.approx(5.0)


def test_a_worker_pays_for_each_call() -> None:
    plan = picture(1000)
    outcome = simulate(plan, even(plan, 20), SimulatedCluster((1,), SPEED, call_s=1e-3, gap_s=1e-2))
    assert outcome.lost["call"] == pytest.approx(outcome.calls * 1e-2 / outcome.wall_s, rel=0.01)


def test_a_driver_without_a_core_of_its_own_takes_its_time_from_the_workers() -> None:
    plan = picture(1000)
    own, shared = (
        simulate(plan, even(plan, 20), SimulatedCluster((2,), SPEED, call_s=1e-2, spare_core=spare))
        for spare in (True, False)
    )
    assert own.wall_s < shared.wall_s < own.wall_s + shared.calls * 1e-2
    assert shared.lost["driver"] == pytest.approx(shared.calls * 1e-2 / shared.wall_s / 2, rel=0.4)


def test_slow_nodes_get_less_and_cost_nothing() -> None:
    plan = picture(1000)
    outcome = simulate(
        plan, even(plan, 20), SimulatedCluster((1,) * 8, SPEED, call_s=1e-4, spread=0.4), seed=3
    )
    assert outcome.efficiency > 0.97


def test_a_straggler_costs_less_than_its_band() -> None:
    plan = picture(1000)
    outcome = simulate(plan, even(plan, 20), SimulatedCluster((1,) * 8, SPEED, call_s=1e-4, straggler=50.0))
    ideal_s = 20 * plan.width * plan.height / SPEED / 7
    # Its first band is a fourth of a share: fifty times as long would be twelve times the whole.
    assert outcome.wall_s < 1.7 * ideal_s


def test_wrong_estimates_are_made_good_by_pulling() -> None:
    plan = picture(1000)
    cluster = SimulatedCluster((3, 3), SPEED, call_s=1e-4)
    assert simulate(plan, even(plan, 20), cluster, error=0.5).efficiency > 0.95


def test_more_work_for_a_call_is_more_efficient() -> None:
    plan = picture(2048)
    cluster = SimulatedCluster((1, *[3] * 8), SPEED, call_s=1e-3, latency_s=1e-3)
    found = [simulate(plan, even(plan, updates), cluster).efficiency for updates in (0.1, 1, 10, 100)]
    assert found == sorted(found)
    assert found[0] < 0.7
    assert found[-1] > 0.97


def test_a_prediction_is_the_kernels_time_and_a_little_more() -> None:
    plan = picture(1000)
    costs = Costs(call_s=1e-4, copy_bytes_s=1e9, driver_cores=2, latency_s=1e-3, link_bytes_s=1e8)
    one, two, far = (predict(plan, cores, 1.0, costs) for cores in ((1,), (2,), (0, 2)))
    for workers, outcome in ((1, one), (2, two), (2, far)):
        assert outcome.workers == workers
        assert outcome.busy_s == pytest.approx(1.0)
        assert outcome.wall_s > 1.0 / workers
        assert outcome.wall_s < 1.1 / workers
    assert two.lost["driver"] > one.lost["driver"]
    assert far.wall_s > two.wall_s
    assert far.lost["link"] > two.lost["link"] == 0


def test_the_limit_is_the_last_number_of_nodes_with_nine_tenths() -> None:
    node = SimulatedCluster((1,), 1e8, call_s=1e-3, latency_s=1e-3, link_bytes_s=1e8)
    plan = Plan(x_grids=4, y_grids=4, grid_width=512, grid_height=512, max_iterations=500)
    (forecast,) = forecasts({"one": plan}, node, (1, 2, 4, 8, 30))
    outcomes = forecast.outcomes
    assert forecast.picture == "one"
    assert [outcomes[count].workers for count in (1, 2, 4)] == [1, 4, 10]
    assert 1 <= forecast.nodes < 30
    assert all((outcomes[count].efficiency >= 0.9) == (count <= forecast.nodes) for count in outcomes)
    assert forecast.alone_s == pytest.approx(outcomes[1].busy_s, rel=0.2)


def test_where_one_node_is_not_worth_it_the_limit_is_none() -> None:
    node = SimulatedCluster((1,), 1e12, call_s=1e-1)
    (forecast,) = forecasts({"tiny": picture(300)}, node, (1,))
    assert forecast.nodes == 0
    assert json.loads(json.dumps(forecast.to_dict()))["nodes"] == 0
