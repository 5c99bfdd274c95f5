"""Sums that are rounded after every product, or after every few of them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, ClassVar

from amaranth.hdl import Cat, Module, Signal, Value

from ...golden.formats import (
    Accumulation,
    BlockFormat,
    ParameterError,
    Rounded,
    check_choice,
    fixed_point,
    style_name,
)
from ..core.pipeline import Pipeline
from ..core.step import step
from ..integer.product import ARCHITECTURES
from ..operand.raw_float import RawFloat
from ..product.lane_product import LaneProduct, lane_product
from ..rounding.encoders import Path, has_path
from ..rounding.modes import PORT, PORT_BITS, Policy
from .accumulator import MAX_EXACT_BITS, MODE, Accumulator, Beat, Field, check_nan, products_of
from .block import block_delays, block_term
from .fixed import sum_bits
from .float_add import add_delays, float_add
from .options import Request
from .scales import check_scales, scale_delays, scaled

#: Bits of :class:`formats.Flag`.
FLAG_BITS = 5


@dataclass(frozen=True)
class RoundedSum(Accumulator):
    """sum = round(sum + Σ a·b) after every ``rounded.block`` products of a beat, in their order.

    With blocks of one that is a chain of fused multiply-adds. The reference is :func:`polymac.golden.gemm` with
    ``acc=Rounded(…)``, for block formats :func:`polymac.golden.block_gemm`.

    Parameters
    ----------
    rounded : Rounded
        The style; its format is that of the state and the result.
    port : bool
        Each beat brings its rounding mode.
    flags : bool
        The state holds, above the code, the exceptions (:class:`formats.Flag`) of all operations so far.
    """

    takes: ClassVar[frozenset[str]] = frozenset({"rounding", "flags"})

    rounded: Rounded
    port: bool = False
    flags: bool = False

    @classmethod
    def keywords(cls, accumulation: Accumulation, out: str) -> dict[str, str | None]:
        return {"acc": style_name(accumulation)}

    @classmethod
    def make(cls, request: Request) -> RoundedSum:
        """Check what the user gave and fill in the rest.

        Raises
        ------
        ParameterError
            The accumulator is no float with a sign and a zero, or has no NaN where it needs one, a beat is not a whole
            number of rounded blocks, or flags are wanted of sums of several products.
        """
        options, a, b, lanes = request.options, request.a, request.b, request.lanes
        sparse, overflow, architecture = options.sparse, options.overflow, options.architecture
        rounded, out, port, flags = request.accumulation, request.out, request.port, request.flags
        assert isinstance(rounded, Rounded) and out is not None
        if out.is_for_operands_only:
            raise ParameterError(f"acc must be a format that results can be rounded to, not {out}")
        if not (has_path(out, Path.NORMALIZED) and out.is_result):
            raise ParameterError(f"acc must be rounded in a float format with a sign and a zero, not {out}")
        check_nan("acc", out, a, b)
        check_scales(a, b)
        overflow = check_choice("overflow", out.overflows[0] if overflow is None else overflow, out.overflows)
        architecture = check_choice("architecture", architecture or "operator", ARCHITECTURES)
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
        style = replace(rounded, format=out.name, overflow=overflow)
        style.policy(out)
        if port and style.rounding != Rounded.rounding:
            raise ParameterError(f"rounding must be left out with acc={style_name(style)}, not {PORT}")
        if port and len(out.roundings) == 1:
            raise ParameterError(f"rounding must be left out with acc={out}, which has one mode, not {PORT}")
        if flags and not out.raises_flags:
            raise ParameterError(f"flags must be left out with acc={out}, which raises none, not on")
        if flags and any(isinstance(fmt, BlockFormat) for fmt in (a, b)):
            raise ParameterError(f"flags must be left out with a={a} and b={b}, whose products are scaled, not on")
        if flags and style.block > 1:
            raise ParameterError(
                f"flags must be left out with acc={style_name(style)}, which rounds {style.block} products at once, not on"
            )
        accumulator = cls(a, b, lanes, out, sparse, architecture, style, port, flags)
        if (
            rounded.block > 1
            and (bits := sum_bits(accumulator.a_element, accumulator.b_element, rounded.block)[0]) > MAX_EXACT_BITS
        ):
            blocks = any(isinstance(fmt, BlockFormat) for fmt in (a, b))
            raise ParameterError(
                f"{'lanes must be 1, to round' if blocks else 'acc must be rounded'} after each product of {a} × {b}, "
                f"whose exact sums take {bits} bits (at most {MAX_EXACT_BITS}), not {rounded.block}"
            )
        return accumulator

    @property
    def state_bits(self) -> int:
        return self.out.width + FLAG_BITS * self.flags

    @property
    def a_fields(self) -> tuple[Field, ...]:
        return super().a_fields + ((MODE, fixed_point(PORT_BITS, signed=False), 1),) * self.port

    @property
    def style(self) -> Rounded:
        return self.rounded

    @property
    def description(self) -> str:
        count = "every product" if self.rounded.block == 1 else f"every {self.rounded.block} products"
        mode = f"by {MODE}" if self.port else self.rounded.rounding
        return f"rounded to {self.out} after {count} in order ({mode})"

    @property
    def _options(self) -> dict[str, Any]:
        chosen = ({"rounding": PORT} if self.port else {}) | ({"flags": True} if self.flags else {})
        return {"overflow": self.rounded.overflow} | chosen

    @property
    def _in_blocks(self) -> bool:
        """Whether several products make up a term."""
        return self.rounded.block > 1

    @property
    def feed_delays(self) -> tuple[float, ...]:
        if self._in_blocks:
            return block_delays(self, self.rounded.block)
        lane = LaneProduct(a=self.a_element, b=self.b_element, architecture=self.architecture)
        return (*lane.delays, *scale_delays(self))

    @property
    def add_delays(self) -> tuple[float, ...]:
        bits = sum_bits(self.a_element, self.b_element, self.rounded.block)[0]
        if not self._in_blocks:
            bits = LaneProduct(a=self.a_element, b=self.b_element, architecture=self.architecture).raw.width
        return add_delays(self.out, bits) * (self.products // self.rounded.block)

    def _add(
        self, m: Module, platform: object, pipeline: Pipeline, beat: Beat, state: Value, registers: tuple[int, ...]
    ) -> Value:
        step(m, "The exact sums of blocks of products" if self._in_blocks else "The exact products")
        terms = self._terms(m, platform, beat, pipeline)
        policy = Policy.of(self.rounded, self.out)
        policy = replace(policy, rounding=PORT) if self.port else policy
        passed, mode, raised = 0, None, None
        if beat.mode is not None:
            mode = Signal(PORT_BITS, name="mode")
            m.d.comb += mode.eq(beat.mode)
        if self.flags:
            raised = Signal(FLAG_BITS, name="raised_before")
            m.d.comb += raised.eq(state[self.out.width :])
            state = Value.cast(state[: self.out.width])
        later = pipeline.stages - pipeline.depth(0)
        each = len(self.add_delays) // len(terms)
        for index, term in enumerate(terms):
            step(m, f"Added and rounded to {self.out}" + f": term {index}" * (len(terms) > 1))
            inside = registers[index * each : (index + 1) * each]
            stages = sum(inside)
            term = term.delayed(pipeline, passed)
            if mode is not None:
                (mode,) = pipeline.delay(later, mode)
            flags = Signal(FLAG_BITS, name=f"add_{index}_flags") if self.flags else None
            state = float_add(
                m, platform, f"add_{index}", state, term, self.out, policy, inside, pipeline.enable, mode, flags
            )
            if raised is not None and flags is not None:
                (before,) = pipeline.delay(stages, raised)
                raised = Signal(FLAG_BITS, name=f"raised_{index}")
                m.d.comb += raised.eq(before | flags)
            passed, later = passed + stages, stages
        return state if raised is None else Cat(state, raised)

    def _terms(self, m: Module, platform: object, beat: Beat, pipeline: Pipeline) -> list[RawFloat]:
        size = self.rounded.block
        if self._in_blocks:
            blocks = [Beat(beat.pairs[i : i + size], beat.scales) for i in range(0, len(beat.pairs), size)]
            return [block_term(m, platform, f"block_{i}", self, part, pipeline) for i, part in enumerate(blocks)]
        a, b = self.a_element, self.b_element
        lane = LaneProduct(a=a, b=b, architecture=self.architecture)
        inside = pipeline.depths(1, len(lane.delays))
        terms: list[RawFloat] = []
        for i, pair in enumerate(beat.pairs):
            name = f"lane_{i}"
            term = lane_product(m, platform, name, pair, a, b, self.architecture, self.flags, inside, pipeline.enable)
            terms.append(scaled(m, platform, name, self, beat, term, pipeline, sum(inside)))
        return terms
