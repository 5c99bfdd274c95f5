"""Requantization against Python's integers and fractions."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from polymac import golden
from polymac.golden import ParameterError
from polymac.golden.quantization.requantize import MODES, float_scale, high_multiply, rescale_float, rounding_shift

PROPERTY = settings(database=None, deadline=None, derandomize=True, max_examples=200)
INT32 = st.integers(-(2**31), 2**31 - 1)


def reference(acc: int, scale: float, zero_point: int, out: golden.Format, relu: bool) -> int:
    """Mode "single" from its definition, with Python's integers and an exact scale; the code."""
    exact, exponent = Fraction(scale), 0
    while exact >= 1:
        exact, exponent = exact / 2, exponent + 1
    while exact < Fraction(1, 2):
        exact, exponent = exact * 2, exponent - 1
    multiplier, shift = round(exact * 2**31), 31 - exponent
    if multiplier == 2**31:
        multiplier, shift = 2**30, shift - 1
    result = zero_point + ((acc * multiplier + 2 ** (shift - 1)) >> shift)
    return min(max(result, zero_point if relu else out.min_int), out.max_int) % out.code_count


def truncated(dividend: int, divisor: int) -> int:
    """C++'s division."""
    return abs(dividend) // divisor * (1 if dividend >= 0 else -1)


def cpp_high_multiply(a: int, b: int) -> int:
    """SaturatingRoundingDoublingHighMul as gemmlowp's fixedpoint.h has it."""
    if a == b == -(2**31):
        return 2**31 - 1
    return truncated(a * b + (2**30 if a * b >= 0 else 1 - 2**30), 2**31)


def cpp_rounding_shift(x: int, exponent: int) -> int:
    """RoundingDivideByPOT as gemmlowp's fixedpoint.h has it."""
    mask = (1 << exponent) - 1
    return (x >> exponent) + ((x & mask) > (mask >> 1) + (x < 0))


def gemmlowp(acc: int, scale: float, zero_point: int, out: golden.Format, relu: bool) -> int:
    """Mode "gemmlowp" as TFLite composes it from the two; the code. Left shifts saturate."""
    multiplier, shift = (int(part) for part in golden.quantize_multiplier(scale))
    shifted = min(max(acc << max(31 - shift, 0), -(2**31)), 2**31 - 1)
    scaled = 0 if shift > 62 else cpp_rounding_shift(cpp_high_multiply(shifted, multiplier), max(shift - 31, 0))
    return min(max(scaled + zero_point, zero_point if relu else out.min_int), out.max_int) % out.code_count


def fp32(x: Fraction) -> Fraction:
    """Rounded to a normal binary32, ties to even."""
    exponent = abs(x.numerator).bit_length() - x.denominator.bit_length() - 24
    exponent += abs(x) >= Fraction(2) ** (exponent + 24)
    return Fraction(round(x / Fraction(2) ** exponent)) * Fraction(2) ** exponent


def in_fp32(acc: int, scale: Fraction, zero_point: int, out: golden.Format, relu: bool) -> int:
    """Mode "float" of exact fractions; the code."""
    rounded = round(fp32(fp32(Fraction(acc)) * scale))
    return min(max(rounded + zero_point, zero_point if relu else out.min_int), out.max_int) % out.code_count


@pytest.mark.parametrize("relu", [False, True])
@pytest.mark.parametrize(
    ("name", "zero_point"),
    [("int8", -128), ("int8", 3), ("uint8", 7), ("int4", 0), ("int16", -5), ("int64", 2**63 - 1)],
)
def test_like_python_integers(name, zero_point, relu, rng):
    out = golden.format(name)
    acc = np.concatenate(
        [rng.integers(-(2**31), 2**31, 150), [0, 1, -1, 2**31 - 1, -(2**31)], rng.integers(-300, 300, 45)]
    )
    for scale in (
        *(2.0 ** rng.uniform(-40, 29.9, 12)),
        0.5,
        1.0,
        2.0**29,
        2.0**-31,
        2.0**-32,
        2.0**-33,
        1e-300,
        1 - 2.0**-40,
    ):
        found = golden.requantize(acc, scale, zero_point, out, relu=relu)
        assert found.dtype == golden.code_dtype(out)
        assert found.tolist() == [reference(value, float(scale), zero_point, out, relu) for value in acc.tolist()]


