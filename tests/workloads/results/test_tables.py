"""Tables and notes as a reader sees them."""

import io
from typing import Any

import pytest
from rich.console import Console

from tests.workloads.results.made import flat, mandelbrot_result, pi_result, row, shown
from workloads.mandelbrot.plan import Plan
from workloads.results.pi_records import PiPart, PiResult
from workloads.results.records import Result
from workloads.results.tables import print_result


def test_the_table_stands_beside_the_articles() -> None:
    lines = [line.split() for line in shown(mandelbrot_result()).splitlines()]
    assert ["0", "1", "42.00", "40.00", "44.00", "1.00", "45.09", "1.00"] in lines
    assert ["1", "2", "29.00", "28.00", "30.00", "1.45", "48.55", "0.93"] in lines
    assert ["2", "3", "21.00", "20.00", "22.00", "2.00", "38.57", "1.17"] in lines


def test_more_workers_than_the_article_had_are_compared_with_nothing() -> None:
    text = shown(mandelbrot_result(row(4, 5, 20.0)))
    assert ["4", "5", "20.00", "20.00", "20.00", "1.00", "-", "-"] in [
        line.split() for line in text.splitlines()
    ]
    assert "against the time of 4 workers" in flat(text)


def compared(alone_s: float, together_s: float, **changes: Any) -> Result:
    """Return a result of one core and of four that computed as long altogether."""
    return mandelbrot_result(
        row(0, 1, alone_s, cores=1, busy_s=(alone_s,)),
        row(3, 4, together_s, cores=4, busy_s=(alone_s,)),
        **{"start_s": 6.0, "call_s": 0.0005, **changes},
    )


def test_from_what_size_on_workers_pay_is_said_and_why() -> None:
    # 3 s more than a quarter of the time alone: with three quarters saved they are earned back after 4 s.
    text = flat(shown(compared(100.0, 28.0)))
    assert "pictures that take row 0 more than about 4.00 s: handing out and collecting takes 3.00 s" in text
    assert "0.500 ms for a call" in text
    assert "With the start of Ray and the workers (6.00 s) they pay from about 12.00 s on." in text
    assert "not worth" not in text


@pytest.mark.parametrize(
    ("alone_s", "message"),
    [(0.04, "it is not worth the workers"), (8.0, "it is not worth starting a cluster for it alone")],
)
def test_a_picture_too_small_for_its_workers_is_said_to_be(alone_s: float, message: str) -> None:
    text = flat(shown(compared(alone_s, 3.0 + alone_s / 4)))
    assert message in text
    assert "try GRID_WIDTH=300 GRID_HEIGHT=300: nine times the work" in text


def test_a_larger_problem_is_only_advised_if_it_is_allowed() -> None:
    plan = Plan(grid_width=1000, grid_height=1000)
    text = flat(shown(compared(1.0, 3.25, plan=plan.to_dict())))
    assert "raise the number of iterations" in text
    assert "GRID_WIDTH" not in text


@pytest.mark.parametrize(("compiled", "how"), [(3, "compiled"), (0, "found compiled on disk")])
def test_what_it_took_to_have_the_kernels_ready_is_said_apart(compiled: int, how: str) -> None:
    text = flat(shown(mandelbrot_result(kernels_compiled=compiled)))
    assert f"The kernels were {how} before, in at most 1.50 s." in text


def test_nothing_is_said_of_size_where_computing_was_not_measured() -> None:
    assert "Workers pay" not in flat(shown(mandelbrot_result()))


@pytest.mark.parametrize("width", [80, 60, 44])
def test_a_narrow_terminal_gets_fewer_columns_and_whole_numbers(width: int) -> None:
    file = io.StringIO()
    print_result(mandelbrot_result(), Console(file=file, width=width))
    lines = [line.split() for line in file.getvalue().splitlines()]
    assert max(map(len, file.getvalue().splitlines())) <= width
    full = ["1", "2", "29.00", "28.00", "30.00", "1.45", "48.55", "0.93"]
    assert {80: full, 60: [*full[:3], *full[5:]], 44: [*full[:3], full[5]]}[width] in lines


def test_a_single_call_has_no_median() -> None:
    text = flat(shown(mandelbrot_result(row(0, 1, 42.0))))
    assert "Seconds are one call each." in text


LONG = "raspberrypi-in-the-third-row-of-the-classroom-next-to-the-window.example.org"


@pytest.mark.parametrize(
    "result",
    [
        mandelbrot_result(),
        mandelbrot_result(row(1000, 1000, 12345.0, 0.001)),
        mandelbrot_result(target=f"stack [red]{LONG}"),
        pi_result(),
        pi_result(
            parts=(PiPart(index=0, samples=10**12, num_inside=10**11, wall_s=1e6, node=LONG, pod=LONG),)
        ),
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8", "ascii"])
def test_a_pipe_gets_80_columns_without_colour_and_whole_names(
    result: Result | PiResult, encoding: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)
    monkeypatch.delenv("FORCE_COLOR", raising=False)
    text = shown(result, encoding)
    assert max(map(len, text.splitlines())) <= 80
    assert "\x1b" not in text
    assert "…" not in text


def test_the_article_is_not_compared_with_another_problem() -> None:
    other = shown(mandelbrot_result(plan=Plan(max_iterations=200).to_dict()))
    assert "Article" in shown(mandelbrot_result())
    assert "Article" not in other
    assert "45.09" not in other
    assert "A worker is one node." in flat(other)


def test_the_machines_that_computed_are_named_by_their_kind() -> None:
    pi4 = {"model": "Raspberry Pi 4 Model B Rev 1.4", "cores": 4, "throttled": "0x0"}
    nodes = [{"name": f"pi{index}", **pi4} for index in (1, 2)] + [{"name": "nas", "arch": "x86_64"}]
    said = flat(shown(mandelbrot_result(nodes=tuple(nodes))))
    assert "Computed on pi1, pi2 (Raspberry Pi 4 Model B Rev 1.4, 4 cores); nas (x86_64)." in said
    assert "Computed on" not in shown(mandelbrot_result())
