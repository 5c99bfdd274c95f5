"""The one rounder and packer of every float operation."""

from __future__ import annotations

from amaranth.hdl import Cat, Const, Module, Mux, Shape, Signal, Value
from amaranth.lib.wiring import In, Out

from ..golden.formats import Flag, Format
from .rounding import increment_magnitude, overflow_to_infinity
from .unit import Unit


class FloatRound(Unit):
    """Rounds an exact or sticky result to a float format and packs it; combinational.

    The result is ``round((-1)**sign * significand * 2**(exponent - bias - (width - 1)))`` where ``width`` is that of
    ``significand``, whose most significant bit is 1, and ``exponent`` is biased as in ``fmt``; or what ``zero``, ``inf``
    or ``nan`` say. NaN is always ``fmt.nan_code``. An infinity in a format without one becomes NaN ("ieee", if the
    format has one) or the largest finite value. Flags are IEEE 754's, tininess being detected after rounding.

    Parameters
    ----------
    fmt : Format
        The float format of the result; it has a sign and a zero.
    exponent : Shape
        Shape of the exponent.
    significand_bits : int
        Width of the significand, any.
    rounding, overflow, subnormals : str
        As in :data:`formats.ROUNDINGS`, :data:`formats.FLOAT_OVERFLOWS`, :data:`formats.SUBNORMALS`. Flushed is what is
        less than the least normal number after rounding to full precision with unbounded exponent.
    flags : bool
        Whether there is a ``flags`` port.

    Members
    -------
    sign, zero, inf, nan : In(1)
        The class of the result.
    exponent : In(exponent)
    significand : In(significand_bits)
    y : Out(fmt.width)
        The code.
    invalid : In(1)
        With ``flags``: the operation is invalid.
    flags : Out(5)
        :class:`formats.Flag`.
    """

    kind = "round"
    formula = "y = round((-1)**sign * significand * 2**(exponent - bias - significand_bits + 1))"

    def __init__(
        self,
        *,
        fmt: Format,
        exponent: Shape,
        significand_bits: int,
        rounding: str,
        overflow: str,
        subnormals: str,
        flags: bool,
    ) -> None:
        self.fmt = fmt
        self.rounding = rounding
        self.overflow = overflow
        self.flush = subnormals == "flush"
        self.with_flags = flags
        members = {
            "sign": In(1),
            "exponent": In(exponent),
            "significand": In(significand_bits),
            "zero": In(1),
            "inf": In(1),
            "nan": In(1),
            "y": Out(fmt.width),
        }
        super().__init__(
            members | ({"invalid": In(1), "flags": Out(5)} if flags else {}),
            formats={"y": (fmt, 1)},
            parameters={
                "fmt": fmt,
                "exponent": exponent,
                "significand_bits": significand_bits,
                "rounding": rounding,
                "overflow": overflow,
                "subnormals": subnormals,
                "flags": flags,
            },
            latency=0,
            clocked=False,
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        fmt, sign = self.fmt, self.sign
        precision = fmt.significand_bits
        # Precision bits, the guard bit and the sticky bit tell all that rounding needs.
        exact = Signal(precision + 2)
        m.d.comb += exact.eq(_jam(self.significand, precision + 2))

        full_increment = Signal()  # rounding as if the exponent had no lower bound
        m.d.comb += full_increment.eq(increment_magnitude(self.rounding, sign, exact[2], exact[1], exact[0]))
        below_normal = Signal()
        tiny = Signal()
        m.d.comb += [
            below_normal.eq(self.exponent < 1),
            # Just below the least normal number, a carry out of the significand makes it normal.
            tiny.eq(below_normal & ~((self.exponent == 0) & exact[2:].all() & full_increment)),
        ]

        kept, inexact, increment = exact[2:], exact[:2].any(), full_increment
        if not self.flush:
            shifted = self._denormalize(m, exact, below_normal)
            subnormal_increment = Signal()
            m.d.comb += subnormal_increment.eq(
                increment_magnitude(self.rounding, sign, shifted[2], shifted[1], shifted[0])
            )
            kept, inexact, increment = shifted[2:], shifted[:2].any(), subnormal_increment

        # A carry out of the fraction raises the exponent, and that of the greatest subnormal makes the least normal.
        field = Signal(len(self.exponent))
        rounded = Signal(len(self.exponent) + fmt.frac_bits + 1)
        m.d.comb += [
            field.eq(Mux(below_normal, 0, self.exponent)),
            rounded.eq(Cat(kept[: fmt.frac_bits], field) + increment),
        ]
        finite = Signal()
        overflows, underflows, rounded_off = (Signal(name=name) for name in ("overflows", "underflows", "rounded_off"))
        m.d.comb += [
            finite.eq(~(self.zero | self.inf | self.nan)),
            overflows.eq(finite & (rounded > fmt.max_code)),
            underflows.eq(finite & tiny & (inexact | self.flush)),
            rounded_off.eq(finite & inexact | overflows | underflows),
        ]
        self._pack(m, rounded, overflows, tiny)
        if self.with_flags:
            m.d.comb += self.flags.eq(
                Mux(rounded_off, Flag.INEXACT, 0)
                | Mux(underflows, Flag.UNDERFLOW, 0)
                | Mux(overflows, Flag.OVERFLOW, 0)
                | Mux(self.invalid, Flag.INVALID, 0)
            )
        return m

    def _denormalize(self, m: Module, exact: Signal, below_normal: Signal) -> Signal:
        """Shift a significand below the normal range right by 1 - exponent; what falls out goes into the sticky bit."""
        most = len(exact) - 1  # by then only the sticky bit is left
        distance = Signal(range(most + 1))
        wanted = Signal(len(self.exponent) + 1)
        m.d.comb += [
            wanted.eq(1 - self.exponent),
            distance.eq(Mux(below_normal, Mux(wanted > most, most, wanted), 0)),
        ]
        value = exact
        for level in range(len(distance)):
            step = min(1 << level, most)
            shifted = Signal(len(exact), name=f"denormal_shift_{1 << level}")
            m.d.comb += shifted.eq(Mux(distance[level], Cat(value[: step + 1].any(), value[step + 1 :]), value))
            value = shifted
        return value

    def _pack(self, m: Module, rounded: Signal, overflows: Signal, tiny: Signal) -> None:
        fmt = self.fmt
        infinity = fmt.max_code
        if self.overflow == "ieee":
            infinity = next(code for code in (fmt.inf_code, fmt.nan_code, fmt.max_code) if code is not None)
        magnitude = Signal(fmt.width - 1)
        # Where infinity is a NaN it is the NaN that operations deliver, whose sign is positive.
        signed_infinity = infinity == fmt.inf_code or infinity == fmt.max_code
        sign = Signal(name="result_sign")
        infinite = self.inf | (overflows & overflow_to_infinity(self.rounding, self.sign))
        with m.If(self.nan):
            m.d.comb += magnitude.eq(fmt.nan_code or 0)
        with m.Elif(infinite):
            m.d.comb += magnitude.eq(infinity)
        with m.Elif(overflows):
            m.d.comb += magnitude.eq(fmt.max_code)
        with m.Elif(self.zero | (tiny if self.flush else Const(0))):
            m.d.comb += magnitude.eq(0)
        with m.Else():
            m.d.comb += magnitude.eq(rounded)
        nan = self.nan if signed_infinity else self.nan | infinite
        if fmt.negative_zero == "nan":  # its only NaN has the code of a negative zero, and no zero has a sign
            m.d.comb += sign.eq(Mux(nan, 1, self.sign & (magnitude != 0)))
        else:
            m.d.comb += sign.eq(self.sign & ~nan)
        m.d.comb += self.y.eq(Cat(magnitude, sign))


def _jam(value: Value, width: int) -> Value:
    """``value``, its most significant bit kept in place, in ``width`` bits; the last is the OR of all that is cut off."""
    excess = len(value) - width
    if excess <= 0:
        return Cat(Const(0, -excess), value)
    return Cat(value[: excess + 1].any(), value[excess + 1 :])
