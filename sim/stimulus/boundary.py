"""Operands of float products at which rounding is decided: ties, subnormal results, the ends of the range."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from ...golden.codec.codes import code_dtype
from ...golden.formats import Format, ParameterError, check_int
from .operands import corners

Codes = NDArray[np.unsignedinteger]
#: Significands and exponents: (-1)**sign * significand * 2**exponent, or codes.
_Pair = tuple[NDArray[np.int64], NDArray[np.int64]]

#: A result may lie this many binades around an end of the range.
_AROUND = 2


def boundary_operands(fmt: Format, count: int, generator: np.random.Generator) -> tuple[Codes, Codes]:
    """Pairs of codes of a format whose products, in the same format, lie where rounding is decided.

    A seventh of the pairs each, in turn: products halfway between two normal numbers (two odd significands of together as
    many bits as it takes); products whose last bit is around the last place of subnormals, ties among them; products of
    random significands over the whole subnormal range and below; products next to the least normal number; next to twice
    the largest binade, where they overflow; subnormals times large numbers; corner values and random codes.

    Parameters
    ----------
    fmt : Format
        A float format with an exponent, subnormals and at most 53 significand bits, such as fp32.
    count : int
        How many pairs.
    generator : Generator
        NumPy's.

    Raises
    ------
    ParameterError
        Another format, or ``count`` is below 1.
    """
    if fmt.kind != "float" or fmt.exp_bits < 3 or not 2 < fmt.significand_bits <= 53 or not fmt.subnormals:
        raise ParameterError(
            "fmt must be a float format with 3 exponent bits or more, subnormals and 3 to 53 significand bits, "
            f"not {fmt}"
        )
    check_int("count", count, 1)
    size = -(-count // len(_KINDS))
    pairs = [kind(fmt, size, generator) for kind in _KINDS]
    # One of each kind after the other, so that any part holds all of them.
    a, b = (np.stack([pair[side] for pair in pairs], axis=1).ravel()[:count] for side in (0, 1))
    signs = generator.integers(0, 2, (2, count), dtype=np.uint64) * np.uint64(fmt.sign_mask)
    dtype = code_dtype(fmt)
    return (a ^ signs[0]).astype(dtype), (b ^ signs[1]).astype(dtype)


def _random_bits(bits: NDArray[np.int64], generator: np.random.Generator) -> NDArray[np.int64]:
    """Random odd integers, each of the given number of bits."""
    words = generator.integers(0, 1 << 53, len(bits))
    return (words >> (53 - bits)) | (1 << (bits - 1)) | 1


def _codes(fmt: Format, significand: NDArray[np.int64], top: NDArray[np.int64]) -> NDArray[np.uint64]:
    """Magnitudes of normal numbers: integers of at most the format's bits, scaled so that the first bit is 2**top."""
    length = np.frexp(significand.astype(np.float64))[1].astype(np.int64)
    # A significand of 53 bits is exact in float64, so that its length is too.
    fraction = (significand << (fmt.significand_bits - length)) & ((1 << fmt.frac_bits) - 1)
    return (((top + fmt.bias) << fmt.frac_bits) | fraction).astype(np.uint64)


def _split(fmt: Format, total: NDArray[np.int64], generator: np.random.Generator) -> _Pair:
    """Two exponents of normal numbers, as random as can be, of a given sum; a sum out of reach is cut off."""
    least, most = fmt.min_exponent, fmt.max_exponent
    total = np.clip(total, 2 * least, 2 * most)
    low, high = np.maximum(least, total - most), np.minimum(most, total - least)
    first = generator.integers(low, high, endpoint=True)
    return first, total - first


def _odd_pair(fmt: Format, bits: NDArray[np.int64], generator: np.random.Generator) -> _Pair:
    """Odd significands whose product has the given number of bits."""
    most = fmt.significand_bits
    first = generator.integers(np.maximum(1, bits - most), np.minimum(most, bits - 1), endpoint=True)
    return _random_bits(first, generator), _random_bits(bits - first, generator)


