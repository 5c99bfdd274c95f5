"""What the cocotb benches are given: stimulus and golden results computed beforehand, and how a mismatch is told.

A job travels into the simulator's process as a pickle, and a :class:`BenchResult` comes back.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import golden, hdl
from ..golden.formats import Format
from ..hdl.unit import Port
from .mismatch import code_text, ports_text, results_text
from .packing import pack
from .reference import ports_of, random_inputs, reference
from .stimulus import operands, tiles

Codes = NDArray[Any]
Bools = NDArray[np.bool_]

#: Cycles for which a stream is as slow or as quick as it is.
_SPELL = 10
#: Where there are resets, the latencies between two of them on average: many a tile comes through, many a one does not.
_RESET_LATENCIES = 4


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


@dataclass(frozen=True)
class ArrayJob:
    """The streams of an array: beats, the cycles in which they may be offered or taken, and the model.

    Attributes
    ----------
    cycles, products : int
        Clock cycles, and products formed in each.
    how, reproduce : str
        What that covers, and the command that does it again.
    model : OutputStationary
        What the array must do, cycle by cycle.
    a_data, b_data : list of int
        The beats as the buses carry them.
    a_last : list of bool
        Which beats end the inner dimension.
    a_offer, b_offer, c_ready, reset : list of bool
        For every cycle.
    """

    cycles: int
    products: int
    how: str
    reproduce: str
    model: golden.OutputStationary
    a_data: list[int]
    b_data: list[int]
    a_last: list[bool]
    a_offer: list[bool]
    b_offer: list[bool]
    c_ready: list[bool]
    reset: list[bool]

    bench = "polymac.sim.benches.array"


def make_job(unit: hdl.Unit, cycles: int, seed: int, reproduce: str) -> UnitJob | ArrayJob:
    """The job for a unit: so many cycles, everything in it from the seed."""
    if isinstance(unit, hdl.Array):
        return _array_job(unit, cycles, seed, reproduce)
    if isinstance(unit, hdl.Mac):
        return _mac_job(unit, cycles, seed, reproduce)
    return _vector_job(unit, cycles, seed, reproduce)


def _array_job(unit: hdl.Array, cycles: int, seed: int, reproduce: str) -> ArrayJob:
    """Tiles of many inner dimensions; thirds of the run without stalls, with random stalls, and with resets as well."""
    how = unit.accumulation
    generator = np.random.default_rng(seed)
    model = golden.OutputStationary(
        unit.rows, unit.cols, how.lanes, a=how.a, b=how.b, acc=how.acc, overflow=how.overflow, stages=unit.stages
    )
    # At most one beat a cycle is taken: the streams never run dry.
    sizes = tiles(unit.rows, cycles, generator)
    beats = sum(sizes)
    last = np.zeros(beats, bool)
    last[np.cumsum(sizes) - 1] = True
    a = operands(how.a, how.a.width, beats * unit.rows * how.lanes, generator).reshape(beats, -1)
    b = operands(how.b, how.b.width, beats * unit.cols * how.lanes, generator).reshape(beats, -1)
    third = cycles // 3
    # Each stream is slow for a while, then quick: its neighbours fill up and run dry in turn.
    duty = generator.choice([0.3, 0.7, 1.0], (3, cycles // _SPELL + 1)).repeat(_SPELL, axis=1)[:, :cycles]
    duty[:, :third] = 1
    a_offer, b_offer, c_ready = generator.random((3, cycles)) < duty
    reset = generator.random(cycles) < 1 / (_RESET_LATENCIES * model.latency)
    reset[: cycles - third] = False
    return ArrayJob(
        cycles=cycles,
        products=unit.rows * unit.cols * how.lanes,
        how=f"{cycles:,} cycles with tiles of K from {min(sizes)} to {max(sizes)} beats, seed {seed}",
        reproduce=reproduce,
        model=model,
        a_data=_buses(a, how.a),
        b_data=_buses(b, how.b),
        a_last=last.tolist(),
        a_offer=a_offer.tolist(),
        b_offer=b_offer.tolist(),
        c_ready=c_ready.tolist(),
        reset=reset.tolist(),
    )


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
    items = _items(enable, np.ones(total, bool), unit.latency)
    drive = {name: [int(value) for value in values] for name, values in inputs.items()}
    if unit.clocked:
        drive["en"] = enable.astype(int).tolist()
    outputs = {
        name: [None if item is None else int(values[item]) for item in items] for name, values in expected.items()
    }
    how = f"{cycles:,} operand sets, one a cycle, seed {seed}"
    return UnitJob(total, 1, how, reproduce, ports_of(unit), drive, outputs, items)


def _mac_job(unit: hdl.Mac, cycles: int, seed: int, reproduce: str) -> UnitJob:
    """Sums of random length with gaps and stalls; the accumulator is compared in every cycle."""
    how = unit.accumulation
    generator = np.random.default_rng(seed)
    total = cycles + unit.latency
    a = operands(how.a, how.a.width, total * how.lanes, generator).reshape(total, how.lanes)
    b = operands(how.b, how.b.width, total * how.lanes, generator).reshape(total, how.lanes)
    enable, valid = generator.random((2, total)) < [[0.8], [0.8]]
    clear = generator.random(total) < 0.05
    # Neither the first operands nor the last sum are lost.
    clear[0] = valid[0] = enable[0] = True
    enable[cycles:] = True
    # The accumulator after each step, from the golden GEMM of the sum so far; and before it.
    after, before = [0] * total, [0] * total
    steps = np.flatnonzero(enable & valid)
    start = 0
    for count, step in enumerate(steps):
        start = count if clear[step] else start
        taken = steps[start : count + 1]
        row, column = a[taken].reshape(1, -1), b[taken].reshape(-1, 1)
        result = golden.gemm(row, column, how.a, how.b, acc=how.acc, overflow=how.overflow, lanes=how.lanes)
        after[step] = int(np.asarray(result)[0, 0])
        before[step] = 0 if clear[step] else after[steps[count - 1]]
    items = _items(enable, valid, unit.latency)
    outputs: dict[str, list[int | None]] = {"acc": [0 if item is None else after[item] for item in items]}
    inputs = {
        "a": _buses(a, how.a),
        "b": _buses(b, how.b),
        "valid": valid.astype(int).tolist(),
        "clear": clear.astype(int).tolist(),
        "en": enable.astype(int).tolist(),
    }
    text = f"the accumulator in {total:,} cycles, seed {seed}"
    return UnitJob(total, how.lanes, text, reproduce, ports_of(unit), inputs, outputs, items, before)


def _items(enable: Bools, valid: Bools, latency: int) -> list[int | None]:
    """For each cycle the last one whose valid inputs have arrived at the outputs, ``latency`` enabled cycles later."""
    newest: list[int | None] = [None]
    for cycle in np.flatnonzero(enable).tolist():
        newest.append(cycle if valid[cycle] else newest[-1])
    # Behind n enabled cycles, the inputs of the first n + 1 - latency of them have arrived.
    arrived = np.cumsum(enable, dtype=np.int64) - enable + 1 - latency
    return [newest[count] for count in np.maximum(arrived, 0).tolist()]


def _buses(codes: Codes, fmt: Format) -> list[int]:
    """Rows of codes as the integers that a packed bus carries."""
    return [int.from_bytes(row.tobytes(), "little") for row in pack(codes, fmt.width)]
