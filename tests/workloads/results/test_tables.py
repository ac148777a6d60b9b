"""Records as JSON and back; tables and notes as a reader sees them."""

import io
import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from workloads.mandelbrot.draw import Plan
from workloads.results.files import FileError, from_dict, load_json, write_json
from workloads.results.pi_records import PiPart, PiResult
from workloads.results.records import ReportError, Result, Row, record
from workloads.results.tables import print_result

MACHINE = {"model": "Raspberry Pi 4 Model B Rev 1.4", "throttled": "0x0"}


def row(workers: int, nodes: int, *values_s: float, **changes: Any) -> Row:
    values: dict[str, Any] = {"cores": None, "busy_s": (), **changes}
    return Row(workers=workers, nodes=nodes, values_s=values_s, **values)


def mandelbrot_result(*rows: Row, **changes: Any) -> Result:
    values: dict[str, Any] = {
        "target": "stack dev",
        "plan": Plan().to_dict(),
        "rows": rows
        or (
            row(2, 3, 20.0, 22.0, 21.0),
            row(0, 1, 40.0, 42.0, 44.0),
            row(1, 2, 30.0, 28.0),
        ),
        "machine": MACHINE,
        "nodes": (),
        "unit": "node",
        "warm_up_s": 1.5,
        "kernels_compiled": None,
        "start_s": None,
        "call_s": None,
        "image_sha256": None,
        **changes,
    }
    return Result(**values)


def pi_result(**changes: Any) -> PiResult:
    values: dict[str, Any] = {
        "target": "stack dev",
        "seed": 7,
        "parts": tuple(
            PiPart(
                index=index,
                samples=1_000_000,
                num_inside=785_000 + index,
                wall_s=0.7,
                node=f"pi{index}",
                pod=f"pi-1a2b3c4d-{index}-x7k2p",
            )
            for index in (2, 0, 1)
        ),
        "wall_s": 2.0,
        "single_core_s": 3.0,
        "machine": MACHINE,
        "nodes": (),
        "python_s": None,
        **changes,
    }
    return PiResult(**values)


def shown(result: Result | PiResult, encoding: str = "utf-8") -> str:
    """What reaches a pipe."""
    raw = io.BytesIO()
    with io.TextIOWrapper(raw, encoding=encoding, write_through=True) as stream:
        print_result(result, Console(file=stream))
        return raw.getvalue().decode(encoding)


def flat(text: str) -> str:
    return " ".join(text.split())


def test_rows_are_in_order_and_speedups_relative_to_no_workers() -> None:
    result = mandelbrot_result()
    assert [(row.workers, row.median_s, result.speedup(row)) for row in result.rows] == [
        (0, 42.0, 1.0),
        (1, 29.0, 42.0 / 29.0),
        (2, 21.0, 2.0),
    ]


times = st.floats(1e-6, 1e6)
rows = st.dictionaries(
    st.integers(0, 64),
    st.tuples(st.integers(1, 64), st.lists(times, min_size=1, max_size=5)),
    min_size=1,
    max_size=6,
)


@given(rows, st.none() | times)
def test_a_mandelbrot_result_survives_json(
    measured: dict[int, tuple[int, list[float]]], warm_up_s: float | None
) -> None:
    result = mandelbrot_result(
        *(row(k, nodes, *values) for k, (nodes, values) in measured.items()),
        warm_up_s=warm_up_s,
        unit="core",
    )
    assert from_dict(json.loads(json.dumps(result.to_dict()))) == result


def test_results_survive_a_file(tmp_path: Path) -> None:
    for result in (mandelbrot_result(), pi_result(python_s=9, nodes=(MACHINE, MACHINE))):
        path = tmp_path / "result.json"
        write_json(path, result)
        assert load_json(path) == result
        assert list(tmp_path.iterdir()) == [path]


def test_a_file_says_its_version_and_what_follows_from_the_numbers(tmp_path: Path) -> None:
    path = tmp_path / "pi.json"
    result = pi_result()
    write_json(path, result)
    values = json.loads(path.read_text())
    assert (values["format"], values["format_version"], values["workload"]) == ("piray-result", 2, "pi")
    assert values["created"].endswith("+00:00")
    assert (values["samples"], values["num_inside"]) == (3_000_000, 2_355_003)
    assert values["estimate"] == pytest.approx(4 * 2_355_003 / 3_000_000)
    assert values["standard_error"] == pytest.approx(math.sqrt(math.pi * (4 - math.pi) / 3e6))
    assert values["speedup"] == 1.5
    write_json(path, mandelbrot_result())
    first = json.loads(path.read_text())["rows"][0]
    assert first == {
        "workers": 0,
        "nodes": 1,
        "values_s": [40.0, 42.0, 44.0],
        "cores": None,
        "busy_s": [],
        "median_s": 42.0,
        "speedup": 1.0,
    }


@pytest.mark.parametrize("version", [0, 1, 3, "2", True, None])
def test_another_format_version_is_refused(version: object) -> None:
    with pytest.raises(
        ReportError, match=r"format_version is .*: this piray reads 2\. Run the workload again"
    ):
        from_dict({**mandelbrot_result().to_dict(), "format_version": version})


