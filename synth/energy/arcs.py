"""Which of a pin's tables hold for a transition of a gate's inputs, as weights that add up to 1 for each supply pin.

The tables of an output say by ``related_pin`` which input has to change and by ``when`` in which state the others are.
Cycle by cycle several inputs change at once: then all tables of inputs that changed whose ``when`` holds afterwards
share the edge equally; where there is none, those whose ``when`` held before; where there is none, all of inputs that
changed; else all. Tables of different supply pins (``related_pg_pin``) add up.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from ..liberty.boolean import Bits, BooleanFunction
from .cells import Arc, Leakage
from .network import GateKind, Ints
from .tables import Floats

Shares: TypeAlias = NDArray[np.float64]

_SENSES = {"positive_unate": (True, False), "negative_unate": (False, True)}


def _holds(when: BooleanFunction | None, values: Mapping[str, Bits], shape: tuple[int, ...]) -> Bits:
    """Whether a state is as ``when`` says; a pin whose value is not known does not speak against it."""
    if when is None or not set(when.names) <= set(values):
        return np.ones(shape, bool)
    return np.array(np.broadcast_to(when(values), shape))


def _share(tiers: Sequence[Bits], rails: Sequence[str]) -> Shares:
    """Weights (arcs, transitions) from candidates of that shape, the preferred first."""
    total: Shares = np.zeros(tiers[0].shape)
    _, transitions = tiers[0].shape
    for rail in dict.fromkeys(rails):
        of_rail = np.array([item == rail for item in rails])[:, None]
        open_ = np.ones(transitions, bool)
        for tier in tiers:
            chosen = tier & of_rail & open_
            number = chosen.sum(axis=0)
            total += chosen / np.maximum(number, 1)
            open_ &= number == 0
    return total


def _related(kind: GateKind, arc: Arc, changed: Ints) -> Bits:
    """Whether one of an arc's related pins is among those that changed; a flip-flop's state changes with its clock."""
    register = kind.cell.register
    found = np.zeros(changed.shape, bool)
    for place, name in enumerate(kind.inputs):
        known = register.clock if register is not None and name == register.state else name
        if known in arc.related:
            found |= (changed >> place & 1).astype(bool)
    return found


def output_shares(kind: GateKind, before: Ints, after: Ints) -> tuple[Shares, Shares]:
    """Of every power table of an output: its share in the rising edge, and in the falling edge, of each transition."""
    assert kind.pin is not None
    arcs = kind.pin.power
    if not arcs:
        return np.zeros((0, len(before))), np.zeros((0, len(before)))
    changed = before ^ after
    related = np.array([_related(kind, arc, changed) for arc in arcs])
    holds_after, holds_before = (
        np.array([_holds(arc.when, kind.values(states), changed.shape) for arc in arcs]) for states in (after, before)
    )
    toggles = kind.table[before] != kind.table[after]
    rails = [arc.rail for arc in arcs]
    shares = []
    for edge, tables in ((True, [arc.rise for arc in arcs]), (False, [arc.fall for arc in arcs])):
        wanted = toggles & (kind.table[after] == edge)
        there = np.array([table is not None for table in tables])[:, None] & wanted
        tiers = [there & related & holds_after, there & related & holds_before, there & related, there]
        shares.append(_share(tiers, rails))
    return shares[0], shares[1]


def input_shares(kind: GateKind, place: int, before: Ints, after: Ints) -> tuple[Shares, Shares]:
    """The same for the power tables of the input at that place; a flip-flop's clock is 0 and 1 half the time."""
    pin = kind.cell.pins[kind.inputs[place]]
    arcs = pin.power
    changed = ((before ^ after) >> place & 1).astype(bool)
    rises = (after >> place & 1).astype(bool)
    clocks = (False, True) if kind.cell.register is not None else (False,)
    total = [np.zeros((len(arcs), len(before))) for _ in range(2)]
    for clock in clocks:
        parts = _state_shares(kind, arcs, before, after, clock)
        for edge in range(2):
            total[edge] += parts[edge] * (changed & (rises if edge == 0 else ~rises)) / len(clocks)
    return total[0], total[1]


