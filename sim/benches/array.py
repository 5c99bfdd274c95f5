"""Bench of a streaming array: driver, monitors, model and scoreboard, every clock cycle.

Stimulus is computed beforehand and buses are driven whole. The model is fed with what the input monitor read from the
bus, not with what the driver meant to send, and every output of every cycle is compared with it.
"""

from __future__ import annotations

from typing import Any

import cocotb
import numpy as np
from cocotb.triggers import Timer
from numpy.typing import NDArray

from ... import golden
from ...golden.arrays.output_stationary import Trace
from ..engine.mismatch import SHOWN, code_text, vector_text
from ..engine.packing import byte_rows, packed_bytes, unpack
from ..units.array import ArrayJob, Beats
from ..units.job import BenchResult
from .link import Link

Bools = NDArray[np.bool_]


class Wire:
    """A signal of the design that is written only where it changes."""

    def __init__(self, dut: Any, name: str) -> None:
        self.handle = getattr(dut, name)
        self.handle.value = self.now = 0

    def drive(self, value: int) -> None:
        """Set it."""
        if value != self.now:
            self.handle.value = self.now = value


class Driver:
    """Offers the beats of one stream in the cycles that ``offer`` allows, and holds each until it is taken."""

    def __init__(self, dut: Any, name: str, beats: Beats) -> None:
        self.valid = Wire(dut, f"{name}_valid")
        self.fields = [(Wire(dut, f"{name}_{field}"), values) for field, values in beats.fields.items()]
        self.offer = beats.offer
        self.count = len(self.fields[0][1])
        self.position = 0
        self.offered = False

    def drive(self, cycle: int) -> None:
        """Set the bus for this cycle."""
        if not self.offered and self.position < self.count and self.offer[cycle]:
            self.offered = True
            for wire, values in self.fields:
                wire.drive(values[self.position])
        self.valid.drive(int(self.offered))

    def taken(self) -> None:
        """The beat crossed the bus."""
        self.position += 1
        self.offered = False


class Monitor:
    """Records what the bus of one stream carries, cycle by cycle: control bits always, the other fields where valid."""

    def __init__(self, dut: Any, name: str, control: list[str], fields: list[str]) -> None:
        self.name = name
        control = ["valid", "ready", *control]
        self.control = [(field, getattr(dut, f"{name}_{field}")) for field in control]
        self.fields = [(field, getattr(dut, f"{name}_{field}")) for field in fields]
        self.seen: dict[str, list[int]] = {field: [] for field in (*control, *fields)}
        # Cycles in which a signal that says something had a bit without a value.
        self.unknown: list[tuple[int, str, str]] = []

    def sample(self, cycle: int) -> bool:
        """Record this cycle; whether a beat crosses the bus."""
        for field, handle in self.control:
            self.seen[field].append(self._read(cycle, field, handle))
        valid, ready = self.seen["valid"][-1], self.seen["ready"][-1]
        for field, handle in self.fields:
            self.seen[field].append(self._read(cycle, field, handle) if valid else 0)
        return bool(valid and ready)

    def _read(self, cycle: int, field: str, handle: Any) -> int:
        value = handle.value
        try:
            return int(value)
        except ValueError:
            self.unknown.append((cycle, f"{self.name}_{field}", str(value)))
            return 0


@cocotb.test()
async def streams(dut: Any) -> None:
    """Beats with random gaps, back-pressure and resets; afterwards the whole trace is compared."""
    link = Link()
    job: ArrayJob = link.job
    # Half a cycle with the clock low settles the inputs; the edge follows. Ports have no value before they are driven.
    half = Timer(1, "ns")
    clock = dut.clk
    clock.value = 0
    reset, c_ready = Wire(dut, "rst"), Wire(dut, "c_ready")
    drivers = [Driver(dut, name, beats) for name, beats in job.streams.items()]
    monitors = []
    for name, beats in job.streams.items():
        # The model's ready depends on control bits of beats that are not valid, too.
        control = [field for field in beats.fields if f"{name}_{field}" not in job.formats]
        monitors.append(Monitor(dut, name, control, [field for field in beats.fields if field not in control]))
    output = Monitor(dut, "c", [], ["last", "data"])
    resets: list[int] = []
    reset.drive(1)
    await half
    clock.value = 1
    await half
    for cycle in range(job.cycles):
        clock.value = 0
        reset.drive(int(job.reset[cycle]))
        c_ready.drive(int(job.c_ready[cycle]))
        for driver in drivers:
            driver.drive(cycle)
        await half
        for driver, monitor in zip(drivers, monitors, strict=True):
            if monitor.sample(cycle):
                driver.taken()
        output.sample(cycle)
        resets.append(int(dut.rst.value))
        link.done(cycle + 1)
        clock.value = 1
        await half
    result = Scoreboard(job, [*monitors, output], np.array(resets, bool)).result()
    link.finish(job.cycles, result)
    result.check(job.reproduce)


