"""Every unit against golden; and each checker seen to fail on a broken copy."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from polymac import hdl, sim


@pytest.mark.parametrize(
    "options",
    [
        {"a": "int8", "b": "int8"},
        {"a": "uint7", "b": "int8", "stages": 3},
        {"a": "q4.4", "b": "q2.6", "out": "q4.4"},
        {"a": "q4.4", "b": "uq0.8", "out": "q3.3", "rounding": "rna", "overflow": "wrap", "stages": 2},
        {"a": "int64", "b": "uint64"},
        {"a": "int33", "b": "uint64", "out": "int40", "rounding": "rtz"},
        *({"a": "fp8_e5m2", "b": "fp8_e5m2", "rounding": mode} for mode in ("rne", "rtz", "rdn", "rup", "rna")),
        {"a": "fp8_e4m3", "b": "fp8_e5m2", "out": "fp8_e4m3", "subnormals": "flush"},
        {"a": "fp8_e4m3", "b": "fp8_e4m3", "overflow": "saturate", "stages": 1},
        {"a": "fp4_e2m1", "b": "fp6_e3m2", "out": "fp6_e2m3", "flags": False},
        {"a": "fp16", "b": "fp16", "stages": 2},
        {"a": "bf16", "b": "bf16", "rounding": "rup"},
        {"a": "fp16", "b": "bf16", "out": "fp32"},
        {"a": "e6m9", "b": "e3m4", "out": "e5m7"},
    ],
    ids=lambda options: "-".join(str(value) for value in options.values()),
)
def test_multiplier(options: dict[str, object]) -> None:
    result = sim.verify(hdl.Multiplier(**options), vectors=None if "8" in str(options["a"]) else 100_000)
    assert result.passed, result.details
    assert result.checked >= 100_000 or result.how.startswith("all")


def test_every_operand_pair_of_every_integer_format_up_to_8_bits() -> None:
    """All pairs of all 14 × 14 formats, in one model."""
    import numpy as np

    from polymac import golden
    from polymac.sim.packing import operand_pairs

    names = [f"{sign}int{width}" for sign in ("", "u") for width in range(2, 9)]
    units = [hdl.Multiplier(a=a, b=b) for a in names for b in names]
    model = sim.Model.build([hdl.generate(unit, f"m{index}") for index, unit in enumerate(units)])
    inputs, expected = {}, {}
    for index, unit in enumerate(units):
        ((a, b),) = operand_pairs(unit.a_format.width, unit.b_format.width)
        inputs[f"m{index}"] = {"a": a, "b": b}
        expected[f"m{index}"] = golden.multiply(a, b, unit.a_format, unit.b_format)
    for name, outputs in model.evaluate_all(inputs).items():
        assert np.array_equal(outputs["y"], expected[name]), name


def test_requantizer() -> None:
    for unit in (hdl.Requantizer(), hdl.Requantizer(out="uint4", relu=True, stages=2)):
        result = sim.verify(unit, vectors=200_000)
        assert result.passed, result.details


@pytest.mark.parametrize(
    "unit",
    [
        hdl.Mac(a="int8", b="int4", lanes=3, stages=2),
        hdl.Mac(a="uint8", b="uint8", acc="uint17", overflow="saturate"),
        hdl.Array(a="int8", b="int8", rows=4, cols=3),
        hdl.Array(a="int4", b="uint8", rows=1, cols=1),
        hdl.Array(a="q2.3", b="int4", rows=3, cols=5, lanes=2, stages=2, acc="q8.3", overflow="saturate"),
        hdl.Array(a="int3", b="int3", rows=18, cols=17, stages=1),
    ],
    ids=lambda unit: unit.kind,
)
def test_cocotb(unit: hdl.Unit, tmp_path: Path) -> None:
    result = sim.verify(unit, vectors=600, folder=tmp_path)
    assert result.passed, result.details
    assert result.junit is not None and result.junit.exists()


def test_pipelined_multiplier_with_stalls_and_waves(tmp_path: Path) -> None:
    result = sim.verify(hdl.Multiplier(a="fp16", b="fp16", stages=3), vectors=300, waves=True, folder=tmp_path)
    assert result.passed, result.details
    assert result.waves is not None and result.waves.stat().st_size > 1000


def _broken(unit: hdl.Unit, before: str, after: str) -> hdl.Design:
    design = hdl.generate(unit, f"broken_{unit.kind}")
    assert design.verilog.count(before) >= 1
    return dataclasses.replace(design, verilog=design.verilog.replace(before, after, 1))


#: 1 is added where a is -123.
FAULT = "$signed(a) * $signed(b) + $signed({15'h0, a == 8'h85})"


def test_native_checker_fails_on_a_broken_multiplier() -> None:
    unit = hdl.Multiplier(a="int8", b="int8")
    result = sim.verify(unit, design=_broken(unit, "$signed(a) * $signed(b)", FAULT))
    assert not result.passed
    assert result.mismatches == 256
    assert result.details[0] == "a=0x85 (-123), b=0x0 (0): hardware y=0x1 (1), golden y=0x0 (0)"
    assert result.reproduce == "polymac verify multiplier --a int8 --b int8 --stages 0 --seed 1"


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        ("$signed(a) * $signed(b)", "$signed(a) + $signed(b)", "c_data"),
        ("clear ? ", "1'b0 ? ", "c_data"),
        ("assign a_ready = ", "assign a_ready = a_last | ", "a_ready"),
        ("assign c_last = ", "assign c_last = 1'b0 & ", "c_last"),
    ],
)
def test_array_bench_fails_on_a_broken_array(before: str, after: str, message: str, tmp_path: Path) -> None:
    unit = hdl.Array(a="int8", b="int8", rows=2, cols=2)
    result = sim.verify(unit, vectors=200, folder=tmp_path, design=_broken(unit, before, after))
    assert not result.passed
    assert message in result.details[0]


def test_gemm_of_any_shape_and_digits(tmp_path: Path) -> None:
    from polymac.sim import digits

    result = digits.run(rows=8, cols=8, folder=tmp_path)
    assert result.mismatches == 0
    assert result.results_compared == 899 * (64 + 64 + 10)
    assert result.accuracy_rtl == result.accuracy_golden > 0.94
    assert abs(result.accuracy_golden - result.accuracy_float) < 0.01
