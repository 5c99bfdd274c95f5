"""From integer accumulators to quantized codes: q = zero_point + scale · acc, in fixed-point or fp32 arithmetic."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..codec.codes import Integers, as_integers, check_fixed, to_int, wrapped
from ..codec.scalar import encode
from ..formats import Format, ParameterError, check_choice, check_int, fixed_point, format

#: How scale · acc is computed, with a 31-bit multiplier and a shift. "single": one rounding, ties toward +infinity
#: (TFLite's single-rounding rule). "gemmlowp": a high multiply that rounds, then a shift that rounds again.
FIXED_MODES = ("single", "gemmlowp")
#: All modes. "float": in fp32, ties to even, as ONNX Runtime's QLinearMatMul does.
MODES = (*FIXED_MODES, "float")
#: Bits of a multiplier.
MULTIPLIER_BITS = 31
#: With accumulators of at most 32 bits a shift beyond this one gives 0 like this one does; see :func:`rescale`.
MAX_SHIFT = 63
#: The range of gemmlowp's accumulators.
_MIN_INT32, _MAX_INT32 = -(1 << 31), (1 << 31) - 1


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

    Examples
    --------
    >>> multiplier, shift = golden.quantize_multiplier(0.375)
    >>> float(multiplier / 2.0**shift)
    0.375
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


def float_scale(scale_a: ArrayLike, scale_w: ArrayLike, scale_out: ArrayLike) -> NDArray[np.float32]:
    """The scale of mode "float": fp32(fp32(S_A · S_W) / S_O), every scale rounded to fp32 first.

    Parameters
    ----------
    scale_a, scale_w, scale_out : array_like of float
        Scales of both operands and of the result: one each, or one for each output channel.

    Raises
    ------
    TypeError
        A scale is not real.
    ParameterError
        A scale or the result is not finite or not above 0 in fp32.

    Examples
    --------
    >>> float(golden.float_scale(0.5, 0.25, 2.0))
    0.0625
    """
    given = (("scale_a", scale_a), ("scale_w", scale_w), ("scale_out", scale_out))
    a, w, out = (_fp32_scale(argument, scale) for argument, scale in given)
    with np.errstate(over="ignore", under="ignore", divide="ignore"):
        return _fp32_scale("scale", np.asarray(a * w / out))


def real_scale(scale: ArrayLike, argument: str = "scale") -> NDArray[np.float64]:
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
        raise TypeError(f"{argument} must be a real number or an array of them, not of {scales.dtype}")
    scales = scales.astype(np.float64)
    for value in scales[~(np.isfinite(scales) & (scales > 0))].flat:
        raise ParameterError(f"{argument} must be finite and above 0, not {float(value)!r}")
    return scales


def _fp32_scale(argument: str, scale: ArrayLike) -> NDArray[np.float32]:
    scales = real_scale(scale, argument)
    with np.errstate(over="ignore", under="ignore"):
        narrow = scales.astype(np.float32)
    for value in scales[~(np.isfinite(narrow) & (narrow > 0))].flat:
        raise ParameterError(f"{argument} must be finite and above 0 in fp32, not {float(value)!r}")
    return narrow


def rescale(
    acc: ArrayLike,
    multiplier: ArrayLike,
    shift: ArrayLike,
    zero_point: ArrayLike,
    out: str | Format,
    *,
    relu: bool = False,
    mode: str = "single",
) -> Integers:
    """q = clamp(zero_point + round(acc · multiplier · 2^-shift)): what a requantizer computes.

    Mode "single": floor((acc · multiplier + 2^(shift-1)) / 2^shift), rounded once to nearest, ties toward +infinity.
    Exact for ``acc`` of any size, fast while it fits 32 bits.

    Mode "gemmlowp", for ``acc`` of 32 bits: x = :func:`high_multiply` of acc and multiplier, then
    :func:`rounding_shift` of x by shift - 31. For shift < 31 acc is first shifted left by 31 - shift. gemmlowp leaves
    an overflow there undefined; here it saturates (a choice).

    The sum is clamped to the range of ``out``, with ``relu`` from ``zero_point`` up.

    Parameters
    ----------
    acc : array_like of int
        Accumulators (not codes), shape (..., N).
    multiplier, shift : array_like of int
        From :func:`quantize_multiplier`, one each, or one for each output channel: shape (N,).
    zero_point : array_like of int
        Zero point of the result, in the range of ``out``: one, or one for each output channel.
    out : str or Format
        Fixed-point format of the result.
    relu : bool
        Clamp negative real values to 0, which is the code ``zero_point``.
    mode : str
        One of FIXED_MODES.

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

    Examples
    --------
    >>> golden.to_int(golden.rescale([100, -7], *golden.quantize_multiplier(0.5), 10, "int8"), "int8")
    array([60,  7])
    """
    check_choice("mode", mode, FIXED_MODES)
    out = check_fixed("out", format(out))
    acc = as_integers("acc", acc)
    zeros = _per_channel_integers("zero_point", zero_point, acc.shape, out.min_int, out.max_int)
    multipliers = _per_channel_integers("multiplier", multiplier, acc.shape, 0, (1 << MULTIPLIER_BITS) - 1)
    shifts = _per_channel_integers("shift", shift, acc.shape, 1, None)
    scaled = (_scaled_gemmlowp if mode == "gemmlowp" else _scaled_once)(acc, multipliers, shifts)
    return wrapped(clamped(scaled, zeros, out, relu=relu), out)


def _scaled_once(acc: Integers, multiplier: Integers, shift: Integers) -> Integers:
    fast = not acc.size or (int(acc.min()) >= _MIN_INT32 and int(acc.max()) <= _MAX_INT32)
    # |acc * multiplier| < 2^62 and 2^(shift-1) <= 2^62: their sum fits an int64. A shift of MAX_SHIFT gives 0 for every
    # product, as any longer one does: acc * multiplier + 2^62 is in 0 ... 2^63 - 1.
    dtype = np.int64 if fast else object
    if fast:
        shift = np.minimum(shift, MAX_SHIFT)
    # At least one dimension, or NumPy would turn a lone Python integer into a scalar.
    wide, factor, count = (np.atleast_1d(part.astype(dtype)) for part in (acc, multiplier, shift))
    scaled = (wide * factor + (np.ones(1, dtype) << (count - 1))) >> count
    return scaled.reshape(acc.shape)


def _scaled_gemmlowp(acc: Integers, multiplier: Integers, shift: Integers) -> Integers:
    exponent = shift.astype(np.int64) - MULTIPLIER_BITS
    # At most 31 - 1 places: an int32 stays an int64.
    shifted = _as_int32("acc in mode gemmlowp", acc) << np.maximum(-exponent, 0)
    product = high_multiply(np.clip(shifted, _MIN_INT32, _MAX_INT32), multiplier)
    # |product| < 2^31, as multiplier < 2^31: 32 places or more give 0, as in TFLite, which flushes such scales.
    return rounding_shift(product, np.clip(exponent, 0, 32))


def high_multiply(a: ArrayLike, b: ArrayLike) -> Integers:
    """gemmlowp's SaturatingRoundingDoublingHighMul, ARM's VQRDMULH: (a · b + 2^30) >> 31 of 32-bit integers.

    That is a · b / 2^31 to nearest, ties toward +infinity; -2^31 · -2^31 saturates to 2^31 - 1. The C++ text
    computes the same differently: a · b + 2^30, or + 1 - 2^30 where that is negative, over 2^31, truncated toward zero.

    Raises
    ------
    TypeError
        An operand is not integer.
    ParameterError
        One does not fit 32 bits.
    """
    product = _as_int32("a", as_integers("a", a)) * _as_int32("b", as_integers("b", b))
    return np.minimum((product + (1 << 30)) >> 31, _MAX_INT32)


def rounding_shift(x: ArrayLike, places: ArrayLike) -> Integers:
    """gemmlowp's RoundingDivideByPOT: x / 2^places to nearest, ties away from zero, for 32-bit x and places 0 … 32.

    Raises
    ------
    TypeError
        An operand is not integer.
    ParameterError
        ``x`` does not fit 32 bits, or ``places`` is out of range.
    """
    value, count = _as_int32("x", as_integers("x", x)), as_integers("places", places)
    for extreme in (count.min(), count.max()) if count.size else ():
        check_int("places", int(extreme), 0, 32)
    count = count.astype(np.int64)
    half = (np.int64(1) << count) >> 1
    # Toward +infinity, except for negative numbers, whose ties must go down: 1 less.
    return (value + half - ((value < 0) & (count > 0))) >> count


def _as_int32(argument: str, values: Integers) -> NDArray[np.int64]:
    for extreme in (values.min(), values.max()) if values.size else ():
        if not _MIN_INT32 <= int(extreme) <= _MAX_INT32:
            raise ParameterError(f"{argument} must fit 32 bits, not {int(extreme)}")
    return values.astype(np.int64)


def rescale_float(
    acc: ArrayLike, scale: ArrayLike, zero_point: ArrayLike, out: str | Format, *, relu: bool = False
) -> Integers:
    """q = clamp(zero_point + rint(fp32(fp32(acc) · scale))): requantization in single precision, as engines on CPUs do.

    Three roundings, all to nearest, ties to even: of the accumulator to fp32 (exact below 2^24), of the product, and to
    an integer.

    Parameters
    ----------
    acc : array_like of int
        Accumulators (not codes), shape (..., N).
    scale : array_like of float
        From :func:`float_scale`, one, or one for each output channel; any other real scale is rounded to fp32.
    zero_point, out, relu
        As in :func:`rescale`.

    Raises
    ------
    TypeError
        ``acc`` or ``zero_point`` are not integers, or ``scale`` is not real.
    ParameterError
        A zero point is beyond ``out``, a scale is not finite or not above 0 in fp32, or shapes or the format do not
        match.

    Examples
    --------
    >>> golden.to_int(golden.rescale_float([100, -7], 0.5, 10, "int8"), "int8")
    array([60,  6])
    """
    out = check_fixed("out", format(out))
    acc = as_integers("acc", acc)
    zeros = _per_channel_integers("zero_point", zero_point, acc.shape, out.min_int, out.max_int)
    scales = _fp32_scale("scale", scale)
    check_per_channel("scale", scales.shape, acc.shape)
    # Python integers would be rounded twice by NumPy, through float64.
    narrow = encode(acc, "fp32").view(np.float32) if acc.dtype == object else acc.astype(np.float32)
    with np.errstate(over="ignore", under="ignore"):
        product = narrow * scales
    return wrapped(clamped(nearest_integer(product, out), zeros, out, relu=relu), out)


def requantize(
    acc: ArrayLike,
    scale: ArrayLike,
    zero_point: ArrayLike,
    out: str | Format,
    *,
    mode: str = "single",
    relu: bool = False,
) -> Integers:
    """q = clamp(zero_point + round(acc · scale)), in one of three arithmetics.

    "single" and "gemmlowp": :func:`rescale` by the multiplier and shift of :func:`quantize_multiplier`. "float":
    :func:`rescale_float` by the scale that :func:`float_scale` gives.

    Parameters
    ----------
    acc : array_like of int
        Accumulators (not codes), shape (..., N).
    scale : array_like of float
        S_A · S_W / S_O: one number, or one for each output channel, shape (N,). Finite and above 0; below 2^30 in the
        fixed-point modes.
    zero_point : array_like of int
        Zero point of the result, in the range of ``out``: one, or one for each output channel.
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
        As in the functions named; and for an unknown mode.

    Examples
    --------
    >>> golden.to_int(golden.requantize([100, -7], 0.5, 10, "int8"), "int8")
    array([60,  7])
    """
    check_choice("mode", mode, MODES)
    scales = real_scale(scale)
    check_per_channel("scale", scales.shape, np.shape(acc))
    if mode == "float":
        return rescale_float(acc, scales, zero_point, out, relu=relu)
    return rescale(acc, *quantize_multiplier(scales), zero_point, out, relu=relu, mode=mode)


def nearest_integer(x: NDArray[Any], out: Format, rounding: str = "rne") -> Integers:
    """Real numbers rounded to integers that, with a zero point of ``out`` added, clamp to ``out`` as the exact ones do.

    Two bits more than the format: no number that saturates here would be in range with its zero point added.
    """
    wide = fixed_point(max(62, out.width + 2))
    return to_int(encode(x, wide, rounding=rounding, nonfinite="substitute"), wide)


def clamped(scaled: Integers, zero_point: Integers, out: Format, *, relu: bool = False) -> Integers:
    """clamp(scaled + zero_point) to the range of ``out``, with ``relu`` from ``zero_point`` up; of scaled's shape.

    ``scaled``, where it is an int64, is a sum of at most 2^62 in magnitude, or less than 2^63 for ``out`` beyond 60 bits.
    """
    # At least one dimension, or NumPy would turn a lone Python integer into a scalar.
    zeros = np.atleast_1d(zero_point.astype(object if out.width > 60 else np.int64))
    total = np.atleast_1d(scaled) + zeros
    return np.clip(total, zeros if relu else out.min_int, out.max_int).reshape(scaled.shape)


def check_per_channel(argument: str, shape: tuple[int, ...], data_shape: tuple[int, ...]) -> None:
    """Raise a ParameterError unless ``shape`` is that of one number, or of one for each channel, the last axis."""
    if shape not in ((), data_shape[-1:]):
        raise ParameterError(f"{argument} must be of shape () or {data_shape[-1:]}, one for each channel, not {shape}")


def _per_channel_integers(
    argument: str, values: ArrayLike, data_shape: tuple[int, ...], least: int, greatest: int | None
) -> Integers:
    array = as_integers(argument, values)
    check_per_channel(argument, array.shape, data_shape)
    for extreme in (array.min(), array.max()) if array.size else ():
        check_int(argument, int(extreme), least, greatest)
    return array
