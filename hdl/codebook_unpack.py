"""Unpacking of a position in a table of values into sign, exponent and significand."""

from __future__ import annotations

from amaranth.hdl import Module
from amaranth.lib.wiring import In, Out

from .unit import Unit


class CodebookUnpack(Unit):
    """Looks up a code's value; combinational, a ROM.

    A value is ``(-1)**sign * significand * 2**(exponent + least - (bits of significand - 1))``, where ``least`` is the
    exponent of the least magnitude that is not zero. The significand's top bit is 1; zero's is 0, and its exponent 0.

    Parameters
    ----------
    values : tuple of (bool, int, int)
        Sign, significand and exponent of each code's value, ``(-1)**sign * significand * 2**exponent``.

    Members
    -------
    code : In
        As many bits as number the values.
    sign, zero : Out(1)
    exponent : Out
        The exponent of the significand's top bit less ``least``; at least one bit wide.
    significand : Out
        As long as the longest.
    """

    kind = "unpack"
    formula = "value = (-1)**sign * significand * 2**(exponent + least - (bits of significand - 1))"

    def __init__(self, *, values: tuple[tuple[bool, int, int], ...]) -> None:
        self.values = values
        tops = [exponent + significand.bit_length() - 1 for _, significand, exponent in values if significand]
        self.least, self.greatest = min(tops, default=0), max(tops, default=0)
        self.significand_bits = max(1, *(significand.bit_length() for _, significand, _ in values))
        super().__init__(
            {
                "code": In((len(values) - 1).bit_length()),
                "sign": Out(1),
                "zero": Out(1),
                "exponent": Out(range(max(self.greatest - self.least + 1, 2))),
                "significand": Out(self.significand_bits),
            },
            formats={},
            parameters={"values": values},
            latency=0,
            clocked=False,
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        with m.Switch(self.code):
            for code, (sign, significand, exponent) in enumerate(self.values):
                length = significand.bit_length()
                with m.Case(code):
                    m.d.comb += [
                        self.sign.eq(sign),
                        self.zero.eq(not significand),
                        self.significand.eq(significand << (self.significand_bits - length)),
                        self.exponent.eq(exponent + length - 1 - self.least if significand else 0),
                    ]
        return m
