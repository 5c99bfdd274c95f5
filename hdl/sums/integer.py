"""Sums of integers and fixed-point numbers: exact in each beat, then wrapped or saturated."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from amaranth.hdl import Module, Signal, Value

from ...golden.formats import (
    FIXED_OVERFLOWS,
    Accumulation,
    Exact,
    Format,
    ParameterError,
    check_choice,
    check_int,
    fixed_point,
    product_format,
    sum_format,
)
from ..core.delays import LUT, adder
from ..core.pipeline import Pipeline
from ..core.step import step
from ..core.unit import shape_of
from ..integer.product import ARCHITECTURES
from ..integer.product_in_steps import product_delays, sum_delays, sum_of_products_in_steps
from ..integer.sum_of_products import sum_of_products
from ..integer.sum_of_signs import sum_of_signs
from ..operand.decoders import decoder, is_sign
from ..rounding.encoders import Path, has_path
from ..rounding.fixed_round import saturate
from .accumulator import Accumulator, Beat
from .options import Request

#: The inner dimension that an accumulator is made for where nothing is said: int8 products then get 32 bits.
DEFAULT_MAX_K = 65536


@dataclass(frozen=True)
class IntegerSum(Accumulator):
    """sum = overflow(sum + Σ a·b) of fixed-point numbers, or of ±1 of one bit each; the products of a beat are exact.

    The reference is :func:`polymac.golden.gemm` with ``acc``, ``overflow`` and ``lanes``.

    Parameters
    ----------
    overflow : "wrap" or "saturate"
        What becomes of a sum beyond ``out``, beat by beat.
    """

    takes: ClassVar[frozenset[str]] = frozenset({"max_k"})

    a: Format
    b: Format
    overflow: str

    @classmethod
    def keywords(cls, accumulation: Accumulation, out: str) -> dict[str, str | None]:
        assert isinstance(accumulation, Exact)
        return {"acc": out, "overflow": accumulation.overflow}

    @classmethod
    def make(cls, request: Request) -> IntegerSum:
        """Check what the user gave and fill in the rest: a wrapping accumulator for ``max_k`` products.

        Raises
        ------
        ParameterError
            The accumulator is narrower than one product, has other fraction bits, or overflows with ``max_k`` products.
        """
        options, a, b, lanes = request.options, request.a, request.b, request.lanes
        sparse, overflow, architecture = options.sparse, options.overflow, options.architecture
        acc, max_k = request.out, options.max_k
        assert isinstance(a, Format) and isinstance(b, Format)
        overflow = check_choice("overflow", "wrap" if overflow is None else overflow, FIXED_OVERFLOWS)
        architecture = check_choice("architecture", architecture or "operator", ARCHITECTURES)
        product = product_format(as_integer(a), as_integer(b))
        if acc is None:
            acc = sum_format(product, check_int("max_k", DEFAULT_MAX_K if max_k is None else max_k, 1))
            return cls(a, b, lanes, acc, sparse, architecture, overflow)
        if not has_path(acc, Path.FIXED_POINT) or acc.frac_bits != product.frac_bits or acc.signed != product.signed:
            kind = "a signed" if product.signed else "an unsigned"
            raise ParameterError(
                f"acc must be {kind} fixed-point format with {product.frac_bits} fraction bits for {a} × {b}, not {acc}"
            )
        if acc.width < product.width:
            raise ParameterError(
                f"acc must hold one product, at least {product.width} bits for {a} × {b}, not {acc} ({acc.width} bits)"
            )
        accumulator = cls(a, b, lanes, acc, sparse, architecture, overflow)
        if max_k is not None and check_int("max_k", max_k, 1) > accumulator.exact_k:
            raise ParameterError(
                f"max_k must be at most {accumulator.exact_k}, the products of {a} × {b} that {acc} holds, not {max_k}"
            )
        return accumulator

    @property
    def exact_k(self) -> int:
        products = [x * y for x in (self.a.min_int, self.a.max_int) for y in (self.b.min_int, self.b.max_int)]
        depths = [self.out.max_int // max(products)]
        return min(depths + ([self.out.min_int // min(products)] if min(products) < 0 else []))

    @property
    def style(self) -> None:
        return None

    @property
    def description(self) -> str:
        return f"exact, then {'wrapped' if self.overflow == 'wrap' else 'saturated'} in {self.out}"

    @property
    def _options(self) -> dict[str, Any]:
        return {"overflow": self.overflow}

    @property
    def feed_delays(self) -> tuple[float, ...]:
        if is_sign(self.a) and is_sign(self.b):
            return (LUT * self.products.bit_length(),)
        a, b = (as_integer(fmt).width for fmt in (self.a, self.b))
        return (*product_delays(a, b, self.architecture), *sum_delays(a + b, self.products))

    @property
    def add_delays(self) -> tuple[float, ...]:
        return (adder(self.out.width), *((adder(self.out.width) + LUT,) if self.overflow == "saturate" else ()))

    def _add(
        self, m: Module, platform: object, pipeline: Pipeline, beat: Beat, state: Value, registers: tuple[int, ...]
    ) -> Value:
        step(m, "The products added to the sum, exact")
        total = Signal(shape_of(self.out), name="total")
        m.d.comb += total.eq(state)
        if is_sign(self.a) and is_sign(self.b):
            products = sum_of_signs(m, beat.pairs, architecture=self.architecture)
            products = pipeline.cut(1, products, reset=False)[0]
            return self._in_range(m, pipeline, self._plus(m, total, products), registers)
        left, right = decoder(self.a), decoder(self.b)
        pairs = [
            (left.integer(m, f"a_{lane}", x), right.integer(m, f"b_{lane}", y))
            for lane, (x, y) in enumerate(beat.pairs)
        ]
        steps = len(product_delays(as_integer(self.a).width, as_integer(self.b).width, self.architecture))
        inside = pipeline.depths(1, len(self.feed_delays))
        if not any(inside):
            width = self.out.width if self.overflow == "wrap" else None
            exact = sum_of_products(m, pairs, total, architecture=self.architecture, width=width)
        else:
            if any(inside[:-1]):
                within = Pipeline.at(m, inside, pipeline.enable)
                term = sum_of_products_in_steps(m, pairs, self.architecture, within, steps)
            else:
                products = sum_of_products(m, pairs, architecture=self.architecture)
                (term,) = pipeline.delay(inside[-1], products, reset=False)
            exact = self._plus(m, total, term)
        return self._in_range(m, pipeline, exact, registers)

    def _plus(self, m: Module, total: Signal, term: Signal) -> Signal:
        exact = Signal((total + term).shape(), name="exact_sum")
        m.d.comb += exact.eq(total + term)
        return exact

    def _in_range(self, m: Module, pipeline: Pipeline, exact: Signal, registers: tuple[int, ...]) -> Value:
        """The sum wrapped or saturated, with registers behind each of both steps."""
        following = Signal(self.out.width, name="next_sum")
        if self.overflow == "wrap":
            m.d.comb += following.eq(exact)
        else:
            (exact,) = pipeline.delay(sum(registers[:-1]), exact)
            step(m, f"Saturated in {self.out}")
            m.d.comb += following.eq(saturate(exact, self.out))
        return pipeline.delay(sum(registers[-1:]), following)[0]


def as_integer(fmt: Format) -> Format:
    """The fixed-point format of a number: for one bit that of -1 and +1."""
    return fixed_point(2) if is_sign(fmt) else fmt
