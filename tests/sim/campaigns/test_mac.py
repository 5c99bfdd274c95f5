"""Multiply-accumulate units in every style against golden: sums that take turns, gaps, new starts; stalls under cocotb."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from polymac import golden, hdl, sim
from polymac.golden.formats import BLOCK_FORMATS, FORMATS
from polymac.sim.expected.sums import from_bus, mac_reference, to_bus
from polymac.sim.stimulus.macs import steps
from polymac.sim.units import entry_of

Options = dict[str, Any]

UNITS: list[Options] = [
    {"a": "int8", "b": "int8"},
    {"a": "int8", "b": "int4", "lanes": 3, "acc": "int14", "overflow": "saturate", "stages": 2, "interleave": 3},
    {"a": "uint8", "b": "uint8", "acc": "uint17", "overflow": "saturate", "stages": 1},
    {"a": "bin1", "b": "bin1", "lanes": 8, "acc": "int6", "interleave": 2},
    {"a": "int4", "b": "int4", "lanes": 8, "sparse": True, "acc": "int10", "stages": 3},
    {"a": "q4.4", "b": "uq0.8", "lanes": 2, "interleave": 4, "architecture": "tree"},
    {"a": "fp16", "b": "fp16", "stages": 2, "interleave": 4},
    {"a": "fp8_e4m3", "b": "fp8_e5m2", "acc": "bf16", "lanes": 2},
    {"a": "fp8_e4m3", "b": "fp8_e4m3", "acc": "rounded:fp16:rdn:2", "lanes": 4, "stages": 1, "interleave": 2},
    {"a": "fp4_e2m1", "b": "fp4_e2m1", "lanes": 4, "acc": "exact", "max_k": 10, "interleave": 3},
    {"a": "fp8_e5m2", "b": "fp8_e5m2", "lanes": 2, "acc": "exact:rdn", "out": "bf16", "max_k": 24, "stages": 1},
    {"a": "fp8_e5m2", "b": "fp8_e5m2", "lanes": 4, "acc": "aligned:4:13:13", "interleave": 2},
    {"a": "mxfp4", "b": "mxfp4", "lanes": 8, "stages": 2},
    {"a": "nvfp4", "b": "mxfp8_e5m2", "lanes": 4, "interleave": 4},
    {"a": "msfp11", "b": "int8", "lanes": 16, "acc": "fp16", "overflow": "saturate"},
]


def check(units: list[hdl.Mac], steps: int, seed: int = 1) -> None:
    """Simulate units in one model, and compare the accumulator in every cycle."""
    names = [f"mac{index}" for index in range(len(units))]
    model = sim.Model.build(hdl.generate_all(dict(zip(names, units, strict=True))))
    inputs = {
        name: next(entry_of(unit).operand_sets(unit, steps, seed)) for name, unit in zip(names, units, strict=True)
    }
    outputs = model.evaluate_all(inputs)
    for name, unit in zip(names, units, strict=True):
        # Of sums of more than 64 bits there are bytes.
        sums = from_bus(outputs[name]["acc"], unit.accumulator.out, 1)[:, 0]
        wrong = np.flatnonzero(sums != entry_of(unit).expected(unit, inputs[name])["acc"])
        assert not len(wrong), (unit.parameters, wrong[:5])


def test_every_style() -> None:
    check([hdl.Mac(**options) for options in UNITS], 4_000)


@pytest.mark.slow
def test_every_format() -> None:
    """With its default accumulator, four sums in turn."""
    names = [*FORMATS, *BLOCK_FORMATS]
    for start in range(0, len(names), 12):
        part = names[start : start + 12]
        check([hdl.Mac(a=name, b=name, lanes=2, stages=1, interleave=4) for name in part], 20_000)


@pytest.mark.parametrize("name", [name for name, fmt in FORMATS.items() if fmt.kind == "float" and name != "e8m0"])
def test_steps_of_operands_as_unlike_as_can_be(name: str) -> None:
    """A product that is to cancel the sum so far may be out of range by far."""
    for a, b in ((name, "fp64"), ("fp64", name), (name, "bin1")):
        unit = hdl.Mac(a=a, b=b, acc="fp32")
        inputs = steps(unit, 4_000, np.random.default_rng(1))
        for port, fmt in (("a", unit.accumulator.a_element), ("b", unit.accumulator.b_element)):
            assert inputs[port].max() < fmt.code_count


def test_sums_are_those_of_gemm() -> None:
    """The reference of a whole sum is the product of a row and a column."""
    cases: list[Options] = [
        {"a": "int8", "b": "int4", "lanes": 2, "acc": "int13", "overflow": "saturate"},
        {"a": "fp16", "b": "bf16"},
    ]
    for options in cases:
        unit = hdl.Mac(**options)
        accumulator = unit.accumulator
        generator = np.random.default_rng(3)
        a, b = (
            generator.integers(0, fmt.code_count, (7, accumulator.lanes))
            for fmt in (accumulator.a_element, accumulator.b_element)
        )
        inputs = {
            "a": to_bus(a.astype(np.uint32), accumulator.a_element),
            "b": to_bus(b.astype(np.uint32), accumulator.b_element),
            "valid": np.ones(7, np.uint8),
            "clear": np.zeros(7, np.uint8),
        }
        style: Options = (
            {"acc": accumulator.style}
            if accumulator.style
            else {"acc": accumulator.out, "overflow": "saturate", "lanes": accumulator.lanes}
        )
        expected = golden.gemm(
            a.reshape(1, -1), b.reshape(-1, 1), accumulator.a_element, accumulator.b_element, **style
        )
        assert mac_reference(unit, inputs).after[-1] == expected[0, 0]


def test_sums_take_turns() -> None:
    """By hand: two sums of integers, one with a gap and a new start."""
    unit = hdl.Mac(a="int8", b="int8", interleave=2)
    inputs = {
        "a": np.array([1, 10, 2, 20, 3, 30, 4, 40], np.uint8),
        "b": np.ones(8, np.uint8),
        "valid": np.array([1, 1, 1, 0, 1, 1, 1, 1], np.uint8),
        "clear": np.array([0, 0, 0, 1, 0, 0, 1, 0], np.uint8),
    }
    expected = [1, 10, 3, 10, 6, 40, 4, 80]
    found = mac_reference(unit, inputs)
    assert found.after.tolist() == expected
    assert found.last.tolist() == [0, 1, 2, 1, 4, 5, 6, 7]
    assert found.before[[0, 2, 5, 6, 7]].tolist() == [0, 1, 10, 0, 40]
    model = sim.Model.build(hdl.generate(unit, "turns"))
    assert model.evaluate(inputs)["acc"].tolist() == expected


def test_a_reset_ends_all_sums() -> None:
    """By hand, and the hardware: two sums of integers, one reset."""
    unit = hdl.Mac(a="int8", b="int8", interleave=2)
    ones = np.ones(6, np.uint8)
    given = {"a": np.array([1, 10, 2, 3, 20, 4], np.uint8), "b": ones, "valid": ones, "clear": 0 * ones}
    given["valid"] = np.array([1, 1, 1, 0, 1, 1], np.uint8)
    # Between the third step and the fourth.
    found = mac_reference(unit, given, np.array([0, 0, 0, 1, 1, 1]))
    assert found.after.tolist() == [1, 10, 3, 0, 20, 4]
    assert found.before.tolist() == [0, 0, 1, 0, 0, 0]
    assert found.last.tolist() == [0, 1, 2, -1, 4, 5]
    inputs = {name: np.insert(values, 3, 99 if name == "a" else 1) for name, values in given.items()}
    inputs["rst"] = np.array([0, 0, 0, 1, 0, 0, 0], np.uint8)
    design = hdl.generate(unit, "reset_mac")
    # Every cycle, as it is.
    design.metadata["latency"] = 0
    seen = sim.Model.build(design).evaluate(inputs)["acc"].tolist()
    assert seen[:4] == [0, 0, 1, 10]
    assert seen[4:] == [0, 0, 0]


def test_sums_end_at_both_ends_and_go_beyond_by_one() -> None:
    unit = hdl.Mac(a="int8", b="int8", acc="int18", overflow="saturate", stages=1)
    given = steps(unit, 20_000, np.random.default_rng(1))
    found = mac_reference(unit, given)
    a, b = (given[name].view(np.int8).astype(int) for name in "ab")
    goes_on = (given["valid"] == 1) & (given["clear"] == 0)
    for end, beyond in ((1 << 17, -1), ((1 << 17) - 1, 1)):
        at_end = (found.before == end) & goes_on
        assert 50 < at_end.sum() < 5_000
        assert (a * b)[at_end & (found.after == end)].tolist().count(beyond) > 5
    assert 0.2 < ((a * b) < 0).mean() < 0.7


@pytest.mark.parametrize("options", [UNITS[1], UNITS[9], UNITS[12]], ids=lambda options: options["a"])
def test_cocotb(options: Options, simulator: sim.Simulator, tmp_path: Path) -> None:
    unit = hdl.Mac(**options)
    result = sim.verify(unit, vectors=300, simulator=simulator.name, folder=tmp_path)
    assert result.passed, result.details
    assert result.checked == 300 + unit.latency


def test_native_checker_tells_of_a_sum_that_does_not_begin_anew() -> None:
    unit = hdl.Mac(a="int4", b="int4")
    design = hdl.generate(unit, "broken_mac")
    broken = dataclasses.replace(design, verilog=design.verilog.replace("clear ? ", "1'b0 ? ", 1))
    assert broken.verilog != design.verilog
    assert sim.verify(unit, vectors=500).passed
    result = sim.verify(unit, vectors=500, design=broken)
    assert not result.passed
    assert result.coverage == "500 steps, seed 1"
    assert re.fullmatch(r"a=0x\w \(-?\d\), b=0x\w \(-?\d\), .*: hardware acc=.*, golden acc=.*", result.details[0])
