"""Adders: every pair of small formats in every mode, larger ones next to where they could go wrong, and the interface."""

from __future__ import annotations

import dataclasses
from typing import Any

import ml_dtypes
import numpy as np
import pytest

from polymac import golden, hdl, sim
from polymac.golden import Flag, Format
from polymac.sim.units import entry_of

#: A float whose only NaN is the code of -0, so that its codes are not in the order of their magnitudes.
FNUZ = Format("e4m3fnuz", "float", 8, 3, bias=8, negative_zero="nan")

ALL_PAIRS: list[dict[str, Any]] = [
    *({"a": name, "subnormals": subnormals} for name in ("fp8_e4m3", "fp8_e5m2") for subnormals in ("full", "flush")),
    {"a": "fp4_e2m1"},
    {"a": FNUZ},
    {"a": "e0m4"},
    {"a": "fp8_e5m2", "overflow": "saturate", "flags": False},
    {"a": "fp6_e3m2", "b": "fp6_e2m3", "out": "fp8_e4m3"},
    {"a": "fp4_e2m1", "b": "fp8_e5m2", "out": "fp8_e5m2"},
    {"a": "fp4_e2m1", "b": "fp8_e4m3", "out": FNUZ, "overflow": "saturate"},
    {"a": "fp8_e4m3", "b": "int4", "out": "fp8_e4m3", "subnormals": "flush"},
    {"a": "int4", "b": "fp8_e5m2", "out": "fp16"},
    {"a": "e8m0", "b": "fp8_e4m3", "out": "bf16"},
    {"a": "int6", "b": "q2.3", "out": "fp4_e2m1"},
    {"a": "int8", "out": "int6"},
    {"a": "int8", "b": "q4.4", "out": "q5.2", "overflow": "wrap"},
    {"a": "fp4_e2m1", "b": "fp6_e2m3", "out": "q3.1"},
]
ONE_MODE: list[dict[str, Any]] = [
    {"a": "int8"},
    {"a": "uint5", "b": "q3.4"},
    {"a": "bin1"},
    {"a": "bin1", "b": "int4", "out": "bin1"},
    {"a": "fp4_e2m1", "b": "fp6_e2m3", "out": "bin1"},
    {"a": "posit8"},
    {"a": "posit8", "b": "fp8_e4m3", "out": "posit8"},
]


@pytest.mark.parametrize("part", range(4))
def test_all_pairs_in_every_mode(part: int, check: Any) -> None:
    units = [hdl.Adder(**options, rounding="port") for options in ALL_PAIRS[part::4]]
    assert check(units) == sum(1 << (3 + unit.a_format.width + unit.b_format.width) for unit in units)


def test_all_pairs(check: Any) -> None:
    units = [hdl.Adder(**options) for options in ONE_MODE]
    assert check(units) == sum(1 << (unit.a_format.width + unit.b_format.width) for unit in units)


def test_one_mode_is_that_mode(check: Any) -> None:
    modes = ("rne", "rtz", "rdn", "rup", "rna")
    units = [hdl.Adder(a=name, rounding=mode) for name in ("fp8_e4m3", "fp6_e3m2") for mode in modes]
    assert check(units) == 5 * ((1 << 16) + (1 << 12))


def test_sums_that_cancel_tie_or_lose_bits(check: Any) -> None:
    options: list[dict[str, Any]] = [
        {"a": "fp16", "rounding": "port"},
        {"a": "bf16", "rounding": "port"},
        {"a": "fp32", "rounding": "port"},
        {"a": "tf32", "subnormals": "flush"},
        {"a": "fp16", "b": "fp32", "out": "fp32"},
        {"a": "bf16", "b": "fp16", "out": "fp16", "rounding": "port"},
        {"a": "fp32", "b": "int16", "out": "fp16"},
        {"a": "fp16", "rounding": "stochastic"},
        {"a": "fp16", "b": "bf16", "out": "fp8_e4m3", "rounding": "stochastic", "random_bits": 12},
        {"a": "posit16"},
    ]
    assert check([hdl.Adder(**each) for each in options], vectors=100_000) == 100_000 * len(options)


def twin_sums(name: str, a: Any, b: Any) -> Any:
    """Codes of the sums by NumPy or ml_dtypes, NaN as ours."""
    fmt = golden.format(name)
    dtype = np.dtype(getattr(ml_dtypes, {"bf16": "bfloat16", "fp8_e4m3": "float8_e4m3fn"}.get(name, ""), None))
    dtype = {"fp16": np.dtype(np.float16), "fp32": np.dtype(np.float32)}.get(name, dtype)
    with np.errstate(all="ignore"):
        total = a.view(dtype) + b.view(dtype)
    return np.where(np.isnan(total), np.array(fmt.nan_code, a.dtype), total.view(a.dtype))


@pytest.mark.parametrize("name", ["fp16", "fp32", "bf16", "fp8_e4m3"])
def test_the_verilog_adds_like_numpy(name: str) -> None:
    unit = hdl.Adder(a=name)
    model = sim.Model.build(hdl.generate(unit, f"add_{name}"))
    for inputs in entry_of(unit).operand_sets(unit, 300_000, 5):
        found = model.evaluate(inputs)["y"]
        np.testing.assert_array_equal(found, twin_sums(name, inputs["a"], inputs["b"]))


