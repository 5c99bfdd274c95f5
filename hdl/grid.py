"""The rows of the output-stationary array."""

from __future__ import annotations

from amaranth.hdl import Module, Signal
from amaranth.lib.wiring import In, Out

from .accumulator import Accumulation
from .processing_element import Row
from .skew import DIRECT_DEPTH
from .unit import Unit, place

_PASSED = ("valid", "first", "last")


class Grid(Unit):
    """Rows of processing elements, one above the other: b, the drain chain and the control of a move down.

    More than ``DIRECT_DEPTH`` rows are two grids, so that the description of an array stays short.

    Parameters
    ----------
    how : Accumulation
        Formats, lanes and overflow.
    rows, columns : int
        Processing elements in each direction.
    stages : int
        Pipeline registers between operands and accumulator.

    Members
    -------
    en : In(1)
        While 0, no register changes.
    a : In(rows * lanes elements)
        Operands, skewed, those of the top row in the *most* significant bits.
    shift : In(rows)
        For each row, that of the bottom row in the most significant bit.
    valid, first, last : In(1)
        Control of the top row; with the suffix ``_out`` what the row below the grid gets, one cycle later each row.
    b, b_out, drain_in, drain : In, Out
        As :class:`~.processing_element.Row`.
    """

    kind = "grid"
    formula = "rows of processing elements"

    def __init__(self, *, how: Accumulation, rows: int, columns: int, stages: int) -> None:
        self.how = how
        self.rows = rows
        self.columns = columns
        self.stages = stages
        b, acc = how.b.width * how.lanes * columns, how.acc.width * columns
        super().__init__(
            {
                "en": In(1),
                "a": In(how.a.width * how.lanes * rows),
                "shift": In(rows),
                "b": In(b),
                "b_out": Out(b),
                "drain_in": In(acc),
                "drain": Out(acc),
            }
            | {name: In(1) for name in _PASSED}
            | {f"{name}_out": Out(1) for name in _PASSED},
            formats={},
            parameters=how.parameters | {"rows": rows, "columns": columns, "stages": stages},
            latency=stages + 2,
            clocked=True,
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        how = self.how
        a_bits = how.a.width * how.lanes
        a, shift = self.a, self.shift
        split = self.rows // 2 if self.rows > DIRECT_DEPTH else 0
        heights = [split, self.rows - split] if split else [1] * self.rows
        north = {"b": self.b, "drain_in": self.drain_in}
        north |= {name: getattr(self, name) for name in _PASSED}
        above = 0
        for height in heights:
            below = self.rows - above - height  # rows further down, and the number of the lowest one here
            suffix = str(below) if height == 1 else f"{below}_to_{below + height - 1}"
            b = Signal(len(north["b"]), name=f"b_below_{suffix}")
            drain = Signal(len(north["drain_in"]), name=f"drain_{suffix}")
            south = {"b": b, "drain_in": drain} | {name: Signal(name=f"{name}_below_{suffix}") for name in _PASSED}
            wires = north | {"en": self.en, "b_out": b, "drain": drain}
            wires["a"] = a[below * a_bits : (below + height) * a_bits]
            wires["shift"] = shift[above : above + height]
            if split:
                wires |= {f"{name}_out": south[name] for name in _PASSED}
                unit = Grid(how=how, rows=height, columns=self.columns, stages=self.stages)
            else:
                with m.If(self.en):
                    m.d.sync += [south[name].eq(north[name]) for name in _PASSED]
                unit = Row(how=how, columns=self.columns, stages=self.stages)
            place(m, platform, f"{unit.kind}_{suffix}", unit, **wires)
            north = south
            above += height
        m.d.comb += [self.b_out.eq(north["b"]), self.drain.eq(north["drain_in"])]
        m.d.comb += [getattr(self, f"{name}_out").eq(north[name]) for name in _PASSED]
        return m
