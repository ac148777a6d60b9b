"""The vector kernel against the plainest loop that rounds as it does: equal counts, whatever is asked for."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from llvmlite import ir
from numba import njit, types
from numba.extending import intrinsic
from numpy.typing import NDArray

from workloads.mandelbrot import kernel
from workloads.mandelbrot.kernel import escape_counts, smooth_values


def typed_fma(_, a, b, c):  # type: ignore[no-untyped-def]  # numba types it
    def generate(_: Any, builder: ir.IRBuilder, __: Any, arguments: Any) -> Any:
        return builder.fma(*arguments)

    return types.float64(a, b, c), generate


fma: Any = intrinsic(typed_fma)


@njit
def plain(points: Any, max_iterations: int, threshold: float, counts: Any, norms: Any) -> None:
    x, y = points
    for row in range(y.size):
        for col in range(x.size):
            z_re = z_im = norm = 0.0
            for i in range(max_iterations):
                if norm > threshold * threshold:
                    break
                counts[row, col] = i
                rest = fma(-z_im, z_im, x[col])
                z_re, z_im = fma(z_re, z_re, rest), fma(z_re + z_re, z_im, y[row])
                norm = fma(z_im, z_im, z_re * z_re)
            norms[row, col] = norm


def expected(
    x: NDArray[np.float64], y: NDArray[np.float64], max_iterations: int, threshold: float
) -> tuple[NDArray[np.int32], NDArray[np.float64]]:
    counts, norms = np.empty((y.size, x.size), dtype=np.int32), np.empty((y.size, x.size))
    plain((x, y), max_iterations, threshold, counts, norms)
    modulus = np.maximum(np.sqrt(norms), kernel.MODULUS_FLOOR)
    return counts, counts - np.log2(np.log1p(modulus) / np.log(2.0))


centres = st.sampled_from(
    [0j, -1 + 0j, -2 + 0j, -0.745 + 0.1j, 0.25 + 0j, -1.4012 + 0j, 2 + 2j, -0.1011 + 0.9563j]
)


@given(
    centre=centres,
    span=st.floats(1e-9, 6.0),
    size=st.tuples(st.integers(1, 40), st.integers(1, 20)),
    max_iterations=st.one_of(st.integers(1, 40), st.integers(41, 3000)),
    threshold=st.one_of(st.sampled_from([2.0, 2.5, 2.9, 10.0, 200.0, 1e6]), st.floats(2.0, 1e6)),
)
@example(centre=0j, span=3.0, size=(300, 3), max_iterations=32, threshold=200.0)
@example(centre=-0.75 + 0j, span=0.1, size=(257, 9), max_iterations=5000, threshold=2.0)
@settings(max_examples=150, deadline=None)
def test_counts_and_values_are_those_of_the_plainest_loop(
    centre: complex, span: float, size: tuple[int, int], max_iterations: int, threshold: float
) -> None:
    x = np.linspace(centre.real - span / 2, centre.real + span / 3, size[0])
    y = np.linspace(centre.imag - span / 2, centre.imag + span / 3, size[1])
    counts, values = (
        np.empty((size[1], size[0]), dtype=np.int32),
        np.empty((size[1], size[0]), dtype=np.float32),
    )
    escape_counts(x, y, max_iterations, threshold, counts)
    smooth_values(x, y, max_iterations, threshold, values)
    expected_counts, expected_values = expected(x, y, max_iterations, threshold)
    np.testing.assert_array_equal(counts, expected_counts)
    # A float32 holds values up to 64 to within 4e-6, larger ones less well.
    np.testing.assert_allclose(values, expected_values, rtol=1.2e-7, atol=6e-6)


@pytest.mark.parametrize("rows", [1, 3, 8, 13])
def test_a_row_is_the_same_whatever_the_rows_beside_it(rows: int) -> None:
    x, y = np.linspace(-2.0, 0.6, 333), np.linspace(-1.2, 1.2, 39)
    whole = np.empty((y.size, x.size), dtype=np.float32)
    smooth_values(x, y, 500, 200.0, whole)
    for row in range(0, y.size, rows):
        part = np.empty_like(whole[row : row + rows])
        smooth_values(x, y[row : row + rows], 500, 200.0, part)
        np.testing.assert_array_equal(part, whole[row : row + rows])


def test_threads_do_not_disturb_each_other() -> None:
    x, y = np.linspace(-2.0, 0.6, 333), np.linspace(-1.2, 1.2, 400)
    alone, together = (np.empty((y.size, x.size), dtype=np.float32) for _ in range(2))
    smooth_values(x, y, 500, 200.0, alone)
    with ThreadPoolExecutor(4) as pool:
        rows = [np.s_[row : row + 10] for row in range(0, y.size, 10)]
        list(pool.map(lambda part: smooth_values(x, y[part], 500, 200.0, together[part]), rows))
    np.testing.assert_array_equal(together, alone)


def test_points_that_may_not_be_written_to_cost_no_compiling() -> None:
    x, y, values = np.linspace(-2.0, 1.0, 64), np.linspace(-1.0, 1.0, 8), np.empty((8, 64), dtype=np.float32)
    smooth_values(x, y, 32, 200.0, values)
    before = len(kernel._exact_values.signatures)
    for points in (x, y):
        points.flags.writeable = False
    smooth_values(x, y, 32, 200.0, values)
    assert len(kernel._exact_values.signatures) == before


def test_a_column_is_the_same_whatever_the_columns_beside_it() -> None:
    x, y = np.linspace(-2.0, 0.6, 333), np.linspace(-1.2, 1.2, 39)
    whole, part = (np.empty((y.size, width), dtype=np.float32) for width in (x.size, 100))
    smooth_values(x, y, 500, 200.0, whole)
    smooth_values(x[101:201], y, 500, 200.0, part)
    np.testing.assert_array_equal(part, whole[:, 101:201])


def test_the_preview_counts_as_exactly_wherever_it_decides_early() -> None:
    x, y = np.linspace(-2.0, 1.0, 100), np.linspace(-1.0, 1.0, 50)
    exact, preview = (np.empty((y.size, x.size), dtype=np.int32) for _ in range(2))
    escape_counts(x, y, 32, 200.0, exact)
    escape_counts(x, y, 32, 200.0, preview, preview=True)
    early = exact < 8
    assert early.any()
    np.testing.assert_array_equal(preview[early], exact[early])


def test_what_is_beside_the_picture_is_left_alone() -> None:
    x, y = np.linspace(-2.0, 1.0, 77), np.linspace(-1.0, 1.0, 11)
    around = np.full((13, 300), -7.0, dtype=np.float32)
    inside = around[1:12, 100:177]
    smooth_values(x, y, 32, 200.0, inside)
    alone = np.empty((11, 77), dtype=np.float32)
    smooth_values(x, y, 32, 200.0, alone)
    np.testing.assert_array_equal(inside, alone)
    inside[:] = -7.0
    assert (around == -7.0).all()
