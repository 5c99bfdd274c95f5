"""Codebooks: their codes looked up, and found for exact numbers."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..formats import CodebookFormat, Format
from .codes import Integers, Unpacked
from .rounding import Target, bit_length
from .stochastic import RandomWords


def unpack_codebook(codes: Integers, fmt: Format, subnormals: str) -> Unpacked:
    """Sign, odd significand and exponent of codes, as :func:`.kinds.unpack` says."""
    assert isinstance(fmt, CodebookFormat)
    negative, significand, exponent = (np.array(part) for part in zip(*fmt.parts, strict=True))
    index, never = codes.astype(np.intp), np.zeros(1, bool)
    parts = negative[index], significand.astype(np.uint64)[index], exponent.astype(np.int64)[index]
    return Unpacked(*parts, inf=never, nan=never, signaling=never)


def pack_codebook(value: Unpacked, target: Target, random: RandomWords | None) -> tuple[Integers, Integers]:
    """Codes of the nearest values, and no exceptions; of two as near the lesser value, of equal values the least code.

    Ties follow QLoRA's reference (the comparisons ``x > midpoint`` of bitsandbytes, which rounds its midpoints to
    fp32: of the numbers that equal one that was rounded up it takes the lesser value, here the nearer one). Numbers
    beyond the ends of the table, infinities among them, become its ends.
    """
    book = target.out
    assert isinstance(book, CodebookFormat)
    order = np.array(book.order, np.uint64)
    magnitude = value.magnitude
    inside = bit_length(magnitude) <= 53
    top = value.exponent + bit_length(magnitude)
    if (
        magnitude.dtype != object
        and inside.all()
        and np.all((magnitude == 0) | ((top < 1024) & (value.exponent > -1023)))
    ):
        size = np.ldexp(magnitude.astype(np.float64), value.exponent.astype(np.int32))
        real = np.where(value.negative, -size, size)
    else:
        parts = (value.negative, magnitude.astype(object), value.exponent.astype(object))
        real = np.asarray(np.frompyfunc(_fraction, 3, 1)(*parts), object)
    position = _positions(real, book.midpoints)
    last = len(order) - 1
    position = np.where(value.inf, np.where(value.negative, 0, last), position)
    codes = order[position]
    return codes, np.zeros(codes.shape, np.uint8)


def _fraction(negative: Any, magnitude: Any, exponent: Any) -> Fraction:
    value = Fraction(int(magnitude)) * Fraction(2) ** int(exponent)
    return -value if negative else value


def _positions(real: NDArray[Any], midpoints: Sequence[Fraction]) -> NDArray[np.intp]:
    """How many of the midpoints are less than each number, which is a float64 or a Fraction."""
    if real.dtype == object:
        return np.asarray(np.frompyfunc(lambda x: bisect_left(midpoints, x), 1, 1)(real), np.intp)
    # No float64 lies between a midpoint and the greatest float64 that is not above it.
    floors = np.array([_float_floor(middle) for middle in midpoints], np.float64)
    return np.searchsorted(floors, real, side="left")


def _float_floor(value: Fraction) -> float:
    """The greatest float64 that is not above a number."""
    nearest = float(value)
    return nearest if Fraction(nearest) <= value else float(np.nextafter(nearest, -np.inf))
