"""Addition of an exact term to a floating-point accumulator, rounded once: the addition of a fused multiply-add."""

from __future__ import annotations

from dataclasses import dataclass

from amaranth.hdl import Cat, Const, Module, Mux, Shape, Signal, Value, signed
from amaranth.lib.wiring import In, Out

from ..golden.formats import Format
from .float_round import FloatRound
from .lane_product import Term
from .operand import Operand
from .pipeline import Pipeline
from .shifter import leading_zeros, shift_window
from .unit import Unit, place


class FloatAdd(Unit):
    """y = round(acc + (-1)**sign * value * 2**(exponent + quantum)), rounded once.

    One sum per clock cycle, ``stages`` cycles of latency. The term is exact and need not be normalised. acc is shifted to
    the term's place in a window that ends as far below the term's last bit as any result can be rounded; what lies below
    it counts as a sticky bit. Where acc is so far above the term, or the term is zero, that the term only says which way
    to round, acc is at the top of the window. Zeros, infinities and NaN are those of IEEE 754 additions. The reference is
    :func:`polymac.golden.fma`.

    Parameters
    ----------
    fmt : Format
        Format of acc and of the result.
    term : Shape
        Shape of ``value``; if it is signed, ``sign`` is that of an infinity only.
    span, quantum : int
        The greatest exponent; the weight of the value's last bit where it is 0, as a power of two.
    rounding, overflow, subnormals : str
        As in :data:`formats.ROUNDINGS`, :data:`formats.FLOAT_OVERFLOWS`, :data:`formats.SUBNORMALS`; the latter for acc
        and the result.
    stages : int
        Registers: behind the sum first, then behind the alignment, in the rounder, and behind the count of leading zeros;
        further ones behind the sum.

    Members
    -------
    acc, y : In, Out(fmt.width)
        Codes.
    value : In(term)
    exponent : In(range(span + 1))
        If ``span`` is not 0.
    sign, nan, inf : In(1)
        Sign and class of the term.
    zero_sign : In(1)
        Whether all of what the term is made of, or under "rdn" some, is negative, zeros included.
    en : In(1)
        With ``stages`` > 0: while 0, no register changes.
    """

    kind = "add"
    formula = "y = round(acc + term)"

    def __init__(
        self,
        *,
        fmt: Format,
        term: Shape,
        span: int,
        quantum: int,
        rounding: str,
        overflow: str,
        subnormals: str,
        stages: int = 0,
    ) -> None:
        self.fmt = fmt
        self.stages = stages
        self.span, self.quantum = span, quantum
        self.rounding, self.overflow, self.subnormals = rounding, overflow, subnormals
        members = {"acc": In(fmt.width), "value": In(term)} | ({"exponent": In(range(span + 1))} if span else {})
        members |= {name: In(1) for name in ("sign", "nan", "inf", "zero_sign")}
        members |= {"en": In(1, init=1)} if stages else {}
        super().__init__(
            members | {"y": Out(fmt.width)},
            formats={"acc": (fmt, 1), "y": (fmt, 1)},
            parameters={
                "fmt": fmt,
                "term": term,
                "span": span,
                "quantum": quantum,
                "rounding": rounding,
                "overflow": overflow,
                "subnormals": subnormals,
                "stages": stages,
            },
            latency=stages,
            clocked=stages > 0,
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        pipeline = Pipeline(m, self.stages, (1, 0, 3, 2), self.en if self.stages else Signal(name="unused"))
        acc = Operand.unpack(m, platform, "acc", self.acc, self.fmt, self.subnormals)
        signed_term = self.value.shape().signed
        term_bits = len(self.value) - signed_term  # of its magnitude, but for the most negative value
        flip = Const(0, 1) if signed_term else self.sign
        # Weights of the last bits of acc and of the term, less those at their least exponents.
        offset = acc.least - acc.bias - (acc.width - 1) - self.quantum
        least, greatest = offset - self.span, offset + acc.greatest - acc.least
        exponent = self.exponent if self.span else Const(0, 1)
        # Bits of the window below the term, and of acc below the window; and the places that acc goes up at most.
        low = min(acc.width + 2, max(0, -least))
        under = min(acc.width, max(0, -least - low))
        high = min(term_bits + signed_term + 2, max(0, greatest))
        term_zero, dominates = Signal(name="term_zero"), Signal(name="acc_dominates")
        acc_zero = Signal(name="acc_zero")
        distance = Signal(range(least, greatest + 1), name="distance")
        m.d.comb += [
            distance.eq(acc.exponent - exponent + (offset - acc.least)),
            term_zero.eq(self.value == 0),
            acc_zero.eq(acc.significand == 0 if acc.subnormal is not None else acc.zero),
            dominates.eq(~acc_zero & (term_zero | (distance > high))),
        ]
        # acc in the window; what falls out at its lower end leaves a trace.
        amount = Signal(range(under + low + high + 1), name="acc_shift")
        aligned = Signal(acc.width + low + high, name="acc_aligned")
        beneath, sticky = Signal(name="acc_beneath"), Signal(name="sticky")
        significand = Mux(acc.zero, 0, acc.significand) if acc.subnormal is None else acc.significand
        m.d.comb += [
            beneath.eq(~dominates & (distance < -(low + under))),
            amount.eq(Mux(dominates, under + low + high, Mux(beneath, 0, distance + (low + under)))),
        ]
        window, lost = shift_window(m, significand, amount, len(aligned) + under - 1, len(aligned))
        m.d.comb += [aligned.eq(Mux(beneath, 0, window)), sticky.eq(Mux(beneath, ~acc_zero, lost))]
        # The sum in two's complement, its sign relative to ``flip``: -acc - fraction is ~acc + 1 - fraction.
        width = max(term_bits + signed_term + low, len(aligned)) + 2
        term, total = (Signal(signed(width), name=name) for name in ("term_aligned", "total"))
        subtract, invert = Signal(name="subtract"), Signal(name="invert")
        magnitude = Signal(width - 1, name="magnitude")
        m.d.comb += [subtract.eq(acc.sign ^ flip), invert.eq(flip), term.eq(self.value << low)]
        weight, least_weight, greatest_weight = self._weight(m, acc, exponent, low, low + high, dominates)
        classes = self._classes(m, acc)
        term, aligned, subtract, invert, sticky, weight = pipeline.cut(
            0, term, aligned, subtract, invert, sticky, weight
        )
        classes = pipeline.cut_named(0, classes)
        m.d.comb += total.eq(term + (aligned ^ subtract.replicate(width)).as_signed() + (subtract & ~sticky))
        negative = total[-1]
        m.d.comb += magnitude.eq((total ^ negative.replicate(width)) + (negative & ~sticky))
        zero, sign = Signal(name="sum_zero"), Signal(name="sum_sign")
        special = classes["nan"] | classes["inf"]
        m.d.comb += [
            zero.eq((magnitude == 0) & ~sticky & ~special),
            sign.eq(Mux(classes["inf"], classes["inf_sign"], Mux(zero, classes["zero_sign"], invert ^ negative))),
        ]
        found = {"sign": sign, "zero": zero, "nan": classes["nan"], "inf": classes["inf"]}
        found = pipeline.cut_named(1, found)
        magnitude, sticky, weight = pipeline.cut(1, magnitude, sticky, weight)
        how = Rounding(self.fmt, self.rounding, self.overflow, self.subnormals)
        last = (weight, least_weight, greatest_weight)
        round_magnitude(m, platform, how, magnitude, sticky, last, found, self.y, pipeline)
        return m

    def _weight(
        self, m: Module, acc: Operand, exponent: Value, low: int, reach: int, dominates: Value
    ) -> tuple[Signal, int, int]:
        """Weight of the window's last bit as a biased exponent, and its bounds: from the term, or from acc at the top."""
        by_acc = acc.least - (acc.width - 1) - reach
        by_term = self.quantum - low + acc.bias
        ends = (by_acc, by_acc + acc.greatest - acc.least, by_term, by_term + self.span)
        weight = Signal(range(min(ends), max(ends) + 1), name="last_weight")
        m.d.comb += weight.eq(Mux(dominates, acc.exponent + (by_acc - acc.least), exponent + by_term))
        return weight, min(ends), max(ends)

    def _classes(self, m: Module, acc: Operand) -> dict[str, Signal]:
        """Class of the sum, and the signs that an infinity and a zero have."""
        classes = {name: Signal(name=f"sum_{name}") for name in ("nan", "inf", "inf_sign", "zero_sign")}
        m.d.comb += [
            classes["nan"].eq(self.nan | acc.nan | (self.inf & acc.inf & (self.sign ^ acc.sign))),
            classes["inf"].eq((self.inf | acc.inf) & ~classes["nan"]),
            classes["inf_sign"].eq(Mux(acc.inf, acc.sign, self.sign)),
            classes["zero_sign"].eq(self.zero_sign | acc.sign if self.rounding == "rdn" else self.zero_sign & acc.sign),
        ]
        return classes


@dataclass(frozen=True)
class Rounding:
    """How a sum is rounded, as of :class:`.float_round.FloatRound`."""

    fmt: Format
    rounding: str
    overflow: str
    subnormals: str


def round_magnitude(
    m: Module,
    platform: object,
    how: Rounding,
    magnitude: Signal,
    sticky: Value | None,
    weight: tuple[Value, int, int],
    classes: dict[str, Signal],
    y: Value,
    pipeline: Pipeline | None = None,
) -> None:
    """y = round(magnitude * 2**(weight - bias)), and a little more with ``sticky``, or what the classes say.

    Parameters
    ----------
    weight : (Value, int, int)
        Weight of the magnitude's last bit as an exponent biased as in ``how.fmt``, and its bounds.
    classes : dict of str to Signal
        sign, zero, nan and inf of the result.
    pipeline : Pipeline, optional
        Whose registers at place 2 lie behind the leading zeros, and at place 3 in the rounder.
    """
    count = leading_zeros(m, magnitude, "zeros")
    most = len(magnitude) - 1
    zeros = Signal(range(most + 1), name="leading_zeros")
    m.d.comb += zeros.eq(count if (1 << len(count)) <= most + 1 else Mux(count > most, most, count))
    significand = magnitude
    if sticky is not None:
        significand = Signal(len(magnitude) + 1, name="significand")
        m.d.comb += significand.eq(Cat(sticky, magnitude))
    # The exponent of the second bit from the top.
    value, least, greatest = weight
    up = len(magnitude) - 2
    least, greatest = least + up, max(greatest + up, 0)
    exponent = Signal(range(min(least, 0), greatest + 1), name="second_exponent")
    m.d.comb += exponent.eq(value + up)
    stages = 0
    if pipeline is not None:
        stages = pipeline.depth(3)
        significand, exponent, zeros = pipeline.cut(2, significand, exponent, zeros)
        classes = pipeline.cut_named(2, classes)
    rounder = FloatRound(
        fmt=how.fmt,
        least=least,
        greatest=greatest,
        significand_bits=len(significand),
        most_zeros=most,
        slack=False,
        rounding=how.rounding,
        overflow=how.overflow,
        subnormals=how.subnormals,
        flags=False,
        stages=stages,
    )
    wires: dict[str, Value] = {"significand": significand, "exponent": exponent, "leading_zeros": zeros, "y": y}
    wires |= {"en": pipeline.enable} if pipeline is not None and stages else {}
    place(m, platform, "round", rounder, **wires, **classes)


def float_add(
    m: Module, platform: object, name: str, acc: Value, term: Term, how: Rounding, stages: int, enable: Value
) -> Signal:
    """The code of acc + term, by a :class:`FloatAdd` called ``name``."""
    unit = FloatAdd(
        fmt=how.fmt,
        term=term.value.shape(),
        span=term.span,
        quantum=term.quantum,
        rounding=how.rounding,
        overflow=how.overflow,
        subnormals=how.subnormals,
        stages=stages,
    )
    y = Signal(how.fmt.width, name=f"{name}_sum")
    wires = {"acc": acc, "value": term.value, "y": y} | ({"exponent": term.exponent} if term.span else {})
    wires |= {"sign": term.sign, "nan": term.nan, "inf": term.inf}
    wires["zero_sign"] = term.any_negative if how.rounding == "rdn" else term.all_negative
    wires |= {"en": enable} if stages else {}
    place(m, platform, name, unit, **wires)
    return y
