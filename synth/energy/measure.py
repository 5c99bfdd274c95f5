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
from numpy.typing import ArrayLike

from ...golden.formats import ParameterError
from .cells import Library, PowerLibrary, read_power_library
from .ledger import Ledger
from .native import CANCELLED, EVENTS, SETTLED, simulate
from .network import Ints, Network, build_network
from .streams import port_bits
from .timing import gate_delays, net_slews

#: The supply that figures are scaled to, to stand beside M. Horowitz' table (ISSCC 2014).
REFERENCE_VOLTAGE = 0.9
#: Cycles before the counted ones, from the end of the stream: they fill pipelines.
_WARM_UP = 256


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
    >>> nand = {"type": "NAND2_X1", "connections": {"A1": [2], "A2": [3], "ZN": [4]}}
    >>> bits = {"a": 2, "b": 3, "y": 4}
    >>> ports = {name: {"direction": "output" if name == "y" else "input", "bits": [bit]} for name, bit in bits.items()}
    >>> netlist = {"ports": ports, "cells": {"gate": nand}, "netnames": {}}
    >>> library = synth.target("nangate45").liberty
    >>> energy = synth.measure_energy(netlist, library, {"a": [0, 1, 1, 0], "b": [0, 0, 1, 1]})
    >>> f"{energy.energy_pj * 1000:.2f} fJ per cycle, {energy.leakage_nw:.0f} nW at {energy.voltage_v} V"
    '1.60 fJ per cycle, 17 nW at 1.1 V'
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
    slews = net_slews(network)
    delays = gate_delays(network, slews, cells.time) if glitches else None
    if glitches and delays is None:
        notes.append(f"no energy with glitches: the library {cells.name} has no delays (timing) of some cells")
    simulation = simulate(network, delays)
    cycles = len(bits)
    simulation.run(bits[np.arange(-_WARM_UP, 0) % cycles], counting=False, events=delays is not None)
    simulation.run(bits, counting=True, events=delays is not None)

    ones, toggles, events = simulation.net_counts()
    ledger = Ledger(network, cells, nominal, slews, cycles)
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
