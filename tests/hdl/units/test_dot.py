"""Dot products and multiply-accumulate units as modules: ports, latency, formula, what is shared, and bounds of sums."""

from __future__ import annotations

import itertools
import re
from fractions import Fraction
from typing import Any

import pytest

from polymac import golden, hdl
from polymac.golden.formats import BLOCK_FORMATS, FORMATS, PRESETS, Format, format
from polymac.hdl.sums.fixed import sum_bits
from polymac.hdl.sums.one_shot import OneShotSum

from ...catalogue import SAMPLED


def ports(unit: hdl.Unit) -> dict[str, tuple[str, int, int]]:
    return {port.name: (port.direction, port.width, port.elements) for port in unit.ports}


def test_ports() -> None:
    assert ports(hdl.Dot(a="mxfp4", b="fp16", lanes=8, acc="bf16", stages=2)) == {
        "clk": ("input", 1, 1),
        "rst": ("input", 1, 1),
        "a": ("input", 32, 8),
        "a_scale": ("input", 8, 1),
        "b": ("input", 128, 8),
        "c": ("input", 16, 1),
        "d": ("output", 16, 1),
        "en": ("input", 1, 1),
    }
    assert ports(hdl.Dot(a="fp8_e4m3", b="fp8_e5m2", acc="rounded:fp16", rounding="port", flags=True)) == {
        "a": ("input", 8, 1),
        "rounding_mode": ("input", 3, 1),
        "b": ("input", 8, 1),
        "c": ("input", 16, 1),
        "d": ("output", 16, 1),
        "flags": ("output", 5, 1),
    }
    assert ports(hdl.Dot(a="int4", b="int8", lanes=8, sparse=True, addend=False, max_k=8)) == {
        "a": ("input", 16, 4),
        "a_position": ("input", 8, 4),
        "b": ("input", 64, 8),
        "d": ("output", 15, 1),
    }
    assert ports(hdl.Mac(a="fp4_e2m1", b="fp4_e2m1", acc="exact")) == {
        "clk": ("input", 1, 1),
        "rst": ("input", 1, 1),
        "a": ("input", 4, 1),
        "b": ("input", 4, 1),
        "valid": ("input", 1, 1),
        "clear": ("input", 1, 1),
        "en": ("input", 1, 1),
        "acc": ("output", 32, 1),
    }


@pytest.mark.parametrize(
    ("options", "lanes"),
    [
        ({"a": "int8"}, 1),
        ({"a": "fp16"}, 1),
        ({"a": "fp16", "acc": "aligned:4:23"}, 4),
        ({"a": "mxfp4"}, 1),
        ({"a": "int8", "sparse": True}, 4),
        ({"a": "fp16", "acc": "aligned:1:23", "sparse": True}, 4),
        ({"a": "fp16", "acc": "aligned:8:23", "sparse": True}, 16),
    ],
)
def test_lanes_are_as_many_as_the_accumulator_takes(options: dict[str, Any], lanes: int) -> None:
    operands = {"b": options["a"]} | options
    units = [hdl.Dot(**operands), hdl.Mac(**operands)]
    if "sparse" not in options:
        units.append(hdl.Array(**operands, rows=2, cols=3))
    assert [(unit.accumulator.lanes, unit.parameters["lanes"]) for unit in units] == [(lanes, lanes)] * len(units)


@pytest.mark.parametrize(
    ("unit", "formula"),
    [
        (hdl.Dot(a="int8", b="int8"), "d = c + a * b, exact, then wrapped in int32"),
        (
            hdl.Dot(a="int8", b="int8", lanes=4, acc="int20", overflow="saturate", addend=False),
            "d = the sum of 4 products a * b, exact, then saturated in int20",
        ),
        (
            hdl.Dot(a="fp16", b="fp16", lanes=2),
            "d = c + the sum of 2 products a * b, rounded to fp32 after every product in order (rne)",
        ),
        (
            hdl.Dot(a="fp16", b="fp16", acc="rounded:fp16", rounding="port"),
            "d = c + a * b, rounded to fp16 after every product in order (by rounding_mode)",
        ),
        (
            hdl.Dot(a="fp8_e5m2", b="fp8_e5m2", lanes=2, acc="exact", out="fp16", max_k=65536),
            "d = the sum of 2 products a * b, exact in 66 bits, rounded once to fp16 (rne)",
        ),
        (
            hdl.Dot(a="mxfp4", b="mxfp4", lanes=32, acc="exact"),
            "d = the sum of 32 products a * b, exact in 14 bits times the scales, rounded once to fp32 (rne)",
        ),
        (
            hdl.Mac(a="fp4_e2m1", b="fp4_e2m1", lanes=4, acc="exact:rtz", out="bf16", max_k=16),
            "acc = (0 if clear else acc) + the sum of 4 products a * b, "
            "exact in 13 bits for K up to 16, rounded once to bf16 (rtz)",
        ),
        (
            hdl.Mac(a="mxfp4", b="mxfp4", lanes=8),
            "acc = (0 if clear else acc) + the sum of 8 products a * b, "
            "rounded to fp32 after every 8 products in order (rne)",
        ),
    ],
)
def test_formula(unit: hdl.Unit, formula: str) -> None:
    assert unit.formula == formula