def clock_shares(kind: GateKind, states: Ints) -> tuple[Shares, Shares]:
    """The same for the clock pin of a flip-flop that is in these states when the clock rises, or falls."""
    register = kind.cell.register
    assert register is not None
    return _state_shares(kind, kind.cell.pins[register.clock].power, states, states, False)


def _state_shares(kind: GateKind, arcs: Sequence[Arc], before: Ints, after: Ints, clock: bool) -> tuple[Shares, Shares]:
    """Shares of tables of an input's own: those whose state it is, else those for every state."""
    if not arcs:
        return np.zeros((0, len(before))), np.zeros((0, len(before)))
    holds_after, holds_before = (
        np.array([_holds(arc.when, kind.values(states, clock), states.shape) for arc in arcs])
        for states in (after, before)
    )
    conditional = np.array([arc.when is not None for arc in arcs])[:, None]
    shares = []
    for tables in ([arc.rise for arc in arcs], [arc.fall for arc in arcs]):
        there = np.array([table is not None for table in tables])[:, None]
        tiers = [there & conditional & holds_after, there & conditional & holds_before, there & ~conditional]
        shares.append(_share(tiers, [arc.rail for arc in arcs]))
    return shares[0], shares[1]


def leakage_power(kind: GateKind, states: Ints) -> Floats:
    """A cell's leakage in these states, in the library's unit; a flip-flop's clock is 0 and 1 half the time."""
    entries: Sequence[Leakage] = kind.cell.leakage
    mean = kind.cell.mean_leakage
    if not entries:
        return np.full(states.shape, mean)
    clocks = (False, True) if kind.cell.register is not None else (False,)
    conditional = np.array([item.when is not None for item in entries])[:, None]
    total = np.zeros(states.shape)
    for clock in clocks:
        values = kind.values(states, clock)
        holds = np.array([_holds(item.when, values, states.shape) for item in entries])
        shares = _share([conditional & holds, ~conditional & holds], [item.rail for item in entries])
        found = shares.T @ np.array([item.value for item in entries])
        total += np.where(shares.any(axis=0), found, mean) / len(clocks)
    return total


def delay_shares(kind: GateKind) -> tuple[Shares, Shares] | None:
    """Of every timing arc of an output: its share in the delay of a rising and of a falling edge, for each state after
    the change and each input that changed, flattened; None where the output has no delays."""
    assert kind.pin is not None
    arcs = [arc for arc in kind.pin.timing if arc.rise is not None or arc.fall is not None]
    size = len(kind.inputs)
    states = np.repeat(np.arange(1 << size), size)
    place = np.tile(np.arange(size), 1 << size)
    if not size:
        return np.zeros((0, 0)), np.zeros((0, 0))
    if not arcs:
        return None
    related = np.array([_related(kind, arc, 1 << place) for arc in arcs])
    holds = np.array([_holds(arc.when, kind.values(states), states.shape) for arc in arcs])
    input_rises = (states >> place & 1).astype(bool)
    output_rises = kind.table[states]
    inverted = input_rises != output_rises
    fits = np.array([np.where(inverted, *_SENSES.get(arc.sense, (True, True))[::-1]) for arc in arcs])
    shares = []
    for edge, tables in ((True, [arc.rise for arc in arcs]), (False, [arc.fall for arc in arcs])):
        there = np.array([table is not None for table in tables])[:, None] & (output_rises == edge)
        tiers = [there & related & holds & fits, there & related & fits, there & related, there]
        shares.append(_share(tiers, ["" for _ in arcs]))
    if ((shares[0] + shares[1]).sum(axis=0) == 0).any():
        return None
    return shares[0], shares[1]
