"""What every generated unit has in common, and the hierarchy that holds one module definition per distinct unit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from amaranth.hdl import (
    ClockSignal,
    Instance,
    Module,
    ResetSignal,
    Shape,
    Signal,
    Value,
    signed,
    unsigned,
)
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from ..golden.formats import Format

Role = Literal["data", "flags", "enable", "valid", "ready", "last", "control", "clock", "reset"]


def shape_of(fmt: Format) -> Shape:
    """The Amaranth shape of a code: signed for two's complement, else unsigned."""
    return signed(fmt.width) if fmt.kind == "fixed" and fmt.signed else unsigned(fmt.width)


@dataclass(frozen=True)
class Port:
    """One port of a generated module.

    Parameters
    ----------
    name, direction, width
        As in the Verilog; the width in bits.
    role : Role
        What it is for.
    format : Format or None
        The number format of its elements.
    elements : int
        How many elements it packs, element 0 in the least significant bits.
    stream : str or None
        The stream that it belongs to.
    """

    name: str
    direction: Literal["input", "output"]
    width: int
    role: Role
    format: Format | None = None
    elements: int = 1
    stream: str | None = None

    def describe(self) -> dict[str, Any]:
        """As in NAME.json."""
        return {
            "name": self.name,
            "direction": self.direction,
            "width": self.width,
            "role": self.role,
            "format": self.format.name if self.format else None,
            "elements": self.elements,
            "stream": self.stream,
        }


class Unit(wiring.Component):
    """A component that can be generated: an Amaranth component that knows its ports' formats and its latency.

    Parameters
    ----------
    members : dict
        The signature's members; streams are members of :class:`amaranth.lib.stream.Signature`.
    formats : dict of str to (Format, int)
        Format and number of elements of each port that carries numbers, by its name in the Verilog.
    parameters : dict
        All that tells this unit from another of its class, as plain values.
    latency : int
        Clock cycles from an input to the output that depends on it; 0 is combinational.
    clocked : bool
        Whether it has ``clk`` and ``rst`` ports.

    Attributes
    ----------
    kind : str
        The unit's name on the command line and in NAME.json.
    """

    kind: ClassVar[str]
    formula: str
    #: What it does where formats leave a choice, in sentences for the header of the Verilog.
    policy: tuple[str, ...] = ()
    throughput: ClassVar[str] = "one result per clock cycle"
    # A unit may be made for its ports or its parameters alone, and under a Hierarchy one stands for all that are equal.
    _MustUse__silence = True

    def __init__(
        self,
        members: dict[str, wiring.Member],
        *,
        formats: dict[str, tuple[Format, int]],
        parameters: dict[str, Any],
        latency: int,
        clocked: bool,
    ) -> None:
        super().__init__(members)
        self.formats = formats
        self.parameters = parameters
        self.latency = latency
        self.clocked = clocked

    @property
    def key(self) -> tuple[object, ...]:
        """Equal for two units exactly when one module definition serves both."""
        return (type(self), *sorted((name, repr(value)) for name, value in self.parameters.items()))

    @property
    def ports(self) -> list[Port]:
        """The ports of the generated module, in order."""
        found = [Port("clk", "input", 1, "clock"), Port("rst", "input", 1, "reset")] if self.clocked else []
        return found + [port for port, _ in self.flat_ports()]

    def flat_ports(self) -> list[tuple[Port, Value]]:
        """Each port but clock and reset with the value behind it; a stream's payload fields are ports of their own."""
        found = []
        for path, member, value in self.signature.flatten(self):
            direction = "input" if member.flow == wiring.In else "output"
            stream = str(path[0]) if len(path) > 1 else None
            for suffix, part in _fields("_".join(str(step) for step in path if step != "payload"), value):
                name = f"{suffix}_data" if suffix == stream else suffix
                fmt, elements = self.formats.get(name, (None, 1))
                role = _role(name.removeprefix(f"{stream}_"), fmt)
                found.append((Port(name, direction, len(part), role, fmt, elements, stream), part))
        return found

    def elaborate(self, platform: object) -> Module:
        raise NotImplementedError

    if TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any:
            """The members of the signature are attributes, which Amaranth makes at run time."""


def _fields(name: str, value: Any) -> list[tuple[str, Value]]:
    if isinstance(value, data.View) and isinstance(value.shape(), data.StructLayout):
        return [(f"{name}_{field}", Value.cast(value[field])) for field, _ in value.shape()]
    return [(name, Value.cast(value))]


def _role(name: str, fmt: Format | None) -> Role:
    if fmt is not None:
        return "data"
    named: dict[str, Role] = {"en": "enable", "flags": "flags", "valid": "valid", "ready": "ready", "last": "last"}
    named["y_valid"] = "valid"
    # Numbers without a format of their own: in one of several formats, or in parts.
    named |= dict.fromkeys(("a", "b", "y", "sign", "exponent", "significand", "zero", "inf", "nan"), "data")
    return named.get(name, "control")


class Hierarchy:
    """The platform under which equal units become instances of one module definition.

    Amaranth gives every submodule a definition of its own: a 128 × 128 array would hold 16,384 copies of its processing
    element. Elaborated under a Hierarchy, :func:`place` makes an instance of a named module instead, and
    :func:`polymac.hdl.emit.generate` converts each distinct unit once.
    """

    def __init__(self, top: Unit, name: str, taken: set[str] | None = None) -> None:
        """``taken``: names that no module may get, which those of this hierarchy's modules are added to."""
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


def place(m: Module, platform: object, name: str, unit: Unit, /, **connections: Any) -> None:
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
