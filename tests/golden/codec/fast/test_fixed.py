"""The floating-point way to fixed-point codes equals the general one."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from polymac import golden
from polymac.golden import Format
from polymac.golden.codec.fast.fixed import can_round_fixed, fixed_rounder
from polymac.golden.codec.kinds import pack, unpack
from polymac.golden.codec.rounding import Target
from polymac.golden.formats import ROUNDINGS


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(
    "name", ["int8", "uint8", "int2", "q1.7", "uq4.4", "q2.22", "uint24", "q4.20", "int32", "uint32"]
)
def test_like_the_general_rounder(name, dtype, rng):
    fmt = golden.format(name)
    units = rng.integers(fmt.min_int - 3, fmt.max_int + 4, 4000) + rng.choice(
        [0, 0.5, 0.25, 2.0**-30, -(2.0**-20)], 4000
    )
    units = np.concatenate(
        [units, rng.standard_normal(500), [0.0, -0.0, -0.5, 0.5, -1.5, fmt.min_int - 0.5, fmt.max_int + 0.5]]
    )
    x = np.concatenate([np.ldexp(units, -fmt.frac_bits), [np.inf, -np.inf, 3e38, -3e38, 1e-45, -1e-45]]).astype(dtype)
    exact = unpack(x.astype(np.float64).view(np.uint64), golden.format("fp64"))
    for rounding in ROUNDINGS:
        target = Target.of(fmt, rounding, None, "full")
        if can_round_fixed(target, dtype):
            with np.errstate(all="ignore"):
                found = fixed_rounder(target, dtype)(x)
            expected = pack("x", exact, Target.of(fmt, rounding, "saturate", "full"))[0]
            assert found.dtype == expected.dtype
            np.testing.assert_array_equal(found, expected, rounding)
        else:
            assert dtype == np.float32 and fmt.width == 32


@pytest.mark.parametrize(
    ("name", "rounding", "overflow"), [("int8", "stochastic", None), ("int8", "rne", "wrap"), ("int33", "rne", None)]
)
def test_targets_of_the_general_rounder(name, rounding, overflow):
    for dtype in (np.float32, np.float64):
        assert not can_round_fixed(Target.of(golden.format(name), rounding, overflow, "full"), dtype)


def test_encode_takes_it(monkeypatch):
    monkeypatch.setattr("polymac.golden.codec.scalar.pack", None)
    assert golden.encode(np.array([-1e9, 1.5, 2.5]), "int8").tolist() == [0x80, 2, 2]
    assert golden.encode(np.array([-1e9, 1.5], np.float32), "uq2.1").tolist() == [0, 3]


@pytest.mark.parametrize("name", ["uint24", "int25", "uint25", "uint32", "int33", "uint33"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_fixed_point_around_the_widths_that_floats_hold(name, dtype):
    fmt = golden.format(name)
    x = np.ldexp(dtype(1), np.arange(20, 36))
    x = np.concatenate([np.nextafter(x, dtype(0)), x, np.nextafter(x, dtype(np.inf))])
    x = np.concatenate([x, -x])
    expected = [min(max(round(float(value)), fmt.min_int), fmt.max_int) & fmt.code_mask for value in x]
    assert golden.encode(x, fmt).tolist() == expected


@pytest.mark.parametrize("frac_bits", [63, 64, 65])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_fixed_point_at_the_bound_of_the_scale(frac_bits, dtype, rng):
    fmt = Format("small", "fixed", 16, frac_bits)
    x = np.concatenate(
        [np.ldexp(rng.standard_normal(500), 14 - frac_bits), np.ldexp(rng.standard_normal(200), -frac_bits)]
    )
    x = np.concatenate([x, np.ldexp(np.arange(-9, 10) / 2, -frac_bits)]).astype(dtype)
    expected = [min(max(round(Fraction(float(value)) * 2**frac_bits), fmt.min_int), fmt.max_int) for value in x]
    assert golden.to_int(golden.encode(x, fmt), fmt).tolist() == expected