@pytest.mark.parametrize("interleave", [1, 4])
@pytest.mark.parametrize("stages", [0, 3])
def test_latency(stages: int, interleave: int) -> None:
    assert hdl.Dot(a="fp16", b="fp16", stages=stages).latency == stages
    assert hdl.Mac(a="fp16", b="fp16", stages=stages, interleave=interleave).latency == stages + interleave


@pytest.mark.parametrize(
    ("name", "bits"),
    [
        ("fp4_e2m1", 8),
        ("fp6_e2m3", 12),
        ("fp6_e3m2", 18),
        ("fp8_e4m3", 36),
        ("fp8_e5m2", 64),
        ("fp16", 80),
        ("bf16", 522),
    ],
)
def test_bits_of_exact_sums(name: str, bits: int) -> None:
    """Magnitude bits of one product, as the literature has them, then the carries of K products and a sign."""
    fmt = format(name)
    for count, carries in ((1, 0), (2, 1), (65536, 16)):
        assert sum_bits(fmt, fmt, count)[0] == bits + carries + 1


@pytest.mark.parametrize(
    ("name", "lanes", "bits"),
    [("mxfp4", 32, 14), ("mxint8", 32, 21), ("mxfp8_e4m3", 32, 42), ("nvfp4", 16, 13 + 4 + 4), ("msfp11", 16, 9)],
)
def test_bits_of_the_exact_sum_of_a_beat(name: str, lanes: int, bits: int) -> None:
    """Those of the elements, and of the scales' significands, but none for the range of the scales."""
    accumulator = hdl.Dot(a=name, b=name, lanes=lanes, acc="exact").accumulator
    assert isinstance(accumulator, OneShotSum)
    assert (accumulator.sum_bits, accumulator.parameters["force_wide"]) == (bits, False)
    assert not accumulator.state_is_encoded


SCALARS = [*SAMPLED, "int2", "int8", "uint8", "q4.4", "uq0.8", "e0m3"]


def extremes(fmt: Format) -> tuple[Fraction, Fraction]:
    """The least and the greatest finite number."""
    if fmt.kind == "fixed":
        return Fraction(fmt.min_int, 1 << fmt.frac_bits), fmt.max
    return (-fmt.max if fmt.kind == "binary" or fmt.signed else Fraction(0)), fmt.max


@pytest.mark.parametrize("count", [1, 2, 3, 8, 128])
@pytest.mark.parametrize(("a", "b"), [*((name, name) for name in SCALARS), ("fp16", "int8"), ("bin1", "fp8_e4m3")])
def test_no_exact_sum_overflows(a: str, b: str, count: int) -> None:
    """A sum is linear in every product, and a product in every factor: no sum is beyond those of the extremes.

    Those are numbers of the bits that a sum gets, and so is the least product.
    """
    fa, fb = format(a), format(b)
    width, quantum = sum_bits(fa, fb, count)
    unit = Fraction(2) ** quantum
    for x, y in itertools.product(extremes(fa), extremes(fb)):
        total = count * x * y / unit
        assert total.denominator == 1
        assert -(1 << (width - 1)) <= total < 1 << (width - 1)
    least = fa.min_positive * fb.min_positive / unit
    assert least.denominator == 1 and least >= 1


@pytest.mark.parametrize(
    ("a", "b", "acc"),
    [("int8", "int8", "int20"), ("int4", "uint8", "int16"), ("bin1", "bin1", "int8"), ("bin1", "int4", "int9")],
)
def test_products_that_a_fixed_point_accumulator_holds(a: str, b: str, acc: str) -> None:
    assert hdl.Mac(a=a, b=b, acc=acc).accumulator.exact_k == golden.exact_k(a, b, acc)


def test_equal_lanes_share_a_module() -> None:
    verilog = hdl.generate(hdl.Dot(a="fp16", b="fp16", lanes=4, acc="aligned:2:24"), "shared").verilog
    modules = re.findall(r"(?m)^module (\w+)", verilog)
    assert len(modules) == len(set(modules)) and all(name.startswith("shared") for name in modules)
    assert len(re.findall(r"(?m)^  shared_lane lane_", verilog)) == 4
    assert len(re.findall(r"(?m)^  shared_aligned_add block_", verilog)) == 2


def test_single_bits_are_counted_not_multiplied() -> None:
    verilog = hdl.generate(hdl.Dot(a="bin1", b="bin1", lanes=8), "bits").verilog
    assert "*" not in re.sub(r"(?m)//.*$", "", verilog)
    assert "agree = ~(a ^ b);" in verilog


@pytest.mark.parametrize("name", [*FORMATS, *BLOCK_FORMATS])
def test_every_format_has_a_dot_product_and_a_mac(name: str) -> None:
    dot, mac = hdl.Dot(a=name, b=name, lanes=2), hdl.Mac(a=name, b=name, lanes=2)
    assert dot.accumulator.products == mac.accumulator.products == 2
    assert dot.parameters["acc"] == mac.parameters["acc"]


@pytest.mark.parametrize("name", PRESETS)
def test_every_preset_is_a_unit(name: str) -> None:
    unit = hdl.Dot(**hdl.preset_parameters(name))
    assert unit.accumulator.products == PRESETS[name].lanes
    assert hdl.command_line("generate", unit).startswith(f"polymac generate dot --a {PRESETS[name].a} ")
