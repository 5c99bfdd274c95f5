"""What seeded faults in golden's source (`make faults`) got past the other tests."""

from __future__ import annotations

import dataclasses
import importlib
from fractions import Fraction

import numpy as np
import pytest

from polymac import golden
from polymac.golden import FORMATS, Aligned, BlockFormat, Exact, Format, ParameterError, Rounded
from polymac.golden.codec import codes, kinds
from polymac.golden.codec.fast import jit_loops as loops
from polymac.golden.codec.fast import rounding_table as tables
from polymac.golden.codec.kinds import pack
from polymac.golden.codec.rounding import Target
from polymac.golden.formats.families import sign_magnitude, sum_format
from polymac.golden.quantization.requantize import rounding_shift
from polymac.golden.sums import float64_chain as rounded


@pytest.mark.parametrize("wrong", [-(2**31) - 1, 2**31])
def test_one_value_beyond_32_bits_among_others_is_found_at_either_end(wrong):
    with pytest.raises(ParameterError, match=rf"^x must fit 32 bits, not {wrong}$"):
        rounding_shift([0, wrong, 1], 1)


@pytest.mark.parametrize("wrong", [-1, 33])
def test_one_place_out_of_range_among_others_is_found_at_either_end(wrong):
    with pytest.raises(ParameterError, match=rf"^places must be in 0 … 32, not {wrong}$"):
        rounding_shift([4, 4, 4], [0, wrong, 1])


def test_a_product_rounded_to_its_sign_is_inexact_unless_its_magnitude_is_one():
    values = np.array([0.0, 0.5, 1.0, 1.5, 2.0, 4.0, -1.0, -2.0, np.inf])
    a, one = golden.encode(values, "fp16"), golden.encode(np.ones(len(values)), "fp16")
    y, flags = golden.multiply(a, one, "fp16", "fp16", out="bin1", flags=True)
    assert y.tolist() == [1, 1, 1, 1, 1, 1, 0, 0, 1]
    assert flags.tolist() == np.where(np.abs(values) == 1, 0, golden.Flag.INEXACT).tolist()


@pytest.mark.parametrize(
    ("fmt", "missing"),
    [
        (Format("no_sign", "float", 4, 1, signed=False, bias=3), "sign"),
        (Format("no_zero", "float", 4, 1, bias=1, subnormals=False), "zero"),
        (FORMATS["e8m0"], "both"),
    ],
    ids=str,
)
def test_results_need_a_sign_and_a_zero(fmt, missing):
    assert (fmt.signed, fmt.has_zero) == (missing == "zero", missing == "sign")
    with pytest.raises(ParameterError) as caught:
        golden.multiply([0], [0], "int4", "int4", out=fmt)
    assert str(caught.value) == f"out must be a format with a sign and a zero, not {fmt}"


def wide(last_place: int | None, end: int | None) -> Format:
    """A float of 8 bits whose least number, or whose largest one's power of two, is that power of two."""
    return Format("wide", "float", 8, 2, bias=31 - end if end is not None else -1 - (last_place or 0))


@pytest.mark.parametrize(("argument", "limit"), [("fa", 450), ("fb", 450), ("out", 900)])
def test_aligned_exponents_at_the_bound(argument, limit):
    def call(fmt):
        formats = {"fa": "fp16", "fb": "fp16", "out": "fp32"} | {argument: fmt}
        golden.dot([0], [0], formats["fa"], formats["fb"], accumulate=Aligned(4, 20, 2), out=formats["out"])

    for fmt in (wide(-limit, None), wide(None, limit - 1)):
        call(fmt)
    for fmt in (wide(-limit - 1, None), wide(None, limit)):
        with pytest.raises(ParameterError) as caught:
            call(fmt)
        assert str(caught.value) == f"{argument} must have values in 2^-{limit} … 2^{limit} to be aligned, not wide"


def test_aligned_products_below_all_units_of_a_large_addend():
    # 2^-200 units: float32, in which these products are multiplied, has no such scale.
    a = golden.encode([1.0, -2.0, 0.0], "fp16")
    c = golden.encode([2.0**200, -(2.0**300)], "e10m23")
    for addend in c:
        found = golden.dot(a, a, "fp16", "fp16", addend, accumulate=Aligned(4, 23), out="e10m23")
        assert found == addend


def test_rows_of_words_wider_than_a_tile():
    a, b = np.arange(3, dtype=np.uint64)[:, None], np.arange(1 << 15, dtype=np.uint64)[:, None]
    expected = 16 - 2 * np.bitwise_count(a ^ b.T).astype(np.int64)
    np.testing.assert_array_equal(golden.xnor_gemm(a, b, 16), expected)
    assert golden.xnor_gemm(a, b[:0], 16).shape == (3, 0)


