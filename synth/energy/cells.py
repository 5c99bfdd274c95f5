"""What energy needs of a library's cells: pins, functions, registers, delays, and tables of power and leakage."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from functools import cached_property
from typing import Protocol

from ...golden.formats import ParameterError
from ..liberty.boolean import BooleanFunction, boolean_function
from ..liberty.groups import SCALES, Group, read_library, unit_in
from .tables import Table, read_table

_CHECKS = ("setup", "hold", "recovery", "removal", "skew", "min_pulse_width", "minimum_period", "nochange", "non_seq")

#: Cells read before, by the hash of the file and their names: many netlists are measured with one library.
_read: dict[tuple[str, frozenset[str]], PowerLibrary] = {}
_KEPT = 16


class Library(Protocol):
    """A Liberty file, as :class:`polymac.synth.LibertyFile` is: its path, for errors, its bytes, and their hash."""

    @property
    def path(self) -> str: ...
    @cached_property
    def content(self) -> bytes: ...
    @cached_property
    def sha256(self) -> str: ...


@dataclass(frozen=True)
class Arc:
    """A table of rising and one of falling edges of a pin, with what they are for; either may be missing.

    Members
    -------
    related : tuple of str
        The pins whose change causes the edge; empty for an input's own.
    when : BooleanFunction or None
        The state it is for.
    sense : str
        Timing: ``timing_sense``, or empty.
    rail : str
        Power: the supply pin, or empty.
    rise, fall : Table or None
        Energy, or delay.
    rise_slew, fall_slew : Table or None
        Timing: the output's slew.
    """

    related: tuple[str, ...]
    when: BooleanFunction | None
    sense: str
    rail: str
    rise: Table | None
    fall: Table | None
    rise_slew: Table | None = None
    fall_slew: Table | None = None


@dataclass(frozen=True)
class Leakage:
    """Leakage power in a state, in the library's unit."""

    when: BooleanFunction | None
    rail: str
    value: float


@dataclass(frozen=True)
class Pin:
    """A pin: its capacitance in the library's unit; an output's function, ``None`` where it has none; arcs."""

    name: str
    output: bool
    capacitance: float
    function: BooleanFunction | None
    timing: tuple[Arc, ...]
    power: tuple[Arc, ...]


@dataclass(frozen=True)
class Register:
    """A flip-flop: the names of its state and of the inverse, its next state, clock pin, asynchronous clear and preset."""

    state: str
    inverse: str
    next_state: BooleanFunction
    clock: str
    clear: BooleanFunction | None
    preset: BooleanFunction | None


@dataclass(frozen=True)
class Cell:
    """A library cell."""

    name: str
    pins: dict[str, Pin]
    register: Register | None
    leakage: tuple[Leakage, ...]
    mean_leakage: float

    @property
    def inputs(self) -> list[Pin]:
        """Its input pins."""
        return [pin for pin in self.pins.values() if not pin.output]

    @property
    def outputs(self) -> list[Pin]:
        """Its output pins."""
        return [pin for pin in self.pins.values() if pin.output]


@dataclass(frozen=True)
class PowerLibrary:
    """The cells asked for, and the library's units in SI units.

    Members
    -------
    name : str
        The library's.
    cells : dict of str to Cell
        Those that were asked for and are there.
    voltage : float or None
        The supply in V, of the default operating conditions; None where the library gives none.
    time, capacitance, leakage : float
        Its units in s, F and W.
    energy : float
        The unit of its power tables in J: capacitance · voltage² (Liberty User Guide, "internal_power").
    """

    name: str
    cells: dict[str, Cell] = field(repr=False)
    voltage: float | None
    time: float
    capacitance: float
    leakage: float
    energy: float


def read_power_library(library: Library, cells: Collection[str]) -> PowerLibrary:
    """The cells of those names of a Liberty file.

    Raises
    ------
    ParameterError
        The file is not a whole Liberty file, or a cell or unit of it cannot be understood.
    """
    key = library.sha256, frozenset(cells)
    if key not in _read:
        while len(_read) >= _KEPT:
            del _read[next(iter(_read))]
        _read[key] = _power_library(library, cells)
    return _read[key]


