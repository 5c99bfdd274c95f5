"""Operand streams for the energy of a unit: what its ports carry, cycle by cycle, and where the numbers come from.

Energy depends on what is computed, so each figure names its source:

* ``gaussian``: normally distributed numbers, quantized to the operands' formats: fixed point, and formats whose
  largest number is below 2^16, with the scale of least mean square error, others with a standard deviation of 1; block
  formats set their own scales.
* ``uniform``: every finite code of a port equally likely.

A sum begins again every :data:`SUM_LENGTH` products; the clock enable and ``valid`` are 1, reset is 0.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import golden, hdl
from ..golden.accuracy.scaling import scaled
from ..golden.formats import BlockFormat, FixedFormat, Format, any_format, check_choice
from ..hdl.core.unit import Port
from ..sim.expected.sums import bus_values, to_bus
from ..synth.energy.streams import uniform_codes

#: Steps of a sum before it is cleared.
SUM_LENGTH = 64
#: Clock cycles, or operations of a unit without a clock, that are simulated.
CYCLES = 1024

#: Floats and posits whose largest number is at least this need no scale.
_WIDE = 1 << 16

Codes = NDArray[Any]
Source = Callable[[hdl.Unit, int, np.random.Generator], dict[str, Codes]]


def streams(unit: hdl.Unit, source: str, cycles: int = CYCLES, seed: int = 0) -> dict[str, Codes]:
    """Values of every input port but for the clock, one per cycle, as :func:`polymac.synth.measure_energy` takes them.

    Raises
    ------
    ParameterError
        There is no such source.
    """
    draw = SOURCES[check_choice("activity", source, tuple(SOURCES))]
    generator = np.random.default_rng(seed)
    operands = draw(unit, cycles, generator)
    found = {}
    for port in unit.ports:
        if port.direction != "input" or port.role == "clock":
            continue
        found[port.name] = operands[port.name] if port.name in operands else _control(port, cycles)
    return found


def _control(port: Port, cycles: int) -> Codes:
    if port.role in ("enable", "valid"):
        return np.ones(1, np.int64)
    if port.name == "clear":
        return (np.arange(cycles) % SUM_LENGTH == 0).astype(np.int64)
    return np.zeros(1, np.int64)


def _data_ports(unit: hdl.Unit) -> dict[str, tuple[Port, Format]]:
    return {
        port.name: (port, port.format)
        for port in unit.ports
        if port.direction == "input" and port.role == "data" and port.format is not None
    }


def _uniform(unit: hdl.Unit, cycles: int, generator: np.random.Generator) -> dict[str, Codes]:
    found = {}
    for name, (port, fmt) in _data_ports(unit).items():
        found[name] = _packed(_uniform_codes(fmt, cycles * port.elements, generator), fmt, port.elements)
    return found


def _uniform_codes(fmt: Format, count: int, generator: np.random.Generator) -> Codes:
    """Codes of finite numbers, each equally likely: draws of others are repeated."""
    codes = np.array([0] * count, object if fmt.width > 63 else np.int64)
    missing = np.ones(count, bool)
    while missing.any():
        drawn = uniform_codes(fmt.width, int(missing.sum()), int(generator.integers(1 << 31)))
        codes[missing] = drawn
        missing[missing] = ~np.isfinite(golden.decode(drawn, fmt))
    return codes


def _gaussian(unit: hdl.Unit, cycles: int, generator: np.random.Generator) -> dict[str, Codes]:
    ports = _data_ports(unit)
    found: dict[str, Codes] = {}
    for side in ("a", "b"):
        if f"{side}_scale" in ports:
            found |= _blocks(unit, side, ports, cycles, generator)
    for name, (port, fmt) in ports.items():
        if name in found:
            continue
        found[name] = _packed(_normal_codes(fmt, (cycles, port.elements), generator), fmt, port.elements)
    return found


def _blocks(
    unit: hdl.Unit, side: str, ports: Mapping[str, tuple[Port, Format]], cycles: int, generator: np.random.Generator
) -> dict[str, Codes]:
    """Elements and scales of a block format, the beats of a block one after the other."""
    fmt = any_format(unit.parameters[side])
    assert isinstance(fmt, BlockFormat)
    port, element = ports[side]
    beats = fmt.block_size // port.elements
    count = -(-cycles // beats)
    scales, elements = golden.encode_blocks(generator.standard_normal(count * fmt.block_size), fmt)
    return {
        side: _packed(elements.reshape(-1)[: cycles * port.elements], element, port.elements),
        f"{side}_scale": _packed(np.repeat(scales.reshape(-1), beats)[:cycles], ports[f"{side}_scale"][1], 1),
    }


def _normal_codes(fmt: Format, shape: tuple[int, int], generator: np.random.Generator) -> Codes:
    numbers = generator.standard_normal(shape)
    narrow = fmt.max < _WIDE or isinstance(fmt, FixedFormat)
    return scaled(numbers, fmt).codes if narrow else golden.encode(numbers, fmt)


def _packed(codes: Codes, fmt: Format, elements: int) -> Codes:
    if elements == 1:
        return np.array(codes.reshape(-1).tolist(), object)
    return np.array(bus_values(to_bus(codes.reshape(-1, elements), fmt)), object)


#: The sources of operands by name.
SOURCES: Mapping[str, Source] = MappingProxyType({"gaussian": _gaussian, "uniform": _uniform})
