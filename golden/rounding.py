"""The one rounder: exact numbers (sign, integer magnitude, binary exponent) to the codes of any format.

Everything in the golden model that rounds ends here, once: encoding, conversion and arithmetic all hand over an exact
:class:`~.codes.Unpacked` and get codes and IEEE 754 exceptions back.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from .codes import FAST_BITS, Bools, Integers, Unpacked, code_dtype
from .formats import FIXED_OVERFLOWS, FLOAT_OVERFLOWS, ROUNDINGS, SUBNORMALS, Flag, Format, ParameterError, choose
from .stochastic import STOCHASTIC, RandomWords


def check_policies(fmt: Format, rounding: str, overflow: str | None, subnormals: str) -> str:
    """Check rounding, overflow and subnormals for results in ``fmt`` and return the overflow policy.

    ``overflow=None`` is "ieee" for floats, "saturate" for fixed-point and binary formats.

    Raises
    ------
    ParameterError
        One of them is unknown or has no meaning in the format.
    """
    binary = fmt.kind == "binary"
    modes = ROUNDINGS[:1] if binary else (*ROUNDINGS, STOCHASTIC)
    choose("rounding", rounding, modes, f" for {fmt}" if binary else "")
    choose("subnormals", subnormals, SUBNORMALS)
    allowed = {"float": FLOAT_OVERFLOWS, "fixed": FIXED_OVERFLOWS, "binary": FIXED_OVERFLOWS[:1]}[fmt.kind]
    return choose("overflow", allowed[0] if overflow is None else overflow, allowed, f" for {fmt}")


@dataclass(frozen=True)
class Target:
    """Where exact numbers are to be rounded: a format, and policies that are known to have a meaning in it."""

    out: Format
    rounding: str
    overflow: str
    subnormals: str

    @classmethod
    def of(cls, out: Format, rounding: str, overflow: str | None, subnormals: str) -> Target:
        """The target of these policies, once :func:`check_policies` has seen them."""
        return cls(out, rounding, check_policies(out, rounding, overflow, subnormals), subnormals)

    @property
    def stochastic(self) -> bool:
        """Whether rounding takes random words."""
        return self.rounding == STOCHASTIC


def pack(
    argument: str,
    value: Unpacked,
    fmt: Format,
    rounding: str,
    overflow: str,
    subnormals: str,
    random: RandomWords | None = None,
    start: int = 0,
) -> tuple[Integers, Integers]:
    """Round exact numbers to codes of ``fmt``, once; return them and the exceptions (uint8 bits of Flag).

    Float results: tininess is detected after rounding. With ``subnormals="full"`` underflow means tiny and inexact;
    with "flush" a tiny result that is not zero becomes a zero of its sign, with underflow and inexact. Overflow (always
    with inexact) means that the rounded result, were there no largest exponent, exceeds the largest value; "ieee" then
    gives infinity (NaN where there is no infinity, the largest value where there is neither) or, in a mode that rounds
    toward zero on that side, the largest value; "saturate" always gives the largest value.

    Choices, where the standards are silent: an infinite operand's infinity is exact and raises nothing, yet becomes the
    largest value under "saturate" (OFP8's rule for e5m2) and where there is no infinity the same substitute as an
    overflow. NaN is the format's ``nan_code``. In formats without zero or sign a zero or negative result is NaN under
    "ieee", the least value (of its sign) otherwise. Ties between significands of one bit go to the larger magnitude
    (IEEE 754-2019). Stochastic rounding overflows as rounding to nearest does, and decides on tininess with the same
    random word.

    Fixed-point results: inexact is rounding, overflow (with inexact) a rounded result out of range, which saturates or
    keeps its low bits ("wrap"). Binary results are the sign, +1 for zero.

    Parameters
    ----------
    argument : str
        What error messages call the numbers.
    value : Unpacked
        The numbers, of at least one dimension.
    rounding, overflow, subnormals : str
        Policies that :func:`check_policies` has seen.
    random : RandomWords or None
        One word for each number, for stochastic rounding only.
    start : int
        Index of the first of the numbers in what the caller was given, for error messages.

    Raises
    ------
    ParameterError
        NaN where the format has none, or an infinity that would have to wrap.
    """
    _check_specials(argument, value, fmt, overflow, start)
    if fmt.kind == "float":
        codes, flags = _pack_float(value, fmt, rounding, overflow, subnormals, random)
    elif fmt.kind == "fixed":
        codes, flags = _pack_fixed(value, fmt, rounding, overflow, random)
    else:
        codes = ~(value.negative & ~value.zero)
        flags = exceptions(inexact=_absolute_is_not_one(value))
    return codes.astype(code_dtype(fmt)), flags


def _check_specials(argument: str, value: Unpacked, fmt: Format, overflow: str, start: int) -> None:
    if not fmt.has_nan and value.nan.any():
        index = start + int(value.nan.argmax())
        raise ParameterError(f"{argument} must be free of NaN for {fmt}, not nan at index {index}")
    if overflow == "wrap" and value.inf.any():
        index = start + int(value.inf.argmax())
        raise ParameterError(f"{argument} must be finite to wrap in {fmt}, not infinite at index {index}")


def exceptions(inexact: Bools, underflow: Bools | None = None, overflow: Bools | None = None) -> Integers:
    """Bits of Flag; overflow comes with inexact."""
    flags = inexact.astype(np.uint8)
    if underflow is not None:
        flags |= underflow * np.uint8(Flag.UNDERFLOW)
    if overflow is not None:
        flags |= overflow * np.uint8(Flag.OVERFLOW | Flag.INEXACT)
    return flags


def _absolute_is_not_one(value: Unpacked) -> Bools:
    length = bit_length(value.magnitude)
    power_of_two = (value.magnitude & (value.magnitude - 1)) == 0
    return ~(power_of_two & (value.exponent + length == 1) & (value.magnitude != 0)) & ~value.inf


def bit_length(magnitude: Integers) -> Integers:
    """``int.bit_length`` of each element (0 for 0), as int64."""
    if magnitude.dtype == object:
        return np.asarray(np.frompyfunc(int.bit_length, 1, 1)(magnitude), np.int64)
    length = np.frexp(magnitude.astype(np.float64))[1].astype(np.int64)
    if magnitude.size and magnitude.max() >> 53:
        # The conversion rounded, at worst up to the next power of two.
        length -= (magnitude != 0) & ((magnitude >> np.maximum(length - 1, 0).astype(np.uint64)) == 0)
    return length


def _round_shift(
    magnitude: Integers,
    length: Integers,
    shift: Integers,
    negative: Bools,
    rounding: str,
    random: RandomWords | None = None,
) -> tuple[Integers, Bools]:
    """``magnitude * 2**-shift`` rounded to an integer, and where that is inexact; ``length`` is its bit_length."""
    count = object if magnitude.dtype == object else np.uint64
    one = np.ones(1, count)
    # Shifted out by one bit more than its length, a number is below one half, and so it is however far it is shifted.
    right = np.clip(shift, 0, length + 1)
    left = np.maximum(-shift, 0).astype(count)
    half = one << np.maximum(right - 1, 0).astype(count)
    right = right.astype(count)
    kept = magnitude >> right
    rest = magnitude - (kept << right)
    inexact = rest != 0
    # Where nothing is shifted out rest is 0 and half is 1, so that no comparison below rounds up.
    if rounding == "rne":
        up = rest + (kept & one) > half
    elif rounding == "rna":
        up = rest >= half
    elif random is not None:
        up = random.up(rest, shift)
    else:
        up = inexact & {"rtz": np.zeros((), bool), "rdn": negative, "rup": ~negative}[rounding]
    return (kept << left) + up, inexact


def _pack_fixed(
    value: Unpacked, fmt: Format, rounding: str, overflow: str, random: RandomWords | None
) -> tuple[Integers, Integers]:
    magnitude, negative = value.magnitude, value.negative
    if fmt.width > 64:
        magnitude = magnitude.astype(object)
    fast = magnitude.dtype != object
    length = bit_length(magnitude)
    shift = -fmt.frac_bits - value.exponent
    kept, inexact = _round_shift(magnitude, length, shift, negative, rounding, random)
    limit = np.where(negative, *(np.array(bound, magnitude.dtype) for bound in (-fmt.min_int, fmt.max_int)))
    beyond = kept > limit
    if fast:
        # A left shift has dropped bits of a magnitude that needs more than 64; the low ones are right, modulo 2^64.
        beyond |= (length - shift > 64) & (magnitude != 0)
    beyond = beyond | value.inf
    if overflow == "saturate":
        kept = np.where(beyond, limit, kept)
    mask: Any = np.uint64(fmt.code_mask) if fast else fmt.code_mask
    codes = np.where(negative, -kept, kept) & mask
    return codes, exceptions(inexact, overflow=beyond & ~value.inf)


def _pack_float(
    value: Unpacked, fmt: Format, rounding: str, overflow: str, subnormals: str, random: RandomWords | None
) -> tuple[Integers, Integers]:
    magnitude, negative = value.magnitude, value.negative
    if fmt.significand_bits >= FAST_BITS or fmt.magnitude_mask >> 63:
        magnitude = magnitude.astype(object)
    nonzero = magnitude != 0
    length = bit_length(magnitude)
    # The exponent of the number itself, and that of the binade whose quantum it is rounded to.
    exponent = np.where(nonzero, value.exponent + length - 1, fmt.min_exponent)
    flush = subnormals == "flush" and fmt.subnormals
    binade = exponent if flush else np.maximum(exponent, fmt.min_exponent)
    shift = binade - fmt.frac_bits - value.exponent
    kept, inexact = _round_shift(magnitude, length, shift, negative, rounding, random)
    # The kept significand includes the hidden bit, which adds 1 to an exponent field counted from min_exponent; one
    # that was rounded up to the next power of two carries into the field by itself. Clipped exponents are either
    # beyond or tiny whatever was kept, and the codes stay within 64 bits.
    field = np.clip(binade, fmt.min_exponent - 2, fmt.max_exponent) - fmt.min_exponent - (not fmt.subnormals)
    if magnitude.dtype == object:
        codes = kept + (field.astype(object) << fmt.frac_bits)
    else:
        codes = kept.view(np.int64) + (field << fmt.frac_bits)
    beyond = (exponent > fmt.max_exponent) | (codes > fmt.max_code)
    if flush:
        # Rounded with the quantum of its own binade: below the least normal's code exactly where tiny after rounding.
        underflow = nonzero & (codes < 1 << fmt.frac_bits)
        beyond &= ~underflow  # where the largest value is a subnormal
    else:
        underflow = nonzero & _tiny_after_rounding(value, magnitude, length, exponent, fmt, rounding, random)
    if fmt.subnormals and not flush:
        # Beyond the range and below the least normal at once is only possible where there are no normals.
        underflow &= inexact & ~beyond
    else:
        codes = np.where(underflow, 0, codes)
    flags = exceptions(inexact | underflow, underflow, beyond)
    codes = with_specials(codes, negative, beyond, value.inf, value.nan, nonzero, fmt, rounding, overflow)
    return codes, flags


def _tiny_after_rounding(
    value: Unpacked,
    magnitude: Integers,
    length: Integers,
    exponent: Integers,
    fmt: Format,
    rounding: str,
    random: RandomWords | None,
) -> Bools:
    """Where the number rounded to the format's precision, as if exponents had no bound, is below the least normal."""
    tiny = exponent < fmt.min_exponent
    # Only from the binade next to the normals can rounding carry into them.
    (near,) = np.nonzero(exponent == fmt.min_exponent - 1)
    if near.size:
        negative = np.broadcast_to(value.negative, tiny.shape)[near]
        shift = fmt.min_exponent - 1 - fmt.frac_bits - np.broadcast_to(value.exponent, tiny.shape)[near]
        words = None if random is None else random[near]
        kept, _ = _round_shift(magnitude[near], length[near], shift, negative, rounding, words)
        tiny[near] = kept < 2 << fmt.frac_bits
    return tiny


def with_specials(
    codes: Integers,
    negative: Bools,
    beyond: Bools,
    inf: Bools,
    nan: Bools,
    nonzero: Bools,
    fmt: Format,
    rounding: str,
    overflow: str,
) -> Integers:
    """Magnitude codes of a float (int64 or Python integers) with signs, infinities, NaNs and substitutes of those."""
    ieee = overflow == "ieee"
    too_large = beyond | inf
    if too_large.any():
        codes = np.where(too_large, fmt.max_code, codes)
        if ieee:
            toward_zero = {"rtz": True, "rdn": ~negative, "rup": negative}.get(rounding, False)
            infinite = inf | (beyond & ~np.asarray(toward_zero))
            if fmt.inf_code is not None:
                codes = np.where(infinite, fmt.inf_code, codes)
            elif fmt.has_nan:
                nan = nan | infinite
    if not (fmt.signed and fmt.has_zero):
        absent = ~nonzero & ~inf if not fmt.has_zero else np.zeros((), bool)
        if not fmt.signed:
            absent = absent | (negative & (nonzero | inf))
        if ieee and fmt.has_nan:
            nan = nan | absent
        codes = np.where(absent, 0, codes)
    unsigned = codes if codes.dtype == object else codes.view(np.uint64)
    if fmt.signed:
        signed = negative & (codes != 0) if fmt.negative_zero == "nan" else negative
        unsigned = unsigned | (signed.astype(unsigned.dtype) << (fmt.width - 1))
    nan_code = fmt.nan_code
    return unsigned if nan_code is None else np.where(nan, np.array(nan_code, unsigned.dtype), unsigned)
