"""A unit that polymac does not know joins verification by one entry in the registry."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from amaranth.hdl import Module
from amaranth.lib.wiring import In, Out
from numpy.typing import NDArray

from polymac import golden, hdl, sim
from polymac.hdl.core.pipeline import Pipeline, PipelinedUnit
from polymac.hdl.core.unit import number
from polymac.sim.campaigns import regression
from polymac.sim.engine.simulators import Simulator
from polymac.sim.units import entry_of
from polymac.sim.units.make import make_unit
from polymac.sim.units.operands import all_operands

INT8, INT9 = golden.format("int8"), golden.format("int9")


class Adder(PipelinedUnit):
    """y = a + b of int8, exact; ``stages`` cycles of latency."""

    kind = "plain_adder"
    formula = "y = a + b"

    def __init__(self, *, stages: int = 0) -> None:
        ports = {"a": number(In, INT8), "b": number(In, INT8), "y": number(Out, INT9)}
        super().__init__(ports, parameters={"stages": stages}, registers=stages)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        a, b = Pipeline(m, self.latency, (0,), self.enable).cut(0, self.a, self.b)
        m.d.comb += self.y.eq(a + b)
        return m


def add(unit: Adder, inputs: dict[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    total = golden.to_int(inputs["a"], INT8) + golden.to_int(inputs["b"], INT8)
    return {"y": golden.from_int(total, INT9)}


@pytest.fixture(autouse=True)
def registered() -> Iterator[None]:
    sim.UNITS["plain_adder"] = sim.UnitEntry(Adder, add, all_inputs=all_operands)
    yield
    del sim.UNITS["plain_adder"]


def broken(unit: Adder) -> hdl.Design:
    design = hdl.generate(unit, "broken_adder")
    assert " + " in design.verilog
    return dataclasses.replace(design, verilog=design.verilog.replace(" + ", " - "))


def test_all_pairs_pass_natively() -> None:
    result = sim.verify(Adder())
    assert (result.passed, result.checked, result.coverage) == (True, 1 << 16, "all 65,536 pairs")
    assert result.reproduce == "polymac verify plain_adder --seed 1"


def test_random_pairs_pass_with_registers() -> None:
    result = sim.verify(Adder(stages=2), vectors=5_000, seed=3)
    assert (result.passed, result.cycles, result.coverage) == (True, 5_002, "5,000 of 2^16 pairs, seed 3")


def test_a_seeded_mismatch_is_found_and_told() -> None:
    result = sim.verify(Adder(), design=broken(Adder()))
    assert (result.passed, result.mismatches) == (False, (1 << 16) - (1 << 8))
    assert result.details[0] == "a=0x0 (0), b=0x1 (1): hardware y=0x1ff (-1), golden y=0x1 (1)"


def test_cocotb_compares_every_cycle(simulator: Simulator) -> None:
    assert sim.verify(Adder(stages=1), vectors=200, simulator=simulator.name).passed
    result = sim.verify(Adder(stages=1), vectors=200, simulator=simulator.name, design=broken(Adder(stages=1)))
    assert not result.passed and "golden y=" in result.details[0]


@pytest.mark.parametrize(("design", "found"), [(hdl.generate, False), (lambda unit, name: broken(unit), True)])
def test_the_regression_of_faults_runs_on_it(design: Any, found: bool) -> None:
    unit = Adder(stages=1)
    model = sim.Model.build(design(unit, "adder_in_regression"))
    inputs = next(iter(entry_of(unit).operand_sets(unit, 1_000)))
    wrong = model.evaluate(inputs)["y"] != entry_of(unit).expected(unit, inputs)["y"]
    assert bool(np.any(wrong)) is found
    assert next(regression.traces(unit, model, 1)).length > regression.CYCLES


def test_the_command_line_makes_it() -> None:
    assert make_unit("plain_adder", {"stages": 2}, side=2).latency == 2
    with pytest.raises(golden.ParameterError, match=r"^--relu belongs to requantizer, not to plain_adder$"):
        make_unit("plain_adder", {"relu": True}, side=2)


def test_a_unit_without_an_entry_is_refused() -> None:
    del sim.UNITS["plain_adder"]
    with pytest.raises(
        golden.ParameterError, match=r"^unit must be of a kind in sim.UNITS \(multiplier, .*\), not Adder$"
    ):
        sim.verify(Adder())
    sim.UNITS["plain_adder"] = sim.UnitEntry(Adder, add)


def test_an_entry_without_all_operands_has_no_exhaustive_run() -> None:
    sim.UNITS["plain_adder"] = sim.UnitEntry(Adder, add)
    assert sim.verify(Adder(), vectors=1_000).coverage == "1,000 of 2^16 pairs, seed 1"
    with pytest.raises(golden.ParameterError, match=r"^exhaustive must be left out for plain_adder, it is for mult"):
        sim.verify(Adder(), exhaustive=True)
