"""Counts of real numbers that come in batches, in a fixed number of bins that widen as the numbers do."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..formats import ParameterError, check_int

#: The bins' limit may have to be just under twice the greatest magnitude.
_MAX_MAGNITUDE = 2.0**1023


def check_bins(bins: int) -> int:
    """Return a number of bins that can be merged by two, again and again; else raise a ParameterError or TypeError."""
    if check_int("bins", bins, 2) & (bins - 1):
        raise ParameterError(f"bins must be a power of two, not {bins}")
    return bins


class Histogram:
    """How many numbers there are in each of ``bins`` bins on either side of zero, and the least and greatest of them.

    Bin j of the positive side holds j·w < x ≤ (j + 1)·w with w = limit / bins, zero is in bin 0, and the negative side is
    its mirror image. ``limit`` starts as the greatest magnitude of the first batch that is not all zeros. When a greater
    one comes the limit is doubled until it holds that one too, and every two neighbouring bins become one. Merging keeps
    the outer bounds, so the counts equal one pass over all numbers with the final limit. Memory is bounded, and at least
    half of the bins stay in use.

    Parameters
    ----------
    bins : int
        Bins of either side, a power of two.

    Attributes
    ----------
    counts : ndarray of int64, shape (2, bins)
        Counts of the positive and the negative side.
    limit, least, greatest : float
        The outer bound of the bins, and the extreme numbers.
    """

    def __init__(self, bins: int) -> None:
        self.bins = check_bins(bins)
        self.counts = np.zeros((2, bins), np.int64)
        self.limit, self.least, self.greatest = 0.0, np.inf, -np.inf

    def add(self, values: NDArray[np.float64]) -> None:
        """Count finite numbers, shape (n,), n > 0.

        Raises
        ------
        ParameterError
            A magnitude is above 2^1023.
        """
        self.least, self.greatest = min(self.least, float(values.min())), max(self.greatest, float(values.max()))
        if self.max_magnitude > _MAX_MAGNITUDE:
            raise ParameterError(f"x must be at most 2^1023 in magnitude, not {self.max_magnitude!r}")
        if self.limit == 0:
            # Only zeros so far, which are in bin 0 with any limit.
            self.limit = self.max_magnitude
        while self.limit < self.max_magnitude:
            self.limit *= 2
            merged = self.counts.reshape(2, self.bins // 2, 2).sum(axis=2)
            self.counts = np.concatenate([merged, np.zeros_like(merged)], axis=1)
        magnitude = np.abs(values)
        # Scaling by a power of two is exact, so that a wider bin takes precisely what is in the two it is made of.
        position = np.ceil(magnitude / self.limit * self.bins) if self.limit else magnitude
        index = np.maximum(position.astype(np.int64) - 1, 0) + self.bins * (values < 0)
        self.counts += np.bincount(index, minlength=2 * self.bins).reshape(2, self.bins)

    @property
    def max_magnitude(self) -> float:
        """The greatest magnitude so far."""
        return max(-self.least, self.greatest)

    @property
    def edges(self) -> NDArray[np.float64]:
        """The bounds of the positive side's bins, from 0 to the limit, shape (bins + 1,)."""
        return self.limit * (np.arange(self.bins + 1) / self.bins)

    @property
    def magnitudes(self) -> NDArray[np.int64]:
        """Counts of the magnitudes, shape (bins,)."""
        return self.counts.sum(axis=0)
