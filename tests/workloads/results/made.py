"""Results as if measured, and what a reader sees of them."""

import io
from typing import Any

from rich.console import Console

from workloads.mandelbrot.plan import Plan
from workloads.results.pi_records import PiPart, PiResult
from workloads.results.records import Result, Row
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
