"""Sums of integers and fixed-point numbers: exact in each beat, then wrapped or saturated."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from amaranth.hdl import Module, Signal, Value

from ..golden.formats import (
    FIXED_OVERFLOWS,
    Format,
    ParameterError,
    check_int,
    choose,
    fixed_point,
    product_format,
    sum_format,
)
from .fixed_round import saturate
from .fixed_sum import integer
from .pipeline import Pipeline
from .product import ARCHITECTURES
from .sum_of_products import sum_of_products
from .sum_of_signs import sum_of_signs
from .summation import Beat, Summation
from .unit import shape_of

#: The inner dimension that an accumulator is made for where nothing is said: int8 products then get 32 bits.
DEFAULT_MAX_K = 65536


@dataclass(frozen=True)
class IntegerSum(Summation):
    """sum = overflow(sum + Σ a·b) of fixed-point numbers, or of ±1 of one bit each; the products of a beat are exact.

    The reference is :func:`polymac.golden.gemm` with ``acc``, ``overflow`` and ``lanes``.

    Parameters
    ----------
    overflow : "wrap" or "saturate"
        What becomes of a sum beyond ``out``, beat by beat.
    """

    a: Format
    b: Format
    overflow: str

    @classmethod
    def make(
        cls,
        a: Format,
        b: Format,
        lanes: int,
        sparse: bool,
        acc: Format | None,
        overflow: str | None,
        max_k: int | None,
        architecture: str | None,
    ) -> IntegerSum:
        """Check what the user gave and fill in the rest: a wrapping accumulator for ``max_k`` products.

        Raises
        ------
        ParameterError
            The accumulator is narrower than one product, has other fraction bits, or overflows with ``max_k`` products.
        """
        overflow = choose("overflow", "wrap" if overflow is None else overflow, FIXED_OVERFLOWS)
        architecture = choose("architecture", architecture or "operator", ARCHITECTURES)
        product = product_format(as_integer(a), as_integer(b))
        if acc is None:
            acc = sum_format(product, check_int("max_k", DEFAULT_MAX_K if max_k is None else max_k, 1))
            return cls(a, b, lanes, acc, sparse, architecture, overflow)
        if acc.kind != "fixed" or acc.frac_bits != product.frac_bits or acc.signed != product.signed:
            kind = "a signed" if product.signed else "an unsigned"
            raise ParameterError(
                f"acc must be {kind} fixed-point format with {product.frac_bits} fraction bits for {a} × {b}, not {acc}"
            )
        if acc.width < product.width:
            raise ParameterError(
                f"acc must hold one product, at least {product.width} bits for {a} × {b}, not {acc} ({acc.width} bits)"
            )
        how = cls(a, b, lanes, acc, sparse, architecture, overflow)
        if max_k is not None and check_int("max_k", max_k, 1) > how.exact_k:
            raise ParameterError(
                f"max_k must be at most {how.exact_k}, the products of {a} × {b} that {acc} holds, not {max_k}"
            )
        return how

    @property
    def exact_k(self) -> int:
        products = [x * y for x in _extremes(self.a) for y in _extremes(self.b)]
        depths = [self.out.max_int // max(products)]
        return min(depths + ([self.out.min_int // min(products)] if min(products) < 0 else []))

    @property
    def style(self) -> None:
        return None

    @property
    def policy(self) -> str:
        return f"exact, then {'wrapped' if self.overflow == 'wrap' else 'saturated'} in {self.out}"

    @property
    def _options(self) -> dict[str, Any]:
        return {"overflow": self.overflow}

    def _add(self, m: Module, platform: object, pipeline: Pipeline, beat: Beat, state: Value, depth: int) -> Value:
        total = Signal(shape_of(self.out), name="total")
        m.d.comb += total.eq(state)
        if self.a.kind == self.b.kind == "binary":
            products = sum_of_signs(m, beat.pairs, architecture=self.architecture)
            return self._in_range(m, pipeline, self._plus(m, pipeline, total, products), depth)
        pairs = [
            (integer(m, f"a_{lane}", x, self.a), integer(m, f"b_{lane}", y, self.b))
            for lane, (x, y) in enumerate(beat.pairs)
        ]
        if not pipeline.depth(1):
            width = self.out.width if self.overflow == "wrap" else None
            exact = sum_of_products(m, pairs, total, architecture=self.architecture, width=width)
        else:
            exact = self._plus(m, pipeline, total, sum_of_products(m, pairs, architecture=self.architecture))
        return self._in_range(m, pipeline, exact, depth)

    def _plus(self, m: Module, pipeline: Pipeline, total: Signal, products: Signal) -> Signal:
        (term,) = pipeline.cut(1, products, reset=False)
        exact = Signal((total + term).shape(), name="exact_sum")
        m.d.comb += exact.eq(total + term)
        return exact

    def _in_range(self, m: Module, pipeline: Pipeline, exact: Signal, depth: int) -> Value:
        """The sum wrapped or saturated, ``depth`` cycles later."""
        following = Signal(self.out.width, name="next_sum")
        m.d.comb += following.eq(exact if self.overflow == "wrap" else saturate(exact, self.out))
        return pipeline.delay(depth, following)[0]


def _extremes(fmt: Format) -> tuple[int, int]:
    """The least and the greatest integer that a code stands for."""
    return (-1, 1) if fmt.kind == "binary" else (fmt.min_int, fmt.max_int)


def as_integer(fmt: Format) -> Format:
    """The fixed-point format of a number: for one bit that of -1 and +1."""
    return fixed_point(2) if fmt.kind == "binary" else fmt
