"""Calibration against its definitions in plain Python."""

import math
from fractions import Fraction
from functools import partial

import numpy as np
import pytest

from polymac import golden
from polymac.golden import Format, ParameterError
from polymac.golden.quantization.calibrate import (
    Calibration,
    Entropy,
    MeanSquareError,
    MeanStd,
    MinMax,
    MovingAverage,
    Percentile,
)
from polymac.golden.quantization.entropy import entropy_bins

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


def test_moving_average(rng):
    batches = [rng.normal(0, 1 + i, 40) for i in range(5)]
    least, greatest = float(batches[0].min()), float(batches[0].max())
    for batch in batches[1:]:
        least = 0.75 * least + 0.25 * float(batch.min())
        greatest = 0.75 * greatest + 0.25 * float(batch.max())
    calibration = MovingAverage(0.75)
    for batch in batches:
        calibration.update(batch)
    found = calibration.quantization("uint8")
    assert float(found.scale) == pytest.approx((greatest - least) / 255, rel=1e-12)
    assert int(found.zero_point) == round(-least / float(found.scale))
    # Without a past it is the last batch.
    last = MovingAverage(0).update(batches[0]).update(batches[1]).quantization("int8")
    assert last.scale == MinMax().update(batches[1]).quantization("int8").scale


@pytest.mark.parametrize("offset", [0.0, 3.0, 1e9])
def test_mean_and_standard_deviation(offset, rng):
    x = rng.normal(offset, 1.0, 500)
    exact = [Fraction(value) for value in x.tolist()]
    mean = sum(exact) / len(exact)
    deviation = math.sqrt(sum((value - mean) ** 2 for value in exact) / len(exact))
    calibration = MeanStd(2.5)
    for batch in np.split(x, [1, 2, 50, 400]):
        calibration.update(batch)
    low, high = float(mean) - 2.5 * deviation, float(mean) + 2.5 * deviation
    assert float(calibration.scale("int16")) == pytest.approx(max(abs(low), abs(high)) / 32767, rel=1e-12)
    found = calibration.quantization("int8")
    assert float(found.scale) == pytest.approx((max(high, 0) - min(low, 0)) / 255, rel=1e-12)
    # The spread itself, which a sum of squares would have lost.
    assert math.sqrt(float(calibration._squares[0]) / 500) == pytest.approx(deviation, rel=1e-7)


@pytest.mark.parametrize("percentile", [50, 90.0, 99.9, 100])
def test_percentile(percentile, rng):
    x = np.concatenate([rng.standard_t(3, 3000), np.zeros(500), [-40.0, 90.0, 100.0]])
    calibration = Percentile(percentile)
    for batch in np.split(x, [100, 2000]):
        calibration.update(batch)
    width = calibration._histograms[0].limit / 2048
    allowed = (100 - Fraction(str(percentile))) / 100 * len(x)
    magnitudes = sorted(np.abs(x).tolist())
    threshold = magnitudes[-1 - int(allowed)]
    bound = float(calibration.scale("int8")) * 127
    assert threshold * (1 - 1e-12) <= bound <= threshold + width
    ordered = sorted(x.tolist())
    least, greatest = ordered[int(allowed / 2)], ordered[-1 - int(allowed / 2)]
    found = calibration.quantization("int16")
    reach = float(found.scale) * 65535
    assert greatest - least <= reach * (1 + 1e-12) <= (greatest - least + 2 * width) * (1 + 1e-9)
    assert -float(found.scale) * (int(found.zero_point) + 32768) == pytest.approx(least, abs=width + 2 * reach / 65535)


def test_percentile_of_few_numbers_is_exact_in_the_decimal():
    # 99.9 percent of 1000 numbers are 999 of them, though 1000 * 99.9 / 100 is not 999 in float64.
    x = np.r_[np.ones(999), 100.0]
    assert float(Percentile(99.9).update(x).scale("int8")) * 127 < 1.1
    assert float(Percentile(99.91).update(x).scale("int8")) * 127 == pytest.approx(100)


@pytest.mark.parametrize("name", ["int8", "int4", "uint4", "int2", "fp4_e2m1", "fp8_e4m3"])
def test_mean_square_error_is_nearly_the_least(name, rng):
    fmt = golden.format(name)
    x = rng.standard_t(3, 4000) + (0 if fmt.signed else 1.0)
    calibration = MeanSquareError().update(x[:10]).update(x[10:])

    def error(scale, zero_point):
        if fmt.kind == "float":
            back = golden.decode(golden.encode(x / scale, fmt, overflow="saturate"), fmt) * scale
        else:
            back = golden.dequantize(golden.quantize(x, scale, zero_point, fmt), scale, zero_point, fmt)
        return float(((back - x) ** 2).mean())

    def of(data):
        whole = MinMax().update(data)
        if fmt.kind == "float":
            return whole.scale(fmt), 0
        found = whole.quantization(fmt)
        return found.scale, found.zero_point

    amax = float(np.abs(x).max())
    errors = [error(*of(np.clip(x, -bound, bound))) for bound in amax * np.arange(1, 257) / 256]
    if fmt.kind == "float":
        found = error(calibration.scale(fmt), 0)
    else:
        quantization = calibration.quantization(fmt)
        found = error(quantization.scale, quantization.zero_point)
    # The histogram's bins blur it a little.
    assert found <= min(errors) * 1.02
    if fmt.width <= 4:
        assert found < errors[-1] * 0.9


