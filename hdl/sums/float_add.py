"""Addition of an exact term to a floating-point accumulator, rounded once: the addition of a fused multiply-add."""

from __future__ import annotations

from dataclasses import dataclass, replace

from amaranth.hdl import Cat, Const, Module, Mux, Shape, Signal, Value, signed
from amaranth.lib.wiring import In, Out

from ...golden.formats import Format
from ..core.delays import LUT, adder
from ..core.hierarchy import instantiate
from ..core.pipeline import Pipeline, PipelinedUnit
from ..core.step import step
from ..integer.shifter import shift_delays, shift_window
from ..operand.decoders import decode
from ..operand.raw_float import NEVER, RawFloat
from ..rounding.modes import PORT, PORT_BITS, Policy, RoundingLogic
from ..rounding.round_magnitude import ROUND_PLACES, round_delays, round_magnitude


@dataclass(frozen=True)
class Window:
    """The bits around the term to which acc is shifted.

    Attributes
    ----------
    term_bits : int
        Bits of the term's magnitude, except for the most negative value of a signed one.
    signed_term : bool
        Whether the term's value is signed.
    offset : int
        Weight of acc's last bit less the term's, both at exponent 0.
    min_distance, max_distance : int
        Bounds of the same at all exponents.
    low : int
        Bits of the window below the term's last one.
    under : int
        Bits of acc below the window that are shifted through; further below, acc is a sticky bit.
    high : int
        Greatest distance of acc above the term at which both are added; further above, acc dominates.
    bits : int
        Bits of the window.
    """

    term_bits: int
    signed_term: bool
    offset: int
    min_distance: int
    max_distance: int
    low: int
    under: int
    high: int
    bits: int

    @classmethod
    def of(cls, acc: RawFloat, term: Shape, span: int, quantum: int) -> Window:
        """The window of terms of that shape, whose exponents reach from 0 to ``span``."""
        term_bits = term.width - term.signed
        offset = acc.shape.quantum - quantum
        min_distance, max_distance = offset - span, offset + acc.shape.span
        low = min(acc.width + 2, max(0, -min_distance))
        under = min(acc.width, max(0, -min_distance - low))
        high = min(term_bits + term.signed + 2, max(0, max_distance))
        bits = acc.width + low + high
        return cls(term_bits, term.signed, offset, min_distance, max_distance, low, under, high, bits)


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
        acc, term = self._operands(m, platform, pipeline)
        window = Window.of(acc, term["value"].shape(), self.span, self.quantum)
        # ``beside`` is what goes along with the sum: the classes, the signs of its parts, and the mode.
        distance, significand, *exponents, beside = self._compare(m, acc, term, window)
        moved = pipeline.cut(1, distance, significand, term["value"], *exponents)
        beside = pipeline.cut_named(1, beside)
        distance, significand, value, acc_exponent, exponent = moved
        amount, dominates = self._shift_amount(m, window, distance, beside)
        weight, min_weight, max_weight = self._weight(m, acc, acc_exponent, exponent, window, dominates)
        amount, significand, value, weight = pipeline.cut(2, amount, significand, value, weight)
        beside = pipeline.cut_named(2, beside)
        shifted, lost = self._shift(m, pipeline, window, significand, amount)
        value, weight = pipeline.cut(3, value, weight)
        beside = pipeline.cut_named(3, beside)
        aligned, sticky = self._align(m, shifted, lost, beside)
        addends = self._addends(m, window, value, aligned, sticky, beside)
        *addends, sticky, weight = pipeline.cut(4, *addends, sticky, weight)
        beside = pipeline.cut_named(4, beside)
        total, sticky, weight = pipeline.cut(5, self._add(m, *addends), sticky, weight)
        beside = pipeline.cut_named(5, beside)
        inverted, sticky, weight = pipeline.cut(6, self._complement(m, total, beside), sticky, weight)
        beside = pipeline.cut_named(6, beside)
        magnitude, sticky, weight = pipeline.cut(7, self._magnitude(m, inverted, sticky, beside), sticky, weight)
        beside = pipeline.cut_named(7, beside)
        found = self._sign_and_class(m, magnitude, sticky, beside)
        step(m, f"Rounded to {self.fmt}")
        last, mode = (weight, min_weight, max_weight), beside.get("mode")
        y, raised = Signal(self.fmt.width, name="rounded_sum"), Signal(5, name="raised") if self.with_flags else None
        round_magnitude(
            m, platform, self.fmt, self.policy, magnitude, sticky, last, found, y, pipeline, mode, raised, 8
        )
        outputs = {"y": y} | ({"flags": raised} if raised is not None else {})
        for name, signal in pipeline.cut_named(8 + ROUND_PLACES, outputs).items():
            m.d.comb += getattr(self, name).eq(signal)
        return m

    def _operands(self, m: Module, platform: object, pipeline: Pipeline) -> tuple[RawFloat, dict[str, Signal]]:
        """acc, its significand 0 where it is zero, and the ports of the term, behind cut point 0."""
        step(m, "acc as sign, exponent, significand and class")
        acc = decode(m, platform, "acc", self.acc, self.fmt, self.policy.subnormals)
        # Only what is used below has registers; with subnormals a zero is known by its significand.
        has_subnormals = acc.subnormal is not None
        unused = {"subnormal": None} | ({"zero": NEVER} if has_subnormals else {})
        unused |= {} if self.with_flags else {"signaling": NEVER}
        acc = replace(acc, **unused).registered(pipeline, 0)
        if has_subnormals:
            acc = replace(acc, zero=acc.significand == 0)
        else:
            acc = replace(acc, significand=Mux(acc.zero, 0, acc.significand))
        names = ("value", "exponent", "sign", "nan", "inf", "zero_sign", "some_negative", "mode", "invalid")
        return acc, pipeline.cut_named(0, {name: getattr(self, name) for name in names if hasattr(self, name)})

    def _compare(
        self, m: Module, acc: RawFloat, term: dict[str, Signal], window: Window
    ) -> tuple[Signal, Signal, Signal, Signal, dict[str, Signal]]:
        """How far acc's last bit is above the term's; acc's significand; both exponents; and what goes beside."""
        step(m, "How far acc's last bit is above the term's; signs, zeros and classes")
        value, exponent = term["value"], term.get("exponent", Const(0, 1))
        acc_exponent, exponent = self._exponents(m, acc, exponent)
        distance = Signal(range(window.min_distance, window.max_distance + 1), name="distance")
        beside = self._classes(m, acc, term)
        beside |= {name: Signal(name=name) for name in ("subtract", "invert", "acc_zero", "term_zero")}
        significand = Signal(acc.width, name="acc_bits")
        invert = Const(0, 1) if window.signed_term else term["sign"]
        m.d.comb += [
            distance.eq(acc_exponent - exponent + (window.offset - acc.shape.min_exponent)),
            beside["term_zero"].eq(value == 0),
            beside["acc_zero"].eq(acc.zero),
            significand.eq(acc.significand),
            beside["subtract"].eq(acc.sign ^ invert),
            beside["invert"].eq(invert),
        ]
        beside |= {"mode": term["mode"]} if "mode" in term else {}
        return distance, significand, acc_exponent, exponent, beside

    def _exponents(self, m: Module, acc: RawFloat, exponent: Value) -> tuple[Signal, Signal]:
        """Both exponents as signals, which can be delayed."""
        signals = Signal(len(acc.exponent), name="acc_biased"), Signal(len(exponent), name="term_exponent")
        m.d.comb += [signal.eq(value) for signal, value in zip(signals, (acc.exponent, exponent), strict=True)]
        return signals

    def _shift_amount(
        self, m: Module, window: Window, distance: Signal, beside: dict[str, Signal]
    ) -> tuple[Signal, Signal]:
        """By how much acc is shifted up from the lower end, and whether it dominates; ``acc_beneath`` is put beside."""
        step(m, "Where acc lies in the window around the term: at its top if the term only says which way to round")
        reach = window.under + window.low
        dominates, amount = Signal(name="acc_dominates"), Signal(range(reach + window.high + 1), name="acc_shift")
        beside["beneath"] = beneath = Signal(name="acc_beneath")
        m.d.comb += [
            dominates.eq(~beside["acc_zero"] & (beside.pop("term_zero") | (distance > window.high))),
            beneath.eq(~dominates & (distance < -reach)),
            amount.eq(Mux(dominates, reach + window.high, Mux(beneath, 0, distance + reach))),
        ]
        return amount, dominates

    def _weight(
        self, m: Module, acc: RawFloat, acc_exponent: Value, exponent: Value, window: Window, dominates: Value
    ) -> tuple[Signal, int, int]:
        """Weight of the window's last bit as a biased exponent, and its bounds: from the term, or from acc at the top."""
        by_acc = acc.shape.min_exponent - (acc.width - 1) - (window.low + window.high)
        by_term = self.quantum - window.low + acc.shape.bias
        ends = (by_acc, by_acc + acc.shape.span, by_term, by_term + self.span)
        weight = Signal(range(min(ends), max(ends) + 1), name="last_weight")
        m.d.comb += weight.eq(Mux(dominates, acc_exponent + (by_acc - acc.shape.min_exponent), exponent + by_term))
        return weight, min(ends), max(ends)

    def _shift(
        self, m: Module, pipeline: Pipeline, window: Window, significand: Signal, amount: Signal
    ) -> tuple[Value, Value]:
        """acc in the window, and whether a bit fell out at its lower end; cut point 3 is halfway."""
        step(m, "acc shifted to its place in the window")
        half = (lambda *values: pipeline.cut(3, *values)) if pipeline.depth(3) else None
        return shift_window(m, significand, amount, window.bits + window.under - 1, window.bits, half)

    def _align(self, m: Module, shifted: Value, lost: Value, beside: dict[str, Signal]) -> tuple[Signal, Signal]:
        """acc in the window, 0 if it lies beneath, and the sticky bit of what lies below the window."""
        step(m, "Nothing of acc is in the window if it lies beneath; what is below the window leaves a sticky bit")
        aligned, sticky = Signal(len(shifted), name="acc_aligned"), Signal(name="sticky")
        beneath = beside.pop("beneath")
        m.d.comb += [aligned.eq(Mux(beneath, 0, shifted)), sticky.eq(Mux(beneath, ~beside.pop("acc_zero"), lost))]
        return aligned, sticky

    def _addends(
        self, m: Module, window: Window, value: Signal, aligned: Signal, sticky: Signal, beside: dict[str, Signal]
    ) -> tuple[Signal, Signal, Signal]:
        """The term and acc in two's complement, and a 1 to be added, their signs relative to ``invert``."""
        step(m, "Addends in two's complement: -acc - fraction is ~acc + 1 - fraction")
        width = max(window.term_bits + window.signed_term + window.low, len(aligned)) + 2
        term, complemented = (Signal(signed(width), name=name) for name in ("term_aligned", "acc_complemented"))
        subtract, one = beside.pop("subtract"), Signal(name="plus_one")
        m.d.comb += [
            term.eq(value << window.low),
            complemented.eq(aligned ^ subtract.replicate(width)),
            one.eq(subtract & ~sticky),
        ]
        return term, complemented, one

    def _add(self, m: Module, term: Signal, complemented: Signal, one: Signal) -> Signal:
        """The sum of the addends."""
        step(m, "The sum, by one adder with the 1 as its carry")
        total = Signal(term.shape(), name="total")
        m.d.comb += total.eq((Cat(one, term).as_signed() + Cat(one, complemented).as_signed())[1:])
        return total

    def _complement(self, m: Module, total: Signal, beside: dict[str, Signal]) -> Signal:
        """The bits of the sum, inverted if it is negative, which is put beside."""
        step(m, "Its magnitude: bits inverted, and 1 added, if it is negative")
        negative, inverted = Signal(name="total_is_negative"), Signal(total.shape(), name="total_complemented")
        m.d.comb += [negative.eq(total[-1]), inverted.eq(total ^ negative.replicate(len(total)))]
        beside["negative"] = negative
        return inverted

    def _magnitude(self, m: Module, inverted: Signal, sticky: Signal, beside: dict[str, Signal]) -> Signal:
        """The magnitude of the sum without its sticky bit."""
        magnitude = Signal(len(inverted) - 1, name="magnitude")
        m.d.comb += magnitude.eq(inverted + (beside["negative"] & ~sticky))
        return magnitude

    def _sign_and_class(
        self, m: Module, magnitude: Signal, sticky: Signal, beside: dict[str, Signal]
    ) -> dict[str, Signal]:
        """Sign and class of the sum, as :func:`.round_magnitude` takes them."""
        step(m, "Sign and class of the sum")
        zero, sign = Signal(name="sum_zero"), Signal(name="sum_sign")
        invert = beside["invert"] ^ beside["negative"]
        m.d.comb += [
            zero.eq((magnitude == 0) & ~sticky & ~beside["nan"] & ~beside["inf"]),
            sign.eq(Mux(beside["inf"], beside["inf_sign"], Mux(zero, beside["zero_sign"], invert))),
        ]
        given = {name: beside[name] for name in ("nan", "inf", "invalid") if name in beside}
        return {"sign": sign, "zero": zero} | given

    def _classes(self, m: Module, acc: RawFloat, term: dict[str, Signal]) -> dict[str, Signal]:
        """Class of the sum, and the signs that an infinity and a zero have."""
        classes = {name: Signal(name=f"sum_{name}") for name in ("nan", "inf", "inf_sign", "zero_sign")}
        opposite = Signal(name="opposite_infinities")
        zero_sign = term["zero_sign"] | acc.sign if self.policy.rounds_down else term["zero_sign"] & acc.sign
        if self.policy.rounding == PORT:
            zero_sign = Mux(RoundingLogic(term["mode"]).down, term["some_negative"] | acc.sign, zero_sign)
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
    wires["zero_sign"] = term.any_negative if policy.rounds_down else term.all_negative
    wires |= {"some_negative": term.any_negative, "mode": mode} if mode is not None else {}
    wires |= {"invalid": term.invalid, "flags": flags} if flags is not None else {}
    wires |= {"en": enable} if unit.latency else {}
    instantiate(m, platform, name, unit, **wires)
    return y
