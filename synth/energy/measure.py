"""Energy per operation of a mapped netlist from its simulated toggles.

Dynamic energy (Weste & Harris, CMOS VLSI Design, 4th ed., section 5.2; Liberty User Guide, "Modeling Power"):

* a net's toggle costs ½·C·V², C the capacitances of the input pins on it (and a load per sink for wires, if given);
* an edge of a cell's output costs what the ``internal_power`` tables of that output say for the input that caused it,
  its slew and the output's load; an edge of an input what the input's own tables say;
* a flip-flop's clock pin pays for two edges a cycle, as does the net of the clock.

Delays and slews come from the same library (``cell_rise``, ``rise_transition``, …) at the loads there are: slew 0 at
the netlist's inputs, elsewhere the mean of the slews that the arcs of the driving cell give. The figure without
glitches counts settled values; the one with glitches an event-driven simulation with inertial delays
(``simulate.cpp``), inputs changing at once at the clock edge.

Not in it: wires (unless given), the clock's tree, loads at the netlist's outputs, and pulses too short for a gate.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ...golden.formats import ParameterError
from .arcs import Shares, clock_shares, delay_shares, input_shares, leakage_power, output_shares
from .cells import Arc, Library, PowerLibrary, read_power_library
from .native import CANCELLED, EVENTS, SETTLED, Simulation
from .network import GateKind, Ints, Network, build_network
from .streams import port_bits
from .tables import Floats, look_up

#: The supply that figures are scaled to, to stand beside M. Horowitz' table (ISSCC 2014).
REFERENCE_VOLTAGE = 0.9
#: Cycles before the counted ones, from the end of the stream: they fill pipelines.
_WARM_UP = 256
#: Times that slews are taken one gate further; then they change in the third digit.
_SLEW_ROUNDS = 6
_TICK = 1e-13
_MOST_TICKS = 1 << 16


@dataclass(frozen=True)
class Toggles:
    """How often the nets of a netlist toggle.

    Members
    -------
    nets : int
        Nets that inputs (but for the clock) and cells drive.
    settled : float
        Toggles per net and cycle between settled values.
    events : float or None
        The same with glitches.
    quiet : int
        Nets that never toggled.
    """

    nets: int
    settled: float
    events: float | None
    quiet: int


@dataclass(frozen=True)
class Activity:
    """What each bit of a netlist did, by its number in Yosys' JSON: cycles that ended with a 1, and toggles."""

    ones: dict[int, int]
    toggles: dict[int, int]
    events: dict[int, int] | None
    clock: frozenset[int]


@dataclass(frozen=True)
class Energy:
    """Energy of a netlist under given operands.

    Members
    -------
    energy_pj : float
        Dynamic energy per operation in pJ, without glitches: the sum of the next four.
    switching_pj : float
        Charging nets that inputs and combinational cells drive.
    internal_pj : float
        Inside combinational cells.
    register_pj : float
        Inside flip-flops but for the clock, and charging the nets that they drive.
    clock_pj : float
        The flip-flops' clock pins, and charging the clock's net.
    energy_glitch_pj : float or None
        Dynamic energy per operation with glitches; None where it was not asked for or the library has no delays.
    input_pj : float
        The part of ``switching_pj`` that drivers of the inputs pay for.
    leakage_nw : float
        Leakage power in nW, over the states that the cells were in.
    voltage_v : float
        The supply that all this is for.
    energy_09v_pj, energy_glitch_09v_pj : float, float or None
        Scaled to 0.9 V by V².
    toggles : Toggles
        A summary of the toggles.
    operations : float
        Operations in the whole stream.
    cycles : int
        Clock cycles of the stream.
    notes : tuple of str
        What is missing and why, a line each.
    activity : Activity
        For :func:`write_saif`.
    """

    energy_pj: float
    energy_glitch_pj: float | None
    switching_pj: float
    internal_pj: float
    register_pj: float
    clock_pj: float
    input_pj: float
    leakage_nw: float
    voltage_v: float
    energy_09v_pj: float
    energy_glitch_09v_pj: float | None
    toggles: Toggles
    operations: float
    cycles: int
    notes: tuple[str, ...] = ()
    activity: Activity = field(repr=False, compare=False, default_factory=lambda: Activity({}, {}, None, frozenset()))


