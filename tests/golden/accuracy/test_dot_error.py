"""Errors of dot products against the laws that they must follow."""

from __future__ import annotations

import math
from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest

from polymac import golden
from polymac.golden.accuracy.dot_error import _exact

dot_error = golden.dot_error


@pytest.mark.parametrize(
    ("name", "acc", "bits"), [("fp8_e4m3", "fp16", 11), ("fp8_e5m2", "fp16", 11), ("fp16", "fp32", 24)]
)
@pytest.mark.parametrize("k", [256, 1024])
def test_rounding_after_every_product_is_a_random_walk(name: str, acc: str, bits: int, k: int) -> None:
    # The partial sum of k products has the variance k. Each rounding adds the variance r² of a relative error, for numbers
    # of which any logarithm is as likely as any other r² = (2^-(p-1))² / 12 / (3 / (2 ln 2)); in all r·√(K/2).
    step = 2.0 ** (1 - bits) / math.sqrt(12 * 1.5 / math.log(2))
    found = dot_error(name, k=k, acc=acc, vectors=500)
    # Coarse operands make some of the sums exact.
    assert found.error == pytest.approx(step * math.sqrt(k / 2), rel=0.3)
    assert 0 < found.spread < found.error / 2


def test_exact_sums_round_once_whatever_their_length() -> None:
    # At most half a unit in the last place, 2^-24; and r as above.
    errors = [dot_error("fp16", k=k).error for k in (16, 256, 4096)]
    assert all(1.5e-8 < error < 2.0**-24 for error in errors)
    assert dot_error("fp16", k=256, out="fp64").error == 0.0


def test_integers_wrap_or_are_exact() -> None:
    assert dot_error("int8", k=4096, acc="int32").error == 0.0
    assert dot_error("int8", k=16, acc="int24").error == 0.0
    assert dot_error("int8", k=4096, acc="int16").error > 0.5


def test_aligned_sums_lose_what_they_cut_off() -> None:
    found = [dot_error("fp16", k=512, acc=f"aligned:32:{bits}:{bits}").error for bits in (11, 15, 19)]
    # Four bits more each; cutting off is no random walk, but all of it goes toward zero.
    assert all(8 < less / more < 32 for less, more in pairwise(found))
    assert found[-1] > 4 * dot_error("fp16", k=512, acc="fp32").error


def test_quantization_is_most_of_the_error_against_reals() -> None:
    # Independent noise in both operands: √2 times that of one, whatever K is.
    noise = 10 ** (-golden.sqnr_db(golden.draw("gaussian", 1 << 16), "fp8_e5m2", scaling="rms") / 20)
    for k in (16, 256):
        found = dot_error("fp8_e5m2", k=k, against="reals", vectors=512)
        assert found.error == pytest.approx(math.sqrt(2) * noise, rel=0.1)


@pytest.mark.parametrize("name", ["mxfp4", "mxint8", "nvfp4", "msfp12", "posit8", "q2.6"])
def test_other_formats(name: str) -> None:
    assert dot_error(name, k=128).error < 2.0**-24
    block = golden.any_format(name)
    rounded = dot_error(name, k=128, acc="rounded:fp16:rne:32" if hasattr(block, "element") else "fp16")
    assert dot_error(name, k=128).error <= rounded.error < 1e-2


def test_the_exact_reference_is_exact() -> None:
    generator = np.random.default_rng(1)
    for bits in (8, 53):
        x, y = (np.ldexp(np.rint(generator.uniform(-1, 1, (4, 30)) * 2.0**bits), -bits) for _ in range(2))
        x *= 2.0 ** generator.integers(-60, 60, x.shape)
        exact = [
            float(sum((Fraction(p) * Fraction(q) for p, q in zip(left, right, strict=True)), Fraction(0)))
            for left, right in zip(x.tolist(), y.tolist(), strict=True)
        ]
        assert _exact(x, y).tolist() == exact


def test_the_table_leaves_out_what_means_nothing() -> None:
    rows = golden.dot_error_table(
        ["int8", "fp8_e4m3", "mxfp4"], ["exact", "int32", "aligned:4:13"], lengths=[32, 64], vectors=2, seeds=[0]
    )
    assert [(row.a, row.accumulation, row.k) for row in rows] == [
        (name, how, k)
        for name, how in [
            ("int8", "exact"),
            ("int8", "int32"),
            ("fp8_e4m3", "exact"),
            ("fp8_e4m3", "aligned:4:13"),
            ("mxfp4", "exact"),
        ]
        for k in (32, 64)
    ]


def test_overflow_is_an_infinite_error() -> None:
    found = dot_error("fp16", k=64, acc="rounded:e4m3", scaling="absmax", vectors=8)
    assert math.isinf(found.error) and math.isnan(found.spread)


def test_errors() -> None:
    for options, message in (
        ({"a": "int8", "k": 0}, "k must be at least 1, not 0"),
        ({"a": "int8", "k": 4, "against": "all"}, "against must be one of codes, reals, not 'all'"),
        ({"a": "uint8", "k": 4}, "a must be a format with a sign, not uint8"),
        ({"a": "mxfp4", "k": 40}, "k must be a multiple of 32 for mxfp4, not 40"),
        ({"a": "mxfp4", "b": "int8", "k": 32}, "b must be a block format, not int8"),
        ({"a": "int8", "b": "mxfp4", "k": 32}, "b must be a scalar format, not mxfp4"),
        ({"a": "int8", "k": 4, "seeds": []}, "seeds must hold at least one seed, not none"),
    ):
        with pytest.raises(golden.ParameterError) as error:
            dot_error(**options)
        assert str(error.value) == message
