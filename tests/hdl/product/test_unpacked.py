"""Products that are neither normalised nor rounded, the elements and scales of blocks, and products of single bits."""

from __future__ import annotations

import itertools
import random
from typing import Any

import numpy as np
import pytest

from polymac import golden, hdl, sim
from polymac.sim.engine.packing import operand_pairs

SMALL = ["fp8_e5m2", "fp8_e4m3", "fp8_e4m3fnuz", "fp6_e3m2", "fp6_e2m3", "fp4_e2m1", "e8m0", "e5m0", "e0m3"]
MIXED = ["int4", "uint5", "q2.3", "bin1"]
BLOCKS = golden.BLOCK_FORMATS.values()


PAIRS = [*itertools.combinations_with_replacement(SMALL, 2), *itertools.product(MIXED, SMALL[::2])]
#: Each with subnormals read and flushed; a seeded order mixes the kinds.
UNITS = [hdl.Multiplier(a=a, b=b, out="unpacked", subnormals=how) for a, b in PAIRS for how in ("full", "flush")]
random.Random(2).shuffle(UNITS)
FIRST = 12


def test_pairs_are_golden(check: Any) -> None:
    assert check(UNITS[:FIRST]) > 1 << 16


@pytest.mark.slow
def test_all_pairs_are_golden(check: Any) -> None:
    assert check(UNITS[FIRST:]) > 40 << 12


@pytest.mark.parametrize(
    ("a", "b"), [("fp8_e4m3", "fp8_e4m3"), ("fp8_e5m2", "fp4_e2m1"), ("int4", "fp6_e2m3"), ("e8m0", "fp4_e2m1")]
)
def test_what_the_ports_say_is_the_product(a: str, b: str) -> None:
    """The documented formula, in float64, which holds all these products."""
    unit = hdl.Multiplier(a=a, b=b, out="unpacked")
    ((x, y),) = operand_pairs(unit.a_format.width, unit.b_format.width)
    got = sim.Model.build(hdl.generate(unit)).evaluate({"a": x, "b": y})
    fmt = golden.unpacked_product(a, b)
    significand, exponent = got["significand"].astype(float), got["exponent"].astype(int)
    product = np.where(got["sign"], -1.0, 1.0) * np.ldexp(significand, exponent - fmt.bias)
    with np.errstate(invalid="ignore"):
        want = golden.decode(x, unit.a_format) * golden.decode(y, unit.b_format)
    never = np.zeros(len(x), np.uint8)
    nan, inf = (got.get(name, never).astype(bool) for name in ("nan", "inf"))
    assert np.array_equal(nan, np.isnan(want))
    assert np.array_equal(inf, np.isinf(want))
    finite = ~nan & ~inf
    assert np.array_equal(product[finite], want[finite])
    assert np.array_equal(np.signbit(product[finite]), np.signbit(want[finite]))
    assert f"2**(exponent - {fmt.bias})" in hdl.generate(unit).verilog.splitlines()[0]


def test_wide_significands(check: Any) -> None:
    units = [
        hdl.Multiplier(a=a, b=b, out="unpacked") for a, b in (("fp32", "fp32"), ("fp16", "int16"), ("bin1", "tf32"))
    ]
    check(units)


@pytest.mark.parametrize("kind", ["element", "scale"])
def test_elements_and_scales_of_every_block_format(kind: str, check: Any) -> None:
    """As numbers of the exact format, and the un-normalised ones that need no rounder."""
    formats = {getattr(block, kind): block.name for block in BLOCKS}
    assert len(formats) > 2
    units = [hdl.Multiplier(a=fmt, b=fmt, out="exact") for fmt in formats]
    floats = [fmt for fmt in formats if fmt.kind == "float"]
    units += [hdl.Multiplier(a=fmt, b=fmt, out="unpacked") for fmt in floats]
    check(units)
    for unit in units[len(formats) :]:
        a, b = unit.a_format, unit.b_format
        ((x, y),) = operand_pairs(a.width, b.width)
        product = golden.multiply_unpacked(x, y, a, b)
        assert product.fmt == golden.unpacked_product(a, b)


def test_small_floats_as_fixed_point(check: Any) -> None:
    """An exact product of small floats is a fixed-point number too: the flags say that nothing was lost."""
    wide = {"fp4_e2m1": "q7.2", "fp6_e2m3": "q7.6", "fp6_e3m2": "q11.8", "fp8_e4m3": "q19.18"}
    units = [hdl.Multiplier(a=name, b=name, out=out) for name, out in wide.items() if name != "fp8_e4m3"]
    check(units)
    for unit in units:
        ((x, y),) = operand_pairs(unit.a_format.width, unit.b_format.width)
        _, flags = golden.multiply(x, y, unit.a_format, unit.b_format, out=unit.out_format, flags=True)
        assert not flags.any()


def test_the_product_of_two_exponent_only_scales_is_an_adder() -> None:
    verilog = hdl.generate(hdl.Multiplier(a="e8m0", b="e8m0", out="unpacked"), "scale").verilog
    assert " * " not in verilog.split("endmodule")[0].split("\nmodule")[1]
    assert "scale_product" not in verilog
    assert verilog.count(" + ") == 1


def test_the_product_of_two_bits_is_an_exclusive_nor() -> None:
    verilog = hdl.generate(hdl.Multiplier(a="bin1", b="bin1"), "xnor_gate").verilog
    code = "".join(line for line in verilog.splitlines(keepends=True) if not line.startswith("//"))
    gates = [line for line in code.splitlines() if "assign" in line and any(sign in line for sign in "^&|~")]
    assert all("^" in line or "~" in line for line in gates)
    assert sum(code.count(sign) for sign in ("^", "~^", "^~")) == 1


def test_ports_of_the_classes_that_there_are() -> None:
    def names(**options: Any) -> list[str]:
        return [port.name for port in hdl.Multiplier(out="unpacked", **options).ports if port.direction == "output"]

    plain = ["sign", "exponent", "significand"]
    assert names(a="fp4_e2m1", b="fp4_e2m1") == plain
    assert names(a="fp4_e2m1", b="int4", subnormals="flush") == [*plain, "zero"]
    assert names(a="fp8_e4m3", b="fp4_e2m1") == [*plain, "nan"]
    assert names(a="fp8_e5m2", b="fp4_e2m1", subnormals="flush") == [*plain, "zero", "inf", "nan"]
    assert names(a="e8m0", b="e8m0") == [*plain, "nan"]


@pytest.mark.parametrize(
    ("pattern", "fault"),
    [
        (r"assign exponent = (.*);", r"assign exponent = (\1) + 6'h01;"),
        (r"\.a\(a_significand\)", ".a(a_significand | 4'h1)"),
        (r"assign nan = (.*);", r"assign nan = (\1) & ~a[7];"),
    ],
)
def test_a_fault_is_seen(pattern: str, fault: str, break_unit: Any) -> None:
    unit = hdl.Multiplier(a="fp8_e4m3", b="fp8_e5m2", out="unpacked")
    assert not sim.verify(unit, design=break_unit(unit, pattern, fault)).passed
