"""A mapped netlist as gates of one output, numbered nets and loads: what the simulator and the energy tables work on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from graphlib import CycleError, TopologicalSorter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...golden.formats import ParameterError
from ..liberty.boolean import Bits, BooleanFunction
from ..yosys.runner import SynthesisError
from .cells import Cell, Pin, PowerLibrary

Ints = NDArray[np.int64]

#: The gates that the simulator's states can hold.
_MOST_INPUTS = 12
ZERO, ONE = 0, 1


@dataclass(frozen=True)
class GateKind:
    """An output of a library cell, or the inside of a flip-flop.

    Members
    -------
    cell : Cell
        The cell.
    pin : Pin or None
        The output; None for the inside of a flip-flop, whose inputs are its pins but for the clock and, the last, its
        state, and whose table is the next state.
    inputs : tuple of str
        The names of the inputs: of pins, or of a flip-flop's state.
    table : array of bool
        The output by the state of the inputs; bit i of a state is input i.
    first : bool
        Whether energy of the cell's inputs and leakage is counted with this output.
    """

    cell: Cell
    pin: Pin | None
    inputs: tuple[str, ...]
    table: Bits
    first: bool

    def values(self, states: Ints, clock: bool = False) -> dict[str, Bits]:
        """The values of all pins known in these states; a flip-flop's clock has the value given."""
        found = _bits(self.inputs, states)
        register = self.cell.register
        if register is not None:
            found[register.clock] = np.full(np.shape(states), clock)
            found[register.inverse] = ~found[register.state]
        for pin in self.cell.outputs:
            if pin.function is not None and set(pin.function.names) <= set(found):
                found[pin.name] = pin.function(found)
        return found


def _bits(names: tuple[str, ...], states: Ints) -> dict[str, Bits]:
    return {name: (states >> place & 1).astype(bool) for place, name in enumerate(names)}


@dataclass
class Network:
    """A netlist as gates.

    Members
    -------
    kinds : list of GateKind
        The kinds of gates in it.
    kind, output : list of int
        Of every gate: its kind, and the net of its output; combinational ones in topological order, then the insides of
        flip-flops, whose output is the net of their state.
    inputs : list of list of int
        The nets of its inputs.
    combinational : int
        How many gates come before the flip-flops.
    nets : dict
        The net of a bit of the netlist; net 0 is constant 0, net 1 constant 1.
    net_count : int
        All nets, those of states and of unconnected outputs too.
    loads : array
        The capacitance of each net, in the library's unit.
    ports : dict of str to list of int
        The nets of the input ports but for the clock.
    clock_load : float
        The capacitance of the clock's net.
    register_nets : set of int
        The nets that flip-flops drive.
    """

    kinds: list[GateKind] = field(default_factory=list)
    kind: list[int] = field(default_factory=list)
    output: list[int] = field(default_factory=list)
    inputs: list[list[int]] = field(default_factory=list)
    combinational: int = 0
    nets: dict[int | str, int] = field(default_factory=lambda: {"0": ZERO, "x": ZERO, "z": ZERO, "1": ONE})
    net_count: int = 2
    loads: NDArray[np.float64] = field(default_factory=lambda: np.zeros(2))
    ports: dict[str, list[int]] = field(default_factory=dict)
    clock_load: float = 0.0
    register_nets: set[int] = field(default_factory=set)

    def net(self, bit: int | str) -> int:
        """The net of a bit."""
        if bit not in self.nets:
            self.nets[bit] = self.new_net()
        return self.nets[bit]

    def new_net(self) -> int:
        """A net that is not in the netlist."""
        self.net_count += 1
        return self.net_count - 1


