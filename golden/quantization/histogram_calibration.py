"""Calibration that clips: thresholds from a histogram of the data, by percentile, mean square error or relative entropy."""

from __future__ import annotations

from abc import abstractmethod
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from ..codec.codes import check_fixed
from ..codec.scalar import decode, encode
from ..formats import FixedFormat, Format, ParameterError, check_int
from .affine import dequantize, quantize
from .calibration import Calibration, Range, Reals, affine_scale, check_real, symmetric_scale
from .entropy import Variant, as_variant, entropy_bins
from .histogram import Histogram, check_bins


class _HistogramCalibration(Calibration):
    """Base of the methods that keep a :class:`.histogram.Histogram` of each channel."""

    def __init__(self, bins: int, per_channel: bool) -> None:
        super().__init__(per_channel=per_channel)
        self.bins = check_bins(bins)
        self._histograms: list[Histogram] = []

    def _observe(self, rows: Reals, *, first: bool) -> None:
        if first:
            self._histograms = [Histogram(self.bins) for _ in range(rows.shape[1])]
        for histogram, values in zip(self._histograms, rows.T, strict=True):
            histogram.add(values)

    def _range(self, fmt: Format, symmetric: bool) -> Range:
        ranges = [self._range_of(histogram, fmt, symmetric) for histogram in self._histograms]
        least, greatest = np.array(ranges).T
        return least, greatest

    @abstractmethod
    def _range_of(self, histogram: Histogram, fmt: Format, symmetric: bool) -> tuple[float, float]:
        """The range to be represented of one channel."""


class Percentile(_HistogramCalibration):
    """The range that ``percentile`` percent of the data are in.

    Symmetric: the least threshold with at most 100 - percentile percent of the magnitudes above it. Asymmetric: the same
    share may be cut, half of it on either side. Thresholds are bounds of a histogram's bins, of which there are
    ``bins`` between 0 and at most twice the greatest magnitude (see :class:`.histogram.Histogram`), or the extreme value
    itself: the range is at most a bin too wide on either side, and never too narrow.

    Parameters
    ----------
    percentile : float
        In 0 … 100, 0 excluded; 99.99 unless given.
    bins : int
        A power of two.

    Examples
    --------
    >>> x = np.r_[np.linspace(-1, 1, 999), 50.0]
    >>> float(golden.Percentile(99.0).update(x).scale("int8").round(4))
    0.0079
    """

    def __init__(self, percentile: float = 99.99, *, bins: int = 2048, per_channel: bool = False) -> None:
        super().__init__(bins, per_channel)
        if not 0 < check_real("percentile", percentile) <= 100:
            raise ParameterError(f"percentile must be above 0 and at most 100, not {percentile!r}")
        self.percentile = percentile

    def _range_of(self, histogram: Histogram, fmt: Format, symmetric: bool) -> tuple[float, float]:
        # The decimal that was given, not its float64: of 1000 numbers 99.9 percent are 999.
        clipped = (100 - Fraction(str(self.percentile))) / 100
        edges, magnitudes = histogram.edges, histogram.magnitudes
        if symmetric:
            bound = edges[_bins_kept(magnitudes, clipped)]
            return max(-bound, histogram.least), min(bound, histogram.greatest)
        positive, negative = histogram.counts
        upward = np.concatenate([negative[::-1], positive])
        bounds = np.concatenate([-edges[:0:-1], edges])
        greatest = bounds[_bins_kept(upward, clipped / 2)]
        least = -bounds[_bins_kept(upward[::-1], clipped / 2)]
        return max(least, histogram.least), min(greatest, histogram.greatest)


