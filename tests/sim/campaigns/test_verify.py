"""Every unit against golden; and each checker seen to fail on a broken copy."""

from __future__ import annotations

import dataclasses
import pickle
import re
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest

from polymac import golden, hdl, sim
from polymac.golden import ParameterError
from polymac.sim.apps import digits
from polymac.sim.engine import cocotb_run
from polymac.sim.engine.packing import operand_pairs
from polymac.sim.units.job import BenchResult


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
def test_multiplier(options: dict[str, Any]) -> None:
    result = sim.verify(hdl.Multiplier(**options), vectors=None if "8" in str(options["a"]) else 100_000)
    assert result.passed, result.details
    assert result.checked >= 100_000 or result.coverage.startswith("all")


def test_every_operand_pair_of_every_integer_format_up_to_8_bits() -> None:
    """All pairs of all 14 × 14 formats, in one model."""
    names = [f"{sign}int{width}" for sign in ("", "u") for width in range(2, 9)]
    units = [hdl.Multiplier(a=a, b=b) for a in names for b in names]
    model = sim.Model.build(hdl.generate_all({f"m{index}": unit for index, unit in enumerate(units)}))
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
        hdl.Requantizer(acc="int8", out="int64"),
        hdl.Requantizer(acc="int2", out="uint64", relu=True),
        hdl.Requantizer(acc="int64", out="int8", stages=1),
        hdl.Requantizer(acc="int64", out="uint64"),
    ],
    ids=lambda unit: f"{unit.acc_format}_{unit.out_format}",
)
def test_requantizer_of_any_widths(unit: hdl.Requantizer) -> None:
    """A zero point longer than the product, and a sum of accumulator and bias that is no int64."""
    result = sim.verify(unit, vectors=20_000)
    assert result.passed, result.details


@pytest.mark.parametrize(
    "unit",
    [
        hdl.Multiplier(a="fp8_e4m3", b="fp8_e5m2", out="fp8_e4m3"),
        hdl.Multiplier(a="int64", b="int40", stages=2),
        hdl.Requantizer(stages=1),
        hdl.Mac(a="int8", b="int4", lanes=3, stages=2),
        hdl.Mac(a="uint8", b="uint8", acc="uint17", overflow="saturate"),
        hdl.Array(a="int8", b="int8", rows=4, cols=3),
        hdl.Array(a="int4", b="uint8", rows=1, cols=1),
        hdl.Array(a="q2.3", b="int4", rows=3, cols=5, lanes=2, stages=2, acc="q8.3", overflow="saturate"),
        hdl.Array(a="int3", b="int3", rows=17, cols=2, stages=1),
        hdl.Array(a="int3", b="int3", rows=2, cols=18),
    ],
    ids=lambda unit: unit.kind,
)
def test_cocotb(unit: hdl.Unit, simulator: sim.Simulator, tmp_path: Path) -> None:
    result = sim.verify(unit, vectors=600, simulator=simulator.name, folder=tmp_path)
    assert result.passed, result.details
    assert result.checked >= 600
    assert result.simulator == str(simulator)
    assert result.junit is not None and result.junit.exists()


@pytest.mark.parametrize(
    "unit", [hdl.Multiplier(a="fp16", b="fp16", stages=3), hdl.Array(a="int8", b="int4", rows=2, cols=2)]
)
def test_waves_hold_what_was_driven(unit: hdl.Unit, simulator: sim.Simulator, vcd: Any, tmp_path: Path) -> None:
    result = sim.verify(unit, vectors=100, waves=True, simulator=simulator.name, folder=tmp_path)
    assert result.passed, result.details
    assert result.waves is not None
    changes = vcd.changes(result.waves, f"{unit.kind}_under_test")
    assert changes.keys() >= {port.name for port in unit.ports}
    for port in unit.ports:
        if port.role == "data" and port.direction == "input":
            assert len(changes[port.name]) > 40, port.name
            assert max(changes[port.name]) < 1 << port.width


