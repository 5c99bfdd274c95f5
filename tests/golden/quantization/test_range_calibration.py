"""Calibration by extremes, moving averages, mean and deviation, against definitions in plain Python."""

import math
from fractions import Fraction

import numpy as np
import pytest

from polymac.golden import MeanStd, MinMax, MovingAverage, ParameterError


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


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: MovingAverage(1.0), ParameterError, "momentum must be at least 0 and below 1, not 1.0"),
        (lambda: MovingAverage(np.nan), ParameterError, "momentum must be at least 0 and below 1, not nan"),
        (lambda: MovingAverage("0.9"), TypeError, "momentum must be a real number, not '0.9'"),  # pyright: ignore[reportArgumentType]
        (lambda: MeanStd(0), ParameterError, "deviations must be finite and above 0, not 0"),
        (lambda: MeanStd(np.inf), ParameterError, "deviations must be finite and above 0, not inf"),
        (lambda: MeanStd(True), TypeError, "deviations must be a real number, not True"),
    ],
)
def test_errors(call, error, message):
    with pytest.raises(error) as caught:
        call()
    assert str(caught.value) == message
