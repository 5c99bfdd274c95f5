"""Bench of a streaming array: driver, monitors, model and scoreboard, every clock cycle.

Stimulus is computed beforehand and buses are driven whole. The model is fed with what the input monitor read from the
bus, not with what the driver meant to send, and every output of every cycle is compared with it.
"""

from __future__ import annotations

from typing import Any

import cocotb
import numpy as np
from cocotb.triggers import Timer

from ..engine.link import Link
from ..units.array import Beats, StreamJob
from ..units.scoreboard import Scoreboard


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
    job: StreamJob = link.job
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
    unknown = sorted(item for monitor in (*monitors, output) for item in monitor.unknown)
    seen = {monitor.name: monitor.seen for monitor in (*monitors, output)}
    result = Scoreboard(job, seen, np.array(resets, bool)).result(unknown)
    link.finish(job.cycles, result)
    result.check(job.reproduce)
