"""Sums as tensor cores form them: blocks of products aligned to their largest exponent, truncated and added."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from amaranth.hdl import Cat, Module, Signal, Value

from ...golden.formats import (
    Accumulation,
    Aligned,
    FloatFormat,
    Format,
    ParameterError,
    check_choice,
    ieee_float,
    style_name,
)
from ..core.hierarchy import instantiate
from ..core.pipeline import Pipeline
from ..core.step import step
from ..integer.product import ARCHITECTURES
from ..operand.raw_float import RawFloat
from ..product.lane_product import LaneProduct, lane_product
from .accumulator import Accumulator, Beat, check_nan, products_of
from .aligned_add import AlignedAdd, aligned_delays
from .options import Request

_ADDED = "Aligned to the largest exponent and added to the sum"


@dataclass(frozen=True)
class AlignedSum(Accumulator):
    """sum = truncate(sum + Σ a·b) block by block of a beat, as tensor cores do it: :class:`polymac.golden.Aligned`.

    The reference is :func:`polymac.golden.gemm` with ``acc=Aligned(…)``.

    Parameters
    ----------
    aligned : Aligned
        The style.
    """

    aligned: Aligned

    @classmethod
    def block_of(cls, accumulation: Accumulation | None) -> int:
        assert isinstance(accumulation, Aligned)
        return accumulation.block

    @classmethod
    def make(cls, request: Request) -> AlignedSum:
        """Check what the user gave and fill in the rest.

        Raises
        ------
        ParameterError
            An operand is no float, fractions do not fit, an overflow is asked for, or a beat is not a whole number of
            blocks.
        """
        options, a, b, lanes = request.options, request.a, request.b, request.lanes
        sparse, overflow, architecture = options.sparse, options.overflow, options.architecture
        aligned, out = request.accumulation, request.out
        assert isinstance(aligned, Aligned) and out is not None
        for argument, fmt in (("a", a), ("b", b)):
            if not isinstance(fmt, FloatFormat):
                raise ParameterError(f"{argument} must be a float format for acc={style_name(aligned)}, not {fmt}")
        if overflow is not None:
            raise ParameterError(f"overflow must be left out with acc={style_name(aligned)}, not {overflow}")
        assert isinstance(a, Format) and isinstance(b, Format)
        check_nan("out", out, a, b)
        products = products_of(lanes, sparse)
        if products % aligned.block:
            raise ParameterError(f"lanes must be a multiple of the block of {aligned.block} products, not {products}")
        min_frac_bits = a.frac_bits + b.frac_bits
        if aligned.frac_bits < min_frac_bits:
            raise ParameterError(
                f"acc must have at least the {min_frac_bits} fraction bits of a product of {a} × {b}, "
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
        architecture = check_choice("architecture", architecture or "operator", ARCHITECTURES)
        return cls(a, b, lanes, out, sparse, architecture, aligned)

    @property
    def style(self) -> Aligned:
        return self.aligned

    @property
    def description(self) -> str:
        aligned = self.aligned
        return (
            f"blocks of {aligned.block} aligned and truncated at {aligned.frac_bits} fraction bits, "
            f"sums truncated to {aligned.out_frac_bits} of {self.out}"
        )

    @property
    def _options(self) -> dict[str, Any]:
        return {"out": self.out.name}

    @property
    def _lane(self) -> LaneProduct:
        return LaneProduct(a=self.a_element, b=self.b_element, architecture=self.architecture)

    @property
    def feed_delays(self) -> tuple[float, ...]:
        return self._lane.delays

    @property
    def add_delays(self) -> tuple[float, ...]:
        size = self.aligned.block
        exponent_bits = max(self._lane.raw.span.bit_length(), self.out.exp_bits) + 1
        return aligned_delays(self.out, size, exponent_bits, self.aligned.frac_bits) * (self.products // size)

    def _add(
        self, m: Module, platform: object, pipeline: Pipeline, beat: Beat, state: Value, registers: tuple[int, ...]
    ) -> Value:
        a, b, size = self.a_element, self.b_element, self.aligned.block
        inside = pipeline.depths(1, len(self.feed_delays))
        step(m, "The exact products")
        terms = [
            lane_product(m, platform, f"lane_{i}", x, a, b, self.architecture, registers=inside, enable=pipeline.enable)
            for i, x in enumerate(beat.pairs)
        ]
        later, count = pipeline.stages - pipeline.depth(0) - sum(inside), len(terms) // size
        steps = len(self.add_delays) // count
        for index in range(count):
            block = [term.delayed(pipeline, later) for term in terms[index * size : (index + 1) * size]]
            part = registers[index * steps : (index + 1) * steps]
            step(m, f"Block {index}: aligned to its largest exponent and added to the sum" if count > 1 else _ADDED)
            state = self._block(m, platform, index, block, state, part, pipeline.enable)
            later += sum(part)
        return state

    def _block(
        self,
        m: Module,
        platform: object,
        index: int,
        terms: list[RawFloat],
        state: Value,
        registers: tuple[int, ...],
        enable: Signal,
    ) -> Value:
        lane = self._lane
        unit = AlignedAdd(
            fmt=self.out,
            count=len(terms),
            significand_bits=lane.raw.width,
            point=lane.frac_bits,
            span=lane.raw.span,
            quantum=lane.raw.quantum,
            frac_bits=self.aligned.frac_bits,
            cut_bits=self.out.frac_bits - self.aligned.out_frac_bits,
            registers=registers,
        )
        y = Signal(self.out.width, name=f"block_{index}_sum")
        wires: dict[str, Any] = {
            "acc": state,
            "values": Cat(*(term.significand for term in terms)),
            "signs": Cat(*(term.sign for term in terms)),
            "nan": Cat(*(term.nan for term in terms)).any(),
            "plus_inf": Cat(*(term.inf & ~term.sign for term in terms)).any(),
            "minus_inf": Cat(*(term.inf & term.sign for term in terms)).any(),
            "y": y,
        }
        if unit.exponent_bits:
            wires["exponents"] = Cat(*(term.exponent for term in terms))
        if unit.latency:
            wires["en"] = enable
        instantiate(m, platform, f"block_{index}", unit, **wires)
        return y
