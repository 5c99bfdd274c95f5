"""Unpacking of a fixed-point code into sign and magnitude."""

from __future__ import annotations

from amaranth.hdl import Module, Mux, Signal, Value
from amaranth.lib.wiring import In, Out

from ...golden.formats import Format
from ..core.unit import shape_of
from .raw_float import NEVER, RawShape
from .unpack import Unpack


class FixedUnpack(Unpack):
    """Splits a fixed-point code into sign and magnitude; combinational.

    Parameters
    ----------
    fmt : Format
        A fixed-point format.

    Members
    -------
    code : In(fmt)
    sign, zero : Out(1)
    significand : Out(fmt.width)
        The magnitude, of value ``significand * 2**-frac_bits``.
    """

    formula = "code = (-1)**sign * significand"

    def __init__(self, *, fmt: Format, subnormals: str = "full") -> None:
        super().__init__(
            fmt=fmt,
            subnormals=subnormals,
            code=In(shape_of(fmt)),
            members={"sign": Out(1), "significand": Out(fmt.width), "zero": Out(1)},
            raw=RawShape(fmt.width, -fmt.frac_bits, is_integer=True),
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.d.comb += [
            self.sign.eq(self.code[-1] if self.fmt.signed else 0),
            self.significand.eq(Mux(self.sign, -self.code, self.code)),
            self.zero.eq(self.code == 0),
        ]
        return m

    def integer(self, m: Module, name: str, code: Value) -> Signal:
        value = Signal(shape_of(self.fmt), name=name)
        m.d.comb += value.eq(code)
        return value

    def is_negative(self, code: Value) -> Value:
        return code[-1] if self.fmt.signed else NEVER
