"""Between codes and floating-point numbers that hold them exactly: what the fast paths compute with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from ...formats import FORMATS, FloatFormat, Format, RoundingMode, ieee_float
from ..codes import Integers, code_dtype, to_int
from ..floating import with_specials
from ..kinds import unpack
from ..rounding import Target, exceptions
from ..stochastic import RandomWords
from .jit import compiled
from .jit_loops import cut_words, round_words
from .rounding_table import rounded_by_table, rounds_by_table

#: float32 or float64.
Reals = NDArray[np.floating]
#: From numbers, and random words if rounding takes them, to codes and exceptions.
Rounder = Callable[[Reals, RandomWords | None], tuple[Integers, Integers | None]]

_FP16, _FP32, _FP64 = (FORMATS[name] for name in ("fp16", "fp32", "fp64"))
#: The bits of a float32's exponent.
_EXPONENT = np.uint32(_FP32.nan_codes[0] - 1)


def same_codes(fmt: Format, other: Format) -> bool:
    """Whether two formats give every code the same meaning."""
    return replace(fmt, name=other.name, source=other.source) == other


@lru_cache(maxsize=256)
def is_cut_fp32(fmt: Format) -> bool:
    """Whether a format is fp32 without some of its last fraction bits, as bf16 is, or fp32 itself."""
    return isinstance(fmt, FloatFormat) and fmt.frac_bits <= 23 and same_codes(fmt, ieee_float(8, fmt.frac_bits))


def scale(fmt: Format) -> tuple[int, int, int]:
    """Bits of a significand, exponent of the least one's last bit, and a power of two that no value reaches."""
    return fmt.significand_bits, fmt.lsb_exponent, fmt.max_exponent + 1


def holding(bits: int, last_place: int, end: int) -> type[np.floating] | None:
    """The NumPy type that holds every ``bits``-bit significand whose last place counts 2^last_place or more and whose
    value is below 2^end; None if there is none."""
    for dtype, fmt in ((np.float32, _FP32), (np.float64, _FP64)):
        if bits <= fmt.significand_bits and last_place >= fmt.lsb_exponent and end <= fmt.max_exponent:
            return dtype
    return None


def decoder(fmt: Format, subnormals: str) -> Callable[[Integers], Reals]:
    """What turns codes into their exact values, for a format of which :func:`holding` knows the type; perhaps a wider one.

    What depends on the format alone is decided here once, not for each chunk of codes.
    """
    if fmt.is_integral:
        # Both the integers and their scaling are exact.
        return lambda codes: np.ldexp(to_int(codes, fmt).astype(np.float64), -fmt.frac_bits)
    if subnormals == "full":
        if is_cut_fp32(fmt):
            cut = np.uint32(23 - fmt.frac_bits)
            return lambda codes: (codes.astype(np.uint32) << cut).view(np.float32)
        if same_codes(fmt, _FP16):
            return lambda codes: codes.view(np.float16).astype(np.float32)
        if same_codes(fmt, _FP64):
            return lambda codes: codes.view(np.float64)
    if fmt.width <= 16:
        values = code_values(fmt, subnormals)
        return lambda codes: values.take(codes.astype(np.intp), mode="wrap")
    return lambda codes: _decoded(codes, fmt, subnormals)


@lru_cache(maxsize=16)
def code_values(fmt: Format, subnormals: str) -> Reals:
    """The values of all codes of at most 16 bits: at most 512 KiB."""
    return _decoded(np.arange(fmt.code_count, dtype=np.uint32).astype(code_dtype(fmt)), fmt, subnormals)


def _decoded(codes: Integers, fmt: Format, subnormals: str) -> Reals:
    value = unpack(codes, fmt, subnormals)
    x = np.ldexp(value.magnitude.astype(np.float64), value.exponent)
    x = np.where(value.inf, np.inf, np.where(value.negative, -x, x))
    x = np.where(value.inf & value.negative, -np.inf, x)
    x = np.where(value.nan, np.nan, x)
    return x.astype(holding(*scale(fmt)) or np.float64)