def test_progress_of_a_cocotb_run(simulator: sim.Simulator, tmp_path: Path) -> None:
    calls: list[tuple[int, int]] = []
    unit = hdl.Array(a="int8", b="int8", rows=2, cols=2)
    result = sim.verify(
        unit, vectors=12_000, simulator=simulator.name, folder=tmp_path, progress=lambda *call: calls.append(call)
    )
    done = [call[0] for call in calls]
    assert {total for _, total in calls} == {result.cycles}
    assert done == sorted(done)
    assert (done[0], done[-1]) == (0, result.cycles)
    assert len(set(done)) >= 4


def test_a_cocotb_run_exceeds_its_limit(simulator: sim.Simulator, tmp_path: Path) -> None:
    with pytest.raises(sim.SimulationError) as error:
        sim.verify(hdl.Mac(a="int8", b="int8"), simulator=simulator.name, folder=tmp_path, limit=0.05)
    (log,) = tmp_path.glob("*/simulation.log")
    text = f"{simulator} must be done with mac_under_test in 0.05 s, not be at cycle 0 of 6001 then (log: {log})"
    assert str(error.value) == text


def _broken(unit: hdl.Unit, before: str, after: str) -> hdl.Design:
    design = hdl.generate(unit, f"broken_{unit.kind}")
    assert design.verilog.count(before) >= 1
    return dataclasses.replace(design, verilog=design.verilog.replace(before, after, 1))


#: 1 is added where a is -128.
FAULT = "a * b + $signed({15'h0, a == -8'sd128})"


def test_native_checker_fails_on_a_broken_multiplier() -> None:
    unit = hdl.Multiplier(a="int8", b="int8")
    result = sim.verify(unit, design=_broken(unit, "a * b;", f"{FAULT};"))
    assert not result.passed
    assert result.mismatches == 256
    assert len(result.details) == 5
    assert result.details[0] == "a=0x80 (-128), b=0x0 (0): hardware y=0x1 (1), golden y=0x0 (0)"
    assert result.reproduce == "polymac verify multiplier --a int8 --b int8 --architecture operator --seed 1"


def _told(result: sim.Verification) -> re.Match[str]:
    """The parts of the first detail of a unit; the JUnit result says the same, with the command."""
    assert result.junit is not None
    (failure,) = ElementTree.parse(result.junit).iter("failure")
    more = f"; {result.mismatches} in all; again with: {result.reproduce}"
    assert (failure.get("message") or failure.text) == result.details[0] + more
    parts = re.fullmatch(
        r"cycle (?P<cycle>\d+)(?:, (?P<place>[^:]*))?: (?P<given>a=.*): hardware (?P<got>.*), golden (?P<want>.*)",
        result.details[0],
    )
    assert parts is not None, result.details[0]
    return parts


def _numbers(text: str) -> list[int]:
    """The values in parentheses."""
    return [int(value) for value in re.findall(r"\((-?\d+)\)", text)]


@pytest.mark.parametrize("stages", [0, 2])
def test_unit_bench_tells_of_a_broken_multiplier(stages: int, simulator: sim.Simulator, tmp_path: Path) -> None:
    unit = hdl.Multiplier(a="int8", b="int8", stages=stages)
    design = _broken(unit, "a * b;", f"{FAULT};")
    result = sim.verify(unit, vectors=300, seed=3, simulator=simulator.name, folder=tmp_path, design=design)
    assert not result.passed
    assert 5 < result.mismatches < 60
    assert len(result.details) == 5
    parts = _told(result)
    a, b = _numbers(parts["given"])
    assert a == -128
    assert _numbers(parts["got"]) == [a * b + 1]
    assert parts["want"] == f"y={(a * b) & 0xFFFF:#x} ({a * b})"
    assert result.reproduce == (
        "polymac verify multiplier --a int8 --b int8 --architecture operator "
        f"{f'--stages {stages} ' if stages else ''}--seed 3 --vectors 300 --simulator {simulator.name}"
    )


