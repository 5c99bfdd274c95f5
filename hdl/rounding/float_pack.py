"""From a normalised significand to a code: rounding, range, packing and flags."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib.wiring import In, Member, Out

from ...golden.formats import Flag, Format
from ..core.pipeline import Pipeline
from ..core.step import step
from ..operand.raw_float import chosen
from .modes import PORT, PORT_BITS, RoundingLogic


@dataclass(frozen=True)
class Window:
    """The bits of a shifted significand that decide, from the top, and what is known of its exponent.

    Attributes
    ----------
    bits : Signal
        The top bit, the fraction, the guard bit and more of what is cut off: :attr:`Packing.window_bits`.
    below : Signal
        The OR of all bits below the window.
    base : Signal
        The exponent field of the result less its hidden bit.
    is_normal : Signal
        Whether that field may still go down by one.
    top : Value
        The hidden bit, if the exponent does not go down.
    """

    bits: Signal
    below: Signal
    base: Signal
    is_normal: Signal
    top: Value


@dataclass(frozen=True)
class Packing:
    """How a :class:`Window` becomes a code of a float format, or of the one that ``select`` chooses among several.

    Several formats share the rounder: the window is moved to the right until its last place is that of the longest
    fraction, and exponent field and special codes are put in front of the fraction that the chosen format has.

    Parameters
    ----------
    fmts : tuple of Format
        Formats with a sign and a zero, at least one.
    overflow : str
        As in :data:`formats.FLOAT_OVERFLOWS`.
    flush : bool
        Whether results below the least normal become zeros.
    flags : bool
        Whether IEEE 754's exceptions are wanted.
    slack : bool
        Whether the leading one may be one place below the top of the window.
    random_bits : int
        Random bits of stochastic rounding; 0 without.
    """

    fmts: tuple[Format, ...]
    overflow: str
    flush: bool
    flags: bool
    slack: bool
    random_bits: int = 0

    @property
    def cut_bits(self) -> int:
        """Bits of the window below the last place: guard and one more, or the random word's and one more."""
        return max(2, self.random_bits + 1)

    @property
    def window_bits(self) -> int:
        """The top bit, the fraction, the bits cut off, and one bit more with slack."""
        return self.frac_bits + 1 + self.cut_bits + self.slack

    @property
    def frac_bits(self) -> int:
        """Bits of the longest fraction."""
        return max(fmt.frac_bits for fmt in self.fmts)

    @property
    def is_selected(self) -> bool:
        """Whether there are several formats."""
        return len(self.fmts) > 1

    def each(self, select: Value | None, of: Callable[[Format], Any]) -> Any:
        """What ``of`` says of the chosen format."""
        if select is None:
            return of(self.fmts[0])
        return chosen(select, [Value.cast(of(fmt)) for fmt in self.fmts])

    def members(self, exponent: range, significand_bits: int, most_zeros: int, rounding: str) -> dict[str, Member]:
        """Of a unit that rounds and packs all its members but ``y``: see :class:`.float_round.FloatRound`."""
        members: dict[str, Member] = {"select": In(range(len(self.fmts)))} if self.is_selected else {}
        members |= {name: In(1) for name in ("sign", "zero", "inf", "nan")}
        members |= {"exponent": In(exponent), "significand": In(significand_bits)}
        members |= {"leading_zeros": In(range(most_zeros + 1))} if most_zeros else {}
        members |= {"rounding": In(PORT_BITS)} if rounding == PORT else {}
        members |= {"random": In(self.random_bits)} if self.random_bits else {}
        return members | ({"invalid": In(1), "flags": Out(5)} if self.flags else {})

    def largest(self, fmt: Format) -> int:
        """The code beyond which a result overflows: where all numbers are subnormals, tiny ones are flushed before."""
        return max(fmt.max_code, (1 << fmt.frac_bits) - 1) if self.flush else fmt.max_code

    def infinity(self, fmt: Format) -> int:
        """The code of what an overflow gives: infinity, or what stands in for it."""
        if self.overflow != "ieee":
            return fmt.max_code
        return next(code for code in (fmt.inf_code, fmt.nan_code, fmt.max_code) if code is not None)

    def sign(self, fmt: Format, is_negative: Value, is_nan: Value, infinite: Value, magnitude: Value) -> Value:
        """The sign bit of the code."""
        # Where infinity is a NaN it is the NaN that operations deliver, whose sign is positive.
        signed_infinity = self.infinity(fmt) in (fmt.inf_code, fmt.max_code)
        nan = is_nan if signed_infinity else is_nan | infinite
        if fmt.negative_zero == "nan":  # no zero has a sign, but NaN where it has the code of a negative zero
            return Mux(nan, int(not fmt.nan_codes), is_negative & (magnitude != 0))
        return is_negative & ~nan

    def build(
        self,
        m: Module,
        mode: RoundingLogic,
        classes: dict[str, Signal],
        window: Window,
        y: Signal,
        flags: Signal | None,
        pipeline: Pipeline | None = None,
    ) -> None:
        """Round and pack the window into ``y``, or what ``classes`` say: sign, zero (with flush), inf, nan,
        invalid, and with several formats ``select``.

        The pipeline's registers at its places 3, 4 and 5 lie behind the decision to round up, behind that addition, and
        behind the decision which code it is.
        """
        select = classes.get("select")
        if select is not None:
            window = self._aligned(m, select, window)
        step(m, "What is kept, the first bit cut off, whether there is more; and whether to round up")
        mode = mode.named(m, classes["sign"])
        frac_bits = self.frac_bits
        bits, below, base = window.bits, window.below, window.base
        sign, top = classes["sign"], window.top
        guard, sticky, increment, hidden = (Signal(name=name) for name in ("guard", "sticky", "increment", "hidden"))
        # With several formats, a fraction shorter than the longest one has its hidden bit in here as well.
        kept = Signal(frac_bits + self.is_selected, name="kept")
        last = self.cut_bits - 1  # the guard bit's number in the window, without slack
        rest = None
        if self.slack:
            # One place more to the left, unless that is below the least exponent.
            double = Signal(name="double")
            m.d.comb += [
                double.eq(~top & (Const(1) if self.flush else window.is_normal)),
                Cat(guard, kept).eq(Mux(double, bits[last:], bits[last + 1 :])),
                sticky.eq(below | any_of(bits[:last]) | (bits[last] & ~double)),
                hidden.eq(top | double),
            ]
            if self.random_bits:
                rest = Mux(double, bits[1 : last + 1], bits[2 : last + 2])
        else:
            m.d.comb += [Cat(guard, kept).eq(bits[last:]), sticky.eq(below | any_of(bits[:last])), hidden.eq(top)]
            if self.random_bits:
                rest = bits[1 : last + 1]
        # A carry out of the fraction raises the exponent, and that of the greatest subnormal makes the least normal.
        fraction, field = Signal(frac_bits + 1, name="fraction"), Signal((base + 2).shape(), name="field")
        rounded = Signal(len(field) + frac_bits, name="rounded")
        m.d.comb += [
            increment.eq(mode.increment(sign, kept[0] if len(kept) else hidden, guard, sticky, rest)),
        ]
        finds_tiny = self.flags and not self.flush
        tiny: Value = Const(0, 1)
        to_infinity, lost = mode.overflow_to_infinity(sign), guard | sticky
        delayed = pipeline is not None and any(pipeline.depths(3, 2))
        if pipeline is not None and delayed:
            later = {name: Signal(name=name) for name in ("to_infinity", "lost", "tiny")}
            tiny = self.is_tiny(m, mode, sign, window, select) if finds_tiny else tiny
            m.d.comb += [later["to_infinity"].eq(to_infinity), later["lost"].eq(lost), later["tiny"].eq(tiny)]
            first, second = pipeline.depths(3, 2)
            classes = pipeline.delay_named(first + second, classes)
            to_infinity, lost, tiny = pipeline.delay(first + second, *later.values())
        step(m, "Rounded; a carry out of the fraction raises the exponent field")
        if delayed or self.is_selected:
            # The fraction's carry goes on into the exponent, and the leading one was added to it before.
            start = Signal(rounded.shape(), name="truncated")
            exponent = (base + top)[: len(field)]
            exponent = exponent.as_signed() if self.is_selected and field.shape().signed else exponent
            m.d.comb += start.eq(self.each(select, lambda fmt: _joined(kept[: fmt.frac_bits], exponent)))
            if pipeline is not None:
                start, increment = pipeline.delay(pipeline.depth(3), start, increment)
            m.d.comb += rounded.eq(start + increment)
            if pipeline is not None:
                (rounded,) = pipeline.delay(pipeline.depth(4), rounded)
            select = classes.get("select")
            parts = {fmt: rounded[fmt.frac_bits :] for fmt in self.fmts}
            is_signed = field.shape().signed
            fields = {fmt: part.as_signed() if is_signed else part for fmt, part in parts.items()}
        else:
            m.d.comb += [
                fraction.eq(kept + increment),
                field.eq(base + top + fraction[frac_bits]),
                rounded.eq(Cat(fraction[:frac_bits], field)),
            ]
            fields = dict.fromkeys(self.fmts, field)
        step(m, "Exceptions, from the number as it is rounded")
        finite, inexact = Signal(name="finite"), Signal(name="inexact")
        overflows, underflows = Signal(name="overflows"), Signal(name="underflows")
        below_zero = fields[self.fmts[0]][-1] if field.shape().signed else Const(0, 1)
        # A flushed zero's significand is that of the subnormal it was.
        special = classes["inf"] | classes["nan"] | (classes["zero"] if self.flush else Const(0))
        m.d.comb += [
            finite.eq(~special),
            inexact.eq(finite & lost),
            overflows.eq(finite & ~below_zero & self.each(select, lambda fmt: rounded > self.largest(fmt))),
        ]
        if self.flush:
            # Rounded with its own exponent: a field below 1 exactly where the result is tiny after rounding.
            m.d.comb += underflows.eq(finite & self.each(select, lambda fmt: fields[fmt] < 1))
        elif finds_tiny:
            tiny = self.is_tiny(m, mode, sign, window, select) if not delayed else tiny
            # Where all numbers are subnormal, one beyond the largest may be tiny as well, but does not underflow.
            counts = self.each(select, lambda fmt: Const(1) if fmt.max_code >> fmt.frac_bits else ~overflows)
            m.d.comb += underflows.eq(inexact & tiny & counts)
        self._pack(m, to_infinity, classes, rounded, overflows, underflows, y, pipeline)
        if flags is not None:
            step(m, "Flags: invalid, division by zero (never), overflow, underflow, inexact")
            raised = (inexact, underflows, overflows, classes["invalid"])
            m.d.comb += flags.eq(exception_flags(*(raised if pipeline is None else pipeline.cut(5, *raised))))

    def _aligned(self, m: Module, select: Value, window: Window) -> Window:
        """The window with the last place of the chosen format at that of the longest fraction."""
        step(m, "The window with the chosen format's last place at that of the longest fraction")
        bits, below = Signal(len(window.bits), name="aligned"), Signal(name="below_aligned")
        drop = {fmt: self.frac_bits - fmt.frac_bits for fmt in self.fmts}
        m.d.comb += [
            bits.eq(self.each(select, lambda fmt: window.bits[drop[fmt] :])),
            below.eq(window.below | self.each(select, lambda fmt: window.bits[: drop[fmt]].any())),
        ]
        return replace(window, bits=bits, below=below)

    def is_tiny(self, m: Module, mode: RoundingLogic, sign: Value, window: Window, select: Value | None) -> Value:
        """Whether the result is below the least normal number once rounded as if exponents had no lower bound.

        With the leading one in the place below the hidden bit that rounding is one place further to the right, and only
        a carry through all places makes the result normal.
        """
        bits = window.bits
        low = self.cut_bits - 1 + self.slack  # from there up they are that significand, its guard bit below
        carried = Signal(name="carried")
        sticky = any_of(bits[: low - 1]) | window.below if low > 1 else window.below
        rest = bits[low - self.random_bits : low] if self.random_bits else None
        increment = mode.increment(sign, Const(1, 1), bits[low - 1], sticky, rest)
        ones = self.each(select, lambda fmt: bits[low : low + fmt.frac_bits + 1].all())
        m.d.comb += carried.eq(ones & increment)
        return ~window.top & ~window.is_normal & ~carried

    def _pack(
        self,
        m: Module,
        to_infinity: Value,
        classes: dict[str, Signal],
        rounded: Signal,
        overflows: Signal,
        underflows: Signal,
        y: Signal,
        pipeline: Pipeline | None,
    ) -> None:
        step(m, "The code: that of NaN, infinity, the largest number, or the rounded one")
        is_nan, is_negative, select = classes["nan"], classes["sign"], classes.get("select")
        magnitude = Signal(max(fmt.width for fmt in self.fmts) - 1, name="magnitude")
        sign, infinite = Signal(name="result_sign"), Signal(name="infinite")
        m.d.comb += infinite.eq(classes["inf"] | (overflows & to_infinity))
        zero = classes["zero"]
        if pipeline is not None:
            rounded, overflows, underflows, infinite = pipeline.cut(5, rounded, overflows, underflows, infinite)
            is_nan, is_negative, zero = pipeline.cut(5, is_nan, is_negative, zero)
            (select,) = (None,) if select is None else pipeline.cut(5, select)
        with m.If(is_nan):
            m.d.comb += magnitude.eq(self.each(select, lambda fmt: fmt.nan_code or 0))
        with m.Elif(infinite):
            m.d.comb += magnitude.eq(self.each(select, self.infinity))
        with m.Elif(overflows):
            m.d.comb += magnitude.eq(self.each(select, lambda fmt: fmt.max_code))
        if self.flush:  # else a zero has rounded to one
            with m.Elif(underflows | zero):
                m.d.comb += magnitude.eq(0)
        with m.Else():
            m.d.comb += magnitude.eq(rounded)
        if not self.is_selected:
            m.d.comb += sign.eq(self.sign(self.fmts[0], is_negative, is_nan, infinite, magnitude))
            m.d.comb += y.eq(Cat(magnitude, sign))
            return

        def code(fmt: Format) -> Value:
            own = magnitude[: fmt.width - 1]
            return Cat(own, self.sign(fmt, is_negative, is_nan, infinite, own))

        m.d.comb += y.eq(self.each(select, code))


def exception_flags(inexact: Value, underflows: Value, overflows: Value, invalid: Value) -> Value:
    """The bits of :class:`formats.Flag`."""
    raised = {
        Flag.INEXACT: inexact | overflows | underflows,
        Flag.UNDERFLOW: underflows,
        Flag.OVERFLOW: overflows,
        Flag.INVALID: invalid,
    }
    return Cat(raised.get(Flag(1 << bit), Const(0, 1)) for bit in range(5))


def any_of(bits: Value) -> Value:
    """The OR of at least one bit."""
    return bits.any() if len(bits) > 1 else bits[0]


def _joined(fraction: Value, field: Value) -> Value:
    """The fraction with the exponent field above it, signed if that is."""
    joined = Cat(fraction, field)
    return joined.as_signed() if field.shape().signed else joined