class MeanSquareError(_HistogramCalibration):
    """The range whose quantization has the least mean square error, clipping and rounding together.

    Searched among ``candidates`` thresholds T = i/candidates · max|x|, i = 1, 2, …: the range is the data's, cut to
    ±T. Every bin of a histogram (see :class:`.histogram.Histogram`) stands for its middle, weighted by its count; each
    middle is quantized by the scale and zero point that T gives. Of equal errors the greatest T is taken. Rounding in
    steps finer than the bins, 2 · max|x| / bins at worst, is not seen: such formats get nearly the whole range.

    Parameters
    ----------
    candidates : int
        Thresholds to try.
    bins : int
        A power of two.

    Examples
    --------
    >>> x = np.random.default_rng(0).normal(size=10_000)
    >>> float(golden.MeanSquareError().update(x).scale("int4").round(3))
    0.329
    """

    def __init__(self, *, candidates: int = 256, bins: int = 2048, per_channel: bool = False) -> None:
        super().__init__(bins, per_channel)
        self.candidates = check_int("candidates", candidates, 1)

    def _range_of(self, histogram: Histogram, fmt: Format, symmetric: bool) -> tuple[float, float]:
        edges = histogram.edges
        middles = edges[:-1] / 2 + edges[1:] / 2
        used = histogram.counts > 0
        values = np.concatenate([middles[used[0]], -middles[used[1]]])
        weights = np.concatenate([histogram.counts[0][used[0]], histogram.counts[1][used[1]]])
        bounds = histogram.max_magnitude * (np.arange(1, self.candidates + 1) / self.candidates)
        least, greatest = np.maximum(-bounds, histogram.least), np.minimum(bounds, histogram.greatest)
        each = np.broadcast_to(values[:, None], (len(values), self.candidates))
        if isinstance(fmt, FixedFormat):
            scale, zero_point = affine_scale(least, greatest, fmt, symmetric)
            back = dequantize(quantize(each, scale, zero_point, fmt), scale, zero_point, fmt)
        else:
            scale = symmetric_scale(least, greatest, float(fmt.max))
            back = decode(encode(each / scale, fmt, overflow="saturate"), fmt) * scale
        # In units of the greatest magnitude, or the squares might leave float64's range.
        errors = weights @ ((back - each) / (histogram.max_magnitude or 1.0)) ** 2
        best = self.candidates - 1 - int(errors[::-1].argmin())
        return float(least[best]), float(greatest[best])


class Entropy(_HistogramCalibration):
    """TensorRT's method: the range whose quantized distribution has the least relative entropy to the original's.

    The threshold T is the outer bound of the last of :func:`.entropy.entropy_bins` bins of a histogram of the magnitudes
    (see :class:`.histogram.Histogram`; all ``bins`` of it are in use after one batch, at least half of them after more).
    The range is the data's, cut to ±T. The levels are the magnitudes that codes can have: q_max + 1 where the
    quantization is symmetric or the data have both signs (half the codes), else all codes.

    Parameters
    ----------
    variant : str or Variant
        One of :data:`.entropy.VARIANTS`: "tensorrt" as its authors described it, or "modelopt" as NVIDIA's Model Optimizer
        computes it; or a :class:`.entropy.Variant` of your own.
    bins : int
        A power of two, more than ``start``.
    start : int
        The least number of bins to be kept.

    Examples
    --------
    >>> x = np.random.default_rng(0).normal(size=10_000)
    >>> float(golden.Entropy().update(x).scale("int8").round(4))
    0.0276
    """

    def __init__(
        self, variant: str | Variant = "tensorrt", *, bins: int = 2048, start: int = 128, per_channel: bool = False
    ) -> None:
        super().__init__(bins, per_channel)
        self.variant = as_variant(variant)
        self.start = check_int("start", start, 2, bins - 1)

    def _range_of(self, histogram: Histogram, fmt: Format, symmetric: bool) -> tuple[float, float]:
        check_fixed("fmt", fmt)
        one_sided = histogram.least >= 0 or histogram.greatest <= 0
        kept = entropy_bins(
            histogram.magnitudes,
            levels=fmt.max_int + 1 if symmetric else fmt.code_count if one_sided else fmt.code_count // 2,
            start=self.start,
            variant=self.variant,
        )
        bound = histogram.edges[kept]
        return max(-bound, histogram.least), min(bound, histogram.greatest)


def _bins_kept(counts: NDArray[np.int64], clipped: Fraction) -> int:
    """How many bins to keep so that at most the share ``clipped`` of all counts is in those after them."""
    allowed = int(clipped * int(counts.sum()))
    after = counts.sum() - np.cumsum(counts)
    return int((after <= allowed).argmax()) + 1
