"""Partial products of two integers: the bits, or the rows, whose sum is a * b."""

from __future__ import annotations

from amaranth.hdl import Cat, Const, Module, Shape, Signal, Value

from ..core.step import step
from .bit_matrix import BitMatrix


def add_bit_products(m: Module, matrix: BitMatrix, a: Value, b: Value, prefix: str = "") -> None:
    """Add all products of a bit by a bit to the matrix (Baugh and Wooley, 1973).

    A sign bit weighs -2**(width-1): products with just one of them are negative, and -x is ~x - 1.
    """
    step(m, "Products of one bit by one bit; negative ones inverted, and a constant makes up for it")
    for j in range(len(b)):
        row = Signal(len(a), name=f"{prefix}row_{j}")
        m.d.comb += row.eq(Cat(_bit_product(a, b, i, j) for i in range(len(a))))
        for i in range(len(a)):
            matrix.add(i + j, row[i])
            if _is_negative(a, b, i, j):
                matrix.add_constant(-1 << (i + j))


def _is_negative(a: Value, b: Value, i: int, j: int) -> bool:
    return (a.shape().signed and i == len(a) - 1) != (b.shape().signed and j == len(b) - 1)


def _bit_product(a: Value, b: Value, i: int, j: int) -> Value:
    product = a[i] & b[j]
    return ~product if _is_negative(a, b, i, j) else product


def add_booth_products(m: Module, matrix: BitMatrix, a: Value, b: Value, prefix: str = "") -> None:
    """Add a times each digit of b to the matrix (Booth 1951, radix 4 after MacSorley 1961).

    The digits are -2 … 2, digit d being b[2d-1] + b[2d] - 2 b[2d+1].
    """
    step(m, "Booth's digits of b, -2 to 2, and a times each of them")
    a_width, a_signed, b_width, b_signed = len(a), a.shape().signed, len(b), b.shape().signed
    above = b[-1] if b_signed else Const(0, 1)
    recoded = [Const(0, 1), *(b[i] for i in range(b_width)), above, above]
    # Twice a, with room for one sign bit where a has none.
    single = [*(a[i] for i in range(a_width)), a[-1] if a_signed else Const(0, 1)]
    double = [Const(0, 1), *(a[i] for i in range(a_width))]
    for digit in range((b_width + (not b_signed) + 1) // 2):
        low, middle, high = recoded[2 * digit : 2 * digit + 3]
        never_negative = not b_signed and 2 * digit + 1 >= b_width
        one, two, negative = (Signal(name=f"{prefix}digit_{digit}_{what}") for what in ("one", "two", "negative"))
        m.d.comb += [
            one.eq(middle ^ low),
            two.eq((high & ~middle & ~low) | (~high & middle & low)),
            negative.eq(high),
        ]
        row = Signal(a_width + 1, name=f"{prefix}row_{digit}")
        bits = [(one & x) | (two & y) for x, y in zip(single, double, strict=True)]
        base = 2 * digit
        if never_negative:
            m.d.comb += row.eq(Cat(*bits))
        else:
            # -x is ~x + 1; in the least significant place (x ^ negative) + negative is x with a carry.
            m.d.comb += row.eq(Cat(bits[0], *(bit ^ negative for bit in bits[1:])))
        for i in range(a_width):
            matrix.add(base + i, row[i])
        if not never_negative:
            matrix.add(base + 1, negative & ~row[0])
        if a_signed:
            # The last bit is the row's sign and weighs -2**a_width: -s is ~s - 1.
            matrix.add(base + a_width, ~row[a_width])
            matrix.add_constant(-1 << (base + a_width))
        else:
            matrix.add(base + a_width, row[a_width])
            if not never_negative:
                matrix.add(base + a_width + 1, ~negative)
                matrix.add_constant(-1 << (base + a_width + 1))


def add_rows(m: Module, a: Value, b: Value, prefix: str = "") -> Value:
    """a * b as rows of a, gated by the bits of b and added in pairs by ``+`` until one is left."""
    step(m, "a times each bit of b")
    rows: list[tuple[Value, int]] = []
    b_width, b_signed = len(b), b.shape().signed
    for j in range(b_width):
        row = Signal(a.shape(), name=f"{prefix}row_{j}")
        m.d.comb += row.eq(Cat(a[i] & b[j] for i in range(len(a))))
        rows.append((row, j))
    level = 0
    step(m, "Added in pairs")
    while len(rows) > 1:
        pairs = []
        for index in range(0, len(rows) - 1, 2):
            (low, at), (high, above) = rows[index : index + 2]
            # The last row of a signed b is subtracted; it stays the upper one of the last pair until it is added.
            subtract = level == 0 and b_signed and above == b_width - 1
            gap = above - at
            upper = (low >> gap) - high if subtract else (low >> gap) + high
            total = Signal(Shape(gap + len(upper), upper.shape().signed), name=f"{prefix}sum_{level}_{index // 2}")
            m.d.comb += total.eq(Cat(low[:gap], upper))
            pairs.append((total, at))
        rest = rows[len(pairs) * 2 :]
        if rest and level == 0 and b_signed:
            # An odd last row has nothing to be subtracted from yet.
            negated = Signal((-rest[0][0]).shape(), name=f"{prefix}last_row")
            m.d.comb += negated.eq(-rest[0][0])
            rest = [(negated, rest[0][1])]
        rows = [*pairs, *rest]
        level += 1
    row, _ = rows[0]
    return -row if b_signed and b_width == 1 else row