@pytest.mark.parametrize("mode", ["NEAR_EVEN", "MIN_MAG", "MIN", "MAX", "NEAR_MAX_MAG"])
def test_the_verilog_adds_and_flags_like_softfloat(mode: str) -> None:
    softfloat = pytest.importorskip("softfloatpy")
    names = {"NEAR_EVEN": "rne", "MIN_MAG": "rtz", "MIN": "rdn", "MAX": "rup", "NEAR_MAX_MAG": "rna"}
    fmt = golden.format("fp32")
    unit = hdl.Adder(a=fmt, rounding=names[mode])
    model = sim.Model.build(hdl.generate(unit, "add"))
    (inputs,) = entry_of(unit).operand_sets(unit, 20_000, 11)
    found = model.evaluate(inputs)
    softfloat.set_rounding_mode(getattr(softfloat.RoundingMode, mode))
    for a, b, y, flags in zip(
        *(x.tolist() for x in (inputs["a"], inputs["b"], found["y"], found["flags"])), strict=True
    ):
        softfloat.set_exception_flags(0)
        want = softfloat.f32_add(
            softfloat.Float32.from_bytes(a.to_bytes(4, "big")), softfloat.Float32.from_bytes(b.to_bytes(4, "big"))
        )
        code = int.from_bytes(want.to_bytes(), "big")
        code = fmt.nan_code if code & fmt.magnitude_mask > (fmt.inf_code or 0) else code
        assert (y, flags) == (code, int(softfloat.get_exception_flags())), (hex(a), hex(b))


def test_registers(check: Any) -> None:
    kinds: list[dict[str, Any]] = [
        {"a": "fp4_e2m1"},
        {"a": "fp4_e2m1", "b": "int4", "out": "fp6_e3m2", "rounding": "port"},
        {"a": "int4", "b": "q2.2", "out": "q3.1", "rounding": "rup"},
        {"a": "int4"},
    ]
    units = [hdl.Adder(**options, stages=stages) for stages in range(8) for options in kinds]
    assert [unit.latency for unit in units] == [stages for stages in range(8) for _ in kinds]
    assert check(units)


def test_a_broken_adder_is_seen() -> None:
    unit = hdl.Adder(a="fp8_e4m3")
    design = hdl.generate(unit, "broken")
    text = design.verilog.replace("greater_sign ^ lesser_sign", "1'h0")
    assert text != design.verilog
    result = sim.verify(unit, design=dataclasses.replace(design, verilog=text))
    assert not result.passed and result.mismatches > 1000


def test_tiny_sums_of_one_format_raise_no_underflow() -> None:
    """They are exact, which is why their detection is left out of the hardware; flushed ones do raise it."""
    for subnormals, raised in (("full", False), ("flush", True)):
        unit = hdl.Adder(a="fp8_e4m3", subnormals=subnormals)
        (inputs,) = entry_of(unit).operand_sets(unit, None)
        flags = sim.Model.build(hdl.generate(unit, "add")).evaluate(inputs)["flags"]
        assert bool(np.any(flags & Flag.UNDERFLOW)) is raised


def test_what_the_header_says() -> None:
    unit = hdl.Adder(a="fp16")
    assert unit.formula == "y = a + b, rounded once (rne), overflow: ieee"
    assert unit.description == (
        "Rounding: to nearest, ties to even.",
        "Overflow: infinity (0x7c00).",
        "Subnormals: read and made.",
        "NaN: always 0x7e00; of a NaN operand, and of opposite infinities.",
        "Flags: bit 4 invalid, 2 overflow, 1 underflow (tiny after rounding), 0 inexact.",
    )
    exact = hdl.Adder(a="int8", b="uint4")
    assert (exact.formula, exact.description) == ("y = a + b, exact", ("Rounding: none, the sum is exact.",))


def test_the_command_that_makes_it() -> None:
    assert hdl.command_line("generate", hdl.Adder(a="int8", b="q4.4")) == "polymac generate adder --a int8 --b q4.4"
    unit = hdl.Adder(a="fp16", out="fp32", rounding="stochastic", stages=1, valid=True)
    assert unit.random_bits == 11 and "--random-bits 11" in hdl.command_line("verify", unit)


INT8, FP16 = {"a": "int8"}, {"a": "fp16"}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"a": "fp16", "b": "bf16"}, "out must be given where a and b differ, not left out with a=fp16 and b=bf16"),
        (FP16 | {"out": "exact"}, "fa must be a fixed-point or binary format, not fp16"),
        (FP16 | {"out": "int8"}, "out must be a format with NaN where a or b has one, not int8 with a=fp16 and b=fp16"),
        (INT8 | {"out": "e8m0"}, "out must be a format with sign and zero, not e8m0"),
        (INT8 | {"rounding": "rne"}, "rounding must be left out with an exact sum, not 'rne'"),
        (INT8 | {"rounding": "stochastic"}, "rounding must be left out with an exact sum, not 'stochastic'"),
        (
            INT8 | {"out": "int8", "overflow": "ieee"},
            "overflow must be one of saturate, wrap for fixed-point formats, not 'ieee'",
        ),
        (INT8 | {"flags": True}, "flags must be left out where out is no float, not True with int9"),
        (FP16 | {"valid": True}, "valid must be left out with stages=0, not True"),
        (FP16 | {"stages": 65}, "stages must be in 0 … 64, not 65"),
        (INT8 | {"stages": 21}, "stages must be at most 20, as many as can be balanced with a=int8 and b=int8, not 21"),
    ],
)
def test_errors(options: dict[str, Any], message: str) -> None:
    with pytest.raises(golden.ParameterError) as error:
        hdl.Adder(**options)
    assert str(error.value) == message
