"""From integer accumulators to quantized codes: q = zero_point + scale · acc, in fixed-point arithmetic."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from .codes import Integers, as_integers, check_fixed, wrapped
from .formats import Format, ParameterError, check_int, choose, format

#: How scale · acc is computed. "single": one rounding, ties toward +infinity (TFLite's single-rounding rule).
MODES = ("single",)
#: Bits of a multiplier.
MULTIPLIER_BITS = 31
#: With accumulators of at most 32 bits a shift beyond this one gives 0 like this one does; see :func:`rescale`.
MAX_SHIFT = 63


def quantize_multiplier(scale: ArrayLike) -> tuple[Integers, Integers]:
    """Integers M and s with M · 2^-s nearest to a real scale: M in 2^30 … 2^31 - 1, s at least 1.

    scale = m · 2^e with m in [0.5, 1) gives M = round(m · 2^31), ties to even, and s = 31 - e; an M that became 2^31 is
    halved. The relative error is at most 2^-31. Both results are int64 of the shape of ``scale``.

    Raises
    ------
    TypeError
        ``scale`` is not real.
    ParameterError
        A scale is not finite, not above 0, or rounds to 2^30 or more.
    """
    scales = real_scale(scale)
    fraction, exponent = np.frexp(scales)
    multiplier = np.rint(np.ldexp(fraction, MULTIPLIER_BITS)).astype(np.int64)
    shift = MULTIPLIER_BITS - exponent.astype(np.int64)
    carried = multiplier >> MULTIPLIER_BITS
    multiplier, shift = multiplier >> carried, shift - carried
    if (shift < 1).any():
        raise ParameterError(f"scale must be below 2^30, not {float(scales.max())!r}")
    return multiplier, shift


def real_scale(scale: ArrayLike) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    """``scale`` as float64.

    Raises
    ------
    TypeError
        It is not real.
    ParameterError
        A scale is not finite or not above 0.
    """
    scales = np.asarray(scale)
    if scales.dtype.kind not in "fiu":
        raise TypeError(f"scale must be a real number or an array of them, not of {scales.dtype}")
    scales = scales.astype(np.float64)
    for value in scales[~(np.isfinite(scales) & (scales > 0))].flat:
        raise ParameterError(f"scale must be finite and above 0, not {float(value)!r}")
    return scales


def rescale(
    acc: ArrayLike,
    multiplier: ArrayLike,
    shift: ArrayLike,
    zero_point: int,
    out: str | Format,
    *,
    relu: bool = False,
) -> Integers:
    """q = clamp(zero_point + floor((acc · multiplier + 2^(shift-1)) / 2^shift)): what a requantizer computes.

    The product is rounded to nearest, ties toward +infinity, then clamped to the range of ``out``, with ``relu`` from
    ``zero_point`` up. Exact whatever the size of ``acc``; fast while it fits 32 bits.

    Parameters
    ----------
    acc : array_like of int
        Accumulators (not codes), shape (..., N).
    multiplier, shift : array_like of int
        From :func:`quantize_multiplier`, one each, or one for each output channel: shape (N,).
    zero_point : int
        Zero point of the result, in the range of ``out``.
    out : str or Format
        Fixed-point format of the result.
    relu : bool
        Clamp negative real values to 0, which is the code ``zero_point``.

    Returns
    -------
    ndarray
        Codes of ``out``, shape of ``acc``.

    Raises
    ------
    TypeError
        ``acc``, ``multiplier``, ``shift`` or ``zero_point`` are not integers.
    ParameterError
        One is out of range, a channel's parameter does not match ``acc``, or ``out`` is no fixed-point format.
    """
    out = check_fixed("out", format(out))
    zero_point = check_int("zero_point", zero_point, out.min_int, out.max_int)
    acc, multiplier, shift = as_integers("acc", acc), as_integers("multiplier", multiplier), as_integers("shift", shift)
    for argument, values, least, greatest in (("multiplier", multiplier, 0, (1 << 31) - 1), ("shift", shift, 1, None)):
        check_per_channel(argument, values.shape, acc.shape)
        for extreme in (values.min(), values.max()) if values.size else ():
            check_int(argument, int(extreme), least, greatest)
    acc_fits = not acc.size or (int(acc.min()) >= -(1 << 31) and int(acc.max()) < 1 << 31)
    # |acc * multiplier| < 2^62 and 2^(shift-1) <= 2^62: their sum fits an int64, and so does what is left of it after
    # the shift plus a zero point of 62 bits. A shift of MAX_SHIFT gives 0 for every product, as any longer one does:
    # acc * multiplier + 2^62 is in 0 ... 2^63 - 1.
    fast = acc_fits and out.width <= 62
    dtype = np.int64 if fast else object
    if fast:
        shift = np.minimum(shift, MAX_SHIFT)
    # At least one dimension, or NumPy would turn a lone Python integer into a scalar.
    wide, factor, count = (np.atleast_1d(part.astype(dtype)) for part in (acc, multiplier, shift))
    scaled = (wide * factor + (np.ones(1, dtype) << (count - 1))) >> count
    clamped = np.clip(scaled + zero_point, zero_point if relu else out.min_int, out.max_int)
    return wrapped(clamped, out).reshape(acc.shape)


def requantize(
    acc: ArrayLike,
    scale: ArrayLike,
    zero_point: int,
    out: str | Format,
    *,
    mode: str = "single",
    relu: bool = False,
) -> Integers:
    """q = clamp(zero_point + round(acc · scale)), with the scale as a 31-bit multiplier and a shift.

    The scale is that of :func:`quantize_multiplier`, the arithmetic that of :func:`rescale`: one rounding, ties toward
    +infinity, for the only mode there is, "single".

    Parameters
    ----------
    acc : array_like of int
        Accumulators (not codes), shape (..., N).
    scale : array_like of float
        S_A · S_W / S_O: one number, or one for each output channel, shape (N,). Finite, above 0, below 2^30.
    zero_point : int
        Zero point of the result, in the range of ``out``.
    out : str or Format
        Fixed-point format of the result.
    mode : str
        One of MODES.
    relu : bool
        Clamp negative real values to 0, which is the code ``zero_point``.

    Returns
    -------
    ndarray
        Codes of ``out``, shape of ``acc``.

    Raises
    ------
    TypeError, ParameterError
        As in the two functions named; and for an unknown mode.
    """
    choose("mode", mode, MODES)
    scales = real_scale(scale)
    check_per_channel("scale", scales.shape, np.shape(acc))
    return rescale(acc, *quantize_multiplier(scales), zero_point, out, relu=relu)


def check_per_channel(argument: str, shape: tuple[int, ...], data_shape: tuple[int, ...]) -> None:
    """Raise a ParameterError unless ``shape`` is that of one number, or of one for each channel, the last axis."""
    if shape not in ((), data_shape[-1:]):
        raise ParameterError(f"{argument} must be of shape () or {data_shape[-1:]}, one for each channel, not {shape}")
