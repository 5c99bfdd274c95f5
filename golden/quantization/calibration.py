"""Calibration: a tensor's scale and zero point from data that come in batches. The base of all methods."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..codec.codes import Integers, check_fixed
from ..formats import FixedFormat, Format, ParameterError, format
from .affine import Quantization, finite

Reals = NDArray[np.float64]
#: The least and the greatest real number to be represented, one of each for every channel.
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
        represents zero exactly.

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
        scale, zero_point = affine_scale(*self._range(fmt, symmetric), fmt, symmetric)
        shape = scale.shape if self.per_channel else ()
        return Quantization(scale.reshape(shape), zero_point.reshape(shape), fmt)

    def scale(self, fmt: str | Format) -> Reals:
        """The scale S = max|x| / (the largest value) for codes of x / S, over the method's symmetric range.

        For floats, which need no zero point: codes are ``encode(x / S, fmt, overflow="saturate")``. For fixed point it
        equals ``quantization(fmt, symmetric=True).scale``; the codes' fraction bits play no part.

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
        scale = symmetric_scale(*self._range(fmt, True), float(fmt.max))
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


def check_real(argument: str, value: object) -> float:
    """Return ``value`` as a float if it is a real number; else raise a TypeError that names ``argument``."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise TypeError(f"{argument} must be a real number, not {value!r}")
    return float(value)


def affine_scale(least: Reals, greatest: Reals, fmt: Format, symmetric: bool) -> tuple[Reals, Integers]:
    """Scale and zero point that map ranges onto a format's integers, as :meth:`Calibration.quantization` says."""
    if symmetric:
        scale = symmetric_scale(least, greatest, fmt.max_int)
        return scale, np.zeros(scale.shape, np.int64)
    least, greatest = np.minimum(least, 0.0), np.maximum(greatest, 0.0)
    # Divided first: the difference of two float64 may overflow.
    steps = fmt.max_int - fmt.min_int
    scale = _usable(greatest / steps - least / steps)
    # Clamped as Python integers: of a wide format q_max is no float64.
    zero_point = [min(max(int(zero), fmt.min_int), fmt.max_int) for zero in np.rint(fmt.min_int - least / scale)]
    return scale, np.array(zero_point, np.int64 if fmt.max_int < 1 << 63 else object)


def symmetric_scale(least: Reals, greatest: Reals, largest: float) -> Reals:
    """The scale at which the largest code stands for the greatest magnitude of a range."""
    return _usable(np.maximum(np.maximum(-least, greatest), 0.0) / largest)


def _usable(scale: Reals) -> Reals:
    for value in scale[~np.isfinite(scale)]:
        raise ParameterError(f"scale must be finite, not {float(value)!r}")
    return np.where(scale > 0, scale, 1.0)