def can_round(target: Target) -> bool:
    """Whether :func:`rounder` knows the format: a float of precision and range well within float64's.

    Its least subnormal is at most 1, so that no number vanishes where it is counted in them.
    """
    out = target.out
    return (
        isinstance(out, FloatFormat)
        and out.signed
        and out.has_zero
        and out.significand_bits <= 50
        and -1000 <= out.lsb_exponent <= 0
        and out.max_exponent <= 1000
    )


def rounder(target: Target, dtype: type[np.floating], flags: bool) -> Rounder:
    """What turns numbers of a floating-point type into codes and, with ``flags``, exceptions, as :func:`.kinds.pack`.

    The numbers are exact, or in float64 rounded to odd; they have no NaN where the format has none. ``target`` is one
    that :func:`can_round` knows.
    """
    by_numpy = _numpy_rounder(target, dtype, flags)
    if flags or not rounds_in_loop(target, dtype):
        return by_numpy

    def rounded(x: Reals, random: RandomWords | None) -> tuple[Integers, Integers | None]:
        codes = round_in_loop(x, target)
        return by_numpy(x, random) if codes is None else (codes, None)

    return rounded


def round_in_loop(x: Reals, target: Target) -> Integers | None:
    """Codes of float32 or float64 numbers by a compiled loop; None where none is to be used, or none knows the target.

    There is no NaN where the format has none.
    """
    dtype = x.dtype.type
    if not rounds_in_loop(target, dtype):
        return None
    loop, constants = round_words, rounding_constants
    if (
        dtype == np.float32
        and target.policy.overflow == "ieee"
        and is_cut_fp32(target.out)
        and target.policy.rounding in _CUT_ADDENDS
    ):
        loop, constants = cut_words, _cutting_constants
    fast = compiled(loop, x.size)
    if fast is None:
        return None
    given = constants(target, dtype)
    codes = np.empty(x.size, code_dtype(target.out))
    fast(np.ascontiguousarray(x).view(given.dtype), codes, given)
    return codes


def rounds_in_loop(target: Target, dtype: type[np.floating]) -> bool:
    """Whether :func:`.jit_loops.round_words` knows the target.

    It does if the numbers' subnormals are at most its least binade's, and a word has room for its codes.
    """
    source = _FP32 if dtype == np.float32 else _FP64
    return (
        not target.policy.is_stochastic
        and target.policy.subnormals == "full"
        and target.out.frac_bits <= source.frac_bits
        and target.out.min_exponent >= source.min_exponent
        and target.out.width <= source.width
    )


@lru_cache(maxsize=256)
def rounding_constants(target: Target, dtype: type[np.floating]) -> Integers:
    """What :func:`.jit_loops.round_words` needs to know of a target of :func:`rounds_in_loop`, in its order.

    The numbers' code without the sign, and their fraction bits; the fraction bits that the format has fewer; the
    exponent field of its least binade, and its fraction bits. All bits, or none, for rounding away from zero: of
    positive and of negative numbers; for rounding to nearest; 1 for ties away. Codes of positive and negative results:
    beyond the range, infinite. The code of NaN, the sign, whether a zero has one, and the code of the largest value.
    """
    out, source = target.out, _FP32 if dtype == np.float32 else _FP64
    every = source.code_mask
    away, nearest = {
        RoundingMode.RNE: ((0, 0), every),
        RoundingMode.RNA: ((0, 0), every),
        RoundingMode.RTZ: ((0, 0), 0),
        RoundingMode.RUP: ((every, 0), 0),
        RoundingMode.RDN: ((0, every), 0),
    }[target.policy.rounding]
    # One number of each sign that is beyond the range, one that is infinite.
    size = np.ldexp(1.0, out.max_exponent + 1)
    extremes = np.array([size, -size, np.inf, -np.inf])
    specials = _round_float64(extremes, target, None, False)[0].tolist()
    constants = [
        *(source.magnitude_mask, source.frac_bits, source.frac_bits - out.frac_bits),
        *(out.min_exponent + source.bias, out.frac_bits),
        *(*away, nearest, target.policy.rounding is RoundingMode.RNA),
        *specials,
        *(out.nan_code or 0, out.sign_mask, out.has_negative_zero, out.max_code),
    ]
    return np.array(constants, np.uint32 if dtype == np.float32 else np.uint64)


