"""Calibration: a tensor's scale and zero point from data that come in batches."""

from __future__ import annotations

from abc import ABC, abstractmethod
from fractions import Fraction
from typing import Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..codec.codes import Integers, check_fixed
from ..codec.scalar import decode, encode
from ..formats import FixedFormat, Format, ParameterError, check_int, format
from .affine import Quantization, dequantize, finite, quantize
from .entropy import check_details, entropy_bins
from .histogram import Histogram, check_bins

Reals = NDArray[np.float64]
#: The least and the greatest real number to be told apart, one of each for every channel.
Range = tuple[Reals, Reals]


class Calibration(ABC):
    """Base of the calibration methods: a method says which range of its data is to be represented.

    ``update`` takes the data in, batch by batch, in bounded memory; ``quantization`` or ``scale`` may then be asked for
    any number of formats, and more data may follow.

    Parameters
    ----------
    per_channel : bool
        One range for each channel, which is the last axis of the data; else one for all.

    Examples
    --------
    >>> isinstance(golden.MinMax(), golden.Calibration)
    True
    """

    def __init__(self, *, per_channel: bool = False) -> None:
        self.per_channel = per_channel
        self._channels: int | None = None

    def update(self, x: ArrayLike) -> Self:
        """Take a batch of real numbers, shape (..., N), into account; an empty one changes nothing.

        Raises
        ------
        TypeError
            ``x`` is not real.
        ParameterError
            ``x`` is not finite, or has other channels than the batches before.
        """
        data = finite("x", x)
        if self.per_channel and data.ndim == 0:
            raise ParameterError("x must have a last axis of channels, not shape ()")
        if data.size == 0:
            return self
        rows = data.reshape(-1, data.shape[-1] if self.per_channel else 1)
        if self._channels not in (None, rows.shape[1]):
            raise ParameterError(f"x must have {self._channels} channels, not {rows.shape[1]}")
        self._observe(rows, first=self._channels is None)
        self._channels = rows.shape[1]
        return self

    def quantization(self, fmt: str | Format, *, symmetric: bool = False) -> Quantization:
        """The scale and zero point that map the method's range onto a format's integers q_min … q_max.

        Asymmetric: the range, widened to hold 0, onto all of them: scale = (max - min) / (q_max - q_min), zero_point =
        round(q_min - min / scale), ties to even. Symmetric: scale = max|x| / q_max and zero_point = 0, so that q_min of
        a signed format is not used. A range of zero, or one so small that its scale would be 0, gets scale 1, which
        says zero exactly.

        Raises
        ------
        ParameterError
            There were no data, ``fmt`` is no fixed-point format, it is unsigned and ``symmetric`` was asked for, or the
            scale is not finite.
        """
        fmt = check_fixed("fmt", format(fmt))
        self._check_data()
        if symmetric and not fmt.signed:
            raise ParameterError(f"fmt must be signed where symmetric is True, not {fmt}")
        scale, zero_point = _affine(*self._range(fmt, symmetric), fmt, symmetric)
        shape = scale.shape if self.per_channel else ()
        return Quantization(scale.reshape(shape), zero_point.reshape(shape), fmt)

    def scale(self, fmt: str | Format) -> Reals:
        """The scale S = max|x| / (the largest value) for codes of x / S, over the method's symmetric range.

        For floats, which need no zero point: codes are ``encode(x / S, fmt, overflow="saturate")``. For fixed point it
        is that of ``quantization(fmt, symmetric=True)``, whose codes' fraction bits play no part.

        Raises
        ------
        ParameterError
            There were no data, ``fmt`` has no sign or no zero, the scale is not finite, or the method is for fixed point
            only.
        """
        fmt = format(fmt)
        if isinstance(fmt, FixedFormat):
            return self.quantization(fmt, symmetric=True).scale
        if fmt.is_integral or not fmt.is_result:
            raise ParameterError(f"fmt must be a fixed-point format or a float with a sign and a zero, not {fmt}")
        self._check_data()
        scale = _symmetric_scale(*self._range(fmt, True), float(fmt.max))
        return scale.reshape(scale.shape if self.per_channel else ())

    def _check_data(self) -> None:
        if self._channels is None:
            raise ParameterError("calibration data must hold at least one value, not none")

    @abstractmethod
    def _observe(self, rows: Reals, *, first: bool) -> None:
        """Take data of shape (n, channels), n > 0, into account; ``first`` where there were none before."""

    @abstractmethod
    def _range(self, fmt: Format, symmetric: bool) -> Range:
        """The range to be represented in the format, shapes (channels,)."""


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

    The first batch's are taken as they are. The result depends on the order of the batches.

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
        if not 0 <= _real("momentum", momentum) < 1:
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

    The range is not cut to that of the data. Batches are merged by the pairwise update of Chan, Golub and LeVeque (1979),
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
        if not 0 < _real("deviations", deviations) < np.inf:
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

    Symmetric: the least threshold with at most 100 - percentile percent of the magnitudes above it. Asymmetric: as much
    may be cut as that, half of it on either side. Thresholds are bounds of a histogram's bins, of which there are
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
        if not 0 < _real("percentile", percentile) <= 100:
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

    Searched among ``candidates`` thresholds T = i/candidates · max|x|, i = 1, 2, …: the range is that of the data cut to
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
            scale, zero_point = _affine(least, greatest, fmt, symmetric)
            back = dequantize(quantize(each, scale, zero_point, fmt), scale, zero_point, fmt)
        else:
            scale = _symmetric_scale(least, greatest, float(fmt.max))
            back = decode(encode(each / scale, fmt, overflow="saturate"), fmt) * scale
        # In units of the greatest magnitude, or the squares might leave float64's range.
        errors = weights @ ((back - each) / (histogram.max_magnitude or 1.0)) ** 2
        best = self.candidates - 1 - int(errors[::-1].argmin())
        return float(least[best]), float(greatest[best])


