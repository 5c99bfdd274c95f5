"""Requantization against Python's integers and fractions."""

from fractions import Fraction

import numpy as np
import pytest

from polymac import golden
from polymac.golden import ParameterError


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
    return min(max(result, zero_point if relu else out.min_int), out.max_int) % out.codes


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
            "mode must be one of single, not 'double'",
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
    ],
)
def test_errors(call, error, message):
    with pytest.raises(error) as caught:
        call()
    assert str(caught.value) == message