@lru_cache(maxsize=256)
def _cutting_constants(target: Target, _: type[np.floating]) -> Integers:
    """What :func:`.jit_loops.cut_words` needs to know of a target whose format is fp32 without its last bits."""
    cut = 23 - target.out.frac_bits
    half = 1 << cut >> 1
    even = target.policy.rounding is RoundingMode.RNE and cut > 0
    addend = {RoundingMode.RNE: half - even, RoundingMode.RNA: half, RoundingMode.RTZ: 0}[target.policy.rounding]
    return np.array([cut, addend, even, _EXPONENT, target.out.nan_code], np.uint32)


def _numpy_rounder(target: Target, dtype: type[np.floating], flags: bool) -> Rounder:
    """:func:`rounder` with NumPy alone."""
    out = target.out
    plain = (target.policy.overflow, target.policy.subnormals, flags) == ("ieee", "full", False)
    if dtype == np.float32:
        if rounds_by_table(target):
            return lambda x, random: rounded_by_table(x, target, flags)
        if plain and is_cut_fp32(out) and target.policy.rounding in _CUT_ADDENDS:
            return lambda x, random: (_cut(x, target), None)
        if plain and target.policy.rounding == "rne" and _rounds_by_addition(out):
            return lambda x, random: (_round_by_addition(x, out), None)
    elif plain and target.policy.rounding == "rne" and same_codes(out, _FP32):
        # The processor's conversion rounds once, to nearest even.
        return lambda x, random: (_canonical(x.astype(np.float32).view(np.uint32), x, out), None)
    return lambda x, random: _round_float64(x.astype(np.float64, copy=False), target, random, flags)


def _canonical(codes: Integers, x: Reals, out: Format) -> Integers:
    """Codes with every NaN replaced by the format's one."""
    (nan,) = np.isnan(x).nonzero()
    codes[nan] = out.nan_code
    return codes


def _rounds_by_addition(out: Format) -> bool:
    """Whether :func:`_round_by_addition` stays among float32's normal numbers, infinity is the code of the first power of
    two beyond them, and zeros have signs."""
    up = 23 - out.frac_bits
    beyond = ((out.max_code >> out.frac_bits) + 1) << out.frac_bits
    has_codes = out.inf_code == beyond and out.has_negative_zero
    return up > 0 and has_codes and out.min_exponent >= -126 and out.max_exponent + 1 + up <= 127


def _round_by_addition(x: NDArray[np.float32], out: Format) -> Integers:
    """Codes by the one addition that rounds: to nearest even, of 2^(e + 23 - frac_bits) to a magnitude of exponent e.

    The sum has the last place of the result: in the binade of e, or in the least normal's if e is less;
    what the sum has above the addend is the significand in units of that place.
    """
    up = np.uint32((23 - out.frac_bits) << 23)
    least, end = (np.uint32((exponent + 127) << 23) for exponent in (out.min_exponent, out.max_exponent + 1))
    bits = x.view(np.uint32)
    # Infinity, and what else is beyond the range, becomes the power of two that is the first beyond it.
    size = np.minimum(bits & np.uint32(_FP32.magnitude_mask), end)
    binade = np.maximum(size & _EXPONENT, least)
    addend = binade + up
    codes = (size.view(np.float32) + addend.view(np.float32)).view(np.uint32)
    codes -= addend
    binade -= least
    binade >>= np.uint32(23 - out.frac_bits)
    codes += binade
    # A carry out of the largest binade's significands also ends there: at the code of infinity.
    bits = bits >> np.uint32(32 - out.width)
    bits &= np.uint32(out.sign_mask)
    codes |= bits
    return _canonical(codes.astype(code_dtype(out)), x, out)


#: What is added, of the bits that are cut off, before they are: all below one half for "rne", where a tie gets the last
#: kept bit as well; the half for "rna"; nothing for "rtz". The other modes depend on the sign.
_CUT_ADDENDS = {RoundingMode.RNE: -1, RoundingMode.RNA: 0, RoundingMode.RTZ: None}


