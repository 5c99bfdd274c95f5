"""From counts of toggles and transitions to energy and leakage."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .arcs import Shares, clock_shares, input_shares, leakage_power, output_shares
from .cells import Arc, PowerLibrary
from .network import GateKind, Ints, Network
from .tables import Floats, look_up
from .timing import arc_slews


@dataclass(frozen=True)
class Ledger:
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
        at = arc_slews(self.network, kind, distinct, arcs, self.slews)
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
        """The clock's net and pins. One edge meets the state after a step and the other the state before the next one,
        which is the same."""
        total = self.network.clock_load * self.library.capacitance * self.voltage**2 * self.cycles
        for kind, _, _, after, count in self._by_kind(rows):
            register = kind.cell.register
            if register is None or kind.pin is not None or not len(count):
                continue
            arcs = kind.cell.pins[register.clock].power
            shares = clock_shares(kind, after)
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
