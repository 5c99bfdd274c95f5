"""The exact sum of a beat's products as one fixed-point number, times the scales of its blocks."""

from __future__ import annotations

from dataclasses import replace

from amaranth.hdl import Cat, Const, Module, Mux, Shape, Signal, Value, signed
from amaranth.lib.wiring import In, Out

from ...golden.formats import BlockFormat, Exact, Format, ParameterError, Rounded
from ..core.delays import LUT, MULTIPLIER
from ..core.hierarchy import instantiate
from ..core.pipeline import Pipeline, PipelinedUnit
from ..core.step import step
from ..integer.bit_matrix import BitMatrix
from ..integer.product import ADD_PRODUCTS
from ..integer.product_in_steps import product_delays, sum_delays, sum_in_steps, sum_of_products_in_steps
from ..integer.shifter import shift_delays
from ..integer.sum_of_products import sum_in_pairs, sum_of_products
from ..integer.sum_of_signs import sum_of_signs
from ..operand.decoders import decode, decoder, is_sign, raw_shape
from ..operand.raw_float import NEVER, RawFloat, RawShape
from ..product.lane_product import LaneProduct, lane_product
from ..rounding.modes import rounds_down
from .accumulator import MODE, Accumulator, Beat


def sum_bits(a: Format, b: Format, count: int) -> tuple[int, int]:
    """Bits of the exact sum of so many products, sign included, and its quantum as a power of two."""
    cut = _always_zero(a, b)
    quantum = raw_shape(a).quantum + raw_shape(b).quantum + cut
    if _multiplies_integers(a, b):
        return (_magnitude(a) * _magnitude(b) * count).bit_length() + 1, quantum
    lane = LaneProduct(a=a, b=b, architecture="operator")
    return lane.raw.width + lane.raw.span - cut + 1 + (count - 1).bit_length(), quantum