def test_unit_bench_tells_of_broken_flags(simulator: sim.Simulator, tmp_path: Path) -> None:
    unit = hdl.Multiplier(a="fp8_e5m2", b="fp8_e5m2")
    design = _broken(unit, "assign flags = ", "assign flags = 5'h10 ^ ")
    result = sim.verify(unit, vectors=50, simulator=simulator.name, folder=tmp_path, design=design)
    assert result.mismatches == result.checked == 50
    got, want = (
        re.fullmatch(r"y=0x\w+ \(.*\), flags=(0x\w+) \((.*)\)", _told(result)[name]) for name in ("got", "want")
    )
    assert got is not None and want is not None
    assert int(got[1], 16) == int(want[1], 16) ^ golden.Flag.INVALID
    assert golden.Flag(int(want[1], 16)).name in (want[2], None)


def test_unit_bench_tells_of_a_broken_mac(simulator: sim.Simulator, tmp_path: Path) -> None:
    unit = hdl.Mac(a="int8", b="int4", lanes=2, stages=1)
    # The sum does not start over.
    design = _broken(unit, "start_1 ? ", "1'b0 ? ")
    result = sim.verify(unit, vectors=300, simulator=simulator.name, folder=tmp_path, design=design)
    assert not result.passed
    parts = _told(result)
    *operands, start = _numbers(parts["given"])
    assert len(operands) == 4
    assert "clear=0x1" in parts["given"]
    assert start == 0
    assert _numbers(parts["want"]) == [operands[0] * operands[2] + operands[1] * operands[3]]
    assert _numbers(parts["got"]) != _numbers(parts["want"])


def test_array_bench_tells_of_a_broken_product(simulator: sim.Simulator, tmp_path: Path) -> None:
    unit = hdl.Array(a="int8", b="int8", rows=2, cols=3, lanes=2)
    design = _broken(unit, "a_0 * b_0", "a_0 * b_0 + $signed({15'h0, a_0 == 8'h80})")
    result = sim.verify(unit, vectors=200, simulator=simulator.name, folder=tmp_path, design=design)
    assert not result.passed
    assert result.checked == result.cycles
    parts = _told(result)
    assert re.fullmatch(r"row [01] and column [012] of tile \d+ since reset", parts["place"])
    a, b = (_numbers(text) for text in parts["given"].split(", b="))
    assert len(a) == len(b)
    total = sum(p * q for p, q in zip(a, b, strict=True))
    assert _numbers(parts["want"]) == [total]
    assert _numbers(parts["got"]) == [total + a[::2].count(-128)]
    assert a[::2].count(-128) > 0


@pytest.mark.parametrize(
    ("before", "after", "text"),
    [
        ("assign a_ready = ", "assign a_ready = a_last | ", "hardware a_ready=1, golden a_ready=0"),
        ("assign b_ready = ", "assign b_ready = 1'b0 & ", "hardware b_ready=0, golden b_ready=1"),
        ("assign c_last = ", "assign c_last = 1'b0 & ", "hardware c_last=0, golden c_last=1"),
        ("assign c_valid = ", "assign c_valid = c_ready & ", "hardware c_valid=0, golden c_valid=1"),
    ],
)
def test_array_bench_tells_of_broken_streams(
    before: str, after: str, text: str, simulator: sim.Simulator, tmp_path: Path
) -> None:
    unit = hdl.Array(a="int8", b="int8", rows=2, cols=2)
    design = _broken(unit, before, after)
    result = sim.verify(unit, vectors=200, simulator=simulator.name, folder=tmp_path, design=design)
    assert not result.passed
    assert re.fullmatch(rf"cycle \d+: {text}", result.details[0])
    assert result.reproduce.startswith("polymac verify array --a int8 --b int8 ")
    assert result.reproduce.endswith(f" --seed 1 --vectors 200 --simulator {simulator.name}")


