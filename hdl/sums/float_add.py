"""Addition of an exact term to a floating-point accumulator, rounded once: the addition of a fused multiply-add."""

from __future__ import annotations

from dataclasses import replace

from amaranth.hdl import Cat, Const, Module, Mux, Shape, Signal, Value, signed
from amaranth.lib.wiring import In, Out

from ...golden.formats import Format, RoundingMode
from ..core.delays import LUT, adder
from ..core.hierarchy import instantiate
from ..core.pipeline import Pipeline, PipelinedUnit
from ..integer.shifter import shift_delays, shift_window
from ..operand.decoders import decode
from ..operand.raw_float import NEVER, RawFloat
from ..rounding.modes import PORT, PORT_BITS, Policy
from ..rounding.round_magnitude import ROUND_PLACES, round_delays, round_magnitude


class FloatAdd(PipelinedUnit):
    """y = round(acc + (-1)**sign * value * 2**(exponent + quantum)), rounded once.

    One sum per clock cycle, as many cycles of latency as there are registers. The term is exact and need not be
    normalised. acc is shifted to the term's place in a window that ends as far below the term's last bit as any result can
    be rounded; what lies below it counts as a sticky bit. Where acc is so far above the term, or the term is zero, that the
    term only says which way to round, acc is at the top of the window. Zeros, infinities and NaN are those of IEEE 754
    additions. The reference is
    :func:`polymac.golden.fma`.

    Parameters
    ----------
    fmt : Format
        Format of acc and of the result.
    term : Shape
        Shape of ``value``; if it is signed, ``sign`` is that of an infinity only.
    span, quantum : int
        The greatest exponent; the weight of the value's last bit where it is 0, as a power of two.
    policy : Policy
        How the result is rounded; its subnormals also tell how those of acc are read.
    flags : bool
        Whether there are the ports ``invalid`` and ``flags``.
    registers : tuple of int
        How many there are behind each of its steps, whose estimated delays are those of :func:`add_delays`: unpacking,
        the distance of the exponents, the amount of the shift, both halves of the shift, the sum, its complement if it is
        negative, its magnitude, both halves of the count of leading zeros, and what :class:`.float_round.FloatRound` does.

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
    some_negative, mode : In(1), In(3)
        If the policy's rounding is PORT: what ``zero_sign`` is under "rdn", and the mode as of
        :class:`.float_round.FloatRound`.
    invalid, flags : In(1), Out(5)
        With ``flags``: whether the term comes from an invalid operation, and the exceptions of both.
    en : In(1)
        With registers: while 0, none of them changes.
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
        policy: Policy,
        flags: bool = False,
        registers: tuple[int, ...] = (),
    ) -> None:
        self.fmt = fmt
        self.with_flags = flags
        self.span, self.quantum = span, quantum
        self.policy = policy
        members = {"acc": In(fmt.width), "value": In(term)} | ({"exponent": In(range(span + 1))} if span else {})
        members |= {name: In(1) for name in ("sign", "nan", "inf", "zero_sign")}
        members |= {"some_negative": In(1), "mode": In(PORT_BITS)} if policy.rounding == PORT else {}
        members |= {"invalid": In(1), "flags": Out(5)} if flags else {}
        super().__init__(
            members | {"y": Out(fmt.width)},
            parameters={
                "fmt": fmt,
                "term": term,
                "span": span,
                "quantum": quantum,
                "policy": policy,
                "flags": flags,
            },
            registers=registers,
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        pipeline = Pipeline.at(m, self.registers, self.enable)
        acc = decode(m, platform, "acc", self.acc, self.fmt, self.policy.subnormals)
        # Only what is used below has registers; with subnormals a zero is known by its significand.
        has_subnormals = acc.subnormal is not None
        unused = {"subnormal": None} | ({"zero": NEVER} if has_subnormals else {})
        unused |= {} if self.with_flags else {"signaling": NEVER}
        acc = replace(acc, **unused).registered(pipeline, 0)
        names = ("value", "exponent", "sign", "nan", "inf", "zero_sign", "some_negative", "mode", "invalid")
        given = pipeline.cut_named(0, {name: getattr(self, name) for name in names if hasattr(self, name)})
        value, exponent = given["value"], given.get("exponent", Const(0, 1))
        signed_term = value.shape().signed
        term_bits = len(value) - signed_term  # of its magnitude, but for the most negative value
        # Weights of the last bits of acc and of the term, less those at their least exponents.
        offset = acc.shape.quantum - self.quantum
        min_distance, max_distance = offset - self.span, offset + acc.shape.span
        # Bits of the window below the term, and of acc below the window; and the places that acc goes up at most.
        low = min(acc.width + 2, max(0, -min_distance))
        under = min(acc.width, max(0, -min_distance - low))
        high = min(term_bits + signed_term + 2, max(0, max_distance))
        acc_exponent, exponent = self._exponents(m, acc, exponent)
        distance = Signal(range(min_distance, max_distance + 1), name="distance")
        # What goes along with the sum: the classes, the signs of its parts, and the mode.
        beside = self._classes(m, acc, given)
        beside |= {name: Signal(name=name) for name in ("subtract", "invert", "acc_zero", "term_zero")}
        significand = Signal(acc.width, name="acc_bits")
        invert = Const(0, 1) if signed_term else given["sign"]
        m.d.comb += [
            distance.eq(acc_exponent - exponent + (offset - acc.shape.min_exponent)),
            beside["term_zero"].eq(value == 0),
            beside["acc_zero"].eq(acc.significand == 0 if has_subnormals else acc.zero),
            significand.eq(acc.significand if has_subnormals else Mux(acc.zero, 0, acc.significand)),
            beside["subtract"].eq(acc.sign ^ invert),
            beside["invert"].eq(invert),
        ]
        beside |= {"mode": given["mode"]} if "mode" in given else {}
        distance, significand, value, acc_exponent, exponent = pipeline.cut(
            1, distance, significand, value, acc_exponent, exponent
        )
        beside = pipeline.cut_named(1, beside)
        # acc in the window; what falls out at its lower end leaves a trace.
        dominates, amount = Signal(name="acc_dominates"), Signal(range(under + low + high + 1), name="acc_shift")
        beside["beneath"] = beneath = Signal(name="acc_beneath")
        acc_zero = beside["acc_zero"]
        m.d.comb += [
            dominates.eq(~acc_zero & (beside.pop("term_zero") | (distance > high))),
            beneath.eq(~dominates & (distance < -(low + under))),
            amount.eq(Mux(dominates, under + low + high, Mux(beneath, 0, distance + (low + under)))),
        ]
        weight, min_weight, max_weight = self._weight(m, acc, acc_exponent, exponent, low, low + high, dominates)
        amount, significand, value, weight = pipeline.cut(2, amount, significand, value, weight)
        beside = pipeline.cut_named(2, beside)
        aligned, sticky = Signal(acc.width + low + high, name="acc_aligned"), Signal(name="sticky")
        half = (lambda *values: pipeline.cut(3, *values)) if pipeline.depth(3) else None
        window, lost = shift_window(m, significand, amount, len(aligned) + under - 1, len(aligned), half)
        value, weight = pipeline.cut(3, value, weight)
        beside = pipeline.cut_named(3, beside)
        beneath = beside.pop("beneath")
        m.d.comb += [aligned.eq(Mux(beneath, 0, window)), sticky.eq(Mux(beneath, ~beside.pop("acc_zero"), lost))]
        # The sum in two's complement, its sign relative to ``invert``: -acc - fraction is ~acc + 1 - fraction.
        width = max(term_bits + signed_term + low, len(aligned)) + 2
        names = ("term_aligned", "acc_complemented", "total", "total_complemented")
        term, complemented, total, inverted = (Signal(signed(width), name=name) for name in names)
        magnitude = Signal(width - 1, name="magnitude")
        subtract, one, negative = beside.pop("subtract"), Signal(name="plus_one"), Signal(name="total_is_negative")
        m.d.comb += [
            term.eq(value << low),
            complemented.eq(aligned ^ subtract.replicate(width)),
            one.eq(subtract & ~sticky),
        ]
        term, complemented, one, sticky, weight = pipeline.cut(4, term, complemented, one, sticky, weight)
        beside = pipeline.cut_named(4, beside)
        # By one adder, the 1 as its carry.
        m.d.comb += total.eq((Cat(one, term).as_signed() + Cat(one, complemented).as_signed())[1:])
        total, sticky, weight = pipeline.cut(5, total, sticky, weight)
        beside = pipeline.cut_named(5, beside)
        m.d.comb += [negative.eq(total[-1]), inverted.eq(total ^ negative.replicate(width))]
        inverted, sticky, weight = pipeline.cut(6, inverted, sticky, weight)
        beside = pipeline.cut_named(6, beside | {"negative": negative})
        m.d.comb += magnitude.eq(inverted + (beside["negative"] & ~sticky))
        magnitude, sticky, weight = pipeline.cut(7, magnitude, sticky, weight)
        beside = pipeline.cut_named(7, beside)
        zero, sign = Signal(name="sum_zero"), Signal(name="sum_sign")
        invert = beside["invert"] ^ beside["negative"]
        m.d.comb += [
            zero.eq((magnitude == 0) & ~sticky & ~beside["nan"] & ~beside["inf"]),
            sign.eq(Mux(beside["inf"], beside["inf_sign"], Mux(zero, beside["zero_sign"], invert))),
        ]
        found = {"sign": sign, "zero": zero} | {
            name: beside[name] for name in ("nan", "inf", "invalid") if name in beside
        }
        last = (weight, min_weight, max_weight)
        mode = beside.get("mode")
        y, raised = Signal(self.fmt.width, name="rounded_sum"), Signal(5, name="raised") if self.with_flags else None
        round_magnitude(
            m, platform, self.fmt, self.policy, magnitude, sticky, last, found, y, pipeline, mode, raised, 8
        )
        outputs = {"y": y} | ({"flags": raised} if raised is not None else {})
        for name, value in pipeline.cut_named(8 + ROUND_PLACES, outputs).items():
            m.d.comb += getattr(self, name).eq(value)
        return m

    def _exponents(self, m: Module, acc: RawFloat, exponent: Value) -> tuple[Signal, Signal]:
        """Both exponents as signals, which can be delayed."""
        signals = Signal(len(acc.exponent), name="acc_biased"), Signal(len(exponent), name="term_exponent")
        m.d.comb += [signal.eq(value) for signal, value in zip(signals, (acc.exponent, exponent), strict=True)]
        return signals

    def _weight(
        self, m: Module, acc: RawFloat, acc_exponent: Value, exponent: Value, low: int, reach: int, dominates: Value
    ) -> tuple[Signal, int, int]:
        """Weight of the window's last bit as a biased exponent, and its bounds: from the term, or from acc at the top."""
        by_acc = acc.shape.min_exponent - (acc.width - 1) - reach
        by_term = self.quantum - low + acc.shape.bias
        ends = (by_acc, by_acc + acc.shape.span, by_term, by_term + self.span)
        weight = Signal(range(min(ends), max(ends) + 1), name="last_weight")
        m.d.comb += weight.eq(Mux(dominates, acc_exponent + (by_acc - acc.shape.min_exponent), exponent + by_term))
        return weight, min(ends), max(ends)

    def _classes(self, m: Module, acc: RawFloat, term: dict[str, Signal]) -> dict[str, Signal]:
        """Class of the sum, and the signs that an infinity and a zero have."""
        classes = {name: Signal(name=f"sum_{name}") for name in ("nan", "inf", "inf_sign", "zero_sign")}
        opposite = Signal(name="opposite_infinities")
        zero_sign = term["zero_sign"] | acc.sign if self.policy.rounding == "rdn" else term["zero_sign"] & acc.sign
        if self.policy.rounding == PORT:
            zero_sign = Mux(term["mode"] == RoundingMode.RDN.port_code, term["some_negative"] | acc.sign, zero_sign)
        m.d.comb += [
            opposite.eq(term["inf"] & acc.inf & (term["sign"] ^ acc.sign)),
            classes["nan"].eq(term["nan"] | acc.nan | opposite),
            classes["inf"].eq((term["inf"] | acc.inf) & ~classes["nan"]),
            classes["inf_sign"].eq(Mux(acc.inf, acc.sign, term["sign"])),
            classes["zero_sign"].eq(zero_sign),
        ]
        if self.with_flags:
            classes["invalid"] = Signal(name="sum_invalid")
            m.d.comb += classes["invalid"].eq(term["invalid"] | acc.signaling | opposite)
        return classes


