"""Decides what measured times say about scaling: speed-up, efficiency, and the laws that explain them.

Rows are compared round by round: what slows the machine for a minute hits every row of that round alike. A
law is fitted to the logarithms of the times, for their scatter is a share of them, with one free constant for
each round. A parameter is never below 0, and a fit that the rows cannot determine says so.

Sources: G. Amdahl, Validity of the single processor approach (1967); J. Gustafson, Reevaluating Amdahl's law
(1988); N. Gunther, Guerrilla Capacity Planning (2007), chapters 4 to 6, for the universal scalability law.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import least_squares
from scipy.stats import t as student

CONFIDENCE = 0.95

Kind = Literal["strong", "weak"]
Vector = NDArray[np.float64]


@dataclass(frozen=True)
class Timing:
    """What was measured with one number of cores.

    Attributes:
        cores: The number.
        walls_s: Wall seconds; value i of every row was taken in the same round.
    """

    cores: int
    walls_s: tuple[float, ...]


@dataclass(frozen=True)
class Interval:
    """A number and its 95 % confidence interval; the ends are None where one round cannot tell.

    Attributes:
        value: The number.
        low: Lower end.
        high: Upper end.
    """

    value: float
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class Gain:
    """What one number of cores bought.

    Attributes:
        cores: The number.
        wall_s: Median of its wall seconds.
        speedup: Against the base; for weak scaling the scaled speed-up, as Gustafson counts.
        efficiency: Speed-up for each core, 1 at the base.
    """

    cores: int
    wall_s: float
    speedup: Interval
    efficiency: Interval


@dataclass(frozen=True)
class Law:
    """A law fitted to the rows.

    Attributes:
        name: "amdahl", "gustafson" or "usl".
        parameters: "serial", or "sigma" (contention) and "kappa" (coherency); empty if not determined.
        note: What is to be known about the fit; empty for nothing.
    """

    name: str
    parameters: dict[str, Interval]
    note: str = ""


@dataclass(frozen=True)
class Scaling:
    """What the rows say.

    Attributes:
        kind: "strong" (the same problem) or "weak" (work grows with the cores).
        gains: One for each row, by cores; the first is the base.
        laws: Amdahl's and the universal law for strong scaling, Gustafson's for weak.
    """

    kind: Kind
    gains: tuple[Gain, ...]
    laws: tuple[Law, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON types."""
        return asdict(self)


def scaling(timings: Sequence[Timing], kind: Kind = "strong") -> Scaling:
    """Compare rows with the one of the fewest cores.

    Args:
        timings: The rows, each number of cores once. A row may lack the last rounds.
        kind: "strong" or "weak".

    Returns:
        Gains and laws.

    Raises:
        ValueError: If there is no row, a row has no value, a time is not above 0, or cores repeat.
    """
    rows = sorted(timings, key=lambda row: row.cores)
    _refuse_bad(rows)
    gains = tuple(gain(rows[0], row, kind) for row in rows)
    if kind == "weak":
        return Scaling(kind, gains, (_law("gustafson", ("serial",), _gustafson, rows),))
    laws = (_law("amdahl", ("serial",), _universal, rows), _law("usl", ("sigma", "kappa"), _universal, rows))
    return Scaling(kind, gains, laws)


def gain(base: Timing, row: Timing, kind: Kind = "strong") -> Gain:
    """Compare one row with another, round by round."""
    more = row.cores / base.cores
    ratio = _ratio(base.walls_s, row.walls_s)
    speedup, efficiency = (
        (ratio, _times(ratio, 1 / more)) if kind == "strong" else (_times(ratio, more), ratio)
    )
    return Gain(row.cores, float(np.median(row.walls_s)), speedup, efficiency)


def _ratio(base_s: Sequence[float], walls_s: Sequence[float]) -> Interval:
    """Return the median of the rounds' ratios, and the interval of their mean logarithm by Student's t."""
    logs = np.array([math.log(base / wall) for base, wall in zip(base_s, walls_s, strict=False)])
    value = float(np.exp(np.median(logs)))
    if logs.size == 1:
        return Interval(value)
    half = _quantile(logs.size - 1) * float(logs.std(ddof=1)) / math.sqrt(logs.size)
    low, high = (math.exp(float(logs.mean()) + side) for side in (-half, half))
    # With a few skewed rounds the median can lie outside the mean's interval.
    return Interval(value, min(low, value), max(high, value))


