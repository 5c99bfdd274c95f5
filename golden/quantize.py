"""Quantization r = scale · (q - zero_point), and scales from data: min/max calibration."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .codec import encode
from .codes import Integers, as_integers, check_fixed, from_int, to_int
from .formats import Format, ParameterError, fixed_point, format
from .requantize import check_per_channel, real_scale


@dataclass(frozen=True)
class Quantization:
    """The scale and zero point that belong to a tensor of codes: r = scale · (q - zero_point).

    Both arrays (float64 and int64) are of shape () for a whole tensor, or (N,) for the N channels of its last axis.
    """

    scale: NDArray[np.float64]
    zero_point: NDArray[np.int64]


def quantize(
    x: ArrayLike, scale: ArrayLike, zero_point: ArrayLike, fmt: str | Format, *, rounding: str = "rne"
) -> Integers:
    """q = clamp(round(x / scale) + zero_point), as codes.

    The quotient is a float64; it is rounded to an integer once, and the sum saturates.

    Parameters
    ----------
    x : array_like of float
        Real numbers, shape (..., N).
    scale, zero_point : array_like
        One each, or one for each channel: shape () or (N,).
    fmt : str or Format
        Fixed-point format of the codes. Its fraction bits play no part: q is the integer that a code stands for.
    rounding : str
        One of ROUNDINGS.

    Raises
    ------
    TypeError
        ``x`` or ``scale`` are not real, ``zero_point`` not integer.
    ParameterError
        ``x`` is not finite, a scale is not finite or not above 0, a zero point is beyond the format, or shapes or the
        format do not match.
    """
    fmt = check_fixed("fmt", format(fmt))
    data = _finite("x", x)
    scales, zeros = _parameters(scale, zero_point, fmt, data.shape)
    # Two bits more than the format: no quotient that saturates here would be in range with its zero point added.
    quotient_format = fixed_point(max(62, fmt.width + 2))
    with np.errstate(over="ignore"):
        codes = encode(data / scales, quotient_format, rounding=rounding)
    if fmt.width > 60:
        zeros = zeros.astype(object)
    integers = np.asarray(to_int(codes, quotient_format) + zeros)
    return from_int(np.clip(integers, fmt.min_int, fmt.max_int), fmt)


def dequantize(codes: ArrayLike, scale: ArrayLike, zero_point: ArrayLike, fmt: str | Format) -> NDArray[np.float64]:
    """r = scale · (q - zero_point), as float64: the difference is exact up to 53 bits, the product rounded.

    Parameters and errors are those of :func:`quantize`.
    """
    fmt = check_fixed("fmt", format(fmt))
    integers = to_int(codes, fmt)
    scales, zeros = _parameters(scale, zero_point, fmt, integers.shape)
    if fmt.width > 62:
        integers = integers.astype(object)
    return scales * np.asarray(integers - zeros).astype(np.float64)


class MinMax:
    """Min/max calibration: scales from the least and the greatest value of data that comes in batches.

    Parameters
    ----------
    per_channel : bool
        One range for each channel, which is the last axis of the data; else one for all.
    """

    def __init__(self, *, per_channel: bool = False) -> None:
        self.per_channel = per_channel
        self._least: NDArray[np.float64] | None = None
        self._greatest: NDArray[np.float64] | None = None

    def update(self, x: ArrayLike) -> Self:
        """Take a batch of real numbers, shape (..., N), into account.

        Raises
        ------
        TypeError
            ``x`` is not real.
        ParameterError
            ``x`` is not finite, or has other channels than the batches before.
        """
        data = _finite("x", x)
        if self.per_channel and data.ndim == 0:
            raise ParameterError("x must have a last axis of channels, not shape ()")
        if data.size == 0:
            return self
        axes = tuple(range(data.ndim - self.per_channel))
        least, greatest = data.min(axis=axes), data.max(axis=axes)
        if self._least is None or self._greatest is None:
            self._least, self._greatest = np.asarray(least), np.asarray(greatest)
        elif least.shape != self._least.shape:
            raise ParameterError(f"x must have {self._least.size} channels, not {least.size}")
        else:
            self._least, self._greatest = np.minimum(self._least, least), np.maximum(self._greatest, greatest)
        return self

    def quantization(self, fmt: str | Format, *, symmetric: bool = False) -> Quantization:
        """The scale and zero point that map the range onto a format's integers q_min … q_max.

        Asymmetric: the range, widened to hold 0, onto all of them: scale = (max - min) / (q_max - q_min), zero_point =
        round(q_min - min / scale), ties to even. Symmetric: scale = max|x| / q_max and zero_point = 0, so that q_min of
        a signed format is not used. A range of zero, or one so small that its scale would be 0, gets scale 1, which
        says zero exactly.

        Raises
        ------
        ParameterError
            There were no data, ``fmt`` is no fixed-point format, or it is unsigned and ``symmetric`` was asked for.
        """
        fmt = check_fixed("fmt", format(fmt))
        if self._least is None or self._greatest is None:
            raise ParameterError("calibration data must hold at least one value, not none")
        if symmetric and not fmt.signed:
            raise ParameterError(f"fmt must be signed where symmetric is True, not {fmt}")
        least, greatest = np.minimum(self._least, 0.0), np.maximum(self._greatest, 0.0)
        if symmetric:
            scale = _usable(np.maximum(-least, greatest) / fmt.max_int)
            return Quantization(scale, np.zeros(scale.shape, np.int64))
        steps = fmt.max_int - fmt.min_int
        # Divided first: the difference of two float64 may overflow.
        scale = _usable(greatest / steps - least / steps)
        zero_point = np.clip(np.rint(fmt.min_int - least / scale), fmt.min_int, fmt.max_int)
        return Quantization(scale, zero_point.astype(np.int64))


def _usable(scale: Any) -> NDArray[np.float64]:
    return np.where(scale > 0, scale, 1.0)


def _finite(argument: str, x: ArrayLike) -> NDArray[np.float64]:
    array = np.asarray(x)
    if array.dtype.kind not in "fiu":
        raise TypeError(f"{argument} must be an array of real numbers, not of {array.dtype}")
    data = array.astype(np.float64)
    bad = ~np.isfinite(data)
    if bad.any():
        index = int(bad.argmax())
        raise ParameterError(f"{argument} must be finite, not {data.flat[index]} at index {index}")
    return data


def _parameters(
    scale: ArrayLike, zero_point: ArrayLike, fmt: Format, shape: tuple[int, ...]
) -> tuple[NDArray[np.float64], Integers]:
    scales, zeros = real_scale(scale), as_integers("zero_point", zero_point)
    check_per_channel("scale", scales.shape, shape)
    check_per_channel("zero_point", zeros.shape, shape)
    if zeros.size and not fmt.min_int <= int(zeros.min()) <= int(zeros.max()) <= fmt.max_int:
        raise ParameterError(f"zero_point must be in {fmt.min_int} … {fmt.max_int} of {fmt}, not {zeros.tolist()}")
    return scales, zeros
