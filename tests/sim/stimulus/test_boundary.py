"""What the generator of boundary operands promises, with exact fractions."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from polymac import golden
from polymac.golden.formats import Format, ParameterError
from polymac.sim.stimulus import boundary
from polymac.sim.stimulus.boundary import boundary_operands

FORMATS = ("fp16", "bf16", "tf32", "fp32", "fp64", "fp8_e5m2", "e6m9", "e9m30")
KINDS = {kind.__name__: number for number, kind in enumerate(boundary._KINDS)}

formats = st.sampled_from(FORMATS).map(golden.format)
seeds = st.integers(0, 2**32 - 1)


def magnitude(fmt: Format, code: int) -> Fraction:
    """The exact magnitude of a finite code."""
    field, fraction = divmod(int(code) & fmt.magnitude_mask, 1 << fmt.frac_bits)
    significand = fraction + (1 << fmt.frac_bits if field else 0)
    return significand * Fraction(2) ** (max(field, 1) - fmt.bias - fmt.frac_bits)


def products(kind: str, fmt: Format, seed: int, count: int = 7 * 20) -> list[Fraction]:
    """Magnitudes of the products of one kind."""
    a, b = boundary_operands(fmt, count, np.random.default_rng(seed))
    chosen = slice(KINDS[kind], None, len(KINDS))
    return [magnitude(fmt, x) * magnitude(fmt, y) for x, y in zip(a[chosen], b[chosen], strict=True)]


def ulp(fmt: Format, value: Fraction) -> Fraction:
    """The weight of the last place at a value."""
    exponent = value.numerator.bit_length() - value.denominator.bit_length()
    exponent -= value < Fraction(2) ** exponent
    return Fraction(2) ** (max(exponent, fmt.min_exponent) - fmt.frac_bits)


@given(formats, seeds, st.integers(1, 50))
@settings(max_examples=40, deadline=None)
def test_codes_of_the_format_and_the_same_for_the_same_seed(fmt: Format, seed: int, count: int) -> None:
    first, again = (boundary_operands(fmt, count, np.random.default_rng(seed)) for _ in range(2))
    for x, y in zip(first, again, strict=True):
        np.testing.assert_array_equal(x, y)
        assert x.dtype == golden.code_dtype(fmt) and len(x) == count
        assert int(x.max()) <= fmt.code_mask


@given(formats, seeds)
@settings(max_examples=40, deadline=None)
def test_ties_are_halfway_or_their_product_has_a_bit_less(fmt: Format, seed: int) -> None:
    halves = [value / ulp(fmt, value) % 1 for value in products("_ties", fmt, seed, 7 * 100)]
    assert set(halves) <= {0, Fraction(1, 2), Fraction(1, 4), Fraction(3, 4)}
    assert halves.count(Fraction(1, 2)) >= 10


@given(formats, seeds)
@settings(max_examples=40, deadline=None)
def test_last_places_reach_from_a_quarter_to_twice_the_least_subnormal(fmt: Format, seed: int) -> None:
    least = Fraction(2) ** (fmt.min_exponent - fmt.frac_bits)
    lasts = [value / least for value in products("_last_places", fmt, seed)]
    # Four times each product is an integer whose lowest set bit says where the last place is.
    assert all((4 * value).denominator == 1 for value in lasts)
    assert {int(4 * value) & -int(4 * value) for value in lasts} <= {1, 2, 4, 8}


@given(formats, seeds)
@settings(max_examples=40, deadline=None)
def test_subnormal_results_from_below_the_least_to_the_least_normal(fmt: Format, seed: int) -> None:
    least_normal = Fraction(2) ** fmt.min_exponent
    values = [value / least_normal for value in products("_subnormal", fmt, seed)]
    # Exponents are as the format's: what is asked below all of them becomes the product of the two least.
    assert all(value < 4 for value in values)
    assert sum(value < 1 for value in values) > len(values) / 2


@pytest.mark.parametrize(("kind", "above"), [("_least_normal", None), ("_overflow", 1)])
@given(formats, seeds)
@settings(max_examples=40, deadline=None)
def test_products_next_to_the_ends_of_the_range(kind: str, above: int | None, fmt: Format, seed: int) -> None:
    end = Fraction(2) ** (fmt.max_exponent + 1 if above else fmt.min_exponent)
    distances = [abs(value / end - 1) * (1 << fmt.significand_bits) for value in products(kind, fmt, seed)]
    assert all(distance < 8 for distance in distances)
    assert min(distances) < 2


@given(formats, seeds)
@settings(max_examples=40, deadline=None)
def test_one_operand_is_subnormal(fmt: Format, seed: int) -> None:
    a, b = boundary_operands(fmt, 7 * 20, np.random.default_rng(seed))
    chosen = slice(KINDS["_subnormal_operand"], None, len(KINDS))
    for x, y in zip(a[chosen], b[chosen], strict=True):
        assert sum(0 < int(code) & fmt.magnitude_mask < 1 << fmt.frac_bits for code in (x, y)) == 1


def test_signs_and_all_exceptions_occur() -> None:
    fmt = golden.format("fp32")
    a, b = boundary_operands(fmt, 5000, np.random.default_rng(1))
    assert len({(int(x) >> 31, int(y) >> 31) for x, y in zip(a, b, strict=True)}) == 4
    _, flags = golden.multiply(a, b, fmt, fmt, flags=True)
    seen = set(flags.tolist())
    flag = golden.Flag
    inexact = flag.INEXACT
    assert seen >= {0, inexact, inexact | flag.UNDERFLOW, inexact | flag.OVERFLOW, flag.INVALID}


@pytest.mark.parametrize("fmt", ["int8", "e8m0", "fp4_e2m1"])
def test_other_formats(fmt: str) -> None:
    with pytest.raises(ParameterError) as error:
        boundary_operands(golden.format(fmt), 1, np.random.default_rng(1))
    assert str(error.value) == (
        f"fmt must be a float format with 3 exponent bits or more, subnormals and 3 to 53 significand bits, not {fmt}"
    )


def test_no_pairs() -> None:
    with pytest.raises(ParameterError) as error:
        boundary_operands(golden.format("fp16"), 0, np.random.default_rng(1))
    assert str(error.value) == "count must be at least 1, not 0"
