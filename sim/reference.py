"""What goes into a multiplier or requantizer under verification, and what the golden model says must come out."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import golden, hdl
from ..golden.formats import ROUNDINGS, ParameterError
from ..hdl.unit import Port
from .packing import operand_pairs
from .stimulus import operands

Codes = NDArray[Any]

#: Operand sets at a time.
CHUNK = 1 << 18


def ports_of(unit: hdl.Unit) -> dict[str, Port]:
    """The ports of a unit by name."""
    return {port.name: port for port in unit.ports}


def operand_names(unit: hdl.Unit) -> list[str]:
    """The input ports that take operands: all but clock, reset and enable."""
    return [port.name for port in unit.ports if port.direction == "input" and port.role in ("data", "control")]


def operand_bits(unit: hdl.Unit) -> int:
    """Bits of one set of operands."""
    ports = ports_of(unit)
    return sum(ports[name].width for name in operand_names(unit))


def all_inputs(unit: hdl.Multiplier) -> Iterator[dict[str, Codes]]:
    """Every pair of operands, with a rounding port in every mode, in chunks: codes by port."""
    ports = ports_of(unit)
    modes = [{}]
    if "rounding_mode" in ports:
        modes = [{"rounding_mode": code} for code in range(1 << ports["rounding_mode"].width)]
    for mode in modes:
        for a, b in operand_pairs(ports["a"].width, ports["b"].width, CHUNK):
            yield {"a": a, "b": b} | {name: np.full(len(a), code, np.uint8) for name, code in mode.items()}


def random_inputs(unit: hdl.Unit, total: int, seed: int) -> Iterator[dict[str, Codes]]:
    """``total`` sets of operands, in chunks: codes by port."""
    ports = ports_of(unit)
    generator = np.random.default_rng(seed)
    for start in range(0, total, CHUNK):
        count = min(CHUNK, total - start)
        chunk = {
            name: operands(ports[name].format, ports[name].width, count, generator) for name in operand_names(unit)
        }
        if isinstance(unit, hdl.Requantizer):  # a shift of 0 is none, and a shift so small only saturates
            chunk["shift"] = generator.integers(1, 64, count).astype(np.uint8)
        yield chunk


def reference(unit: hdl.Unit, inputs: dict[str, Codes]) -> dict[str, Codes]:
    """What a multiplier or requantizer must answer, from the golden model: codes by output port.

    Raises
    ------
    ParameterError
        It is another unit.
    """
    if isinstance(unit, hdl.Multiplier):
        return _multiplier_reference(unit, inputs)
    if isinstance(unit, hdl.Requantizer):
        acc, bias = (golden.to_int(inputs[name], unit.acc_format) for name in ("acc", "bias"))
        zero_point = golden.to_int(inputs["zero_point"], unit.out_format)
        multiplier, shift = (inputs[name].astype(np.int64) for name in ("multiplier", "shift"))
        total = np.asarray(acc + bias)
        return {"y": golden.rescale(total, multiplier, shift, zero_point, unit.out_format, relu=unit.relu)}
    raise ParameterError(f"unit must be a multiplier or a requantizer, not {unit.kind}")


def _multiplier_reference(unit: hdl.Multiplier, inputs: dict[str, Codes]) -> dict[str, Codes]:
    a, b = inputs["a"], inputs["b"]
    y = np.zeros(len(a), golden.code_dtype(unit.out_format))
    flags = np.zeros(len(a), np.uint8)
    # With a port, the codes that stand for no mode round toward zero.
    modes = inputs.get("rounding_mode", np.zeros(len(a), np.uint8))
    for code in np.unique(modes):
        here = modes == code
        by_port = ROUNDINGS[code] if code < len(ROUNDINGS) else "rtz"
        y[here], flags[here] = golden.multiply(
            a[here],
            b[here],
            unit.a_format,
            unit.b_format,
            out=unit.out_format,
            rounding=by_port if unit.rounding == "port" else unit.rounding or "rne",
            overflow=unit.overflow,
            subnormals=unit.subnormals or "full",
            flags=True,
        )
    return {"y": y} | ({"flags": flags} if unit.with_flags else {})
