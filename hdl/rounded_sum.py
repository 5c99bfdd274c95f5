"""Sums that are rounded after every product, or after every few of them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from amaranth.hdl import Module, Value

from ..golden.formats import (
    FLOAT_OVERFLOWS,
    BlockFormat,
    Format,
    ParameterError,
    Rounded,
    choose,
)
from .fixed_sum import block_term, check_scales, scaled, sum_bits
from .float_add import Rounding, float_add
from .lane_product import Term, lane_term
from .pipeline import Pipeline
from .product import ARCHITECTURES
from .summation import MAX_EXACT_BITS, Beat, Summation, check_nan, products_of, split_depth


@dataclass(frozen=True)
class RoundedSum(Summation):
    """sum = round(sum + Σ a·b) after every ``rounded.block`` products of a beat, in their order.

    With blocks of one that is a chain of fused multiply-adds. The reference is :func:`polymac.golden.gemm` with
    ``accumulate=Rounded(…)``, for block formats :func:`polymac.golden.block_gemm`.

    Parameters
    ----------
    rounded : Rounded
        The style; its format is that of the state and the result.
    """

    rounded: Rounded

    @classmethod
    def make(
        cls,
        a: Format | BlockFormat,
        b: Format | BlockFormat,
        lanes: int,
        sparse: bool,
        rounded: Rounded,
        out: Format,
        overflow: str | None,
        architecture: str | None,
    ) -> RoundedSum:
        """Check what the user gave and fill in the rest.

        Raises
        ------
        ParameterError
            The accumulator is no float with a sign and a zero, or has no NaN where it needs one, or a beat is not a whole
            number of rounded blocks.
        """
        if out.kind != "float" or not (out.signed and out.has_zero):
            raise ParameterError(f"acc must be rounded in a float format with a sign and a zero, not {out}")
        check_nan("acc", out, a, b)
        check_scales(a, b)
        overflow = choose("overflow", "ieee" if overflow is None else overflow, FLOAT_OVERFLOWS)
        architecture = choose("architecture", architecture or "operator", ARCHITECTURES)
        products = products_of(lanes, sparse)
        if any(isinstance(fmt, BlockFormat) for fmt in (a, b)):
            # A block, or what a beat holds of it, has one scale, and is one exact term.
            if rounded.block not in (1, products):
                raise ParameterError(
                    f"acc must be rounded after the {products} products of a beat for {a} × {b}, not after {rounded.block}"
                )
            rounded = replace(rounded, block=products)
        if products % rounded.block:
            raise ParameterError(
                f"lanes must be a multiple of the {rounded.block} products that are rounded together, not {products}"
            )
        how = cls(a, b, lanes, out, sparse, architecture, replace(rounded, format=out.name, overflow=overflow))
        if rounded.block > 1 and (bits := sum_bits(how.a_element, how.b_element, rounded.block)[0]) > MAX_EXACT_BITS:
            blocks = any(isinstance(fmt, BlockFormat) for fmt in (a, b))
            raise ParameterError(
                f"{'lanes must be 1, to round' if blocks else 'acc must be rounded'} after each product of {a} × {b}, "
                f"whose exact sums take {bits} bits (at most {MAX_EXACT_BITS}), not {rounded.block}"
            )
        return how

    @property
    def style(self) -> Rounded:
        return self.rounded

    @property
    def policy(self) -> str:
        count = "every product" if self.rounded.block == 1 else f"every {self.rounded.block} products"
        return f"rounded to {self.out} after {count} in order ({self.rounded.rounding})"

    @property
    def _options(self) -> dict[str, Any]:
        return {"overflow": self.rounded.overflow}

    def _add(self, m: Module, platform: object, pipeline: Pipeline, beat: Beat, state: Value, depth: int) -> Value:
        terms = self._terms(m, platform, beat)
        how = Rounding(self.out, self.rounded.rounding, self.rounded.overflow or "ieee", self.rounded.subnormals)
        passed = 0
        for index, (term, stages) in enumerate(zip(terms, split_depth(depth, len(terms)), strict=True)):
            term = term.delayed(pipeline, pipeline.depth(1) + passed)
            state = float_add(m, platform, f"add_{index}", state, term, how, stages, pipeline.enable)
            passed += stages
        return state

    def _terms(self, m: Module, platform: object, beat: Beat) -> list[Term]:
        step = self.rounded.block
        if step == 1:
            a, b = self.a_element, self.b_element
            lanes = [(f"lane_{i}", pair) for i, pair in enumerate(beat.pairs)]
            return [
                scaled(m, platform, name, self, beat, lane_term(m, platform, name, pair, a, b, self.architecture))
                for name, pair in lanes
            ]
        return [
            block_term(
                m, platform, f"block_{i // step}", self, Beat(beat.pairs[i : i + step], beat.scales), self.architecture
            )
            for i in range(0, len(beat.pairs), step)
        ]
