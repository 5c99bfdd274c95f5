"""Exact products as they are added up: sign, significand and exponent, neither normalised nor rounded."""

from __future__ import annotations

from dataclasses import dataclass, replace

from amaranth.hdl import Const, Module, Signal, Value
from amaranth.lib.wiring import In, Out

from ...golden.formats import Format
from ..core.delays import LUT
from ..core.hierarchy import place
from ..core.pipeline import Pipeline, PipelinedUnit
from ..core.unit import shape_of
from ..integer.product_in_steps import product_delays
from ..operand.operand import Operand
from .significand import significand_product, significand_product_in_steps


class LaneProduct(PipelinedUnit):
    """a * b = (-1)**sign * significand * 2**(exponent + quantum), exact and not normalised.

    The significand of a product with a zero is 0. The reference is the product of what the codes stand for.

    Parameters
    ----------
    a, b : Format
        Formats of the operands, of any kinds and mix.
    architecture : str
        One of :data:`product.ARCHITECTURES`.
    flags : bool
        Whether there is ``invalid``.
    registers : tuple of int
        How many there are behind each of its steps, whose estimated delays are :attr:`delays`: unpacking, and the steps of
        the multiplication. None unless given.

    Members
    -------
    a, b : In
        Codes.
    sign : Out(1)
    significand : Out
        As long as both operands' together.
    exponent : Out(range(span + 1))
        If ``span`` is not 0.
    nan, inf : Out(1)
        If a format has such numbers: the product is NaN, or infinite.
    invalid : Out(1)
        With ``flags``: an operand is a signaling NaN, or they are infinity and zero.
    en : In(1)
        With registers: while 0, none of them changes.

    Attributes
    ----------
    quantum : int
        Weight of the significand's last bit where ``exponent`` is 0, as a power of two.
    span : int
        The greatest exponent.
    frac_bits : int
        Bits of the significand behind its point: those of both operands' significands.
    delays : tuple of float
        Estimated delays of its steps.
    """

    kind = "lane"
    formula = "a * b = (-1)**sign * significand * 2**(exponent + quantum), exact"

    def __init__(
        self, *, a: Format, b: Format, architecture: str, flags: bool = False, registers: tuple[int, ...] = ()
    ) -> None:
        self.a_format, self.b_format = a, b
        self.architecture = architecture
        x, y = bounds(a), bounds(b)
        self.quantum = x.quantum + y.quantum
        self.span = x.span + y.span
        self.significand_bits = x.width + y.width - (1 in (x.width, y.width))
        self.frac_bits = x.width - 1 + y.width - 1
        self.special = a.has_specials or b.has_specials
        self.delays = (2 * LUT, *product_delays(x.width, y.width, architecture))
        members = {
            "a": In(shape_of(a)),
            "b": In(shape_of(b)),
            "sign": Out(1),
            "significand": Out(self.significand_bits),
        }
        members |= {"exponent": Out(range(self.span + 1))} if self.span else {}
        members |= {"nan": Out(1), "inf": Out(1)} if self.special else {}
        self.with_flags = flags
        members |= {"invalid": Out(1)} if flags else {}
        super().__init__(
            members,
            parameters={"a": a, "b": b, "architecture": architecture, "flags": flags},
            registers=registers,
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        x = Operand.unpack(m, platform, "a", self.a, self.a_format, "full")
        y = Operand.unpack(m, platform, "b", self.b, self.b_format, "full")
        pipeline = Pipeline.at(m, self.registers, self.enable)
        # Only what is used below has registers.
        never = Const(0, 1)
        unused = {"subnormal": None} | ({} if self.with_flags else {"signaling": never})
        unused |= {} if self.special or self.with_flags else {"zero": never, "inf": never, "nan": never}
        x, y = (replace(operand, **unused).registered(pipeline, 0) for operand in (x, y))
        steps = pipeline.depths(1, len(self.delays) - 1)
        if any(steps):
            significand = significand_product_in_steps(m, x, y, self.architecture, steps, self.en)
        else:
            significand, _ = significand_product(m, platform, x, y, self.architecture)
        beside = {"sign": x.sign ^ y.sign}
        if self.span:
            beside["exponent"] = x.exponent + y.exponent - (x.least + y.least)
        if self.special:
            nan = Signal(name="any_nan")
            m.d.comb += nan.eq(x.nan | y.nan | (x.inf & y.zero) | (x.zero & y.inf))
            beside |= {"nan": nan, "inf": (x.inf | y.inf) & ~nan}
        if self.with_flags:
            beside["invalid"] = x.signaling | y.signaling | (x.inf & y.zero) | (x.zero & y.inf)
        m.d.comb += self.significand.eq(significand)
        for name, value in beside.items():
            port = getattr(self, name)
            now = Signal(port.shape(), name=f"product_{name}") if any(steps) else port
            m.d.comb += now.eq(value)
            if any(steps):
                m.d.comb += port.eq(*pipeline.delay(sum(steps), now))
        return m


@dataclass(frozen=True)
class Bounds:
    """Of an operand: bits of the significand, weight of its last bit at the least exponent, and range of exponents."""

    width: int
    quantum: int
    span: int


def bounds(fmt: Format) -> Bounds:
    if fmt.kind == "binary":
        return Bounds(1, 0, 0)
    if fmt.kind == "fixed":
        return Bounds(fmt.width, -fmt.frac_bits, 0)
    return Bounds(fmt.significand_bits, fmt.min_exponent - fmt.frac_bits, fmt.max_exponent - fmt.min_exponent)


@dataclass(frozen=True)
class Term:
    """What is added to an accumulator: ``value * 2**(exponent + quantum)``, or what ``nan`` and ``inf`` say.

    Attributes
    ----------
    value : Signal
        A magnitude with the sign ``sign``, or a signed number.
    exponent : Value
        In 0 … ``span``.
    quantum, span : int
        As above.
    sign : Value
        Of the magnitude, and of an infinity.
    nan, inf : Value
        The class.
    all_negative, any_negative : Value
        Whether all, and whether some, of the products that make up the term are negative, zeros included: where the sum
        is zero, its sign follows from that.
    invalid : Value, optional
        Whether it comes from an invalid operation, where flags are wanted.
    """

    value: Signal
    exponent: Value
    quantum: int
    span: int
    sign: Value
    nan: Value
    inf: Value
    all_negative: Value
    any_negative: Value
    invalid: Value | None = None

    def delayed(self, pipeline: Pipeline, cycles: int) -> Term:
        """The term as it was that many enabled cycles ago."""
        wires = {key: value for key, value in vars(self).items() if isinstance(value, Signal)}
        # One signal may be several of them.
        distinct = {id(value): value for value in wires.values()}
        later = dict(zip(distinct, pipeline.delay(cycles, *distinct.values(), reset=False), strict=True))
        return replace(self, **{key: later[id(value)] for key, value in wires.items()})

    @property
    def signed(self) -> bool:
        """Whether the value has a sign of its own."""
        return self.value.shape().signed


def lane_term(
    m: Module,
    platform: object,
    name: str,
    pair: tuple[Value, Value],
    a: Format,
    b: Format,
    architecture: str,
    flags: bool = False,
    registers: tuple[int, ...] = (),
    enable: Value | None = None,
) -> Term:
    """The product of one pair of codes, after so many registers as of :class:`LaneProduct`; with ``flags`` the term tells
    whether it is invalid."""
    unit = LaneProduct(a=a, b=b, architecture=architecture, flags=flags, registers=registers)
    wires = {
        port.name: Signal(value.shape(), name=f"{name}_{port.name}")
        for port, value in unit.flat_ports()
        if port.direction == "output"
    }
    clock = {"en": enable} if unit.latency else {}
    place(m, platform, name, unit, a=pair[0], b=pair[1], **wires, **clock)
    none = Const(0, 1)
    return Term(
        value=wires["significand"],
        exponent=wires.get("exponent", none),
        quantum=unit.quantum,
        span=unit.span,
        sign=wires["sign"],
        nan=wires.get("nan", none),
        inf=wires.get("inf", none),
        all_negative=wires["sign"],
        any_negative=wires["sign"],
        invalid=wires.get("invalid"),
    )
