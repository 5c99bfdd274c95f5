"""Multiplication of integers and fixed point against Python's integers."""

from fractions import Fraction

import numpy as np
import pytest

from polymac import golden
from polymac.golden import Flag, Format
from polymac.golden.formats import FIXED_OVERFLOWS, ROUNDINGS, fixed_point, product_format


def integer(fmt: Format, code: int) -> int:
    return code - (1 << fmt.width) if fmt.signed and code >> (fmt.width - 1) else code


def rounded(value: Fraction, rounding: str) -> int:
    """``value`` to an integer, with Python's own rounding where it has the mode."""
    if rounding == "rne":
        return round(value)
    if rounding == "rtz":
        return int(value)
    if rounding == "rna":
        return int(value + Fraction(1, 2)) if value >= 0 else int(value - Fraction(1, 2))
    return value.__ceil__() if rounding == "rup" else value.__floor__()


def reference(fa: Format, fb: Format, out: Format, a: int, b: int, rounding: str, overflow: str) -> tuple[int, int]:
    exact = Fraction(integer(fa, a) * integer(fb, b), 1 << (fa.frac_bits + fb.frac_bits)) * (1 << out.frac_bits)
    result = rounded(exact, rounding)
    flags = Flag.INEXACT if result != exact else Flag(0)
    least, greatest = (-(1 << (out.width - 1)), (1 << (out.width - 1)) - 1) if out.signed else (0, (1 << out.width) - 1)
    if not least <= result <= greatest:
        flags |= Flag.OVERFLOW | Flag.INEXACT
        if overflow == "saturate":
            result = least if result < least else greatest
    return result & ((1 << out.width) - 1), int(flags)


def compare(fa: Format, fb: Format, out: Format, a: list[int], b: list[int]) -> None:
    for rounding in ROUNDINGS:
        for overflow in FIXED_OVERFLOWS:
            codes, flags = golden.multiply(a, b, fa, fb, out=out, rounding=rounding, overflow=overflow, flags=True)
            expected = [reference(fa, fb, out, x, y, rounding, overflow) for x, y in zip(a, b, strict=True)]
            policy = f"{fa} * {fb} -> {out} {rounding} {overflow}"
            assert codes.dtype == golden.code_dtype(out), policy
            assert codes.tolist() == [code for code, _ in expected], policy
            assert flags.tolist() == [flag for _, flag in expected], policy


@pytest.mark.parametrize(
    ("name_a", "name_b", "name_out"),
    [
        ("int4", "int4", "int4"),
        ("int5", "uint4", "int6"),
        ("uint4", "uint4", "uint4"),
        ("q1.3", "q2.3", "q2.2"),
        ("q2.2", "uq0.4", "q3.1"),
        ("uq1.3", "uq2.2", "int3"),
        ("q3.1", "q3.1", "q2.6"),
        ("int3", "int4", "uint5"),
    ],
)
def test_all_pairs_of_small_formats(name_a, name_b, name_out):
    fa, fb, out = (golden.format(name) for name in (name_a, name_b, name_out))
    a, b = np.meshgrid(np.arange(fa.code_count), np.arange(fb.code_count))
    compare(fa, fb, out, a.ravel().tolist(), b.ravel().tolist())


def random_format(rng: np.random.Generator, most: int = 64) -> Format:
    width = int(rng.integers(2, most + 1))
    signed = bool(rng.integers(2))
    return fixed_point(width, int(rng.integers(0, width - signed + 1)), signed)


def edge_and_random_codes(fmt: Format, rng: np.random.Generator, count: int) -> list[int]:
    """Half random codes, half those next to zero and to both ends of the range."""
    edges = [code % fmt.code_count for code in (0, 1, -1, fmt.max_int, fmt.max_int - 1, fmt.min_int, fmt.min_int + 1)]
    random = [int.from_bytes(rng.bytes(9), "little") % fmt.code_count for _ in range(count)]
    return (
        [int(rng.choice(edges)) if rng.integers(2) else code for code in random] if fmt.width < 63 else random + edges
    )


@pytest.mark.parametrize("draw", range(40))
def test_random_formats_of_any_width(draw, rng):
    rng = np.random.default_rng([draw, int(rng.integers(1 << 32))])
    fa, fb, out = (random_format(rng) for _ in range(3))
    a, b = (edge_and_random_codes(fmt, rng, 40) for fmt in (fa, fb))
    count = min(len(a), len(b))
    compare(fa, fb, out, a[:count], b[-count:])


@pytest.mark.parametrize("draw", range(20))
def test_exact_products(draw, rng):
    rng = np.random.default_rng([draw, int(rng.integers(1 << 32))])
    fa, fb = random_format(rng), random_format(rng)
    a, b = (edge_and_random_codes(fmt, rng, 40) for fmt in (fa, fb))
    count = min(len(a), len(b))
    a, b = a[:count], b[-count:]
    out = product_format(fa, fb)
    codes, flags = golden.multiply(a, b, fa, fb, flags=True)
    assert codes.tolist() == [integer(fa, x) * integer(fb, y) % out.code_count for x, y in zip(a, b, strict=True)]
    assert not flags.any()
    assert (out.width, out.frac_bits) == (fa.width + fb.width, fa.frac_bits + fb.frac_bits)


def test_widest_products():
    least = 1 << 63
    assert golden.multiply([least], [least], "int64", "int64").tolist() == [1 << 126]
    assert golden.multiply([2**64 - 1], [2**64 - 1], "uint64", "uint64").tolist() == [(2**64 - 1) ** 2]
    assert golden.multiply([1 << 31], [1 << 31], "int32", "int32").tolist() == [1 << 62]


@pytest.mark.parametrize("name", ["int8", "uint8", "int12"])
def test_many_pairs_like_numpy(name):
    fmt = golden.format(name)
    codes = np.arange(0, fmt.code_count, max(1, fmt.code_count // 512), dtype=np.int64)
    a, b = (axis.ravel() for axis in np.meshgrid(codes, codes))
    signed = (np.where(part > fmt.max_int, part - fmt.code_count, part) for part in (a, b))
    expected = np.multiply(*signed) & product_format(fmt, fmt).code_mask
    np.testing.assert_array_equal(golden.multiply(a, b, fmt, fmt), expected)
