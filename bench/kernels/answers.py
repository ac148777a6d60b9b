"""Decides when a program that draws the picture may be timed: its values agree with the plainest NumPy's."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from bench.figures import WrongAnswer
from bench.kernels.programs import ITERATIONS, THRESHOLD, Program

TOLERANCE = 1e-5
# Pixels of 1000 whose float32 orbits may lead elsewhere.
STRAYS = 0.1


def check(x: Any, band: Any, smooth: Mapping[str, Program], counts: Mapping[str, Program], index: int) -> int:
    """Compare all programs with the plainest NumPy on a band; return how many updates it takes.

    Raises:
        WrongAnswer: Names the program.
    """
    values, modulus, last = _expected(x, band)
    escaped = modulus > THRESHOLD
    for name, program in smooth.items():
        program.parts[index]()
        error = float(np.abs(program.out[: band.size] - values)[escaped].max(initial=0.0))
        if not error <= TOLERANCE:
            raise WrongAnswer(
                f"{name}: a pixel of band {index} is off by {error:.2g}, more than {TOLERANCE:g}."
            )
    for name, program in counts.items():
        program.parts[index]()
        wrong = np.count_nonzero(program.out[: band.size] != last)
        if wrong > (last.size * STRAYS / 1000 if "preview" in name else 0):
            raise WrongAnswer(f"{name}: {wrong} counts of band {index} are wrong.")
    return int(last.sum() + last.size)


def _expected(x: Any, y: Any) -> tuple[Any, Any, Any]:
    """Return the 2020 article's values, |z| and counts for some rows."""
    c = x + 1j * y[:, np.newaxis]
    z, last = np.zeros_like(c), np.zeros(c.shape, dtype=np.int32)
    for i in range(ITERATIONS):
        mask = np.abs(z) <= THRESHOLD
        z += (z * z + c - z) * mask
        last[mask] = i
    modulus = np.abs(z)
    with np.errstate(divide="ignore"):
        return last - np.log2(np.log2(modulus + 1)), modulus, last
