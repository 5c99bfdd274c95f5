"""The accumulator of integer and fixed-point products: its format, and the step that adds to it."""

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
    format,
    product_format,
    sum_format,
)
from .fixed_round import saturate
from .unit import shape_of

#: The inner dimension that an accumulator is made for where nothing is said: int8 products then get 32 bits.
DEFAULT_MAX_K = 65536


@dataclass(frozen=True)
class Accumulation:
    """How products are added up: formats of operands and accumulator, lanes, overflow.

    Parameters
    ----------
    a, b : Format
        Fixed-point formats of the operands.
    lanes : int
        Products added exactly, then to the accumulator, in one step.
    acc : Format
        The accumulator.
    overflow : str
        "wrap" or "saturate": what becomes of a sum beyond the accumulator, in each step.
    """

    a: Format
    b: Format
    lanes: int
    acc: Format
    overflow: str

    @classmethod
    def make(
        cls,
        a: str | Format,
        b: str | Format,
        lanes: int,
        acc: str | Format | None,
        overflow: str | None,
        max_k: int | None,
    ) -> Accumulation:
        """Check what the user gave and fill in the rest.

        Raises
        ------
        TypeError, ParameterError
            A format that is not fixed point, an accumulator narrower than one product or with other fraction bits, or
            ``max_k`` given together with ``acc``.
        """
        a, b = format(a), format(b)
        for argument, fmt in (("a", a), ("b", b)):
            if fmt.kind != "fixed":
                raise ParameterError(f"{argument} must be an integer or fixed-point format, not {fmt} ({fmt.kind})")
        check_int("lanes", lanes, 1, 128)
        overflow = choose("overflow", "wrap" if overflow is None else overflow, FIXED_OVERFLOWS)
        product = product_format(a, b)
        if acc is None:
            acc = sum_format(product, check_int("max_k", DEFAULT_MAX_K if max_k is None else max_k, 1))
            return cls(a, b, lanes, acc, overflow)
        if max_k is not None:
            raise ParameterError(f"max_k must be left out where acc is given, not {max_k} with acc={acc}")
        acc = format(acc)
        if acc.kind != "fixed" or acc.frac_bits != product.frac_bits or acc.signed != product.signed:
            kind = "a signed" if product.signed else "an unsigned"
            raise ParameterError(
                f"acc must be {kind} fixed-point format with {product.frac_bits} fraction bits for {a} × {b}, not {acc}"
            )
        if acc.width < product.width:
            raise ParameterError(
                f"acc must hold one product, at least {product.width} bits for {a} × {b}, not {acc} ({acc.width} bits)"
            )
        return cls(a, b, lanes, acc, overflow)

    @property
    def product(self) -> Format:
        """One exact product."""
        return product_format(self.a, self.b)

    @property
    def term(self) -> Format:
        """The exact sum of the products of one step."""
        return sum_format(self.product, self.lanes)

    @property
    def parameters(self) -> dict[str, Any]:
        """As in a unit's metadata."""
        return {
            "a": self.a.name,
            "b": self.b.name,
            "acc": self.acc.name,
            "overflow": self.overflow,
            "lanes": self.lanes,
        }

    def add(self, m: Module, total: Value, term: Value) -> Signal:
        """The accumulator after one step: ``total + term``, wrapped or saturated."""
        acc = self.acc
        exact = Signal((total + term).shape(), name="exact_sum")
        result = Signal(shape_of(acc), name="next_sum")
        m.d.comb += exact.eq(total + term)
        m.d.comb += result.eq(exact if self.overflow == "wrap" else saturate(exact, acc))
        return result
