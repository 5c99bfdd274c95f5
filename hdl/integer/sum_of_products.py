"""A sum of products, added by one matrix."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product

from amaranth.hdl import Cat, Const, Module, Shape, Signal, Value

from ...golden.formats import ParameterError, check_choice
from ..core.step import step
from .bit_matrix import BitMatrix
from .product import ADD_PRODUCTS, ARCHITECTURES, product_of


def sum_of_products(
    m: Module,
    pairs: Sequence[tuple[Value, Value]],
    addend: Value | None = None,
    *,
    architecture: str,
    width: int | None = None,
    name: str = "",
) -> Signal:
    """addend + sum of a * b over ``pairs``, modulo 2**width; combinational.

    In the architectures made of gates the partial products of all pairs and the addend are one matrix and are reduced
    together: no product has an adder of its own; but above the bits of the products, an addend is only counted up or down
    by one. "operator" and "row_adders" add the products and the addend by ``+``, in pairs. The reference is the sum of the
    integers.

    Parameters
    ----------
    m : Module
        Where the logic is put.
    pairs : sequence of (Value, Value)
        Operands, at least one pair; widths and signs may differ from one to the next.
    addend : Value, optional
        What is added to the products.
    architecture : str
        One of :data:`product.ARCHITECTURES`.
    width : int, optional
        Bits of the sum; as many as any sum needs unless given.
    name : str, optional
        What the names of the signals begin with, needed where ``m`` holds several sums.

    Returns
    -------
    Signal
        The sum, signed if an operand or the addend is.

    Raises
    ------
    ParameterError
        There is no such architecture, or no pair.
    """
    check_choice("architecture", architecture, ARCHITECTURES)
    if not pairs:
        raise ParameterError("pairs must be at least one pair of operands, not an empty sequence")
    prefix = f"{name}_" if name else ""
    exact = sum_shape(pairs, addend)
    result = Signal(exact if width is None else Shape(width, exact.signed), name=f"{prefix}sum_of_products")
    if architecture in ADD_PRODUCTS:
        low = sum_shape(pairs, None)
        # A tree is for speed: one adder of all bits is faster than two, one after the other.
        wide = addend is not None and architecture != "tree" and min(len(addend), len(result)) > low.width + 1
        matrix = BitMatrix(m, low.width if wide else len(result), prefix)
        if addend is not None and not wide:
            matrix.add_integer(addend)
        for lane, (a, b) in enumerate(pairs):
            ADD_PRODUCTS[architecture](m, matrix, a, b, f"{prefix}lane_{lane}_")
        total = matrix.tree() if architecture == "tree" else matrix.ripple()
        if wide:
            products = Signal(low, name=f"{prefix}products")
            m.d.comb += products.eq(total)
            total = _add_to_wide(m, addend, products, len(result), prefix)
        m.d.comb += result.eq(total)
        return result
    terms = [product_of(m, a, b, architecture, f"{prefix}lane_{lane}_") for lane, (a, b) in enumerate(pairs)]
    terms += [] if addend is None else [addend]
    m.d.comb += result.eq(sum_in_pairs(terms))
    return result


def _add_to_wide(m: Module, addend: Value, value: Signal, width: int, prefix: str) -> Value:
    """addend + value modulo 2**width, for an addend with more bits.

    Where there are no more bits of the value, the addend goes up by the carry and down by the value's sign: a chain that
    passes where the addend's bits are all 1, or going down all 0, and inverts those that it reaches.
    """
    step(m, "The addend's low bits added; its high bits go up by one, or down by one, or stay")
    low = len(value)
    matrix = BitMatrix(m, low + 1, f"{prefix}low_")
    for column in range(low):
        matrix.add(column, addend[column])
        matrix.add(column, value[column])
    sums = Signal(low + 1, name=f"{prefix}low_sum")
    m.d.comb += sums.eq(matrix.ripple())
    sign = value[-1] if value.shape().signed else Const(0, 1)
    above = addend[-1] if addend.shape().signed else Const(0, 1)
    changes, bits = sums[low] ^ sign, [sums[:low]]
    for column in range(low, width):
        bit = addend[column] if column < len(addend) else above
        moves = Signal(name=f"{prefix}moves_{column}")
        m.d.comb += moves.eq(changes)
        bits.append(bit ^ moves)
        changes = moves & (bit ^ sign)
    return Cat(*bits)


def sum_in_pairs(values: Sequence[Value]) -> Value:
    """The sum by ``+``, at least one value, added in pairs so that the path is short."""
    while len(values) > 1:
        values = sums_of_pairs(values)
    return values[0]


def sums_of_pairs(values: Sequence[Value]) -> list[Value]:
    """The first and the second value by ``+``, the third and the fourth, and so on; an odd one out stays as it is."""
    return [sum(values[i + 1 : i + 2], start=values[i]) for i in range(0, len(values), 2)]


def sum_shape(pairs: Sequence[tuple[Value, Value]], addend: Value | None) -> Shape:
    """The narrowest shape that holds any sum."""
    min_value = max_value = 0
    for a, b in pairs:
        corners = [x * y for x, y in product(_bounds(a), _bounds(b))]
        min_value, max_value = min_value + min(corners), max_value + max(corners)
    if addend is not None:
        low, high = _bounds(addend)
        min_value, max_value = min_value + low, max_value + high
    # Not the shape of a range, whose length Python could not say beyond 63 bits.
    signed = min_value < 0
    return Shape(max((~min_value if signed else min_value).bit_length(), max_value.bit_length()) + signed, signed)


def _bounds(value: Value) -> tuple[int, int]:
    """The least and the greatest value."""
    shape = value.shape()
    half = 1 << shape.width >> 1
    return (-half, half - 1) if shape.signed else (0, (1 << shape.width) - 1)
