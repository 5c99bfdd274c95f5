"""Registers between the steps of a datapath."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from itertools import accumulate, pairwise
from typing import Any

from amaranth.hdl import Module, Signal
from amaranth.lib.wiring import In, Member

from ..golden.formats import Format
from .unit import Unit

#: Estimated delays in ns on an ECP5 of speed grade 6, routing included; only how they compare matters. A lookup table, a
#: hard multiplier, and the way from one unit to the next.
LUT, MULTIPLIER, ROUTE = 1.1, 5.8, 0.8


def adder(bits: int) -> float:
    """Estimated delay of a carry chain."""
    return 1.8 + 0.036 * bits


class Pipeline:
    """Puts ``stages`` registers into a datapath at the places where it may be cut.

    Parameters
    ----------
    m : Module
        The module of the datapath.
    stages : int
        How many registers lie between the inputs and the outputs.
    order : sequence of int
        The places that get a register first, by their number in the order of the datapath. Registers beyond one for
        every place go to ``order[0]``, where a synthesizer that retimes can spread them over the longest step.
    enable : Signal
        While it is 0 no register changes.
    """

    def __init__(self, m: Module, stages: int, order: Sequence[int], enable: Signal) -> None:
        self._m = m
        self.enable = enable
        # By the identity of each register: itself, the value that it holds later, and how many cycles later.
        self._delayed: dict[int, tuple[Signal, str, int]] = {}
        self._depth = {place: int(rank < stages) for rank, place in enumerate(order)}
        self._depth[order[0]] += max(0, stages - len(order))

    @classmethod
    def at(cls, m: Module, registers: Sequence[int], enable: Signal) -> Pipeline:
        """The pipeline with so many registers at each place."""
        pipeline = cls(m, 0, (0,), enable)
        pipeline._depth = dict(enumerate(registers))
        return pipeline

    @property
    def stages(self) -> int:
        """How many registers there are in all."""
        return sum(self._depth.values())

    def depth(self, place: int) -> int:
        """How many registers that place has."""
        return self._depth.get(place, 0)

    def depths(self, place: int, count: int) -> tuple[int, ...]:
        """How many registers each of ``count`` places has, from ``place`` on."""
        return tuple(self.depth(place + index) for index in range(count))

    def cut(self, place: int, *values: Signal, reset: bool = True) -> tuple[Signal, ...]:
        """The values as they are after the registers of that place, which a reset sets to ``init`` where ``reset``."""
        return self.delay(self.depth(place), *values, reset=reset)

    def cut_named(self, place: int, wires: Mapping[str, Signal]) -> dict[str, Signal]:
        """:meth:`cut` of wires that have names."""
        return self.delay_named(self.depth(place), wires)

    def delay_named(self, cycles: int, wires: Mapping[str, Signal]) -> dict[str, Signal]:
        """:meth:`delay` of wires that have names."""
        return dict(zip(wires, self.delay(cycles, *wires.values()), strict=True))

    def delay(self, cycles: int, *values: Signal, reset: bool = True) -> tuple[Signal, ...]:
        """The values as they were that many enabled cycles ago; of ``x`` in registers ``x_1``, ``x_2`` and so on."""
        for _ in range(cycles):
            registers = tuple(self._register(value, reset) for value in values)
            with self._m.If(self.enable):
                self._m.d.sync += [register.eq(value) for register, value in zip(registers, values, strict=True)]
            values = registers
        return values

    def _register(self, value: Signal, reset: bool) -> Signal:
        """The register that holds a value one cycle later."""
        _, name, cycles = self._delayed.get(id(value), (value, value.name, 0))
        shape, name_then = value.shape(), f"{name}_{cycles + 1}"
        register = Signal(shape, name=name_then, init=value.init, reset_less=not reset)
        self._delayed[id(register)] = register, name, cycles + 1
        return register


class PipelinedUnit(Unit):
    """A unit with registers between its steps; with none it is combinational, and has neither clock nor enable.

    Parameters
    ----------
    members, formats, parameters
        As of :class:`.unit.Unit`. With registers there is one member more, ``en : In(1)``: while 0, none of them changes.
    registers : int or tuple of int
        How many there are, which ``parameters`` tell; or how many at each place, which is one parameter more.
    """

    def __init__(
        self,
        members: dict[str, Member],
        *,
        formats: dict[str, tuple[Format, int]],
        parameters: dict[str, Any],
        registers: int | tuple[int, ...],
    ) -> None:
        self.registers = (registers,) if isinstance(registers, int) else registers
        stages = sum(self.registers)
        placed = {"registers": registers} if stages and not isinstance(registers, int) else {}
        super().__init__(
            members | ({"en": In(1, init=1)} if stages else {}),
            formats=formats,
            parameters=parameters | placed,
            latency=stages,
            clocked=stages > 0,
        )

    @property
    def enable(self) -> Signal:
        """While it is 0 no register changes; a signal that nothing reads where there are none."""
        return self.en if self.latency else Signal(name="unused")


def balanced(delays: Sequence[float], stages: int) -> tuple[int, ...]:
    """How many registers to put at each place between steps, so that the longest way between two registers is short.

    Parameters
    ----------
    delays : sequence of float
        Of the steps in their order, at least two.
    stages : int
        Registers in all. Where there are more than places, every place gets as many and the first ones the rest.

    Returns
    -------
    tuple of int
        One number less than ``delays``: entry i is the place behind step i.
    """
    places = len(delays) - 1
    each, rest = divmod(stages, places)
    # The ends of the steps; a segment is as long as the limit allows, and the least limit is found by halving.
    ends = list(accumulate(delays))
    low, high = max(delays), ends[-1]
    chosen: list[int] = []
    if each == 0:
        for _ in range(32):
            limit = (low + high) / 2
            low, high = (low, limit) if len(_cuts(ends, limit)) <= rest else (limit, high)
        chosen = _cuts(ends, high)[:rest]
        # Registers that the limit does not need halve the longest segments that can still be cut.
        while len(chosen) < rest:
            borders = [-1, *sorted(chosen), places]
            start, stop = max(
                ((x, y) for x, y in pairwise(borders) if y - x > 1),
                key=lambda segment: ends[segment[1]] - (ends[segment[0]] if segment[0] >= 0 else 0),
            )
            middle = (ends[stop] + (ends[start] if start >= 0 else 0)) / 2
            chosen.append(min(range(start + 1, stop), key=lambda place: abs(ends[place] - middle)))
    else:
        chosen = list(range(rest))
    return tuple(each + (place in chosen) for place in range(places))


def segments(delays: Sequence[float], registers: Sequence[int]) -> list[float]:
    """The delays between registers, those of ``registers`` lying behind the steps."""
    found = [0.0]
    for delay, depth in zip(delays, (*registers, 0), strict=True):
        found[-1] += delay
        if depth:
            found.append(0.0)
    return found


def _cuts(ends: Sequence[float], limit: float) -> list[int]:
    """The fewest places for registers that leave no segment longer than ``limit``, which no step is alone."""
    cuts: list[int] = []
    start = 0.0
    while ends[-1] - start > limit + 1e-9:
        place = bisect_right(ends, start + limit + 1e-9) - 1
        cuts.append(place)
        start = ends[place]
    return cuts
