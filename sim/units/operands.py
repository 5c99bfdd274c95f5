"""The operand ports of a unit without streams, and operands for them that need nothing but the ports' formats."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ... import hdl
from ...golden.codec.codes import code_dtype
from ...hdl.core.unit import Port
from ..engine.packing import port_format
from ..expected.sums import to_bus
from ..stimulus.operands import operands

Codes = NDArray[Any]

#: Operand sets in a chunk.
CHUNK = 1 << 18
#: Of all operands of a unit with a valid input, this share counts.
VALID_SHARE = 0.7


def ports_of(unit: hdl.Unit) -> dict[str, Port]:
    """The ports of a unit by name."""
    return {port.name: port for port in unit.ports}


def operand_names(unit: hdl.Unit) -> list[str]:
    """The input ports that take operands: all but clock, reset, enable and valid."""
    return [port.name for port in unit.ports if port.direction == "input" and port.role in ("data", "control")]


def operand_bits(unit: hdl.Unit) -> int:
    """Bits of one set of operands."""
    ports = ports_of(unit)
    return sum(ports[name].width for name in operand_names(unit))


def random_operands(unit: hdl.Unit, total: int, seed: int) -> Iterator[dict[str, Codes]]:
    """``total`` sets of operands, biased to the corner values of each port's format, in chunks: codes by port."""
    generator = np.random.default_rng(seed)
    for start in range(0, total, CHUNK):
        count = min(CHUNK, total - start)
        yield draw(unit, count, generator) | random_valid(unit, count, generator)


def draw(unit: hdl.Unit, count: int, generator: np.random.Generator) -> dict[str, Codes]:
    """Random codes for each operand port."""
    ports = ports_of(unit)
    return {name: _random_codes(ports[name], count, generator) for name in operand_names(unit)}


def _random_codes(port: Port, count: int, generator: np.random.Generator) -> Codes:
    if port.format is None or port.elements == 1:
        return operands(port.format, port.width, count, generator)
    codes = operands(port.format, port.format.width, count * port.elements, generator)
    return to_bus(codes.reshape(count, port.elements), port.format)


def random_valid(unit: hdl.Unit, count: int, generator: np.random.Generator) -> dict[str, Codes]:
    """Random bits for the inputs that say which operands count."""
    return {
        port.name: (generator.random(count) < VALID_SHARE).astype(np.uint8)
        for port in unit.ports
        if port.direction == "input" and port.role == "valid"
    }


def all_operands(unit: hdl.Unit) -> Iterator[dict[str, Codes]]:
    """Every combination of codes of the operand ports, in chunks: codes by port."""
    ports, names = ports_of(unit), operand_names(unit)
    total = 1 << operand_bits(unit)
    generator = np.random.default_rng(0)
    for start in range(0, total, CHUNK):
        index = np.arange(start, min(start + CHUNK, total), dtype=np.uint64)
        count, chunk = len(index), {}
        for name in names:
            width = ports[name].width
            chunk[name] = (index & np.uint64((1 << width) - 1)).astype(code_dtype(port_format(width)))
            index = index >> np.uint64(width)
        yield chunk | random_valid(unit, count, generator)
