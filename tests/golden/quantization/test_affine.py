"""Quantization and quantized matrix products against their formulas in plain Python."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from polymac import golden
from polymac.golden import ParameterError, Quantization
from polymac.golden.quantization.affine import qgemm
from polymac.golden.quantization.requantize import MODES

PROPERTY = settings(database=None, deadline=None, derandomize=True, max_examples=200)


@pytest.mark.parametrize(("name", "zero_point"), [("int8", -128), ("uint8", 128), ("int4", 3), ("int32", 0)])
def test_quantize_by_fractions(name, zero_point, rng):
    fmt = golden.format(name)
    # A power of two, so that the quotient is exact and ties occur.
    x = np.concatenate([rng.normal(0, 40, 200), rng.integers(-400, 400, 100) / 4, [0.0, 1e300, -1e300]])
    expected = [min(max(round(Fraction(v) * 2) + zero_point, fmt.min_int), fmt.max_int) for v in x]
    codes = golden.quantize(x, 0.5, zero_point, fmt)
    assert codes.dtype == golden.code_dtype(fmt)
    assert golden.to_int(codes, fmt).tolist() == expected
    found = golden.dequantize(codes, 0.5, zero_point, fmt)
    np.testing.assert_array_equal(found, [(q - zero_point) / 2 for q in expected])


def test_rounding_mode_and_wide_formats():
    assert golden.quantize([0.5, -0.5, 1.5], 1.0, 0, "int8", rounding="rna").tolist() == [1, 255, 2]
    assert golden.quantize([1e300, -1e300, 3.0], 1e-300, 5, "int64").tolist() == [
        2**63 - 1,
        2**63,
        golden.from_int(2**63 - 1, "int64"),
    ]
    assert golden.quantize([3.0], 1.0, 2**63 - 4, "int64").tolist() == [2**63 - 1]
    assert golden.quantize([-3.0], 1.0, 2**64 - 1, "uint64").tolist() == [2**64 - 4]
    assert golden.dequantize([2**64 - 4], 2.0, 2**64 - 1, "uint64").tolist() == [-6.0]


def test_per_channel_parameters():
    x = np.array([[1.0, 2.0, 3.0], [-1.0, -2.0, -3.0]])
    codes = golden.quantize(x, [1.0, 0.5, 0.25], [0, 1, 2], "int8")
    assert golden.to_int(codes, "int8").tolist() == [[1, 5, 14], [-1, -3, -10]]
    np.testing.assert_array_equal(golden.dequantize(codes, [1.0, 0.5, 0.25], [0, 1, 2], "int8"), x)


@PROPERTY
@given(
    name=st.sampled_from(["int8", "uint8", "int4", "int16", "uint2"]),
    scale=st.floats(2.0**-40, 2.0**40),
    zero=st.floats(0, 1),
    position=st.floats(0, 1),
)
def test_round_trip_error_is_half_a_step(name, scale, zero, position):
    fmt = golden.format(name)
    steps = fmt.max_int - fmt.min_int
    zero_point = fmt.min_int + round(zero * steps)
    x = scale * (fmt.min_int - zero_point + position * steps)
    back = golden.dequantize(golden.quantize(x, scale, zero_point, fmt), scale, zero_point, fmt)
    # The quotient, the product and x itself are rounded to float64.
    assert abs(Fraction(float(back)) - Fraction(x)) <= Fraction(scale) * (Fraction(1, 2) + Fraction(1, 2**30))


@PROPERTY
@given(x=st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=20), scale=st.floats(1e-3, 1e3))
def test_quantization_is_monotonic_and_keeps_zero(x, scale):
    integers = golden.to_int(golden.quantize(sorted(x), scale, 5, "int8"), "int8")
    assert (np.diff(integers) >= 0).all()
    assert golden.dequantize(golden.quantize(0.0, scale, 5, "int8"), scale, 5, "int8") == 0


def product(a, b, qa, qb, bias, relu):
    """The real matrix product of codes as a list of lists of exact fractions; bias in units of both scales."""

    def real(codes, quantization):
        scales = np.broadcast_to(quantization.scale, codes.shape[1]).tolist()
        zeros = np.broadcast_to(quantization.zero_point, codes.shape[1]).tolist()
        rows = golden.to_int(codes, quantization.fmt).tolist()
        return [[Fraction(s) * (q - z) for q, s, z in zip(row, scales, zeros, strict=True)] for row in rows]

    left, right = real(a, qa), real(b, qb)
    units = [Fraction(float(qa.scale)) * Fraction(s) for s in np.broadcast_to(qb.scale, b.shape[1]).tolist()]
    sums = [
        [
            sum(x * y for x, y in zip(row, column, strict=True)) + offset * unit
            for column, offset, unit in zip(zip(*right, strict=True), bias, units, strict=True)
        ]
        for row in left
    ]
    return [[max(value, Fraction(0)) if relu else value for value in row] for row in sums]


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("relu", [False, True])
@pytest.mark.parametrize("per_channel", [False, True])
@pytest.mark.parametrize(
    ("fa", "fb", "fo"), [("int8", "int8", "int8"), ("uint8", "int4", "uint8"), ("int4", "uint8", "int16")]
)
def test_qgemm_is_within_half_a_step(fa, fb, fo, per_channel, relu, mode, rng):
    fa, fb, fo = map(golden.format, (fa, fb, fo))
    a, b = rng.integers(0, fa.code_count, (6, 17)), rng.integers(0, fb.code_count, (17, 5))

    def zeros(fmt, shape):
        return rng.integers(fmt.min_int, fmt.max_int + 1, shape)

    channels = 5 if per_channel else ()
    qa = Quantization(float(np.float32(rng.uniform(0.01, 0.1))), zeros(fa, ()), fa)
    qb = Quantization(rng.uniform(0.01, 0.1, channels).astype(np.float32), zeros(fb, channels), fb)
    bias = rng.integers(-3000, 3000, 5)
    exact = product(a, b, qa, qb, bias.tolist(), relu)
    # A range that clips a few of the results.
    reach = max(abs(value) for row in product(a, b, qa, qb, bias.tolist(), False) for value in row)
    zero_point = (fo.min_int + fo.max_int) // 2 + rng.integers(-fo.code_count // 16, fo.code_count // 16, channels)
    qo = Quantization(float(np.float32(float(reach) * 1.9 / fo.code_count)), zero_point, fo)
    codes = qgemm(a, b, qa, qb, qo, bias=bias, relu=relu, mode=mode)
    assert codes.dtype == golden.code_dtype(fo)
    found = golden.to_int(codes, fo).tolist()
    step, zero_points = Fraction(float(qo.scale)), np.broadcast_to(qo.zero_point, 5).tolist()
    inside = 0
    for row, expected in zip(found, exact, strict=True):
        for q, value, zero_point in zip(row, expected, zero_points, strict=True):
            position = value / step + zero_point
            # Two roundings in mode gemmlowp; the multiplier's and fp32's errors are below 2^-10 of a step here.
            error = (1 if mode == "gemmlowp" else Fraction(1, 2)) + Fraction(1, 64 if fo.width > 8 else 1024)
            inside += fo.min_int <= position <= fo.max_int
            assert abs(q - min(max(position, fo.min_int), fo.max_int)) <= error
    assert inside > 15


def test_qgemm_of_wide_formats():
    """Sums beyond 63 bits are exact."""
    a, b = [[2**31 - 1, 2**31 - 1]], np.array([[2**31 - 1], [2**31 - 1]])
    qa, qb = Quantization(2.0**-31, -(2**31), "int32"), Quantization(2.0**-31, [-(2**31)], "int32")
    # Twice (2^32 - 1)^2, in steps of 2^60.
    found = qgemm(a, b, qa, qb, Quantization(0.25, 0, "int8"))
    assert found.tolist() == [[round(Fraction(2 * (2**32 - 1) ** 2, 2**60))]]


def test_quantization_takes_plain_values():
    found = Quantization(0.5, 3, "int8")
    assert (float(found.scale), int(found.zero_point), found.fmt) == (0.5, 3, golden.format("int8"))
    assert (found.scale.dtype, found.zero_point.dtype) == (np.float64, np.int64)
    assert Quantization([1, 2], [0, 2**64 - 1], "uint64").zero_point.tolist() == [0, 2**64 - 1]


QUANTIZATION = Quantization(0.1, 0, "int8")
PER_CHANNEL = Quantization([0.1, 0.1, 0.1], 0, "int8")


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: golden.quantize([1.0], 0.0, 0, "int8"), ParameterError, "scale must be finite and above 0, not 0.0"),
        (lambda: golden.quantize([np.inf], 1.0, 0, "int8"), ParameterError, "x must be finite, not inf at index 0"),
        (
            lambda: golden.quantize([1.0], 1.0, 200, "int8"),
            ParameterError,
            "zero_point must be in -128 … 127 of int8, not 200",
        ),
        (
            lambda: golden.quantize([1.0], 1.0, 0.5, "int8"),
            TypeError,
            "zero_point must be an array of integers, not of float64",
        ),
        (
            lambda: golden.quantize([1.0, 2.0], [1.0, 1.0, 1.0], 0, "int8"),
            ParameterError,
            "scale must be of shape () or (2,), one for each channel, not (3,)",
        ),
        (
            lambda: golden.dequantize([256], 1.0, 0, "int8"),
            ParameterError,
            "codes must hold codes of int8, 0 … 0xff, not 256",
        ),
        (lambda: Quantization(0.1, 128, "int8"), ParameterError, "zero_point must be in -128 … 127 of int8, not 128"),
        (lambda: Quantization(np.inf, 0, "int8"), ParameterError, "scale must be finite and above 0, not inf"),
        (lambda: Quantization(0.1, 0, "fp16"), ParameterError, "fmt must be a fixed-point format, not fp16"),
        (lambda: Quantization([[0.1]], 0, "int8"), ParameterError, "scale must be of shape () or (N,), not (1, 1)"),
        (
            lambda: Quantization(0.1, [[0]], "int8"),
            ParameterError,
            "zero_point must be of shape () or (N,), not (1, 1)",
        ),
        (
            lambda: Quantization("a", 0, "int8"),
            TypeError,
            "scale must be a real number or an array of them, not of <U1",
        ),
        (
            lambda: qgemm([[1]], [[1]], PER_CHANNEL, QUANTIZATION, QUANTIZATION),
            ParameterError,
            "qa must be of the whole tensor, scale and zero_point of shape (), not (3,) and ()",
        ),
        (
            lambda: qgemm([[1]], [[1]], QUANTIZATION, PER_CHANNEL, QUANTIZATION),
            ParameterError,
            "qb.scale must be of shape () or (1,), one for each channel, not (3,)",
        ),
        (
            lambda: qgemm([[1]], [[1]], QUANTIZATION, Quantization(0.1, [0, 0], "int8"), QUANTIZATION),
            ParameterError,
            "qb.zero_point must be of shape () or (1,), one for each channel, not (2,)",
        ),
        (
            lambda: qgemm([[1]], [[1]], QUANTIZATION, QUANTIZATION, PER_CHANNEL),
            ParameterError,
            "qo.scale must be of shape () or (1,), one for each channel, not (3,)",
        ),
        (
            lambda: qgemm([[1]], [[1]], QUANTIZATION, QUANTIZATION, Quantization(0.1, [0, 0], "int8")),
            ParameterError,
            "qo.zero_point must be of shape () or (1,), one for each channel, not (2,)",
        ),
        (
            lambda: qgemm([[1]], [[1]], QUANTIZATION, QUANTIZATION, QUANTIZATION, bias=[1, 2]),
            ParameterError,
            "bias must be of shape (1,), one for each column, not (2,)",
        ),
        (
            lambda: qgemm([[1]], [[1]], QUANTIZATION, QUANTIZATION, QUANTIZATION, bias=[0.5]),
            TypeError,
            "bias must be an array of integers, not of float64",
        ),
        (
            lambda: qgemm([[1]], [[1]], QUANTIZATION, QUANTIZATION, QUANTIZATION, mode="double"),
            ParameterError,
            "mode must be one of single, gemmlowp, float, not 'double'",
        ),
    ],
)
def test_errors(call, error, message):
    with pytest.raises(error) as caught:
        call()
    assert str(caught.value) == message


@pytest.mark.parametrize("wrong", [-129, 128])
def test_one_zero_point_out_of_range_among_others_is_found_at_either_end(wrong):
    with pytest.raises(ParameterError) as caught:
        golden.Quantization([1.0, 1.0, 1.0], [0, wrong, 1], "int8")
    assert str(caught.value) == f"zero_point must be in -128 … 127 of int8, not [0, {wrong}, 1]"
