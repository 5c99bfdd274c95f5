"""Posits, unpacked, and packed from exact numbers.

A posit of n bits is a two's complement integer that orders as its value does. Code 0 is zero, code 2^(n-1) is NaR (Not
a Real). Any other code has a sign bit s, a regime (a run of equal bits, ended by the opposite bit or by the end of the
code), es exponent bits and a fraction; bits beyond the end of the code are zero. ``Standard for Posit Arithmetic
(2022)``, Posit Working Group, sections 3 and 4; es = 2 there.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..formats import Format, PositFormat
from .codes import Integers, Unpacked
from .rounding import Target, bit_length
from .stochastic import RandomWords


def unpack_posit(codes: Integers, fmt: Format, subnormals: str) -> Unpacked:
    """Sign, integer significand and exponent of codes, as :func:`.kinds.unpack` says; NaR is NaN, zero has no sign.

    The significand has its hidden bit, and only the fraction bits that the code has. NaR has the sign of its code.
    """
    assert isinstance(fmt, PositFormat)
    n, es = fmt.width, fmt.es
    bits = codes.astype(np.uint64)
    one, zero = np.uint64(1), np.uint64(0)
    nar = bits == one << np.uint64(n - 1)
    negative = (bits >> np.uint64(n - 1)) != 0
    body = np.where(negative, -bits, bits) & np.uint64((1 << (n - 1)) - 1)
    up = (body >> np.uint64(n - 2)) != 0
    run = n - 1 - bit_length(np.where(up, body ^ np.uint64((1 << (n - 1)) - 1), body))
    regime = np.where(up, run - 1, -run)
    # Behind the bit that ends the regime, if there is one.
    tail_bits = np.maximum(n - 2 - run, 0)
    frac_bits = np.maximum(tail_bits - es, 0)
    tail = body & ((one << tail_bits.astype(np.uint64)) - one)
    # Exponent bits that the code has no room for are zero.
    padded = tail << np.maximum(es - tail_bits, 0).astype(np.uint64)
    exponent = (padded >> frac_bits.astype(np.uint64)).view(np.int64)
    hidden = one << frac_bits.astype(np.uint64)
    significand = (padded & (hidden - one)) | hidden
    never = np.zeros(1, bool)
    return Unpacked(
        negative,
        np.where(body == 0, zero, significand),
        (regime << es) + exponent - frac_bits,
        inf=never,
        nan=nar,
        signaling=never,
    )


def pack_posit(value: Unpacked, target: Target, random: RandomWords | None) -> tuple[Integers, Integers]:
    """Codes of exact numbers, rounded once as the standard says, and no exceptions; infinities and NaNs become NaR.

    The number's regime, exponent and fraction, written without a limit on their length, are rounded to n - 1 bits behind
    the sign: to nearest, ties to the even code. Where the code ends within the exponent that may not be the nearest value.
    Numbers beyond the largest posit become that, and numbers too small become the least posit of their sign: only zero
    becomes zero. No exceptions are defined.
    """
    fmt = target.out
    assert isinstance(fmt, PositFormat)
    n, es = fmt.width, fmt.es
    magnitude = value.magnitude
    nonzero = magnitude != 0
    length = bit_length(magnitude)
    exponent = np.where(nonzero, value.exponent + length - 1, 0)
    # Regime, exponent and fraction have to reach one bit beyond the code; the last one says whether there is more.
    frac_bits = max(n - 1 - es, 1)
    fraction = _leading_bits(magnitude, length, frac_bits) - (np.uint64(1) << np.uint64(frac_bits))
    limit = fmt.max_exponent
    too_large, too_small = exponent > limit, exponent < -limit
    exponent = np.clip(exponent, -limit, limit)
    regime, low = exponent >> es, (exponent & ((1 << es) - 1)).astype(np.uint64)
    tail = (low << np.uint64(frac_bits)) | fraction
    up = regime >= 0
    run = np.where(up, regime + 2, 1 - regime)  # with the bit that ends it
    start = np.where(up, (np.uint64(1) << run.astype(np.uint64)) - np.uint64(2), np.uint64(1))
    string = (start << np.uint64(es + frac_bits)) | tail
    cut = (run + (es + frac_bits - (n - 1))).astype(np.uint64)
    body = string >> cut
    rest = string - (body << cut)
    body += rest + (body & np.uint64(1)) > np.uint64(1) << (cut - np.uint64(1))
    body = np.where(too_large, np.uint64((1 << (n - 1)) - 1), np.where(too_small, np.uint64(1), body))
    body = np.where(nonzero, body, np.uint64(0))
    codes = np.where(value.negative, -body, body) & np.uint64((1 << n) - 1)
    codes = np.where(value.nan | value.inf, np.uint64(fmt.nan_code), codes)
    return codes, np.zeros(codes.shape, np.uint8)


def _leading_bits(magnitude: Integers, length: Integers, frac_bits: int) -> Integers:
    """The first ``frac_bits`` + 1 bits of integers as uint64, filled up with zeros; the last is set if any behind it is.

    Of a zero the hidden bit alone.
    """
    surplus = length - (frac_bits + 1)
    count: Any = object if magnitude.dtype == object else np.uint64
    down = np.maximum(surplus, 0).astype(count)
    kept = magnitude >> down
    kept = (kept | (kept << down != magnitude)).astype(np.uint64) << np.maximum(-surplus, 0).astype(np.uint64)
    return np.where(magnitude == 0, np.uint64(1 << frac_bits), kept)
