"""What every generated unit has in common."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from amaranth.hdl import (
    Module,
    Shape,
    Value,
    signed,
    unsigned,
)
from amaranth.lib import data, wiring

from ...golden.formats import Format

Role = Literal["data", "flags", "enable", "valid", "ready", "last", "control", "clock", "reset"]


def shape_of(fmt: Format) -> Shape:
    """The Amaranth shape of a code: signed for two's complement, else unsigned."""
    return signed(fmt.width) if fmt.twos_complement else unsigned(fmt.width)


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
