"""The one rounder and packer of every float operation."""

from __future__ import annotations

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib.wiring import In, Out

from ..golden.formats import Flag, Format
from .pipeline import Pipeline
from .rounding import PORT, PORT_BITS, RoundingMode
from .shifter import shift_window
from .unit import Unit


class FloatRound(Unit):
    """Rounds an exact result to a float format and packs it; combinational, or with a register between shift and rounding.

    The result is ``round((-1)**sign * significand * 2**(exponent - bias - (significand_bits - 2)))``: ``exponent``, biased
    as in ``fmt``, is that of the significand's second bit from the top. ``leading_zeros`` bits above the leading one are
    zero, or one more than that. One shifter brings the leading one to the top, or as far up as a
    subnormal's leading one may go, so that neither operands nor result have a shifter of their own. Or the result is what
    ``zero``, ``inf`` or ``nan`` say. NaN is always ``fmt.nan_code``. An infinity in a format without one becomes NaN
    ("ieee", if the format has one) or the largest finite value. Flags are IEEE 754's, tininess being detected after
    rounding.

    Parameters
    ----------
    fmt : Format
        The float format of the result; it has a sign and a zero.
    least, greatest : int
        Bounds of ``exponent``.
    significand_bits : int
        Width of the significand, any.
    most_zeros : int
        Bound of ``leading_zeros``.
    slack : bool
        Whether there may be one more leading zero than ``leading_zeros`` says.
    rounding, overflow, subnormals : str
        As in :data:`formats.ROUNDINGS` or "port", :data:`formats.FLOAT_OVERFLOWS`, :data:`formats.SUBNORMALS`. Flushed is
        what is less than the least normal number after rounding to full precision with unbounded exponent.
    flags : bool
        Whether there are the ports ``invalid`` and ``flags``.
    stages : int
        Registers after the shift.

    Members
    -------
    sign, zero, inf, nan : In(1)
        The class of the result.
    exponent : In
    significand : In(significand_bits)
    leading_zeros : In
        If ``most_zeros`` is not 0.
    rounding : In(3)
        If ``rounding`` is "port": the mode's position in ``formats.ROUNDINGS``.
    y : Out(fmt.width)
        The code.
    invalid : In(1)
        With ``flags``: the operation is invalid.
    flags : Out(5)
        :class:`formats.Flag`.
    en : In(1)
        With ``stages``: while 0, no register changes.
    """

    kind = "round"
    formula = "y = round((-1)**sign * significand * 2**(exponent - bias - significand_bits + 2))"

    def __init__(
        self,
        *,
        fmt: Format,
        least: int,
        greatest: int,
        significand_bits: int,
        most_zeros: int,
        slack: bool,
        rounding: str,
        overflow: str,
        subnormals: str,
        flags: bool,
        stages: int = 0,
    ) -> None:
        self.stages = stages
        self.fmt = fmt
        self.least, self.greatest = least, greatest
        self.most_zeros = most_zeros
        self.slack = slack
        self.mode = rounding
        self.overflow = overflow
        self.flush = subnormals == "flush"
        self.with_flags = flags
        members = {name: In(1) for name in ("sign", "zero", "inf", "nan")}
        members |= {"exponent": In(range(min(least, 0), greatest + 1)), "significand": In(significand_bits)}
        members |= {"leading_zeros": In(range(most_zeros + 1))} if most_zeros else {}
        members |= {"rounding": In(PORT_BITS)} if rounding == PORT else {}
        members |= {"invalid": In(1), "flags": Out(5)} if flags else {}
        members |= {"en": In(1, init=1)} if stages else {}
        super().__init__(
            members | {"y": Out(fmt.width)},
            formats={"y": (fmt, 1)},
            parameters={
                "fmt": fmt,
                "least": least,
                "greatest": greatest,
                "significand_bits": significand_bits,
                "most_zeros": most_zeros,
                "slack": slack,
                "rounding": rounding,
                "overflow": overflow,
                "subnormals": subnormals,
                "flags": flags,
                "stages": stages,
            },
            latency=stages,
            clocked=stages > 0,
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        pipeline = Pipeline(m, self.stages, (0,), self.en if self.stages else Signal(name="unused"))
        # After the shift: the top bit, the fraction, the guard bit, one bit more (two with slack), and the OR of the rest.
        length = self.fmt.frac_bits + 3 + self.slack
        window, below_window = Signal(length, name="window"), Signal(name="below_window")
        is_normal = Signal(name="is_normal")
        shifted, below, base, above_least = self._shift(m, length)
        m.d.comb += [window.eq(shifted), below_window.eq(below), is_normal.eq(above_least)]
        names = ("sign", "zero", "inf", "nan", *(("invalid",) if self.with_flags else ()))
        classes = dict(zip(names, pipeline.cut(0, *(getattr(self, name) for name in names)), strict=True))
        (mode,) = pipeline.cut(0, self.rounding) if self.mode == PORT else (self.mode,)
        window, below_window, base, is_normal = pipeline.cut(0, window, below_window, base, is_normal)
        self._round(m, RoundingMode(mode), classes, window, below_window, base, is_normal)
        return m

    def _round(
        self,
        m: Module,
        mode: RoundingMode,
        classes: dict[str, Signal],
        window: Signal,
        below_window: Signal,
        base: Signal,
        is_normal: Signal,
    ) -> None:
        fmt = self.fmt
        frac_bits = fmt.frac_bits
        sign, top = classes["sign"], window[-1]
        guard, sticky, increment, hidden = (Signal(name=name) for name in ("guard", "sticky", "increment", "hidden"))
        kept = Signal(frac_bits, name="kept")
        if self.slack:
            # One place more to the left, unless that is below the least exponent.
            double = Signal(name="double")
            m.d.comb += [
                double.eq(~top & (Const(1) if self.flush else is_normal)),
                Cat(guard, kept).eq(Mux(double, window[1:], window[2:])),
                sticky.eq(below_window | window[0] | (window[1] & ~double)),
                hidden.eq(top | double),
            ]
        else:
            m.d.comb += [Cat(guard, kept).eq(window[1:]), sticky.eq(below_window | window[0]), hidden.eq(top)]
        # A carry out of the fraction raises the exponent, and that of the greatest subnormal makes the least normal.
        fraction, field = Signal(frac_bits + 1, name="fraction"), Signal((base + 2).shape(), name="field")
        rounded = Signal(len(field) + frac_bits, name="rounded")
        m.d.comb += [
            increment.eq(mode.increment(sign, kept[0] if frac_bits else hidden, guard, sticky)),
            fraction.eq(kept + increment),
            field.eq(base + top + fraction[frac_bits]),
            rounded.eq(Cat(fraction[:frac_bits], field)),
        ]
        finite, inexact = Signal(name="finite"), Signal(name="inexact")
        overflows, underflows = Signal(name="overflows"), Signal(name="underflows")
        below_zero = field[-1] if field.shape().signed else Const(0, 1)
        # A flushed zero's significand is that of the subnormal it was.
        special = classes["inf"] | classes["nan"] | (classes["zero"] if self.flush else Const(0))
        m.d.comb += [
            finite.eq(~special),
            inexact.eq(finite & (guard | sticky)),
            overflows.eq(finite & ~below_zero & (rounded > fmt.max_code)),
        ]
        if self.flush:
            # Rounded with its own exponent: a field below 1 exactly where the result is tiny after rounding.
            m.d.comb += underflows.eq(finite & (field < 1))
        elif self.with_flags:
            tiny = self._tiny(m, mode, sign, window, below_window, is_normal)
            # Where all numbers are subnormal, one beyond the largest may be tiny as well, but does not underflow.
            m.d.comb += underflows.eq(inexact & tiny & (~overflows if not fmt.max_code >> frac_bits else Const(1)))
        self._pack(m, mode, classes, rounded, overflows, underflows)
        if self.with_flags:
            raised = {
                Flag.INEXACT: inexact | overflows | underflows,
                Flag.UNDERFLOW: underflows,
                Flag.OVERFLOW: overflows,
                Flag.INVALID: classes["invalid"],
            }
            m.d.comb += self.flags.eq(Cat(raised.get(Flag(1 << bit), Const(0, 1)) for bit in range(5)))

    def _shift(self, m: Module, length: int) -> tuple[Value, Value, Signal, Value]:
        """The significand's window of ``length`` bits, the OR of the bits below it, the exponent field of the result less
        its hidden bit, and whether that field may still go down by one."""
        width = len(self.significand)
        zeros = self.leading_zeros if self.most_zeros else Const(0, 1)
        # The field of a normal result less its hidden bit.
        exponent = Signal(range(min(self.least - self.most_zeros, 0), self.greatest + 1), name="normalized_exponent")
        m.d.comb += exponent.eq(self.exponent - zeros)
        base = Signal(exponent.shape() if self.flush else range(self.greatest + 1), name="base")
        if self.flush or self.least >= self.most_zeros:
            m.d.comb += base.eq(exponent if self.flush else Mux(self.zero, 0, exponent))
            amount = Signal(range(self.most_zeros + 1))
            m.d.comb += amount.eq(zeros)
            window, below = shift_window(m, self.significand, amount, width - 1, length)
            return window, below, base, exponent > 0 if self.least <= self.most_zeros else Const(1)
        # To the left by the leading zeros, but not beyond the exponent 1, whose subnormals have the field 0; to the right
        # if the exponent is below that, by a power of two at most, so that the sum of both is a concatenation.
        subnormal = Signal(name="is_subnormal")
        m.d.comb += [subnormal.eq(exponent < 0), base.eq(Mux(subnormal | self.zero, 0, exponent))]
        right_bits = (min(max(-self.least, 1), self.fmt.frac_bits + 2) - 1).bit_length()
        while (1 << right_bits) <= self.most_zeros:
            right_bits += 1
        negative = self.exponent < 0
        lost = self.exponent < -(1 << right_bits)
        amount = Signal(right_bits + 1)
        shift = Mux(lost, 0, self.exponent[:right_bits])
        m.d.comb += amount.eq(Cat(Mux(subnormal, shift, zeros)[:right_bits], ~negative))
        window, below = shift_window(m, self.significand, amount, width - 1 + (1 << right_bits), length)
        return window, below, base, exponent > 0

    def _tiny(
        self, m: Module, mode: RoundingMode, sign: Value, window: Signal, below_window: Signal, is_normal: Signal
    ) -> Value:
        """Whether the result is below the least normal number once rounded as if exponents had no lower bound.

        With the leading one in the place below the hidden bit that rounding is one place further to the right, and only
        a carry through all places makes the result normal.
        """
        low = 1 + self.slack  # the window's bits from there up are those of that significand, its guard bit below
        carried = Signal(name="carried")
        sticky = window[0] | below_window if self.slack else below_window
        increment = mode.increment(sign, Const(1, 1), window[low - 1], sticky)
        m.d.comb += carried.eq(window[low:-1].all() & increment)
        return ~window[-1] & ~is_normal & ~carried

    def _pack(
        self,
        m: Module,
        mode: RoundingMode,
        classes: dict[str, Signal],
        rounded: Signal,
        overflows: Signal,
        underflows: Signal,
    ) -> None:
        fmt = self.fmt
        is_nan, is_negative = classes["nan"], classes["sign"]
        infinity = fmt.max_code
        if self.overflow == "ieee":
            infinity = next(code for code in (fmt.inf_code, fmt.nan_code, fmt.max_code) if code is not None)
        magnitude = Signal(fmt.width - 1, name="magnitude")
        # Where infinity is a NaN it is the NaN that operations deliver, whose sign is positive.
        signed_infinity = infinity == fmt.inf_code or infinity == fmt.max_code
        sign, infinite = Signal(name="result_sign"), Signal(name="infinite")
        m.d.comb += infinite.eq(classes["inf"] | (overflows & mode.overflow_to_infinity(is_negative)))
        with m.If(is_nan):
            m.d.comb += magnitude.eq(fmt.nan_code or 0)
        with m.Elif(infinite):
            m.d.comb += magnitude.eq(infinity)
        with m.Elif(overflows):
            m.d.comb += magnitude.eq(fmt.max_code)
        if self.flush:  # else a zero has rounded to one
            with m.Elif(underflows | classes["zero"]):
                m.d.comb += magnitude.eq(0)
        with m.Else():
            m.d.comb += magnitude.eq(rounded)
        nan = is_nan if signed_infinity else is_nan | infinite
        if fmt.negative_zero == "nan":  # its only NaN has the code of a negative zero, and no zero has a sign
            m.d.comb += sign.eq(Mux(nan, 1, is_negative & (magnitude != 0)))
        else:
            m.d.comb += sign.eq(is_negative & ~nan)
        m.d.comb += self.y.eq(Cat(magnitude, sign))
