"""What a dataflow needs of the array that it is built into."""

from __future__ import annotations

from typing import Any, Protocol

from amaranth.hdl import Module, Value

from ..sums.accumulator import Accumulator


class DataflowHost(Protocol):
    """An array as :mod:`.output_stationary` and :mod:`.weight_stationary` see it.

    A protocol, so that the dataflows need not import :class:`.array.Array`, which imports them.

    Attributes
    ----------
    accumulator : Accumulator
        How products are added.
    rows, cols, stages : int
        Processing elements, and pipeline registers of each between operands and sum.
    a, b, p : Any
        The streams of operands and, where the dataflow is weight stationary and its sums are codes, of partial sums.
    """

    accumulator: Accumulator
    rows: int
    cols: int
    stages: int
    a: Any
    b: Any
    p: Any

    def operand(self, m: Module, name: str) -> Value:
        """The bits of one operand's payload for all rows or columns."""
        ...
