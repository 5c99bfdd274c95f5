"""Test tensors: their moments, their seeds, and the outlier channels."""

from __future__ import annotations

import numpy as np
import pytest

from polymac import golden
from polymac.golden.accuracy.tensors import CHANNELS, DISTRIBUTIONS, OUTLIER_FACTOR

#: Variance of each distribution.
VARIANCES = {
    "gaussian": 1.0,
    "laplace": 1.0,
    "uniform": 1 / 3,
    "student_t3": 3.0,
    "outlier_channels": (CHANNELS - 1 + OUTLIER_FACTOR**2) / CHANNELS,
}


@pytest.mark.parametrize("name", DISTRIBUTIONS)
def test_moments(name: str) -> None:
    x = golden.draw(name, 1 << 18, 3)
    # The fourth moment of Student's t is infinite: its variance converges slowly.
    assert np.var(x) == pytest.approx(VARIANCES[name], rel=0.1 if name == "student_t3" else 0.03)
    assert abs(np.mean(x)) < 0.02 * np.std(x)


def test_kurtosis_tells_the_tails() -> None:
    kurtosis = {name: np.mean(x**4) / np.var(x) ** 2 for name in DISTRIBUTIONS for x in [golden.draw(name, 1 << 17, 1)]}
    assert kurtosis["uniform"] == pytest.approx(1.8, rel=0.03)
    assert kurtosis["gaussian"] == pytest.approx(3.0, rel=0.05)
    assert kurtosis["laplace"] == pytest.approx(6.0, rel=0.1)
    assert min(kurtosis["student_t3"], kurtosis["outlier_channels"]) > 10


def test_one_channel_is_larger() -> None:
    for seed in range(4):
        rms = np.sqrt(np.mean(golden.draw("outlier_channels", 1 << 16, seed).reshape(-1, CHANNELS) ** 2, axis=0))
        large = rms > 10
        assert large.sum() == 1 and rms[large][0] == pytest.approx(OUTLIER_FACTOR, rel=0.1)
        assert np.all(np.abs(rms[~large] - 1) < 0.1)


@pytest.mark.parametrize("name", DISTRIBUTIONS)
def test_a_seed_is_a_tensor(name: str) -> None:
    assert np.array_equal(golden.draw(name, 100, 5), golden.draw(name, 100, 5))
    assert not np.array_equal(golden.draw(name, 100, 5), golden.draw(name, 100, 6))


def test_errors() -> None:
    names = ", ".join(DISTRIBUTIONS)
    with pytest.raises(golden.ParameterError, match=rf"^distribution must be one of {names}, not 'cauchy'$"):
        golden.draw("cauchy", 3)
    with pytest.raises(golden.ParameterError, match=r"^size must be at least 1, not 0$"):
        golden.draw("gaussian", 0)
