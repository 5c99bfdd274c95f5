"""What every decoder offers: from a code of one kind of format to a RawFloat, or to an integer."""

from __future__ import annotations

from abc import abstractmethod
from typing import ClassVar

from amaranth.hdl import Const, Module, Signal, Value
from amaranth.lib.wiring import Member

from ...golden.formats import Format
from ..core.hierarchy import instantiate
from ..core.unit import Unit
from .raw_float import NEVER, RawFloat, RawShape


class Unpack(Unit):
    """The decoder of one kind of format; combinational. :data:`.decoders.DECODERS` has one for each kind.

    A subclass declares the ports ``code`` and ``sign``, and those of ``exponent``, ``significand``, ``zero``, ``inf``,
    ``nan``, ``signaling`` and ``subnormal`` that its formats need; what has no port is 0, and ``subnormal`` not there.

    Parameters
    ----------
    fmt : Format
        A format of its kind.
    subnormals : "full" or "flush"
        Whether subnormals are read as such or as zeros.
    members : dict
        The ports but for ``code``.

    Attributes
    ----------
    raw : RawShape
        Widths and bounds of the number.
    """

    kind = "unpack"
    raw: RawShape
    #: Parameters that tell one module from another; "subnormals" where it makes a difference.
    distinguishes: ClassVar[tuple[str, ...]] = ("fmt",)

    def __init__(
        self, *, fmt: Format, subnormals: str = "full", code: Member, members: dict[str, Member], raw: RawShape
    ) -> None:
        self.fmt = fmt
        self.raw = raw
        given = {"fmt": fmt, "subnormals": subnormals}
        super().__init__(
            {"code": code} | members,
            parameters={name: given[name] for name in self.distinguishes},
            latency=0,
            clocked=False,
        )

    def decode(self, m: Module, platform: object, name: str, code: Value) -> RawFloat:
        """The number that a code stands for, by an instance of this unit called ``unpack_NAME``."""
        wires = {p.name: Signal(v.shape(), name=f"{name}_{p.name}") for p, v in self.flat_ports() if p.name != "code"}
        instantiate(m, platform, f"unpack_{name}", self, code=code, **wires)
        return self._bundle(name, **wires)

    def _bundle(self, name: str, **wires: Value) -> RawFloat:
        return RawFloat(self.raw, name=name, **({"exponent": NEVER, "significand": Const(1, 1)} | wires))

    @abstractmethod
    def integer(self, m: Module, name: str, code: Value) -> Signal:
        """The integer that a code stands for, in units of its last bit, as a signal called ``name``.

        Only formats whose ``multiplies_as_integer`` is True have one.
        """

    @abstractmethod
    def is_negative(self, code: Value) -> Value:
        """The sign of the integer, as in the code."""
