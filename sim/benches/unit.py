"""Bench of a unit without streams: one set of inputs per clock cycle, every output of every cycle compared."""

from __future__ import annotations

import os
import pickle
from pathlib import Path
from typing import Any

import cocotb
from cocotb.triggers import Timer


@cocotb.test()
async def vectors(dut: Any) -> None:
    """Drive the recorded inputs, and compare the outputs where the reference has any."""
    job = pickle.loads(Path(os.environ["POLYMAC_BENCH"]).read_bytes())
    inputs: dict[str, list[int]] = job["inputs"]
    outputs: dict[str, list[int | None]] = job["outputs"]
    drive = [(getattr(dut, name), values) for name, values in inputs.items()]
    sample = [(name, getattr(dut, name), values) for name, values in outputs.items()]
    half = Timer(1, "ns")
    clock = dut.clk if job["clocked"] else None
    if clock is not None:
        clock.value = 0
        dut.rst.value = 1
        await half
        clock.value = 1
        await half
    for cycle in range(job["cycles"]):
        if clock is not None:
            clock.value = 0
            dut.rst.value = 0
        for handle, values in drive:
            handle.value = values[cycle]
        await half
        for name, handle, values in sample:
            want = values[cycle]
            if want is not None:
                assert handle.value.is_resolvable, f"cycle {cycle}: {name} is {handle.value}, not {want:#x}"
                got = handle.value.to_unsigned()
                assert got == want, f"cycle {cycle}: {name} is {got:#x}, not {want:#x}"
        if clock is not None:
            clock.value = 1
            await half
