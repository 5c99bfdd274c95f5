"""Elements of dot products and MACs: sets of numbers that have something in common, in any scalar format."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from ... import golden
from ...golden.codec.codes import code_dtype
from ...golden.formats import Format
from ..expected.sums import Codes
from .operands import operands

Generator = np.random.Generator
Shape = tuple[int, int]
Ints = NDArray[np.int64]

#: Elements that are near each other have exponents that differ from their set's by one of these at most.
SPREADS = (0, 1, 2, 4, 8, 16, 64)
#: Operands beyond this magnitude are wild: they make sums infinite or NaN.
_WILD = 2.0**30


def negated(fmt: Format, codes: Codes) -> Codes:
    """Codes of the numbers' negatives, or of what comes nearest; as they are where there are none."""
    if fmt.negates_in_twos_complement:
        return (~codes + codes.dtype.type(1)) & codes.dtype.type(fmt.code_mask)
    flip = 1 if fmt.kind == "binary" else fmt.sign_mask
    return codes ^ codes.dtype.type(flip)


def near(fmt: Format, shape: Shape, generator: Generator) -> Codes:
    """Numbers whose exponents are near each other; of fixed point of like lengths."""
    dtype = code_dtype(fmt)
    if fmt.kind != "float":
        codes = operands(None, fmt.width, shape[0] * shape[1], generator).reshape(shape)
        if fmt.kind == "binary":
            return codes.astype(dtype)
        length = generator.integers(1, fmt.width + 1, (shape[0], 1))
        low = codes & ((np.uint64(1) << length.astype(np.uint64)) - np.uint64(1)).astype(codes.dtype)
        found = np.where(generator.random(shape) < 0.5, low, negated(fmt, low.astype(dtype))).astype(dtype)
        return found if fmt.nan_code is None else np.where(found == fmt.nan_code, dtype.type(fmt.max_code), found)
    greatest = fmt.max_code >> fmt.frac_bits
    # Mostly around 1, so that products with the other operand and with scales stay in range.
    middle = np.clip(fmt.bias + generator.integers(-8, 9, shape[0]), 0, greatest)
    centre = np.where(generator.random(shape[0]) < 0.7, middle, generator.integers(0, greatest + 1, shape[0]))
    return around(fmt, centre, generator.choice(SPREADS, shape[0]), shape, generator)


def around(fmt: Format, centre: Ints, spread: Ints, shape: Shape, generator: Generator) -> Codes:
    """Floats of any sign and fraction whose exponents' fields differ from those given, one of each row, by ``spread``."""
    offset = generator.integers(-spread[:, None], spread[:, None] + 1, shape)
    field = np.clip(centre[:, None] + offset, 0, fmt.max_code >> fmt.frac_bits).astype(np.uint64)
    fraction = generator.integers(0, 1 << fmt.frac_bits, shape, dtype=np.uint64)
    magnitude = np.minimum((field << np.uint64(fmt.frac_bits)) | fraction, np.uint64(fmt.max_code))
    return magnitude.astype(code_dtype(fmt)) | _signs(fmt, shape, generator)


def _signs(fmt: Format, shape: Shape, generator: Generator) -> Codes:
    """The sign bits of random signs, where the format has any."""
    dtype = code_dtype(fmt)
    mask = fmt.sign_mask if fmt.kind == "float" and fmt.signed else 0
    return generator.integers(0, 2, shape).astype(dtype) * dtype.type(mask)


def wild(fmt: Format, shape: Shape, generator: Generator) -> Codes:
    """Any codes, many of them corners of the format."""
    return operands(fmt, fmt.width, shape[0] * shape[1], generator).reshape(shape)


def _tame(fmt: Format, shape: Shape, generator: Generator) -> Codes:
    """Any codes but those that would decide the sum."""
    codes = wild(fmt, shape, generator)
    if fmt.kind != "float" and not fmt.has_specials:
        return codes
    return np.where(np.abs(golden.decode(codes, fmt)) <= _WILD, codes, near(fmt, shape, generator))


def _one_wild(fmt: Format, shape: Shape, generator: Generator) -> Codes:
    """Any code in one lane."""
    return np.where(one_lane(shape, generator), wild(fmt, shape, generator), near(fmt, shape, generator))


def one_lane(shape: Shape, generator: Generator) -> NDArray[np.bool_]:
    """One lane of each beat."""
    return generator.integers(0, shape[1], (shape[0], 1)) == np.arange(shape[1])


