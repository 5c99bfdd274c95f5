"""Fused multiply-adds with all rounding modes by a port, and the IEEE flags, against golden and Berkeley SoftFloat."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from polymac import hdl, sim
from polymac.golden.formats import ROUNDINGS, Flag
from polymac.sim.units import entry_of

FUSED: dict[str, Any] = {"rounding": "port", "flags": True}
#: SoftFloat's names of the modes, in the order of the port's codes.
SOFTFLOAT_MODES = ("NEAR_EVEN", "MIN_MAG", "MIN", "MAX", "NEAR_MAX_MAG")


#: Units whose operands are all tried, and others.
SHORT = {
    f"{a}_{acc}": hdl.Dot(a=a, b=a, acc=f"rounded:{acc}", **FUSED)
    for a, acc in (("fp4_e2m1", "fp8_e5m2"), ("fp4_e2m1", "fp8_e4m3"), ("e2m1", "e2m2"))
}
FP16 = hdl.Dot(a="fp16", b="fp16", acc="rounded:fp16", **FUSED)
LONG = {
    "fp16": FP16,
    "bf16": hdl.Dot(a="bf16", b="bf16", acc="rounded:bf16", overflow="saturate", stages=5, **FUSED),
    "lanes": hdl.Dot(a="fp8_e4m3", b="fp8_e5m2", lanes=3, acc="rounded:fp16", stages=2, **FUSED),
    "sparse": hdl.Dot(a="fp16", b="int8", lanes=4, sparse=True, acc="rounded:fp16:rup", flags=True),
    "scaled": hdl.Dot(a="mxfp4", b="mxfp4", lanes=8, acc="rounded:bf16", rounding="port", stages=3),
    "blocks": hdl.Dot(a="fp8_e5m2", b="fp8_e5m2", lanes=4, acc="rounded:bf16:rne:2", rounding="port", addend=False),
}


@pytest.fixture(scope="module")
def model() -> sim.Model:
    """All of them in one."""
    return sim.Model.build(hdl.generate_all(SHORT | LONG))


@pytest.mark.parametrize("name", SHORT)
def test_all_operands_of_short_formats(name: str, model: sim.Model) -> None:
    for inputs in entry_of(SHORT[name]).operand_sets(SHORT[name], None):
        assert_equal(model.evaluate_all({name: inputs})[name], entry_of(SHORT[name]).expected(SHORT[name], inputs))


@pytest.mark.parametrize("name", LONG)
def test_random_operands(name: str, model: sim.Model) -> None:
    for inputs in entry_of(LONG[name]).operand_sets(LONG[name], 30_000, seed=2):
        assert_equal(model.evaluate_all({name: inputs})[name], entry_of(LONG[name]).expected(LONG[name], inputs))


def assert_equal(found: dict[str, Any], expected: dict[str, Any]) -> None:
    for port, codes in expected.items():
        np.testing.assert_array_equal(found[port], codes, port)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["fp16", "bf16", "tf32", "fp32"])
def test_ten_million_operands(name: str) -> None:
    result = sim.verify(hdl.Dot(a=name, b=name, acc=f"rounded:{name}", **FUSED), vectors=10_000_000, seed=7)
    assert result.passed, result.details


@pytest.mark.slow
def test_all_operands_of_e4m3() -> None:
    """2^27 of them."""
    result = sim.verify(hdl.Dot(a="fp8_e4m3", b="fp8_e4m3", acc="rounded:fp8_e4m3", **FUSED), exhaustive=True)
    assert result.passed, result.details


def test_each_flag(model: sim.Model) -> None:
    """Of sums that anybody can follow."""
    one, huge, inf, signaling, least = 0x3C00, 0x7BFF, 0x7C00, 0x7C01, 0x0001
    cases = {
        (one, one, one): 0,
        (huge, huge, one): Flag.OVERFLOW | Flag.INEXACT,
        (inf, 0, 0x7E00): Flag.INVALID,
        (inf, one, inf | 0x8000): Flag.INVALID,
        (one, one, signaling): Flag.INVALID,
        (least, least, 0): Flag.UNDERFLOW | Flag.INEXACT,
        (least, one, least): 0,
        (one, one, least): Flag.INEXACT,
    }
    a, b, c = (np.array(codes, np.uint16) for codes in zip(*cases, strict=True))
    modes = np.full(len(cases), ROUNDINGS.index("rne"), np.uint8)
    found = model.evaluate_all({"fp16": {"a": a, "b": b, "c": c, "rounding_mode": modes}})["fp16"]
    assert found["flags"].tolist() == [int(value) for value in cases.values()]


def test_a_lost_flag_and_a_wrong_mode_are_seen() -> None:
    unit = hdl.Dot(a="e2m1", b="e2m1", acc="rounded:e2m2", **FUSED)
    broken = []
    for name, text, wrong in (
        ("lost", "assign flags = {invalid, ", "assign flags = {1'b0, "),
        ("stuck", ".mode(mode)", ".mode(3'h0)"),
    ):
        design = hdl.generate(unit, name)
        broken.append(dataclasses.replace(design, verilog=design.verilog.replace(text, wrong)))
        assert broken[-1].verilog != design.verilog
    (inputs,) = entry_of(unit).operand_sets(unit, 20_000, seed=1)
    for found in sim.Model.build(broken).evaluate_all({"lost": inputs, "stuck": inputs}).values():
        with pytest.raises(AssertionError):
            assert_equal(found, entry_of(unit).expected(unit, inputs))


@pytest.mark.slow
def test_cocotb(simulator: sim.Simulator, tmp_path: Path) -> None:
    unit = hdl.Dot(a="fp8_e5m2", b="fp8_e5m2", lanes=2, acc="rounded:fp16", stages=3, **FUSED)
    result = sim.verify(unit, vectors=300, simulator=simulator.name, folder=tmp_path)
    assert result.passed, result.details
    assert result.checked >= 290


def test_like_softfloat(model: sim.Model) -> None:
    """Codes and flags of Berkeley SoftFloat, which is where the definitions of HardFloat come from."""
    sf = pytest.importorskip("softfloatpy", reason="softfloatpy is not installed")
    (inputs,) = entry_of(FP16).operand_sets(FP16, 20_000, seed=4)
    inputs["rounding_mode"] %= len(SOFTFLOAT_MODES)
    found = model.evaluate_all({"fp16": inputs})["fp16"]
    sf.set_tininess_mode(sf.TininessMode.AFTER_ROUNDING)
    codes, flags = [], []
    for *terms, mode in zip(*(inputs[name].tolist() for name in ("a", "b", "c", "rounding_mode")), strict=True):
        sf.set_rounding_mode(sf.RoundingMode[SOFTFLOAT_MODES[mode]])
        sf.set_exception_flags(0)
        result = sf.f16_mul_add(*(sf.Float16.from_bytes(code.to_bytes(2, "big")) for code in terms))
        codes.append(int.from_bytes(result.to_bytes(), "big"))
        flags.append(int(sf.get_exception_flags()))
    want = np.array(codes, np.uint16)
    # SoftFloat propagates a NaN operand's payload; ours is the default NaN.
    np.testing.assert_array_equal(found["d"], np.where(want & 0x7FFF > 0x7C00, np.uint16(0x7E00), want))
    np.testing.assert_array_equal(found["flags"], flags)
    assert len(set(flags)) >= 5
