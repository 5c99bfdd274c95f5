"""Bench of a unit without streams: one set of inputs per clock cycle, every output of every cycle compared."""

from __future__ import annotations

from typing import Any

import cocotb
from cocotb.triggers import Timer

from ..engine.link import Link
from ..engine.mismatch import SHOWN
from ..units.job import BenchResult, VectorJob


@cocotb.test()
async def vectors(dut: Any) -> None:
    """Drive the recorded inputs, and compare the outputs where the reference has any."""
    link = Link()
    job: VectorJob = link.job
    drive = [(getattr(dut, name), values) for name, values in job.inputs.items()]
    sample = [(name, getattr(dut, name), values) for name, values in job.outputs.items()]
    half = Timer(1, "ns")
    clock = dut.clk if job.clocked else None
    if clock is not None:
        clock.value = 0
        dut.rst.value = 1
        await half
        clock.value = 1
        await half
    checked = mismatches = 0
    details: list[str] = []
    for cycle in range(job.cycles):
        if clock is not None:
            clock.value = 0
        for handle, values in drive:
            handle.value = values[cycle]
        await half
        got = {name: read(handle) for name, handle, values in sample if values[cycle] is not None}
        checked += bool(got)
        if any(got[name] != values[cycle] for name, _, values in sample if name in got):
            mismatches += 1
            if len(details) < SHOWN:
                details.append(job.describe(cycle, got))
        link.done(cycle + 1)
        if clock is not None:
            clock.value = 1
            await half
    result = BenchResult(checked, mismatches, details)
    link.finish(job.cycles, result)
    result.check(job.reproduce)


def read(handle: Any) -> int | str:
    """The code at a port; its bits as text where one has no value."""
    value = handle.value
    return int(value) if value.is_resolvable else str(value)