def power(exponent: int) -> Format:
    """A scale whose only values are 2^exponent and the next power."""
    return Format("power", "float", 1, 0, signed=False, bias=-exponent, subnormals=False)


@pytest.mark.parametrize(
    ("element", "scale", "allowed"),
    [
        ("fp4_e2m1", power(1020), True),
        ("fp4_e2m1", power(1021), False),
        (Format("to_4", "float", 3, 0, bias=1), power(1021), False),
        (Format("to_4", "float", 3, 0, bias=1), power(1020), True),
        ("fp4_e2m1", power(-1073), True),
        ("fp4_e2m1", power(-1074), False),
        ("int52", power(0), True),
        ("int53", power(0), False),
    ],
)
def test_block_formats_at_the_bounds_of_float64(element, scale, allowed):
    element = golden.format(element)
    if allowed:
        fmt = BlockFormat("x", element, scale, 1)
        for code in (1, element.max_code):
            assert golden.decode_blocks(([1], [code]), fmt) == [float(2 * scale.fraction(0) * element.fraction(code))]
        return
    with pytest.raises(ParameterError) as caught:
        BlockFormat("x", element, scale, 1)
    message = f"element and scales must have products that are float64 numbers, not {element} · {scale}"
    assert str(caught.value) == message


def test_numbers_just_beyond_float64_are_infinite_without_a_warning():
    fmt = wide(None, 1024)
    assert golden.decode([0x7B, 0x7C, 0xFF], fmt).tolist() == [1.75 * 2.0**1023, np.inf, -np.inf]


@pytest.mark.parametrize("bits", [0, 52])
def test_random_bits_of_quotients(bits):
    with pytest.raises(ParameterError, match=rf"^random_bits must be in 1 … 51, not {bits}$"):
        golden.encode_blocks(np.ones(16), "nvfp4", rounding="stochastic", random=1, random_bits=bits)


@pytest.mark.parametrize(
    "value",
    [Exact(), Rounded(), Aligned(4, 24), FORMATS["fp16"], golden.block_format("mxfp4"), golden.PRESETS["v100_fp16"]],
    ids=lambda value: type(value).__name__,
)
def test_formats_and_styles_are_values(value):
    assert hash(value) == hash(dataclasses.replace(value))
    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(value, dataclasses.fields(value)[0].name, None)


def test_inner_products_of_blocks_along_the_last_of_any_number_of_axes():
    fmt = golden.block_format("mxfp4")
    x = np.arange(64.0) % 7 - 3
    expected = golden.encode(float(x @ x), "fp32")
    for shape in ((64,), (1, 64), (1, 1, 64)):
        parts = golden.encode_blocks(x.reshape(shape), fmt)
        found = golden.block_dot(parts, parts, fmt, fmt)
        assert found.shape == shape[:-1] and (found == expected).all()


@pytest.mark.parametrize("exponent", [-1000, -600, 600, 1000])
@pytest.mark.parametrize("fmt", ["int4", "fp4_e2m1"])
def test_mean_square_errors_whose_squares_float64_cannot_hold(exponent, fmt):
    x = np.random.default_rng(1).standard_normal(200)
    found = [golden.MeanSquareError(candidates=64).update(np.ldexp(x, power)).scale(fmt) for power in (0, exponent)]
    assert found[1] == np.ldexp(found[0], exponent)
    assert found[0] < 0.9 * golden.MinMax().update(x).scale(fmt)


def test_exact_sums_down_to_minus_one():
    fmt = golden.exact_sum(Format("sign", "fixed", 1), "uint2")
    assert (fmt.signed, fmt.width, fmt.min_int, fmt.max_int) == (True, 3, -4, 3)


@pytest.mark.parametrize("name", ["bin1", "int5", "uint8", "uq2.3", "fp4_e2m1", "fp8_e4m3", "fp8_e5m2", "e8m0", "bf16"])
def test_the_bound_of_magnitudes_is_the_largest(name):
    fmt = golden.format(name)
    every = np.arange(fmt.code_count).astype(codes.code_dtype(fmt))
    assert fmt.max_significand == kinds.unpack(every, fmt).magnitude.max()


def test_least_exponent_bits_of_unpacked_products():
    one = Format("one", "float", 1, 0, signed=False, subnormals=False, nan_codes=range(1, 2))
    assert [golden.unpacked_product(fmt, "int8").exp_bits for fmt in (one, "e0m4", "fp4_e2m1")] == [1, 1, 2]


