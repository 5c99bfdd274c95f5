"""Calibration by ranges that are kept up to date number by number: extremes, their moving average, mean and deviation."""

from __future__ import annotations

import numpy as np

from ..formats import Format, ParameterError
from .calibration import Calibration, Range, Reals, check_real


class MinMax(Calibration):
    """From the least to the greatest value: nothing is clipped.

    Examples
    --------
    >>> quantization = golden.MinMax().update([-0.5, 1.5]).quantization("int8")
    >>> float(quantization.scale.round(5)), int(quantization.zero_point)
    (0.00784, -64)
    """

    _least: Reals
    _greatest: Reals

    def _observe(self, rows: Reals, *, first: bool) -> None:
        least, greatest = rows.min(axis=0), rows.max(axis=0)
        self._least = least if first else np.minimum(self._least, least)
        self._greatest = greatest if first else np.maximum(self._greatest, greatest)

    def _range(self, fmt: Format, symmetric: bool) -> Range:
        return self._least, self._greatest


class MovingAverage(Calibration):
    """The moving averages of every batch's least and greatest value: m ← momentum · m + (1 - momentum) · new.

    The first batch's are the initial averages. The result depends on the order of the batches.

    Parameters
    ----------
    momentum : float
        The weight of the past, in 0 … 1, 1 excluded; 0.9 unless given.

    Examples
    --------
    >>> average = golden.MovingAverage(0.5).update([0.0, 1.0]).update([0.0, 3.0])
    >>> # The greatest number counts as 2.
    >>> float(average.quantization("uint8").scale * 255)
    2.0
    """

    _least: Reals
    _greatest: Reals

    def __init__(self, momentum: float = 0.9, *, per_channel: bool = False) -> None:
        super().__init__(per_channel=per_channel)
        if not 0 <= check_real("momentum", momentum) < 1:
            raise ParameterError(f"momentum must be at least 0 and below 1, not {momentum!r}")
        self.momentum = momentum

    def _observe(self, rows: Reals, *, first: bool) -> None:
        least, greatest = rows.min(axis=0), rows.max(axis=0)
        past = 0.0 if first else self.momentum
        self._least = past * (least if first else self._least) + (1 - past) * least
        self._greatest = past * (greatest if first else self._greatest) + (1 - past) * greatest

    def _range(self, fmt: Format, symmetric: bool) -> Range:
        return self._least, self._greatest


class MeanStd(Calibration):
    """mean ± deviations · std, std the root of the mean squared distance from the mean (not of a sample's estimate).

    The range may exceed the data's. Batches are merged by the pairwise update of Chan, Golub and LeVeque (1979),
    which loses no digits where the mean is large.

    Parameters
    ----------
    deviations : float
        How many standard deviations are represented on either side; 3 unless given.

    Examples
    --------
    >>> float(golden.MeanStd(3.0).update([-1.0, 1.0]).scale("int8").round(5))
    0.02362
    """

    _mean: Reals
    _squares: Reals

    def __init__(self, deviations: float = 3.0, *, per_channel: bool = False) -> None:
        super().__init__(per_channel=per_channel)
        if not 0 < check_real("deviations", deviations) < np.inf:
            raise ParameterError(f"deviations must be finite and above 0, not {deviations!r}")
        self.deviations = deviations
        self._count = 0

    def _observe(self, rows: Reals, *, first: bool) -> None:
        # What overflows here becomes a scale that is not finite, which is an error there.
        with np.errstate(over="ignore", invalid="ignore"):
            mean = rows.mean(axis=0)
            squares = ((rows - mean) ** 2).sum(axis=0)
            count = self._count + len(rows)
            if not first:
                step, share = mean - self._mean, len(rows) / count
                squares = self._squares + squares + step**2 * (self._count * share)
                mean = self._mean + step * share
        self._mean, self._squares, self._count = mean, squares, count

    def _range(self, fmt: Format, symmetric: bool) -> Range:
        with np.errstate(over="ignore", invalid="ignore"):
            reach = self.deviations * np.sqrt(self._squares / self._count)
            return self._mean - reach, self._mean + reach
