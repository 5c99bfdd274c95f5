"""Addition of a block of products as tensor cores do it: aligned to the largest exponent, and truncated."""

from __future__ import annotations

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value, signed
from amaranth.lib.wiring import In, Out

from ...golden.formats import Format
from ..core.delays import LUT, adder
from ..core.pipeline import Pipeline, PipelinedUnit
from ..core.step import step
from ..core.unit import PortSpec
from ..integer.product_in_steps import sum_delays, sum_in_steps
from ..integer.shifter import shift_delays
from ..operand.decoders import decode
from ..operand.raw_float import RawFloat
from ..rounding.modes import TRUNCATE, Policy
from ..rounding.round_magnitude import ROUND_PLACES, round_delays, round_magnitude


class AlignedAdd(PipelinedUnit):
    """y = truncate(acc + Σ value·2**exponent), each term truncated first: the sum of one block of a tensor core.

    The terms and acc are aligned to the largest exponent among those that are not zero and truncated toward zero at
    ``frac_bits`` fraction bits of that exponent; their sum is exact and truncated toward zero. One sum per clock cycle,
    as many cycles of latency as there are registers. The reference is :func:`polymac.golden.dot` with
    ``acc=Aligned(count, …)``.

    Parameters
    ----------
    fmt : Format
        Format of acc and of the result.
    count : int
        Terms.
    significand_bits, point, span, quantum : int
        As of the terms' :class:`.lane_product.LaneProduct`; ``point`` is its ``frac_bits``.
    frac_bits : int
        As in :class:`polymac.golden.Aligned`.
    cut_bits : int
        Fraction bits of ``fmt`` that are 0 in normal results: its own less the style's ``out_frac_bits``.
    registers : tuple of int
        How many there are behind each of its steps, whose estimated delays are those of :func:`aligned_delays`: unpacking,
        the rounds of the search for the largest exponent, the amounts of the shifts, both halves of these, the signs, the
        levels of the sum, its magnitude, both halves of the count of leading zeros, and what
        :class:`.float_round.FloatRound` does.

    Members
    -------
    acc, y : In, Out(fmt.width)
        Codes.
    values : In(count * significand_bits)
        Magnitudes, that of term 0 in the least significant bits.
    exponents : In(count * bits of range(span + 1))
    signs : In(count)
    nan, plus_inf, minus_inf : In(1)
        Whether there are such terms.
    en : In(1)
        With registers: while 0, none of them changes.
    """

    kind = "aligned_add"
    formula = "y = acc + sum of terms, aligned to the largest exponent and truncated"

    def __init__(
        self,
        *,
        fmt: Format,
        count: int,
        significand_bits: int,
        point: int,
        span: int,
        quantum: int,
        frac_bits: int,
        cut_bits: int,
        registers: tuple[int, ...] = (),
    ) -> None:
        self.fmt = fmt
        self.count = count
        self.significand_bits = significand_bits
        self.point = point
        self.span, self.quantum = span, quantum
        self.frac_bits = frac_bits
        self.cut_bits = cut_bits
        self.exponent_bits = span.bit_length()
        members = {"acc": In(fmt.width), "values": _packed(significand_bits, count), "signs": In(count)}
        members |= {"exponents": _packed(self.exponent_bits, count)} if self.exponent_bits else {}
        super().__init__(
            members | {name: In(1) for name in ("nan", "plus_inf", "minus_inf")} | {"y": Out(fmt.width)},
            parameters={
                "fmt": fmt,
                "count": count,
                "significand_bits": significand_bits,
                "point": point,
                "span": span,
                "quantum": quantum,
                "frac_bits": frac_bits,
                "cut_bits": cut_bits,
            },
            registers=registers,
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        pipeline = Pipeline.at(m, self.registers, self.enable)
        acc = decode(m, platform, "acc", self.acc, self.fmt)
        # A product's exponent is that of its last bit before the point.
        point = self.point
        min_exponent = min(self.quantum + point, acc.shape.min_exponent - acc.shape.bias)
        max_exponent = max(self.quantum + point + self.span, acc.shape.max_exponent - acc.shape.bias)
        step(m, "The terms; exponents count from 1, and that of a zero is 0")
        shape = range(max_exponent - min_exponent + 2)
        parts = {"sign": 1, "value": self.significand_bits}
        signs, values = ([Signal(bits, name=f"{name}_{i}") for i in range(self.count)] for name, bits in parts.items())
        exponents = [Signal(shape, name=f"exponent_{i}") for i in range(self.count)]
        for i in range(self.count):
            value = self.values[i * self.significand_bits : (i + 1) * self.significand_bits]
            field: Value = Const(0, 1)
            if self.exponent_bits:
                field = self.exponents[i * self.exponent_bits : (i + 1) * self.exponent_bits]
            m.d.comb += [
                signs[i].eq(self.signs[i]),
                values[i].eq(value),
                exponents[i].eq(Mux(value == 0, 0, field + (self.quantum + point - min_exponent + 1))),
            ]
        exponent, significand = Signal(shape, name="acc_offset_exponent"), Signal(acc.width, name="acc_bits")
        m.d.comb += [
            exponent.eq(Mux(acc.significand == 0, 0, acc.exponent + (1 - acc.shape.bias - min_exponent))),
            significand.eq(acc.significand),
        ]
        step(m, "The largest exponent, by a tournament")
        largest, cut_point = self._maximum(m, [*pipeline.cut(0, *exponents, exponent)], pipeline)
        step(m, "Class of the sum as infinities and NaN decide it")
        passed = sum(pipeline.depths(0, cut_point))
        sign = Signal(name="acc_signed")
        m.d.comb += sign.eq(acc.sign)
        classes = pipeline.delay_named(passed, self._classes(m, acc))
        signs, values, exponents = (
            pipeline.delay(passed, *first, last)
            for first, last in ((signs, sign), (values, significand), (exponents, exponent))
        )
        points = [point] * self.count + [acc.width - 1]
        # Weight of the sum's last bit as a biased exponent; ``largest`` is 0 only where all is zero.
        low = min_exponent - self.frac_bits + acc.shape.bias - 1
        weight = Signal(range(low, low + (1 << len(largest))), name="last_weight")
        m.d.comb += weight.eq(largest + low)
        step(m, "Each term shifted down to that exponent and truncated toward zero")
        addends = [
            self._aligned(m, i, largest, *term, pipeline, cut_point)
            for i, term in enumerate(zip(signs, values, exponents, points, strict=True))
        ]
        addends = pipeline.cut(cut_point + 2, *addends)
        total = Signal(signed(self.frac_bits + 3 + len(addends).bit_length()), name="total")
        magnitude = Signal(len(total) - 1, name="magnitude")
        step(m, "The sum of the terms")
        m.d.comb += total.eq(sum_in_steps(m, addends, pipeline, cut_point + 3, "sum"))
        levels = (len(addends) - 1).bit_length()
        passed = sum(pipeline.depths(cut_point, 3 + levels))
        classes = pipeline.delay_named(passed, classes)
        (weight,) = pipeline.delay(passed, weight)
        zero, sign = Signal(name="sum_zero"), Signal(name="sum_sign")
        step(m, "Magnitude, sign and class of the sum")
        m.d.comb += [
            magnitude.eq(Mux(total < 0, -total, total)),
            zero.eq((total == 0) & ~classes["nan"] & ~classes["inf"]),
            sign.eq(Mux(classes["inf"], classes["inf_sign"], total < 0)),
        ]
        found = {"sign": sign, "zero": zero, "nan": classes["nan"], "inf": classes["inf"]}
        cut_point += 3 + levels
        found = pipeline.cut_named(cut_point, found)
        magnitude, weight = pipeline.cut(cut_point, magnitude, weight)
        if self.cut_bits:
            # Bits below so many from the leading one; a subnormal result may then be truncated once more.
            kept, cut = Signal(len(magnitude), name="kept_magnitude"), 1 + self.fmt.frac_bits - self.cut_bits
            above = [magnitude[index + cut :].any() for index in range(max(len(magnitude) - cut, 0))]
            m.d.comb += kept.eq(magnitude & ~Cat(*above, Const(0, len(magnitude) - len(above))))
            magnitude = kept
        step(m, f"Truncated to {self.fmt}; a zero sum is +0, also one that truncation made")
        code = Signal(self.fmt.width, name="truncated")
        last = (weight, low, low + (1 << len(largest)) - 1)
        policy = Policy(TRUNCATE, "ieee", "full")
        round_magnitude(
            m, platform, self.fmt, policy, magnitude, None, last, found, code, pipeline, first=cut_point + 1
        )
        (code,) = pipeline.cut(cut_point + 1 + ROUND_PLACES, code)
        is_zero = Signal(name="result_is_zero")
        m.d.comb += is_zero.eq(code[:-1] == 0)
        m.d.comb += self.y.eq(Cat(code[:-1], code[-1] & ~is_zero))
        return m

    def _classes(self, m: Module, acc: RawFloat) -> dict[str, Signal]:
        """Class of the sum, and the sign that an infinity has."""
        plus, minus = Signal(name="any_plus_inf"), Signal(name="any_minus_inf")
        classes = {name: Signal(name=f"sum_{name}") for name in ("nan", "inf", "inf_sign")}
        m.d.comb += [
            plus.eq(self.plus_inf | (acc.inf & ~acc.sign)),
            minus.eq(self.minus_inf | (acc.inf & acc.sign)),
            classes["nan"].eq(self.nan | acc.nan | (plus & minus)),
            classes["inf"].eq((plus | minus) & ~classes["nan"]),
            classes["inf_sign"].eq(minus),
        ]
        return classes

    def _maximum(self, m: Module, values: list[Signal], pipeline: Pipeline) -> tuple[Signal, int]:
        """Maximum by a comparison tree, a cut point behind each level from 1 on; also returns the next cut point."""
        level = 0
        while len(values) > 1:
            winners = []
            for i in range(0, len(values) - 1, 2):
                winner = Signal(values[i].shape(), name=f"larger_{level}_{i // 2}")
                m.d.comb += winner.eq(Mux(values[i] > values[i + 1], values[i], values[i + 1]))
                winners.append(winner)
            level += 1
            values = list(pipeline.cut(level, *winners, *values[len(winners) * 2 :]))
        largest = Signal(values[0].shape(), name="largest")
        m.d.comb += largest.eq(values[0])
        return largest, level + 1

    def _aligned(
        self,
        m: Module,
        index: int,
        largest: Signal,
        sign: Signal,
        value: Signal,
        exponent: Signal,
        point: int,
        pipeline: Pipeline,
        cut_point: int,
    ) -> Signal:
        """One term in units of ``2**(largest - frac_bits)``, truncated toward zero.

        The pipeline's registers from ``cut_point`` on are behind the amount of the shift, and in it.
        """
        up = self.frac_bits - point
        wide = Signal(len(value) + max(up, 0), name=f"term_{index}")
        m.d.comb += wide.eq(value << up if up >= 0 else value >> -up)
        distance = Signal(largest.shape(), name=f"distance_{index}")
        reach = range(len(wide) + 1)
        amount = Signal(reach, name=f"shift_{index}")
        m.d.comb += distance.eq(largest - exponent)
        m.d.comb += amount.eq(Mux(distance > len(wide), len(wide), distance))
        wide, amount, sign = pipeline.cut(cut_point, wide, amount, sign)
        half = len(amount) // 2 if pipeline.depth(cut_point + 1) else 0
        if half:
            coarse = Signal(len(wide), name=f"half_aligned_{index}")
            m.d.comb += coarse.eq(wide >> (amount[half:] << half))
            wide, amount, sign = pipeline.cut(cut_point + 1, coarse, amount, sign)
            amount = amount[:half]
        cut = Signal(len(wide), name=f"aligned_{index}")
        m.d.comb += cut.eq(wide >> amount)
        result = Signal(signed(len(wide) + 1), name=f"addend_{index}")
        m.d.comb += result.eq(Mux(sign, -cut, cut))
        return result


def _packed(bits: int, count: int) -> PortSpec:
    return PortSpec(In(count * bits), "data", elements=count)


def aligned_delays(fmt: Format, count: int, exponent_bits: int, frac_bits: int) -> tuple[float, ...]:
    """Estimated delays of the steps of an :class:`AlignedAdd`."""
    rounds = count.bit_length()
    exponent, bits = adder(exponent_bits) + LUT, frac_bits + 3 + rounds
    first, second = shift_delays(frac_bits.bit_length())
    shift = (adder(exponent_bits) + exponent, first, second + LUT + adder(frac_bits))
    sums = sum_delays(bits, count + 1)
    return (2 * LUT + exponent, *(exponent,) * rounds, *shift, *sums, LUT + adder(bits), *round_delays(fmt, bits))
