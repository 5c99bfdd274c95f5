"""Registers between the steps of a datapath."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from amaranth.hdl import Module, Signal
from amaranth.lib.wiring import Member

from .step import mark_cut
from .unit import PortSpec, StreamSpec, Unit, clock_enable

#: More stages than a datapath can use are a mistake, not a wish.
MAX_STAGES = 64


class Pipeline:
    """Puts ``stages`` registers into a datapath at its cut points.

    Parameters
    ----------
    m : Module
        The module of the datapath.
    stages : int
        How many registers lie between the inputs and the outputs.
    order : sequence of int
        The cut points that get a register first, by their number in the order of the datapath. Registers beyond one for
        each go to ``order[0]``, where a synthesizer that retimes can spread them over the longest step.
    enable : Signal
        While it is 0 no register changes.
    """

    def __init__(self, m: Module, stages: int, order: Sequence[int], enable: Signal) -> None:
        self._m = m
        self.enable = enable
        # By the identity of each register: itself, the value that it holds later, and how many cycles later.
        self._delayed: dict[int, tuple[Signal, str, int]] = {}
        self._depth = {cut_point: int(rank < stages) for rank, cut_point in enumerate(order)}
        self._depth[order[0]] += max(0, stages - len(order))

    @classmethod
    def at(cls, m: Module, registers: Sequence[int], enable: Signal) -> Pipeline:
        """The pipeline with ``registers[i]`` registers at cut point i."""
        pipeline = cls(m, 0, (0,), enable)
        pipeline._depth = dict(enumerate(registers))
        return pipeline

    @property
    def stages(self) -> int:
        """How many registers there are in all."""
        return sum(self._depth.values())

    def depth(self, cut_point: int) -> int:
        """Number of registers at a cut point."""
        return self._depth.get(cut_point, 0)

    def depths(self, cut_point: int, count: int) -> tuple[int, ...]:
        """Numbers of registers at ``count`` cut points from ``cut_point`` on."""
        return tuple(self.depth(cut_point + index) for index in range(count))

    def cut(self, cut_point: int, *values: Signal, reset: bool = True) -> tuple[Signal, ...]:
        """The values behind the registers of a cut point, which a reset sets to ``init`` where ``reset``."""
        return self.delay(self.depth(cut_point), *values, reset=reset)

    def cut_named(self, cut_point: int, wires: Mapping[str, Signal]) -> dict[str, Signal]:
        """:meth:`cut` of wires that have names."""
        return self.delay_named(self.depth(cut_point), wires)

    def delay_named(self, cycles: int, wires: Mapping[str, Signal], reset: bool = True) -> dict[str, Signal]:
        """:meth:`delay` of wires that have names."""
        return dict(zip(wires, self.delay(cycles, *wires.values(), reset=reset), strict=True))

    def delay(self, cycles: int, *values: Signal, reset: bool = True) -> tuple[Signal, ...]:
        """The values as they were that many enabled cycles ago; of ``x`` in registers ``x_1``, ``x_2`` and so on."""
        if cycles:
            mark_cut(self._m)
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
    members, parameters
        As of :class:`.unit.Unit`. With registers there is one member more, ``en : In(1)``: while 0, none of them changes.
    registers : int or tuple of int
        Number of registers, which ``parameters`` tell; or the number at each cut point, which is one parameter more.
    """

    def __init__(
        self,
        members: Mapping[str, PortSpec | StreamSpec | Member],
        *,
        parameters: dict[str, Any],
        registers: int | tuple[int, ...],
    ) -> None:
        self.registers = (registers,) if isinstance(registers, int) else registers
        stages = sum(self.registers)
        placed = {"registers": registers} if stages and not isinstance(registers, int) else {}
        super().__init__(
            {**members, **({"en": clock_enable()} if stages else {})},
            parameters=parameters | placed,
            latency=stages,
            clocked=stages > 0,
        )

    @property
    def enable(self) -> Signal:
        """While it is 0 no register changes; a signal that nothing reads where there are none."""
        return self.en if self.latency else Signal(name="unused")
