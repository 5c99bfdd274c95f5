"""The area of a large array from its parts: one processing element, times their number, plus the frame around them.

The frame (skews, delays, drain, control) is nearly all registers in rows of any width, for which technology mapping of
the whole would take minutes. So its word-level cells are counted module by module, and each kind of cell is mapped once:
a bitwise cell (register, multiplexer, gate) as one bit of it, times its bits; any other as it stands. What this misses
is logic shared across cells and across the boundary of the processing element;
``tests/synth/area/test_parts.py`` compares it with flattened arrays.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ...golden.formats import ParameterError
from ..yosys.design import Design
from ..yosys.runner import Job, SynthesisError, Workers
from .measure import links
from .recipes import CELLS_REPORT, DESIGN_FILE, LIBERTY_FILE
from .targets import Target

_FRAME_REPORT = "frame.json"
_PROBE_FILE = "probe.json"
#: Word-level cells whose area is that of one bit times their bits.
_BITWISE = frozenset(
    ("$dff", "$dffe", "$sdff", "$sdffe", "$sdffce", "$adff", "$adffe", "$mux", "$and", "$or", "$xor", "$xnor", "$not")
)
#: A control input of a bitwise cell, which has one bit whatever its width.
_SINGLE = frozenset(("CLK", "EN", "SRST", "ARST", "S"))


#: A module of at most as many bits is mapped as a whole.
WHOLE_BITS = 3000
_REGISTERS = ("dff", "dffe", "dffce")


@dataclass(frozen=True)
class Part:
    """A part of an array.

    Members
    -------
    name : str
        "processing elements", an instance of the top module such as ``skew_a``, or "control" for the top's own logic.
    instances : int
        How many there are.
    area_um2, sequential_area_um2 : float
        Of all instances together.
    share : float
        Of the array's area, 0 … 1.
    """

    name: str
    instances: int
    area_um2: float
    sequential_area_um2: float
    share: float


@dataclass(frozen=True)
class Use:
    """A module in a context: the outputs that nothing reads, and the inputs that are constant with their bits."""

    module: str
    unused: frozenset[str] = frozenset()
    constants: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Element:
    """Processing elements used alike: at an edge of the array some outputs lead nowhere and some inputs are constant.

    Members
    -------
    use : Use
        How they are used.
    instances : int
        How many the array has.
    """

    use: Use
    instances: int


@dataclass(frozen=True)
class Frame:
    """An array without its processing elements.

    Members
    -------
    module : str
        The module of the processing elements.
    ports : dict
        Its ports, as Yosys' JSON has them.
    elements : list of Element
        The distinct uses of it, the most frequent first.
    areas : mapping of str to (float, float)
        Area and sequential area in µm² of everything else, by part.
    ffs : int
        Flip-flops of everything else.
    """

    module: str
    ports: Mapping[str, Any]
    elements: list[Element]
    areas: Mapping[str, tuple[float, float]]
    ffs: int

    def designs(self, design: Design) -> list[Design]:
        """Each of :attr:`elements` as a design of its own, with the ports that are used.

        ``design`` is the array, or the same array with its products formed in another architecture.
        """
        return [_element(design, self.ports, item.use, f"{self.module}_{n}") for n, item in enumerate(self.elements)]

    def parts(self, element_areas: Sequence[tuple[float, float]]) -> list[Part]:
        """All parts of the array, for area and sequential area of each of :attr:`elements`."""
        found = zip(self.elements, element_areas, strict=True)
        sums = [(item.instances * area, item.instances * registers) for item, (area, registers) in found]
        elements = sum(area for area, _ in sums), sum(registers for _, registers in sums)
        areas = {"processing elements": elements} | dict(self.areas)
        total = sum(area for area, _ in areas.values())
        count = sum(item.instances for item in self.elements)
        return [
            Part(name, 1 if place else count, round(area, 3), round(registers, 3), area / total)
            for place, (name, (area, registers)) in enumerate(areas.items())
        ]


@dataclass(frozen=True)
class _Element:
    name: str
    verilog: str
    metadata: Mapping[str, Any]


def measure_frame(design: Design, module: str, target: Target, workers: Workers) -> Frame:
    """The areas of all but the processing elements of an array.

    Parameters
    ----------
    design : Design
        The array.
    module : str
        The module of its processing elements.
    target : Target
        One with a cell library.
    workers : Workers
        Where the two jobs run.

    Raises
    ------
    ParameterError
        The target has no cell library.
    SynthesisError
        Yosys failed.
    """
    if target.liberty is None:
        raise ParameterError(f"target must have a cell library for an array by its parts, not {target.name!r}")
    label = f"frame of {design.name} on {target.name}"
    commands = (
        f"read_verilog {DESIGN_FILE}",
        f"hierarchy -check -top {design.name}",
        f"blackbox {module}",
        "proc",
        "setattr -unset init w:*",
        "opt",
        "opt_dff",
        "wreduce",
        "opt_clean",
        f"write_json {_FRAME_REPORT}",
    )
    modules = _reports(workers, Job(label, commands, {DESIGN_FILE: design.verilog}, {}))[_FRAME_REPORT]["modules"]
    cells = {name: _cells(item) for name, item in modules.items()}
    small = [
        name
        for name, item in modules.items()
        if not _is_blackbox(item) and sum(bits for _, _, bits in cells[name]) <= WHOLE_BITS
    ]
    whole = _whole(design, module, [name for name in modules if name not in small], target, workers, label)
    # Those below a large module are not there.
    own = {name: whole[name] for name in small if name in whole}
    kinds = {
        key: cell
        for name, found in cells.items()
        if name not in own
        for key, cell, _ in found
        if cell["type"] not in modules
    }
    prices = _prices(kinds, target, workers, label)
    areas: dict[str, tuple[float, float]] = {}
    ffs = 0
    used: Counter[Use] = Counter()
    for name, uses in _by_instance(modules, design.name).items():
        for use, count in uses.items():
            if use.module == module:
                used[use] += count
                continue
            inside = [(key, cell["type"], bits) for key, cell, bits in cells[use.module] if cell["type"] not in modules]
            if use.module in own:
                area, registers = own[use.module]
            else:
                area = sum(bits * prices[key][0] for key, _, bits in inside)
                registers = sum(bits * prices[key][1] for key, _, bits in inside)
            before = areas.get(name, (0.0, 0.0))
            areas[name] = before[0] + count * area, before[1] + count * registers
            ffs += count * sum(bits for _, kind, bits in inside if kind.endswith(_REGISTERS))
    elements = [Element(use, count) for use, count in used.most_common()]
    return Frame(module, modules[module]["ports"], elements, areas, ffs)


def _reports(workers: Workers, job: Job) -> dict[str, Any]:
    (outcome,) = workers.run([job])
    if isinstance(outcome, SynthesisError):
        raise outcome
    return outcome.reports


def _whole(
    design: Design, element: str, large: Sequence[str], target: Target, workers: Workers, label: str
) -> dict[str, tuple[float, float]]:
    """Area and sequential area of each module that is not ``large``, mapped as a whole, submodules apart."""
    commands = (
        f"read_verilog {DESIGN_FILE}",
        f"hierarchy -check -top {design.name}",
        f"blackbox {' '.join(dict.fromkeys((element, *large)))}",
        "proc",
        "setattr -unset init w:*",
        f"synth -top {design.name} -noabc",
        f"dfflibmap -liberty {LIBERTY_FILE}",
        f"abc -liberty {LIBERTY_FILE} -script +strash;ifraig;dc2;dch,-f;amap,-m",
        "opt_clean -purge",
        f"tee -q -o {CELLS_REPORT} stat -json -liberty {LIBERTY_FILE}",
    )
    job = Job(label, commands, {DESIGN_FILE: design.verilog}, links(target.liberty))
    report = {name[1:]: item for name, item in _reports(workers, job)[CELLS_REPORT]["modules"].items()}

    def figures(name: str) -> tuple[float, float]:
        # The figures of a module include its submodules'.
        children = [
            (count, report[kind]) for kind, count in report[name]["num_cells_by_type"].items() if kind in report
        ]
        area, registers = (
            float(report[name].get(key, 0.0)) - sum(count * float(item.get(key, 0.0)) for count, item in children)
            for key in ("area", "sequential_area")
        )
        return area, registers

    return {name: figures(name) for name in report}


def _cells(module: Mapping[str, Any]) -> list[tuple[str, dict[str, Any], int]]:
    """The cells of a module: a key that is equal for cells of equal price, the cell to map, and its multiplicity."""
    found = []
    for cell in module["cells"].values():
        kind, parameters, bits = cell["type"], dict(cell["parameters"]), 1
        if kind in _BITWISE:
            bits = int(parameters["WIDTH"] if "WIDTH" in parameters else parameters["Y_WIDTH"], 2)
            parameters = {name: _one_bit(name, value) for name, value in parameters.items()}
        single = {"type": kind, "parameters": parameters, "port_directions": cell["port_directions"]}
        single["widths"] = {
            port: len(connection) if bits == 1 or port in _SINGLE else 1
            for port, connection in cell["connections"].items()
        }
        found.append((json.dumps(single, sort_keys=True), single, bits))
    return found


def _one_bit(name: str, value: str) -> str:
    """A parameter of a bitwise cell for one bit: widths become 1, reset values their lowest bit."""
    if name.endswith("WIDTH"):
        return f"{1:032b}"
    return value[-1] if name in ("SRST_VALUE", "ARST_VALUE") else value


def _prices(
    kinds: Mapping[str, dict[str, Any]], target: Target, workers: Workers, label: str
) -> dict[str, tuple[float, float]]:
    """Area and sequential area of each kind of cell, each mapped as a module of its own."""
    if not kinds:
        return {}
    names = {f"cell{place}": key for place, key in enumerate(kinds)}
    modules = {name: _probe(kinds[key]) for name, key in names.items()}
    # A top that holds them all, for the passes that want one.
    cells = {name: {"type": name, "parameters": {}, "attributes": {}, "connections": {}} for name in modules}
    modules["probe"] = {"attributes": {"top": f"{1:032b}"}, "ports": {}, "cells": cells, "netnames": {}}
    commands = (
        f"read_json {_PROBE_FILE}",
        "setattr -mod -set keep_hierarchy 1 *",
        "setattr -set keep 1 probe/c:*",
        "synth -top probe -noabc",
        f"dfflibmap -liberty {LIBERTY_FILE}",
        f"abc -liberty {LIBERTY_FILE} -script +strash;ifraig;dc2;amap,-m",
        f"tee -q -o {CELLS_REPORT} stat -json -liberty {LIBERTY_FILE}",
    )
    files = {_PROBE_FILE: json.dumps({"creator": "polymac", "modules": modules})}
    report = _reports(workers, Job(label, commands, files, links(target.liberty)))[CELLS_REPORT]["modules"]
    prices = {}
    for name, key in names.items():
        found = report[f"\\{name}"]
        prices[key] = float(found.get("area", 0.0)), float(found.get("sequential_area", 0.0))
    return prices


def _probe(cell: Mapping[str, Any]) -> dict[str, Any]:
    """A module whose ports are those of the cell."""
    ports, connections, bit = {}, {}, 2
    for port, width in cell["widths"].items():
        bits = list(range(bit, bit + width))
        bit += width
        connections[port] = bits
        ports[port] = {"direction": cell["port_directions"][port], "bits": bits}
    inside = {
        "type": cell["type"],
        "parameters": cell["parameters"],
        "attributes": {},
        "port_directions": cell["port_directions"],
        "connections": connections,
    }
    return {"attributes": {}, "ports": ports, "cells": {"cell": inside}, "netnames": {}}


def _by_instance(modules: Mapping[str, Any], top: str) -> dict[str, Counter[Use]]:
    """The modules below each instance of the top module; "control" is the top's own."""
    inside = _children(modules, Use(top))
    return {"control": Counter({Use(top): 1})} | {name: _below(modules, use) for name, use in inside.items()}