def test_wide_accumulators(rng):
    out = golden.format("int32")
    acc = [int.from_bytes(rng.bytes(9), "little", signed=True) for _ in range(50)] + [2**31, -(2**31) - 1]
    for scale in (2.0**-40, 1.7e-13, 3e-9):
        assert golden.requantize(acc, scale, 5, out).tolist() == [reference(x, scale, 5, out, False) for x in acc]


def test_per_channel(rng):
    out = golden.format("int8")
    acc, scale = rng.integers(-100000, 100000, (7, 4, 5)), 2.0 ** rng.uniform(-14, -6, 5)
    found = golden.requantize(acc, scale, -10, out)
    for channel in range(5):
        expected = [
            reference(value, float(scale[channel]), -10, out, False) for value in acc[..., channel].ravel().tolist()
        ]
        assert found[..., channel].ravel().tolist() == expected


@pytest.mark.parametrize("mode", MODES)
def test_zero_point_of_each_channel(mode, rng):
    acc, scale = rng.integers(-3000, 3000, (40, 5)), 2.0 ** rng.uniform(-6, -3, 5)
    zero_points = np.array([-128, 127, 0, 5, -9])
    found = golden.requantize(acc, scale, zero_points, "int8", mode=mode, relu=True)
    for channel, zero_point in enumerate(zero_points):
        expected = golden.requantize(acc[:, channel], scale[channel], zero_point, "int8", mode=mode, relu=True)
        np.testing.assert_array_equal(found[:, channel], expected)


def test_modes_differ_where_they_should():
    """Halves: up; away from zero; to even. And a number that one of them rounds twice."""
    acc = [2, -2, 6, -6, 10, -10]
    expected = {"single": [1, 0, 2, -1, 3, -2], "gemmlowp": [1, -1, 2, -2, 3, -3], "float": [0, 0, 2, -2, 2, -2]}
    for mode, integers in expected.items():
        assert golden.to_int(golden.requantize(acc, 0.25, 0, "int8", mode=mode), "int8").tolist() == integers
    # Without a right shift it is gemmlowp's high product that rounds, and its ties go up.
    found = golden.requantize([1, -1, 3, -3], 0.5, 0, "int8", mode="gemmlowp")
    assert golden.to_int(found, "int8").tolist() == [1, 0, 2, -1]
    # 5 / 4: its high product is 2.5, which becomes 3, and 3 / 2 becomes 2.
    assert [int(golden.requantize([5], 0.25, 0, "int8", mode=mode)[0]) for mode in MODES] == [1, 2, 1]


@pytest.mark.parametrize("relu", [False, True])
@pytest.mark.parametrize(("name", "zero_point"), [("int8", -128), ("uint8", 7), ("int16", -5), ("int64", 2**63 - 1)])
def test_gemmlowp_like_its_text(name, zero_point, relu, rng):
    out = golden.format(name)
    extremes = [0, 1, -1, 2**31 - 1, -(2**31), 2**30, -(2**30)]
    acc = np.concatenate([rng.integers(-(2**31), 2**31, 100), extremes, rng.integers(-300, 300, 100)])
    for scale in (*(2.0 ** rng.uniform(-33, 29.9, 20)), *2.0 ** np.arange(-34, 29, 3), 0.5, 1.0, 1e-300):
        found = golden.requantize(acc, scale, zero_point, out, mode="gemmlowp", relu=relu)
        assert found.dtype == golden.code_dtype(out)
        assert found.tolist() == [gemmlowp(value, float(scale), zero_point, out, relu) for value in acc.tolist()]


