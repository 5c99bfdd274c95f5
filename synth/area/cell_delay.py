"""The delay of a netlist of library cells by the tables of its Liberty, through cells of several outputs as well.

ABC times what it maps, but takes a full-adder cell for a box that has no delay. This is the same kind of timing: no
wires, no load on outputs, ideal slew at inputs.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from graphlib import CycleError, TopologicalSorter
from typing import Any

from ..yosys.runner import SynthesisError

#: What an output does for either edge of an input.
_SENSES = {
    "positive_unate": (("rise", "rise"), ("fall", "fall")),
    "negative_unate": (("fall", "rise"), ("rise", "fall")),
    "non_unate": (("rise", "rise"), ("rise", "fall"), ("fall", "rise"), ("fall", "fall")),
}
#: When a net rises and falls at the latest, and its slews then.
Edges = dict[str, tuple[float, float]]
_IDEAL: Edges = {"rise": (0.0, 0.0), "fall": (0.0, 0.0)}
_TOKEN = re.compile(r"/\*.*?\*/|\\\n|\"[^\"]*\"|[{}();:,]|[^\s{}();:,\"\\]+", re.DOTALL)


@dataclass(frozen=True)
class Table:
    """A figure by input slew (rows, ns) and load (columns), interpolated in both; beyond its ends it goes on straight."""

    slews: list[float]
    loads: list[float]
    values: list[list[float]]

    def at(self, slew: float, load: float) -> float:
        """The figure for that slew and load."""
        row, x = _between(self.slews, slew)
        column, y = _between(self.loads, load)
        upper, lower = self.values[row], self.values[row + 1]
        return (1 - x) * ((1 - y) * upper[column] + y * upper[column + 1]) + x * (
            (1 - y) * lower[column] + y * lower[column + 1]
        )


def _between(index: list[float], value: float) -> tuple[int, float]:
    """The interval of the index, and where in it the value lies."""
    place = min(max(bisect_right(index, value) - 1, 0), len(index) - 2)
    return place, (value - index[place]) / (index[place + 1] - index[place])


@dataclass(frozen=True)
class Arc:
    """From an edge of an input to an edge of an output: delay and slew."""

    source: str
    before: str
    after: str
    delay: Table
    slew: Table


@dataclass
class Cell:
    """A library cell: the capacitance of its inputs, and the arcs to each output."""

    loads: dict[str, float] = field(default_factory=dict)
    arcs: dict[str, list[Arc]] = field(default_factory=lambda: defaultdict(list))


@dataclass
class _Group:
    """A Liberty group: ``kind (name) { … }``."""

    kind: str
    name: str
    values: dict[str, str] = field(default_factory=dict)
    groups: list[_Group] = field(default_factory=list)


def read_cells(text: str) -> dict[str, Cell]:
    """The cells of a Liberty file by name; sequential arcs, from a clock, are left out."""
    tokens = (item for item in _TOKEN.findall(text) if not item.startswith(("/*", "\\")))
    library = _group(tokens, "", "")
    cells = {}
    for group in library.groups[0].groups:
        if group.kind == "cell":
            cells[group.name] = _cell(group)
    return cells


def _group(tokens: Iterator[str], kind: str, name: str) -> _Group:
    """The group whose contents the tokens are, up to its end."""
    found = _Group(kind, name)
    for key in tokens:
        if key == "}":
            break
        if key == ";":
            continue
        mark = next(tokens)
        if mark == ":":
            found.values[key] = next(tokens).strip('"')
            continue
        # "(": values, and then a group may begin.
        inside = []
        while (token := next(tokens)) != ")":
            inside.append(token)
        argument = " ".join(item.strip('"') for item in inside if item != ",")
        if next(tokens) == "{":
            found.groups.append(_group(tokens, key, argument))
        else:
            found.values[key] = argument
    return found


def _cell(group: _Group) -> Cell:
    cell = Cell()
    for pin in group.groups:
        if pin.kind != "pin":
            continue
        if pin.values["direction"] == "input":
            cell.loads[pin.name] = float(pin.values.get("capacitance", 0))
        for timing in pin.groups:
            sense = timing.values.get("timing_sense")
            tables = {table.kind: table for table in timing.groups}
            if timing.kind != "timing" or sense is None or not {"cell_rise", "cell_fall"} <= set(tables):
                continue
            if timing.values.get("timing_type", "combinational") != "combinational":
                continue
            for before, after in _SENSES[sense]:
                delay, slew = (_table(tables[kind]) for kind in (f"cell_{after}", f"{after}_transition"))
                cell.arcs[pin.name].append(Arc(timing.values["related_pin"], before, after, delay, slew))
    return cell


def _table(group: _Group) -> Table:
    slews, loads, values = (_numbers(group.values[key]) for key in ("index_1", "index_2", "values"))
    rows = [values[i : i + len(loads)] for i in range(0, len(values), len(loads))]
    return Table(slews, loads, rows)


def _numbers(text: str) -> list[float]:
    return [float(item) for item in text.replace(",", " ").split()]


def longest_path(module: Mapping[str, Any], cells: Mapping[str, Cell]) -> float:
    """The longest delay in ns from an input of a flat netlist, or a register, to an output, or a register.

    Parameters
    ----------
    module : mapping
        As Yosys' JSON has it.
    cells : mapping of str to Cell
        As :func:`read_cells` reads them.

    Raises
    ------
    SynthesisError
        It holds a cell that the library has not, or a loop.
    """
    drivers: dict[int | str, tuple[str, str]] = {}
    loads: dict[int | str, float] = defaultdict(float)
    for name, item in module["cells"].items():
        if item["type"] not in cells:
            raise SynthesisError(f"the netlist holds a cell {item['type']}, which the library has not")
        cell = cells[item["type"]]
        for port, (bit,) in item["connections"].items():
            if port in cell.loads:
                loads[bit] += cell.loads[port]
            else:
                drivers[bit] = name, port
    sorter: TopologicalSorter[int | str] = TopologicalSorter()
    for bit, (name, port) in drivers.items():
        item = module["cells"][name]
        arcs = cells[item["type"]].arcs.get(port, [])
        sorter.add(bit, *(item["connections"][arc.source][0] for arc in arcs))
    arrivals: dict[int | str, Edges] = {}
    try:
        for bit in sorter.static_order():
            arrivals[bit] = _IDEAL
            if bit in drivers:
                name, port = drivers[bit]
                item = module["cells"][name]
                arcs = cells[item["type"]].arcs.get(port, [])
                arrivals[bit] = _arrival(arcs, item["connections"], arrivals, loads[bit])
    except CycleError as error:
        raise SynthesisError(f"the netlist holds a loop of {len(error.args[1]) - 1} nets") from None
    return round(max((time for edges in arrivals.values() for time, _ in edges.values()), default=0.0), 5)


def _arrival(
    arcs: list[Arc],
    connections: Mapping[str, list[int | str]],
    arrivals: Mapping[int | str, Edges],
    load: float,
) -> Edges:
    """When the output rises and falls at the latest, and its slew then."""
    found = dict(_IDEAL)
    for arc in arcs:
        (bit,) = connections[arc.source]
        if not isinstance(bit, int):  # a constant
            continue
        time, slew = arrivals[bit][arc.before]
        found[arc.after] = max(found[arc.after], (time + arc.delay.at(slew, load), arc.slew.at(slew, load)))
    return found
