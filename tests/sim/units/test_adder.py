"""Adders under cocotb, and the stimulus that makes their faults show."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from polymac import golden, hdl, sim
from polymac.sim.engine.simulators import Simulator
from polymac.sim.units import entry_of
from polymac.sim.units.operands import random_operands


@pytest.mark.parametrize("options", [{"a": "fp8_e4m3", "rounding": "port"}, {"a": "int8", "out": "int8"}], ids=str)
def test_cocotb(options: dict[str, Any], simulator: Simulator) -> None:
    unit = hdl.Adder(**options, stages=3, valid=True)
    assert sim.verify(unit, vectors=300, simulator=simulator.name).passed


def counts(chunk: dict[str, Any], name: str) -> tuple[int, int]:
    """How many sums lose more than half of the significand's bits, and how many are ties."""
    fmt = golden.format(name)
    a, b = (golden.decode(chunk[port], fmt).astype(np.float64) for port in ("a", "b"))
    with np.errstate(all="ignore"):
        total, larger = np.abs(a + b), np.maximum(np.abs(a), np.abs(b))
        cancels = (total > 0) & (total * 2 ** (fmt.significand_bits // 2) < larger)
        place = np.exp2(np.floor(np.log2(total)) - fmt.frac_bits)
        ties = np.isfinite(total) & (total >= 2.0**fmt.min_exponent) & (np.mod(total / place, 1) == 0.5)
    return int(cancels.sum()), int(ties.sum())


@pytest.mark.parametrize("name", ["fp16", "bf16"])
def test_hard_sums_are_many(name: str) -> None:
    unit = hdl.Adder(a=name)
    (plain,) = random_operands(unit, 100_000, 1)
    (chunk,) = entry_of(unit).operand_sets(unit, 100_000, 1)
    (cancels, ties), (fewer_cancels, fewer_ties) = counts(chunk, name), counts(plain, name)
    assert cancels > max(2_000, 5 * fewer_cancels)
    assert ties > max(2_000, 1.5 * fewer_ties)
