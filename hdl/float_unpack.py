"""Unpacking of a float code into sign, exponent, normalised significand and class."""

from __future__ import annotations

from amaranth.hdl import Cat, Const, Module, Mux, Shape, Signal, Value, signed
from amaranth.lib.wiring import In, Out

from ..golden.formats import Format
from .unit import Unit


def exponent_shape(fmt: Format, subnormals: str) -> Shape:
    """The shape of an unpacked exponent: the biased field, below 1 for a subnormal by its leading zeros."""
    least = 1 - fmt.frac_bits if fmt.subnormals and subnormals == "full" else 0
    greatest = fmt.max_code >> fmt.frac_bits
    return signed(max(greatest.bit_length(), (-least).bit_length()) + 1)


class FloatUnpack(Unit):
    """Splits a float code; combinational.

    A finite number other than zero is ``(-1)**sign * significand * 2**(exponent - bias - frac_bits)``, with the leading
    one of ``significand`` in its most significant bit; subnormals are shifted up to that and ``exponent`` goes below 1.

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
    exponent : Out(exponent_shape(fmt, subnormals))
        The biased exponent.
    significand : Out(fmt.frac_bits + 1)
    zero, inf, nan, signaling : Out(1)
        The class, none of them set for other numbers; ``signaling``: the NaN is one that raises the invalid flag.
    """

    kind = "unpack"
    formula = "code = (-1)**sign * significand * 2**(exponent - bias - frac_bits)"

    def __init__(self, *, fmt: Format, subnormals: str) -> None:
        self.fmt = fmt
        self.subnormals = subnormals
        super().__init__(
            {
                "code": In(fmt.width),
                "sign": Out(1),
                "exponent": Out(exponent_shape(fmt, subnormals)),
                "significand": Out(fmt.significand_bits),
                "zero": Out(1),
                "inf": Out(1),
                "nan": Out(1),
                "signaling": Out(1),
            },
            formats={"code": (fmt, 1)},
            parameters={"fmt": fmt, "subnormals": subnormals},
            latency=0,
            clocked=False,
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        fmt = self.fmt
        magnitude = self.code[: fmt.width - fmt.signed]
        fraction = Signal(fmt.frac_bits)
        field = Signal(fmt.exp_bits)
        m.d.comb += [
            fraction.eq(magnitude[: fmt.frac_bits]),
            field.eq(magnitude[fmt.frac_bits :]),
            self.sign.eq(self.code[-1] if fmt.signed else 0),
        ]
        self._classify(m, magnitude, fraction, field)
        if not fmt.subnormals or self.subnormals == "flush" or fmt.frac_bits == 0:
            m.d.comb += [self.exponent.eq(field), self.significand.eq(Cat(fraction, 1))]
        else:
            normal = Signal()
            shifted, zeros = normalize(m, fraction)
            m.d.comb += normal.eq(field != 0)
            with m.If(normal):
                m.d.comb += [self.exponent.eq(field), self.significand.eq(Cat(fraction, 1))]
            with m.Else():
                m.d.comb += [self.exponent.eq(-zeros), self.significand.eq(Cat(Const(0), shifted))]
        return m

    def _classify(self, m: Module, magnitude: Value, fraction: Signal, field: Signal) -> None:
        fmt = self.fmt
        special = magnitude > fmt.max_code if fmt.max_code < fmt.magnitude_mask else Const(0)
        inf = Const(0) if fmt.inf_code is None else magnitude == fmt.inf_code
        nan = special & ~inf if fmt.has_inf else special
        if fmt.negative_zero == "nan":
            nan = nan | (self.code == fmt.sign_mask)
        zero = Const(0)
        if fmt.subnormals:
            zero = field == 0 if self.subnormals == "flush" else magnitude == 0
            if fmt.negative_zero == "nan":
                zero = zero & ~self.code[-1]
        m.d.comb += [
            self.zero.eq(zero),
            self.inf.eq(inf),
            self.nan.eq(nan),
            self.signaling.eq(nan & ~fraction[-1] if fmt.has_signaling_nan else 0),
        ]


def normalize(m: Module, value: Signal) -> tuple[Signal, Signal]:
    """``value`` shifted left until its most significant bit is 1, and by how many places; both all ones or 0 for 0.

    One level for each bit of the count, the greatest shift first: level i shifts by 2**i if that many leading bits are
    zero, so that the count comes out of the shifter instead of a separate leading-zero counter.
    """
    width = len(value)
    levels = (width - 1).bit_length()
    count = Signal(max(levels, 1), name=f"{value.name}_leading_zeros")
    for level in reversed(range(levels)):
        step = 1 << level
        shifted = Signal(width, name=f"{value.name}_shift_{step}")
        m.d.comb += [
            count[level].eq(value[-step:] == 0),
            shifted.eq(Mux(count[level], Cat(Const(0, step), value[: width - step]), value)),
        ]
        value = shifted
    return value, count
