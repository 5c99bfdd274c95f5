"""The scale by which a tensor goes into a scalar format: a search for the least noise, or a rule."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..checks import ParameterError, check_choice
from ..codec.block import decode_blocks, encode_blocks
from ..codec.codes import Integers
from ..codec.scalar import decode, encode
from ..formats import BlockFormat, FixedFormat, Format
from ..quantization.affine import dequantize, finite, quantize
from ..quantization.histogram_calibration import MeanSquareError
from ..quantization.range_calibration import MinMax

Reals = NDArray[np.float64]

#: How the scale of a tensor is chosen, see :func:`quantized`.
SCALINGS = ("mse", "power_of_two", "absmax", "rms")

# The search for the scale: how far the largest magnitude may be clipped, and by how much it may be below the largest
# number, in octaves; steps of an octave in the second pass; the numbers that both are made on; and the scales that are then
# tried on all numbers.
_CLIPPED, _BELOW, _STEPS, _LARGEST, _OTHERS, _FINALISTS = 7, 6, 32, 256, 1024, 4
#: Octaves by which the largest magnitude is below the largest number at most: formats with a wider range have no noise to
#: gain from the rest of it, but tapered ones have their precision around 1.
_WIDEST = 140


@dataclass(frozen=True)
class Scaled:
    """A tensor as codes of a scalar format: x ≈ sign · scale · (value of code - zero_point).

    Attributes
    ----------
    codes : ndarray
        Of the format, in the tensor's shape.
    scale : float
        Of the tensor.
    values : ndarray
        What the codes stand for, in the tensor's units.
    """

    codes: Integers
    scale: float
    values: Reals


def quantized(x: ArrayLike, fmt: Format | BlockFormat, *, scaling: str = "mse", rounding: str | None = None) -> Reals:
    """The tensor after it has been a format's codes: what they stand for, in the units of ``x``.

    *Block formats* along the last axis, zeros filling up the last block; their own scales, and ``scaling`` plays no part.
    *Fixed point* by a scale (and, in formats without sign, a zero point) as :mod:`..quantization` has them: "mse" by
    :class:`.histogram_calibration.MeanSquareError`, "absmax" by :class:`.range_calibration.MinMax`, symmetric where there
    is a sign. *One bit*: the sign times the mean magnitude, which has the least noise (XNOR-Net). *All others*:
    ``encode(x / scale) · scale``, saturating, with one scale for the tensor:

    "mse"
        that of the least mean square error, searched in steps of 1/32 octave (the default);
    "power_of_two"
        that of the least mean square error among powers of two, which a shift of the exponent makes;
    "absmax"
        the largest magnitude over the format's largest number;
    "rms"
        the root of the mean square: as for float data that nobody scales.

    Of floats without a sign the magnitudes are quantized, as those of the positive and of the negative part would be.

    Parameters
    ----------
    x : array_like of float
        The tensor.
    fmt : Format or BlockFormat
        The format.
    scaling : str
        One of SCALINGS; fixed point takes "mse" and "absmax" ("rms" and "power_of_two" are those of "mse").
    rounding : str or None
        One of ROUNDINGS; None: "rne", of a block format its own.

    Raises
    ------
    TypeError
        ``x`` is not real.
    ParameterError
        ``x`` is not finite or has no element, or ``scaling`` or ``rounding`` is unknown.
    """
    check_choice("scaling", scaling, SCALINGS)
    data = finite("x", x)
    if not data.size:
        raise ParameterError("x must hold at least one number, not none")
    if isinstance(fmt, BlockFormat):
        return _in_blocks(np.atleast_1d(data), fmt, rounding).reshape(data.shape)
    return scaled(data, fmt, scaling=scaling, rounding=rounding).values


def _in_blocks(data: Reals, fmt: BlockFormat, rounding: str | None) -> Reals:
    length = data.shape[-1]
    missing = -length % fmt.block_size
    padded = np.pad(data, [(0, 0)] * (data.ndim - 1) + [(0, missing)]) if missing else data
    return decode_blocks(encode_blocks(padded, fmt, rounding=rounding), fmt)[..., :length]


def scaled(x: Reals, fmt: Format, *, scaling: str = "mse", rounding: str | None = None) -> Scaled:
    """The codes, the scale and the values of :func:`quantized`, for a scalar format."""
    mode = rounding or "rne"
    if fmt.kind == "binary":
        size = float(np.abs(x).mean())
        codes = encode(x, fmt)
        return Scaled(codes, size, decode(codes, fmt) * size)
    if isinstance(fmt, FixedFormat):
        method = MinMax() if scaling == "absmax" else MeanSquareError(candidates=128)
        given = method.update(x).quantization(fmt, symmetric=fmt.signed)
        codes = quantize(x, given.scale, given.zero_point, fmt, rounding=mode)
        # The fraction bits play no part in the codes.
        return Scaled(codes, float(given.scale), dequantize(codes, given.scale, given.zero_point, fmt))
    scale = _scale(x, fmt, scaling)
    codes = _encode(x / scale, fmt, mode)
    return Scaled(codes, scale, _signs(x, fmt) * decode(codes, fmt) * scale)


def _signs(x: Reals, fmt: Format) -> Reals:
    """What the decoded magnitudes are multiplied by: nothing in formats that have a sign."""
    return np.ones(1) if fmt.signed else np.where(x < 0, -1.0, 1.0)


def _encode(x: Reals, fmt: Format, rounding: str) -> Integers:
    overflow = "saturate" if "saturate" in fmt.overflows else None
    data = x if fmt.signed else np.abs(x)
    if not fmt.has_zero:
        data = np.maximum(data, float(fmt.min_positive))
    return encode(data, fmt, rounding=rounding if rounding in fmt.roundings else "rne", overflow=overflow)


def _scale(x: Reals, fmt: Format, scaling: str) -> float:
    """The scale of a tensor in a format with exponents."""
    largest = float(np.abs(x).max())
    if not largest:
        return 1.0
    if scaling == "rms":
        return float(np.sqrt(np.mean(x**2)))
    limit = _log2(fmt)
    if scaling == "absmax":
        return float(largest * 2.0**-limit)
    sample, weights = _sample(x)
    # Powers of two that bring the largest magnitude to between _CLIPPED octaves above and _BELOW octaves below the largest
    # number, or to 2^_BELOW below 1 where that is further down.
    top = int(np.floor(np.log2(largest)))
    first, last = top - int(limit) - _CLIPPED, top - min(int(limit), 0) + _BELOW
    exponents = np.arange(max(first, last - _WIDEST), last + 1)
    scales = np.ldexp(1.0, exponents)
    noises = _noises(sample, weights, fmt, scales)
    if scaling == "mse":
        best = exponents[noises.argmin()]
        scales = 2.0 ** (best + np.arange(-_STEPS, _STEPS + 1) / _STEPS)
        noises = _noises(sample, weights, fmt, scales)
    # Of equal ones the least scale: so that a sign or a power of two changes nothing.
    finalists = scales[np.argsort(noises, kind="stable")[:_FINALISTS]]
    if scaling == "mse":
        finalists = np.append(finalists, largest * 2.0**-limit)
    finalists = np.sort(finalists)
    flat = x.reshape(-1)
    once = np.ones(flat.size)
    return float(finalists[np.argmin([_noises(flat, once, fmt, scale)[0] for scale in finalists[:, None]])])


def _log2(fmt: Format) -> float:
    """Logarithm of the largest number, which may be beyond float64's range."""
    size = fmt.max_magnitude
    bits = size.numerator.bit_length() - size.denominator.bit_length()
    return bits + float(np.log2(float(size / 2**bits if bits >= 0 else size * 2**-bits)))


