"""Unpacking of a posit into sign, exponent, significand and class."""

from __future__ import annotations

from amaranth.hdl import Cat, Const, Module, Mux, Signal
from amaranth.lib.wiring import In, Out

from .shifter import count_zeros, shift_window
from .unit import Unit


class PositUnpack(Unit):
    """Splits a posit of the 2022 standard; combinational.

    A number that is neither zero nor NaR is ``(-1)**sign * significand * 2**(exponent - bias - (bits of significand - 1))``
    with ``bias = (n - 2) * 2**es``. The significand's top bit is 1, the bits that the code has no room for are 0. The
    significand of zero and of NaR is 0, and their exponent means nothing.

    Parameters
    ----------
    n, es : int
        Width and exponent bits, 3 … 32 and 0 … 4.

    Members
    -------
    code : In(n)
    sign : Out(1)
        0 for zero, 1 for NaR.
    exponent : Out(range(2 * bias + 1))
    significand : Out(max(n - 3 - es, 0) + 1)
    zero, nan : Out(1)
        Whether it is zero, or NaR.
    """

    kind = "unpack"
    formula = "code = (-1)**sign * significand * 2**(exponent - bias - (bits of significand - 1))"

    def __init__(self, *, n: int, es: int) -> None:
        self.n, self.es = n, es
        self.bias = (n - 2) << es
        self.significand_bits = max(n - 3 - es, 0) + 1
        super().__init__(
            {
                "code": In(n),
                "exponent": Out(range(2 * self.bias + 1)),
                "significand": Out(self.significand_bits),
                **{name: Out(1) for name in ("sign", "zero", "nan")},
            },
            formats={},
            parameters={"n": n, "es": es},
            latency=0,
            clocked=False,
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        n, es = self.n, self.es
        body, is_number = Signal(n - 1), Signal()
        m.d.comb += [
            self.sign.eq(self.code[-1]),
            is_number.eq(self.code[:-1].any()),
            self.zero.eq(~self.sign & ~is_number),
            self.nan.eq(self.sign & ~is_number),
            body.eq(Mux(self.sign, -self.code[:-1], self.code[:-1])),
        ]
        # The regime: how many bits behind the first are equal to it. Only all of them, if no other bit ends it.
        up, rest = body[-1], body[:-1]
        same = Signal(range(n - 1))
        m.d.comb += same.eq(count_zeros(m, Cat(Const(1, 1), rest ^ up.replicate(n - 2)), "regime"))
        # Shifted out but for the bit that ends it, it leaves exponent and fraction, with zeros behind their end.
        shifted, _ = shift_window(m, rest, same, n - 3, n - 2)
        tail = Signal(es + self.significand_bits - 1)
        m.d.comb += tail.eq(Cat(Const(0, max(es - (n - 3), 0)), shifted[: n - 3]))
        # The regime's value is ``same`` or, below 1, -1 - same, whose bits are those of ``same`` inverted.
        regime = Signal(range(2 * (n - 2) + 1), name="biased_regime")
        m.d.comb += [
            regime.eq(Cat(same ^ ~up.replicate(len(same)), ~up).as_signed() + (n - 2)),
            self.exponent.eq(Cat(tail[self.significand_bits - 1 :], regime)),
            self.significand.eq(Cat(tail[: self.significand_bits - 1], is_number)),
        ]
        return m
