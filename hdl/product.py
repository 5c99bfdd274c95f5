"""The exact product of two integers, in several architectures."""

from __future__ import annotations

from amaranth.hdl import Cat, Const, Module, Shape, Signal, Value
from amaranth.lib.wiring import In, Out

from ..golden.formats import choose
from .bit_matrix import BitMatrix
from .unit import Unit

#: Ways to multiply: what each is good for stands in :class:`Product`.
ARCHITECTURES = ("operator", "baugh_wooley", "booth", "row_adders", "tree")


class Product(Unit):
    """y = a * b, exact; combinational.

    Architectures, all of them with the same result:

    * ``operator``: Verilog's ``*``; the synthesizer decides, and on an FPGA may take a hard multiplier.
    * ``baugh_wooley``: all products of one bit by one bit, signs handled by complements and a constant (Baugh and Wooley,
      1973), added by chains of full adders: the least area for short operands.
    * ``booth``: b recoded to digits -2 … 2 (Booth 1951, radix 4 after MacSorley 1961), which halves the rows: the least
      area for long ones.
    * ``tree``: the bits of ``baugh_wooley`` in a Dadda tree (Dadda 1965) and one adder: the least delay.
    * ``row_adders``: rows of a, one for each bit of b, added in pairs by ``+``: for the carry chains of FPGAs.

    Parameters
    ----------
    a, b : Shape
        Widths and signs of the operands.
    architecture : str
        One of :data:`ARCHITECTURES`.

    Members
    -------
    a, b : In
    y : Out
        As wide as both operands together, signed if one of them is.
    """

    kind = "product"
    formula = "y = a * b, exact"

    def __init__(self, *, a: Shape, b: Shape, architecture: str) -> None:
        self.a_shape, self.b_shape = a, b
        self.architecture = choose("architecture", architecture, ARCHITECTURES)
        super().__init__(
            {"a": In(a), "b": In(b), "y": Out(Shape(a.width + b.width, a.signed or b.signed))},
            formats={},
            parameters={"a": a, "b": b, "architecture": architecture},
            latency=0,
            clocked=False,
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        build = {
            "operator": lambda m: self.a * self.b,
            "baugh_wooley": lambda m: self._bits(m).ripple(),
            "booth": lambda m: self._booth(m).ripple(),
            "row_adders": self._rows,
            "tree": lambda m: self._bits(m).tree(),
        }
        m.d.comb += self.y.eq(build[self.architecture](m))
        return m

    def _bits(self, m: Module) -> BitMatrix:
        """All products of a bit by a bit. A sign bit weighs -2**(width-1): products with just one of them are negative,
        and -x is ~x - 1."""
        a, b = self.a_shape, self.b_shape
        matrix = BitMatrix(m, a.width + b.width)
        for j in range(b.width):
            row = Signal(a.width, name=f"row_{j}")
            m.d.comb += row.eq(Cat(self._bit(i, j) for i in range(a.width)))
            for i in range(a.width):
                matrix.add(i + j, row[i])
                if self._is_negative(i, j):
                    matrix.add_constant(-1 << (i + j))
        return matrix

    def _is_negative(self, i: int, j: int) -> bool:
        a, b = self.a_shape, self.b_shape
        return (a.signed and i == a.width - 1) != (b.signed and j == b.width - 1)

    def _bit(self, i: int, j: int) -> Value:
        product = self.a[i] & self.b[j]
        return ~product if self._is_negative(i, j) else product

    def _booth(self, m: Module) -> BitMatrix:
        """b as digits -2 … 2 of radix 4, digit d being b[2d-1] + b[2d] - 2 b[2d+1]; a row is a times a digit."""
        a, b = self.a_shape, self.b_shape
        matrix = BitMatrix(m, a.width + b.width)
        above = self.b[-1] if b.signed else Const(0, 1)
        recoded = [Const(0, 1), *(self.b[i] for i in range(b.width)), above, above]
        # Twice a, with room for one sign bit where a has none.
        single = [*(self.a[i] for i in range(a.width)), self.a[-1] if a.signed else Const(0, 1)]
        double = [Const(0, 1), *(self.a[i] for i in range(a.width))]
        for digit in range((b.width + (not b.signed) + 1) // 2):
            low, middle, high = recoded[2 * digit : 2 * digit + 3]
            never_negative = not b.signed and 2 * digit + 1 >= b.width
            one, two, negative = (Signal(name=f"digit_{digit}_{what}") for what in ("one", "two", "negative"))
            m.d.comb += [
                one.eq(middle ^ low),
                two.eq((high & ~middle & ~low) | (~high & middle & low)),
                negative.eq(high),
            ]
            row = Signal(a.width + 1, name=f"row_{digit}")
            bits = [(one & x) | (two & y) for x, y in zip(single, double, strict=True)]
            base = 2 * digit
            if never_negative:
                m.d.comb += row.eq(Cat(*bits))
                for i in range(a.width + 1):
                    matrix.add(base + i, row[i])
                if a.signed:
                    self._sign_extend(matrix, base + a.width)
                continue
            # -x is ~x + 1; in the least significant place (x ^ negative) + negative is x with a carry.
            m.d.comb += row.eq(Cat(bits[0], *(bit ^ negative for bit in bits[1:])))
            for i in range(a.width):
                matrix.add(base + i, row[i])
            matrix.add(base + 1, negative & ~row[0])
            if a.signed:
                # The last bit is the row's sign and weighs -2**a.width: -s is ~s - 1.
                matrix.add(base + a.width, ~row[a.width])
                matrix.add_constant(-1 << (base + a.width))
            else:
                matrix.add(base + a.width, row[a.width])
                matrix.add(base + a.width + 1, ~negative)
                matrix.add_constant(-1 << (base + a.width + 1))
        return matrix

    def _sign_extend(self, matrix: BitMatrix, column: int) -> None:
        sign = matrix.columns[column].pop() if column < matrix.width else None
        if sign is not None:
            matrix.add(column, ~sign)
            matrix.add_constant(-1 << column)

    def _rows(self, m: Module) -> Value:
        """Rows of a, gated by the bits of b and added in pairs until one is left."""
        rows: list[tuple[Value, int]] = []
        for j in range(self.b_shape.width):
            row = Signal(self.a_shape, name=f"row_{j}")
            m.d.comb += row.eq(Cat(self.a[i] & self.b[j] for i in range(self.a_shape.width)))
            rows.append((row, j))
        level = 0
        while len(rows) > 1:
            pairs = []
            for index in range(0, len(rows) - 1, 2):
                (low, at), (high, above) = rows[index : index + 2]
                # The last row of a signed b is subtracted; it stays the upper one of the last pair until it is added.
                subtract = level == 0 and self.b_shape.signed and above == self.b_shape.width - 1
                gap = above - at
                upper = (low >> gap) - high if subtract else (low >> gap) + high
                total = Signal(Shape(gap + len(upper), upper.shape().signed), name=f"sum_{level}_{index // 2}")
                m.d.comb += total.eq(Cat(low[:gap], upper))
                pairs.append((total, at))
            rest = rows[len(pairs) * 2 :]
            if rest and level == 0 and self.b_shape.signed:
                # An odd last row has nothing to be subtracted from yet.
                negated = Signal((-rest[0][0]).shape(), name="last_row")
                m.d.comb += negated.eq(-rest[0][0])
                rest = [(negated, rest[0][1])]
            rows = [*pairs, *rest]
            level += 1
        row, _ = rows[0]
        return -row if self.b_shape.signed and self.b_shape.width == 1 else row