class Scoreboard:
    """The model on the recorded inputs against the recorded outputs."""

    def __init__(self, job: ArrayJob, monitors: list[Monitor], resets: Bools) -> None:
        self.model, self.resets = job.model, resets
        self.unknown = sorted(item for monitor in monitors for item in monitor.unknown)
        seen = {f"{monitor.name}_{field}": values for monitor in monitors for field, values in monitor.seen.items()}
        places = {"a": self.model.rows, "b": self.model.cols, "p": self.model.cols, "c": self.model.cols}
        self.signals: dict[str, NDArray[Any]] = {}
        for name, values in seen.items():
            if name not in job.formats:
                self.signals[name] = np.array(values, bool)
                continue
            fmt, count = job.formats[name]
            codes = unpack(byte_rows(values, packed_bytes(count, fmt.width)), fmt.width, count)
            shape = (len(values), places[name[0]]) if name[0] in "pc" else (len(values), places[name[0]], -1)
            self.signals[name] = codes.reshape(shape)
        outputs = ("a_ready", "b_ready", "p_ready", "c_valid", "c_last", "c_data")
        inputs = {name: values for name, values in self.signals.items() if name not in outputs}
        self.expected: Trace = self.model.run(**inputs, reset=resets)

    def result(self) -> BenchResult:
        """What differs."""
        cycles = len(self.resets)
        if self.unknown:
            details = [
                f"cycle {cycle}: hardware {name}=0b{bits}, golden has no bit without a value"
                for cycle, name, bits in self.unknown[:SHOWN]
            ]
            return BenchResult(cycles, len({cycle for cycle, _, _ in self.unknown}), details)
        valid = self.expected.c_valid
        wrong: dict[str, Bools] = {}
        for name in ("a_ready", "b_ready", "p_ready", "c_valid"):
            if name in self.signals:
                wrong[name] = self.signals[name] != getattr(self.expected, name)
        wrong["c_last"] = valid & (self.signals["c_last"] != self.expected.c_last)
        wrong["c_data"] = valid & (self.signals["c_data"] != self.expected.c_data).any(axis=1)
        bad = np.flatnonzero(np.logical_or.reduce(list(wrong.values())))
        details = [self._describe(int(cycle), wrong) for cycle in bad[:SHOWN]]
        return BenchResult(cycles, len(bad), details)

    def _describe(self, cycle: int, wrong: dict[str, Bools]) -> str:
        """The control bits that differ in a cycle; where they agree, the first element of C that does not."""
        names = [name for name, where in wrong.items() if where[cycle] and name != "c_data"]
        if names:
            got = ", ".join(f"{name}={int(self.signals[name][cycle])}" for name in names)
            want = ", ".join(f"{name}={int(getattr(self.expected, name)[cycle])}" for name in names)
            return f"cycle {cycle}: hardware {got}, golden {want}"
        both = self.signals["c_data"][cycle], self.expected.c_data[cycle]
        column = int(np.argmax(both[0] != both[1]))
        got, want = (code_text(self.model.out, int(row[column])) for row in both)
        where, given = self._origin(cycle, column)
        return f"cycle {cycle}, {where} since reset: {given}: hardware c_data={got}, golden c_data={want}"

    def _origin(self, cycle: int, column: int) -> tuple[str, str]:
        """Of an element of the beat of C in a cycle: where it comes from, and the operands behind it."""
        begin = int(np.flatnonzero(self.resets[:cycle])[-1]) + 1 if self.resets[:cycle].any() else 0
        past = slice(begin, cycle)
        number = int((self.expected.c_valid[past] & self.signals["c_ready"][past]).sum())
        a_taken, b_taken = (
            begin + np.flatnonzero(self.signals[f"{name}_valid"][past] & getattr(self.expected, f"{name}_ready")[past])
            for name in "ab"
        )
        rows = self.model.rows
        ends = np.flatnonzero(self.signals["a_last"][a_taken])
        if isinstance(self.model, golden.WeightStationary):
            beat = a_taken[number]
            tile = int((ends < number).sum())
            given = self._given([beat], slice(None), b_taken[tile * rows : (tile + 1) * rows], column)
            if "p_data" in self.signals and self.signals["a_add"][beat]:
                given += f", p={code_text(self.model.out, int(self.signals['p_data'][beat, column]))}"
            return f"vector {number} (tile {tile}) and column {column}", given
        tile, row = divmod(number, rows)
        taken = a_taken[int(ends[tile - 1]) + 1 if tile else 0 : int(ends[tile]) + 1]
        return f"row {row} and column {column} of tile {tile}", self._given(taken, row, taken, column)

    def _given(self, a_beats: Any, row: Any, b_beats: Any, column: int) -> str:
        """The operands of these beats, with the scales of block formats."""
        arithmetic = self.model.arithmetic
        texts = []
        for name, fmt, beats, place in (("a", arithmetic.a, a_beats, row), ("b", arithmetic.b, b_beats, column)):
            data = self.signals[f"{name}_data"][beats, place]
            texts.append(f"{name}={vector_text(arithmetic.element(fmt), data.ravel().tolist())}")
            if isinstance(fmt, golden.BlockFormat):
                scales = self.signals[f"{name}_scale"][beats, place]
                texts.append(f"{name}_scale={vector_text(fmt.scale, scales.ravel().tolist())}")
        return ", ".join(texts)