def put(path: str, value: object) -> Callable[[dict[str, Any]], None]:
    """Set a value deep in a record; keys and indices are separated by dots."""

    def change(values: Any) -> None:
        *parents, last = path.split(".")
        for key in parents:
            values = values[int(key) if key.isdigit() else key]
        values[int(last) if last.isdigit() else last] = value

    return change


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda values: values.pop("target"), "target is missing."),
        (put("format", "other"), "lacks `format`: 'piray-result'"),
        (put("workload", "bench"), "workload is 'bench': it must be one of mandelbrot, pi."),
        (put("rows", {}), "rows is {}: it must be a list."),
        (put("rows.0", 3), "rows[0] is 3: it must be an object."),
        (put("rows.1.workers", "1"), "rows[1].workers is '1': it must be a whole number."),
        (put("rows.1.workers", True), "rows[1].workers is True: it must be a whole number."),
        (put("rows.1.values_s", [1.0, "x"]), "rows[1].values_s[1] is 'x': it must be a number."),
        (put("rows.1.values_s", []), "rows[1]: A row says 1 workers"),
        (put("rows.1.workers", 0), "Rows for [0, 0, 2] workers"),
        (put("warm_up_s", "long"), "warm_up_s is 'long': it must be a number or null."),
        (put("plan.x_grids", 0), "x_grids is 0: choose a whole number"),
        (put("unit", "pod"), "unit is 'pod': it must be one of node, core."),
        (put("rows.2.speedup", 3.0), "rows is unknown or does not follow from the other fields."),
        (put("note", "mine"), "note is unknown or does not follow from the other fields."),
    ],
)
def test_a_changed_record_is_refused(change: Callable[[dict[str, Any]], object], message: str) -> None:
    values = json.loads(json.dumps(mandelbrot_result().to_dict()))
    change(values)
    with pytest.raises(ReportError) as caught:
        from_dict(values)
    assert message in str(caught.value)


def test_all_problems_of_a_record_are_listed() -> None:
    values = json.loads(json.dumps(pi_result().to_dict()))
    del values["seed"]
    values["wall_s"] = None
    values["parts"][1]["pod"] = 5
    with pytest.raises(ReportError) as caught:
        from_dict(values)
    assert str(caught.value).splitlines() == [
        "seed is missing.",
        "parts[1].pod is 5: it must be a text or null.",
        "wall_s is None: it must be a number.",
    ]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"parts": ()}, "at least one, and each once"),
        ({"parts": (*pi_result().parts, pi_result().parts[0])}, "at least one, and each once"),
        ({"wall_s": 0.0}, "every time must be above 0"),
        ({"single_core_s": float("nan")}, "every time must be above 0"),
        (
            {"parts": (PiPart(index=0, samples=5, num_inside=6, wall_s=1.0, node="a", pod=None),)},
            "6 of 5 samples inside",
        ),
    ],
)
def test_impossible_pi_results_are_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ReportError, match=message):
        pi_result(**changes)


@pytest.mark.parametrize("content", ["", "[1]", '"text"', "{}", '{"format": "piray-result"'])
def test_a_file_that_is_no_result_is_refused_by_name(content: str, tmp_path: Path) -> None:
    path = tmp_path / "other.json"
    path.write_text(content)
    with pytest.raises(ReportError, match=r"other\.json is no"):
        load_json(path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ReportError, match=r"Cannot read .*gone\.json: No such file"):
        load_json(tmp_path / "gone.json")


def test_a_record_that_json_cannot_hold_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "result.json"
    path.write_text("old")
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json(path, record("connectivity", {"seconds": float("nan")}))
    with pytest.raises(FileError, match="Choose a file in a folder that exists"):
        write_json(tmp_path / "missing" / "result.json", record("connectivity", {}))
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_the_table_stands_beside_the_write_ups() -> None:
    lines = [line.split() for line in shown(mandelbrot_result()).splitlines()]
    assert ["0", "1", "42.00", "40.00", "44.00", "1.00", "45.09", "1.00"] in lines
    assert ["1", "2", "29.00", "28.00", "30.00", "1.45", "48.55", "0.93"] in lines
    assert ["2", "3", "21.00", "20.00", "22.00", "2.00", "38.57", "1.17"] in lines


def test_more_workers_than_the_write_up_had_are_compared_with_nothing() -> None:
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


@pytest.mark.parametrize("change", [{"cores": 0}, {"busy_s": (-1.0,)}])
def test_cores_and_computing_times_have_to_be_possible(change: dict[str, Any]) -> None:
    with pytest.raises(ReportError, match="at least 1 core, and every time above 0"):
        row(0, 1, 1.0, **change)


def test_throttled_machines_are_warned_of() -> None:
    assert "throttling" not in shown(pi_result())
    text = flat(shown(pi_result(nodes=({"throttled": "0x50005"}, {"throttled": None}))))
    assert "reports throttling (0x50005)" in text


def test_pi_is_shown_with_its_error_and_its_pods() -> None:
    text = shown(pi_result(python_s=30.0))
    for index in range(3):
        expected = f"{index} pi{index} pi-1a2b3c4d-{index}-x7k2p 1000000 {785_000 + index} 0.700"
        assert expected.split() in [line.split() for line in text.splitlines()]
    assert (
        "pi is about 3.1400040 +- 0.0009481 (3000000 samples, 2355003 inside): 1.68 standard errors"
        in flat(text)
    )
    assert "3 streams on 3 nodes: 2.00 s from the first start to the last end" in flat(text)
    assert "one core of this machine: 3.00 s, in pure Python 30.00 s (speed-up 1.50)" in flat(text)


def test_without_pods_there_is_no_column_for_them() -> None:
    parts = (PiPart(index=0, samples=100, num_inside=78, wall_s=0.1, node="laptop", pod=None),)
    text = shown(pi_result(parts=parts))
    assert "Pod" not in text
    assert "1 stream on 1 node:" in flat(text)


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