def test_gemmlowp_primitives(rng):
    extremes = [0, 1, -1, 2, -2, 3, -3, 2**30, -(2**30), 2**31 - 1, -(2**31), -(2**31) + 1]
    values = extremes + rng.integers(-(2**31), 2**31, 60).tolist() + (rng.integers(-9, 9, 9) << 28).tolist()
    a, b = np.meshgrid(values, values)
    expected = [cpp_high_multiply(*pair) for pair in zip(a.ravel().tolist(), b.ravel().tolist(), strict=True)]
    assert high_multiply(a.ravel(), b.ravel()).tolist() == expected
    values += [sign * (odd << place) for place in range(27) for odd in (1, 3, 5) for sign in (1, -1)]
    for places in range(32):
        assert rounding_shift(values, places).tolist() == [cpp_rounding_shift(x, places) for x in values]
    # Beyond what gemmlowp defines: half of the greatest magnitude is 0.5 away from zero, all else 0.
    assert rounding_shift([2**31 - 1, -(2**31)], 32).tolist() == [0, -1]


@pytest.mark.parametrize("relu", [False, True])
@pytest.mark.parametrize(("name", "zero_point"), [("int8", -128), ("uint8", 7), ("int16", -5), ("int64", 2**63 - 1)])
def test_float_like_fractions(name, zero_point, relu, rng):
    out = golden.format(name)
    acc = np.concatenate([rng.integers(-(2**31), 2**31, 100), [0, 1, -1, 2**31 - 1], rng.integers(-300, 300, 100)])
    for scale in (*(2.0 ** rng.uniform(-33, 20, 20)).astype(np.float32), *2.0 ** np.arange(-34.0, 29, 3)):
        found = golden.requantize(acc, scale, zero_point, out, mode="float", relu=relu)
        exact = Fraction(float(scale))
        assert found.tolist() == [in_fp32(value, exact, zero_point, out, relu) for value in acc.tolist()]


def test_float_of_wide_accumulators(rng):
    """An accumulator is rounded to fp32 once, not by way of a float64."""
    out = golden.format("int64")
    # Just above the middle of two neighbouring fp32 numbers, by less than a float64 can say.
    acc = [2**60 + 2**36 + 1, -(2**60) - 2**36 - 1, 2**80 + 2**56 + 1, 2**70 + 2**46 + 1]
    for values in (acc[:2], acc):
        found = rescale_float(values, 2.0**-24, 0, out)
        assert found.tolist() == [in_fp32(value, Fraction(1, 2**24), 0, out, False) for value in values]
    assert rescale_float([2**31 - 1, -(2**31)], 3e38, 0, "int8").tolist() == [127, 128]


def test_float_scale(rng):
    a, w, out = ((2.0 ** rng.uniform(-12, 2, 200)).astype(np.float32) for _ in range(3))
    expected = []
    for parts in zip(a, w, out, strict=True):
        x, y, z = (Fraction(float(part)) for part in parts)
        expected.append(float(fp32(fp32(x * y) / z)))
    found = float_scale(a, w, out)
    assert found.dtype == np.float32
    assert found.tolist() == expected
    # Scales that are no fp32 numbers are rounded first.
    assert float_scale(0.1, [1.0, 3.0], 1.0).tolist() == [
        float(np.float32(0.1)),
        float(np.float32(0.1) * np.float32(3)),
    ]


@PROPERTY
@given(acc=INT32, scale=st.floats(2.0**-40, 2.0**20))
def test_single_is_the_nearest_with_ties_up(acc, scale):
    multiplier, shift = (int(part) for part in golden.quantize_multiplier(scale))
    exact = Fraction(acc * multiplier, 2**shift)
    found = int(golden.to_int(golden.requantize(acc, scale, 0, "int60"), "int60"))
    assert -Fraction(1, 2) <= exact - found < Fraction(1, 2)
    assert abs(found - acc * Fraction(scale)) <= Fraction(1, 2) + abs(acc * Fraction(scale)) / 2**31


