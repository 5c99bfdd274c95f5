"""Dot products under verification: operands, and the sums that the golden model gives."""

from __future__ import annotations

from ... import hdl
from ..expected.fused import fused_reference, is_fused
from ..expected.sums import dot_reference
from ..stimulus.dots import random_dots
from .entry import Option, UnitEntry
from .operands import Codes, all_operands


def reference(unit: hdl.Dot, inputs: dict[str, Codes]) -> dict[str, Codes]:
    """The sums, with a rounding port or flags as fused multiply-adds, one after the other."""
    return fused_reference(unit, inputs) if is_fused(unit) else dot_reference(unit, inputs)


DOT = UnitEntry(
    hdl.Dot,
    reference,
    random_inputs=random_dots,
    all_inputs=all_operands,
    products=lambda unit: unit.accumulator.products,
    accumulator=lambda unit: unit.accumulator,
    options={
        "addend": Option("Input port c that is added to the sum.  [default: on; with --acc exact: off]", "on|off")
    },
)
