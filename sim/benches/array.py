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

from ...golden.array import Trace
from ..jobs import ArrayJob, BenchResult
from ..mismatch import SHOWN, code_text, vector_text
from ..packing import packed_bytes, unpack
from .link import Link

_INPUTS = ("a_valid", "a_last", "b_valid", "c_ready", "rst")
_OUTPUTS = ("a_ready", "b_ready", "c_valid", "c_last")

Bools = NDArray[np.bool_]


class Driver:
    """Offers the beats of one stream in the cycles that ``offer`` allows, and holds each until it is taken."""

    def __init__(self, dut: Any, name: str, data: list[int], last: list[bool] | None, offer: list[bool]) -> None:
        self.valid = getattr(dut, f"{name}_valid")
        self.data = getattr(dut, f"{name}_data")
        self.last = getattr(dut, f"{name}_last") if last is not None else None
        self.beats, self.lasts, self.offer = data, last, offer
        self.position = 0
        self.offered = False

    def drive(self, cycle: int) -> None:
        """Set the bus for this cycle."""
        if not self.offered and self.position < len(self.beats) and self.offer[cycle]:
            self.offered = True
            self.data.value = self.beats[self.position]
            if self.last is not None and self.lasts is not None:
                self.last.value = int(self.lasts[self.position])
        self.valid.value = int(self.offered)

    def taken(self) -> None:
        """The beat crossed the bus."""
        self.position += 1
        self.offered = False


class Monitor:
    """Records what the buses carry, cycle by cycle."""

    def __init__(self, dut: Any) -> None:
        self.bits = {name: getattr(dut, name) for name in (*_INPUTS, *_OUTPUTS)}
        self.buses = {name: getattr(dut, f"{name}_data") for name in "abc"}
        self.seen: dict[str, list[int]] = {name: [] for name in (*self.bits, *self.buses)}
        # Cycles in which an output that says something had a bit without a value.
        self.unknown: list[tuple[int, str, str]] = []

    def sample(self, cycle: int) -> dict[str, int]:
        """This cycle's control bits; data are recorded where valid, and ``last`` counts where valid."""
        now: dict[str, int] = {}
        for name, handle in self.bits.items():
            now[name] = self._read(cycle, name, handle, name != "c_last" or bool(now["c_valid"]))
            self.seen[name].append(now[name])
        for name, handle in self.buses.items():
            valid = bool(now[f"{name}_valid"])
            self.seen[name].append(self._read(cycle, f"{name}_data", handle, True) if valid else 0)
        return now

    def _read(self, cycle: int, name: str, handle: Any, matters: bool) -> int:
        value = handle.value
        if value.is_resolvable:
            return int(value)
        if matters:
            self.unknown.append((cycle, name, str(value)))
        return 0

    def elements(self, name: str, width: int, count: int) -> NDArray[Any]:
        """The recorded data of a bus as codes (cycles, count)."""
        size = packed_bytes(count, width)
        raw = b"".join(value.to_bytes(size, "little") for value in self.seen[name])
        return unpack(np.frombuffer(raw, np.uint8).reshape(-1, size), width, count)

    def flags(self, name: str) -> Bools:
        """A recorded control bit."""
        return np.array(self.seen[name], bool)


@cocotb.test()
async def streams(dut: Any) -> None:
    """Beats with random gaps, back-pressure and resets; afterwards the whole trace is compared."""
    link = Link()
    job: ArrayJob = link.job
    drivers = [
        Driver(dut, "a", job.a_data, job.a_last, job.a_offer),
        Driver(dut, "b", job.b_data, None, job.b_offer),
    ]
    monitor = Monitor(dut)
    # Half a cycle with the clock low settles the inputs; the edge follows. Ports have no value before they are driven.
    half = Timer(1, "ns")
    dut.clk.value = 0
    dut.rst.value = 1
    for name in ("a_valid", "a_last", "a_data", "b_valid", "b_data", "c_ready"):
        getattr(dut, name).value = 0
    await half
    dut.clk.value = 1
    await half
    for cycle in range(job.cycles):
        dut.clk.value = 0
        dut.rst.value = int(job.reset[cycle])
        dut.c_ready.value = int(job.c_ready[cycle])
        for driver in drivers:
            driver.drive(cycle)
        await half
        now = monitor.sample(cycle)
        for driver, name in zip(drivers, "ab", strict=True):
            if now[f"{name}_valid"] and now[f"{name}_ready"]:
                driver.taken()
        link.done(cycle + 1)
        dut.clk.value = 1
        await half
    result = Scoreboard(job, monitor).result()
    link.finish(job.cycles, result)
    result.check(job.reproduce)