def measure_energy(
    netlist: Mapping[str, Any],
    library: Library,
    streams: Mapping[str, ArrayLike],
    *,
    operations: float = 1,
    clock: str = "clk",
    voltage: float | None = None,
    glitches: bool = True,
    wire_cap_ff: float = 0.0,
) -> Energy:
    """Simulate a mapped netlist under operand streams and add up what its toggles cost.

    The stream is taken as periodic: its last 256 cycles run before the counted ones, and the step from its last cycle
    to its first is counted, so that n cycles have n steps. Flip-flops are 0 before that.

    Parameters
    ----------
    netlist : mapping
        A flat module of cells of the library, as Yosys' ``write_json`` has it.
    library : LibertyFile
        The library.
    streams : mapping of str to array of int, shape (cycles,)
        Values of every input port but for the clock: codes, or negative numbers in two's complement; those of ports of
        64 bits and more as Python integers in an array of objects. An array of one value holds for all cycles.
    operations : float
        Operations per cycle.
    clock : str
        The port of the clock; a netlist of gates alone needs none.
    voltage : float, optional
        Supply in V; the library's unless given. All energies are scaled by V².
    glitches : bool
        Also simulate with delays.
    wire_cap_ff : float
        Capacitance in fF that the wire to each sink adds.

    Raises
    ------
    ParameterError
        A parameter is out of range; the library has no power tables, or gives no voltage.
    SynthesisError
        The netlist holds a cell that the library has not, or a loop.

    Examples
    --------
    >>> measure_energy(netlist, library, {"a": uniform_codes(8, 1000, 1), "b": uniform_codes(8, 1000, 2)})
    """
    _check_positive("operations", operations)
    if voltage is not None:
        _check_positive("voltage", voltage)
    if not 0 <= wire_cap_ff < math.inf:
        raise ParameterError(f"wire_cap_ff must be 0 fF or more, and finite, not {wire_cap_ff:g}")
    cells = read_power_library(library, {item["type"] for item in netlist["cells"].values()})
    nominal = cells.voltage
    if nominal is None or nominal <= 0:
        raise ParameterError(
            f"the library {cells.name} must give its voltage (nom_voltage) for energy, not leave it out"
        )
    network = build_network(netlist, cells, clock, wire_cap_ff * 1e-15 / cells.capacitance)
    notes = _power_notes(cells)
    widths = {name: len(nets) for name, nets in network.ports.items()}
    bits = port_bits(streams, widths)
    slews = _slews(network)
    delays = _delays(network, slews, cells.time) if glitches else None
    if glitches and delays is None:
        notes.append(f"no energy with glitches: the library {cells.name} has no delays (timing) of some cells")
    simulation = Simulation(
        network.net_count,
        network.output,
        network.inputs,
        [network.kinds[kind].table for kind in network.kind],
        delays or [],
        network.combinational,
        [net for nets in network.ports.values() for net in nets],
    )
    cycles = len(bits)
    simulation.run(bits[np.arange(-_WARM_UP, 0) % cycles], counting=False, events=delays is not None)
    simulation.run(bits, counting=True, events=delays is not None)

    ones, toggles, events = simulation.net_counts()
    ledger = _Ledger(network, cells, nominal, slews, cycles)
    settled = simulation.transitions(SETTLED)
    parts = ledger.parts(toggles, [(settled, 1)])
    scale = 1e12 / cycles / operations * ((voltage or nominal) / nominal) ** 2
    clock_pj = ledger.clock(settled) * scale
    with_glitches = None
    if delays is not None:
        rows = [(simulation.transitions(EVENTS), 1), (simulation.transitions(CANCELLED), -1)]
        with_glitches = sum(ledger.parts(events, rows)) * scale + clock_pj
    switching, internal, registers = (item * scale for item in parts)
    inputs = np.array(sorted({net for nets in network.ports.values() for net in nets}), np.int64)
    total = switching + internal + registers + clock_pj
    supply = nominal if voltage is None else voltage
    to_reference = (REFERENCE_VOLTAGE / supply) ** 2
    return Energy(
        energy_pj=total,
        energy_glitch_pj=with_glitches,
        switching_pj=switching,
        internal_pj=internal,
        register_pj=registers,
        clock_pj=clock_pj,
        input_pj=ledger.charge(toggles[inputs], inputs) * scale,
        leakage_nw=ledger.leakage(settled) * 1e9,
        voltage_v=supply,
        energy_09v_pj=total * to_reference,
        energy_glitch_09v_pj=None if with_glitches is None else with_glitches * to_reference,
        toggles=_summary(network, inputs, toggles, events if delays is not None else None, cycles),
        operations=cycles * operations,
        cycles=cycles,
        notes=tuple(notes),
        activity=_activity(netlist, network, clock, ones, toggles, events if delays is not None else None),
    )


def _check_positive(name: str, value: float) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float | np.number):
        raise TypeError(f"{name} must be a number, not {value!r}")
    if not 0 < value < math.inf:
        raise ParameterError(f"{name} must be over 0 and finite, not {value:g}")