def add_delays(fmt: Format, term_bits: int) -> tuple[float, ...]:
    """Estimated delays of the steps of a :class:`FloatAdd` of terms of so many bits."""
    reach = 2 * fmt.significand_bits + term_bits + 4
    exponent, total = adder(fmt.exponent_bits + 2), adder(reach)
    first, second = shift_delays(reach.bit_length())
    align = (LUT + exponent, first, second + LUT)
    return (2 * LUT, exponent, *align, total, 2 * LUT, total, *round_delays(fmt, reach))


def float_add(
    m: Module,
    platform: object,
    name: str,
    acc: Value,
    term: RawFloat,
    fmt: Format,
    policy: Policy,
    registers: tuple[int, ...],
    enable: Value,
    mode: Value | None = None,
    flags: Value | None = None,
) -> Signal:
    """The code of acc + term, by a :class:`FloatAdd` called ``name``; ``mode`` and ``flags`` as of its ports."""
    unit = FloatAdd(
        fmt=fmt,
        term=Value.cast(term.significand).shape(),
        span=term.shape.span,
        quantum=term.shape.quantum,
        policy=policy,
        flags=flags is not None,
        registers=registers,
    )
    y = Signal(fmt.width, name=f"{name}_sum")
    wires = {"acc": acc, "value": term.significand, "y": y} | ({"exponent": term.exponent} if term.shape.span else {})
    wires |= {"sign": term.sign, "nan": term.nan, "inf": term.inf}
    wires["zero_sign"] = term.any_negative if policy.rounding == "rdn" else term.all_negative
    wires |= {"some_negative": term.any_negative, "mode": mode} if mode is not None else {}
    wires |= {"invalid": term.invalid, "flags": flags} if flags is not None else {}
    wires |= {"en": enable} if unit.latency else {}
    instantiate(m, platform, name, unit, **wires)
    return y
