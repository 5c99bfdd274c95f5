"""What the cocotb benches are given: stimulus and golden results computed beforehand, and how a mismatch is told.

A job travels into the simulator's process as a pickle, and a :class:`BenchResult` comes back.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import hdl
from ..hdl.unit import Port
from .array_jobs import ArrayJob, array_job
from .mismatch import code_text, ports_text, results_text
from .reference import operands_text, ports_of, products_of, random_inputs, reference
from .sum_stimulus import steps
from .sums import bus_values, mac_reference

Codes = NDArray[Any]
Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class BenchResult:
    """What a bench compared: clock cycles or results, how many of them differ, and the first of these in words."""

    checked: int
    mismatches: int
    details: list[str]

    def check(self, reproduce: str) -> None:
        """Fail where something differs.

        Raises
        ------
        AssertionError
            With the first mismatch, their number and the command that gives them again.
        """
        if self.mismatches:
            raise AssertionError(f"{self.details[0]}; {self.mismatches} in all; again with: {reproduce}")


@dataclass(frozen=True)
class UnitJob:
    """One set of inputs per clock cycle of a unit without streams, and its outputs.

    Attributes
    ----------
    cycles, products : int
        Clock cycles, and products formed in each.
    how, reproduce : str
        What that covers, and the command that does it again.
    ports : dict of str to Port
        Those of the unit.
    inputs : dict of str to list
        By port, the bus in each cycle.
    outputs : dict of str to list
        By port, what must be there in each cycle; None while nothing is defined.
    items : list
        The cycle whose inputs gave what is there now; None before the first.
    before : list or None
        For a unit that adds: in the cycle of its inputs, what it added them to.
    """

    cycles: int
    products: int
    how: str
    reproduce: str
    ports: dict[str, Port]
    inputs: dict[str, list[int]]
    outputs: dict[str, list[int | None]]
    items: list[int | None]
    before: list[int] | None = None

    bench = "polymac.sim.benches.unit"

    @property
    def clocked(self) -> bool:
        """Whether the unit has a clock."""
        return "clk" in self.ports

    def describe(self, cycle: int, got: Mapping[str, int | str]) -> str:
        """A mismatch in words; ``got`` are the outputs of that cycle, bits as text where some have no value."""
        want = {name: self.outputs[name][cycle] for name in got}
        results = results_text(self.ports, got, want)
        item = self.items[cycle]
        if item is None:
            return f"cycle {cycle}, before any operands: {results}"
        shown = ("data", "control")
        given = {name: values[item] for name, values in self.inputs.items() if self.ports[name].role in shown}
        start = "" if self.before is None else f", added to {code_text(self.ports['acc'].format, self.before[item])}"
        return f"cycle {cycle}: {ports_text(self.ports, given)}{start}: {results}"


def make_job(unit: hdl.Unit, cycles: int, seed: int, reproduce: str) -> UnitJob | ArrayJob:
    """The job for a unit: so many cycles, everything in it from the seed."""
    if isinstance(unit, hdl.Array):
        return array_job(unit, cycles, seed, reproduce)
    if isinstance(unit, hdl.Mac):
        return _mac_job(unit, cycles, seed, reproduce)
    return _vector_job(unit, cycles, seed, reproduce)


def _vector_job(unit: hdl.Unit, cycles: int, seed: int, reproduce: str) -> UnitJob:
    """One set of operands per cycle; with a clock, random stalls by ``en``."""
    total = cycles + unit.latency
    parts = list(random_inputs(unit, total, seed))
    inputs = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    expected = reference(unit, inputs)
    enable = np.ones(total, bool)
    if unit.clocked:
        # Neither the first operands nor the last results are lost.
        enable[1:cycles] = np.random.default_rng(seed + 1).random(cycles - 1) < 0.7
    items = _items(enable, unit.latency)
    drive = {name: bus_values(values) for name, values in inputs.items()}
    if unit.clocked:
        drive["en"] = enable.astype(int).tolist()
    outputs: dict[str, list[int | None]] = {}
    for name, values in expected.items():
        undefined = np.ma.getmaskarray(values)
        # Only what is valid is defined before the first operands arrive.
        first = 0 if name == "y_valid" else None
        outputs[name] = [
            first if item is None else None if undefined[item] else int(np.ma.getdata(values)[item]) for item in items
        ]
    how = f"{cycles:,} {operands_text(unit)}, one a cycle, seed {seed}"
    return UnitJob(total, products_of(unit), how, reproduce, ports_of(unit), drive, outputs, items)


def _mac_job(unit: hdl.Mac, cycles: int, seed: int, reproduce: str) -> UnitJob:
    """Sums of random length with gaps and stalls; the accumulator is compared in every cycle."""
    generator = np.random.default_rng(seed)
    total = cycles + unit.latency
    enable = generator.random(total) < 0.8
    # Neither the first operands nor the last sum are lost.
    enable[0] = enable[cycles:] = True
    step_cycles = np.flatnonzero(enable)
    done = np.cumsum(enable, dtype=np.int64) - enable
    given = steps(unit, len(step_cycles), generator)
    found = mac_reference(unit, given)
    # While nothing moves, operands that are there do not count.
    shown = np.where(enable, done, generator.integers(0, len(step_cycles), total))
    inputs = {name: bus_values(values[shown]) for name, values in given.items()} | {"en": enable.astype(int).tolist()}
    # In every cycle, the step whose sum is there, and the last one that counts of those that made it.
    arrived = done - unit.latency
    last = np.where(arrived >= 0, found.last[arrived], -1)
    items = [int(step_cycles[step]) if step >= 0 else None for step in last]
    outputs: dict[str, list[int | None]] = {"acc": np.where(last >= 0, found.after[last], 0).tolist()}
    text = f"the accumulator in {total:,} cycles, seed {seed}"
    before = found.before[done].tolist()
    return UnitJob(total, products_of(unit), text, reproduce, ports_of(unit), inputs, outputs, items, before)


def _items(enable: Bools, latency: int) -> list[int | None]:
    """For each cycle the one whose inputs have arrived at the outputs, ``latency`` enabled cycles later."""
    # Behind n enabled cycles, the inputs of the first n + 1 - latency of them have arrived.
    arrived = np.cumsum(enable, dtype=np.int64) - enable + 1 - latency
    moved = np.flatnonzero(enable)
    return [int(moved[count - 1]) if count > 0 else None for count in arrived]