class FixedSum(PipelinedUnit):
    """sum = Σ a·b * 2**-quantum over the pairs of a beat, exact.

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
    registers : tuple of int
        How many there are behind each of its steps, whose estimated delays are :attr:`delays`: those of the products,
        both halves of the shift, if there is one, and the levels of the sum. None unless given. With any but behind the
        last step, products are not added in one matrix.

    Members
    -------
    a, b : In(count codes)
        Element 0 in the least significant bits.
    sum : Out(signed(width))
    all_negative, any_negative : Out(1)
        As wanted: whether all, and whether some, of the products have a negative sign, zeros included.
    nan, plus_inf, minus_inf : Out(1)
        If a format has such numbers: whether there are such products.
    en : In(1)
        With registers: while 0, none of them changes.

    Attributes
    ----------
    delays : tuple of float
        Estimated delays of its steps.
    """

    kind = "sum"
    formula = "sum = products of all pairs, exact"

    def __init__(
        self,
        *,
        a: Format,
        b: Format,
        count: int,
        width: int,
        signs: tuple[str, ...],
        architecture: str,
        registers: tuple[int, ...] = (),
    ) -> None:
        self.a_format, self.b_format, self.count = a, b, count
        self.signs = signs
        self.architecture = architecture
        self.special = a.has_specials or b.has_specials
        classes = (*signs, *(("nan", "plus_inf", "minus_inf") if self.special else ()))
        super().__init__(
            {"a": In(a.width * count), "b": In(b.width * count), "sum": Out(signed(width))}
            | {name: Out(1) for name in classes},
            parameters={
                "a": a,
                "b": b,
                "count": count,
                "width": width,
                "signs": signs,
                "architecture": architecture,
            },
            registers=registers,
        )
        self._product_delays, shift = self._steps()
        self.delays = (*self._product_delays, *shift)

    def _steps(self) -> tuple[tuple[float, ...], tuple[float, ...]]:
        """Estimated delays of the products' steps, and of those behind them."""
        a, b, bits = self.a_format, self.b_format, len(self.sum)
        if is_sign(a) and is_sign(b):
            return (LUT * self.count.bit_length(),), ()
        if _multiplies_integers(a, b):
            products = product_delays(_bits(a), _bits(b), self.architecture)
            return products, sum_delays(sum(map(_bits, (a, b))), self.count)
        lane = LaneProduct(a=a, b=b, architecture=self.architecture)
        return lane.delays, (*shift_delays(lane.raw.span.bit_length()), *sum_delays(bits, self.count + 1))

    def elaborate(self, platform: object) -> Module:
        m = Module()
        a, b = self.a_format, self.b_format
        pairs = [
            (self.a[i * a.width : (i + 1) * a.width], self.b[i * b.width : (i + 1) * b.width])
            for i in range(self.count)
        ]
        left, right = decoder(a), decoder(b)
        pipeline = Pipeline.at(m, self.registers, self.enable)
        steps = len(self._product_delays)
        passed = 0  # registers that what lies beside the sum has passed
        beside: dict[str, Value] = {}
        if is_sign(a) and is_sign(b):
            negative = [left.is_negative(x) ^ right.is_negative(y) for x, y in pairs]
            total: Value = sum_of_signs(m, pairs, architecture=self.architecture, width=len(self.sum))
        elif _multiplies_integers(a, b):
            negative = [left.is_negative(x) ^ right.is_negative(y) for x, y in pairs]
            integers = [(left.integer(m, f"a_{i}", x), right.integer(m, f"b_{i}", y)) for i, (x, y) in enumerate(pairs)]
            if self._is_cut:
                total = sum_of_products_in_steps(m, integers, self.architecture, pipeline, steps)
            else:
                total = sum_of_products(m, integers, architecture=self.architecture, width=len(self.sum))
        else:
            inside = pipeline.depths(0, steps)
            passed = sum(inside)
            terms = [
                lane_product(
                    m, platform, f"lane_{i}", x, a, b, self.architecture, registers=inside, enable=pipeline.enable
                )
                for i, x in enumerate(pairs)
            ]
            negative = [term.sign for term in terms]
            total = self._sum_of_terms(m, terms, pipeline, steps)
            if self.special:
                beside |= {
                    "nan": Cat(term.nan for term in terms).any(),
                    "plus_inf": Cat(term.inf & ~term.sign for term in terms).any(),
                    "minus_inf": Cat(term.inf & term.sign for term in terms).any(),
                }
        for name in self.signs:
            beside[name] = Cat(*negative).all() if name == "all_negative" else Cat(*negative).any()
        later = pipeline.stages - passed
        ports = {name: getattr(self, name) for name in beside}
        kept = {name: Signal(name=f"beat_{name}") for name in beside} if later else ports
        m.d.comb += [kept[name].eq(value) for name, value in beside.items()]
        if later:
            kept = pipeline.delay_named(later, kept, reset=False)
            m.d.comb += [port.eq(kept[name]) for name, port in ports.items()]
        if not self._is_cut and self.latency:
            now = Signal(self.sum.shape(), name="beat_sum")
            m.d.comb += now.eq(total)
            (total,) = pipeline.delay(later, now, reset=False)
        m.d.comb += self.sum.eq(total)
        return m

    @property
    def _is_cut(self) -> bool:
        """Whether there are registers before the last place."""
        return any(self.registers[:-1])

    def _sum_of_terms(self, m: Module, terms: list[RawFloat], pipeline: Pipeline, first: int) -> Value:
        """The products in fixed point, added up; -x is ~x + 1, and all those ones are added for themselves.

        The registers of place ``first`` and following ones are halfway through the shift, behind it, and in the sum.
        """
        halfway, behind = pipeline.depths(first, 2) if self._is_cut else (0, 0)
        step(m, "Each product at its place in fixed point, all bits inverted if it is negative")
        values = [self._shifted(m, lane, term, pipeline, halfway) for lane, term in enumerate(terms)]
        signs = [term.sign for term in terms]
        step(m, "Their sum; -x is ~x + 1, and those ones are added for themselves")
        if self._is_cut:
            ones = Signal(range(len(signs) + 1), name="negative_products")
            m.d.comb += ones.eq(sum_in_pairs(signs))
            values = pipeline.delay(behind, *values, reset=False)
            (ones,) = pipeline.delay(halfway + behind, ones, reset=False)
            return sum_in_steps(m, (*values, ones), pipeline, first + 2, "sum")
        if self.architecture not in ADD_PRODUCTS:
            return sum_in_pairs(values) + sum_in_pairs(signs)
        matrix = BitMatrix(m, len(self.sum))
        for value, sign in zip(values, signs, strict=True):
            matrix.add_integer(value)
            matrix.add(0, sign)
        return matrix.tree() if self.architecture == "tree" else matrix.ripple()

    def _shifted(self, m: Module, lane: int, term: RawFloat, pipeline: Pipeline, halfway: int) -> Signal:
        """The product's magnitude at its place as a fixed-point number, all bits inverted if it is negative.

        The least step of the shifter comes first, where there are fewest bits; ``halfway`` registers are in the middle.
        """
        sign = term.sign
        value = Signal(signed(len(term.significand) + 1), name=f"product_{lane}")
        m.d.comb += value.eq(Cat(term.significand ^ sign.replicate(len(term.significand)), sign))
        longest = len(value) + term.shape.span
        bits = Signal(term.shape.span.bit_length(), name=f"places_{lane}")
        m.d.comb += bits.eq(term.exponent)
        for level in range(len(bits)):
            if level == len(bits) // 2 and halfway:
                now = Signal(name=f"negative_{lane}")
                m.d.comb += now.eq(sign)
                value, bits, sign = pipeline.delay(halfway, value, bits, now, reset=False)
            bit, step = bits[level], 1 << level
            shifted = Signal(signed(min(len(value) + step, longest)), name=f"product_{lane}_by_{step}")
            m.d.comb += shifted.eq(Mux(bit, Cat(sign.replicate(step), value).as_signed(), value))
            value = shifted
        if not len(bits):
            return pipeline.delay(halfway, value, reset=False)[0]
        if cut := _always_zero(self.a_format, self.b_format):
            # All of them are equal, so that they are the carry that -x = ~x + 1 would give.
            whole, value = value, Signal(signed(len(value) - cut), name=f"product_{lane}_in_place")
            m.d.comb += value.eq(whole[cut:].as_signed())
        return value