def _ties(fmt: Format, size: int, generator: np.random.Generator) -> tuple[Codes, Codes]:
    # An odd product of one bit more than the format has is a tie; it has the bits of both factors, or one less.
    bits = fmt.significand_bits + generator.integers(1, 3, size)
    x, y = _odd_pair(fmt, bits, generator)
    places = _split(fmt, generator.integers(fmt.min_exponent, fmt.max_exponent, size), generator)
    return _codes(fmt, x, places[0]), _codes(fmt, y, places[1])


def _last_places(fmt: Format, size: int, generator: np.random.Generator) -> tuple[Codes, Codes]:
    bits = generator.integers(2, fmt.significand_bits + 3, size)
    x, y = _odd_pair(fmt, bits, generator)
    lengths = [np.frexp(part.astype(np.float64))[1].astype(np.int64) for part in (x, y)]
    # The product's last bit, which is 1, weighs from a quarter to twice the least subnormal.
    last = fmt.min_exponent - fmt.frac_bits + generator.integers(-2, 2, size)
    places = _split(fmt, last + lengths[0] - 1 + lengths[1] - 1, generator)
    return _codes(fmt, x, places[0]), _codes(fmt, y, places[1])


def _full(fmt: Format, size: int, generator: np.random.Generator) -> NDArray[np.int64]:
    return _random_bits(np.full(size, fmt.significand_bits), generator) ^ generator.integers(0, 2, size)


def _subnormal(fmt: Format, size: int, generator: np.random.Generator) -> tuple[Codes, Codes]:
    x, y = _full(fmt, size, generator), _full(fmt, size, generator)
    total = generator.integers(fmt.min_exponent - fmt.significand_bits - _AROUND, fmt.min_exponent + 1, size)
    places = _split(fmt, total, generator)
    return _codes(fmt, x, places[0]), _codes(fmt, y, places[1])


def _next_to(fmt: Format, size: int, generator: np.random.Generator, power: int) -> tuple[Codes, Codes]:
    """Products next to 2**power: a random significand, and the closest to its inverse or one next to that."""
    most = fmt.significand_bits
    x = _full(fmt, size, generator)
    # Both are below 2**53: the quotient is rounded to an integer once, and within 2 of it anything will do.
    y = np.rint(np.ldexp(1.0, 2 * most - 1) / x).astype(np.int64) + generator.integers(-2, 3, size)
    y = np.clip(y, 1 << (most - 1), (1 << most) - 1)
    # x * y is next to 2**(2 * most - 1), one above the product of both first bits.
    places = _split(fmt, np.full(size, power - 1), generator)
    return _codes(fmt, x, places[0]), _codes(fmt, y, places[1])


def _least_normal(fmt: Format, size: int, generator: np.random.Generator) -> tuple[Codes, Codes]:
    return _next_to(fmt, size, generator, fmt.min_exponent)


def _overflow(fmt: Format, size: int, generator: np.random.Generator) -> tuple[Codes, Codes]:
    return _next_to(fmt, size, generator, fmt.max_exponent + 1)


def _subnormal_operand(fmt: Format, size: int, generator: np.random.Generator) -> tuple[Codes, Codes]:
    bits = generator.integers(1, fmt.frac_bits + 1, size)
    small = _random_bits(bits, generator).astype(np.uint64)
    places = generator.integers(-_AROUND, fmt.max_exponent + 1, size)
    other = _codes(fmt, _full(fmt, size, generator), places)
    swap = generator.integers(0, 2, size).astype(bool)
    return np.where(swap, other, small), np.where(swap, small, other)


def _anything(fmt: Format, size: int, generator: np.random.Generator) -> tuple[Codes, Codes]:
    edges = np.array(corners(fmt, fmt.width), np.uint64)

    def codes() -> NDArray[np.uint64]:
        uniform = generator.integers(0, fmt.code_mask, size, dtype=np.uint64, endpoint=True)
        return np.where(generator.random(size) < 0.5, uniform, generator.choice(edges, size))

    return codes(), codes()


_KINDS: tuple[Callable[[Format, int, np.random.Generator], tuple[Codes, Codes]], ...] = (
    _ties,
    _last_places,
    _subnormal,
    _least_normal,
    _overflow,
    _subnormal_operand,
    _anything,
)
