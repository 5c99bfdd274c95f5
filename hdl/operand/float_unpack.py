"""Unpacking of a float code into sign, exponent, significand and class."""

from __future__ import annotations

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value, signed
from amaranth.lib.wiring import In, Out

from ...golden.formats import Format
from ..core.step import step
from .raw_float import NEVER, RawShape
from .unpack import Unpack


class FloatUnpack(Unpack):
    """Splits a float code; combinational.

    A finite number is ``(-1)**sign * significand * 2**(exponent - bias - frac_bits)``. The significand of a subnormal is as
    it is, with a hidden bit of 0 and the exponent 1.

    Parameters
    ----------
    fmt : Format
        A float format.
    subnormals : "full" or "flush"
        Whether a subnormal is read as what it is or as a zero of its sign.

    Members
    -------
    code : In(fmt.width)
    sign : Out(1)
    exponent : Out(max(fmt.exp_bits, 1))
        The biased exponent.
    significand : Out(fmt.significand_bits)
    subnormal : Out(1)
        The hidden bit is 0: a subnormal number or zero; where subnormals are read as such.
    zero, inf, nan, signaling : Out(1)
        The class, none of them set for other numbers; ``signaling``: the NaN is one that raises the invalid flag.
    """

    formula = "code = (-1)**sign * significand * 2**(exponent - bias - frac_bits)"

    distinguishes = ("fmt", "subnormals")

    def __init__(self, *, fmt: Format, subnormals: str = "full") -> None:
        self.reads_subnormals = fmt.subnormals and subnormals == "full"
        self.flush = subnormals == "flush"
        classes = ("sign", "zero", "inf", "nan", "signaling", *(("subnormal",) if self.reads_subnormals else ()))
        min_field = int(self.reads_subnormals)
        super().__init__(
            fmt=fmt,
            subnormals=subnormals,
            code=In(fmt.width),
            members={
                "exponent": Out(max(fmt.exp_bits, 1)),
                "significand": Out(fmt.significand_bits),
                **{name: Out(1) for name in classes},
            },
            raw=RawShape(
                fmt.significand_bits,
                -fmt.bias - fmt.frac_bits,
                min_field,
                max(fmt.max_code >> fmt.frac_bits, min_field),
                fmt.exp_bits,
            ),
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        fmt = self.fmt
        step(
            m,
            "Sign, exponent and significand"
            + "; a subnormal's hidden bit is 0, its exponent 1" * self.reads_subnormals,
        )
        magnitude = self.code[: fmt.width - fmt.signed]
        fraction = Signal(fmt.frac_bits)
        field = Signal(max(fmt.exp_bits, 1))  # without an exponent, all numbers are subnormal
        m.d.comb += [
            fraction.eq(magnitude[: fmt.frac_bits]),
            field.eq(magnitude[fmt.frac_bits :]),
            self.sign.eq(self.code[-1] if fmt.signed else 0),
        ]
        if self.reads_subnormals:
            m.d.comb += self.subnormal.eq(field == 0)
            m.d.comb += [
                self.exponent.eq(Cat(field[0] | self.subnormal, field[1:])),
                self.significand.eq(Cat(fraction, ~self.subnormal)),
            ]
        else:
            m.d.comb += [self.exponent.eq(field), self.significand.eq(Cat(fraction, 1))]
        self._classify(m, magnitude, fraction, field)
        return m

    def _classify(self, m: Module, magnitude: Value, fraction: Signal, field: Signal) -> None:
        step(m, "The class")
        fmt = self.fmt
        special = magnitude > fmt.max_code if fmt.max_code < fmt.magnitude_mask else Const(0)
        inf = Const(0) if fmt.inf_code is None else magnitude == fmt.inf_code
        nan = coded = special & ~inf if fmt.has_inf else special
        if fmt.negative_zero == "nan":
            nan = nan | (self.code == fmt.sign_mask)
        zero = Const(0)
        if fmt.subnormals:
            empty = self.subnormal if self.reads_subnormals else field == 0
            zero = empty if self.flush else empty & (fraction == 0)
            if fmt.negative_zero == "nan":
                zero = zero & (self.code != fmt.sign_mask)
        m.d.comb += [
            self.zero.eq(zero),
            self.inf.eq(inf),
            self.nan.eq(nan),
            self.signaling.eq(coded & ~fraction[-1] if fmt.has_signaling_nan else 0),
        ]

    def integer(self, m: Module, name: str, code: Value) -> Signal:
        fmt = self.fmt
        magnitude = code[: fmt.width - fmt.signed]
        value = Signal(signed(fmt.width), name=name)
        m.d.comb += value.eq(Mux(code[-1], -magnitude, magnitude) if fmt.signed else magnitude)
        return value

    def is_negative(self, code: Value) -> Value:
        return code[-1] if self.fmt.signed else NEVER