def block_delays(accumulator: Accumulator, count: int) -> tuple[float, ...]:
    """Estimated delays of the steps of a :func:`block_term` of so many products."""
    return (*_fixed_sum(accumulator, count).delays, *scale_delays(accumulator))


def _fixed_sum(accumulator: Accumulator, count: int, registers: tuple[int, ...] = ()) -> FixedSum:
    a, b = accumulator.a_element, accumulator.b_element
    width, _ = sum_bits(a, b, count)
    return FixedSum(
        a=a,
        b=b,
        count=count,
        width=width,
        signs=_signs(accumulator),
        architecture=accumulator.architecture,
        registers=registers,
    )


def block_term(
    m: Module, platform: object, name: str, accumulator: Accumulator, beat: Beat, pipeline: Pipeline
) -> RawFloat:
    """The exact sum of a beat's products, times the scales where the operands have them.

    The pipeline's registers from place 1 on lie behind the steps of :func:`block_delays`; the beat comes from place 0.
    """
    _, quantum = sum_bits(accumulator.a_element, accumulator.b_element, len(beat.pairs))
    unit = _fixed_sum(accumulator, len(beat.pairs))
    unit = _fixed_sum(accumulator, len(beat.pairs), pipeline.depths(1, len(unit.delays)))
    wires = {
        port.name: Signal(value.shape(), name=f"{name}_{port.name}")
        for port, value in unit.flat_ports()
        if port.direction == "output"
    }
    left, right = (Cat(*side) for side in zip(*beat.pairs, strict=True))
    clock = {"en": pipeline.enable} if unit.latency else {}
    instantiate(m, platform, name, unit, a=left, b=right, **wires, **clock)
    plus, minus = wires.get("plus_inf", NEVER), wires.get("minus_inf", NEVER)
    nan, inf = Signal(name=f"{name}_is_nan"), Signal(name=f"{name}_is_inf")
    m.d.comb += [nan.eq(wires.get("nan", NEVER) | (plus & minus)), inf.eq((plus | minus) & ~nan)]
    exact = RawFloat(
        RawShape(len(wires["sum"]), quantum),
        significand=wires["sum"],
        exponent=NEVER,
        sign=minus,  # of an infinity
        nan=nan,
        inf=inf,
        all_negative=wires.get("all_negative", NEVER),
        any_negative=wires.get("any_negative", NEVER),
    )
    return scaled(m, platform, name, accumulator, beat, exact, pipeline, unit.latency)


def _signs(accumulator: Accumulator) -> tuple[str, ...]:
    """What the sign of a zero sum depends on: whether all products are negative; under "rdn", whether some are; both where
    a port chooses the mode, or a scale may change all signs."""
    assert isinstance(accumulator.style, Exact | Rounded)
    down = rounds_down(accumulator.style.rounding)
    if not (accumulator.state_is_encoded or down):
        return ()
    chosen = any(name == MODE for name, _, _ in accumulator.a_fields)
    if chosen or any(isinstance(fmt, BlockFormat) and fmt.scale.signed for fmt in (accumulator.a, accumulator.b)):
        return ("all_negative", "any_negative")
    return ("any_negative",) if down else ("all_negative",)


