"""Adders under verification: operands, and the sums that the golden model gives."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ... import golden, hdl
from ...hdl.rounding.modes import STOCHASTIC
from ..stimulus.operands import port_dtype
from ..stimulus.pairs import relate
from .entry import UnitEntry
from .multiplier import asked_roundings
from .operands import CHUNK, Codes, all_operands, draw, ports_of, random_valid


def random_inputs(unit: hdl.Adder, total: int, seed: int) -> Iterator[dict[str, Codes]]:
    """``total`` sets of operands in chunks, half of them with a b that is related to a."""
    generator = np.random.default_rng(seed)
    for start in range(0, total, CHUNK):
        count = min(CHUNK, total - start)
        chunk = draw(unit, count, generator)
        formats = unit.a_format, unit.b_format, unit.out_format
        chunk["b"] = relate(chunk["a"], chunk["b"], *formats, generator)
        yield chunk | random_valid(unit, count, generator)


def reference(unit: hdl.Adder, inputs: dict[str, Codes]) -> dict[str, Codes]:
    """Codes by output port, from :func:`golden.add` for each mode."""
    a, b = inputs["a"], inputs["b"]
    y = np.zeros(len(a), port_dtype(ports_of(unit)["y"].width))
    flags = np.zeros(len(a), np.uint8)
    for rounding, chosen in asked_roundings(unit, inputs, np.ones(len(a), bool)):
        random = {"random": inputs["random"][chosen], "random_bits": unit.random_bits} if rounding == STOCHASTIC else {}
        y[chosen], flags[chosen] = golden.add(
            a[chosen],
            b[chosen],
            unit.a_format,
            unit.b_format,
            out=unit.out_format,
            rounding=rounding,
            overflow=unit.overflow,
            subnormals=unit.subnormals or "full",
            flags=True,
            **random,
        )
    expected: dict[str, Codes] = {"y_valid": inputs["valid"]} if unit.with_valid else {}
    return expected | {"y": y} | ({"flags": flags} if unit.with_flags else {})


ADDER = UnitEntry(
    hdl.Adder,
    reference,
    random_inputs=random_inputs,
    all_inputs=all_operands,
    # With valid, a reset shows: the sums of operands from before it do not come.
    resets_show=lambda unit: unit.with_valid,
    result_text="sum",
)