@pytest.mark.parametrize("name", ["uint24", "int25", "uint25", "uint32", "int33", "uint33"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_fixed_point_around_the_widths_that_floats_hold(name, dtype):
    fmt = golden.format(name)
    x = np.ldexp(dtype(1), np.arange(20, 36))
    x = np.concatenate([np.nextafter(x, dtype(0)), x, np.nextafter(x, dtype(np.inf))])
    x = np.concatenate([x, -x])
    expected = [min(max(round(float(value)), fmt.min_int), fmt.max_int) & fmt.code_mask for value in x]
    assert golden.encode(x, fmt).tolist() == expected


def test_one_row_whose_sum_takes_64_bits():
    least = 1 << 31
    found = golden.gemm([[least, least]], [[least], [least]], "int32", "int32")
    assert found.dtype == object and found.tolist() == [[1 << 63]]


@pytest.mark.parametrize("bias", [-100, 0, 130])
def test_products_and_sums_of_formats_far_from_one(bias, rng):
    fmt = Format("far", "float", 9, 3, bias=bias)
    a, b, c = rng.integers(0, fmt.code_count, (3, 2000))
    x, y, z = (golden.decode(part, fmt) for part in (a, b, c))
    # A float64 holds the products, and the sums but for those of very different numbers, which round alike.
    for found, exact in (
        (golden.multiply(a, b, fmt, fmt, out="e10m20"), x * y),
        (golden.add(a, b, fmt, fmt, out="e10m20"), x + y),
        (golden.fma(a, b, c, fmt, fmt, fmt, out="e10m20"), x * y + z),
    ):
        np.testing.assert_array_equal(found, golden.encode(exact, "e10m20"))


@pytest.mark.parametrize("frac_bits", [63, 64, 65])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_fixed_point_at_the_bound_of_the_scale(frac_bits, dtype, rng):
    fmt = Format("small", "fixed", 16, frac_bits)
    x = np.concatenate(
        [np.ldexp(rng.standard_normal(500), 14 - frac_bits), np.ldexp(rng.standard_normal(200), -frac_bits)]
    )
    x = np.concatenate([x, np.ldexp(np.arange(-9, 10) / 2, -frac_bits)]).astype(dtype)
    expected = [min(max(round(Fraction(float(value)) * 2**frac_bits), fmt.min_int), fmt.max_int) for value in x]
    assert golden.to_int(golden.encode(x, fmt), fmt).tolist() == expected


def far_float(least: int, span: int = 4) -> Format:
    """A float of 12 significant bits whose least number is 2^least; ``span`` exponent bits."""
    return Format("far", "float", 12 + span, 11, bias=1 - (least + 11))


@pytest.mark.parametrize(
    ("exponent", "room"), [(1023, 1), (1022, 1), (1021, 1), (-1021, 0), (-1022, 0), (-1023, 0), (-1066, 0)]
)
def test_rounded_sums_by_float64_at_the_bounds_of_its_range(exponent, room, rng, monkeypatch):
    # Products of at most 2^(exponent + 1), or of at least 2^exponent; the processor has no other range.
    near, far = far_float(-20), far_float(0)
    if room:
        far = dataclasses.replace(far, bias=far.bias - (exponent - 2 - far.max_exponent - near.max_exponent))
        assert near.max_exponent + far.max_exponent + 2 == exponent
    else:
        far = far_float(exponent + 20)
        assert near.min_exponent + far.min_exponent - 22 == exponent
    a, b = (rng.integers(0, fmt.code_count, (40, 5)) for fmt in (near, far))
    c = rng.integers(0, 1 << 32, 40)
    found = rounded.float64_sum(a.T[:, :, None], b.T[:, :, None], c[:, None], near, far)[:, 0]
    monkeypatch.setattr(importlib.import_module("polymac.golden.sums.dot"), "rounds_as_float64", lambda *_: False)
    np.testing.assert_array_equal(found, golden.dot(a, b, near, far, c, accumulate=Rounded("fp32")))


@pytest.mark.parametrize(
    "fmt",
    [
        Format("last", "float", 10, 5, bias=126),
        Format("last", "float", 9, 4, bias=127),
        Format("last", "fixed", 6, 130),
        Format("last", "fixed", 5, 131),
    ],
    ids=lambda fmt: f"{fmt.kind}{fmt.width}",
)
def test_rounding_tables_at_the_bounds_of_what_they_see(fmt):
    last_place = fmt.min_exponent - fmt.frac_bits if fmt.kind == "float" else -fmt.frac_bits
    assert (fmt.significand_bits, last_place) in ((6, -130), (5, -130), (5, -131))
    bits = np.arange(1 << 16, dtype=np.uint32)[:, None] << np.uint32(16) | np.array([0, 1, 0x8000, 0xFFFF], np.uint32)
    x = bits.reshape(-1).view(np.float32)
    x = x[np.isfinite(x)]
    exact = kinds.unpack(x.view(np.uint32), FORMATS["fp32"])
    for rounding in ("rne", "rna", "rup"):
        target = Target.of(fmt, rounding, "saturate", "full")
        found = tables.rounded_by_table(x, target, flags=True)
        expected = pack("x", exact, Target.of(fmt, rounding, "saturate", "full"))
        for part, other in zip(found, expected, strict=True):
            np.testing.assert_array_equal(part, other)


@pytest.mark.parametrize("wrong", [np.inf, -np.inf, np.nan])
def test_the_loop_of_block_scales_says_whether_all_is_finite(wrong):
    finite = np.ones((3, 4), np.float32)
    reciprocals = np.ldexp(np.float32(1), 127 - np.arange(255))

    def found(x):
        return loops.scale_blocks(x, np.empty_like(x), np.empty(len(x), np.uint8), reciprocals, 0, 1 << 24, 0)

    assert found(finite) is True
    for index in ((0, 0), (1, 2), (2, 3)):
        x = finite.copy()
        x[index] = wrong
        assert found(x) is False
    assert found(np.full((3, 4), wrong, np.float32)) is False


def test_a_large_bias_makes_the_weights_scale_coarser():
    # One input, 0 … 255: scale 1, zero point -128. Weights of ±1; biases of 2^40, which fit no 32 bits with scale 1/127.
    layer = golden.FloatLayer(np.array([[1.0, -1.0, 1.0]]), np.array([2.0**40, -(2.0**40), 0.5]))
    (found,) = golden.quantize_mlp(golden.FloatMlp((layer,)), [[0.0], [255.0]]).layers
    assert found.weight_scale.tolist() == [2.0**40 / (2**30 - 1)] * 2 + [1 / 127]
    assert golden.to_int(found.weight, "int8").tolist() == [[0, 0, 127]]
    assert found.bias.tolist() == [2**30 - 1, 1 - 2**30, round(63.5) + 128 * 127]


def test_lanes_of_integer_presets_are_k_of_the_least_mma_shape():
    assert {name: unit.lanes for name, unit in golden.PRESETS.items() if unit.out == "int32"} == {
        "a100_int8": 16,
        "a100_int4": 32,
        "a100_bin1": 128,
    }
    assert {name: golden.preset(name).lanes for name in ("a100_fp64", "tpu_bf16")} == {"a100_fp64": 1, "tpu_bf16": 1}


def test_products_too_small_for_float64_leave_their_sign():
    # -2^-1200 in fp32 is -0; +0 plus a float64 that has become -0 would be +0.
    fmt = far_float(-600)
    found = golden.dot([fmt.sign_mask | 1], [1], fmt, fmt, accumulate=Rounded("fp32"))
    assert found == FORMATS["fp32"].sign_mask


@pytest.mark.parametrize("wrong", [-1, 16])
def test_one_random_word_out_of_range_among_others_is_found_at_either_end(wrong):
    with pytest.raises(ParameterError, match=rf"^random must hold words of 4 bits, 0 … 0xf, not {wrong}$"):
        golden.encode(np.ones(3), "fp16", rounding="stochastic", random=[3, wrong, 5], random_bits=4)


@pytest.mark.parametrize("wrong", [-129, 128])
def test_one_zero_point_out_of_range_among_others_is_found_at_either_end(wrong):
    with pytest.raises(ParameterError) as caught:
        golden.Quantization([1.0, 1.0, 1.0], [0, wrong, 1], "int8")
    assert str(caught.value) == f"zero_point must be in -128 … 127 of int8, not [0, {wrong}, 1]"


def test_families_without_numbers_or_terms():
    with pytest.raises(ParameterError, match=r"^magnitude_bits must be at least 1, not 0$"):
        sign_magnitude(0)
    with pytest.raises(ParameterError, match=r"^count must be at least 1, not 0$"):
        sum_format(golden.format("int8"), 0)


@pytest.mark.parametrize(
    ("a", "b", "product"),
    [
        ("fp16", "bin1", "e5m11"),
        ("bin1", "fp8_e4m3", "e5m4"),
        ("fp16", "int8", "e6m17"),
        ("fp16", "uint8", "e6m18"),
        ("q1.3", "bf16", "e8m10"),
    ],
)
def test_significant_bits_of_products_with_fixed_point(a, b, product):
    # A sign is one bit, an intN N - 1: -2^(N-1) is a power of two.
    assert golden.exact_product(a, b) == golden.format(product)