def _power_notes(library: PowerLibrary) -> list[str]:
    """A note of the cells without power tables; an error where no cell has any."""
    active = [cell for cell in library.cells.values() if cell.inputs]
    without = sorted(cell.name for cell in active if not any(pin.power for pin in cell.pins.values()))
    if without and len(without) == len(active):
        raise ParameterError(f"the library {library.name} must have power tables (internal_power) for energy, not none")
    if without:
        return [f"no energy inside of {', '.join(without)}: the library {library.name} has no power tables of them"]
    return []


def _members(network: Network) -> list[Ints]:
    """The gates of each kind."""
    kinds = np.array(network.kind, np.int64)
    return [np.flatnonzero(kinds == number) for number in range(len(network.kinds))]


def _arc_slews(network: Network, kind: GateKind, gates: Ints, arcs: tuple[Arc, ...], slews: Floats) -> Floats:
    """The slew at the related pins of each arc, of gates of a kind: (gates, arcs); 0 at a clock."""
    into = np.array([network.inputs[gate] for gate in gates], np.int64).reshape(len(gates), len(kind.inputs))
    places = {name: place for place, name in enumerate(kind.inputs)}
    columns = []
    for arc in arcs:
        related = [places[name] for name in arc.related if name in places]
        columns.append(slews[into[:, related]].mean(axis=1) if related else np.zeros(len(gates)))
    return np.array(columns).reshape(len(arcs), len(gates)).T


def _slews(network: Network) -> Floats:
    """The slew of every net, in the library's unit: the mean over the arcs and edges of the cell that drives it."""
    slews = np.zeros(network.net_count)
    outputs = np.array(network.output, np.int64)
    members = _members(network)
    for _ in range(_SLEW_ROUNDS):
        found = np.zeros_like(slews)
        for kind, gates in zip(network.kinds, members, strict=True):
            if kind.pin is None:
                continue
            arcs = tuple(arc for arc in kind.pin.timing if arc.rise_slew is not None or arc.fall_slew is not None)
            if not arcs:
                continue
            at = _arc_slews(network, kind, gates, arcs, slews)
            load = network.loads[outputs[gates]]
            edges = [[arc.rise_slew for arc in arcs], [arc.fall_slew for arc in arcs]]
            there = sum(table is not None for tables in edges for table in tables)
            total = sum(np.maximum(look_up(tables, at, load), 0).sum(axis=1) for tables in edges)
            found[outputs[gates]] = total / there
        slews = found
    return slews


def _delays(network: Network, slews: Floats, unit: float) -> list[NDArray[np.int32]] | None:
    """The delays of each gate in ticks, by state and input; None where the library has not all of them."""
    found: list[Floats] = [np.zeros(0)] * len(network.kind)
    outputs = np.array(network.output, np.int64)
    for kind, gates in zip(network.kinds, _members(network), strict=True):
        if kind.pin is None:
            continue
        shares = delay_shares(kind)
        if shares is None:
            return None
        arcs = tuple(arc for arc in kind.pin.timing if arc.rise is not None or arc.fall is not None)
        at = _arc_slews(network, kind, gates, arcs, slews)
        load = network.loads[outputs[gates]]
        rise, fall = (look_up([getattr(arc, edge) for arc in arcs], at, load) for edge in ("rise", "fall"))
        delays = rise @ shares[0] + fall @ shares[1]
        for gate, row in zip(gates, delays, strict=True):
            found[gate] = row * unit
    longest = max((float(item.max()) for item in found if item.size), default=0.0)
    tick = max(_TICK, longest / _MOST_TICKS)
    return [np.maximum(np.rint(item / tick), 1).astype(np.int32) for item in found]