def scale_delays(accumulator: Accumulator) -> tuple[float, ...]:
    """Estimated delay of the multiplication by the scales' significands, if they have such."""
    scales = [fmt.scale for fmt in (accumulator.a, accumulator.b) if isinstance(fmt, BlockFormat)]
    count = sum(raw_shape(scale).width > 1 for scale in scales)
    return (MULTIPLIER * count,) if count else ()


def scaled(
    m: Module,
    platform: object,
    name: str,
    accumulator: Accumulator,
    beat: Beat,
    term: RawFloat,
    pipeline: Pipeline,
    late: int,
) -> RawFloat:
    """The term times the scales of its blocks, if any: exponents are added, significands multiplied.

    The term comes ``late`` cycles after the beat; the result has passed all registers but those of place 0.
    """
    last = pipeline.stages - pipeline.depth(0) - late
    if not beat.scales:
        return term.delayed(pipeline, last)
    formats = {"a": accumulator.a, "b": accumulator.b}
    quantum, span = term.shape.quantum, term.shape.span
    exponents: list[Value] = [term.exponent]
    value, sign, nan = Value.cast(term.significand), term.sign, term.nan
    flip: Value = Const(0, 1)
    for side, code in beat.scales.items():
        fmt = formats[side]
        assert isinstance(fmt, BlockFormat)
        scale = decode(m, platform, f"{name}_{side}_scale", code, fmt.scale)
        # Only what is used below has registers.
        unused = {"inf": NEVER, "signaling": NEVER, "subnormal": None}
        zero_matters = fmt.scale.has_zero and any(
            element.has_inf for element in (accumulator.a_element, accumulator.b_element)
        )
        unused |= {} if zero_matters else {"zero": NEVER}
        is_power = scale.width == 1 and not fmt.scale.has_zero
        unused |= {"significand": Const(1, 1)} if is_power else {}
        scale = replace(scale, **unused).registered(Pipeline.at(m, (late,), pipeline.enable), 0)
        quantum += scale.shape.quantum
        span += scale.shape.span
        exponents.append(scale.exponent - scale.shape.min_exponent if scale.shape.min_exponent else scale.exponent)
        nan = nan | scale.nan
        if zero_matters:
            nan = nan | (term.inf & scale.zero)
        flip = flip ^ scale.sign
        if scale.width > 1:
            product = Signal(Shape(len(value) + scale.width, term.is_signed), name=f"{name}_times_{side}_scale")
            m.d.comb += product.eq(value * scale.significand)
            value = product
        elif not is_power:
            gated = Signal(value.shape(), name=f"{name}_times_{side}_scale")
            m.d.comb += gated.eq(Mux(scale.significand, value, 0))
            value = gated
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
        if term.is_signed:
            flipped = Signal(value.shape(), name=f"{name}_signed")
            m.d.comb += flipped.eq(Mux(flip, -value, value))
            value = flipped
    every, some = Signal(name=f"{name}_every_negative"), Signal(name=f"{name}_some_negative")
    m.d.comb += [every.eq(all_negative), some.eq(any_negative)]
    result = RawFloat(
        RawShape(len(value), quantum, 0, span),
        scaled_sign,
        exponent,
        value,
        inf=term.inf,
        nan=scaled_nan,
        all_negative=every,
        any_negative=some,
    )
    return result.delayed(pipeline, last)


def check_scales(*formats: Format | BlockFormat) -> None:
    """Raise a ParameterError where a scale can be infinite: a block would have to tell 0 · inf."""
    for fmt in formats:
        if isinstance(fmt, BlockFormat) and fmt.scale.has_inf:
            raise ParameterError(f"the scale of {fmt} must be a format without infinities, not {fmt.scale}")


def _multiplies_integers(a: Format, b: Format) -> bool:
    return a.multiplies_as_integer and b.multiplies_as_integer


def _always_zero(a: Format, b: Format) -> int:
    """How many last bits of a product in its place are 0 in every product, and left out.

    Where small numbers have fewer significant bits than others, as posits have, all of them are multiples of more than
    the last bit of the least exponent's significands.
    """
    return sum(fmt.lsb_exponent - raw_shape(fmt).quantum for fmt in (a, b))


def _bits(fmt: Format) -> int:
    """Bits of an integer."""
    return 2 if is_sign(fmt) else fmt.width


def _magnitude(fmt: Format) -> int:
    """A bound of the magnitudes of integers; a float without exponent has no hidden bit."""
    return fmt.max_significand
