"""Noise against closed forms, published figures, and what must hold for any tensor."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from polymac import golden
from polymac.golden.accuracy.scaling import SCALINGS, quantized
from polymac.golden.accuracy.tensors import DISTRIBUTIONS

sqnr_db = golden.sqnr_db


def decibels(ratio: float) -> float:
    return 10 * math.log10(ratio)


@pytest.mark.parametrize("bits", range(4, 13))
def test_uniform_numbers_in_integers(bits: int) -> None:
    # The 2^n - 1 levels of a symmetric scale are 2·amax / (2^n - 2) apart: noise step²/12, signal amax²/3.
    x = golden.draw("uniform", 1 << 16, bits)
    found = sqnr_db(x, f"int{bits}", scaling="absmax")
    assert found == pytest.approx(20 * math.log10(2**bits - 2), abs=0.06)
    assert sqnr_db(x, f"int{bits}") == pytest.approx(6.02 * bits, abs=max(0.1, 12 / 2**bits))


@pytest.mark.parametrize("bits", range(6, 15))
def test_a_full_scale_sine_in_integers(bits: int) -> None:
    # Bennett's 6.02 n + 1.76 dB, less what the unused most negative code costs.
    x = np.sin(2 * np.pi * (np.arange(1 << 16) + 0.5) / (1 << 16) * 1021)
    unused = 20 * math.log10(1 - 2 / 2**bits)
    assert sqnr_db(x, f"int{bits}", scaling="absmax") == pytest.approx(6.02 * bits + 1.76 + unused, abs=0.3)


@pytest.mark.parametrize("name", ["fp8_e5m2", "fp8_e4m3", "e5m6", "bf16", "fp16", "tf32"])
def test_uniform_numbers_in_floats(name: str) -> None:
    # In the octave below 2^-k: probability 2^-(k+1), noise (2^-(k+1) · 2^-m)² / 12. Σ 2^-3(k+1) = 1/7; signal 1/3.
    bits = golden.format(name).frac_bits
    found = sqnr_db(golden.draw("uniform", 1 << 16, 1), name, scaling="power_of_two")
    assert found == pytest.approx(decibels(28 * 4.0**bits), abs=0.05)


@pytest.mark.parametrize("name", ["fp8_e5m2", "bf16", "fp16"])
def test_gaussian_numbers_in_floats(name: str) -> None:
    # Octave by octave, as above, the probabilities being those of the normal distribution; scale 1.
    x = golden.draw("gaussian", 1 << 18, 1)
    x /= np.sqrt(np.mean(x**2))
    bits, noise = golden.format(name).frac_bits, 0.0
    for octave in range(-14, 4):
        share = math.erf(2.0 ** (octave + 1) / math.sqrt(2)) - math.erf(2.0**octave / math.sqrt(2))
        noise += share * 2.0 ** (2 * (octave - bits)) / 12
    assert sqnr_db(x, name, scaling="rms") == pytest.approx(decibels(1 / noise), abs=0.1)


def test_gaussian_numbers_in_fp8_as_published() -> None:
    # Chen et al., INT v.s. FP (arXiv 2510.25602): relative noise 1 / (24 · 4^m) for m fraction bits, 31.9 dB for E4M3.
    found = sqnr_db(golden.draw("gaussian", 1 << 16), "fp8_e4m3")
    assert found == pytest.approx(decibels(24 * 4**3), abs=0.4) and found == pytest.approx(31.6, abs=0.15)


@pytest.mark.parametrize("bits", [6, 8, 10])
@pytest.mark.parametrize("name", ["gaussian", "laplace", "student_t3"])
def test_the_crest_factor_says_the_noise_of_integers(name: str, bits: int) -> None:
    # Chen et al.: 4.78 + 6.02 b - 20 log10 κ, κ = amax / rms; exactly 12 · (2^(b-1) - 1)² / κ².
    x = golden.draw(name, 1 << 14, bits)
    crest = np.abs(x).max() / np.sqrt(np.mean(x**2))
    expected = decibels(12 * (2 ** (bits - 1) - 1) ** 2 / crest**2)
    # A step as large as the numbers themselves leaves less noise than step²/12.
    tolerance = 0.15 if np.sqrt(np.mean(x**2)) > 1.5 * np.abs(x).max() / 2 ** (bits - 1) else 1.5
    assert sqnr_db(x, f"int{bits}", scaling="absmax") == pytest.approx(expected, abs=tolerance)


@pytest.mark.parametrize(("bits", "published"), [(5, 24.57), (6, 29.83), (7, 35.13), (8, 40.34)])
def test_the_best_uniform_quantizer_of_gaussian_numbers(bits: int, published: float) -> None:
    # J. Max, Quantizing for Minimum Distortion (1960), table II; Jayant and Noll, Digital Coding of Waveforms (1984).
    assert sqnr_db(golden.draw("gaussian", 1 << 20, 2), f"int{bits}") == pytest.approx(published, abs=0.15)


def test_one_bit() -> None:
    # With the mean magnitude the noise is 1 - E|x|² / E x²: 2/π for Gaussian numbers, 1/2 for Laplace's, 3/4 for uniform.
    for name, share in (("gaussian", 2 / math.pi), ("laplace", 0.5), ("uniform", 0.75)):
        assert sqnr_db(golden.draw(name, 1 << 18), "bin1") == pytest.approx(decibels(1 / (1 - share)), abs=0.05)


def test_blocks_as_published() -> None:
    """The order that Chen et al. found: MXINT8 before MXFP8 where numbers are Gaussian, NVFP4 before MXFP4."""
    x = golden.draw("gaussian", 1 << 15)
    found = {name: sqnr_db(x, name) for name in ("mxint8", "mxfp8_e4m3", "mxfp8_e5m2", "nvfp4", "mxfp4")}
    assert found["mxint8"] > found["mxfp8_e4m3"] + 8 and found["mxfp8_e4m3"] > found["mxfp8_e5m2"] + 4
    assert found["nvfp4"] > found["mxfp4"] + 1
    # Outliers cost a scale per tensor far more than one per block of 16.
    y = golden.draw("outlier_channels", 1 << 15)
    assert sqnr_db(y, "nvfp4") > 19 > 12 > sqnr_db(y, "fp4_e2m1")


def test_every_format_of_the_catalogue() -> None:
    rows = golden.noise_table(size=1 << 11, seeds=[4])
    assert len(rows) == (len(golden.FORMATS) + len(golden.BLOCK_FORMATS)) * len(DISTRIBUTIONS)
    assert all(row.sqnr_db > 0 for row in rows), [row for row in rows if not row.sqnr_db > 0]
    exact = {row.format for row in rows if math.isinf(row.sqnr_db)}
    assert exact == {"fp64"}


def test_the_table_has_mean_and_spread() -> None:
    (row,) = golden.noise_table(["fp8_e4m3"], ["laplace"], size=4096, seeds=[1, 2, 5])
    each = [sqnr_db(golden.draw("laplace", 4096, seed), "fp8_e4m3") for seed in (1, 2, 5)]
    assert row.sqnr_db == pytest.approx(np.mean(each)) and row.spread_db == pytest.approx(np.std(each, ddof=1))
    assert (row.format, row.distribution, row.bits, row.seeds, row.size) == (
        "fp8_e4m3",
        "laplace",
        8.0,
        (1, 2, 5),
        4096,
    )
    (own,) = golden.noise_table(["mxfp4"], [], seeds=[0], tensors={"mine": [np.ones((2, 3))]})
    assert (own.distribution, own.bits, own.sqnr_db, own.size) == ("mine", 4.25, math.inf, 6)


@pytest.mark.parametrize("name", DISTRIBUTIONS)
def test_more_bits_less_noise(name: str) -> None:
    x = golden.draw(name, 1 << 12, 9)
    for family in ("int{}", "uint{}", "e4m{}", "e5m{}"):
        for scaling in ("mse", "absmax"):
            found = [sqnr_db(x, family.format(bits), scaling=scaling) for bits in range(3, 12)]
            assert all(less < more for less, more in pairwise(found)), (family, scaling, found)


@pytest.mark.parametrize("name", DISTRIBUTIONS)
@pytest.mark.parametrize("fmt", ["fp8_e4m3", "fp4_e2m1", "fp6_e2m3", "posit8", "nf4", "p3109_k8p6se", "e8m0"])
def test_the_search_finds_the_least_noise(name: str, fmt: str) -> None:
    x = golden.draw(name, 1 << 13, 8)
    found = {scaling: sqnr_db(x, fmt, scaling=scaling) for scaling in SCALINGS}
    assert found["mse"] >= max(found.values()) - 0.05
    # A scale among 400 by brute force.
    target = golden.format(fmt)
    best = -math.inf
    for factor in 2.0 ** np.linspace(-8, 2, 401):
        scale = np.abs(x).max() * factor
        data = np.abs(x / scale) if not target.has_zero else x / scale
        data = np.maximum(data, float(target.min_positive)) if not target.has_zero else data
        overflow = "saturate" if "saturate" in target.overflows else None
        values = golden.decode(golden.encode(data, target, overflow=overflow), target) * scale
        values = values if target.has_zero else np.sign(x) * values
        best = max(best, decibels(float((x**2).sum() / ((x - values) ** 2).sum())))
    assert found["mse"] >= best - 0.1


numbers = st.floats(-1e6, 1e6, allow_subnormal=False).map(lambda x: x if abs(x) > 1e-6 else 1.0)
arrays = st.lists(numbers, min_size=1, max_size=40).map(np.array)


@settings(max_examples=60, deadline=None)
@given(arrays, st.integers(2, 5), st.integers(0, 8))
def test_a_longer_fraction_is_never_worse(x: np.ndarray, exp_bits: int, frac_bits: int) -> None:
    """Its numbers are those of the shorter one and more; of floats with the same scale."""
    less, more = (
        np.abs(x - quantized(x, golden.format(f"e{exp_bits}m{bits}"), scaling="rms"))
        for bits in (frac_bits, frac_bits + 1)
    )
    assert np.all(more <= less * (1 + 1e-12))


@settings(max_examples=60, deadline=None)
@given(
    arrays,
    st.integers(-20, 20),
    st.sampled_from(["fp8_e4m3", "fp4_e2m1", "posit8", "int8", "uint4", "bin1", "nf4", "mxfp4", "mxint8", "msfp12"]),
    st.sampled_from(SCALINGS),
)
def test_a_power_of_two_changes_nothing(x: np.ndarray, exponent: int, name: str, scaling: str) -> None:
    fmt = golden.any_format(name)
    once = quantized(x, fmt, scaling=scaling)
    np.testing.assert_array_equal(quantized(np.ldexp(x, exponent), fmt, scaling=scaling), np.ldexp(once, exponent))


@settings(max_examples=40, deadline=None)
@given(arrays, st.sampled_from(["fp8_e4m3", "fp16", "posit8", "mxfp4", "mxint8"]))
def test_the_sign_changes_nothing(x: np.ndarray, name: str) -> None:
    """In formats that have the negative of each of their numbers."""
    fmt = golden.any_format(name)
    np.testing.assert_array_equal(np.abs(quantized(-x, fmt)), np.abs(quantized(x, fmt)))


def test_magnitudes_in_formats_without_sign() -> None:
    x = golden.draw("gaussian", 1000, 1)
    np.testing.assert_array_equal(np.sign(quantized(x, golden.format("e8m0"))), np.sign(x))


def test_errors() -> None:
    with pytest.raises(golden.ParameterError, match=r"^x must hold a number other than zero, not zeros alone$"):
        sqnr_db([0.0, 0.0], "int8")
    with pytest.raises(
        golden.ParameterError, match=r"^scaling must be one of mse, power_of_two, absmax, rms, not 'max'$"
    ):
        sqnr_db([1.0], "int8", scaling="max")
    with pytest.raises(golden.ParameterError, match=r"^x must be finite, not nan at index"):
        sqnr_db([1.0, math.nan], "int8")
    with pytest.raises(golden.ParameterError, match=r"^seeds must hold at least one seed, not none$"):
        golden.noise_table(["int8"], seeds=[])
    with pytest.raises(golden.ParameterError, match=r"^tensors must hold 3 of mine, one for each seed, not 1$"):
        golden.noise_table(["int8"], tensors={"mine": [[1.0]]})
    with pytest.raises(golden.ParameterError, match=r"^x must hold at least one number, not none$"):
        quantized([], golden.format("int8"))
