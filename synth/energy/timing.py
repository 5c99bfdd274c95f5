"""Slews and delays of the gates of a network, by the tables of the library at the loads there are."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .arcs import delay_shares
from .cells import Arc
from .network import GateKind, Ints, Network
from .tables import Floats, look_up

#: Rounds in which slews are taken one gate further. Each leaves about a tenth of the error before it, since a gate's
#: output slew hardly depends on its input slew: after six, 10⁻⁵ of the slew in a 32-bit multiplier of nangate45.
_SLEW_ROUNDS = 6
#: The simulator's unit of time in s, and the most units that a delay may have.
_TICK = 1e-13
_MOST_TICKS = 1 << 16


def _members(network: Network) -> list[Ints]:
    """The gates of each kind."""
    kinds = np.array(network.kind, np.int64)
    return [np.flatnonzero(kinds == number) for number in range(len(network.kinds))]


def arc_slews(network: Network, kind: GateKind, gates: Ints, arcs: tuple[Arc, ...], slews: Floats) -> Floats:
    """The slew at the related pins of each arc, of gates of a kind: (gates, arcs); 0 at a clock."""
    into = np.array([network.inputs[gate] for gate in gates], np.int64).reshape(len(gates), len(kind.inputs))
    places = {name: place for place, name in enumerate(kind.inputs)}
    columns = []
    for arc in arcs:
        related = [places[name] for name in arc.related if name in places]
        columns.append(slews[into[:, related]].mean(axis=1) if related else np.zeros(len(gates)))
    return np.array(columns).reshape(len(arcs), len(gates)).T


def net_slews(network: Network) -> Floats:
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
            at = arc_slews(network, kind, gates, arcs, slews)
            load = network.loads[outputs[gates]]
            edges = [[arc.rise_slew for arc in arcs], [arc.fall_slew for arc in arcs]]
            there = sum(table is not None for tables in edges for table in tables)
            total = sum(np.maximum(look_up(tables, at, load), 0).sum(axis=1) for tables in edges)
            found[outputs[gates]] = total / there
        slews = found
    return slews


def gate_delays(network: Network, slews: Floats, unit: float) -> list[NDArray[np.int32]] | None:
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
        at = arc_slews(network, kind, gates, arcs, slews)
        load = network.loads[outputs[gates]]
        rise, fall = (look_up([getattr(arc, edge) for arc in arcs], at, load) for edge in ("rise", "fall"))
        delays = rise @ shares[0] + fall @ shares[1]
        for gate, row in zip(gates, delays, strict=True):
            found[gate] = row * unit
    longest = max((float(item.max()) for item in found if item.size), default=0.0)
    tick = max(_TICK, longest / _MOST_TICKS)
    return [np.maximum(np.rint(item / tick), 1).astype(np.int32) for item in found]
