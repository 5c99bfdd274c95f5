"""Sums rounded after every product by way of float64, at the bounds of its range."""

from __future__ import annotations

import dataclasses
import importlib

import numpy as np
import pytest

from polymac import golden
from polymac.golden import FORMATS, Format, Rounded
from polymac.golden.sums import float64_chain as rounded


def far_float(least: int, span: int = 4) -> Format:
    """A float of 12 significant bits whose least number is 2^least; ``span`` exponent bits."""
    return Format("far", "float", 12 + span, 11, bias=1 - (least + 11))


@pytest.mark.parametrize(
    ("exponent", "room"), [(1023, 1), (1022, 1), (1021, 1), (-1021, 0), (-1022, 0), (-1023, 0), (-1066, 0)]
)
def test_rounded_sums_by_float64_at_the_bounds_of_its_range(exponent, room, rng, monkeypatch):
    # Products of at most 2^(exponent + 1), or of at least 2^exponent; the processor has no other range.
    near, far = far_float(-20), far_float(0)
    if room:
        far = dataclasses.replace(far, bias=far.bias - (exponent - 2 - far.max_exponent - near.max_exponent))
        assert near.max_exponent + far.max_exponent + 2 == exponent
    else:
        far = far_float(exponent + 20)
        assert near.min_exponent + far.min_exponent - 22 == exponent
    a, b = (rng.integers(0, fmt.code_count, (40, 5)) for fmt in (near, far))
    c = rng.integers(0, 1 << 32, 40)
    found = rounded.float64_sum(a.T[:, :, None], b.T[:, :, None], c[:, None], near, far, FORMATS["fp32"])[:, 0]
    monkeypatch.setattr(importlib.import_module("polymac.golden.sums.dot"), "rounds_as_float64", lambda *_: False)
    np.testing.assert_array_equal(found, golden.dot(a, b, near, far, c, acc=Rounded("fp32")))


def test_products_too_small_for_float64_leave_their_sign():
    # -2^-1200 in fp32 is -0; +0 plus a float64 that has become -0 would be +0.
    fmt = far_float(-600)
    found = golden.dot([fmt.sign_mask | 1], [1], fmt, fmt, acc=Rounded("fp32"))
    assert found == FORMATS["fp32"].sign_mask


@pytest.mark.parametrize(
    ("name_a", "name_b"),
    [
        ("fp8_e5m2", "fp8_e5m2"),
        ("fp16", "fp16"),
        ("int8", "int8"),
        ("e5m10", "q2.6"),
        ("bf16", "fp8_e4m3"),
        ("uint4", "e7m4"),
    ],
)
@pytest.mark.parametrize("out", ["fp16", "fp32"])
def test_rounded_sums_by_float64_are_those_by_limbs(name_a, name_b, out, rng, some_codes, monkeypatch):
    fa, fb, acc = (golden.format(name) for name in (name_a, name_b, out))
    a, b = (some_codes(fmt, 6 * 400, rng).reshape(400, 6) for fmt in (fa, fb))
    c = some_codes(acc, 400, rng)
    # Half of the accumulators nearly cancel the first product, or are ties away from it.
    first = golden.multiply(a[:, 0], b[:, 0], fa, fb, out=acc)
    c = np.where(rng.random(400) < 0.5, c, first ^ acc.sign_mask).astype(c.dtype)
    assert rounded.rounds_as_float64(fa, fb, Rounded(out), acc)
    found = golden.dot(a, b, fa, fb, c, acc=Rounded(out))
    monkeypatch.setattr(importlib.import_module("polymac.golden.sums.dot"), "rounds_as_float64", lambda *_: False)
    np.testing.assert_array_equal(found, golden.dot(a, b, fa, fb, c, acc=Rounded(out)))