def _power_library(library: Library, cells: Collection[str]) -> PowerLibrary:
    root = read_library(library.content.decode("utf-8", "replace"), library.path, cells)
    templates = {item.name: item for item in root.groups if item.kind.endswith("_template")}
    volt = unit_in(root, "voltage_unit", "1V")
    number, _, suffix = root.values.get("capacitive_load_unit", "1 pf").partition(" ")
    farad = _number(number) * SCALES.get(suffix.lower().removesuffix("f"), 1e-12)
    return PowerLibrary(
        root.name,
        {item.name: _cell(item, root, templates) for item in root.all("cell")},
        _voltage(root, volt),
        unit_in(root, "time_unit", "1ns"),
        farad,
        unit_in(root, "leakage_power_unit", "1nW"),
        farad * volt**2,
    )


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise ParameterError(f"liberty must hold numbers, not {text!r}") from None


def _voltage(root: Group, volt: float) -> float | None:
    default = root.values.get("default_operating_conditions")
    conditions = (item.values.get("voltage") for item in root.all("operating_conditions") if item.name == default)
    found = next(conditions, None) or root.values.get("nom_voltage")
    return None if found is None else _number(found) * volt


def _cell(group: Group, root: Group, templates: dict[str, Group]) -> Cell:
    for kind in ("latch", "statetable", "ff_bank", "latch_bank", "bus", "bundle"):
        if any(group.all(kind)):
            raise ParameterError(f"the netlist must hold gates and flip-flops, not {group.name}, which has a {kind}")
    pins = {item.name: _pin(item, group.name, root, templates) for item in group.all("pin")}
    pins = {name: pin for name, pin in pins.items() if pin is not None}
    leakage = tuple(
        Leakage(
            _function(item.values.get("when")), item.values.get("related_pg_pin", ""), _number(item.values["value"])
        )
        for item in group.all("leakage_power")
        if "value" in item.values
    )
    mean = group.values.get("cell_leakage_power") or root.values.get("default_cell_leakage_power") or "0"
    if "cell_leakage_power" not in group.values and leakage:
        mean = str(sum(item.value for item in leakage) / len({item.when.text if item.when else "" for item in leakage}))
    register = next((_register(item, group.name) for item in group.all("ff")), None)
    return Cell(group.name, pins, register, leakage, _number(mean))


def _register(group: Group, cell: str) -> Register:
    state, _, inverse = group.name.partition(" ")
    clock = _function(group.values.get("clocked_on"))
    next_state = _function(group.values.get("next_state"))
    if clock is None or len(clock.names) != 1 or next_state is None:
        raise ParameterError(f"the netlist must hold flip-flops of one clock, not {cell}")
    clear, preset = (_function(group.values.get(key)) for key in ("clear", "preset"))
    return Register(state, inverse, next_state, clock.names[0], clear, preset)


def _pin(group: Group, cell: str, root: Group, templates: dict[str, Group]) -> Pin | None:
    direction = group.values.get("direction", "")
    if direction == "internal":
        return None
    if direction not in ("input", "output") or "three_state" in group.values:
        raise ParameterError(
            f"the netlist must hold cells of inputs and outputs, not {cell}, whose {group.name} is neither"
        )
    output = direction == "output"
    found = group.values.get("capacitance")
    edges = [group.values[key] for key in ("rise_capacitance", "fall_capacitance") if key in group.values]
    if found is None and edges:
        found = str(sum(map(_number, edges)) / len(edges))
    capacitance = _number(found or root.values.get(f"default_{direction}_pin_cap", "0"))
    timing = [
        _timing(item, templates)
        for item in group.all("timing")
        if not item.values.get("timing_type", "").startswith(_CHECKS)
    ]
    power = [_power(item, templates) for item in group.all("internal_power")]
    function = _function(group.values.get("function"))
    return Pin(group.name, output, capacitance, function, tuple(timing), tuple(power))


def _function(text: str | None) -> BooleanFunction | None:
    return None if text is None or not text.strip() else boolean_function(text)


def _timing(group: Group, templates: dict[str, Group]) -> Arc:
    tables = {item.kind: item for item in group.groups}
    kinds = ("cell_rise", "cell_fall", "rise_transition", "fall_transition")
    found = [read_table(tables[kind], templates) if kind in tables else None for kind in kinds]
    related = tuple(group.values.get("related_pin", "").split())
    return Arc(related, _function(group.values.get("when")), group.values.get("timing_sense", ""), "", *found)


def _power(group: Group, templates: dict[str, Group]) -> Arc:
    tables = {item.kind: item for item in group.groups}
    both = tables.get("power")
    edges = [tables.get(f"{edge}_power", both) for edge in ("rise", "fall")]
    rise, fall = (None if item is None else read_table(item, templates) for item in edges)
    related = tuple(group.values.get("related_pin", "").split())
    return Arc(related, _function(group.values.get("when")), "", group.values.get("related_pg_pin", ""), rise, fall)
