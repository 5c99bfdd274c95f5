"""MACs under verification: steps of sums that cancel, overflow and begin again, and the sums of the golden model."""

from __future__ import annotations

import numpy as np

from ... import hdl
from ..expected.sums import bus_values, mac_reference
from ..stimulus.macs import random_steps, steps
from .entry import Option, UnitEntry
from .job import Motion, VectorJob
from .operands import Codes, ports_of


def reference(unit: hdl.Mac, inputs: dict[str, Codes]) -> dict[str, Codes]:
    """The sum after each step, from a reset on."""
    return {"acc": mac_reference(unit, inputs).after}


def mac_job(unit: hdl.Mac, cycles: int, seed: int, reproduce: str) -> VectorJob:
    """Sums of random length with gaps, stalls and resets; the accumulator is compared in every cycle."""
    generator = np.random.default_rng(seed)
    motion = Motion.random(unit.latency, cycles, 0.8, generator, resets=True)
    total, step_cycles = len(motion.enable), motion.cycles
    given = steps(unit, len(step_cycles), generator)
    found = mac_reference(unit, given, np.cumsum(motion.reset, dtype=np.int64)[step_cycles])
    # Operands are ignored in cycles without a step.
    shown = np.where(motion.moves, motion.done, generator.integers(0, len(step_cycles), total))
    inputs = {name: bus_values(values[shown]) for name, values in given.items()} | motion.ports
    # In every cycle, the step whose sum is there, and the last one that counts of those that made it.
    arrived = motion.arrived(unit.latency)
    last = np.where(arrived >= 0, found.last[arrived], -1)
    items = [int(step_cycles[step]) if step >= 0 else None for step in last]
    outputs: dict[str, list[int | None]] = {"acc": np.where(last >= 0, found.after[last], 0).tolist()}
    coverage = f"the accumulator in {total:,} cycles, seed {seed}"
    before = found.before[motion.done].tolist()
    return VectorJob(
        total, unit.accumulator.products, coverage, reproduce, ports_of(unit), inputs, outputs, items, before
    )


MAC = UnitEntry(
    hdl.Mac,
    reference,
    random_inputs=random_steps,
    ordered=True,
    operands_text="steps",
    products=lambda unit: unit.accumulator.products,
    job=mac_job,
    resets_show=lambda unit: True,
    accumulator=lambda unit: unit.accumulator,
    options={
        "interleave": Option(
            "Number of independent sums that take turns; as many registers go into the accumulator's loop.  [default: 1]",
            "N",
        )
    },
)
