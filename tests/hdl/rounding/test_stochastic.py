"""Stochastic rounding by a port of random bits: golden's convention, alone and as a code of the rounding port."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from polymac import golden, hdl, sim

FLOATS = [
    {"a": "fp8_e4m3", "b": "fp8_e4m3", "random_bits": 4},
    {"a": "fp8_e5m2", "b": "fp8_e5m2", "random_bits": 1},
    {"a": "fp8_e4m3", "b": "fp8_e5m2", "out": "fp8_e4m3", "random_bits": 3, "subnormals": "flush"},
    {"a": "fp4_e2m1", "b": "fp6_e3m2", "out": "e2m1", "random_bits": 6, "overflow": "saturate"},
    {"a": "fp6_e2m3", "b": "fp6_e2m3", "out": "fp8_e4m3fnuz", "random_bits": 7},
    {"a": "int4", "b": "fp6_e2m3", "out": "fp6_e3m2", "random_bits": 5, "flags": False},
    {"a": "e0m3", "b": "e0m4", "out": "e0m3", "random_bits": 2},
    {"a": "fp8_e4m3", "b": "fp4_e2m1", "out": "fp32", "random_bits": 2},
]
FIXED = [
    {"a": "q4.4", "b": "q4.4", "out": "q4.4", "random_bits": 2},
    {"a": "q2.4", "b": "q2.4", "out": "q2.4", "random_bits": 8},
    {"a": "uq1.5", "b": "q1.5", "out": "q1.1", "random_bits": 6, "overflow": "wrap"},
    {"a": "uint4", "b": "uq2.4", "out": "uq3.0", "random_bits": 4},
    {"a": "fp6_e3m2", "b": "fp4_e2m1", "out": "q4.2", "random_bits": 3},
    {"a": "bin1", "b": "q2.6", "out": "q2.2", "random_bits": 6},
    {"a": "int4", "b": "int4", "out": "q10.2", "random_bits": 3},
]
PORTS = [
    {"a": "fp6_e3m2", "b": "fp6_e2m3", "out": "fp6_e3m2", "random_bits": 4},
    {"a": "q2.4", "b": "q2.3", "out": "q2.2", "random_bits": 4},
]
LARGE = [
    {"a": "fp16", "b": "fp16", "stages": 3},
    {"a": "fp32", "b": "fp32"},
    {"a": "bf16", "b": "bf16", "random_bits": 24, "subnormals": "flush", "stages": 1},
    {"a": "fp32", "b": "int8", "out": "fp16", "random_bits": 50},
    {"a": "int16", "b": "q4.20", "out": "int16", "stages": 4},
]


def test_all_operands_and_all_random_words(check: Any) -> None:
    units = [hdl.Multiplier(rounding="stochastic", **options) for options in [*FLOATS, *FIXED]]
    assert check(units) > 1 << 21


def test_a_code_of_the_rounding_port(check: Any) -> None:
    check([hdl.Multiplier(rounding="port", **options) for options in PORTS])


@pytest.mark.slow
def test_large_formats_and_pipelines(check: Any) -> None:
    check([hdl.Multiplier(rounding="stochastic", **options) for options in LARGE])


@pytest.mark.parametrize(
    ("options", "bits"),
    [
        ({"a": "fp16", "b": "fp16"}, 11),
        ({"a": "fp8_e4m3", "b": "fp8_e4m3"}, 8),
        ({"a": "fp64", "b": "fp64"}, 32),
        ({"a": "q4.12", "b": "q4.12", "out": "q4.8"}, 16),
        ({"formats": ("fp16", "bf16")}, 11),
        ({"a": "int8", "b": "int8", "out": "int8"}, 8),
    ],
)
def test_default_number_of_random_bits(options: dict[str, Any], bits: int) -> None:
    unit = hdl.Multiplier(rounding="stochastic", **options)
    assert unit.random_bits == bits
    assert {port.name: port.width for port in unit.ports}["random"] == bits


def test_every_word_once_gives_the_probability() -> None:
    """A product between two numbers is rounded up by its rest's share of all words."""
    unit = hdl.Multiplier(a="fp8_e4m3", b="e4m5", out="e5m4", rounding="stochastic", random_bits=4)
    a, b = (golden.encode([value], fmt)[0] for value, fmt in ((1.125, "fp8_e4m3"), (1.03125, "e4m5")))
    words = np.arange(16)
    y = sim.Model.build(hdl.generate(unit)).evaluate({"a": words * 0 + a, "b": words * 0 + b, "random": words})["y"]
    below = golden.encode([1.125], "e5m4")[0]
    # 1.125 * 1.03125 = 1.16015625 = (18 + 0.5625) / 16, and 0.5625 of 16 words are 9.
    assert sorted(set(y.tolist())) == [int(below), int(below) + 1]
    assert int((y == below + 1).sum()) == 9


def test_a_port_without_random_bits_is_as_it_was() -> None:
    unit = hdl.Multiplier(a="fp16", b="fp16", rounding="port")
    assert "random" not in {port.name for port in unit.ports}


@pytest.mark.parametrize("options", [FLOATS[0], FIXED[0]])
def test_a_lost_random_bit_is_seen(options: dict[str, Any], break_unit: Any) -> None:
    unit = hdl.Multiplier(rounding="stochastic", **options)
    broken = break_unit(unit, r"\+ random\b", "+ (random & ~1'h1)")
    assert not sim.verify(unit, design=broken).passed
