"""Codebooks: formats whose codes are positions in a table of values, such as QLoRA's NF4."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .codes import Integers, Unpacked
from .parameters import ParameterError, check_text
from .rounding import bit_length

MAX_CODEBOOK_WIDTH = 8


@dataclass(frozen=True)
class Codebook:
    """Values by code: code i is ``values[i]``. Every value is a finite number of fp32.

    Parameters
    ----------
    name : str
        The name of the format.
    values : tuple of Fraction
        2, 4, … 256 values in any order; several codes may have the same one.
    source : str
        Where the table comes from.

    Raises
    ------
    TypeError
        A parameter is of a wrong kind.
    ParameterError
        The table has no power of two of values, or one that fp32 cannot hold.
    """

    name: str
    values: tuple[Fraction, ...]
    source: str = "user"

    def __post_init__(self) -> None:
        check_text("name", self.name)
        check_text("source", self.source)
        if not isinstance(self.values, tuple) or not all(isinstance(value, Fraction) for value in self.values):
            raise TypeError(f"values must be a tuple of Fractions, not {self.values!r}")
        count = len(self.values)
        if count not in (1 << width for width in range(1, MAX_CODEBOOK_WIDTH + 1)):
            raise ParameterError(f"values must be 2, 4, … or {1 << MAX_CODEBOOK_WIDTH} numbers, not {count}")
        for value in self.values:
            if not _in_fp32(value):
                raise ParameterError(f"values must be numbers of fp32, not {value}")

    @property
    def width(self) -> int:
        """Bits of a code."""
        return len(self.values).bit_length() - 1

    @cached_property
    def parts(self) -> tuple[tuple[bool, int, int], ...]:
        """Sign, odd significand and exponent of each value: ``(-1)**sign * significand * 2**exponent``; 0, 0, 0 of zero."""
        return tuple(_parts(value) for value in self.values)

    @property
    def significand_bits(self) -> int:
        """Bits of the longest significand."""
        return max(max(significand.bit_length() for _, significand, _ in self.parts), 1)

    @property
    def exponents(self) -> tuple[int, int]:
        """The least and the greatest exponent of a value's first bit; 0, 0 if all values are zero."""
        found = [exponent + length.bit_length() - 1 for _, length, exponent in self.parts if length]
        return (min(found), max(found)) if found else (0, 0)

    @property
    def has_zero(self) -> bool:
        """Whether a value is zero."""
        return Fraction(0) in self.values

    @cached_property
    def order(self) -> tuple[int, ...]:
        """The codes of different values in the order of these; of codes with the same value the least."""
        least = {value: code for code, value in reversed(list(enumerate(self.values)))}
        return tuple(least[value] for value in sorted(least))

    @cached_property
    def midpoints(self) -> tuple[Fraction, ...]:
        """The numbers halfway between neighbours, in order."""
        values = [self.values[code] for code in self.order]
        return tuple((low + high) / 2 for low, high in pairwise(values))


def _in_fp32(value: Fraction) -> bool:
    """Whether an fp32 number has this value."""
    _, significand, exponent = _parts(value) if _is_dyadic(value) else (False, 1 << 24, 0)
    length = significand.bit_length()
    return length <= 24 and (not significand or (exponent >= -149 and exponent + length <= 128))


def _is_dyadic(value: Fraction) -> bool:
    return value.denominator & (value.denominator - 1) == 0


def _parts(value: Fraction) -> tuple[bool, int, int]:
    significand = abs(value.numerator)
    zeros = max((significand & -significand).bit_length() - 1, 0)
    return value < 0, significand >> zeros, zeros - (value.denominator.bit_length() - 1)


def unpack_codebook(codes: Integers, book: Codebook) -> Unpacked:
    """Sign, odd significand and exponent of codes, which are checked and have at least one dimension."""
    negative, significand, exponent = (np.array(part) for part in zip(*book.parts, strict=True))
    index, never = codes.astype(np.intp), np.zeros(1, bool)
    parts = negative[index], significand.astype(np.uint64)[index], exponent.astype(np.int64)[index]
    return Unpacked(*parts, inf=never, nan=never, signaling=never)


def pack_codebook(value: Unpacked, book: Codebook) -> Integers:
    """Codes (uint64) of exact numbers: of the nearest value, ties to the lesser one; of equal ones the least code.

    Ties are those of QLoRA's reference (the comparisons ``x > midpoint`` of bitsandbytes, which rounds its midpoints to
    fp32: of the numbers that equal one that was rounded up it takes the lesser value, here the nearer one). Numbers
    beyond the ends of the table, infinities among them, become its ends; NaN must be refused before.
    """
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
    return order[position]


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


def _nf4() -> Codebook:
    # As fp32; each is what the decimals round to.
    values = (
        -1.0,
        -0.6961928009986877,
        -0.5250730514526367,
        -0.39491748809814453,
        -0.28444138169288635,
        -0.18477343022823334,
        -0.09105003625154495,
        0.0,
        0.07958029955625534,
        0.16093020141124725,
        0.24611230194568634,
        0.33791524171829224,
        0.44070982933044434,
        0.5626170039176941,
        0.7229568362236023,
        1.0,
    )
    exact = tuple(Fraction(float(np.float32(value))) for value in values)
    return Codebook("nf4", exact, "QLoRA (Dettmers et al. 2023), appendix E: 4-bit NormalFloat")


#: QLoRA's 4-bit NormalFloat: quantiles of the normal distribution, with a zero.
NF4 = _nf4()