@PROPERTY
@given(
    acc=st.lists(INT32, min_size=2, max_size=20),
    scale=st.floats(2.0**-40, 2.0**20),
    zero_point=st.integers(-(2**15), 2**15 - 1),
    mode=st.sampled_from(MODES),
    relu=st.booleans(),
)
def test_monotonic(acc, scale, zero_point, mode, relu):
    found = golden.requantize(sorted(acc), scale, zero_point, "int16", mode=mode, relu=relu)
    integers = golden.to_int(found, "int16")
    assert (np.diff(integers) >= 0).all()
    if relu:
        assert integers.min() >= zero_point


def test_ties_go_up():
    # TFLite's single rounding: 0.5 -> 1, -0.5 -> 0, -1.5 -> -1.
    found = golden.requantize([1, -1, 3, -3], 0.5, 0, "int8")
    assert golden.to_int(found, "int8").tolist() == [1, 0, 2, -1]


def test_relu_clamps_at_the_zero_point():
    found = golden.requantize([-1000, -1, 0, 1, 1000], 1.0, -100, "int8", relu=True)
    assert golden.to_int(found, "int8").tolist() == [-100, -100, -100, -99, 127]


@pytest.mark.parametrize(
    ("scale", "multiplier", "shift"),
    [
        (0.5, 1 << 30, 31),
        (1.0, 1 << 30, 30),
        (0.75, 3 << 29, 31),
        (1 - 2.0**-40, 1 << 30, 30),
        (2.0**29, 1 << 30, 1),
        (2.0**-1074, 1 << 30, 1104),
        # 0.0003 = 0.6144 * 2^-11.
        (0.0003, round(0.6144 * 2**31), 42),
    ],
)
def test_quantize_multiplier(scale, multiplier, shift):
    assert [int(part) for part in golden.quantize_multiplier(scale)] == [multiplier, shift]


