"""Decoding of a one-bit code: 0 is -1 and 1 is +1."""

from __future__ import annotations

from amaranth.hdl import Module, Mux, Signal, Value, signed
from amaranth.lib.wiring import In, Out

from ...golden.formats import Format
from .raw_float import RawFloat, RawShape
from .unpack import Unpack


class BinaryUnpack(Unpack):
    """The sign of a binary code; combinational.

    Parameters
    ----------
    fmt : Format
        A binary format.

    Members
    -------
    code : In(1)
    sign : Out(1)
    """

    formula = "code = (-1)**sign"

    def __init__(self, *, fmt: Format, subnormals: str = "full") -> None:
        super().__init__(fmt=fmt, subnormals=subnormals, code=In(1), members={"sign": Out(1)}, raw=RawShape(1, 0))

    def decode(self, m: Module, platform: object, name: str, code: Value) -> RawFloat:
        # One inverter is not worth a module.
        negative = Signal(name=f"{name}_sign")
        m.d.comb += negative.eq(~code)
        return self._bundle(name, sign=negative)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.d.comb += self.sign.eq(~self.code)
        return m

    def integer(self, m: Module, name: str, code: Value) -> Signal:
        value = Signal(signed(2), name=name)
        m.d.comb += value.eq(Mux(code, 1, -1))
        return value

    def is_negative(self, code: Value) -> Value:
        return ~code
