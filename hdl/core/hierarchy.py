"""One module definition per distinct unit, and the instances of it."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import ClockSignal, Instance, Module, ResetSignal, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from .step import mark_part
from .unit import Port, Unit


class Hierarchy:
    """The platform under which equal units become instances of one module definition.

    Amaranth gives every submodule a definition of its own: a 128 × 128 array would hold 16,384 copies of its processing
    element. Elaborated under a Hierarchy, :func:`instantiate` makes an instance of a named module instead, and
    :func:`polymac.hdl.emit.generate` converts each distinct unit once.
    """

    def __init__(self, top: Unit, name: str, taken: set[str] | None = None) -> None:
        """``taken``: names that no module may get, to which those of this hierarchy's modules are added."""
        self._names: dict[tuple[object, ...], str] = {top.key: name}
        self._top = name
        self._taken = set[str]() if taken is None else taken
        self._taken.add(name)
        self.pending: list[tuple[str, Unit]] = [(name, top)]

    def module_name(self, unit: Unit) -> str:
        """The module that serves ``unit``; a unit first seen here is queued for conversion."""
        if unit.key not in self._names:
            name = base = f"{self._top}_{unit.kind}"
            number = 1
            while name in self._taken:
                number += 1
                name = f"{base}_v{number}"
            self._taken.add(name)
            self._names[unit.key] = name
            self.pending.append((name, unit))
        return self._names[unit.key]


def instantiate(m: Module, platform: object, name: str, unit: Unit, /, **connections: Any) -> None:
    """Add ``unit`` to ``m`` as submodule ``name`` with its ports connected: inputs to values, outputs to signals.

    Under a :class:`Hierarchy` it is an instance of the one definition of all units like it, else an ordinary Amaranth
    submodule, so that the components work in any Amaranth design and simulator.
    """
    flat = unit.flat_ports()
    for port, _ in flat:
        given = len(Value.cast(connections[port.name]))
        if given != port.width:
            raise ValueError(f"{name}.{port.name} must be connected to {port.width} bits, not {given}")
    if isinstance(platform, Hierarchy):
        wires = {f"{port.direction[0]}_{port.name}": connections[port.name] for port, _ in flat}
        clock = {"i_clk": ClockSignal(), "i_rst": ResetSignal()} if unit.clocked else {}
        mark_part(m, name)
        m.submodules[name] = Instance(platform.module_name(unit), **clock, **wires)
        return
    m.submodules[name] = unit
    for port, value in flat:
        outside = Value.cast(connections[port.name])
        m.d.comb += value.eq(outside) if port.direction == "input" else outside.eq(value)


class FlatTop(wiring.Component):
    """A unit whose ports are plain signals, one for each of :attr:`Unit.ports`, in the unit's own module."""

    def __init__(self, unit: Unit) -> None:
        flat = unit.flat_ports()
        members = {
            port.name: (In if port.direction == "input" else Out)(value.shape(), init=_init(value))
            for port, value in flat
        }
        super().__init__(members)
        self._unit = unit
        self._inside: list[tuple[Port, Value]] = []
        for port, value in flat:
            if isinstance(value, Signal) and value.name == port.name:
                setattr(self, port.name, value)
            else:
                self._inside.append((port, value))

    def elaborate(self, platform: object) -> Module:
        m = self._unit.elaborate(platform)
        for port, value in self._inside:
            outside = getattr(self, port.name)
            m.d.comb += value.eq(outside) if port.direction == "input" else outside.eq(value)
        return m


def _init(value: Value) -> int:
    return value.init if isinstance(value, Signal) else 0
