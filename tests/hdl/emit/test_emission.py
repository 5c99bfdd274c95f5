"""Generated Verilog is the netlist that Amaranth makes of the unit: proven, not sampled."""

from __future__ import annotations

import dataclasses
import re

import pytest

from polymac import hdl

from ...conftest import load_script
from ..conftest import UNITS
from .emission import is_equal, netlist_of

#: Those whose proof takes a second or two.
QUICK = ("integers", "fixed_rounded", "mac", "requantizer")
EVERY: dict[str, hdl.Unit] = {
    **UNITS,
    **{f"fault_{name}": make() for name, make in load_script("campaigns/faults").UNITS.items()},
    **{re.sub(r"\W+", "_", f"priced {case.name}"): case.make() for case in load_script("bench/qor").CASES.values()},
    "array_os": hdl.Array(a="int8", b="int8", rows=2, cols=2),
    "array_ws": hdl.Array(a="int8", b="int8", rows=2, cols=2, dataflow="ws"),
    "array_os_exact": hdl.Array(a="fp8_e4m3", b="fp8_e4m3", rows=2, cols=2, acc="exact"),
    "array_ws_rounded": hdl.Array(a="fp8_e4m3", b="fp8_e5m2", rows=2, cols=3, dataflow="ws", acc="fp32"),
    "requantizer_unsigned": hdl.Requantizer(acc="int20", out="uint8", stages=5),
}


@pytest.mark.parametrize(
    "name", [name if name in QUICK else pytest.param(name, marks=pytest.mark.slow) for name in EVERY]
)
def test_equal_to_the_netlist(name: str) -> None:
    unit = EVERY[name]
    assert is_equal(hdl.generate(unit, name), netlist_of(unit, name), timeout=600)


@pytest.mark.parametrize(
    ("correct", "wrong"),
    [
        (r"\bsticky \| kept\[0\]", "sticky"),
        (r"else if \(en\) begin", "else begin"),
        (r"\.code\(b\)", ".code(a)"),
        (r"reg sign_1 = 1'b0;", "reg sign_1 = 1'b1;"),
        (r"mul_unpack_v2 unpack_b", "mul_unpack unpack_b"),
    ],
    ids=["logic", "enable", "connection", "power-up", "module"],
)
def test_a_difference_is_found(correct: str, wrong: str) -> None:
    unit = hdl.Multiplier(a="fp4_e2m1", b="fp6_e3m2", out="fp8_e4m3", stages=2)
    design = hdl.generate(unit, "mul")
    verilog, count = re.subn(correct, wrong, design.verilog)
    assert count
    assert not is_equal(dataclasses.replace(design, verilog=verilog), netlist_of(unit, "mul"), timeout=60)
