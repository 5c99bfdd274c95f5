"""What the cocotb benches are given: stimulus and golden results computed beforehand, and how a mismatch is told.

A job travels into the simulator's process as a pickle, and a :class:`BenchResult` comes back.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ... import hdl
from ...hdl.core.unit import Port
from ..engine.mismatch import code_text, ports_text, results_text
from ..expected.reference import operands_text, ports_of, products_of, random_inputs, reference
from ..expected.sums import bus_values, mac_reference
from ..stimulus.macs import steps
from .array_jobs import ArrayJob, array_job

Codes = NDArray[Any]
Bools = NDArray[np.bool_]

#: In the last third of a run there may be resets, as many latencies of the unit and this many cycles apart on average.
_RESET_LATENCIES, _RESET_CYCLES = 8, 24


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


def resets_show(unit: hdl.Unit) -> bool:
    """Whether what a reset does shows in later results; of most units nothing comes out but what went in."""
    return isinstance(unit, hdl.Mac | hdl.Array) or (isinstance(unit, hdl.Multiplier) and unit.with_valid)


def make_job(unit: hdl.Unit, cycles: int, seed: int, reproduce: str) -> UnitJob | ArrayJob:
    """The job for a unit: so many cycles, everything in it from the seed."""
    if isinstance(unit, hdl.Array):
        return array_job(unit, cycles, seed, reproduce)
    if isinstance(unit, hdl.Mac):
        return _mac_job(unit, cycles, seed, reproduce)
    return _vector_job(unit, cycles, seed, reproduce)


def _vector_job(unit: hdl.Unit, cycles: int, seed: int, reproduce: str) -> UnitJob:
    """One set of operands per cycle; with a clock, random stalls by ``en``, and resets where they show."""
    total = cycles + unit.latency
    parts = list(random_inputs(unit, total, seed))
    inputs = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    expected = reference(unit, inputs)
    drive = {name: bus_values(values) for name, values in inputs.items()}
    motion = _Motion(np.ones(total, bool), np.zeros(total, bool))
    if unit.clocked:
        motion = _Motion.random(unit, cycles, 0.7, np.random.default_rng(seed + 1))
        drive |= motion.ports
    cycle_of_step = motion.cycles.tolist()
    items = [cycle_of_step[step] if step >= 0 else None for step in motion.arrived(unit.latency).tolist()]
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
    """Sums of random length with gaps, stalls and resets; the accumulator is compared in every cycle."""
    generator = np.random.default_rng(seed)
    motion = _Motion.random(unit, cycles, 0.8, generator)
    total, step_cycles = len(motion.enable), motion.cycles
    given = steps(unit, len(step_cycles), generator)
    found = mac_reference(unit, given, np.cumsum(motion.reset, dtype=np.int64)[step_cycles])
    # While nothing moves, operands that are there do not count.
    shown = np.where(motion.moves, motion.done, generator.integers(0, len(step_cycles), total))
    inputs = {name: bus_values(values[shown]) for name, values in given.items()} | motion.ports
    # In every cycle, the step whose sum is there, and the last one that counts of those that made it.
    arrived = motion.arrived(unit.latency)
    last = np.where(arrived >= 0, found.last[arrived], -1)
    items = [int(step_cycles[step]) if step >= 0 else None for step in last]
    outputs: dict[str, list[int | None]] = {"acc": np.where(last >= 0, found.after[last], 0).tolist()}
    text = f"the accumulator in {total:,} cycles, seed {seed}"
    before = found.before[motion.done].tolist()
    return UnitJob(total, products_of(unit), text, reproduce, ports_of(unit), inputs, outputs, items, before)


@dataclass(frozen=True)
class _Motion:
    """In which cycles a unit with a clock takes a step, since it is enabled and not reset.

    Attributes
    ----------
    enable, reset : ndarray of bool
        One for each cycle.
    """

    enable: Bools
    reset: Bools

    @classmethod
    def random(cls, unit: hdl.Unit, cycles: int, share: float, generator: np.random.Generator) -> _Motion:
        """``cycles`` of which that share is enabled, resets in the last third, and as many more as the last step takes.

        Neither the first operands nor the last results are lost.
        """
        total = cycles + unit.latency
        enable = generator.random(total) < share
        enable[0] = enable[cycles:] = True
        reset = generator.random(total) < 1 / (_RESET_LATENCIES * unit.latency + _RESET_CYCLES)
        reset[: cycles - cycles // 3] = reset[cycles:] = False
        reset &= resets_show(unit)
        return cls(enable, reset)

    @property
    def moves(self) -> Bools:
        """Whether there is a step in a cycle."""
        return self.enable & ~self.reset

    @property
    def cycles(self) -> NDArray[np.intp]:
        """The cycle of each step."""
        return np.flatnonzero(self.moves)

    @property
    def done(self) -> NDArray[np.int64]:
        """How many steps there were before each cycle."""
        return np.cumsum(self.moves, dtype=np.int64) - self.moves

    @property
    def ports(self) -> dict[str, list[int]]:
        """What the ports carry."""
        return {"en": self.enable.astype(int).tolist(), "rst": self.reset.astype(int).tolist()}

    def arrived(self, latency: int) -> NDArray[np.int64]:
        """The step whose operands have arrived at the outputs in each cycle; -1 if there is none since the last reset."""
        done = self.done
        # Of a reset the cycles after it know.
        lost = np.maximum.accumulate(np.where(self.reset, done, 0))
        lost = np.concatenate([[0], lost[:-1]])
        return np.where(done - latency >= lost, done - latency, -1)