def _cut(x: NDArray[np.float32], target: Target) -> Integers:
    """Codes of a format that is fp32 with its last bits cut off.

    Subnormals and normals of both formats have the same places, and codes of one sign are in the order of their values,
    so that rounding the code as an integer rounds the value; a carry moves into the exponent, and from the last one
    into infinity. A NaN's bits may become anything and are replaced.
    """
    out = target.out
    bits, cut = x.view(np.uint32), np.uint32(23 - out.frac_bits)
    half = 1 << int(cut) >> 1
    addend = _CUT_ADDENDS[target.policy.rounding]
    if addend is None or not cut:
        kept = bits >> cut
    elif addend:
        kept = bits >> cut
        kept &= np.uint32(1)
        kept += np.uint32(half - 1)
        kept += bits
        kept >>= cut
    else:
        kept = (bits + np.uint32(half)) >> cut
    return _canonical(kept.astype(code_dtype(out)), x, out)


def _round_float64(
    x: NDArray[np.float64], target: Target, random: RandomWords | None, flags: bool
) -> tuple[Integers, Integers | None]:
    """:func:`rounder` for any target: scaled so that one unit in the last place is 1, and rounded as a float64.

    The scaling is exact: by a power of two that is at least 1, or less where the result is 1 or more. Numbers beyond
    the format's range may come to 2^52 or more and are replaced by that. The whole part of what is below, its rest, and
    the comparison of the rest with a half are exact too.
    """
    out = target.out
    size = np.abs(x)
    exponent = (size.view(np.int64) >> 52) - 1023
    nonzero = size != 0
    flush = target.policy.flushes
    # With "flush" a tiny number is rounded in its own binade, as if there were no least exponent; all that matters is
    # whether it becomes the least normal, which it can from the binade below alone.
    binade = np.clip(exponent, out.min_exponent - flush, out.max_exponent + 1)
    ulps = _in_ulps(size, binade, out)
    kept = _whole(ulps, x, target.policy.rounding, random)
    codes = kept.astype(np.int64) + ((binade - out.min_exponent) << out.frac_bits)
    beyond = codes > out.max_code
    raised = None
    tiny = codes < 1 << out.frac_bits if flush else exponent < out.min_exponent
    if flush:
        codes = np.where(tiny, 0, codes)
        beyond &= ~tiny  # where the largest value is a subnormal
    inf, nan = np.isinf(x), np.isnan(x)
    if flags:
        beyond_finite = beyond & ~(inf | nan)
        inexact = (kept != ulps) & ~(inf | nan)
        underflow = nonzero & tiny
        if flush:
            inexact |= underflow
        else:
            underflow &= inexact & ~beyond
            (near,) = np.nonzero(underflow & (exponent == out.min_exponent - 1))
            # Rounded to full precision, as if there were no least exponent, some of these become the least normal.
            own = _in_ulps(size[near], exponent[near], out)
            rounded = _whole(own, x[near], target.policy.rounding, None if random is None else random[near])
            underflow[near] = rounded < 2 << out.frac_bits
        raised = exceptions(inexact, underflow, beyond_finite)
    beyond &= ~(inf | nan)
    codes = with_specials(codes, np.signbit(x), beyond, inf, nan, nonzero, target)
    return codes.astype(code_dtype(out)), raised


def _in_ulps(size: NDArray[np.float64], binade: Integers, out: Format) -> NDArray[np.float64]:
    """Magnitudes in units in the last place of a binade; at most 2^52, which NaN and infinity become."""
    factor = ((1023 + out.frac_bits - binade) << 52).view(np.float64)
    return np.fmin(size * factor, 2.0**52)


def _whole(
    ulps: NDArray[np.float64], x: NDArray[np.float64], rounding: RoundingMode, random: RandomWords | None
) -> NDArray[np.float64]:
    """Magnitudes rounded to whole numbers; ``x`` has their signs."""
    if rounding is RoundingMode.RNE:
        return np.rint(ulps)
    kept = np.floor(ulps)
    if rounding is RoundingMode.RTZ:
        return kept
    rest = ulps - kept
    match rounding:
        case RoundingMode.RNA:
            return kept + (rest >= 0.5)
        case RoundingMode.RDN:
            return kept + ((rest > 0) & np.signbit(x))
        case RoundingMode.RUP:
            return kept + ((rest > 0) & ~np.signbit(x))
        case RoundingMode.STOCHASTIC:
            assert random is not None
            carry = np.floor(np.ldexp(rest, random.bits)).astype(np.uint64) + random.words
            return kept + (carry >> np.uint64(random.bits)).astype(np.float64)
