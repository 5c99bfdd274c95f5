"""Seeded faults: a design broken in many ways at once, of which an input chooses one.

One model of the broken design serves every fault, where a build for each would take hours. A verification that does not
notice a fault is either blind to it, or the fault is none, since the design computes the same: :func:`classify` finds out.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ...golden.formats import check_int
from ..proofs.netlists import compare
from ..yosys.design import Design
from ..yosys.netlist import Bit, Cell, Netlist
from .mutations import Change, mutations

#: The input that chooses a fault; 0 is none.
PORT = "fault"


@dataclass(frozen=True)
class Fault:
    """One way in which a design is broken.

    Attributes
    ----------
    kind, change : str
        The class of mutation, and what it does.
    line, verilog : int, str
        Where: the line of the design's Verilog.
    cell : str
        The netlist's cell.
    """

    kind: str
    change: str
    line: int
    verilog: str
    cell: str
    mutate: Change = field(repr=False, compare=False)

    def __str__(self) -> str:
        instances = ".".join(re.findall(r"\\([a-z]\w*)\.", self.cell))
        return f"{f'{instances}, ' * bool(instances)}line {self.line}: {self.verilog} [{self.change}]"


@dataclass(frozen=True)
class Broken:
    """A design with faults: as ``name``, ``verilog`` and ``metadata`` show, it has one input more than the sound one, and
    with ``fault`` = n it behaves as with ``faults[n - 1]``; with 0, as the sound one. Its latency is given as 0, so that
    a simulation reads its outputs cycle by cycle."""

    name: str
    verilog: str
    metadata: dict[str, Any]
    faults: tuple[Fault, ...]


def faults_of(design: Design, netlist: Netlist) -> list[Fault]:
    """Every fault that a design can have, in the order of its netlist."""
    lines = design.verilog.splitlines()
    read = netlist.read_bits()
    found = []
    for name, cell in netlist.cells.items():
        line, text = _place(lines, cell)
        found += [Fault(kind, change, line, text, name, mutate) for kind, change, mutate in mutations(cell, read)]
    return found


def _place(lines: Sequence[str], cell: Cell) -> tuple[int, str]:
    """The line of Verilog that a cell comes from, not the lines of the instances that hold it."""
    line, text = 0, cell["type"]
    for number in re.findall(r":(\d+)\.", cell["attributes"].get("src", "")):
        found = lines[int(number) - 1].strip()
        if found.startswith(("assign", "wire", "always", "if")):
            # A register is at its "always"; what it is assigned follows.
            line = int(number) + found.startswith("always")
            text = lines[line - 1].strip().rstrip(";").removeprefix("assign ")
    return line, text


def sample(faults: Sequence[Fault], count: int, seed: int) -> list[Fault]:
    """``count`` of the faults at random, as many of each kind as there are; all where they are fewer."""
    check_int("count", count, 1)
    order = np.random.default_rng(seed).permutation(len(faults))
    kinds: dict[str, list[Fault]] = {}
    for index in order:
        kinds.setdefault(faults[index].kind, []).append(faults[index])
    # The first of every kind, the second of every kind, and so on.
    rounds = sorted((rank, kind, fault) for kind, group in kinds.items() for rank, fault in enumerate(group))
    return [fault for _, _, fault in rounds[:count]]


def break_design(design: Design, netlist: Netlist, faults: Sequence[Fault]) -> Broken:
    """The design with all the given faults, of which its input ``fault`` chooses one."""
    net = netlist.copy()
    width = len(faults).bit_length()
    chosen = net.port(PORT, width)
    selects: list[Bit] = []
    for index in range(1, len(faults) + 1):
        (select,) = net.fresh(1)
        number = [str(index >> place & 1) for place in range(width)]
        parameters = {"A_SIGNED": 0, "A_WIDTH": width, "B_SIGNED": 0, "B_WIDTH": width, "Y_WIDTH": 1}
        net.add("$eq", parameters, {"A": chosen, "B": number, "Y": [select]}, "Y")
        selects.append(select)
    _insert(net, faults, selects)
    port = {"name": PORT, "direction": "input", "width": width, "role": "control"}
    port |= {"format": None, "elements": 1, "stream": None}
    metadata = dict(design.metadata) | {"ports": [*design.metadata["ports"], port], "latency": 0}
    return Broken(design.name, net.verilog(), metadata, tuple(faults))


def _insert(net: Netlist, faults: Sequence[Fault], selects: Sequence[Bit]) -> None:
    """Put faults into a netlist, each behind its select."""
    by_cell: dict[str, list[tuple[Fault, Bit]]] = {}
    for fault, select in zip(faults, selects, strict=True):
        by_cell.setdefault(fault.cell, []).append((fault, select))
    for name, group in by_cell.items():
        cell = net.cells[name]
        given = cell["connections"]
        if "Q" in given:  # a register keeps its output, which has an initial value
            value = given["D"]
            sound = dict(cell, connections=dict(given))
            for fault, select in group:
                value = net.multiplexer(value, fault.mutate(net, sound), select)
            given["D"] = value
            continue
        output, given["Y"] = given["Y"], net.fresh(len(given["Y"]))
        value = given["Y"]
        for fault, select in group:
            value = net.multiplexer(value, fault.mutate(net, cell), select)
        net.add("$pos", {"A_SIGNED": 0, "A_WIDTH": len(value), "Y_WIDTH": len(value)}, {"A": value, "Y": output}, "Y")


def classify(netlist: Netlist, fault: Fault, *, reset: bool = True, timeout: float = 20.0) -> tuple[str, str]:
    """Whether a design with a fault computes the same as without, and how that was found.

    Parameters
    ----------
    netlist, fault : Netlist, Fault
        The sound design, and what is wrong.
    reset : bool
        Whether resets count. Without, cycles with a reset are left out: what a reset leaves in a pipeline is not seen if
        nothing else of the pipeline's state is.
    timeout : float
        Seconds that the search for a proof may take.

    Returns
    -------
    verdict, method : str
        As :func:`.proofs.netlists.compare`.
    """
    sound = netlist if reset else netlist.tied("rst")
    broken = sound.copy()
    _insert(broken, [fault], ["1"])
    return compare(sound, broken, str(fault), timeout=timeout)