class Scoreboard:
    """The model on the recorded inputs against the recorded outputs."""

    def __init__(self, job: ArrayJob, monitor: Monitor) -> None:
        model = job.model
        self.monitor, self.model = monitor, model
        self.a = monitor.elements("a", model.a.width, model.rows * model.lanes).reshape(-1, model.rows, model.lanes)
        self.b = monitor.elements("b", model.b.width, model.cols * model.lanes).reshape(-1, model.cols, model.lanes)
        self.c = monitor.elements("c", model.acc.width, model.cols)
        self.flags = {name: monitor.flags(name) for name in (*_INPUTS, *_OUTPUTS)}
        inputs = self.flags
        self.expected: Trace = model.run(
            inputs["a_valid"],
            self.a,
            inputs["a_last"],
            inputs["b_valid"],
            self.b,
            inputs["c_ready"],
            inputs["rst"],
        )

    def result(self) -> BenchResult:
        """What differs."""
        cycles = len(self.flags["rst"])
        if self.monitor.unknown:
            details = [
                f"cycle {cycle}: hardware {name}=0b{bits}, golden has no bit without a value"
                for cycle, name, bits in self.monitor.unknown[:SHOWN]
            ]
            return BenchResult(cycles, len({cycle for cycle, _, _ in self.monitor.unknown}), details)
        valid = self.expected.c_valid
        wrong: dict[str, Bools] = {
            name: self.flags[name] != getattr(self.expected, name) for name in ("a_ready", "b_ready", "c_valid")
        }
        wrong["c_last"] = valid & (self.flags["c_last"] != self.expected.c_last)
        wrong["c_data"] = valid & (self.c != self.expected.c_data).any(axis=1)
        bad = np.flatnonzero(np.logical_or.reduce(list(wrong.values())))
        details = [self._describe(int(cycle), wrong) for cycle in bad[:SHOWN]]
        return BenchResult(cycles, len(bad), details)

    def _describe(self, cycle: int, wrong: dict[str, Bools]) -> str:
        """The control bits that differ in a cycle; where they agree, the first element of C that does not."""
        names = [name for name, where in wrong.items() if where[cycle] and name != "c_data"]
        if names:
            got = ", ".join(f"{name}={int(self.flags[name][cycle])}" for name in names)
            want = ", ".join(f"{name}={int(getattr(self.expected, name)[cycle])}" for name in names)
            return f"cycle {cycle}: hardware {got}, golden {want}"
        column = int(np.argmax(self.c[cycle] != self.expected.c_data[cycle]))
        tile, row, beats = self._place(cycle)
        acc = self.model.acc
        got, want = (code_text(acc, int(data[cycle, column])) for data in (self.c, self.expected.c_data))
        a = vector_text(self.model.a, self.a[beats, row].ravel().tolist())
        b = vector_text(self.model.b, self.b[beats, column].ravel().tolist())
        where = f"cycle {cycle}, row {row} and column {column} of tile {tile} since reset"
        return f"{where}: a={a}, b={b}: hardware c_data={got}, golden c_data={want}"

    def _place(self, cycle: int) -> tuple[int, int, NDArray[np.intp]]:
        """Of the beat of C in a cycle: its tile, its row, and the cycles in which the tile's operands were taken."""
        begin = int(np.flatnonzero(self.flags["rst"][:cycle])[-1]) + 1 if self.flags["rst"][:cycle].any() else 0
        past = slice(begin, cycle)
        left = np.flatnonzero(self.expected.c_valid[past] & self.flags["c_ready"][past])
        tile, row = divmod(len(left), self.model.rows)
        taken = begin + np.flatnonzero(self.flags["a_valid"][past] & self.expected.a_ready[past])
        ends = np.flatnonzero(self.flags["a_last"][taken])
        first = int(ends[tile - 1]) + 1 if tile else 0
        return tile, row, taken[first : int(ends[tile]) + 1]
