"""Unpacking of a fixed-point code into sign and magnitude."""

from __future__ import annotations

from amaranth.hdl import Module, Mux
from amaranth.lib.wiring import In, Out

from ...golden.formats import Format
from ..core.unit import Unit, shape_of


class FixedUnpack(Unit):
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

    kind = "unpack"
    formula = "code = (-1)**sign * significand"

    def __init__(self, *, fmt: Format) -> None:
        self.fmt = fmt
        super().__init__(
            {"code": In(shape_of(fmt)), "sign": Out(1), "significand": Out(fmt.width), "zero": Out(1)},
            parameters={"fmt": fmt},
            latency=0,
            clocked=False,
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.d.comb += [
            self.sign.eq(self.code[-1] if self.fmt.signed else 0),
            self.significand.eq(Mux(self.sign, -self.code, self.code)),
            self.zero.eq(self.code == 0),
        ]
        return m
