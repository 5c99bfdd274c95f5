"""The exact sum of a beat's products as one fixed-point number, times the scales of its blocks."""

from __future__ import annotations

from amaranth.hdl import Cat, Const, Module, Mux, Shape, Signal, Value, signed
from amaranth.lib.wiring import In, Out

from ..golden.formats import BlockFormat, Exact, Format, ParameterError, Rounded
from .lane_product import LaneProduct, Term, bounds, lane_term
from .operand import Operand
from .sum_of_products import sum_in_pairs, sum_of_products
from .sum_of_signs import sum_of_signs
from .summation import Beat, Summation
from .unit import Unit, place, shape_of


def sum_bits(a: Format, b: Format, count: int) -> tuple[int, int]:
    """Bits of the exact sum of so many products, sign included, and its quantum as a power of two."""
    quantum = bounds(a).quantum + bounds(b).quantum
    if _multiplies_integers(a, b):
        return (_magnitude(a) * _magnitude(b) * count).bit_length() + 1, quantum
    lane = LaneProduct(a=a, b=b, architecture="operator")
    return lane.significand_bits + lane.span + 1 + (count - 1).bit_length(), quantum


class FixedSum(Unit):
    """sum = Σ a·b * 2**-quantum over the pairs of a beat, exact; combinational.

    Integers, fixed-point numbers and signs with magnitudes (floats without an exponent) are multiplied as integers, all
    partial products in one matrix; others by their significands, shifted to where their exponents say. The reference is
    the sum of what the codes stand for.

    Parameters
    ----------
    a, b : Format
        Formats of the elements.
    count : int
        Pairs.
    width : int
        Bits of the sum, sign included.
    signs : tuple of str
        Which of ``all_negative`` and ``any_negative`` are wanted.
    architecture : str
        One of :data:`product.ARCHITECTURES`.

    Members
    -------
    a, b : In(count codes)
        Element 0 in the least significant bits.
    sum : Out(signed(width))
    all_negative, any_negative : Out(1)
        As wanted: whether all, and whether some, of the products have a negative sign, zeros included.
    nan, plus_inf, minus_inf : Out(1)
        If a format has such numbers: whether there are such products.
    """

    kind = "sum"
    formula = "sum = products of all pairs, exact"

    def __init__(
        self, *, a: Format, b: Format, count: int, width: int, signs: tuple[str, ...], architecture: str
    ) -> None:
        self.a_format, self.b_format, self.count = a, b, count
        self.signs = signs
        self.architecture = architecture
        self.special = a.has_specials or b.has_specials
        classes = (*signs, *(("nan", "plus_inf", "minus_inf") if self.special else ()))
        super().__init__(
            {"a": In(a.width * count), "b": In(b.width * count), "sum": Out(signed(width))}
            | {name: Out(1) for name in classes},
            formats={"a": (a, count), "b": (b, count)},
            parameters={
                "a": a,
                "b": b,
                "count": count,
                "width": width,
                "signs": signs,
                "architecture": architecture,
            },
            latency=0,
            clocked=False,
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        a, b = self.a_format, self.b_format
        pairs = [
            (self.a[i * a.width : (i + 1) * a.width], self.b[i * b.width : (i + 1) * b.width])
            for i in range(self.count)
        ]
        if a.kind == b.kind == "binary":
            negative = [_sign(x, a) ^ _sign(y, b) for x, y in pairs]
            m.d.comb += self.sum.eq(sum_of_signs(m, pairs, architecture=self.architecture, width=len(self.sum)))
        elif _multiplies_integers(a, b):
            negative = [_sign(x, a) ^ _sign(y, b) for x, y in pairs]
            integers = [(integer(m, f"a_{i}", x, a), integer(m, f"b_{i}", y, b)) for i, (x, y) in enumerate(pairs)]
            m.d.comb += self.sum.eq(sum_of_products(m, integers, architecture=self.architecture, width=len(self.sum)))
        else:
            terms = [lane_term(m, platform, f"lane_{i}", pair, a, b, self.architecture) for i, pair in enumerate(pairs)]
            negative = [term.sign for term in terms]
            m.d.comb += self.sum.eq(sum_in_pairs([self._shifted(m, i, term) for i, term in enumerate(terms)]))
            if self.special:
                m.d.comb += [
                    self.nan.eq(Cat(term.nan for term in terms).any()),
                    self.plus_inf.eq(Cat(term.inf & ~term.sign for term in terms).any()),
                    self.minus_inf.eq(Cat(term.inf & term.sign for term in terms).any()),
                ]
        for name in self.signs:
            found = Cat(*negative).all() if name == "all_negative" else Cat(*negative).any()
            m.d.comb += getattr(self, name).eq(found)
        return m

    def _shifted(self, m: Module, lane: int, term: Term) -> Signal:
        """The product as a fixed-point number."""
        magnitude = Signal(len(term.value) + term.span, name=f"magnitude_{lane}")
        value = Signal(signed(len(magnitude) + 1), name=f"product_{lane}")
        m.d.comb += magnitude.eq(term.value << term.exponent)
        m.d.comb += value.eq(Mux(term.sign, -magnitude, magnitude))
        return value


def block_term(m: Module, platform: object, name: str, how: Summation, beat: Beat, architecture: str) -> Term:
    """The exact sum of a beat's products, times the scales where the operands have them."""
    a, b = how.a_element, how.b_element
    width, quantum = sum_bits(a, b, len(beat.pairs))
    signs = _signs(how)
    unit = FixedSum(a=a, b=b, count=len(beat.pairs), width=width, signs=signs, architecture=architecture)
    wires = {
        port.name: Signal(value.shape(), name=f"{name}_{port.name}")
        for port, value in unit.flat_ports()
        if port.direction == "output"
    }
    left, right = (Cat(*side) for side in zip(*beat.pairs, strict=True))
    place(m, platform, name, unit, a=left, b=right, **wires)
    none = Const(0, 1)
    plus, minus = wires.get("plus_inf", none), wires.get("minus_inf", none)
    nan, inf = Signal(name=f"{name}_is_nan"), Signal(name=f"{name}_is_inf")
    m.d.comb += [nan.eq(wires.get("nan", none) | (plus & minus)), inf.eq((plus | minus) & ~nan)]
    exact = Term(
        value=wires["sum"],
        exponent=none,
        quantum=quantum,
        span=0,
        sign=minus,  # of an infinity
        nan=nan,
        inf=inf,
        all_negative=wires.get("all_negative", none),
        any_negative=wires.get("any_negative", none),
    )
    return scaled(m, platform, name, how, beat, exact)


def _signs(how: Summation) -> tuple[str, ...]:
    """What the sign of a zero sum depends on: whether all products are negative; under "rdn", whether some are."""
    assert isinstance(how.style, Exact | Rounded)
    down = how.style.rounding == "rdn"
    if not (how.state_is_code or down):
        return ()
    if any(isinstance(fmt, BlockFormat) and fmt.scale.signed for fmt in (how.a, how.b)):
        return ("all_negative", "any_negative")
    return ("any_negative",) if down else ("all_negative",)


def scaled(m: Module, platform: object, name: str, how: Summation, beat: Beat, term: Term) -> Term:
    """The term times the scales of its blocks, if any: exponents are added, significands multiplied."""
    if not beat.scales:
        return term
    formats = {"a": how.a, "b": how.b}
    quantum, span = term.quantum, term.span
    exponents: list[Value] = [term.exponent]
    value, sign, nan = term.value, term.sign, term.nan
    flip: Value = Const(0, 1)
    for side, code in beat.scales.items():
        fmt = formats[side]
        assert isinstance(fmt, BlockFormat)
        scale = Operand.unpack(m, platform, f"{name}_{side}_scale", code, fmt.scale, "full")
        quantum += scale.least - scale.bias - (scale.width - 1)
        span += scale.greatest - scale.least
        exponents.append(scale.exponent - scale.least if scale.least else scale.exponent)
        nan = nan | scale.nan
        if fmt.scale.has_zero and any(element.has_inf for element in (how.a_element, how.b_element)):
            nan = nan | (term.inf & scale.zero)
        flip = flip ^ scale.sign
        if scale.width > 1:
            product = Signal(Shape(len(value) + scale.width, term.signed), name=f"{name}_times_{side}_scale")
            m.d.comb += product.eq(value * scale.significand)
            value = product
    exponent = Signal(range(span + 1), name=f"{name}_exponent_sum")
    scaled_nan, scaled_sign = Signal(name=f"{name}_any_nan"), Signal(name=f"{name}_scaled_sign")
    m.d.comb += [
        exponent.eq(sum(exponents[1:], start=exponents[0])),
        scaled_nan.eq(nan),
        scaled_sign.eq(sign ^ flip),
    ]
    all_negative, any_negative = term.all_negative, term.any_negative
    if any(isinstance(fmt, BlockFormat) and fmt.scale.signed for fmt in formats.values()):
        all_negative = Mux(flip, ~term.any_negative, term.all_negative)
        any_negative = Mux(flip, ~term.all_negative, term.any_negative)
        if term.signed:
            flipped = Signal(value.shape(), name=f"{name}_signed")
            m.d.comb += flipped.eq(Mux(flip, -value, value))
            value = flipped
    every, some = Signal(name=f"{name}_every_negative"), Signal(name=f"{name}_some_negative")
    m.d.comb += [every.eq(all_negative), some.eq(any_negative)]
    return Term(value, exponent, quantum, span, scaled_sign, scaled_nan, term.inf, every, some)


def check_scales(*formats: Format | BlockFormat) -> None:
    """Raise a ParameterError where a scale can be infinite: a block would have to tell 0 · inf."""
    for fmt in formats:
        if isinstance(fmt, BlockFormat) and fmt.scale.has_inf:
            raise ParameterError(f"the scale of {fmt} must be a format without infinities, not {fmt.scale}")


def _multiplies_integers(a: Format, b: Format) -> bool:
    return all(fmt.kind != "float" or not (fmt.exp_bits or fmt.has_nan) for fmt in (a, b))


def _magnitude(fmt: Format) -> int:
    """The greatest magnitude of an integer."""
    if fmt.kind == "float":
        return (1 << fmt.frac_bits) - 1
    return 1 if fmt.kind == "binary" else max(fmt.max_int, -fmt.min_int)


def _sign(code: Value, fmt: Format) -> Value:
    if fmt.kind == "binary":
        return ~code
    return code[-1] if fmt.signed else Const(0, 1)


def integer(m: Module, name: str, code: Value, fmt: Format) -> Signal:
    """The integer that a code without an exponent stands for, in units of its last bit."""
    if fmt.kind == "fixed":
        value = Signal(shape_of(fmt), name=name)
        m.d.comb += value.eq(code)
    elif fmt.kind == "binary":
        value = Signal(signed(2), name=name)
        m.d.comb += value.eq(Mux(code, 1, -1))
    else:
        magnitude = code[: fmt.width - fmt.signed]
        value = Signal(signed(fmt.width), name=name)
        m.d.comb += value.eq(Mux(code[-1], -magnitude, magnitude) if fmt.signed else magnitude)
    return value