def build_network(module: Mapping[str, Any], library: PowerLibrary, clock: str, wire_cap: float) -> Network:
    """The network of a flat module of Yosys' JSON; ``wire_cap`` is added to a net for each of its sinks.

    Raises
    ------
    SynthesisError
        The netlist holds a cell that the library has not, a loop, or a flip-flop that the clock does not drive.
    """
    network = Network()
    for item in module["cells"].values():
        if item["type"] not in library.cells:
            raise SynthesisError(f"the netlist holds a cell {item['type']}, which the library has not")
    clock_bits = _add_ports(network, module, clock)
    kinds = {name: _kinds(cell) for name, cell in library.cells.items()}
    places: dict[tuple[str, int], int] = {}
    combinational: list[tuple[int, int, list[int]]] = []
    inside: list[tuple[int, int, list[int]]] = []
    sinks: list[tuple[int, float]] = []
    for name, item in module["cells"].items():
        cell = library.cells[item["type"]]
        bits = {port: bit for port, connected in item["connections"].items() for bit in connected}
        register = cell.register
        if register is not None and bits.get(register.clock) not in clock_bits:
            raise SynthesisError(f"the netlist holds a flip-flop {name} that the input {clock!r} does not clock")
        nets = {pin.name: network.net(bits.get(pin.name, "0")) for pin in cell.inputs}
        sinks.extend((nets[pin.name], pin.capacitance + wire_cap) for pin in cell.inputs)
        if register is not None:
            nets[register.state] = network.new_net()
        for number, kind in enumerate(kinds[cell.name]):
            if (cell.name, number) not in places:
                places[cell.name, number] = len(network.kinds)
                network.kinds.append(kind)
            into = [nets[pin] for pin in kind.inputs]
            if register is not None and kind.pin is None:
                inside.append((places[cell.name, number], nets[register.state], into))
                continue
            assert kind.pin is not None
            out = network.net(bits[kind.pin.name]) if kind.pin.name in bits else network.new_net()
            sinks.append((out, kind.pin.capacitance))
            combinational.append((places[cell.name, number], out, into))
            if register is not None:
                network.register_nets.add(out)
    for kind, out, into in (*_sorted(combinational), *inside):
        network.kind.append(kind)
        network.output.append(out)
        network.inputs.append(into)
    network.combinational = len(combinational)
    network.loads = np.zeros(network.net_count)
    for net, load in sinks:
        network.loads[net] += load
    network.loads[:2] = 0
    network.clock_load = float(sum(network.loads[network.net(bit)] for bit in clock_bits))
    return network


def _add_ports(network: Network, module: Mapping[str, Any], clock: str) -> list[int | str]:
    """Enter the input ports; the bits of the clock."""
    clock_bits: list[int | str] = []
    for name, port in module["ports"].items():
        if port["direction"] == "inout":
            raise SynthesisError(f"the netlist holds a port {name} that is input and output")
        if port["direction"] == "input":
            nets = [network.net(bit) for bit in port["bits"]]
            if name == clock:
                clock_bits = port["bits"]
            else:
                network.ports[name] = nets
    return clock_bits


def _sorted(gates: list[tuple[int, int, list[int]]]) -> list[tuple[int, int, list[int]]]:
    by_output = {out: (kind, out, into) for kind, out, into in gates}
    sorter = TopologicalSorter({out: into for out, (_, _, into) in by_output.items()})
    try:
        return [by_output[net] for net in sorter.static_order() if net in by_output]
    except CycleError as error:
        raise SynthesisError(f"the netlist holds a loop of {len(error.args[1]) - 1} nets") from None


def _kinds(cell: Cell) -> list[GateKind]:
    """One kind for each output of a cell, and before them one for the inside of a flip-flop."""
    register = cell.register
    if register is None:
        names = tuple(pin.name for pin in cell.inputs)
        _check_inputs(cell, names)
        return [
            GateKind(cell, pin, names, _table(cell, pin, names), not place) for place, pin in enumerate(cell.outputs)
        ]
    data = (*(pin.name for pin in cell.inputs if pin.name != register.clock), register.state)
    _check_inputs(cell, data)
    values = _bits(data, np.arange(1 << len(data)))
    values[register.inverse] = ~values[register.state]
    forced = [item for item in (register.clear, register.preset) if item is not None]
    kinds = [GateKind(cell, None, data, _forced(cell, register.next_state(values), values), True)]
    names = tuple(dict.fromkeys((register.state, *(name for item in forced for name in item.names))))
    values = _bits(names, np.arange(1 << len(names)))
    state = _forced(cell, values[register.state], values)
    for pin in cell.outputs:
        if pin.function is None or not set(pin.function.names) <= {register.state, register.inverse}:
            raise ParameterError(f"the netlist must hold flip-flops whose outputs are their state, not {cell.name}")
        table = pin.function({register.state: state, register.inverse: ~state})
        kinds.append(GateKind(cell, pin, names, table, False))
    return kinds


def _forced(cell: Cell, state: Bits, values: Mapping[str, Bits]) -> Bits:
    """The state after asynchronous preset and clear, of which clear wins."""
    assert cell.register is not None
    if cell.register.preset is not None:
        state = state | cell.register.preset(values)
    if cell.register.clear is not None:
        state = state & ~cell.register.clear(values)
    return state


def _table(cell: Cell, pin: Pin, names: tuple[str, ...]) -> Bits:
    if pin.function is None or not set(pin.function.names) <= set(names):
        raise ParameterError(f"the netlist must hold cells whose outputs have a function, not {cell.name}")
    function: BooleanFunction = pin.function
    states = np.arange(1 << len(names))
    return np.array(np.broadcast_to(function(_bits(names, states)), states.shape))


def _check_inputs(cell: Cell, names: tuple[str, ...]) -> None:
    if len(names) > _MOST_INPUTS:
        raise ParameterError(f"the netlist must hold cells of up to {_MOST_INPUTS} inputs, not {cell.name}")
