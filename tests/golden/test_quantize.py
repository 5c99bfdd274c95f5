"""Quantization and min/max calibration against their formulas in plain Python."""

from fractions import Fraction

import numpy as np
import pytest

from polymac import golden
from polymac.golden import MinMax, ParameterError


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


def test_round_trip_error_is_half_a_step(rng):
    x = rng.uniform(-3, 5, 1000)
    for name in ("int8", "uint8", "int4"):
        found = MinMax().update(x).quantization(name)
        back = golden.dequantize(
            golden.quantize(x, found.scale, found.zero_point, name), found.scale, found.zero_point, name
        )
        # Half a step, and at the ends of the range another half for the rounding of the zero point.
        assert np.abs(back - x).max() <= float(found.scale) * (1 + 1e-12)
        assert np.median(np.abs(back - x)) <= float(found.scale) / 2


@pytest.mark.parametrize(
    ("name", "symmetric", "scale", "zero_point"),
    [
        ("int8", False, 8 / 255, round(-128 + 3 * 255 / 8)),
        ("uint8", False, 8 / 255, round(3 * 255 / 8)),
        ("int8", True, 5 / 127, 0),
        ("int4", True, 5 / 7, 0),
    ],
)
def test_scale_of_a_known_range(name, symmetric, scale, zero_point):
    found = MinMax().update([[-1.0, 0.5]]).update([-3.0, 5.0, 4.0]).quantization(name, symmetric=symmetric)
    assert float(found.scale) == pytest.approx(scale, rel=1e-15)
    assert int(found.zero_point) == zero_point
    assert found.zero_point.dtype == np.int64


def test_batches_are_one_data_set(rng):
    x = rng.normal(0, 1, (50, 4))
    whole = MinMax(per_channel=True).update(x).quantization("uint8")
    streamed = MinMax(per_channel=True)
    for batch in np.split(x, 5):
        streamed.update(batch).update(np.zeros((0, 4)))
    np.testing.assert_array_equal(streamed.quantization("uint8").scale, whole.scale)
    np.testing.assert_array_equal(streamed.quantization("uint8").zero_point, whole.zero_point)
    for channel in range(4):
        single = MinMax().update(x[:, channel]).quantization("uint8")
        assert (whole.scale[channel], whole.zero_point[channel]) == (single.scale, single.zero_point)


def test_zero_is_exact_in_every_range():
    for values in ([3.0, 5.0], [-5.0, -3.0], [0.0, 0.0], [1e-323, 0.0], [-1e308, 1e308]):
        for symmetric in (False, True):
            found = MinMax().update(values).quantization("int8", symmetric=symmetric)
            code = golden.quantize(0.0, found.scale, found.zero_point, "int8")
            assert float(golden.dequantize(code, found.scale, found.zero_point, "int8")) == 0.0
            assert np.isfinite(found.scale)
    positive = MinMax().update([3.0, 5.0]).quantization("int8")
    assert (float(positive.scale), int(positive.zero_point)) == (5 / 255, -128)
    assert float(MinMax().update([0.0]).quantization("int8").scale) == 1.0


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (
            lambda: MinMax().quantization("int8"),
            ParameterError,
            "calibration data must hold at least one value, not none",
        ),
        (
            lambda: MinMax().update([]).quantization("int8"),
            ParameterError,
            "calibration data must hold at least one value, not none",
        ),
        (lambda: MinMax().update([0.0, np.nan]), ParameterError, "x must be finite, not nan at index 1"),
        (lambda: MinMax().update([[0.0], [-np.inf]]), ParameterError, "x must be finite, not -inf at index 1"),
        (lambda: MinMax().update(["a"]), TypeError, "x must be an array of real numbers, not of <U1"),
        (
            lambda: MinMax(per_channel=True).update(1.0),
            ParameterError,
            "x must have a last axis of channels, not shape ()",
        ),
        (
            lambda: MinMax(per_channel=True).update(np.ones((2, 3))).update(np.ones((2, 4))),
            ParameterError,
            "x must have 3 channels, not 4",
        ),
        (
            lambda: MinMax().update([1.0]).quantization("uint8", symmetric=True),
            ParameterError,
            "fmt must be signed where symmetric is True, not uint8",
        ),
        (
            lambda: MinMax().update([1.0]).quantization("fp16"),
            ParameterError,
            "fmt must be a fixed-point format, not fp16",
        ),
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
    ],
)
def test_errors(call, error, message):
    with pytest.raises(error) as caught:
        call()
    assert str(caught.value) == message
