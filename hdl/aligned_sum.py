"""Sums as tensor cores form them: blocks of products aligned to their largest exponent, truncated and added."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value, signed
from amaranth.lib.wiring import In, Out

from ..golden.formats import (
    Aligned,
    BlockFormat,
    Format,
    ParameterError,
    choose,
    ieee_float,
    style_name,
)
from .float_add import Rounding, round_magnitude
from .lane_product import LaneProduct, Term, lane_term
from .operand import Operand
from .pipeline import Pipeline
from .product import ARCHITECTURES
from .rounding import TRUNCATE
from .sum_of_products import sum_in_pairs
from .summation import Beat, Summation, check_nan, products_of, split_depth
from .unit import Unit, place


class AlignedAdd(Unit):
    """y = truncate(acc + Σ value·2**exponent), each term truncated first: the sum of one block of a tensor core.

    The terms and acc are aligned to the largest exponent among those that are not zero and truncated toward zero at
    ``frac_bits`` fraction bits of that exponent; their sum is exact and truncated toward zero. One sum per clock cycle,
    ``stages`` cycles of latency. The reference is :func:`polymac.golden.dot` with ``accumulate=Aligned(count, …)``.

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
        Fraction bits of ``fmt`` that are always 0: its own less the style's ``out_frac_bits``.
    stages : int
        Registers: behind the sum first, then behind the alignment, in the rounder, and behind the count of leading zeros;
        further ones behind the sum.

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
        With ``stages`` > 0: while 0, no register changes.
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
        stages: int = 0,
    ) -> None:
        self.fmt = fmt
        self.stages = stages
        self.count = count
        self.significand_bits = significand_bits
        self.point = point
        self.span, self.quantum = span, quantum
        self.frac_bits = frac_bits
        self.cut_bits = cut_bits
        self.exponent_bits = span.bit_length()
        members = {"acc": In(fmt.width), "values": In(count * significand_bits), "signs": In(count)}
        members |= {"exponents": In(count * self.exponent_bits)} if self.exponent_bits else {}
        members |= {"en": In(1, init=1)} if stages else {}
        super().__init__(
            members | {name: In(1) for name in ("nan", "plus_inf", "minus_inf")} | {"y": Out(fmt.width)},
            formats={"acc": (fmt, 1), "y": (fmt, 1)},
            parameters={
                "fmt": fmt,
                "count": count,
                "significand_bits": significand_bits,
                "point": point,
                "span": span,
                "quantum": quantum,
                "frac_bits": frac_bits,
                "cut_bits": cut_bits,
                "stages": stages,
            },
            latency=stages,
            clocked=stages > 0,
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        pipeline = Pipeline(m, self.stages, (1, 0, 3, 2), self.en if self.stages else Signal(name="unused"))
        acc = Operand.unpack(m, platform, "acc", self.acc, self.fmt, "full")
        # A product's exponent is that of its last bit before the point.
        point = self.point
        least = min(self.quantum + point, acc.least - acc.bias)
        greatest = max(self.quantum + point + self.span, acc.greatest - acc.bias)
        # Exponents count from 1; that of a zero is 0.
        shape = range(greatest - least + 2)
        terms: list[tuple[Value, Value, Value, int]] = []
        for i in range(self.count):
            value = self.values[i * self.significand_bits : (i + 1) * self.significand_bits]
            field: Value = Const(0, 1)
            if self.exponent_bits:
                field = self.exponents[i * self.exponent_bits : (i + 1) * self.exponent_bits]
            exponent = Signal(shape, name=f"exponent_{i}")
            m.d.comb += exponent.eq(Mux(value == 0, 0, field + (self.quantum + point - least + 1)))
            terms.append((self.signs[i], value, exponent, point))
        exponent = Signal(shape, name="acc_offset_exponent")
        m.d.comb += exponent.eq(Mux(acc.significand == 0, 0, acc.exponent + (1 - acc.bias - least)))
        terms.append((acc.sign, acc.significand, exponent, acc.width - 1))
        largest = Signal(shape, name="largest")
        m.d.comb += largest.eq(self._maximum(m, [term[2] for term in terms]))
        aligned = [self._aligned(m, i, largest, *term) for i, term in enumerate(terms)]
        classes = self._classes(m, acc)
        # Weight of the sum's last bit as a biased exponent; ``largest`` is 0 only where all is zero.
        low = least - self.frac_bits + acc.bias - 1
        weight = Signal(range(low, low + (1 << len(largest))), name="last_weight")
        m.d.comb += weight.eq(largest + low)
        total = Signal(signed(self.frac_bits + 3 + len(aligned).bit_length()), name="total")
        magnitude = Signal(len(total) - 1, name="magnitude")
        addends, classes = pipeline.cut(0, *aligned), pipeline.cut_named(0, classes)
        (weight,) = pipeline.cut(0, weight)
        m.d.comb += [total.eq(sum_in_pairs(addends)), magnitude.eq(Mux(total < 0, -total, total))]
        zero, sign = Signal(name="sum_zero"), Signal(name="sum_sign")
        m.d.comb += [
            zero.eq((total == 0) & ~classes["nan"] & ~classes["inf"]),
            sign.eq(Mux(classes["inf"], classes["inf_sign"], total < 0)),
        ]
        found = {"sign": sign, "zero": zero, "nan": classes["nan"], "inf": classes["inf"]}
        found = pipeline.cut_named(1, found)
        magnitude, weight = pipeline.cut(1, magnitude, weight)
        fmt = ieee_float(self.fmt.exp_bits, self.fmt.frac_bits - self.cut_bits) if self.cut_bits else self.fmt
        code = Signal(fmt.width, name="truncated")
        last = (weight, low, low + (1 << len(largest)) - 1)
        how = Rounding(fmt, TRUNCATE, "ieee", "full")
        round_magnitude(m, platform, how, magnitude, None, last, found, code, pipeline)
        # A zero sum is +0, also one that truncation made.
        is_zero = Signal(name="result_is_zero")
        m.d.comb += is_zero.eq(code[:-1] == 0)
        m.d.comb += self.y.eq(Cat(Const(0, self.cut_bits), code[:-1], code[-1] & ~is_zero))
        return m

    def _classes(self, m: Module, acc: Operand) -> dict[str, Signal]:
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

    def _maximum(self, m: Module, values: list[Value]) -> Value:
        """By a tournament."""
        level = 0
        while len(values) > 1:
            winners = []
            for i in range(0, len(values) - 1, 2):
                winner = Signal(values[i].shape(), name=f"larger_{level}_{i // 2}")
                m.d.comb += winner.eq(Mux(values[i] > values[i + 1], values[i], values[i + 1]))
                winners.append(winner)
            values = winners + values[len(winners) * 2 :]
            level += 1
        return values[0]

    def _aligned(
        self, m: Module, index: int, largest: Signal, sign: Value, value: Value, exponent: Value, point: int
    ) -> Signal:
        """One term in units of ``2**(largest - frac_bits)``, truncated toward zero."""
        up = self.frac_bits - point
        wide = Signal(len(value) + max(up, 0), name=f"term_{index}")
        m.d.comb += wide.eq(value << up if up >= 0 else value >> -up)
        distance = Signal(largest.shape(), name=f"distance_{index}")
        reach = range(len(wide) + 1)
        amount = Signal(reach, name=f"shift_{index}")
        m.d.comb += distance.eq(largest - exponent)
        m.d.comb += amount.eq(Mux(distance > len(wide), len(wide), distance))
        cut = Signal(len(wide), name=f"aligned_{index}")
        m.d.comb += cut.eq(wide >> amount)
        result = Signal(signed(len(wide) + 1), name=f"addend_{index}")
        m.d.comb += result.eq(Mux(sign, -cut, cut))
        return result


@dataclass(frozen=True)
class AlignedSum(Summation):
    """sum = truncate(sum + Σ a·b) block by block of a beat, as tensor cores do it: :class:`polymac.golden.Aligned`.

    The reference is :func:`polymac.golden.gemm` with ``accumulate=Aligned(…)``.

    Parameters
    ----------
    aligned : Aligned
        The style.
    """

    aligned: Aligned

    @classmethod
    def make(
        cls,
        a: Format | BlockFormat,
        b: Format | BlockFormat,
        lanes: int,
        sparse: bool,
        aligned: Aligned,
        out: Format,
        overflow: str | None,
        architecture: str | None,
    ) -> AlignedSum:
        """Check what the user gave and fill in the rest.

        Raises
        ------
        ParameterError
            An operand is no float, fractions do not fit, an overflow is asked for, or a beat is not a whole number of
            blocks.
        """
        for argument, fmt in (("a", a), ("b", b)):
            if isinstance(fmt, BlockFormat) or fmt.kind != "float":
                raise ParameterError(f"{argument} must be a float format for acc={style_name(aligned)}, not {fmt}")
        if overflow is not None:
            raise ParameterError(f"overflow must be left out with acc={style_name(aligned)}, not {overflow}")
        assert isinstance(a, Format) and isinstance(b, Format)
        check_nan("out", out, a, b)
        products = products_of(lanes, sparse)
        if products % aligned.block:
            raise ParameterError(f"lanes must be a multiple of the block of {aligned.block} products, not {products}")
        least = a.frac_bits + b.frac_bits
        if aligned.frac_bits < least:
            raise ParameterError(
                f"acc must have at least the {least} fraction bits of a product of {a} × {b}, "
                f"not {aligned.frac_bits} ({style_name(aligned)})"
            )
        if aligned.out_frac_bits < out.frac_bits and not (
            aligned.frac_bits <= aligned.out_frac_bits
            and out == ieee_float(out.exp_bits, out.frac_bits, out.name, out.source)
        ):
            raise ParameterError(
                f"acc must keep all {out.frac_bits} fraction bits of {out}, or no fewer than the "
                f"{aligned.frac_bits} it aligns, not {aligned.out_frac_bits} ({style_name(aligned)})"
            )
        architecture = choose("architecture", architecture or "operator", ARCHITECTURES)
        return cls(a, b, lanes, out, sparse, architecture, aligned)

    @property
    def style(self) -> Aligned:
        return self.aligned

    @property
    def policy(self) -> str:
        how = self.aligned
        return (
            f"blocks of {how.block} aligned and truncated at {how.frac_bits} fraction bits, "
            f"sums truncated to {how.out_frac_bits} of {self.out}"
        )

    @property
    def _options(self) -> dict[str, Any]:
        return {"out": self.out.name}

    def _add(self, m: Module, platform: object, pipeline: Pipeline, beat: Beat, state: Value, depth: int) -> Value:
        a, b, size = self.a_element, self.b_element, self.aligned.block
        terms = [
            lane_term(m, platform, f"lane_{i}", pair, a, b, self.architecture) for i, pair in enumerate(beat.pairs)
        ]
        passed = 0
        for index, stages in enumerate(split_depth(depth, len(terms) // size)):
            block = terms[index * size : (index + 1) * size]
            block = [term.delayed(pipeline, pipeline.depth(1) + passed) for term in block]
            state = self._block(m, platform, index, block, state, stages, pipeline.enable)
            passed += stages
        return state

    def _block(
        self, m: Module, platform: object, index: int, terms: list[Term], state: Value, stages: int, enable: Value
    ) -> Value:
        lane = LaneProduct(a=self.a_element, b=self.b_element, architecture=self.architecture)
        unit = AlignedAdd(
            fmt=self.out,
            count=len(terms),
            significand_bits=lane.significand_bits,
            point=lane.frac_bits,
            span=lane.span,
            quantum=lane.quantum,
            frac_bits=self.aligned.frac_bits,
            cut_bits=self.out.frac_bits - self.aligned.out_frac_bits,
            stages=stages,
        )
        y = Signal(self.out.width, name=f"block_{index}_sum")
        wires: dict[str, Any] = {
            "acc": state,
            "values": Cat(*(term.value for term in terms)),
            "signs": Cat(*(term.sign for term in terms)),
            "nan": Cat(*(term.nan for term in terms)).any(),
            "plus_inf": Cat(*(term.inf & ~term.sign for term in terms)).any(),
            "minus_inf": Cat(*(term.inf & term.sign for term in terms)).any(),
            "y": y,
        }
        if unit.exponent_bits:
            wires["exponents"] = Cat(*(term.exponent for term in terms))
        if stages:
            wires["en"] = enable
        place(m, platform, f"block_{index}", unit, **wires)
        return y
