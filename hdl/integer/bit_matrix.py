"""Columns of bits that are added up: partial products and the adders that reduce them."""

from __future__ import annotations

from dataclasses import dataclass, field

from amaranth.hdl import Cat, Const, Module, Signal, Value

from ..core.step import step


@dataclass
class BitMatrix:
    """The sum of bits of different weights, modulo 2**width.

    Parameters
    ----------
    m : Module
        Where the adders are put.
    width : int
        Columns; what a carry would add beyond them is dropped.
    prefix : str
        What the names of the adders' wires begin with, needed where ``m`` holds several sums.
    """

    m: Module
    width: int
    prefix: str = ""
    #: For each column its bits, the ones that are ready first in front.
    columns: list[list[Value]] = field(init=False)
    #: The sum of all constant bits.
    constant: int = 0

    def __post_init__(self) -> None:
        self.columns = [[] for _ in range(self.width)]
        self._names = [0] * self.width

    def add(self, column: int, bit: Value) -> None:
        """Add a bit of weight 2**column."""
        if column < self.width:
            self.columns[column].append(bit)

    def add_integer(self, value: Value) -> None:
        """Add an integer of any width. A sign bit weighs -2**(width-1), and -s is ~s - 1."""
        for column in range(len(value)):
            if value.shape().signed and column == len(value) - 1 < self.width - 1:
                self.add(column, ~value[column])
                self.add_constant(-1 << column)
            else:
                self.add(column, value[column])

    def add_constant(self, value: int) -> None:
        """Add an integer, negative ones as well."""
        self.constant = (self.constant + value) % (1 << self.width)

    def ripple(self) -> Value:
        """The sum, by one chain of full adders after another: the fewest adders and the longest path.

        Each column is reduced to one bit, the oldest bits first, and its carries go to the end of the next column.
        """
        step(self.m, "Added column by column; carries go to the next column")
        sums = []
        for column in range(self.width):
            bits = self.columns[column]
            one = bool(self.constant >> column & 1)
            while len(bits) + one > 1:
                if len(bits) > 2:
                    total, carry = self._full_adder(column, *bits[:3])
                    bits = [*bits[3:], total]
                elif len(bits) == 2:
                    total, carry = self._half_adder(column, *bits, one=one)
                    bits, one = [total], False
                else:
                    total, carry = ~bits[0], bits[0]
                    bits, one = [total], False
                self.add(column + 1, carry)
            sums.append(bits[0] if bits else Const(int(one), 1))
        return Cat(*sums)

    def tree(self) -> Value:
        """The sum, by a Dadda tree and one carry-propagate adder, whose kind is the synthesizer's to choose.

        The heights of the columns go down along 2, 3, 4, 6, 9, 13, …, with no more adders in each step than that takes.
        """
        for column in range(self.width):
            if self.constant >> column & 1:
                self.columns[column].append(Const(1, 1))
        heights = [2]
        while heights[-1] < max(map(len, self.columns)):
            heights.append(heights[-1] * 3 // 2)
        for height in reversed(heights[:-1] if len(heights) > 1 else heights):
            self._reduce(height)
        step(self.m, "The two rows that are left, by one adder")
        rows = [Signal(self.width, name=f"{self.prefix}addend_{row}") for row in range(2)]
        for row, addend in enumerate(rows):
            self.m.d.comb += addend.eq(Cat(*(bits[row] if row < len(bits) else Const(0, 1) for bits in self.columns)))
        return (rows[0] + rows[1])[: self.width]

    def _reduce(self, height: int) -> None:
        """One step of a Dadda tree: no column is higher than ``height`` afterwards."""
        step(self.m, f"Reduced to columns of at most {height} bits")
        carries: list[Value] = []
        for column in range(self.width):
            bits, new = self.columns[column], list(carries)
            carries, sums = [], []
            while len(bits) + len(new) + len(sums) > height:
                if len(bits) + len(new) + len(sums) == height + 1:
                    total, carry = self._half_adder(column, *bits[:2])
                    bits = bits[2:]
                else:
                    total, carry = self._full_adder(column, *bits[:3])
                    bits = bits[3:]
                sums.append(total)
                carries.append(carry)
            self.columns[column] = [*bits, *new, *sums]

    def _wire(self, kind: str, column: int, value: Value) -> Signal:
        wire = Signal(name=f"{self.prefix}{kind}_{column}_{self._names[column]}")
        self.m.d.comb += wire.eq(value)
        return wire

    def _full_adder(self, column: int, a: Value, b: Value, c: Value) -> tuple[Value, Value]:
        half = self._wire("half", column, a ^ b)
        total = self._wire("sum", column, half ^ c)
        carry = self._wire("carry", column, (a & b) | (c & half))
        self._names[column] += 1
        return total, carry

    def _half_adder(self, column: int, a: Value, b: Value, one: bool = False) -> tuple[Value, Value]:
        """a + b, or with ``one`` a + b + 1."""
        total = self._wire("sum", column, ~(a ^ b) if one else a ^ b)
        carry = self._wire("carry", column, (a | b) if one else (a & b))
        self._names[column] += 1
        return total, carry
