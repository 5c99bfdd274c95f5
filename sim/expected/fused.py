"""What a dot product with a rounding port or flags must answer: fused multiply-adds, one after the other."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ... import golden, hdl
from ...golden.codec.codes import code_dtype
from ...hdl.sums.accumulator import MODE
from ...hdl.sums.rounded import RoundedSum
from .rounding import modes_by_code
from .sums import Codes, from_ports, met, sums


def is_fused(unit: hdl.Dot) -> bool:
    """Whether the unit has a rounding port or flags."""
    return isinstance(unit.accumulator, RoundedSum) and (unit.accumulator.port or unit.accumulator.flags)


def fused_reference(unit: hdl.Dot, inputs: dict[str, Codes]) -> dict[str, Codes]:
    """Codes by output port; flags are set that any addition raises (:func:`polymac.golden.fma`)."""
    accumulator = unit.accumulator
    assert isinstance(accumulator, RoundedSum)
    fields = from_ports(accumulator, inputs)
    count = len(fields["a"])
    d, flags = np.zeros(count, code_dtype(accumulator.out)), np.zeros(count, np.uint8)
    for rounding, here in _modes(accumulator, inputs):
        chosen = {port: codes[here] for port, codes in fields.items()}
        c = inputs["c"][here] if unit.addend else None
        mode = replace(accumulator, rounded=replace(accumulator.rounded, rounding=rounding))
        if accumulator.flags:
            d[here], flags[here] = _one_by_one(mode, chosen, c)
        else:
            d[here] = sums(mode, {port: codes[:, None] for port, codes in chosen.items()}, c)
    return {"d": d} | ({"flags": flags} if accumulator.flags else {})


def _modes(accumulator: RoundedSum, inputs: dict[str, Codes]) -> Iterator[tuple[str, NDArray[np.bool_]]]:
    """Each rounding mode, and where it is asked for."""
    if not accumulator.port:
        yield accumulator.rounded.rounding, np.ones(len(inputs["a"]), bool)
        return
    modes = modes_by_code(stochastic=False)
    for code in np.unique(inputs[MODE]).tolist():
        yield modes[code], inputs[MODE] == code


def _one_by_one(accumulator: RoundedSum, fields: dict[str, Codes], c: Codes | None) -> tuple[Codes, Codes]:
    """The sum of the products, added in their order to ``c`` or to zero, and the flags of all additions."""
    assert isinstance(accumulator.a, golden.Format) and isinstance(accumulator.b, golden.Format)
    a, b = fields["a"], met(accumulator, fields)["b"]
    d = np.zeros(len(a), code_dtype(accumulator.out)) if c is None else c
    flags = np.zeros(len(a), np.uint8)
    style = accumulator.rounded
    for index in range(accumulator.products):
        d, raised = golden.fma(
            a[:, index],
            b[:, index],
            d,
            accumulator.a,
            accumulator.b,
            accumulator.out,
            out=accumulator.out,
            rounding=style.rounding,
            overflow=style.overflow,
            subnormals=style.subnormals,
            flags=True,
        )
        flags |= raised
    return d, flags
