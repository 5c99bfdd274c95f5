"""Rounding of an exact result to a posit, and its packing."""

from __future__ import annotations

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib.wiring import In, Member, Out

from ...golden.formats import Format, PositFormat
from ..core.pipeline import Pipeline, PipelinedUnit
from ..core.step import step
from ..integer.shifter import shift_window
from .modes import Policy


class PositRound(PipelinedUnit):
    """Rounds an exact result to a posit of the 2022 standard; combinational, or with registers.

    The result is ``round((-1)**sign * significand * 2**(exponent - bias - (significand_bits - 2)))``: ``exponent``, biased
    by ``(n - 2) * 2**es`` for n bits of code, is that of the significand's second bit from the top. ``leading_zeros`` bits
    above the leading one are zero, or one more than that. Regime, exponent and fraction are rounded together, to nearest
    with ties to the even code; what exceeds the largest posit becomes that, and what is too small the least, never zero.
    Or the result is zero, or NaR where ``nan`` or ``inf`` is set. The ports and their meaning are those of
    :class:`.float_round.FloatRound`.

    The significand is normalised by one shift (none where ``most_zeros`` is 0), and the few bits of it that can be kept
    go, behind exponent and regime, through a second one of n bits. Rounding up and the complement of negative codes are
    one addition: ``-(x + 1) = ~x``.

    Parameters
    ----------
    fmts : tuple of Format
        The posit format of the result, alone.
    min_exponent, max_exponent : int
        Bounds of ``exponent``.
    significand_bits : int
        Width of the significand, any.
    most_zeros : int
        Bound of ``leading_zeros``.
    slack : bool
        Whether there may be one more leading zero than ``leading_zeros`` says.
    policy : Policy
        That of posits, the only one.
    flags : bool
        False.
    stages : int or tuple of int
        Registers before the shift of the regime; or at each of the places, which are before the shift of the significand,
        halfway through it, behind it and the decision on the regime, behind the shift of the regime, behind the addition,
        and before the output.
    random_bits : int
        0.

    Members
    -------
    sign, zero, inf, nan : In(1)
        The class of the result. The significand of a zero may be anything.
    exponent : In
    significand : In(significand_bits)
    leading_zeros : In
        If ``most_zeros`` is not 0.
    y : Out
        The code.
    en : In(1)
        With ``stages``: while 0, no register changes.
    """

    kind = "round"
    formula = "y = round((-1)**sign * significand * 2**(exponent - bias - significand_bits + 2))"

    def __init__(
        self,
        *,
        fmts: tuple[Format, ...],
        min_exponent: int,
        max_exponent: int,
        significand_bits: int,
        most_zeros: int,
        slack: bool,
        policy: Policy,
        flags: bool,
        stages: int | tuple[int, ...] = 0,
        random_bits: int = 0,
    ) -> None:
        (fmt,) = fmts
        assert isinstance(fmt, PositFormat) and policy.rounding == "rne" and not flags and not random_bits
        self.n, self.es = fmt.width, fmt.es
        self.min_exponent, self.max_exponent = min_exponent, max_exponent
        self.most_zeros, self.slack = most_zeros, slack
        members: dict[str, Member] = {name: In(1) for name in ("sign", "zero", "inf", "nan")}
        members |= {"exponent": In(range(min(min_exponent, 0), max_exponent + 1)), "significand": In(significand_bits)}
        members |= {"leading_zeros": In(range(most_zeros + 1))} if most_zeros else {}
        super().__init__(
            members | {"y": Out(fmt.width)},
            parameters={
                "fmts": fmts,
                "min_exponent": min_exponent,
                "max_exponent": max_exponent,
                "significand_bits": significand_bits,
                "most_zeros": most_zeros,
                "slack": slack,
            },
            registers=(0, 0, stages, 0, 0, 0) if isinstance(stages, int) else stages,
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        pipeline = Pipeline.at(m, self.registers, self.enable)
        n, es = self.n, self.es
        # Places of the fraction that reach one bit beyond the code behind the shortest regime.
        frac_bits = max(n - 2 - es, 0)
        step(m, "The significand with its leading one at the top")
        window, below, exponent = self._normalize(m, pipeline, frac_bits)
        classes = {name: getattr(self, name) for name in ("sign", "zero")}
        classes["nar"] = Signal(name="nar")
        m.d.comb += classes["nar"].eq(self.nan | self.inf)
        classes = pipeline.delay_named(sum(pipeline.depths(0, 2)), classes)
        step(m, "The regime, which is the exponent above its low bits, and how long it is")
        # The regime r is the exponent above its ``es`` bits; its run of ones is r + 1 long, or that of zeros -r.
        regime = exponent[es:].as_signed()
        negative, outside = Signal(name="regime_is_negative"), Signal(name="outside")
        amount = Signal(range(n - 1), name="run")
        m.d.comb += [
            negative.eq(regime < n - 2),
            outside.eq((regime < 0) | (regime > 2 * (n - 2))),
            amount.eq(Mux(outside, n - 2, (regime - (n - 2)) ^ negative.replicate(len(amount)))),
        ]
        string = Signal(2 + es + frac_bits, name="string")
        m.d.comb += string.eq(Cat(window, exponent[:es], negative, ~negative))
        string, below, amount, negative, outside = pipeline.cut(2, string, below, amount, negative, outside)
        classes = pipeline.cut_named(2, classes)
        step(m, "Regime, exponent and fraction in their places, cut off at the end of the code")
        body, guard, sticky = self._shift(m, string, amount, ~negative)
        # Out of range the shift leaves the largest body and a guard bit of 0, or a body of 0 and a guard bit of 1, which
        # then rounds up: the least posit.
        found = [Signal(len(value), name=name) for name, value in (("body", body), ("guard", guard), ("rest", below))]
        m.d.comb += [found[0].eq(body), found[1].eq(guard), found[2].eq(sticky | below | outside)]
        body, guard, rest = pipeline.cut(3, *found)
        classes = pipeline.cut_named(3, classes)
        step(m, "Rounded to nearest, ties to even, and given its sign")
        sign, code = classes["sign"], Signal(n, name="code")
        increment = Signal(name="increment")
        m.d.comb += [
            increment.eq(guard & (rest | body[0])),
            code.eq((Cat(body, Const(0, 1)) ^ sign.replicate(n)) + (increment ^ sign)),
        ]
        (code,) = pipeline.cut(4, code)
        classes = pipeline.cut_named(4, classes)
        special, result = classes["zero"] | classes["nar"], Signal(n, name="result")
        m.d.comb += result.eq(Mux(special, Cat(Const(0, n - 1), classes["nar"]), code))
        m.d.comb += self.y.eq(*pipeline.cut(5, result))
        return m

    def _normalize(self, m: Module, pipeline: Pipeline, frac_bits: int) -> tuple[Signal, Signal, Signal]:
        """The first bits of the fraction, the OR of all others, and the biased exponent of the leading one."""
        bits = 1 + frac_bits + self.slack
        leading = self.leading_zeros if self.most_zeros else Const(0, 1)
        low = self.min_exponent + 1 - self.most_zeros - self.slack
        exponent = Signal(range(min(low, -1), self.max_exponent + 2), name="leading_exponent")
        m.d.comb += exponent.eq(self.exponent + 1 - leading)
        amount = Signal(len(leading), name="normalize_by")
        m.d.comb += amount.eq(leading)
        top = len(self.significand) - 1
        if any(pipeline.depths(0, 2)):
            significand, amount = pipeline.cut(0, self.significand, amount)
            shifted, lost = shift_window(m, significand, amount, top, bits, lambda *values: pipeline.cut(1, *values))
            (exponent,) = pipeline.delay(sum(pipeline.depths(0, 2)), exponent)
        elif self.most_zeros:
            shifted, lost = shift_window(m, self.significand, amount, top, bits)
        else:
            shifted, lost = _first_bits(self.significand, bits)
        window, below = Signal(frac_bits, name="fraction"), Signal(name="below")
        if not self.slack:
            m.d.comb += [window.eq(shifted[:-1]), below.eq(lost)]
            return window, below, exponent
        double, doubled = Signal(name="double"), Signal(exponent.shape(), name="normalized_exponent")
        m.d.comb += [
            double.eq(~shifted[-1]),
            window.eq(Mux(double, shifted[:-2], shifted[1:-1])),
            below.eq(lost | (shifted[0] & ~double) if bits > 2 else lost | (shifted[0] & shifted[1])),
            doubled.eq(exponent - double),
        ]
        return window, below, doubled

    def _shift(self, m: Module, string: Signal, amount: Signal, fill: Value) -> tuple[Value, Value, Value]:
        """The string shifted right and filled up: its first n - 1 bits, the next one, and the OR of all others."""
        source: Value = string
        lost: list[Value] = []
        for level in reversed(range(len(amount))):
            # What falls out, of which no bit is left in a string shorter than the step.
            step, kept = 1 << level, max(len(string) - (1 << level), 0)
            lost.append(amount[level] & source[: len(string) - kept].any())
            shifted = Signal(len(string), name=f"string_by_{step}")
            moved = Cat(source[len(string) - kept :], fill.replicate(len(string) - kept))
            m.d.comb += shifted.eq(Mux(amount[level], moved, source))
            source = shifted
        end = len(string) - (self.n - 1)
        lost += [source[: end - 1].any()] if end > 1 else []
        return source[end:], source[end - 1], Cat(*lost).any()


def _first_bits(value: Signal, bits: int) -> tuple[Value, Value]:
    """The ``bits`` bits from the top, filled up with zeros, and the OR of the others."""
    cut = max(len(value) - bits, 0)
    first = Cat(Const(0, max(bits - len(value), 0)), value[cut:])
    return first, value[:cut].any() if cut else Const(0, 1)
