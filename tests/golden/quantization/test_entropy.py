"""The threshold of least relative entropy against its definition in plain Python."""

import math
from itertools import product

import numpy as np
import pytest

from polymac.golden import ParameterError
from polymac.golden.quantization.entropy import RESOLUTION, VARIANTS, Variant, divergences, entropy_bins

TIES = ("first", "last")


def naive_divergences(counts, levels, start, first_bin, support, inclusive):
    """KL(P || Q) for every number of bins that are kept, from the definition, in plain Python."""
    bins = [float(count) for count in counts]
    if first_bin == "copy":
        bins[0] = bins[1]
    found = []
    for kept in range(start, len(bins) + inclusive):
        p = bins[:kept]
        p[-1] += sum(bins[kept:])
        spread_over = p if support == "reference" else bins[:kept]
        members = [[k for k in range(kept) if k * levels // kept == level] for level in range(levels)]
        q = [0.0] * kept
        for level in members:
            used = [k for k in level if spread_over[k] > 0]
            for k in used:
                q[k] = sum(bins[j] for j in level) / len(used)
        if not sum(q) or any(y == 0 < x for x, y in zip(p, q, strict=True)):
            found.append(math.inf)
            continue
        pairs = [(x / sum(p), y / sum(q)) for x, y in zip(p, q, strict=True) if x]
        found.append(sum(x * math.log(x / y) for x, y in pairs))
    return found


@pytest.mark.parametrize("levels", [1, 8, 7, 16, 100])
@pytest.mark.parametrize("density", [0.3, 1.0])
def test_entropy_by_its_definition(levels, density, rng):
    differing = set()
    for _ in range(4):
        counts = rng.poisson(40 * np.exp(-np.arange(64) / 9)) * (rng.random(64) < density)
        counts[60] = 1
        for first_bin, support, inclusive in product(("keep", "copy"), ("reference", "histogram"), (False, True)):
            details = {"levels": levels, "start": 16, "variant": Variant(first_bin, support, inclusive)}
            expected = naive_divergences(counts, levels, 16, first_bin, support, inclusive)
            found = divergences(counts, **details)
            np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-12)
            kept = entropy_bins(counts, **details)
            assert expected[kept - 16] == pytest.approx(min(expected), rel=1e-9, abs=1e-12)
            differing.add(tuple(np.round(found, 9)))
    # The details make a difference.
    assert len(differing) > 4


def test_entropy_ties_and_hopeless_histograms():
    # Nothing beyond bin 4: every number of bins from 8 on, each bin a level of its own, keeps everything.
    counts = [9, 5, 4, 2, 1] + [0] * 11
    kept = {ties: entropy_bins(counts, levels=16, start=8, variant=Variant(ties=ties)) for ties in TIES}
    assert kept == {"first": 8, "last": 15}
    # Only the last bin is used, which is never kept: no divergence is finite, and nothing is clipped.
    assert np.isinf(divergences([0] * 15 + [3], start=8)).all()
    assert entropy_bins([0] * 15 + [3], start=8) == 16
    assert entropy_bins([0] * 16, start=8) == 16


def test_variants_of_known_implementations(rng):
    """The definition with the parts that each is known for."""
    counts = rng.poisson(40 * np.exp(-np.arange(64) / 9))
    expected = {
        "tensorrt": naive_divergences(counts, 16, 16, "keep", "reference", False),
        "modelopt": naive_divergences(counts, 16, 16, "copy", "histogram", True),
    }
    assert set(expected) == set(VARIANTS)
    for name, wanted in expected.items():
        np.testing.assert_allclose(
            divergences(counts, levels=16, start=16, variant=name), wanted, rtol=1e-9, atol=1e-12
        )
        assert VARIANTS[name].ties == "last"


@pytest.mark.parametrize("count", [1, 3, 7, 10**6 + 3, 2**40 + 1])
def test_divergences_that_are_zero(count):
    """Flat data that fill the least number of bins: whatever is kept, P is Q. So it is where each bin has a level."""
    flat = [count] * 128 + [0] * 1920
    assert divergences(flat).tolist() == [0.0] * 1920
    assert {ties: entropy_bins(flat, variant=Variant(ties=ties)) for ties in TIES} == {"first": 128, "last": 2047}
    steps = [count * (1 + k % 3) for k in range(100)] + [0] * 200
    assert set(divergences(steps, levels=300, start=100, variant=Variant(inclusive=True)).tolist()) == {0.0}


def test_divergences_that_are_equal():
    """Of levels that merge pairs, whatever all counts are multiplied by."""
    pairs = [5, 2] * 8
    expected = sum(c / 56 * math.log(c / 3.5) for c in pairs)
    found = [divergences([k * count for count in pairs] + [0] * 16, levels=8, start=16) for k in (1, 3, 1001)]
    assert abs(found[0][0] - expected) <= RESOLUTION / 2 + 1e-15
    assert found[0].tolist() == found[1].tolist() == found[2].tolist()


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (
            lambda: entropy_bins(np.ones(128, int)),
            ParameterError,
            "counts must be a histogram of more than 128 bins, not of shape (128,)",
        ),
        (lambda: entropy_bins(-np.ones(200, int)), ParameterError, "counts must be at least 0, not -1"),
        (lambda: entropy_bins(np.ones(200)), TypeError, "counts must be an array of integers, not of float64"),
        (lambda: divergences(np.ones(200, int), levels=0), ParameterError, "levels must be at least 1, not 0"),
        (lambda: Variant(first_bin="drop"), ParameterError, "first_bin must be one of keep, copy, not 'drop'"),
        (lambda: Variant(support="p"), ParameterError, "support must be one of reference, histogram, not 'p'"),
        (lambda: Variant(ties="all"), ParameterError, "ties must be one of first, last, not 'all'"),
        (lambda: Variant(inclusive=1), TypeError, "inclusive must be True or False, not 1"),  # pyright: ignore[reportArgumentType]
        (
            lambda: entropy_bins(np.ones(200, int), variant="talk"),
            ParameterError,
            "variant must be one of tensorrt, modelopt, not 'talk'",
        ),
    ],
)
def test_errors(call, error, message):
    with pytest.raises(error) as caught:
        call()
    assert str(caught.value) == message
