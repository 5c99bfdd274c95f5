"""Jobs of the cocotb benches: stimulus and golden results computed beforehand, and the text of a mismatch.

A job travels into the simulator's process as a pickle, and a :class:`BenchResult` comes back.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from ...hdl.core.unit import Port
from ..engine.mismatch import code_text, ports_text, results_text

Bools = NDArray[np.bool_]

#: In the last third of a run there may be resets, as many latencies of the unit and this many cycles apart on average.
_RESET_LATENCIES, _RESET_CYCLES = 8, 24


@dataclass(frozen=True)
class BenchResult:
    """What a bench compared: clock cycles or results, how many of them differ, and the first of these in words."""

    checked: int
    mismatches: int
    details: list[str]

    def check(self, reproduce: str) -> None:
        """Fail where something differs.

        Raises
        ------
        AssertionError
            With the first mismatch, their number and the command that repeats the run.
        """
        if self.mismatches:
            raise AssertionError(f"{self.details[0]}; {self.mismatches} in all; again with: {reproduce}")


@dataclass(frozen=True)
class Job:
    """What a bench under cocotb is given; a kind of stimulus adds its own.

    Attributes
    ----------
    bench : str
        The module of the bench.
    cycles, products : int
        Clock cycles, and products formed in each, which tell how long a simulation may take.
    coverage, reproduce : str
        What the run checks, and the command that repeats it.
    """

    bench: ClassVar[str]

    cycles: int
    products: int
    coverage: str
    reproduce: str


@dataclass(frozen=True)
class VectorJob(Job):
    """A job of vectors: one set of inputs per clock cycle of a unit without streams, and its outputs.

    Attributes
    ----------
    ports : dict of str to Port
        The unit's ports.
    inputs : dict of str to list
        By port, the bus in each cycle.
    outputs : dict of str to list
        By port, what must be there in each cycle; None while nothing is defined.
    items : list
        The cycle whose inputs gave what is there now; None before the first.
    before : list or None
        For a unit that adds: in the cycle of its inputs, what it added them to.
    """

    ports: dict[str, Port]
    inputs: dict[str, list[int]]
    outputs: dict[str, list[int | None]]
    items: list[int | None]
    before: list[int] | None = None

    bench: ClassVar[str] = "polymac.sim.benches.unit"

    @property
    def clocked(self) -> bool:
        """Whether the unit has a clock."""
        return "clk" in self.ports

    def describe(self, cycle: int, got: Mapping[str, int | str]) -> str:
        """A mismatch in words; ``got`` are the outputs of that cycle, bits as text where some have no value."""
        want = {name: self.outputs[name][cycle] for name in got}
        results = results_text(self.ports, got, want)
        item = self.items[cycle]
        if item is None:
            return f"cycle {cycle}, before any operands: {results}"
        shown = ("data", "control")
        given = {name: values[item] for name, values in self.inputs.items() if self.ports[name].role in shown}
        start = "" if self.before is None else f", added to {code_text(self.ports['acc'].format, self.before[item])}"
        return f"cycle {cycle}: {ports_text(self.ports, given)}{start}: {results}"


@dataclass(frozen=True)
class Motion:
    """In which cycles a unit with a clock takes a step, since it is enabled and not reset.

    Attributes
    ----------
    enable, reset : ndarray of bool
        One for each cycle.
    """

    enable: Bools
    reset: Bools

    @classmethod
    def random(cls, latency: int, cycles: int, share: float, generator: np.random.Generator, *, resets: bool) -> Motion:
        """``cycles`` cycles, a share of them enabled, with ``resets`` some resets in the last third; then ``latency`` more.

        Neither the first operands nor the last results are lost.
        """
        total = cycles + latency
        enable = generator.random(total) < share
        enable[0] = enable[cycles:] = True
        reset = generator.random(total) < 1 / (_RESET_LATENCIES * latency + _RESET_CYCLES)
        reset[: cycles - cycles // 3] = reset[cycles:] = False
        reset &= resets
        return cls(enable, reset)

    @property
    def moves(self) -> Bools:
        """Whether there is a step in a cycle."""
        return self.enable & ~self.reset

    @property
    def cycles(self) -> NDArray[np.intp]:
        """The cycle of each step."""
        return np.flatnonzero(self.moves)

    @property
    def done(self) -> NDArray[np.int64]:
        """How many steps there were before each cycle."""
        return np.cumsum(self.moves, dtype=np.int64) - self.moves

    @property
    def ports(self) -> dict[str, list[int]]:
        """What the ports carry."""
        return {"en": self.enable.astype(int).tolist(), "rst": self.reset.astype(int).tolist()}

    def arrived(self, latency: int) -> NDArray[np.int64]:
        """The step whose operands have arrived at the outputs in each cycle; -1 if there is none since the last reset."""
        done = self.done
        # A reset takes effect in the cycles after it.
        lost = np.maximum.accumulate(np.where(self.reset, done, 0))
        lost = np.concatenate([[0], lost[:-1]])
        return np.where(done - latency >= lost, done - latency, -1)