def _below(modules: Mapping[str, Any], use: Use) -> Counter[Use]:
    """How often each use of a module occurs in this one, itself included."""
    counts = Counter({use: 1})
    for child, number in Counter(_children(modules, use).values()).items():
        for below, count in _below(modules, child).items():
            counts[below] += number * count
    return counts


def _children(modules: Mapping[str, Any], use: Use) -> dict[str, Use]:
    """The submodules of a module by instance, as they are used there."""
    module = modules[use.module]
    if _is_blackbox(module):
        return {}
    values = {
        bit: value
        for name, text in use.constants
        for bit, value in zip(module["ports"][name]["bits"], text, strict=True)
    }
    read = {
        bit
        for name, port in module["ports"].items()
        if port["direction"] == "output" and name not in use.unused
        for bit in port["bits"]
    }
    for cell in module["cells"].values():
        for port, bits in cell["connections"].items():
            if cell["port_directions"][port] == "input":
                read.update(bits)
    found = {}
    for name, cell in module["cells"].items():
        if cell["type"] not in modules:
            continue
        ports = modules[cell["type"]]["ports"]
        unused, constants = set(), {}
        for port, item in ports.items():
            bits = [values.get(bit, bit) for bit in cell["connections"].get(port, [])]
            if item["direction"] == "output":
                if not read.intersection(bits):
                    unused.add(port)
            elif not any(isinstance(bit, int) for bit in bits):
                constants[port] = "".join(map(str, bits)) or "x" * len(item["bits"])
        found[name] = Use(cell["type"], frozenset(unused), tuple(sorted(constants.items())))
    return found


def _element(design: Design, all_ports: Mapping[str, Any], use: Use, name: str) -> Design:
    """A design of one processing element in its context."""
    constants = dict(use.constants)
    ports, connections = [], []
    for port, item in all_ports.items():
        width = len(item["bits"])
        if port in constants:
            # Bit 0 comes first in Yosys' JSON and last in Verilog.
            connections.append(f".{port}({width}'b{constants[port][::-1]})")
        elif port not in use.unused:
            ports.append(f"  {item['direction']} [{width - 1}:0] {port}")
            connections.append(f".{port}({port})")
    wrapper = f"\nmodule {name} (\n{_lines(ports)}\n);\n  {use.module} pe ({', '.join(connections)});\nendmodule\n"
    return _Element(name, design.verilog + wrapper, design.metadata)


def _lines(items: Sequence[str]) -> str:
    return ",\n".join(items)


def _is_blackbox(module: Mapping[str, Any]) -> bool:
    return int(module["attributes"].get("blackbox", "0"), 2) == 1
