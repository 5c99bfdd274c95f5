"""What all methods of calibration have in common, against definitions in plain Python."""

from functools import partial

import numpy as np
import pytest

from polymac import golden
from polymac.golden import (
    Calibration,
    Entropy,
    MeanSquareError,
    MeanStd,
    MinMax,
    MovingAverage,
    ParameterError,
    Percentile,
)

METHODS = {
    "MinMax": MinMax,
    "MovingAverage": MovingAverage,
    "MeanStd": MeanStd,
    "Percentile": partial(Percentile, 99.0),
    "MeanSquareError": MeanSquareError,
    "Entropy": Entropy,
}


@pytest.fixture(params=METHODS)
def method(request):
    return METHODS[request.param]


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


def test_each_channel_is_calibrated_alone(method, rng):
    x = rng.standard_t(4, (600, 3)) * [1.0, 100.0, 1e-3] + [0.0, 50.0, 0.002]
    whole = method(per_channel=True).update(x[:200].reshape(20, 10, 3)).update(x[200:])
    assert isinstance(whole, Calibration)
    for symmetric in (False, True):
        found = whole.quantization("int8", symmetric=symmetric)
        assert (found.scale.shape, found.zero_point.shape, found.fmt.name) == ((3,), (3,), "int8")
        for channel in range(3):
            alone = method().update(x[:200, channel]).update(x[200:, channel])
            single = alone.quantization("int8", symmetric=symmetric)
            assert single.scale.shape == single.zero_point.shape == ()
            # Not bit for bit: NumPy adds the columns of a matrix in another order than a vector.
            assert float(found.scale[channel]) == pytest.approx(float(single.scale), rel=1e-12)
            assert found.zero_point[channel] == single.zero_point
    assert len(set(found.scale.tolist())) == 3


def test_empty_batches_and_queries_between_change_nothing(method, rng):
    x = rng.normal(0, 1, (4, 50))
    plain, disturbed = method(), method()
    for batch in x:
        plain.update(batch)
        disturbed.update([]).update(batch).quantization("int4")
    assert plain.quantization("uint8").scale == disturbed.quantization("uint8").scale


def test_all_zeros_and_one_value(method):
    zeros = method().update(np.zeros(100))
    for symmetric in (False, True):
        found = zeros.quantization("int8", symmetric=symmetric)
        assert float(found.scale) == 1.0
        assert golden.quantize(0.0, found.scale, found.zero_point, "int8") == found.zero_point % 256
    for value in (3.0, -3.0):
        found = method().update(np.full(100, value)).quantization("int8")
        code = golden.quantize(value, found.scale, found.zero_point, "int8")
        assert float(golden.dequantize(code, found.scale, found.zero_point, "int8")) == pytest.approx(value, rel=1e-9)


def test_symmetric_scale_of_floats(rng):
    x = rng.normal(0, 1, 1000)
    least, greatest = x.min(), x.max()
    amax = max(-least, greatest)
    calibration = MinMax().update(x)
    for name, largest in (("fp8_e4m3", 448), ("fp8_e5m2", 57344), ("fp4_e2m1", 6), ("fp16", 65504), ("int8", 127)):
        found = calibration.scale(name)
        assert found.shape == ()
        assert float(found) == amax / largest
    codes = golden.encode(x / calibration.scale("fp8_e4m3"), "fp8_e4m3", overflow="saturate")
    assert np.abs(golden.decode(codes, "fp8_e4m3")).max() == 448
    assert calibration.scale("int8") == calibration.quantization("int8", symmetric=True).scale
    channels = MinMax(per_channel=True).update([[1.0, -2.0]]).scale("fp4_e2m1")
    assert channels.tolist() == [1 / 6, 2 / 6]


def test_clipping_methods_lose_less_than_min_max(rng):
    """With one far outlier, at four bits."""
    x = np.r_[rng.normal(0, 1, 5000), 60.0]
    errors = {}
    for name, kind in METHODS.items():
        found = kind().update(x).quantization("int4")
        codes = golden.quantize(x[:-1], found.scale, found.zero_point, "int4")
        back = golden.dequantize(codes, found.scale, found.zero_point, "int4")
        errors[name] = float(((back - x[:-1]) ** 2).mean())
    for name in ("MeanStd", "Percentile", "MeanSquareError", "Entropy"):
        assert errors[name] < errors["MinMax"] / 2


def test_formats_whose_integers_are_no_float64():
    found = MinMax().update([-3.0, -1.0]).quantization("uint64")
    assert int(found.zero_point) == 2**64 - 1
    assert int(MinMax().update([-3.0, -1.0]).quantization("int64").zero_point) == 2**63 - 1
    assert int(MinMax().update([3.0, 1.0]).quantization("int64").zero_point) == -(2**63)


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
        (
            lambda: MinMax().scale("fp8_e4m3"),
            ParameterError,
            "calibration data must hold at least one value, not none",
        ),
        (
            lambda: MinMax().update([1.0]).scale("e8m0"),
            ParameterError,
            "fmt must be a fixed-point format or a float with a sign and a zero, not e8m0",
        ),
        (
            lambda: MinMax().update([1.0]).scale("bin1"),
            ParameterError,
            "fmt must be a fixed-point format or a float with a sign and a zero, not bin1",
        ),
        (
            lambda: MinMax().update([1.0]).scale("uint8"),
            ParameterError,
            "fmt must be signed where symmetric is True, not uint8",
        ),
        (
            lambda: Entropy().update([1.0]).scale("fp8_e4m3"),
            ParameterError,
            "fmt must be a fixed-point format, not fp8_e4m3",
        ),
        (
            lambda: MeanStd().update([1e308, -1e308]).quantization("int8"),
            ParameterError,
            "scale must be finite, not inf",
        ),
        (
            lambda: Percentile().update([1e308]),
            ParameterError,
            "x must be at most 2^1023 in magnitude, not 1e+308",
        ),
    ],
)
def test_errors(call, error, message):
    with pytest.raises(error) as caught:
        call()
    assert str(caught.value) == message


def test_not_a_number_is_an_error_of_every_method(method):
    with pytest.raises(ParameterError) as caught:
        method().update([1.0, np.nan])
    assert str(caught.value) == "x must be finite, not nan at index 1"
    with pytest.raises(ParameterError) as caught:
        method().quantization("int8")
    assert str(caught.value) == "calibration data must hold at least one value, not none"
