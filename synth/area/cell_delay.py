"""The delay of a netlist of library cells by the tables of its Liberty, through cells of several outputs as well.

ABC times what it maps, but takes a full-adder cell for a box that has no delay. This is the same kind of timing: no
wires, no load on outputs, ideal slew at inputs.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from graphlib import CycleError, TopologicalSorter
from typing import Any

from ...golden.formats import ParameterError
from ..liberty.groups import Group, numbers, read_library, unit_in
from ..yosys.runner import SynthesisError

#: What an output does for either edge of an input.
_SENSES = {
    "positive_unate": (("rise", "rise"), ("fall", "fall")),
    "negative_unate": (("fall", "rise"), ("rise", "fall")),
    "non_unate": (("rise", "rise"), ("rise", "fall"), ("fall", "rise"), ("fall", "fall")),
}
#: When a net rises and falls at the latest, and its slews then.
Edges = dict[str, tuple[float, float]]
#: An index of tables that do not depend on it.
_ANY = [0.0, 1.0]
#: Variables that are the columns of a table: the load of an output, the slew of data at a flip-flop.
_LOADS = ("total_output_net_capacitance",)
_COLUMNS = (*_LOADS, "constrained_pin_transition")
_IDEAL: Edges = {"rise": (0.0, 0.0), "fall": (0.0, 0.0)}


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


#: Of a cell whose library gives the delay alone.
_NO_SLEW = Table(_ANY, _ANY, [[0.0, 0.0], [0.0, 0.0]])


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
    """A library cell.

    Members
    -------
    loads : dict of str to float
        The capacitance of each input.
    arcs : dict of str to list of Arc
        Combinational arcs to each output.
    launches : dict of str to dict
        Flip-flops: by output and edge, delay and slew from the active edge of the clock.
    setups : dict of str to dict
        Flip-flops: by input and edge, how long before the active edge it must be stable.
    """

    loads: dict[str, float] = field(default_factory=dict)
    arcs: dict[str, list[Arc]] = field(default_factory=lambda: defaultdict(list))
    launches: dict[str, dict[str, tuple[Table, Table]]] = field(default_factory=dict)
    setups: dict[str, dict[str, Table]] = field(default_factory=dict)


def read_cells(text: str, path: str = "library.lib") -> dict[str, Cell]:
    """The cells of a Liberty file by name, their delays and slews in ns whatever the library's unit of time.

    ``path`` is what errors call the file.

    Raises
    ------
    ParameterError
        The text is not a whole Liberty file, or a number, table or unit of it cannot be understood.
    """
    library = read_library(text, path)
    templates = {group.name: group for group in library.groups if group.kind.endswith("template")}
    nanoseconds = unit_in(library, "time_unit", "1ns") / 1e-9
    return {group.name: _cell(group, library, templates, nanoseconds) for group in library.all("cell")}


def _cell(group: Group, library: Group, templates: Mapping[str, Group], unit: float) -> Cell:
    cell = Cell()

    def table(group: Group) -> Table:
        return _table(group, templates, unit)

    for pin in group.all("pin"):
        if pin.values.get("direction") == "input":
            cell.loads[pin.name] = _capacitance(pin, library)
        for timing in pin.all("timing"):
            tables = {item.kind: item for item in timing.groups}
            kind = timing.values.get("timing_type", "combinational")
            if {"cell_rise", "cell_fall"} <= set(tables):
                found = {
                    edge: (
                        table(tables[f"cell_{edge}"]),
                        table(tables[f"{edge}_transition"]) if f"{edge}_transition" in tables else _NO_SLEW,
                    )
                    for edge in ("rise", "fall")
                }
                if kind in ("rising_edge", "falling_edge"):
                    cell.launches.setdefault(pin.name, found)
                elif kind == "combinational" and (sense := timing.values.get("timing_sense")) in _SENSES:
                    for source in timing.values.get("related_pin", "").split():
                        for before, after in _SENSES[sense]:
                            cell.arcs[pin.name].append(Arc(source, before, after, *found[after]))
            elif kind in ("setup_rising", "setup_falling"):
                cell.setups[pin.name] = {
                    edge: table(tables[f"{edge}_constraint"])
                    for edge in ("rise", "fall")
                    if f"{edge}_constraint" in tables
                }
    return cell


def _capacitance(pin: Group, library: Group) -> float:
    """What an input loads its driver with: given, else the mean over both edges, else the library's default."""
    edges = [pin.values[key] for key in ("rise_capacitance", "fall_capacitance") if key in pin.values]
    given = pin.values.get("capacitance")
    found = [given] if given is not None else edges or [library.values.get("default_input_pin_cap", "0")]
    try:
        return sum(map(float, found)) / len(found)
    except ValueError:
        raise ParameterError(f"liberty must hold numbers, not {' '.join(found)!r}") from None


