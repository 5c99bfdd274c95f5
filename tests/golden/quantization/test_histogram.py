"""Histograms of batches against counts of all the numbers at once."""

import math
from fractions import Fraction

import numpy as np
import pytest

from polymac.golden import ParameterError
from polymac.golden.quantization.histogram import Histogram


def recount(x, limit, bins):
    """A histogram's counts from its definition, with fractions."""
    counts = np.zeros((2, bins), np.int64)
    for value in x.tolist():
        position = math.ceil(abs(Fraction(value)) / Fraction(limit) * bins) - 1
        counts[int(value < 0), max(position, 0)] += 1
    return counts


def test_histogram_of_batches_is_that_of_all_numbers(rng):
    batches = [np.zeros(7), rng.integers(-8, 9, 60) / 4.0, np.array([]), rng.normal(0, 30, 50), [1e4, -1e4, 3e-5, -0.0]]
    histogram = Histogram(16)
    for batch in batches:
        if len(batch):
            histogram.add(np.asarray(batch, float))
    whole = np.concatenate(batches)
    # The first limit is that of the second batch, 2; it is doubled until 10000 fits.
    assert histogram.limit == 2.0 * 2**13
    assert histogram.counts.shape == (2, 16)
    np.testing.assert_array_equal(histogram.counts, recount(whole, histogram.limit, 16))
    assert histogram.counts.sum() == len(whole)
    assert (histogram.least, histogram.greatest, histogram.max_magnitude) == (-1e4, 1e4, 1e4)
    np.testing.assert_array_equal(histogram.edges, np.arange(17) * 1024.0)
    np.testing.assert_array_equal(histogram.magnitudes, histogram.counts[0] + histogram.counts[1])


def test_histogram_bounds_belong_to_the_bin_below():
    histogram = Histogram(4)
    histogram.add(np.array([0.0, 1.0, 1.5, 2.0, 4.0, -1.0, -4.0]))
    assert histogram.counts.tolist() == [[2, 2, 0, 1], [1, 0, 0, 1]]
    histogram.add(np.array([8.0]))
    assert histogram.counts.tolist() == [[4, 1, 0, 1], [1, 1, 0, 0]]
    histogram.add(np.array([1e6]))
    assert histogram.counts.tolist() == [[6, 0, 0, 1], [2, 0, 0, 0]]


def test_histogram_of_extreme_magnitudes():
    histogram = Histogram(4)
    histogram.add(np.array([5e-324, 0.0]))
    histogram.add(np.array([2.0**1023, -(2.0**1022)]))
    assert histogram.limit == 2.0**1023
    assert histogram.counts.tolist() == [[2, 0, 0, 1], [0, 1, 0, 0]]


@pytest.mark.parametrize(
    ("bins", "error", "message"),
    [
        (1000, ParameterError, "bins must be a power of two, not 1000"),
        (1, ParameterError, "bins must be at least 2, not 1"),
        (2.0, TypeError, "bins must be an integer, not 2.0"),
    ],
)
def test_errors(bins, error, message):
    with pytest.raises(error) as caught:
        Histogram(bins)
    assert str(caught.value) == message