class Entropy(_HistogramCalibration):
    """TensorRT's method: the range whose quantized distribution has the least relative entropy to the original's.

    The threshold T is the outer bound of the last of :func:`.entropy.entropy_bins` bins of a histogram of the magnitudes
    (see :class:`.histogram.Histogram`; all ``bins`` of it are in use after one batch, at least half of them after more).
    The range is that of the data cut to ±T. The levels are the magnitudes that codes can have: q_max + 1 where the
    quantization is symmetric or the data have both signs (half the codes), else all codes.

    Parameters
    ----------
    bins : int
        A power of two, more than ``start``.
    start, first_bin, support, inclusive, ties
        As in :func:`.entropy.entropy_bins`.

    Examples
    --------
    >>> x = np.random.default_rng(0).normal(size=10_000)
    >>> float(golden.Entropy().update(x).scale("int8").round(4))
    0.0276
    """

    def __init__(
        self,
        *,
        bins: int = 2048,
        start: int = 128,
        first_bin: str = "keep",
        support: str = "reference",
        inclusive: bool = False,
        ties: str = "last",
        per_channel: bool = False,
    ) -> None:
        super().__init__(bins, per_channel)
        check_details(first_bin, support, ties)
        self.start = check_int("start", start, 2, bins - 1)
        self.first_bin, self.support, self.inclusive, self.ties = first_bin, support, inclusive, ties

    def _range_of(self, histogram: Histogram, fmt: Format, symmetric: bool) -> tuple[float, float]:
        check_fixed("fmt", fmt)
        one_sided = histogram.least >= 0 or histogram.greatest <= 0
        kept = entropy_bins(
            histogram.magnitudes,
            levels=fmt.max_int + 1 if symmetric else fmt.code_count if one_sided else fmt.code_count // 2,
            start=self.start,
            first_bin=self.first_bin,
            support=self.support,
            inclusive=self.inclusive,
            ties=self.ties,
        )
        bound = histogram.edges[kept]
        return max(-bound, histogram.least), min(bound, histogram.greatest)


def _bins_kept(counts: NDArray[np.int64], clipped: Fraction) -> int:
    """How many bins to keep so that at most the share ``clipped`` of all counts is in those after them."""
    allowed = int(clipped * int(counts.sum()))
    after = counts.sum() - np.cumsum(counts)
    return int((after <= allowed).argmax()) + 1


def _real(argument: str, value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise TypeError(f"{argument} must be a real number, not {value!r}")
    return float(value)


def _affine(least: Reals, greatest: Reals, fmt: Format, symmetric: bool) -> tuple[Reals, Integers]:
    if symmetric:
        scale = _symmetric_scale(least, greatest, fmt.max_int)
        return scale, np.zeros(scale.shape, np.int64)
    least, greatest = np.minimum(least, 0.0), np.maximum(greatest, 0.0)
    # Divided first: the difference of two float64 may overflow.
    steps = fmt.max_int - fmt.min_int
    scale = _usable(greatest / steps - least / steps)
    # Clamped as Python integers: of a wide format q_max is no float64.
    zero_point = [min(max(int(zero), fmt.min_int), fmt.max_int) for zero in np.rint(fmt.min_int - least / scale)]
    return scale, np.array(zero_point, np.int64 if fmt.max_int < 1 << 63 else object)


def _symmetric_scale(least: Reals, greatest: Reals, largest: float) -> Reals:
    return _usable(np.maximum(np.maximum(-least, greatest), 0.0) / largest)


def _usable(scale: Reals) -> Reals:
    for value in scale[~np.isfinite(scale)]:
        raise ParameterError(f"scale must be finite, not {float(value)!r}")
    return np.where(scale > 0, scale, 1.0)
