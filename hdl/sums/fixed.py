"""The exact sum of a beat's products as one fixed-point number."""

from __future__ import annotations

from amaranth.hdl import Cat, Module, Mux, Signal, Value, signed
from amaranth.lib.wiring import In, Out

from ...golden.formats import Format
from ..core.delays import LUT
from ..core.pipeline import Pipeline, PipelinedUnit
from ..core.step import step
from ..integer.bit_matrix import BitMatrix
from ..integer.product import ADD_PRODUCTS
from ..integer.product_in_steps import product_delays, sum_delays, sum_in_steps, sum_of_products_in_steps
from ..integer.shifter import shift_delays
from ..integer.sum_of_products import sum_in_pairs, sum_of_products
from ..integer.sum_of_signs import sum_of_signs
from ..operand.decoders import decoder, is_sign, raw_shape
from ..operand.raw_float import RawFloat
from ..product.lane_product import LaneProduct, lane_product


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
        pipeline = Pipeline.at(m, self.registers, self.enable)
        passed = 0  # registers that what lies beside the sum has passed
        classes: dict[str, Value] = {}
        if is_sign(a) and is_sign(b):
            step(m, "The products of signs, counted")
            negative = self._negative(pairs)
            total: Value = sum_of_signs(m, pairs, architecture=self.architecture, width=len(self.sum))
        elif _multiplies_integers(a, b):
            negative = self._negative(pairs)
            total = self._sum_of_integers(m, pairs, pipeline)
        else:
            inside = pipeline.depths(0, len(self._product_delays))
            passed = sum(inside)
            terms = self._terms(m, platform, pairs, inside, pipeline.enable)
            negative = [term.sign for term in terms]
            total = self._sum_of_terms(m, terms, pipeline, len(inside))
            if self.special:
                classes = {
                    "nan": Cat(term.nan for term in terms).any(),
                    "plus_inf": Cat(term.inf & ~term.sign for term in terms).any(),
                    "minus_inf": Cat(term.inf & term.sign for term in terms).any(),
                }
        later = pipeline.stages - passed
        self._put_beside(m, pipeline, later, classes, negative)
        if not self._is_cut and self.latency:
            now = Signal(self.sum.shape(), name="beat_sum")
            m.d.comb += now.eq(total)
            (total,) = pipeline.delay(later, now, reset=False)
        m.d.comb += self.sum.eq(total)
        return m

    def _negative(self, pairs: list[tuple[Value, Value]]) -> list[Value]:
        """The signs of the products."""
        left, right = decoder(self.a_format), decoder(self.b_format)
        return [left.is_negative(x) ^ right.is_negative(y) for x, y in pairs]

    def _sum_of_integers(self, m: Module, pairs: list[tuple[Value, Value]], pipeline: Pipeline) -> Value:
        """The products of operands as integers, added up."""
        step(m, "The products of integers, added up")
        left, right = decoder(self.a_format), decoder(self.b_format)
        integers = [(left.integer(m, f"a_{i}", x), right.integer(m, f"b_{i}", y)) for i, (x, y) in enumerate(pairs)]
        if self._is_cut:
            return sum_of_products_in_steps(m, integers, self.architecture, pipeline, len(self._product_delays))
        return sum_of_products(m, integers, architecture=self.architecture, width=len(self.sum))

    def _terms(
        self,
        m: Module,
        platform: object,
        pairs: list[tuple[Value, Value]],
        registers: tuple[int, ...],
        enable: Signal,
    ) -> list[RawFloat]:
        """The products as sign, significand and exponent."""
        step(m, "The exact products")
        formats = self.a_format, self.b_format
        return [
            lane_product(
                m, platform, f"lane_{i}", pair, *formats, self.architecture, registers=registers, enable=enable
            )
            for i, pair in enumerate(pairs)
        ]

    def _put_beside(
        self, m: Module, pipeline: Pipeline, later: int, classes: dict[str, Value], negative: list[Value]
    ) -> None:
        """The ports beside the sum, ``later`` cycles behind: the classes and the signs that are wanted."""
        step(m, "Signs and classes of the products")
        beside = dict(classes)
        for name in self.signs:
            beside[name] = Cat(*negative).all() if name == "all_negative" else Cat(*negative).any()
        ports = {name: getattr(self, name) for name in beside}
        kept = {name: Signal(name=f"beat_{name}") for name in beside} if later else ports
        m.d.comb += [kept[name].eq(value) for name, value in beside.items()]
        if later:
            kept = pipeline.delay_named(later, kept, reset=False)
            m.d.comb += [port.eq(kept[name]) for name, port in ports.items()]

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
            bit, places = bits[level], 1 << level
            shifted = Signal(signed(min(len(value) + places, longest)), name=f"product_{lane}_by_{places}")
            m.d.comb += shifted.eq(Mux(bit, Cat(sign.replicate(places), value).as_signed(), value))
            value = shifted
        if not len(bits):
            return pipeline.delay(halfway, value, reset=False)[0]
        if cut := _always_zero(self.a_format, self.b_format):
            # All of them are equal, so that they are the carry that -x = ~x + 1 would give.
            whole, value = value, Signal(signed(len(value) - cut), name=f"product_{lane}_in_place")
            m.d.comb += value.eq(whole[cut:].as_signed())
        return value


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