def _sample(x: Reals) -> tuple[Reals, Reals]:
    """Some numbers that stand for all, and how many each stands for: the largest magnitudes, which clipping meets, for
    themselves; of the others, in the order of magnitudes, one in each group of equal size."""
    ordered = x.reshape(-1)[np.argsort(-np.abs(x.reshape(-1)), kind="stable")]
    step = max(1, (len(ordered) - _LARGEST) // _OTHERS)
    rest = ordered[_LARGEST:]
    chosen = rest[step // 2 :: step]
    weight = len(rest) / len(chosen) if len(chosen) else 0.0
    head = ordered[:_LARGEST]
    return np.concatenate([head, chosen]), np.concatenate([np.ones(len(head)), np.full(len(chosen), weight)])


def _noises(x: Reals, weights: Reals, fmt: Format, scales: Reals) -> Reals:
    """The squared error with each of the scales."""
    with np.errstate(over="ignore", under="ignore"):
        values = decode(_encode(x / scales[:, None], fmt, "rne"), fmt) * scales[:, None]
        values = _signs(x, fmt) * values
        # Not by the BLAS, whose threads wait for one another on a busy machine.
        errors = np.sum((values - x) ** 2 * weights, axis=-1)
    return np.where(np.isfinite(errors), errors, np.inf)
