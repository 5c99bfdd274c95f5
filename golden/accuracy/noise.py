"""Signal to quantization noise ratio of tensors in a format."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from ..checks import ParameterError, check_int
from ..formats import BLOCK_FORMATS, FORMATS, BlockFormat, Format, any_format
from ..quantization.affine import finite
from .scaling import quantized
from .tensors import DISTRIBUTIONS, draw

#: Numbers in a tensor, and tensors of each distribution, of :func:`noise_table`.
SIZE, SEEDS = 1 << 14, (0, 1, 2)


def sqnr_db(
    x: ArrayLike, fmt: str | Format | BlockFormat, *, scaling: str = "mse", rounding: str | None = None
) -> float:
    """10 · log10(Σ x² / Σ (x - q(x))²) in dB, q(x) being what ``x`` is in a format; infinite where nothing is lost.

    Parameters
    ----------
    x : array_like of float
        A tensor that is not all zero; blocks lie along its last axis.
    fmt : str or Format or BlockFormat
        Any scalar or block format.
    scaling, rounding
        As in :func:`.scaling.quantized`.

    Raises
    ------
    TypeError
        ``x`` is not real.
    ParameterError
        ``x`` is not finite or all zero, or a parameter is unknown.

    Examples
    --------
    >>> round(golden.sqnr_db(golden.draw("gaussian", 1 << 14), "fp8_e4m3"), 1)
    31.7
    """
    fmt = any_format(fmt)
    data = finite("x", x)
    # In units of the largest magnitude, or the squares might leave float64's range.
    largest = float(np.abs(data).max(initial=0.0))
    if not largest:
        raise ParameterError("x must hold a number other than zero, not zeros alone")
    error = (data - quantized(data, fmt, scaling=scaling, rounding=rounding)) / largest
    noise, signal = float((error**2).sum()), float(((data / largest) ** 2).sum())
    return 10 * math.log10(signal / noise) if noise else math.inf


def bits_per_element(fmt: str | Format | BlockFormat) -> float:
    """Stored bits of an element, its share of a block's scale included (that of a tensor's scale is not)."""
    fmt = any_format(fmt)
    return float(fmt.bits_per_element) if isinstance(fmt, BlockFormat) else float(fmt.width)


@dataclass(frozen=True)
class Noise:
    """A format's noise on one distribution.

    Attributes
    ----------
    format, distribution : str
        Their names.
    bits : float
        :func:`bits_per_element`.
    sqnr_db, spread_db : float
        Mean and standard deviation over the seeds' tensors, in dB; the spread is 0 of one seed, and NaN where the mean is
        infinite.
    seeds : tuple of int
        The seeds.
    size : int
        Numbers in a tensor.

    Examples
    --------
    >>> (row,) = golden.noise_table(["mxfp4"], ["uniform"], size=1024, seeds=[0])
    >>> row.bits, row.spread_db
    (4.25, 0.0)
    """

    format: str
    distribution: str
    bits: float
    sqnr_db: float
    spread_db: float
    seeds: tuple[int, ...]
    size: int


def noise_table(
    formats: Sequence[str | Format | BlockFormat] | None = None,
    distributions: Sequence[str] | None = None,
    *,
    size: int = SIZE,
    seeds: Sequence[int] = SEEDS,
    scaling: str = "mse",
    rounding: str | None = None,
    tensors: Mapping[str, Sequence[ArrayLike]] | None = None,
) -> list[Noise]:
    """The noise of each format on each distribution, formats first; by default all of the catalogue and all there are.

    ``tensors`` are others by name, such as those of a network, each one a sequence of which one stands for each seed.

    Raises
    ------
    TypeError, ParameterError
        A format, distribution, size, seed or option that there is not, or no seed.

    Examples
    --------
    >>> [(row.format, round(row.sqnr_db)) for row in golden.noise_table(["int8", "mxfp4"], ["gaussian"], seeds=[0])]
    [('int8', 41), ('mxfp4', 19)]
    """
    check_int("size", size, 1)
    if not len(seeds):
        raise ParameterError("seeds must hold at least one seed, not none")
    found = [any_format(name) for name in (formats or [*FORMATS, *BLOCK_FORMATS])]
    names = DISTRIBUTIONS if distributions is None else distributions
    samples: dict[str, Sequence[ArrayLike]] = {name: [draw(name, size, seed) for seed in seeds] for name in names}
    for name, given in (tensors or {}).items():
        if len(given) != len(seeds):
            raise ParameterError(f"tensors must hold {len(seeds)} of {name}, one for each seed, not {len(given)}")
        samples[name] = given
    rows = []
    for fmt in found:
        for name, each in samples.items():
            decibels = [sqnr_db(x, fmt, scaling=scaling, rounding=rounding) for x in each]
            mean, spread = mean_and_spread(decibels)
            rows.append(Noise(fmt.name, name, bits_per_element(fmt), mean, spread, tuple(seeds), np.size(each[0])))
    return rows


def mean_and_spread(values: Sequence[float]) -> tuple[float, float]:
    """Mean and standard deviation (of a sample: over n - 1), which is 0 for one value."""
    mean = math.fsum(values) / len(values)
    if len(values) == 1:
        return mean, 0.0
    if not math.isfinite(mean):
        return mean, math.nan
    return mean, math.sqrt(math.fsum((value - mean) ** 2 for value in values) / (len(values) - 1))