def _times(interval: Interval, factor: float) -> Interval:
    low, high = (None if end is None else end * factor for end in (interval.low, interval.high))
    return Interval(interval.value * factor, low, high)


def _universal(cores: Vector, sigma: float, kappa: float = 0.0) -> Vector:
    """Return the time relative to one core's; Amdahl's law where kappa is 0."""
    times: Vector = (1 + sigma * (cores - 1) + kappa * cores * (cores - 1)) / cores
    return times


def _gustafson(cores: Vector, serial: float) -> Vector:
    """Return the time relative to one core's while the work grows with the cores."""
    times: Vector = cores / (cores - serial * (cores - 1))
    return times


def _law(name: str, names: tuple[str, ...], relative: Callable[..., Vector], rows: Sequence[Timing]) -> Law:
    """Fit a law by bounded least squares; intervals by its linear approximation at the optimum."""
    if len(rows) <= len(names):
        return Law(
            name, {}, f"not determined: {len(names) + 1} numbers of cores are needed, {len(rows)} given"
        )
    rounds = min(len(row.walls_s) for row in rows)
    cores = np.array([row.cores for row in rows], dtype=np.float64)
    logs = np.log([row.walls_s[:rounds] for row in rows])
    logs -= logs.mean(axis=0)

    def residuals(parameters: Vector) -> Vector:
        law = np.log(relative(cores, *parameters))
        missing: Vector = ((law - law.mean())[:, None] - logs).ravel()
        return missing

    # Serial shares near 0.001 and kappas near 0.00001 have to be told from 0.
    upper = [1.0, np.inf][: len(names)]
    start = [1e-2, 1e-4][: len(names)]
    # "dogbox" goes right to a bound; "trf" would stop a little before it.
    found = least_squares(
        residuals, start, bounds=(0, upper), method="dogbox", xtol=1e-12, ftol=1e-12, gtol=1e-12
    )
    freedom = rounds * (len(rows) - 1) - len(names)
    halves = _half_widths(found.jac, 2 * found.cost, freedom)
    parameters = {
        key: Interval(
            float(value),
            None if half is None else max(0.0, float(value - half)),
            None if half is None else float(min(value + half, most)),
        )
        for key, value, half, most in zip(names, found.x, halves, upper, strict=True)
    }
    return Law(name, parameters, _note(found.active_mask, freedom, len(rows) - 1 - len(names)))


def _half_widths(jacobian: Vector, squares: float, freedom: int) -> list[float | None]:
    """Return half of each parameter's interval; None if nothing is left to tell the scatter from."""
    if freedom < 1:
        return [None] * jacobian.shape[1]
    covariance = np.linalg.pinv(jacobian.T @ jacobian) * squares / freedom
    return [float(_quantile(freedom) * math.sqrt(variance)) for variance in np.diag(covariance)]


def _note(at_bound: NDArray[np.int_], freedom: int, spare_rows: int) -> str:
    notes = []
    if (at_bound < 0).any():
        notes.append("a parameter is at 0, the least it can be")
    if freedom < 1:
        notes.append("no interval: more rounds or rows are needed")
    if spare_rows == 0:
        notes.append("as many parameters as the rows determine: whether the law holds cannot be seen")
    return "; ".join(notes)


def _quantile(freedom: int) -> float:
    return float(student.ppf((1 + CONFIDENCE) / 2, freedom))


def _refuse_bad(rows: Sequence[Timing]) -> None:
    if not rows:
        raise ValueError("no row was measured: there is nothing to compare.")
    for row in rows:
        if row.cores < 1 or not row.walls_s or not all(0 < wall_s < math.inf for wall_s in row.walls_s):
            raise ValueError(f"{row}: at least one core, one value, and every time above 0 are needed.")
    if len({row.cores for row in rows}) < len(rows):
        raise ValueError("a number of cores is given twice: put its values into one row.")
