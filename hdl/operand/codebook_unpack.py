"""Unpacking of a position in a table of values into sign, exponent and significand."""

from __future__ import annotations

from amaranth.hdl import Module, Signal, Value
from amaranth.lib.wiring import In, Out

from ...golden.formats import CodebookFormat, Format, ParameterError
from .raw_float import RawShape
from .unpack import Unpack


class CodebookUnpack(Unpack):
    """Looks up a code's value; combinational, a ROM.

    A value is ``(-1)**sign * significand * 2**(exponent + min_exponent - (bits of significand - 1))``, where
    ``min_exponent`` is the exponent of the least magnitude that is not zero. The significand's top bit is 1; zero's is
    0, and its exponent 0.

    Parameters
    ----------
    fmt : Format
        A codebook.

    Members
    -------
    code : In
        As many bits as number the values.
    sign, zero : Out(1)
    exponent : Out
        The exponent of the significand's top bit less ``min_exponent``; at least one bit wide.
    significand : Out
        As long as the longest.
    """

    formula = "value = (-1)**sign * significand * 2**(exponent + min_exponent - (bits of significand - 1))"

    def __init__(self, *, fmt: Format, subnormals: str = "full") -> None:
        assert isinstance(fmt, CodebookFormat)
        self.parts = fmt.parts
        self.min_exponent, bits = fmt.min_exponent, fmt.significand_bits
        span = fmt.max_exponent - fmt.min_exponent
        super().__init__(
            fmt=fmt,
            subnormals=subnormals,
            code=In(fmt.width),
            members={
                "sign": Out(1),
                "zero": Out(1),
                "exponent": Out(range(max(span + 1, 2))),
                "significand": Out(bits),
            },
            raw=RawShape(bits, self.min_exponent - (bits - 1), 0, span, span.bit_length()),
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        with m.Switch(self.code):
            for code, (sign, significand, exponent) in enumerate(self.parts):
                length = significand.bit_length()
                with m.Case(code):
                    m.d.comb += [
                        self.sign.eq(sign),
                        self.zero.eq(not significand),
                        self.significand.eq(significand << (self.raw.width - length)),
                        self.exponent.eq(exponent + length - 1 - self.min_exponent if significand else 0),
                    ]
        return m

    def integer(self, m: Module, name: str, code: Value) -> Signal:
        raise ParameterError(f"the integer of a code must be asked of an integral format, not {self.fmt}")

    def is_negative(self, code: Value) -> Value:
        raise ParameterError(f"the sign of a code must be asked of an integral format, not {self.fmt}")
