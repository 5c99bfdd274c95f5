"""Exact products as they are added up: sign, significand and exponent, neither normalised nor rounded."""

from __future__ import annotations

from dataclasses import replace

from amaranth.hdl import Module, Signal, Value
from amaranth.lib.wiring import In, Out

from ...golden.formats import Format
from ..core.delays import LUT
from ..core.hierarchy import instantiate
from ..core.pipeline import Pipeline, PipelinedUnit
from ..core.step import step
from ..core.unit import shape_of
from ..integer.product_in_steps import product_delays
from ..operand.decoders import decode, raw_shape
from ..operand.raw_float import NEVER, RawFloat, RawShape
from .significand import or_invalid, product_shape, significand_product, significand_product_in_steps


class LaneProduct(PipelinedUnit):
    """a * b = (-1)**sign * significand * 2**(exponent + raw.lsb), exact and not normalised.

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
    exponent : Out(range(raw.span + 1))
        If ``raw.span`` is not 0.
    nan, inf : Out(1)
        If a format has such numbers: the product is NaN, or infinite.
    invalid : Out(1)
        With ``flags``: an operand is a signaling NaN, or they are infinity and zero.
    en : In(1)
        With registers: while 0, none of them changes.

    Attributes
    ----------
    raw : RawShape
        Widths and bounds of the product, whose exponents begin at 0.
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
        x, y = raw_shape(a), raw_shape(b)
        product = product_shape(x, y)
        self.raw = RawShape(product.width, product.quantum, 0, product.span)
        self.frac_bits = x.width - 1 + y.width - 1
        self.special = a.has_specials or b.has_specials
        self.delays = (2 * LUT, *product_delays(x.width, y.width, architecture))
        members = {
            "a": In(shape_of(a)),
            "b": In(shape_of(b)),
            "sign": Out(1),
            "significand": Out(self.raw.width),
        }
        members |= {"exponent": Out(range(self.raw.span + 1))} if self.raw.span else {}
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
        step(m, "The operands as sign, exponent, significand and class")
        x = decode(m, platform, "a", self.a, self.a_format)
        y = decode(m, platform, "b", self.b, self.b_format)
        pipeline = Pipeline.at(m, self.registers, self.enable)
        # Only what is used below has registers.
        unused = {"subnormal": None} | ({} if self.with_flags else {"signaling": NEVER})
        unused |= {} if self.special or self.with_flags else {"zero": NEVER, "inf": NEVER, "nan": NEVER}
        x, y = (replace(operand, **unused).registered(pipeline, 0) for operand in (x, y))
        steps = pipeline.depths(1, len(self.delays) - 1)
        if any(steps):
            significand = significand_product_in_steps(m, x, y, self.architecture, steps, self.en)
        else:
            significand = significand_product(m, platform, x, y, self.architecture)
        step(m, "Sign, exponent and class of the product")
        beside = {"sign": x.sign ^ y.sign}
        if self.raw.span:
            beside["exponent"] = x.exponent + y.exponent - (x.shape.min_exponent + y.shape.min_exponent)
        if self.special:
            nan = Signal(name="any_nan")
            m.d.comb += nan.eq(or_invalid(x.nan | y.nan, x, y))
            beside |= {"nan": nan, "inf": (x.inf | y.inf) & ~nan}
        if self.with_flags:
            beside["invalid"] = or_invalid(x.signaling | y.signaling, x, y)
        m.d.comb += self.significand.eq(significand)
        ports = {name: getattr(self, name) for name in beside}
        now = (
            {name: Signal(port.shape(), name=f"product_{name}") for name, port in ports.items()}
            if any(steps)
            else ports
        )
        m.d.comb += [now[name].eq(value) for name, value in beside.items()]
        if any(steps):
            later = pipeline.delay_named(sum(steps), now)
            m.d.comb += [port.eq(later[name]) for name, port in ports.items()]
        return m


def lane_product(
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
) -> RawFloat:
    """The product of one pair of codes by a :class:`LaneProduct` with those registers; ``zero`` is not told."""
    unit = LaneProduct(a=a, b=b, architecture=architecture, flags=flags, registers=registers)
    wires = {
        port.name: Signal(value.shape(), name=f"{name}_{port.name}")
        for port, value in unit.flat_ports()
        if port.direction == "output"
    }
    clock = {"en": enable} if unit.latency else {}
    instantiate(m, platform, name, unit, a=pair[0], b=pair[1], **wires, **clock)
    present = {"exponent": NEVER, "invalid": None} | wires
    return RawFloat(unit.raw, name=name, all_negative=wires["sign"], any_negative=wires["sign"], **present)
