"""Bench of a streaming array: driver, monitors, model and scoreboard, every clock cycle.

Stimulus is computed beforehand and buses are driven whole. The model is fed with what the input monitor read from the
bus, not with what the driver meant to send, and every output of every cycle is compared with it.
"""

from __future__ import annotations

import os
import pickle
from pathlib import Path
from typing import Any

import cocotb
import numpy as np
from cocotb.triggers import Timer

from ...golden import OutputStationary
from ..packing import packed_bytes, unpack

_INPUTS = ("a_valid", "a_last", "b_valid", "c_ready", "rst")
_OUTPUTS = ("a_ready", "b_ready", "c_valid", "c_last")


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

    def sample(self) -> dict[str, int]:
        """This cycle's control bits; data are recorded where valid."""
        now = {name: int(handle.value) if handle.value.is_resolvable else 0 for name, handle in self.bits.items()}
        for name, value in now.items():
            self.seen[name].append(value)
        for name, handle in self.buses.items():
            self.seen[name].append(handle.value.to_unsigned() if now[f"{name}_valid"] else 0)
        return now

    def elements(self, name: str, width: int, count: int) -> np.ndarray[Any, Any]:
        """The recorded data of a bus as codes (cycles, count)."""
        size = packed_bytes(count, width)
        raw = b"".join(value.to_bytes(size, "little") for value in self.seen[name])
        return unpack(np.frombuffer(raw, np.uint8).reshape(-1, size), width, count)

    def flags(self, name: str) -> np.ndarray[Any, np.dtype[np.bool_]]:
        """A recorded control bit."""
        return np.array(self.seen[name], bool)


@cocotb.test()
async def streams(dut: Any) -> None:
    """Drive the streams, record every cycle, compare with the model."""
    job = pickle.loads(Path(os.environ["POLYMAC_BENCH"]).read_bytes())
    drivers = [
        Driver(dut, "a", job["a_data"], job["a_last"], job["a_offer"]),
        Driver(dut, "b", job["b_data"], None, job["b_offer"]),
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
    for cycle in range(job["cycles"]):
        dut.clk.value = 0
        dut.rst.value = int(job["reset"][cycle])
        dut.c_ready.value = int(job["c_ready"][cycle])
        for driver in drivers:
            driver.drive(cycle)
        await half
        now = monitor.sample()
        for driver, name in zip(drivers, "ab", strict=True):
            if now[f"{name}_valid"] and now[f"{name}_ready"]:
                driver.taken()
        dut.clk.value = 1
        await half
    compare(job, monitor)
    assert all(driver.position == len(driver.beats) for driver in drivers), "the array did not take all beats"


def compare(job: dict[str, Any], monitor: Monitor) -> None:
    """The scoreboard: the model on the recorded inputs against the recorded outputs."""
    model: OutputStationary = job["model"]
    rows, cols, lanes = model.rows, model.cols, model.lanes
    a = monitor.elements("a", model.a.width, rows * lanes).reshape(-1, rows, lanes)
    b = monitor.elements("b", model.b.width, cols * lanes).reshape(-1, cols, lanes)
    c = monitor.elements("c", model.acc.width, cols)
    flags = {name: monitor.flags(name) for name in (*_INPUTS, *_OUTPUTS)}
    expected = model.run(flags["a_valid"], a, flags["a_last"], flags["b_valid"], b, flags["c_ready"], flags["rst"])
    results = {"beats": int((flags["c_valid"] & flags["c_ready"] & ~flags["rst"]).sum()), "tiles": 0}
    results["tiles"] = int((flags["c_valid"] & flags["c_ready"] & flags["c_last"] & ~flags["rst"]).sum())
    Path(job["results"]).write_bytes(pickle.dumps(results))
    valid = expected.c_valid
    wrong: dict[str, np.ndarray[Any, Any]] = {
        name: flags[name] != getattr(expected, name) for name in ("a_ready", "b_ready", "c_valid")
    }
    wrong["c_last"] = valid & (flags["c_last"] != expected.c_last)
    wrong["c_data"] = valid & (c != expected.c_data).any(axis=1)
    cycles = {name: int(np.argmax(bad)) for name, bad in wrong.items() if bad.any()}
    if not cycles:
        return
    name, cycle = min(cycles.items(), key=lambda item: item[1])
    if name != "c_data":
        got, want = int(flags[name][cycle]), int(getattr(expected, name)[cycle])
        raise AssertionError(f"cycle {cycle}: {name} is {got}, not {want}")
    column = int(np.argmax(c[cycle] != expected.c_data[cycle]))
    got, want = int(c[cycle, column]), int(expected.c_data[cycle, column])
    values = f"{model.acc.text(got)}, not {want:#x} = {model.acc.text(want)}"
    raise AssertionError(f"cycle {cycle}: column {column} of c_data is {got:#x} = {values}")
