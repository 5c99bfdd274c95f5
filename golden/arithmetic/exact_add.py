"""Exact sums of two unpacked numbers, as far as a rounding can see."""

from __future__ import annotations

import numpy as np

from ..codec.codes import FAST_BITS, Bools, Integers, Unpacked
from ..codec.rounding import bit_length
from ..formats import Format

#: Both terms of a sum in uint64 are shifted up to this length, so that the sum is no longer than FAST_BITS.
_TERM_BITS = FAST_BITS - 1


def sum_unpacked(x: Unpacked, y: Unpacked, bounds: tuple[int, int], visible: int | None, rounding: str) -> Unpacked:
    """x + y, with IEEE 754's signed zeros, infinities and NaNs.

    The sum of two zeros of one sign is that zero; any other zero sum is +0, or -0 under "rdn". The sum of
    opposite infinities is a NaN marked as signaling, because the operation is invalid; so is a sum with a signaling NaN.

    Parameters
    ----------
    x, y : Unpacked
        The terms.
    bounds : (int, int)
        Bounds of their magnitudes.
    visible : int or None
        The most leading bits of a sum that the rounding to come can tell from others (see :func:`visible_bits`): where
        uint64 cannot hold the sum it may be rounded to odd beyond these. None: every bit must be exact.
    rounding : str
        The rounding to come.
    """
    shifts = _common_shifts(x, y)
    if shifts is not None and (bounds[0] << shifts[0]) + (bounds[1] << shifts[1]) < 1 << FAST_BITS:
        exponent = np.minimum(x.exponent, y.exponent)
        terms = ((term.magnitude << np.uint64(shift)) for term, shift in zip((x, y), shifts, strict=True))
        negative, magnitude = _signed_sum(x.negative, y.negative, *terms)
    elif visible is not None and visible <= _TERM_BITS - 3 and _fit(x, y, bounds):
        negative, magnitude, exponent = _rounded_to_odd(x, y)
    else:
        exponent = np.minimum(x.exponent, y.exponent)
        terms = (term.magnitude.astype(object) << (term.exponent - exponent).astype(object) for term in (x, y))
        negative, magnitude = _signed_sum(x.negative, y.negative, *terms)
    opposite = x.negative != y.negative
    negative = np.where(magnitude == 0, np.where(opposite, rounding == "rdn", x.negative), negative)
    negative = np.where(x.inf, x.negative, np.where(y.inf, y.negative, negative))
    invalid = x.signaling | y.signaling | (x.inf & y.inf & opposite & ~x.nan & ~y.nan)
    inf = x.inf | y.inf
    # The magnitude means nothing where a term is infinite or NaN.
    magnitude = np.where(inf | x.nan | y.nan, np.zeros(1, magnitude.dtype), magnitude)
    return Unpacked(negative, magnitude, exponent, inf, x.nan | y.nan | invalid, invalid)


def visible_bits(out: Format, overflow: str, random_bits: int) -> int | None:
    """How many leading bits of a number its rounding to ``out`` can tell from others; None where there is no bound.

    Those that are kept, the random bits of stochastic rounding, the bit that makes a half, and whether there are more.
    """
    return None if overflow == "wrap" else out.significand_bits + random_bits + 2


def _common_shifts(x: Unpacked, y: Unpacked) -> tuple[int, int] | None:
    """Shifts that align the terms if each has one exponent for all numbers, as fixed-point ones have."""
    if x.exponent.size != 1 or y.exponent.size != 1 or not _fit(x, y, (0, 0)):
        return None
    difference = int(x.exponent.item() - y.exponent.item())
    return max(difference, 0), max(-difference, 0)


def _fit(x: Unpacked, y: Unpacked, bounds: tuple[int, int]) -> bool:
    """Whether the terms are uint64 with their last of _TERM_BITS bits to spare."""
    return max(bounds) >> (_TERM_BITS - 1) == 0 and x.magnitude.dtype != object and y.magnitude.dtype != object


def _signed_sum(negative_x: Bools, negative_y: Bools, x: Integers, y: Integers) -> tuple[Bools, Integers]:
    """Sign and magnitude of the sum of aligned magnitudes."""
    same = negative_x == negative_y
    less = x < y
    magnitude = np.where(same, x + y, np.where(less, y - x, x - y))
    return np.where(less, negative_y, negative_x), magnitude


def _rounded_to_odd(x: Unpacked, y: Unpacked) -> tuple[Bools, Integers, Integers]:
    """Sign, magnitude and exponent of the sum in uint64, rounded to odd below its leading _TERM_BITS - 1 bits.

    Both terms are shifted until their leading bits are bit 61, and the lesser one back to the right until they align;
    if that shifts out any 1, the last bit becomes 1. No term has more than 61 bits of its own, so that the greater
    one's last bit is 0 and a shift by one loses nothing: where anything is lost the lesser term is below 2^60, the sum
    at least 2^60, and the exact sum lies strictly between the two even integers next to the odd result. A rounding that
    keeps, or compares with the middle of, bits above the last one sees no difference.
    """
    normal = [_normalised(term) for term in (x, y)]
    (magnitude_x, exponent_x), (magnitude_y, exponent_y) = normal
    first = (exponent_x > exponent_y) | ((exponent_x == exponent_y) & (magnitude_x >= magnitude_y))
    greater, lesser = np.where(first, magnitude_x, magnitude_y), np.where(first, magnitude_y, magnitude_x)
    exponent = np.maximum(exponent_x, exponent_y)
    distance = np.minimum(exponent - np.minimum(exponent_x, exponent_y), 63).astype(np.uint64)
    aligned = lesser >> distance
    aligned |= (aligned << distance) != lesser
    magnitude = np.where(x.negative == y.negative, greater + aligned, greater - aligned)
    return np.where(first, x.negative, y.negative), magnitude, exponent


def _normalised(term: Unpacked) -> tuple[Integers, Integers]:
    """Magnitude and exponent with the leading bit moved to bit _TERM_BITS - 1; zeros have the least exponent."""
    left = _TERM_BITS - bit_length(term.magnitude)
    exponent = np.where(term.magnitude == 0, np.int64(-(1 << 40)), term.exponent - left)
    return term.magnitude << left.astype(np.uint64), exponent
