"""The lookup tables of a Liberty: a figure by input slew and output load, for many slews and loads at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray

from ...golden.formats import ParameterError
from ..liberty.groups import Group, numbers

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]

#: What an axis may stand for. The load of a cell's other output is taken to be that of this one.
_AXES = {
    "input_net_transition": "slew",
    "input_transition_time": "slew",
    "related_pin_transition": "slew",
    "constrained_pin_transition": "slew",
    "total_output_net_capacitance": "load",
    "equal_or_opposite_output_net_capacitance": "load",
}


@dataclass(frozen=True)
class Table:
    """Values over axes, each of slews or loads; linear between them, and beyond the ends as in the first or last interval.

    Members
    -------
    axes : tuple of (str, tuple of float)
        For each dimension ``slew`` (library's time unit) or ``load`` (library's unit of capacitance) and the index; none
        for a constant.
    values : array
        One value for each point.
    """

    axes: tuple[tuple[str, tuple[float, ...]], ...]
    values: Floats


def look_up(tables: Sequence[Table | None], slews: Floats, loads: Floats) -> Floats:
    """The figures of tables at their slews, shape (gates, tables), and the gates' loads, shape (gates,).

    Returns an array of shape (gates, tables); 0 where there is no table.
    """
    found = np.zeros(slews.shape)
    alike: dict[tuple[tuple[str, tuple[float, ...]], ...], list[int]] = {}
    for place, table in enumerate(tables):
        if table is not None:
            alike.setdefault(table.axes, []).append(place)
    for axes, places in alike.items():
        values = np.array([tables[place].values for place in places])  # pyright: ignore[reportOptionalMemberAccess]
        corners = [_interval(index, slews[:, places] if kind == "slew" else loads[:, None]) for kind, index in axes]
        which = np.arange(len(places))
        for corner in product(*corners):
            weight = np.ones(())
            for _, part in corner:
                weight = weight * part
            found[:, places] += weight * values[(which, *(place for place, _ in corner))]
    return found


def _interval(index: tuple[float, ...], wanted: Floats) -> tuple[tuple[Ints, Floats], tuple[Ints, Floats]]:
    """The two points of the index around each value, with their weights."""
    points = np.array(index)
    place = np.searchsorted(points[1:-1], wanted, side="right")
    fraction = (wanted - points[place]) / (points[place + 1] - points[place])
    return (place, 1 - fraction), (place + 1, fraction)


def read_table(group: Group, templates: dict[str, Group]) -> Table:
    """The table of a group such as ``cell_rise (template)``.

    Raises
    ------
    ParameterError
        Its values are not as many as its indices say, or its template is not in the library.
    """
    try:
        values = numbers(group.values["values"])
        if group.name == "scalar" or len(values) == 1:
            return Table((), np.array(values[0]))
        template = templates[group.name]
        axes = []
        number = 1
        while f"variable_{number}" in template.values:
            key = f"index_{number}"
            index = tuple(numbers(group.values.get(key) or template.values[key]))
            axes.append((_AXES[template.values[f"variable_{number}"]], index))
            number += 1
        shaped = np.array(values).reshape([len(index) for _, index in axes])
    except (KeyError, ValueError, IndexError):
        raise ParameterError(
            f"liberty must hold tables of slew and load, not {group.kind} ({group.name}) of other values"
        ) from None
    # An index of one value says nothing of that axis.
    for number in reversed([number for number, (_, index) in enumerate(axes) if len(index) == 1]):
        shaped = shaped.take(0, axis=number)
        del axes[number]
    return Table(tuple(axes), shaped)
