"""Floating-point codes: unpacked, and packed from exact numbers."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..formats import Format, RoundingMode
from .codes import FAST_BITS, Bools, Integers, Unpacked
from .rounding import Target, bit_length, exceptions, round_shift
from .stochastic import RandomWords


def unpack_float(codes: Integers, fmt: Format, subnormals: str) -> Unpacked:
    """Sign, integer significand and exponent of the codes of a float format, as :func:`.kinds.unpack` says."""
    never = np.zeros(1, bool)
    wide = fmt.width > 64 or fmt.significand_bits > FAST_BITS
    bits = codes.astype(object if wide else np.uint64)

    def constant(value: int) -> Any:
        return value if wide else np.uint64(value)

    magnitude_code = bits & constant(fmt.magnitude_mask)
    field = (magnitude_code >> constant(fmt.frac_bits)).astype(np.int64)
    hidden = constant(1 << fmt.frac_bits)
    significand = magnitude_code & constant((1 << fmt.frac_bits) - 1)
    if fmt.subnormals:
        significand = np.where(field > 0, significand | hidden, constant(0) if subnormals == "flush" else significand)
        field = np.maximum(field, 1)
    else:
        significand = significand | hidden
    negative = (bits & constant(fmt.sign_mask)) != 0
    inf = magnitude_code == constant(fmt.inf_code) if fmt.inf_code is not None else never
    nan = magnitude_code >= constant(fmt.nan_codes[0]) if fmt.nan_codes else never
    signaling = nan & ((magnitude_code & constant(fmt.quiet_bit)) == 0) if fmt.has_signaling_nan else never
    if fmt.negative_zero == "nan":
        nan = nan | (bits == constant(fmt.sign_mask))
    if fmt.has_specials:
        significand = np.where(inf | nan, constant(0), significand)
    return Unpacked(negative, significand, field - (fmt.bias + fmt.frac_bits), inf, nan, signaling)


def pack_float(value: Unpacked, target: Target, random: RandomWords | None) -> tuple[Integers, Integers]:
    """Codes and exceptions of exact numbers in a float format, as :func:`.kinds.pack` says."""
    fmt, policy = target.out, target.policy
    magnitude, negative = value.magnitude, value.negative
    if fmt.significand_bits >= FAST_BITS or fmt.magnitude_mask >> 63:
        magnitude = magnitude.astype(object)
    nonzero = magnitude != 0
    length = bit_length(magnitude)
    # The exponent of the number itself, and that of the binade whose quantum it is rounded to.
    exponent = np.where(nonzero, value.exponent + length - 1, fmt.min_exponent)
    flush = policy.flushes and fmt.subnormals
    binade = exponent if flush else np.maximum(exponent, fmt.min_exponent)
    shift = binade - fmt.frac_bits - value.exponent
    kept, inexact = round_shift(magnitude, length, shift, negative, policy.rounding, random)
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
        underflow = nonzero & _tiny_after_rounding(value, magnitude, length, exponent, target, random)
    if fmt.subnormals and not flush:
        # Beyond the range and below the least normal at once is only possible where there are no normals.
        underflow &= inexact & ~beyond
    else:
        codes = np.where(underflow, 0, codes)
    flags = exceptions(inexact | underflow, underflow, beyond)
    codes = with_specials(codes, negative, beyond, value.inf, value.nan, nonzero, target)
    return codes, flags


def _tiny_after_rounding(
    value: Unpacked,
    magnitude: Integers,
    length: Integers,
    exponent: Integers,
    target: Target,
    random: RandomWords | None,
) -> Bools:
    """Where the number rounded to the format's precision, as if exponents had no bound, is below the least normal."""
    fmt = target.out
    tiny = exponent < fmt.min_exponent
    # Only from the binade next to the normals can rounding carry into them.
    (near,) = np.nonzero(exponent == fmt.min_exponent - 1)
    if near.size:
        negative = np.broadcast_to(value.negative, tiny.shape)[near]
        shift = fmt.min_exponent - 1 - fmt.frac_bits - np.broadcast_to(value.exponent, tiny.shape)[near]
        words = None if random is None else random[near]
        kept, _ = round_shift(magnitude[near], length[near], shift, negative, target.policy.rounding, words)
        tiny[near] = kept < 2 << fmt.frac_bits
    return tiny


def with_specials(
    codes: Integers,
    negative: Bools,
    beyond: Bools,
    inf: Bools,
    nan: Bools,
    nonzero: Bools,
    target: Target,
) -> Integers:
    """Magnitude codes of a float (int64 or Python integers) with signs, infinities, NaNs and substitutes of those."""
    fmt, policy = target.out, target.policy
    ieee = policy.overflow == "ieee"
    too_large = beyond | inf
    if too_large.any():
        codes = np.where(too_large, fmt.max_code, codes)
        if ieee:
            infinite = inf | (beyond & _overflows_to_infinity(policy.rounding, negative))
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


def _overflows_to_infinity(rounding: RoundingMode, negative: Bools) -> Bools:
    """Where a number beyond the range is rounded away from zero, to infinity."""
    match rounding:
        case RoundingMode.RNE | RoundingMode.RNA | RoundingMode.STOCHASTIC:
            return np.ones((), bool)
        case RoundingMode.RTZ:
            return np.zeros((), bool)
        case RoundingMode.RDN:
            return negative
        case RoundingMode.RUP:
            return ~negative