def _table(group: Group, templates: Mapping[str, Group], unit: float) -> Table:
    """The table of a group, in ns; ``unit`` is the library's unit of time in ns.

    Its indices are those of its template where it has none; less than two dimensions are constant in the others.
    """
    template = templates.get(group.name, Group("", ""))
    try:
        values = [value * unit for value in numbers(group.values["values"])]
        axes = []
        for number in ("1", "2"):
            index = group.values.get(f"index_{number}") or template.values.get(f"index_{number}")
            if index is not None and len(numbers(index)) > 1 and len(values) > 1:
                axes.append((template.values.get(f"variable_{number}", ""), numbers(index)))
        return _arranged(values, axes, unit)
    except (KeyError, ValueError, IndexError):
        raise ParameterError(
            f"liberty must hold tables of slew and load, not {group.kind} ({group.name}) of other values"
        ) from None


def _arranged(values: list[float], axes: list[tuple[str, list[float]]], unit: float) -> Table:
    """The table of values over named axes, slews in the rows.

    Raises
    ------
    ValueError, IndexError
        The values are not as many as the indices say.
    """
    size = 1
    for _, index in axes:
        size *= len(index)
    if len(values) != size:
        raise ValueError
    if not axes:
        return Table(_ANY, _ANY, [[values[0]] * 2] * 2)
    first, index = axes[0]
    if len(axes) == 1:
        if first in _LOADS:
            return Table(_ANY, index, [values] * 2)
        index = [slew * unit for slew in index]
        if first in _COLUMNS:
            return Table(_ANY, index, [values] * 2)
        return Table(index, _ANY, [[item] * 2 for item in values])
    second, other = axes[1]
    # What is not a load is a slew: of the input, or, in a constraint, of the clock and the data.
    # Axes without a name, whose template is missing, are taken for slew and load.
    loads = (*_LOADS, "") if first == "" else _LOADS
    index = index if first in _LOADS else [slew * unit for slew in index]
    other = other if second in loads else [slew * unit for slew in other]
    rows = [values[i : i + len(other)] for i in range(0, len(values), len(other))]
    if first in _COLUMNS and second != first:
        return Table(other, index, [list(column) for column in zip(*rows, strict=True)])
    return Table(index, other, rows)


def longest_path(
    module: Mapping[str, Any], cells: Mapping[str, Cell], *, registers: bool = False, wire_cap: float = 0.0
) -> float:
    """The longest delay in ns from an input of a flat netlist, or a register, to an output, or a register.

    Parameters
    ----------
    module : mapping
        As Yosys' JSON has it.
    cells : mapping of str to Cell
        As :func:`read_cells` reads them.
    registers : bool
        Paths from a flip-flop begin with its clock-to-output delay, and those to one end with its setup time, the clock
        being ideal: the result is the shortest clock period.
    wire_cap : float
        Capacitance that the wire to each sink adds, in the library's unit.

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
                loads[bit] += cell.loads[port] + wire_cap
            else:
                drivers[bit] = name, port
    sorter: TopologicalSorter[int | str] = TopologicalSorter()
    for bit, (name, port) in drivers.items():
        item = module["cells"][name]
        arcs = cells[item["type"]].arcs.get(port, [])
        sorter.add(bit, *(item["connections"][arc.source][0] for arc in arcs))
    arrivals: dict[int | str, Edges] = defaultdict(lambda: _IDEAL)
    try:
        for bit in sorter.static_order():
            if bit in drivers:
                name, port = drivers[bit]
                item = module["cells"][name]
                cell = cells[item["type"]]
                if port in cell.launches:
                    arrivals[bit] = _launched(cell.launches[port], loads[bit]) if registers else _IDEAL
                else:
                    arrivals[bit] = _arrival(cell.arcs.get(port, []), item["connections"], arrivals, loads[bit])
    except CycleError as error:
        raise SynthesisError(f"the netlist holds a loop of {len(error.args[1]) - 1} nets") from None
    longest = max((time for edges in arrivals.values() for time, _ in edges.values()), default=0.0)
    if registers:
        longest = max([longest, *_arrivals_at_registers(module, cells, arrivals)])
    return round(longest, 5)


def _launched(tables: Mapping[str, tuple[Table, Table]], load: float) -> Edges:
    """When the output of a flip-flop rises and falls after the clock's edge, and its slews."""
    return {edge: (delay.at(0.0, load), slew.at(0.0, load)) for edge, (delay, slew) in tables.items()}


def _arrivals_at_registers(
    module: Mapping[str, Any], cells: Mapping[str, Cell], arrivals: Mapping[int | str, Edges]
) -> Iterator[float]:
    """When the inputs of flip-flops have been stable for their setup time."""
    for item in module["cells"].values():
        for port, tables in cells[item["type"]].setups.items():
            (bit,) = item["connections"][port]
            for edge, table in tables.items():
                time, slew = arrivals[bit][edge]
                # Rows of a constraint are the clock's slews; columns the data's.
                yield time + table.at(0.0, slew)


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
