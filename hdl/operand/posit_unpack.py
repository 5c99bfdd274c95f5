"""Unpacking of a posit into sign, exponent, significand and class."""

from __future__ import annotations

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib.wiring import In, Out

from ...golden.formats import Format, ParameterError, PositFormat
from ..core.step import step
from ..integer.shifter import count_zeros, shift_window
from .raw_float import RawShape
from .unpack import Unpack


class PositUnpack(Unpack):
    """Splits a posit of the 2022 standard; combinational.

    A number that is neither zero nor NaR is ``(-1)**sign * significand * 2**(exponent - bias - (bits of significand - 1))``
    with ``bias = (n - 2) * 2**es`` for codes of n bits. The significand's top bit is 1, the bits that the code has no room
    for are 0. Significand and exponent of zero and of NaR are 0.

    Parameters
    ----------
    fmt : Format
        A posit format.

    Members
    -------
    code : In(fmt.width)
    sign : Out(1)
        0 for zero, 1 for NaR.
    exponent : Out(range(2 * bias + 1))
    significand : Out(fmt.significand_bits)
    zero, nan : Out(1)
        Whether it is zero, or NaR.
    """

    formula = "code = (-1)**sign * significand * 2**(exponent - bias - (bits of significand - 1))"

    def __init__(self, *, fmt: Format, subnormals: str = "full") -> None:
        assert isinstance(fmt, PositFormat)
        self.es = fmt.es
        bits, bias = fmt.significand_bits, fmt.exponent_bias
        super().__init__(
            fmt=fmt,
            subnormals=subnormals,
            code=In(fmt.width),
            members={
                "exponent": Out(range(2 * bias + 1)),
                "significand": Out(bits),
                **{name: Out(1) for name in ("sign", "zero", "nan")},
            },
            raw=RawShape(bits, -bias - (bits - 1), 0, 2 * bias, (2 * bias).bit_length()),
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        n, es, bits = self.fmt.width, self.es, self.raw.width
        step(m, "The class, and the magnitude: a negative code is the other's two's complement")
        body, is_number = Signal(n - 1), Signal()
        m.d.comb += [
            self.sign.eq(self.code[-1]),
            is_number.eq(self.code[:-1].any()),
            self.zero.eq(~self.sign & ~is_number),
            self.nan.eq(self.sign & ~is_number),
            body.eq(Mux(self.sign, -self.code[:-1], self.code[:-1])),
        ]
        step(m, "The regime: how many bits behind the first are equal to it; all of them, if no other bit ends it")
        up, rest = body[-1], body[:-1]
        same = Signal(range(n - 1))
        m.d.comb += same.eq(count_zeros(m, Cat(Const(1, 1), rest ^ up.replicate(n - 2)), "regime"))
        step(
            m, "Shifted out but for the bit that ends it, it leaves exponent and fraction, with zeros behind their end"
        )
        shifted, _ = shift_window(m, rest, same, n - 3, n - 2)
        tail = Signal(es + bits - 1)
        m.d.comb += tail.eq(Cat(Const(0, max(es - (n - 3), 0)), shifted[: n - 3]))
        # The regime's value is ``same`` or, below 1, -1 - same, whose bits are those of ``same`` inverted.
        regime = Signal(range(2 * (n - 2) + 1), name="biased_regime")
        m.d.comb += [
            regime.eq(Cat(same ^ ~up.replicate(len(same)), ~up).as_signed() + (n - 2)),
            self.exponent.eq(Mux(is_number, Cat(tail[bits - 1 :], regime), 0)),
            self.significand.eq(Cat(tail[: bits - 1], is_number)),
        ]
        return m

    def integer(self, m: Module, name: str, code: Value) -> Signal:
        raise ParameterError(f"the integer of a code must be asked of an integral format, not {self.fmt}")

    def is_negative(self, code: Value) -> Value:
        return code[-1]
