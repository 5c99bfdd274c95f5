"""Real numbers to the codes of a scalar format, and back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..formats import FORMATS, Format, ParameterError, check_choice, format
from .codes import CHUNK, Integers, Unpacked, as_array, as_codes, as_integers, code_dtype, to_int
from .fast.fixed import can_round_fixed, fixed_rounder
from .fast.floating import Reals, can_round, code_values, holding, round_in_loop, rounder, scale
from .fast.rounding_table import TABLE_SIZE, rounded_by_table, rounds_by_table
from .kinds import pack, unpack
from .rounding import Target
from .stochastic import Random, RandomWords, random_words

#: What NaN and infinity become in a format that has no code for them.
NONFINITES = ("error", "substitute")

#: From numbers, their random words and the index of the first of them to codes.
_Convert = Callable[[NDArray[Any], RandomWords | None, int], Integers]

_FP64 = FORMATS["fp64"]
_TO_FP64 = Target(_FP64, _FP64.policy())


def encode(
    x: ArrayLike,
    fmt: str | Format,
    *,
    rounding: str = "rne",
    overflow: str | None = None,
    subnormals: str = "full",
    nonfinite: str = "error",
    random: Random | None = None,
    random_bits: int = 32,
) -> Integers:
    """The codes of real numbers: rounded once, from their exact values.

    Parameters
    ----------
    x : array_like
        float64, float32, float16 or integers (of any size, dtype object for those beyond 64 bits); any shape.
    fmt : str or Format
        The codes' format.
    rounding : str
        One of ROUNDINGS, or "stochastic"; "rne" alone for binary formats, where numbers from 0 up are +1 and those
        below -1. Stochastic: with t the part of the magnitude below its last place, as a fraction of one unit there,
        the magnitude is rounded up where floor(t · 2^random_bits) + r >= 2^random_bits, with r a random word, uniform
        in 0 … 2^random_bits - 1; so that hardware which is given the same words does the same.
    overflow : str or None
        "ieee" (None) or "saturate" for floats, "saturate" (None) or "wrap" for fixed point: what becomes of results
        out of range. Infinities become infinity under "ieee" and the largest value under "saturate".
    subnormals : str
        "full", or "flush": a result that is tiny after rounding is zero.
    nonfinite : str
        What NaN and infinity become in a format that has none: "error", or "substitute". Infinity becomes what a
        result out of range becomes (NaN under "ieee" if there is one, else the largest value of its sign); NaN becomes
        the largest value in a float (ONNX's and CUDA's rule for fp4), +1 in a binary format, 0 in fixed point.
    random : int, numpy.random.Generator, array_like of int or None
        For stochastic rounding alone: a seed, a generator, or the random words (:func:`.stochastic.random_words`).
    random_bits : int
        Bits of a random word, 1 … 63.

    Returns
    -------
    ndarray
        Codes, in the least unsigned dtype that holds them (Python integers above 64 bits); the shape of ``x``.

    Raises
    ------
    TypeError
        ``x`` is neither floating point nor integer, or ``random`` of a wrong kind.
    ParameterError
        NaN or infinity where the format has none (and nothing substitutes it), infinity that would wrap, ``random``
        missing or out of place, or a policy that has no meaning in the format.

    Examples
    --------
    >>> golden.encode([1.0, 0.3, 1e6], "fp8_e4m3", overflow="saturate")
    array([ 56,  42, 126], dtype=uint8)
    >>> golden.encode([0.3], "q1.7", rounding="rup")
    array([39], dtype=uint8)
    """
    fmt = format(fmt)
    target = Target.of(fmt, rounding, overflow, subnormals)
    check_choice("nonfinite", nonfinite, NONFINITES)
    array = as_array(x)
    words = random_words(rounding, random, random_bits, array.shape)
    if array.dtype.kind == "f" and array.dtype.itemsize <= 8:
        flat = _finite(np.ascontiguousarray(array).reshape(-1), fmt, nonfinite)
        # A float32 holds every float16 exactly, as a float64 holds every float32.
        work = np.float64 if array.dtype.itemsize == 8 else np.float32
        with np.errstate(all="ignore"):
            codes = round_in_loop(flat.astype(work, copy=False), target) if can_round(target) else None
        if codes is not None:
            return codes.reshape(array.shape)
        convert = _from_reals(target, work)
    elif array.dtype == object or array.dtype.kind in "iu":
        flat = as_integers("x", array).reshape(-1)
        convert = _from_unpacked(target, _unpack_integers)
    else:
        raise TypeError(f"x must be an array of float64, float32, float16 or integers, not of {array.dtype}")
    codes = np.empty(flat.size, code_dtype(fmt))
    # Conversions meet infinities, NaNs and results out of range as a matter of course.
    with np.errstate(all="ignore"):
        for start in range(0, flat.size, CHUNK):
            part = slice(start, start + CHUNK)
            codes[part] = convert(flat[part], None if words is None else words[part], start)
    return codes.reshape(array.shape)


def _finite(x: Reals, fmt: Format, nonfinite: str) -> Reals:
    """``x``, once NaNs that the format has no code for are substituted; infinities are when they are rounded."""
    if fmt.has_nan and fmt.has_inf:
        return x
    if fmt.has_nan:
        wrong, rule = np.isinf(x), "free of infinities"
    else:
        wrong, rule = (np.isnan(x), "free of NaN") if fmt.has_inf else (~np.isfinite(x), "finite")
    if not wrong.any():
        return x
    if nonfinite == "error":
        index = int(wrong.argmax())
        raise ParameterError(
            f"x must be {rule} for {fmt} unless nonfinite is 'substitute', not {float(x[index])} at index {index}"
        )
    # In a float without NaN the largest value stands for infinity too, unless that has a code.
    return x if fmt.has_nan else np.where(np.isnan(x), x.dtype.type(0 if fmt.nan_becomes_zero else np.inf), x)


def _from_reals(target: Target, work: type[np.floating]) -> _Convert:
    """The first conversion of floats, computing in the type ``work``, that knows the format."""
    if can_round(target):
        rounded = rounder(target, work, flags=False)
        return lambda x, random, start: rounded(x.astype(work, copy=False), random)[0]
    if can_round_fixed(target, work):
        fixed = fixed_rounder(target, work)
        return lambda x, random, start: fixed(x.astype(work, copy=False))
    if work == np.float32 and rounds_by_table(target):
        return lambda x, random, start: rounded_by_table(x.astype(np.float32, copy=False), target, flags=False)[0]
    return _from_unpacked(target, lambda x: unpack(x.astype(np.float64).view(np.uint64), _FP64))


def _from_unpacked(target: Target, unpacked: Callable[[Integers], Unpacked]) -> _Convert:
    """The conversion by the general rounder."""
    return lambda x, random, start: pack("x", unpacked(x), target, random, start)[0]


def _unpack_integers(integers: Integers) -> Unpacked:
    # int64's least value, and uint64, have magnitudes of 64 bits.
    if integers.dtype.itemsize == 8 and np.any((integers > 2**62) | (integers < -(2**62))):
        integers = integers.astype(object)
    fast = integers.dtype != object
    magnitude = np.abs(integers.astype(np.int64)).view(np.uint64) if fast else np.abs(integers)
    never = np.zeros(1, bool)
    return Unpacked(integers < 0, magnitude, np.zeros(1, np.int64), never, never, never)


def decode(codes: ArrayLike, fmt: str | Format) -> NDArray[np.float64]:
    """The real numbers that codes stand for, as float64: exact.

    Formats with values that no float64 holds (integers and fixed point beyond 53 bits, floats with more precision or
    range than binary64) are rounded to the nearest float64, ties to even.

    Parameters
    ----------
    codes : array_like of int
        Codes of ``fmt``, any shape.
    fmt : str or Format
        Their format.

    Raises
    ------
    TypeError
        ``codes`` are not integers.
    ParameterError
        One of them is no code of the format.

    Examples
    --------
    >>> golden.decode([0x38, 0x7e, 0x7f], "fp8_e4m3")
    array([  1., 448.,  nan])
    """
    fmt = format(fmt)
    array = as_codes("codes", codes, fmt)
    if fmt.is_integral and fmt.width <= 1024 and fmt.frac_bits <= 1022:
        # The conversion of an integer is correctly rounded, and the scaling by a power of two stays among the normals.
        return np.ldexp(to_int(array, fmt).astype(np.float64), -fmt.frac_bits)
    flat = array.reshape(-1)
    if fmt.width <= 16 and flat.size >= TABLE_SIZE and holding(*scale(fmt)) is not None:
        values = code_values(fmt, "full").take(flat.astype(np.intp), mode="wrap")
        return values.astype(np.float64, copy=False).reshape(array.shape)
    value = unpack(flat, fmt)
    if fmt.significand_bits <= 53 and fmt.lsb_exponent >= -1074 and fmt.max_exponent <= 1023:
        # Every finite value is a float64, so that scaling rounds nothing.
        real = np.ldexp(value.magnitude.astype(np.float64), value.exponent)
        real = np.where(value.nan, np.nan, np.where(value.inf, np.inf, real))
        real = np.where(value.negative & ~value.nan, -real, real)
    else:
        real = pack("codes", value, _TO_FP64)[0].view(np.float64)
    return real.reshape(array.shape)
