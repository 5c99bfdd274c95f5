"""A generated design as a word-level netlist that Python can change: Yosys' JSON of one flat module."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from .design import Design
from .runner import Job, Outcome, Workers

#: A bit of a net: its number, or "0", "1" or "x".
Bit = int | str
#: A cell as Yosys' JSON has it: type, parameters (numbers as binary text), connections (bits by port).
Cell = dict[str, Any]

_SECONDS = 120.0
#: From a word-level cell to what drives it: the ports that are no inputs.
OUTPUTS = ("Y", "Q")


class Netlist:
    """One flat module: word-level cells and registers whose reset is a multiplexer before them.

    Attributes
    ----------
    name : str
        The module's.
    module : dict
        As Yosys' JSON has it.
    """

    def __init__(self, name: str, module: dict[str, Any]) -> None:
        self.name = name
        self.module = module
        nets = (bit for net in module["netnames"].values() for bit in net["bits"])
        self._next = 1 + max(bit for bit in nets if isinstance(bit, int))

    @classmethod
    def of(cls, design: Design) -> Netlist:
        """The netlist of a generated design.

        Raises
        ------
        SynthesisError
            Yosys does not read the Verilog.
        """
        commands = ("read_verilog design.v", f"hierarchy -top {design.name}", "proc", "flatten -noscopeinfo")
        job = Job(design.name, (*commands, "opt_clean", "write_json netlist.json"), {"design.v": design.verilog})
        return cls(design.name, run(job).reports["netlist.json"]["modules"][design.name])

    @property
    def cells(self) -> dict[str, Cell]:
        """Cells by name."""
        return self.module["cells"]

    def copy(self) -> Netlist:
        """A netlist of its own."""
        return Netlist(self.name, copy.deepcopy(self.module))

    def fresh(self, width: int) -> list[Bit]:
        """Bits of a new net."""
        bits: list[Bit] = list(range(self._next, self._next + width))
        self._next += width
        return bits

    def add(self, kind: str, parameters: Mapping[str, int], connections: Mapping[str, Sequence[Bit]], out: str) -> None:
        """A new cell; ``out`` is the port that it drives."""
        name = f"$added${len(self.cells)}"
        if out == "Q":  # a register starts at 0
            initial = {
                "hide_name": 1,
                "bits": list(connections[out]),
                "attributes": {"init": "0" * len(connections[out])},
            }
            self.module["netnames"][f"{name}$q"] = initial
        self.cells[name] = {
            "type": kind,
            "parameters": {name: f"{value:032b}" for name, value in parameters.items()},
            "attributes": {},
            "port_directions": {port: "output" if port == out else "input" for port in connections},
            "connections": {port: list(bits) for port, bits in connections.items()},
        }

    def multiplexer(self, otherwise: Sequence[Bit], then: Sequence[Bit], select: Bit) -> list[Bit]:
        """Bits that are ``then`` where ``select`` is 1."""
        result = self.fresh(len(then))
        self.add("$mux", {"WIDTH": len(then)}, {"A": otherwise, "B": then, "S": [select], "Y": result}, "Y")
        return result

    def tied(self, port: str) -> Netlist:
        """A copy in which an input is 0 for all that reads it."""
        net = self.copy()
        zeros = set(net.module["ports"][port]["bits"])
        for cell in net.cells.values():
            for name, bits in inputs_of(cell):
                cell["connections"][name] = ["0" if bit in zeros else bit for bit in bits]
        return net

    def masked(self, by: str) -> Netlist:
        """A copy whose other outputs are 0 where that output is 0."""
        net = self.copy()
        ports, names = net.module["ports"], net.module["netnames"]
        (valid,) = ports[by]["bits"]
        for name, port in ports.items():
            if port["direction"] == "output" and name != by:
                port["bits"] = net.multiplexer(["0"] * len(port["bits"]), port["bits"], valid)
                names[name] = {"hide_name": 0, "bits": port["bits"], "attributes": {}}
        return net

    def port(self, name: str, width: int) -> list[Bit]:
        """A new input of the module."""
        bits = self.fresh(width)
        self.module["ports"][name] = {"direction": "input", "bits": bits}
        self.module["netnames"][name] = {"hide_name": 0, "bits": bits, "attributes": {}}
        return bits

    def read_bits(self) -> set[Bit]:
        """The bits that a cell reads or an output shows."""
        ports = self.module["ports"].values()
        shown = {bit for port in ports if port["direction"] == "output" for bit in port["bits"]}
        return shown | {bit for cell in self.cells.values() for port in inputs_of(cell) for bit in port[1]}

    def text(self, name: str) -> str:
        """JSON for Yosys, the module under another name."""
        return json.dumps({"modules": {name: self.module}})

    def verilog(self) -> str:
        """The module as Verilog, by Yosys."""
        commands = ("read_json netlist.json", "write_verilog -noattr")
        log = run(Job(self.name, commands, {"netlist.json": self.text(self.name)})).log
        found = re.search(r"^module .*^endmodule$", log, re.MULTILINE | re.DOTALL)
        assert found is not None, log
        return found[0] + "\n"


def inputs_of(cell: Cell) -> Iterator[tuple[str, list[Bit]]]:
    """The ports that a cell reads, and their bits."""
    for port, direction in cell["port_directions"].items():
        if direction == "input":
            yield port, cell["connections"][port]


def number(cell: Cell, parameter: str) -> int:
    """A parameter of a cell."""
    return int(cell["parameters"][parameter], 2)


def run(job: Job, timeout: float = _SECONDS) -> Outcome:
    """What one job of Yosys left.

    Raises
    ------
    SynthesisError
        It failed.
    """
    (outcome,) = Workers(1, timeout).run([job])
    if isinstance(outcome, Exception):
        raise outcome
    return outcome