def zeros(fmt: Format, shape: Shape, generator: Generator) -> Codes:
    """Zeros of both signs, few other numbers, often none."""
    if fmt.zero_code is None:
        return near(fmt, shape, generator)
    codes = _signs(fmt, shape, generator) | code_dtype(fmt).type(fmt.zero_code)
    if fmt.kind == "float" and fmt.negative_zero != "zero":
        codes[:] = 0
    others = generator.random(shape) < generator.choice([0, 0.3], (shape[0], 1))
    return np.where(others, near(fmt, shape, generator), codes)


def powers(fmt: Format, shape: Shape, generator: Generator) -> Codes:
    """Numbers of one bit: sums of them are ties. Of floats some codes of one bit, most of them subnormals."""
    codes = near(fmt, shape, generator)
    if fmt.kind == "float":
        bit = np.uint64(1) << generator.integers(0, max(fmt.max_code.bit_length(), 1), shape, dtype=np.uint64)
        single = np.minimum(bit, np.uint64(fmt.max_code)).astype(codes.dtype) | _signs(fmt, shape, generator)
        return np.where(
            generator.random((shape[0], 1)) < 0.3, single, codes & ~codes.dtype.type((1 << fmt.frac_bits) - 1)
        )
    return (np.uint64(1) << generator.integers(0, fmt.width, shape, dtype=np.uint64)).astype(codes.dtype)


def single_bits(fmt: Format, shape: Shape, generator: Generator) -> Codes:
    """Powers of two of a floating-point format, subnormals too, each as often as any other."""
    dtype = code_dtype(fmt)
    power = generator.integers(0, max(fmt.frac_bits + (fmt.max_code >> fmt.frac_bits), 1), shape)
    normal = (power - fmt.frac_bits + 1) << fmt.frac_bits
    magnitude = np.minimum(np.where(power < fmt.frac_bits, 1 << power, normal), fmt.max_code)
    return magnitude.astype(dtype) | _signs(fmt, shape, generator)


def largest(fmt: Format, shape: Shape, generator: Generator) -> Codes:
    """The largest magnitudes, of one sign or of both: sums overflow."""
    dtype = code_dtype(fmt)
    if fmt.kind == "float":
        signs = np.where(generator.random((shape[0], 1)) < 0.5, _signs(fmt, shape, generator), dtype.type(0))
        return signs | dtype.type(fmt.max_code)
    if not fmt.is_integral:
        codes = np.full(shape, fmt.max_code, dtype)
        return np.where(generator.random(shape) < 0.5, negated(fmt, codes), codes)
    ends = np.array([fmt.code_mask >> int(fmt.signed), (fmt.code_mask >> 1) + 1 if fmt.signed else 0], dtype)
    return ends[generator.integers(0, 2, shape) * (generator.random((shape[0], 1)) < 0.5)]


def next_to_largest(fmt: Format, shape: Shape, generator: Generator) -> Codes:
    """The largest magnitudes, some of them one code less."""
    codes = largest(fmt, shape, generator)
    return (codes - (generator.random(shape) < 0.2).astype(codes.dtype)) & codes.dtype.type(fmt.code_mask)


def _full(fmt: Format, shape: Shape, generator: Generator) -> Codes:
    """Numbers of one exponent with all fraction bits set, all of one sign or not: their sums carry as far as any do."""
    codes = near(fmt, shape, generator)
    if fmt.kind != "float":
        return largest(fmt, shape, generator)
    fraction = codes.dtype.type((1 << fmt.frac_bits) - 1)
    # Below the largest exponent, in which not every fraction need be a number.
    first = codes[:, :1] & codes.dtype.type(max((fmt.max_code >> fmt.frac_bits) - 1, 0) << fmt.frac_bits)
    signs = np.where(
        generator.random((shape[0], 1)) < 0.5, _signs(fmt, (shape[0], 1), generator), _signs(fmt, shape, generator)
    )
    return first | np.minimum(fraction, codes.dtype.type(fmt.max_code)) | signs


def least(fmt: Format, shape: Shape, generator: Generator) -> Codes:
    """The least magnitudes, of both signs."""
    codes = np.ones(shape, code_dtype(fmt))
    return np.where(generator.random(shape) < 0.5, negated(fmt, codes), codes)


#: What elements have in common: how they are made, and the share of beats.
KINDS: dict[str, tuple[Callable[[Format, Shape, Generator], Codes], float]] = {
    "near": (near, 0.25),
    "tame": (_tame, 0.15),
    "one wild": (_one_wild, 0.1),
    "wild": (wild, 0.1),
    "zeros": (zeros, 0.1),
    "powers": (powers, 0.1),
    "largest": (largest, 0.05),
    "full": (_full, 0.05),
    "pairs": (near, 0.1),
}
