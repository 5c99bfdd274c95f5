"""Exact products as they are added up: sign, significand and exponent, neither normalised nor rounded."""

from __future__ import annotations

from dataclasses import dataclass, replace

from amaranth.hdl import Const, Module, Signal, Value
from amaranth.lib.wiring import In, Out

from ..golden.formats import Format
from .operand import Operand
from .pipeline import Pipeline
from .significand import significand_product
from .unit import Unit, place, shape_of


class LaneProduct(Unit):
    """a * b = (-1)**sign * significand * 2**(exponent + quantum), exact and not normalised; combinational.

    The significand of a product with a zero is 0. The reference is the product of what the codes stand for.

    Parameters
    ----------
    a, b : Format
        Formats of the operands, of any kinds and mix.
    architecture : str
        One of :data:`product.ARCHITECTURES`.

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

    Attributes
    ----------
    quantum : int
        Weight of the significand's last bit where ``exponent`` is 0, as a power of two.
    span : int
        The greatest exponent.
    frac_bits : int
        Bits of the significand behind its point: those of both operands' significands.
    """

    kind = "lane"
    formula = "a * b = (-1)**sign * significand * 2**(exponent + quantum), exact"

    def __init__(self, *, a: Format, b: Format, architecture: str) -> None:
        self.a_format, self.b_format = a, b
        self.architecture = architecture
        x, y = bounds(a), bounds(b)
        self.quantum = x.quantum + y.quantum
        self.span = x.span + y.span
        self.significand_bits = x.width + y.width - (1 in (x.width, y.width))
        self.frac_bits = x.width - 1 + y.width - 1
        self.special = a.has_specials or b.has_specials
        members = {
            "a": In(shape_of(a)),
            "b": In(shape_of(b)),
            "sign": Out(1),
            "significand": Out(self.significand_bits),
        }
        members |= {"exponent": Out(range(self.span + 1))} if self.span else {}
        members |= {"nan": Out(1), "inf": Out(1)} if self.special else {}
        super().__init__(
            members,
            formats={"a": (a, 1), "b": (b, 1)},
            parameters={"a": a, "b": b, "architecture": architecture},
            latency=0,
            clocked=False,
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        x = Operand.unpack(m, platform, "a", self.a, self.a_format, "full")
        y = Operand.unpack(m, platform, "b", self.b, self.b_format, "full")
        significand, _ = significand_product(m, platform, x, y, self.architecture)
        m.d.comb += [self.sign.eq(x.sign ^ y.sign), self.significand.eq(significand)]
        if self.span:
            m.d.comb += self.exponent.eq(x.exponent + y.exponent - (x.least + y.least))
        if self.special:
            m.d.comb += self.nan.eq(x.nan | y.nan | (x.inf & y.zero) | (x.zero & y.inf))
            m.d.comb += self.inf.eq((x.inf | y.inf) & ~self.nan)
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
    m: Module, platform: object, name: str, pair: tuple[Value, Value], a: Format, b: Format, architecture: str
) -> Term:
    """The product of one pair of codes."""
    unit = LaneProduct(a=a, b=b, architecture=architecture)
    wires = {
        port.name: Signal(value.shape(), name=f"{name}_{port.name}")
        for port, value in unit.flat_ports()
        if port.direction == "output"
    }
    place(m, platform, name, unit, a=pair[0], b=pair[1], **wires)
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
    )
