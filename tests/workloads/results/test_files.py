"""Records as JSON and back."""

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.workloads.results.made import MACHINE, mandelbrot_result, pi_result, row
from workloads.results.files import FileError, from_dict, load_json, write_json
from workloads.results.pi_records import PiPart
from workloads.results.records import ReportError, record


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


@settings(deadline=None)
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


@pytest.mark.parametrize(
    ("path", "key"), [("rows.1", "cores"), ("rows.1", "busy_s"), ("", "unit"), ("", "nodes"), ("", "created")]
)
def test_a_field_that_is_missing_is_no_default(path: str, key: str) -> None:
    values = json.loads(json.dumps(mandelbrot_result().to_dict()))
    holder = values["rows"][1] if path else values
    del holder[key]
    with pytest.raises(ReportError) as caught:
        from_dict(values)
    assert str(caught.value) == f"{'rows[1].' * bool(path)}{key} is missing."


def test_what_follows_from_other_fields_may_be_missing() -> None:
    values = json.loads(json.dumps(pi_result().to_dict()))
    for key in ("computing_s", "pays_from_samples", "at_once"):
        del values[key]
    assert from_dict(values) == pi_result(created=values["created"])


@pytest.mark.parametrize("key", ["computing_s", "busiest_core_s", "overhead_s", "pays_from_samples"])
def test_what_does_not_follow_is_refused(key: str) -> None:
    values = json.loads(json.dumps(pi_result().to_dict()))
    with pytest.raises(ReportError, match=f"{key} is unknown or does not follow from the other fields"):
        from_dict({**values, key: 12345})


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
        ({"at_once": 0}, "there must be at least 1"),
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


@pytest.mark.parametrize("content", ["", "[1]", '"text"', "{}", '{"format": "piray-result"', "[" * 100_000])
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


@pytest.mark.parametrize("change", [{"cores": 0}, {"busy_s": (-1.0,)}])
def test_cores_and_computing_times_have_to_be_possible(change: dict[str, Any]) -> None:
    with pytest.raises(ReportError, match="at least 1 core, and every time above 0"):
        row(0, 1, 1.0, **change)
