"""Quantization r = scale · (q - zero_point), and matrix products of quantized tensors."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..codec.codes import Integers, as_integers, check_fixed, from_int, to_int
from ..formats import Format, ParameterError, check_choice, format
from ..sums.gemm import gemm
from .requantize import MODES, check_per_channel, clamped, float_scale, nearest_integer, real_scale, requantize


@dataclass(frozen=True, init=False)
class Quantization:
    """The scale, zero point and format that belong to a tensor of codes: r = scale · (q - zero_point).

    Both arrays (float64 and int64) are of shape () for a whole tensor, or (N,) for the N channels of its last axis;
    numbers, sequences and a format's name are accepted.

    Raises
    ------
    TypeError
        ``scale`` is not real or ``zero_point`` not integer.
    ParameterError
        A scale is not finite or not above 0, a zero point is beyond the format, or it is no fixed-point format.

    Examples
    --------
    >>> golden.Quantization(0.5, 3, "uint8").fmt.name
    'uint8'
    """

    scale: NDArray[np.float64]
    zero_point: NDArray[np.int64]
    fmt: Format

    def __init__(self, scale: ArrayLike, zero_point: ArrayLike, fmt: str | Format) -> None:
        fmt = check_fixed("fmt", format(fmt))
        scales, zeros = real_scale(scale), as_integers("zero_point", zero_point)
        _check_zero_point(zeros, fmt)
        for argument, array in (("scale", scales), ("zero_point", zeros)):
            if array.ndim > 1:
                raise ParameterError(f"{argument} must be of shape () or (N,), not {array.shape}")
        # Zero points beyond int64, of formats of 64 bits without sign, stay Python integers.
        zeros = zeros.astype(np.int64 if fmt.max_int < 1 << 63 else object)
        for name, value in (("scale", scales), ("zero_point", zeros), ("fmt", fmt)):
            object.__setattr__(self, name, value)


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

    Examples
    --------
    >>> golden.quantize([0.6, -10.0, 200.0], 0.5, 3, "uint8")
    array([  4,   0, 255], dtype=uint8)
    """
    fmt = check_fixed("fmt", format(fmt))
    data = finite("x", x)
    scales, zeros = _parameters(scale, zero_point, fmt, data.shape)
    with np.errstate(over="ignore"):
        quotient = data / scales
    return from_int(clamped(nearest_integer(quotient, fmt, rounding), zeros, fmt), fmt)


def dequantize(codes: ArrayLike, scale: ArrayLike, zero_point: ArrayLike, fmt: str | Format) -> NDArray[np.float64]:
    """r = scale · (q - zero_point), as float64: the difference is exact up to 53 bits, the product rounded.

    Parameters and errors as in :func:`quantize`.

    Examples
    --------
    >>> golden.dequantize([5, 1], 0.5, 3, "uint8")
    array([ 1., -1.])
    """
    fmt = check_fixed("fmt", format(fmt))
    integers = to_int(codes, fmt)
    scales, zeros = _parameters(scale, zero_point, fmt, integers.shape)
    if fmt.width > 62:
        integers = integers.astype(object)
    return scales * np.asarray(integers - zeros).astype(np.float64)


def qgemm(
    a: ArrayLike,
    b: ArrayLike,
    qa: Quantization,
    qb: Quantization,
    qo: Quantization,
    *,
    bias: ArrayLike | None = None,
    relu: bool = False,
    mode: str = "single",
) -> Integers:
    """Codes of the matrix product of two quantized tensors: the real matrices in, the real matrix out, all as codes.

    r_A · r_B = S_A·S_B · Σ (a - Z_A)(b - Z_B), the sum exact and expanded as in :func:`.gemm.gemm`; then the bias, and
    :func:`.requantize.requantize` by S_A·S_B/S_O (in mode "float" as :func:`.requantize.float_scale` rounds it).

    Parameters
    ----------
    a, b : array_like of int
        Codes, shapes (M, K) and (K, N).
    qa, qb, qo : Quantization
        Of a, for the whole tensor; of b and of the result, for the whole tensor or for each of the N columns.
    bias : array_like of int or None
        Integers in units of S_A·S_B, one for each column, shape (N,): round(bias / (S_A·S_B)) of a real bias.
    relu : bool
        Clamp negative real values to 0.
    mode : str
        One of MODES.

    Returns
    -------
    ndarray of shape (M, N)
        Codes of qo's format.

    Raises
    ------
    TypeError
        Codes or the bias are not integers.
    ParameterError
        Codes are out of range, shapes do not match, or the mode is unknown or cannot hold a scale or an accumulator.

    Examples
    --------
    >>> q = golden.Quantization(0.5, 0, "int8")
    >>> golden.qgemm([[2, 4]], [[1], [3]], q, q, golden.Quantization(1.0, 0, "int8"))
    array([[4]], dtype=uint8)
    """
    check_choice("mode", mode, MODES)
    if qa.scale.ndim or qa.zero_point.ndim:
        raise ParameterError(
            f"qa must be of the whole tensor, scale and zero_point of shape (),"
            f" not {qa.scale.shape} and {qa.zero_point.shape}"
        )
    acc = gemm(a, b, qa.fmt, qb.fmt, zero_a=int(qa.zero_point), zero_b=0 if qb.zero_point.ndim else int(qb.zero_point))
    for argument, given in (("qb", qb), ("qo", qo)):
        check_per_channel(f"{argument}.scale", given.scale.shape, acc.shape)
        check_per_channel(f"{argument}.zero_point", given.zero_point.shape, acc.shape)
    if qb.zero_point.ndim:
        # The same expansion column by column: what a zero point of b adds is -Z_B · Σ_k (a - Z_A).
        depth = np.shape(a)[1]
        dtype = object if qa.fmt.width + qb.fmt.width + depth.bit_length() > 60 else np.int64
        rows = (to_int(a, qa.fmt).astype(dtype) - int(qa.zero_point)).sum(axis=1, keepdims=True)
        acc = acc - rows * qb.zero_point
    if bias is not None:
        offsets = as_integers("bias", bias)
        if offsets.shape != acc.shape[1:]:
            raise ParameterError(f"bias must be of shape {acc.shape[1:]}, one for each column, not {offsets.shape}")
        acc = acc + offsets
    scale = float_scale(qa.scale, qb.scale, qo.scale) if mode == "float" else real_scale(qa.scale * qb.scale / qo.scale)
    return requantize(acc, scale, qo.zero_point, qo.fmt, mode=mode, relu=relu)


def finite(argument: str, x: ArrayLike) -> NDArray[np.float64]:
    """``x`` as float64.

    Raises
    ------
    TypeError
        It is not real.
    ParameterError
        One of the numbers is infinite or NaN.
    """
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
    _check_zero_point(zeros, fmt)
    return scales, zeros


def _check_zero_point(zeros: Integers, fmt: Format) -> None:
    if zeros.size and not fmt.min_int <= int(zeros.min()) <= int(zeros.max()) <= fmt.max_int:
        raise ParameterError(f"zero_point must be in {fmt.min_int} … {fmt.max_int} of {fmt}, not {zeros.tolist()}")
