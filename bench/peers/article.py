"""The NumPy code of the first 2020 article, as it was but for np.int, which NumPy has no more."""

import numpy as np
from numpy.typing import NDArray


def article_values(c: NDArray[np.complex128], n: int = 32, th: float = 200) -> NDArray[np.float64]:
    """Return the smooth values of points; infinite where z comes out as 0."""
    z = 1j * np.zeros(c.shape)
    r = np.zeros(c.shape)
    for i in range(n):
        mask = np.abs(z) <= th
        z += (z * z + c - z) * mask.astype(int)
        r[mask] = i
    with np.errstate(divide="ignore"):
        values: NDArray[np.float64] = r - np.log2(np.log2(np.abs(z) + 1))
    return values
