"""Products and sums with registers between their additions."""

from __future__ import annotations

from collections.abc import Sequence

from amaranth.hdl import Cat, Module, Shape, Signal, Value

from ..core.delays import LUT, MULTIPLIER, adder
from ..core.pipeline import Pipeline
from .product import product_of
from .sum_of_products import sums_of_pairs

#: Bits of b that a is multiplied by in the first step.
_CHUNK = 2


def product_delays(a_bits: int, b_bits: int, architecture: str) -> tuple[float, ...]:
    """Estimated delays of the steps of a product: one of the operator, else the rows and each level of their sums."""
    if 1 in (a_bits, b_bits):
        return (LUT,)
    if architecture == "operator":
        return (MULTIPLIER,)
    levels = (-(-min(a_bits, b_bits) // _CHUNK) - 1).bit_length()
    return (LUT + adder(max(a_bits, b_bits)), *(adder(max(a_bits, b_bits) + (2 << level)) for level in range(levels)))


def product_in_steps(
    m: Module, a: Signal, b: Signal, architecture: str, registers: Sequence[int], enable: Signal, prefix: str = ""
) -> Signal:
    """a * b, exact, with ``registers[i]`` registers behind step i of :func:`product_delays`.

    But for the operator, the longer factor is multiplied by two bits of the shorter one at a time, in the chosen
    architecture, and these products are added in pairs.
    """
    pipeline = Pipeline.at(m, registers, enable)
    shape = Shape(len(a) + len(b), a.shape().signed or b.shape().signed)
    if architecture == "operator":
        product = Signal(shape, name=f"{prefix}product")
        m.d.comb += product.eq(a * b)
        return pipeline.cut(0, product)[0]
    long, short = (b, a) if len(a) < len(b) else (a, b)
    # An odd bit is the first one, so that the last chunk has room for a sign.
    starts = range(len(short) % _CHUNK, len(short), _CHUNK)
    chunks: list[tuple[Value, int]] = [(Value.cast(short[start : start + _CHUNK]), start) for start in starts]
    if len(short) % _CHUNK:
        chunks.insert(0, (Value.cast(short[0]), 0))
    rows: list[tuple[Signal, int]] = []
    for index, (chunk, start) in enumerate(chunks):
        is_signed = short.shape().signed and index == len(chunks) - 1
        factor = chunk.as_signed() if is_signed else chunk
        bits = Shape(len(long) + len(factor), long.shape().signed or is_signed)
        row = Signal(bits, name=f"{prefix}times_{index}")
        m.d.comb += row.eq(product_of(m, long, factor, architecture, f"{prefix}part_{index}_"))
        rows.append((row, start))
    for level in range(len(registers)):
        if level:
            rows = [_sum(m, rows[i : i + 2], f"{prefix}sum_{level}_{i // 2}") for i in range(0, len(rows), 2)]
        later = pipeline.cut(level, *(row for row, _ in rows))
        rows = [(row, start) for row, (_, start) in zip(later, rows, strict=True)]
    product = Signal(shape, name=f"{prefix}product")
    m.d.comb += product.eq(rows[0][0])
    return product


def sum_delays(bits: int, count: int) -> tuple[float, ...]:
    """Estimated delays of the steps of a sum of ``count`` values."""
    return tuple(adder(bits + level) for level in range((count - 1).bit_length()))


def sum_in_steps(m: Module, values: Sequence[Signal], pipeline: Pipeline, first: int, name: str) -> Signal:
    """The sum by ``+``, added in pairs, with the registers of place ``first`` and following ones behind each level."""
    level = 0
    while len(values) > 1:
        pairs = sums_of_pairs(values)
        sums = [Signal(pair.shape(), name=f"{name}_{level}_{i}") for i, pair in enumerate(pairs)]
        m.d.comb += [total.eq(pair) for total, pair in zip(sums, pairs, strict=True)]
        values = pipeline.cut(first + level, *sums, reset=False)
        level += 1
    return values[0]


def sum_of_products_in_steps(
    m: Module, pairs: Sequence[tuple[Signal, Signal]], architecture: str, pipeline: Pipeline, steps: int
) -> Signal:
    """The sum of a * b over ``pairs``: the first ``steps`` places are those of the products, then come those of the sum."""
    registers = pipeline.depths(0, steps)
    products = [
        product_in_steps(m, a, b, architecture, registers, pipeline.enable, f"lane_{lane}_")
        for lane, (a, b) in enumerate(pairs)
    ]
    return sum_in_steps(m, products, pipeline, steps, "sum")


def _sum(m: Module, rows: list[tuple[Signal, int]], name: str) -> tuple[Signal, int]:
    """The sum of one or two rows, each with the weight of its last bit; only bits that both have are added."""
    if len(rows) == 1:
        return rows[0]
    (low, at), (high, above) = rows
    gap = above - at
    upper = (low >> gap) + high
    total = Signal(Shape(gap + len(upper), upper.shape().signed), name=name)
    m.d.comb += total.eq(Cat(low[:gap], upper))
    return total, at