def test_mean_square_error_symmetric(rng):
    x = rng.laplace(0, 1, 5000)
    amax = float(np.abs(x).max())
    errors = {}
    for bound in amax * np.arange(1, 257) / 256:
        back = np.clip(np.rint(x / (bound / 7)), -7, 7) * (bound / 7)
        errors[bound] = ((back - x) ** 2).mean()
    found = float(MeanSquareError().update(x).scale("int4")) * 7
    assert errors[min(errors, key=lambda bound: abs(bound - found))] <= min(errors.values()) * 1.02


def test_entropy_ranges(rng):
    x = rng.standard_t(3, 20000)
    calibration = Entropy().update(x)
    amax = float(np.abs(x).max())
    edges = amax * np.arange(2049) / 2048
    counts = np.bincount(np.ceil(np.abs(x) / amax * 2048).astype(int) - 1, minlength=2048)
    clipped = edges[entropy_bins(counts, levels=128)]
    assert float(calibration.scale("int8")) == pytest.approx(clipped / 127, rel=1e-12)
    assert clipped < 0.9 * amax
    found = calibration.quantization("int8")
    reach = min(x.max(), clipped) - max(x.min(), -clipped)
    assert float(found.scale) == pytest.approx(reach / 255, rel=1e-12)
    # Data of one sign use all the codes: twice the levels.
    positive = Entropy().update(np.abs(x))
    clipped = edges[entropy_bins(counts, levels=256)]
    for name in ("int8", "uint8"):
        assert float(positive.quantization(name).scale) == pytest.approx(clipped / 255, rel=1e-12)
    assert float(positive.scale("int8")) == calibration.scale("int8")
    # A wide format has more levels than there are bins.
    clipped = edges[entropy_bins(counts, levels=2048)]
    assert float(positive.quantization("int32").scale) * (2**32 - 1) == pytest.approx(clipped, rel=1e-12)


def test_entropy_hands_its_details_on(monkeypatch):
    seen = []
    monkeypatch.setattr(
        "polymac.golden.quantization.calibrate.entropy_bins", lambda counts, **details: seen.append(details) or 512
    )
    details = {"first_bin": "copy", "support": "histogram", "inclusive": True, "ties": "first", "start": 200}
    assert float(Entropy(bins=1024, **details).update([-5.0, 8.0]).scale("int4")) == 4 / 7
    Entropy().update([-5.0, 8.0]).quantization("int8")
    plain = {"first_bin": "keep", "support": "reference", "inclusive": False, "ties": "last", "start": 128}
    assert seen == [details | {"levels": 8}, plain | {"levels": 128}]


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
        (lambda: MovingAverage(1.0), ParameterError, "momentum must be at least 0 and below 1, not 1.0"),
        (lambda: MovingAverage(np.nan), ParameterError, "momentum must be at least 0 and below 1, not nan"),
        (lambda: MovingAverage("0.9"), TypeError, "momentum must be a real number, not '0.9'"),  # pyright: ignore[reportArgumentType]
        (lambda: MeanStd(0), ParameterError, "deviations must be finite and above 0, not 0"),
        (lambda: MeanStd(np.inf), ParameterError, "deviations must be finite and above 0, not inf"),
        (lambda: MeanStd(True), TypeError, "deviations must be a real number, not True"),
        (lambda: Percentile(0.0), ParameterError, "percentile must be above 0 and at most 100, not 0.0"),
        (lambda: Percentile(100.5), ParameterError, "percentile must be above 0 and at most 100, not 100.5"),
        (lambda: Percentile(None), TypeError, "percentile must be a real number, not None"),  # pyright: ignore[reportArgumentType]
        (lambda: Percentile(bins=1000), ParameterError, "bins must be a power of two, not 1000"),
        (lambda: MeanSquareError(bins=2.0), TypeError, "bins must be an integer, not 2.0"),  # pyright: ignore[reportArgumentType]
        (lambda: MeanSquareError(candidates=0), ParameterError, "candidates must be at least 1, not 0"),
        (lambda: Entropy(start=2048), ParameterError, "start must be in 2 … 2047, not 2048"),
        (lambda: Entropy(first_bin="drop"), ParameterError, "first_bin must be one of keep, copy, not 'drop'"),
        (lambda: Entropy(support="p"), ParameterError, "support must be one of reference, histogram, not 'p'"),
        (lambda: Entropy(ties="all"), ParameterError, "ties must be one of first, last, not 'all'"),
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


def power(exponent: int) -> Format:
    """A scale whose only values are 2^exponent and the next power."""
    return Format("power", "float", 1, 0, signed=False, bias=-exponent, subnormals=False)


@pytest.mark.parametrize("exponent", [-1000, -600, 600, 1000])
@pytest.mark.parametrize("fmt", ["int4", "fp4_e2m1"])
def test_mean_square_errors_whose_squares_float64_cannot_hold(exponent, fmt):
    x = np.random.default_rng(1).standard_normal(200)
    found = [golden.MeanSquareError(candidates=64).update(np.ldexp(x, power)).scale(fmt) for power in (0, exponent)]
    assert found[1] == np.ldexp(found[0], exponent)
    assert found[0] < 0.9 * golden.MinMax().update(x).scale(fmt)
