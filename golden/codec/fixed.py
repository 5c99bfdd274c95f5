"""Codes that stand for integers, in two's complement, unsigned or of one bit: unpacked, and packed from exact numbers."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..formats import Format
from .codes import FAST_BITS, Bools, Integers, Unpacked, to_int
from .rounding import Target, bit_length, exceptions, round_shift
from .stochastic import RandomWords


def unpack_integral(codes: Integers, fmt: Format, subnormals: str) -> Unpacked:
    """Sign, magnitude and exponent of the codes of an integral format, as :func:`.kinds.unpack` says."""
    never = np.zeros(1, bool)
    integers = to_int(codes, fmt)
    if fmt.max_significand >> FAST_BITS:
        integers = integers.astype(object)
    magnitude = np.abs(integers)
    magnitude = magnitude if magnitude.dtype == object else magnitude.view(np.uint64)
    return Unpacked(integers < 0, magnitude, np.array([-fmt.frac_bits]), never, never, never)


def pack_fixed(value: Unpacked, target: Target, random: RandomWords | None) -> tuple[Integers, Integers]:
    """Codes and exceptions of exact numbers in a fixed-point format, as :func:`.kinds.pack` says."""
    fmt, policy = target.out, target.policy
    magnitude, negative = value.magnitude, value.negative
    if fmt.width > 64:
        magnitude = magnitude.astype(object)
    fast = magnitude.dtype != object
    length = bit_length(magnitude)
    shift = -fmt.frac_bits - value.exponent
    kept, inexact = round_shift(magnitude, length, shift, negative, policy.rounding, random)
    limit = np.where(negative, *(np.array(bound, magnitude.dtype) for bound in (-fmt.min_int, fmt.max_int)))
    beyond = kept > limit
    if fast:
        # A left shift has dropped bits of a magnitude that needs more than 64; the low ones are right, modulo 2^64.
        beyond |= (length - shift > 64) & (magnitude != 0)
    beyond = beyond | value.inf
    if policy.overflow == "saturate":
        kept = np.where(beyond, limit, kept)
    mask: Any = np.uint64(fmt.code_mask) if fast else fmt.code_mask
    codes = np.where(negative, -kept, kept) & mask
    return codes, exceptions(inexact, overflow=beyond & ~value.inf)


def pack_binary(value: Unpacked, target: Target, random: RandomWords | None) -> tuple[Integers, Integers]:
    """The signs of exact numbers, +1 for zero; inexact except for -1 and +1."""
    return ~(value.negative & ~value.zero), exceptions(inexact=_absolute_is_not_one(value))


def _absolute_is_not_one(value: Unpacked) -> Bools:
    length = bit_length(value.magnitude)
    power_of_two = (value.magnitude & (value.magnitude - 1)) == 0
    return ~(power_of_two & (value.exponent + length == 1) & (value.magnitude != 0)) & ~value.inf
