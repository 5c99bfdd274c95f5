"""Processing elements side by side and one above the other."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from amaranth.hdl import Module, Signal
from amaranth.lib.wiring import In, Out

from ..core.hierarchy import instantiate
from ..core.unit import PortSpec, Unit
from ..sums.accumulator import Accumulator
from .processing_element import ProcessingElement
from .skew import DIRECT_DEPTH


class Element(Protocol):
    """The class of a kind of processing element."""

    def __call__(self, *, accumulator: Accumulator, stages: int) -> ProcessingElement: ...


class Row(Unit):
    """``columns`` processing elements side by side: what comes from the west moves right, the rest passes down.

    Parameters
    ----------
    element : class
        The kind of processing element.
    accumulator : Accumulator
        How products are added.
    columns : int
        Processing elements.
    stages : int
        Pipeline registers between operands and sum.

    Members
    -------
    As the element, but ``columns`` times as wide from north to south, and nothing leaves to the right.
    """

    kind = "row"
    formula = "columns of processing elements"

    def __init__(self, *, element: Element, accumulator: Accumulator, columns: int, stages: int) -> None:
        self.element = element
        self.accumulator = accumulator
        self.columns = columns
        self.stages = stages
        one = element(accumulator=accumulator, stages=stages)
        self.west = one.west
        self.north = {name: width * columns for name, width in one.north.items()}
        super().__init__(
            _ports(self.west, self.north, columns=columns),
            parameters=one.parameters | {"columns": columns},
            latency=one.latency,
            clocked=True,
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        ports = {name: getattr(self, name) for name in (*self.west, *self.north)}
        below = {name: getattr(self, f"{name}_out") for name in self.north}
        west: dict[str, Any] = {name: ports[name] for name in self.west}
        for column in range(self.columns):
            east = {name: Signal(width, name=f"{name}_{column + 1}") for name, width in self.west.items()}
            wires = west | {f"{name}_out": signal for name, signal in east.items()}
            element = self.element(accumulator=self.accumulator, stages=self.stages)
            for name, width in element.north.items():
                here = slice(column * width, (column + 1) * width)
                wires |= {name: ports[name][here], f"{name}_out": below[name][here]}
            instantiate(m, platform, f"pe_{column}", element, en=self.en, **wires)
            west = east
        return m


class Grid(Unit):
    """Rows of processing elements, one above the other.

    More than ``DIRECT_DEPTH`` rows are two grids, so that the description of an array stays short.

    Parameters
    ----------
    element, accumulator, columns, stages
        As of :class:`Row`.
    rows : int
        Rows.
    upward : bool
        Whether rows are counted from the bottom, the exit, instead of from the top.

    Members
    -------
    As the row, but ``rows`` times as wide from the west, row 0 in the least significant bits.
    """

    kind = "grid"
    formula = "rows of processing elements"

    def __init__(
        self, *, element: Element, accumulator: Accumulator, rows: int, columns: int, stages: int, upward: bool
    ) -> None:
        self.rows = rows
        self.upward = upward
        self.like = {"element": element, "accumulator": accumulator, "columns": columns, "stages": stages}
        row = Row(**self.like)
        self.west = {name: width * rows for name, width in row.west.items()}
        self.north = row.north
        super().__init__(
            _ports(self.west, self.north, rows=rows, columns=columns),
            parameters=row.parameters | {"rows": rows},
            latency=row.latency,
            clocked=True,
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        west = {name: getattr(self, name) for name in self.west}
        north = {name: getattr(self, name) for name in self.north}
        split = self.rows // 2 if self.rows > DIRECT_DEPTH else 0
        above = 0
        for height in [split, self.rows - split] if split else [1] * self.rows:
            lowest = self.rows - above - height if self.upward else above
            suffix = str(lowest) if height == 1 else f"{lowest}_to_{lowest + height - 1}"
            south = {name: Signal(width, name=f"{name}_below_{suffix}") for name, width in self.north.items()}
            wires = north | {f"{name}_out": signal for name, signal in south.items()}
            unit = Grid(**self.like, rows=height, upward=self.upward) if split else Row(**self.like)
            for name, bits in self.west.items():
                width = bits // self.rows
                wires[name] = west[name][lowest * width : (lowest + height) * width]
            instantiate(m, platform, f"{unit.kind}_{suffix}", unit, en=self.en, **wires)
            north = south
            above += height
        m.d.comb += [getattr(self, f"{name}_out").eq(signal) for name, signal in north.items()]
        return m


def _ports(west: Mapping[str, int], north: Mapping[str, int], *, rows: int = 1, columns: int) -> dict[str, PortSpec]:
    ports = {"en": PortSpec(In(1), "enable")}
    ports |= {name: PortSpec(In(width), "data", elements=rows) for name, width in west.items()}
    ports |= {name: PortSpec(In(width), "data", elements=columns) for name, width in north.items()}
    return ports | {f"{name}_out": PortSpec(Out(width), "data", elements=columns) for name, width in north.items()}