def test_multiplier_is_within_half_a_unit(rng):
    scale = 2.0 ** rng.uniform(-60, 29.9, 1000)
    multiplier, shift = golden.quantize_multiplier(scale)
    assert multiplier.min() >= 1 << 30
    assert multiplier.max() < 1 << 31
    np.testing.assert_array_less(np.abs(np.ldexp(multiplier.astype(float), -shift) / scale - 1), 2.0**-31 + 2.0**-52)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: golden.requantize([1], 0.0, 0, "int8"), ParameterError, "scale must be finite and above 0, not 0.0"),
        (
            lambda: golden.requantize([1, 1], [1.0, np.nan], 0, "int8"),
            ParameterError,
            "scale must be finite and above 0, not nan",
        ),
        (lambda: golden.requantize([1], -1, 0, "int8"), ParameterError, "scale must be finite and above 0, not -1.0"),
        (
            lambda: golden.requantize([1], 2.0**30, 0, "int8"),
            ParameterError,
            "scale must be below 2^30, not 1073741824.0",
        ),
        (
            lambda: golden.requantize([1], "1", 0, "int8"),
            TypeError,
            "scale must be a real number or an array of them, not of <U1",
        ),
        (lambda: golden.requantize([1], 1.0, 128, "int8"), ParameterError, "zero_point must be in -128 … 127, not 128"),
        (
            lambda: golden.requantize([1], 1.0, 0, "fp16"),
            ParameterError,
            "out must be a fixed-point format, not fp16",
        ),
        (
            lambda: golden.requantize([1], 1.0, 0, "int8", mode="double"),
            ParameterError,
            "mode must be one of single, gemmlowp, float, not 'double'",
        ),
        (
            lambda: golden.requantize([[1, 2, 3]], [1.0, 2.0], 0, "int8"),
            ParameterError,
            "scale must be of shape () or (3,), one for each channel, not (2,)",
        ),
        (
            lambda: golden.requantize([1.5], 1.0, 0, "int8"),
            TypeError,
            "acc must be an array of integers, not of float64",
        ),
        (
            lambda: golden.rescale([1], 1 << 31, 1, 0, "int8"),
            ParameterError,
            "multiplier must be in 0 … 2147483647, not 2147483648",
        ),
        (lambda: golden.rescale([1], 1, 0, 0, "int8"), ParameterError, "shift must be at least 1, not 0"),
        (
            lambda: golden.rescale([1], 1, 1, 0, "int8", mode="float"),
            ParameterError,
            "mode must be one of single, gemmlowp, not 'float'",
        ),
        (
            lambda: golden.rescale([1, 2], [1, 1, 1], 1, 0, "int8"),
            ParameterError,
            "multiplier must be of shape () or (2,), one for each channel, not (3,)",
        ),
        (
            lambda: golden.rescale([1, 2], 1, [1, 1, 1], 0, "int8"),
            ParameterError,
            "shift must be of shape () or (2,), one for each channel, not (3,)",
        ),
        (
            lambda: golden.rescale([1, 2], 1, 1, [0, 0, 0], "int8"),
            ParameterError,
            "zero_point must be of shape () or (2,), one for each channel, not (3,)",
        ),
        (
            lambda: golden.rescale([1, 2], 1, 1, [0, -129], "int8"),
            ParameterError,
            "zero_point must be in -128 … 127, not -129",
        ),
        (
            lambda: golden.rescale([1], 1, 1, 0.5, "int8"),
            TypeError,
            "zero_point must be an array of integers, not of float64",
        ),
        (
            lambda: golden.requantize([2**31], 1.0, 0, "int8", mode="gemmlowp"),
            ParameterError,
            "acc in mode gemmlowp must fit 32 bits, not 2147483648",
        ),
        (lambda: high_multiply([1], [-(2**31) - 1]), ParameterError, "b must fit 32 bits, not -2147483649"),
        (lambda: high_multiply([0.5], [1]), TypeError, "a must be an array of integers, not of float64"),
        (lambda: rounding_shift([1], 33), ParameterError, "places must be in 0 … 32, not 33"),
        (lambda: rounding_shift([2**31], 0), ParameterError, "x must fit 32 bits, not 2147483648"),
        (
            lambda: golden.requantize([1], 1e-300, 0, "int8", mode="float"),
            ParameterError,
            "scale must be finite and above 0 in fp32, not 1e-300",
        ),
        (
            lambda: golden.requantize([1], 1e39, 0, "int8", mode="float"),
            ParameterError,
            "scale must be finite and above 0 in fp32, not 1e+39",
        ),
        (
            lambda: rescale_float([1, 2], [1.0, 1.0, 1.0], 0, "int8"),
            ParameterError,
            "scale must be of shape () or (2,), one for each channel, not (3,)",
        ),
        (
            lambda: rescale_float([1], 1.0, 0, "fp16"),
            ParameterError,
            "out must be a fixed-point format, not fp16",
        ),
        (lambda: float_scale(1.0, 0.0, 1.0), ParameterError, "scale_w must be finite and above 0, not 0.0"),
        (
            lambda: float_scale(1.0, 1.0, "1"),
            TypeError,
            "scale_out must be a real number or an array of them, not of <U1",
        ),
        (
            lambda: float_scale(1e-40, 1.0, 1e-50),
            ParameterError,
            "scale_out must be finite and above 0 in fp32, not 1e-50",
        ),
        (
            lambda: float_scale(1e-30, 1e-30, 1.0),
            ParameterError,
            "scale must be finite and above 0, not 0.0",
        ),
    ],
)
def test_errors(call, error, message):
    with pytest.raises(error) as caught:
        call()
    assert str(caught.value) == message


@pytest.mark.parametrize("wrong", [-(2**31) - 1, 2**31])
def test_one_value_beyond_32_bits_among_others_is_found_at_either_end(wrong):
    with pytest.raises(ParameterError, match=rf"^x must fit 32 bits, not {wrong}$"):
        rounding_shift([0, wrong, 1], 1)


@pytest.mark.parametrize("wrong", [-1, 33])
def test_one_place_out_of_range_among_others_is_found_at_either_end(wrong):
    with pytest.raises(ParameterError, match=rf"^places must be in 0 … 32, not {wrong}$"):
        rounding_shift([4, 4, 4], [0, wrong, 1])


def test_shifts_by_32_places():
    assert rounding_shift([2**31 - 1, -(2**31), 0], 32).tolist() == [0, -1, 0]
