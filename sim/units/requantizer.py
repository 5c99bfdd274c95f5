"""Requantizers under verification: accumulators with the parameters of a layer, and the golden model's codes."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ... import golden, hdl
from .entry import Option, UnitEntry
from .operands import CHUNK, Codes, draw


def random_inputs(unit: hdl.Requantizer, total: int, seed: int) -> Iterator[dict[str, Codes]]:
    """``total`` sets of operands in chunks, the shift any that is allowed: 0 is not, and most of few bits only saturate."""
    generator = np.random.default_rng(seed)
    for start in range(0, total, CHUNK):
        count = min(CHUNK, total - start)
        yield draw(unit, count, generator) | {"shift": generator.integers(1, 64, count).astype(np.uint8)}


def reference(unit: hdl.Requantizer, inputs: dict[str, Codes]) -> dict[str, Codes]:
    """:func:`golden.rescale` of acc + bias."""
    acc, bias = (golden.to_int(inputs[name], unit.acc_format) for name in ("acc", "bias"))
    zero_point = golden.to_int(inputs["zero_point"], unit.out_format)
    multiplier, shift = (inputs[name].astype(np.int64) for name in ("multiplier", "shift"))
    # From 64 bits on their sum is beyond int64.
    total = np.asarray(acc.astype(object) + bias if unit.acc_format.width > 62 else acc + bias)
    return {"y": golden.rescale(total, multiplier, shift, zero_point, unit.out_format, relu=unit.relu)}


REQUANTIZER = UnitEntry(
    hdl.Requantizer,
    reference,
    random_inputs=random_inputs,
    options={"relu": Option("Replace negative results by zero.", is_flag=True)},
)
