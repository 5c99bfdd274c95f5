"""A sum of products of numbers of one bit: how many of them agree."""

from __future__ import annotations

from collections.abc import Sequence

from amaranth.hdl import Cat, Const, Module, Signal, Value, signed

from ..core.step import step
from .bit_matrix import BitMatrix
from .product import ADD_PRODUCTS
from .sum_of_products import sum_in_pairs


def sum_of_signs(
    m: Module, pairs: Sequence[tuple[Value, Value]], *, architecture: str, width: int | None = None
) -> Signal:
    """Sum of a * b over ``pairs`` of single bits that stand for -1 and +1; combinational.

    A product is +1 where the bits agree: the sum is twice their number (XNOR, popcount) less the number of pairs. The
    reference is the sum of the integers.

    Parameters
    ----------
    m : Module
        Where the logic is put.
    pairs : sequence of (Value, Value)
        The bits, at least one pair.
    architecture : str
        One of :data:`product.ARCHITECTURES`: those made of gates count in one matrix, the others by ``+`` in pairs.
    width : int, optional
        Bits of the sum; as many as any sum needs unless given.
    """
    count = len(pairs)
    step(m, "Where the bits agree the product is +1, else -1")
    agree = Signal(count, name="agree")
    m.d.comb += agree.eq(~(Cat(a for a, _ in pairs) ^ Cat(b for _, b in pairs)))
    total = Signal(signed(count.bit_length() + 1 if width is None else width), name="sum_of_signs")
    if architecture in ADD_PRODUCTS:
        matrix = BitMatrix(m, len(total))
        for bit in agree:
            matrix.add(1, bit)
        matrix.add_constant(-count)
        m.d.comb += total.eq(matrix.tree() if architecture == "tree" else matrix.ripple())
        return total
    m.d.comb += total.eq(Cat(Const(0, 1), sum_in_pairs(list(agree))) - count)
    return total