def test_a_bit_without_a_value_is_a_mismatch(tmp_path: Path) -> None:
    """Verilator knows only 0 and 1."""
    try:
        sim.find("icarus")
    except ParameterError as error:
        pytest.skip(str(error))
    unit = hdl.Multiplier(a="int2", b="int2")
    design = _broken(unit, "y = a * b", "y = $unsigned(a) == 2'h3 ? 4'b0x10 : a * b")
    result = sim.verify(unit, vectors=60, simulator="icarus", folder=tmp_path, design=design)
    assert result.details[0].partition("hardware ")[2].startswith("y=0b0X10, golden y=0x")
    array = hdl.Array(a="int8", b="int8", rows=2, cols=2)
    design = _broken(array, "assign c_last = ", "assign c_last = 1'bx & ")
    result = sim.verify(array, vectors=60, simulator="icarus", folder=tmp_path, design=design)
    assert not result.passed
    assert re.fullmatch(r"cycle \d+: hardware c_last=0bX, golden has no bit without a value", result.details[0])


@pytest.mark.parametrize(
    ("unit", "before", "after"),
    [
        (hdl.Multiplier(a="int8", b="int8"), "a * b;", f"{FAULT};"),
        (hdl.Mac(a="int8", b="int8"), "clear ? ", "1'b0 ? "),
        (hdl.Array(a="int8", b="int8", rows=2, cols=2), "first ? ", "1'b0 ? "),
    ],
    ids=lambda value: value.kind if isinstance(value, hdl.Unit) else "",
)
def test_both_simulators_say_the_same(unit: hdl.Unit, before: str, after: str, tmp_path: Path) -> None:
    try:
        sim.find("icarus")
    except ParameterError as error:
        pytest.skip(str(error))
    design = _broken(unit, before, after)
    first, second = (
        sim.verify(unit, vectors=300, simulator=name, folder=tmp_path, design=design)
        for name in ("icarus", "verilator")
    )
    assert not first.passed
    for name in ("passed", "checked", "mismatches", "cycles", "coverage", "details"):
        assert getattr(first, name) == getattr(second, name), name


@pytest.mark.parametrize(
    ("failure", "results"), [("it broke off", None), ("", None), ("its exit status is 3", BenchResult(600, 0, []))]
)
def test_a_bench_that_did_not_come_to_its_end_does_not_pass(
    failure: str, results: BenchResult | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = b"" if results is None else pickle.dumps(results)
    run = cocotb_run.CocotbRun(not failure, failure, written, tmp_path, tmp_path / "log", tmp_path / "junit", None)
    monkeypatch.setattr(cocotb_run, "run", lambda *_, **__: run)
    result = sim.verify(hdl.Mac(a="int8", b="int8"), simulator="verilator", folder=tmp_path)
    assert not result.passed
    assert result.details == [failure]


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"vectors": 0}, "vectors must be at least 1, not 0"),
        ({"seed": -1}, "seed must be at least 0, not -1"),
        ({"exhaustive": True, "vectors": 5}, "vectors must be left out with exhaustive, not 5"),
        ({"limit": 5}, "limit must be left out for multiplier natively, not 5: it is for cocotb"),
        ({"limit": 0, "waves": True}, "limit must be more than 0 seconds, not 0"),
        (
            {"exhaustive": True, "waves": True},
            "exhaustive must be left out for multiplier under cocotb, it is for multiplier and adder and dot natively",
        ),
        ({"exhaustive": True, "a": "int20", "b": "int20"}, "exhaustive must be for at most 36 operand bits, not 40"),
    ],
)
def test_bad_arguments(options: dict[str, Any], text: str, tmp_path: Path) -> None:
    unit = hdl.Multiplier(a=options.pop("a", "int8"), b=options.pop("b", "int8"))
    with pytest.raises(ParameterError) as error:
        sim.verify(unit, folder=tmp_path, **options)
    assert str(error.value) == text


def test_gemm_of_any_shape_and_digits(tmp_path: Path) -> None:
    result = digits.run(rows=8, cols=8, folder=tmp_path)
    assert result.mismatches == 0
    assert result.results_compared == 899 * (64 + 64 + 10)
    assert result.accuracy_rtl == result.accuracy_golden > 0.94
    assert abs(result.accuracy_golden - result.accuracy_float) < 0.01