@dataclass(frozen=True)
class _Ledger:
    """Turns counts into energy in J at the library's voltage, summed over all cycles."""

    network: Network
    library: PowerLibrary
    voltage: float
    slews: Floats
    cycles: int

    def charge(self, toggles: Ints, nets: Ints | None = None) -> float:
        """½·C·V² of toggles of nets, of all of them unless given."""
        loads = self.network.loads if nets is None else self.network.loads[nets]
        return 0.5 * float(toggles @ loads) * self.library.capacitance * self.voltage**2

    def parts(self, toggles: Ints, counts: list[tuple[Ints, int]]) -> tuple[float, float, float]:
        """Switching, internal energy, and the flip-flops' part."""
        driven = np.array(sorted(self.network.register_nets), np.int64)
        by_registers = self.charge(toggles[driven], driven)
        internal, registers = 0.0, by_registers
        for rows, sign in counts:
            for kind, gates, before, after, count in self._by_kind(rows):
                energy = self._outputs(kind, gates, before, after, count)
                # An input's edge costs its own energy even where the output's is cancelled.
                if kind.first and sign > 0:
                    energy += self._inputs(kind, gates, before, after, count)
                if kind.cell.register is None:
                    internal += sign * energy
                else:
                    registers += sign * energy
        return self.charge(toggles) - by_registers, internal, registers

    def _by_kind(self, rows: Ints) -> list[tuple[GateKind, Ints, Ints, Ints, Ints]]:
        """Rows of the simulator by kinds: gates, states before and after, counts."""
        kinds = np.array(self.network.kind, np.int64)[rows[:, 0]]
        found = []
        for number, kind in enumerate(self.network.kinds):
            part = rows[kinds == number]
            bits = len(kind.inputs)
            found.append((kind, part[:, 0], part[:, 1] >> bits, part[:, 1] & ((1 << bits) - 1), part[:, 2]))
        return found

    def _outputs(self, kind: GateKind, gates: Ints, before: Ints, after: Ints, count: Ints) -> float:
        if kind.pin is None or not kind.pin.power or not len(gates):
            return 0.0
        arcs = kind.pin.power
        distinct, place = np.unique(gates, return_inverse=True)
        at = _arc_slews(self.network, kind, distinct, arcs, self.slews)
        load = self.network.loads[np.array(self.network.output, np.int64)[distinct]]
        return self._sum(arcs, at, load, place, output_shares(kind, before, after), count)

    def _inputs(self, kind: GateKind, gates: Ints, before: Ints, after: Ints, count: Ints) -> float:
        total = 0.0
        distinct, row = np.unique(gates, return_inverse=True)
        for place, name in enumerate(kind.inputs):
            register = kind.cell.register
            if register is not None and name == register.state:
                continue
            arcs = kind.cell.pins[name].power
            if not arcs or not len(gates):
                continue
            slews = self.slews[[self.network.inputs[gate][place] for gate in distinct]]
            at = np.repeat(slews[:, None], len(arcs), axis=1)
            total += self._sum(arcs, at, np.zeros(len(at)), row, input_shares(kind, place, before, after), count)
        return total

    def _sum(
        self,
        arcs: tuple[Arc, ...],
        slews: Floats,
        loads: Floats,
        rows: NDArray[np.intp],
        shares: tuple[Shares, Shares],
        count: Ints,
    ) -> float:
        """Energy of transitions in J: ``rows`` are their gates among those of the slews and loads."""
        rise, fall = (look_up([getattr(arc, edge) for arc in arcs], slews, loads) for edge in ("rise", "fall"))
        energies = (rise[rows] * shares[0].T + fall[rows] * shares[1].T).sum(axis=1)
        return float(energies @ count) * self.library.energy

    def clock(self, rows: Ints) -> float:
        """The clock's net and pins; a flip-flop is in the state before its active edge, and in the one after at the
        other edge."""
        total = self.network.clock_load * self.library.capacitance * self.voltage**2 * self.cycles
        for kind, _, before, after, count in self._by_kind(rows):
            register = kind.cell.register
            if register is None or kind.pin is not None or not len(count):
                continue
            arcs = kind.cell.pins[register.clock].power
            rising, falling = (before, after) if register.rising else (after, before)
            shares = clock_shares(kind, rising)[0], clock_shares(kind, falling)[1]
            total += self._sum(
                arcs, np.zeros((1, len(arcs))), np.zeros(1), np.zeros(len(count), np.intp), shares, count
            )
        return total

    def leakage(self, rows: Ints) -> float:
        """Mean leakage in W over the settled states."""
        total = 0.0
        for kind, _, _, after, count in self._by_kind(rows):
            if kind.first and len(count):
                total += float(leakage_power(kind, after) @ count)
        return total / self.cycles * self.library.leakage


def _summary(network: Network, inputs: Ints, toggles: Ints, events: Ints | None, cycles: int) -> Toggles:
    outputs = np.array(network.output[: network.combinational], np.int64)
    nets = np.union1d(inputs, outputs)
    nets = nets[nets > 1]
    size = max(len(nets), 1)
    return Toggles(
        len(nets),
        float(toggles[nets].sum() / cycles / size),
        None if events is None else float(events[nets].sum() / cycles / size),
        int((toggles[nets] == 0).sum()) if events is None else int((events[nets] == 0).sum()),
    )


def _activity(
    netlist: Mapping[str, Any], network: Network, clock: str, ones: Ints, toggles: Ints, events: Ints | None
) -> Activity:
    bits = {bit: net for bit, net in network.nets.items() if isinstance(bit, int)}
    port = netlist["ports"].get(clock)
    clock_bits = frozenset(port["bits"] if port is not None and port["direction"] == "input" else ())
    return Activity(
        {bit: int(ones[net]) for bit, net in bits.items()},
        {bit: int(toggles[net]) for bit, net in bits.items()},
        None if events is None else {bit: int(events[net]) for bit, net in bits.items()},
        clock_bits,
    )
