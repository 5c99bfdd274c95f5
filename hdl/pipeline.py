"""Registers between the steps of a datapath."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from amaranth.hdl import Module, Signal


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
        self._depth = {place: int(rank < stages) for rank, place in enumerate(order)}
        self._depth[order[0]] += max(0, stages - len(order))

    def depth(self, place: int) -> int:
        """How many registers that place has."""
        return self._depth.get(place, 0)

    def cut(self, place: int, *values: Signal, reset: bool = True) -> tuple[Signal, ...]:
        """The values as they are after the registers of that place, which a reset clears where ``reset``."""
        return self.delay(self.depth(place), *values, reset=reset)

    def cut_named(self, place: int, wires: Mapping[str, Signal]) -> dict[str, Signal]:
        """:meth:`cut` of wires that have names."""
        return dict(zip(wires, self.cut(place, *wires.values()), strict=True))

    def delay(self, cycles: int, *values: Signal, reset: bool = True) -> tuple[Signal, ...]:
        """The values as they were that many enabled cycles ago."""
        for _ in range(cycles):
            registers = tuple(Signal(value.shape(), name=f"{value.name}_r", reset_less=not reset) for value in values)
            with self._m.If(self.enable):
                self._m.d.sync += [register.eq(value) for register, value in zip(registers, values, strict=True)]
            values = registers
        return values
