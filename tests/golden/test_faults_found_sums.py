"""What seeded faults in golden's source (`make faults`) got past the other tests of sums, roundings and blocks."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from polymac import golden
from polymac.golden import FORMATS, Aligned, Exact, ParameterError
from polymac.golden.codec.fast.rounding_table import TABLE_SIZE
from polymac.golden.codec.rounding import bit_length
from polymac.golden.quantization.requantize import rounding_shift

INF, NAN, SIGNALING = 0x7C00, 0x7E00, 0x7C01


def test_bit_lengths_around_powers_of_two():
    values = sorted(
        {abs((1 << place) + step) for place in range(64) for step in (-(1 << max(place - 53, 0)), -1, 0, 1)}
    )
    found = bit_length(np.array(values, np.uint64))
    assert found.dtype == np.int64 and found.tolist() == [value.bit_length() for value in values]


def test_a_sum_just_below_a_power_of_two_is_in_range():
    assert golden.add([2**62 - 1], [0], "uint62", "uint2", out="uq62.2").tolist() == [2**64 - 4]


def test_aligned_significands_of_53_bits_in_all():
    one = golden.encode([1.0], "fp32"), golden.encode([1.5], "e8m28")
    assert golden.dot(*one, "fp32", "e8m28", accumulate=Aligned(4, 24)) == golden.encode(1.5, "fp32")
    with pytest.raises(ParameterError) as caught:
        golden.dot([0], [0], "fp32", "e8m29", accumulate=Aligned(4, 24))
    message = "fa and fb must have at most 53 significand bits in all to be aligned, not fp32 and e8m29"
    assert str(caught.value) == message


def test_one_aligned_sum_beyond_the_range_among_others():
    a = golden.encode([[2.0**15], [2.0**-14], [-(2.0**15)]], "fp16")
    found = golden.dot(a, a[:1], "fp16", "fp16", accumulate=Aligned(4, 20, 10), out="fp16")
    assert found.tolist() == [INF, int(golden.encode(2.0, "fp16")), INF | 0x8000]
    assert (
        golden.gemm(a, a[:1], "fp16", "fp16", accumulate=Aligned(4, 20, 10), out="fp16")[:, 0].tolist()
        == found.tolist()
    )


@pytest.mark.parametrize(("block", "frac_bits"), [(16, 25), (32, 25), (64, 24), (64, 25), (512, 22), (512, 40)])
@pytest.mark.parametrize("sign", [1, -1])
def test_the_largest_aligned_sums(block, frac_bits, sign):
    # Products just below 4, of 22 bits: nothing is truncated.
    x = 2 - 2.0**-10
    a, b = golden.encode(np.full(block, sign * x), "fp16"), golden.encode(np.full(block, x), "fp16")
    found = golden.dot(a, b, "fp16", "fp16", accumulate=Aligned(block, frac_bits))
    assert found == golden.encode(sign * block * x * x, "fp32")


@pytest.mark.parametrize(
    ("c", "subnormals", "result"),
    [(SIGNALING, "full", NAN), (NAN | 1, "full", NAN), (INF, "full", INF), (1, "full", 1), (1, "flush", 0)],
)
def test_a_sum_of_no_products_is_rounded_once(c, subnormals, result):
    nothing = np.zeros((0,), int)
    for accumulate in (Exact(subnormals=subnormals), golden.Rounded("fp16", subnormals=subnormals)):
        found = golden.dot(nothing, nothing, "int8", "int8", c, accumulate=accumulate, out="fp16")
        assert found == result


@pytest.mark.parametrize("sign", [0, 0x8000])
def test_an_infinite_product_and_a_finite_addend_of_the_other_sign(sign):
    for addend in (0x3C00, 0xBC00):
        assert golden.dot([INF | sign], [0x3C00], "fp16", "fp16", addend, out="fp16") == INF | sign


def test_shifts_by_32_places():
    assert rounding_shift([2**31 - 1, -(2**31), 0], 32).tolist() == [0, -1, 0]


def test_the_tensor_scale_of_small_numbers():
    scales, elements, tensor = golden.encode_blocks(np.full(16, 2.0**-10), "nvfp4")
    assert float(golden.decode(tensor, FORMATS["fp32"])) == np.float32(2.0**-10) / np.float32(448 * 6)
    assert golden.decode_blocks((scales, elements, tensor), "nvfp4").tolist() == pytest.approx([2.0**-10] * 16)


def test_integers_that_a_float64_holds_are_encoded_in_blocks():
    fmt = golden.block_format("mxfp4")
    for sign in (1, -1):
        x = np.full(32, sign << 53)
        assert golden.decode_blocks(golden.encode_blocks(x, fmt), fmt).tolist() == x.tolist()
    with pytest.raises(ParameterError) as caught:
        golden.encode_blocks(np.full(32, 2**53 + 2), fmt)
    assert str(caught.value) == "x must hold integers of magnitudes up to 2^53, not 9007199254740994"


@pytest.mark.parametrize(("overflow", "result"), [(None, 0x7F800000), ("ieee", 0x7F800000), ("saturate", 0x7F7FFFFF)])
@pytest.mark.parametrize("sign", [1, -1])
def test_rounded_sums_beyond_the_range(overflow, result, sign):
    large, one = golden.encode([sign * 2.0**127] * 3, "bf16"), golden.encode([1.0] * 3, "bf16")
    found = golden.dot(large, one, "bf16", "bf16", accumulate=golden.Rounded("fp32", overflow=overflow))
    assert found == result | (0x80000000 if sign < 0 else 0)


@pytest.mark.parametrize("name", ["mxfp4", "nvfp4"])
def test_blocks_longer_than_what_is_encoded_at_once(name):
    fmt = dataclasses.replace(golden.block_format(name), name="long", block_size=1 << 18)
    x = np.resize(np.array([6.0, -3.0, 0.5, 1.5]), 1 << 18)
    scales, elements, *tensor = golden.encode_blocks(x, fmt)
    # The tensor's scale, 6 over the largest value, is rounded to fp32.
    np.testing.assert_allclose(golden.decode_blocks((scales, elements, *tensor), fmt), x, rtol=1e-7)


@pytest.mark.parametrize(("name_a", "name_b"), [("fp8_e4m3", "fp16"), ("fp16", "fp8_e4m3"), ("int8", "int12")])
def test_no_table_where_one_of_two_codes_is_longer_than_8_bits(name_a, name_b, rng):
    fa, fb = golden.format(name_a), golden.format(name_b)
    a, b = (rng.integers(0, fmt.code_count, 2 * TABLE_SIZE) for fmt in (fa, fb))
    found = golden.multiply(a, b, fa, fb, out="fp16")
    short = [golden.multiply(a[i : i + 1000], b[i : i + 1000], fa, fb, out="fp16") for i in range(0, len(a), 1000)]
    np.testing.assert_array_equal(found, np.concatenate(short))
