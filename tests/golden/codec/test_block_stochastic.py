"""Stochastic rounding of the elements of blocks, against its definition on exact fractions."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from polymac import golden
from polymac.golden import ParameterError
from polymac.golden.codec.block_scaling import _toward_zero
from polymac.golden.formats import BLOCK_FORMATS, BlockFormat, Format, block_format


def floor_log2(x: Fraction) -> int:
    exponent = x.numerator.bit_length() - x.denominator.bit_length()
    return exponent if Fraction(2) ** exponent <= x else exponent - 1


def rounded(value: Fraction, fmt: Format, word: int, bits: int, symmetric: bool) -> Fraction:
    """The element that a number over its scale becomes; saturated."""
    size = abs(value)
    last_place = -fmt.frac_bits
    if fmt.kind == "float":
        last_place += max(floor_log2(size), fmt.min_exponent) if size else 0
    units = size / Fraction(2) ** last_place
    kept = units // 1
    rest = int((units - kept) * (1 << bits) // 1)
    result = (kept + (rest + word >= 1 << bits)) * Fraction(2) ** last_place
    least = fmt.fraction(fmt.sign_mask) if fmt.kind == "fixed" and not symmetric else -fmt.max
    return max(-result, least) if value < 0 else min(result, fmt.max)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", BLOCK_FORMATS)
def test_by_definition(name, dtype, rng):
    fmt = block_format(name)
    x = rng.standard_normal((3, 2 * fmt.block_size)) * np.exp2(rng.integers(-8, 3, (3, 2 * fmt.block_size)))
    # Numbers with few bits, of which some random bits see every one; and far below the block's largest.
    x[0] = np.round(x[0] * 64) / 64
    x[1, ::4] *= 2.0**-12
    x[2, 1::2] *= 2.0**-120
    x = x.astype(dtype)
    for bits in (1, 7, 32, 63 if fmt.power_of_two else 53 - fmt.element.significand_bits):
        words = rng.integers(0, 1 << bits, x.shape, np.uint64)
        words[:, ::3] = (1 << bits) - 1
        scales, elements, *tensor = golden.encode_blocks(x, fmt, rounding="stochastic", random=words, random_bits=bits)
        np.testing.assert_array_equal(scales, golden.encode_blocks(x, fmt)[0])
        factor = fmt.tensor_scale.fraction(int(tensor[0])) if fmt.tensor_scale else Fraction(1)
        found = golden.decode(elements, fmt.element)
        for row, column in np.ndindex(x.shape):
            scale = fmt.scale.fraction(int(scales[row, column // fmt.block_size])) * factor
            # Numbers that are subnormal in a scale of fp32's exponents are zeros first.
            zero = fmt.zero_scale and abs(x[row, column]) < 2.0 ** (1 - fmt.scale.bias)
            value = Fraction(0) if zero or not scale else Fraction(float(x[row, column])) / scale
            expected = rounded(value, fmt.element, int(words[row, column]), bits, fmt.symmetric)
            assert Fraction(float(found[row, column])) == expected, (bits, row, column)


def test_seeds_words_and_axes(rng):
    fmt, x = block_format("mxfp4"), rng.standard_normal((64, 96)).astype(np.float32)
    _, once = golden.encode_blocks(x, fmt, rounding="stochastic", random=7)
    words = np.random.Generator(np.random.PCG64(7)).integers(0, 1 << 32, x.shape, dtype=np.uint64)
    for random in (7, np.random.Generator(np.random.PCG64(7)), words):
        np.testing.assert_array_equal(golden.encode_blocks(x, fmt, rounding="stochastic", random=random)[1], once)
    assert not np.array_equal(golden.encode_blocks(x, fmt, rounding="stochastic", random=8)[1], once)
    # A word belongs to its number, wherever blocks lie.
    across = golden.encode_blocks(x.T, fmt, axis=0, rounding="stochastic", random=words.T)
    np.testing.assert_array_equal(across[1], once.T)


def test_mean_is_the_number():
    fmt = block_format("mxfp4")
    x = np.full((2000, 32), 1.3)
    x[:, 0] = 6
    found = golden.decode_blocks(golden.encode_blocks(x, fmt, rounding="stochastic", random=1), fmt)[:, 1:]
    # A step is 1/2: the standard error of the mean of 62,000 is below 1/2 / 2 / 248.
    assert set(np.unique(found)) == {1.0, 1.5} and abs(found.mean() - 1.3) < 0.005
    assert (golden.decode_blocks(golden.encode_blocks(x, fmt), fmt)[:, 1:] == 1.5).all()


def test_blocks_that_are_not_finite():
    fmt, x = block_format("mxfp8_e4m3"), np.full((2, 32), 1.3)
    x[0, 3] = np.inf
    scales, elements = golden.encode_blocks(x, fmt, nonfinite="nan", rounding="stochastic", random=1)
    assert scales[0, 0] == 255 and not elements[0].any() and elements[1].all()


def test_bits_below_float32_are_seen():
    # Over the scale 2^64 this is 2^-126 - 2^-150, which no float32 holds: 2^9 - 2^-15 in the place of the last random bit.
    element = golden.format("e7m10")
    fmt = BlockFormat("wide", element, golden.format("e8m0"), 2)
    x = np.array([2.0**127, 2.0**-62 * (1 - 2.0**-24)], np.float32)
    for word, up in (((1 << 63) - 512, 0), ((1 << 63) - 511, 1)):
        _, elements = golden.encode_blocks(x, fmt, rounding="stochastic", random=[0, word], random_bits=63)
        assert elements.tolist() == [126 << 10, up]


def test_quotients_are_truncated(rng):
    step = (rng.integers(1, 1 << 28, 3000) | 1) * np.exp2(rng.integers(-300, 300, 3000))
    # Multiples of the step, their neighbours, and numbers of any kind; both signs.
    x = step * rng.integers(1, 1 << 25, 3000)
    x[1::3] = np.nextafter(x[1::3], np.where(rng.random(1000) < 0.5, 0, np.inf))
    x[2::3] = rng.standard_normal(1000)
    x *= np.where(rng.random(3000) < 0.5, 1, -1)
    found = _toward_zero(x, step)
    for number, divisor, quotient in zip(x.tolist(), step.tolist(), found.tolist(), strict=True):
        exact = Fraction(number) / Fraction(divisor)
        away = np.nextafter(quotient, np.copysign(np.inf, quotient))
        assert abs(Fraction(quotient)) <= abs(exact) < abs(Fraction(float(away)))
    # Some division has to be corrected, or this would not test anything.
    assert (found != x / step).any()
    np.testing.assert_array_equal(_toward_zero(np.array([1.0, -2.0]), np.array([np.inf, np.inf])), 0)


@pytest.mark.parametrize("bits", [0, 52])
def test_random_bits_of_quotients(bits):
    with pytest.raises(ParameterError, match=rf"^random_bits must be in 1 … 51, not {bits}$"):
        golden.encode_blocks(np.ones(16), "nvfp4", rounding="stochastic", random=1, random_bits=bits)
