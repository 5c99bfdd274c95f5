"""The dot product unit."""

from __future__ import annotations

from typing import Any, Unpack

from amaranth.hdl import Cat, Const, Module, Signal, Value
from amaranth.lib.wiring import In, Out

from ...golden.formats import Format, check_bool, check_int
from ..core.delays import ROUTE, balanced
from ..core.pipeline import MAX_STAGES, Pipeline, PipelinedUnit
from ..core.step import step
from ..core.unit import PortSpec, number, numbers
from ..sums import select
from ..sums.accumulator import MODE, Accumulator, Field
from ..sums.options import AccumulatorKeywords, AccumulatorOptions, takes_accumulator_options
from ..sums.rounded import FLAG_BITS


@takes_accumulator_options()
class Dot(PipelinedUnit):
    """d = c + Σ a·b over ``lanes`` products; one sum per clock cycle, ``stages`` cycles of latency.

    How the products are added, and what is rounded when, is the style of ``acc``; :mod:`.styles` lists them. The reference,
    bit for bit, is :func:`polymac.golden.dot` (:func:`polymac.golden.block_dot` for block formats), for a fixed-point
    accumulator :func:`polymac.golden.gemm`.

    Parameters
    ----------
    a, b, lanes, acc, out, overflow, max_k, sparse, architecture, force_wide
        As of :class:`.AccumulatorOptions`; ``options`` is one, whose fields these replace. An
        exact sum is one of a single beat: ``max_k`` is ``lanes`` unless given, and block formats bring no bits for the
        range of their scales.
    rounding : "port", optional
        Rounded styles: a port says how, beat by beat, in place of the style's rounding mode.
    flags : bool
        Rounded styles, one product at a time: a port with the IEEE exceptions of all additions.
    addend : bool
        Whether there is a ``c`` to add to. Default: yes, but for an exact sum, which has none.
    stages : int
        Pipeline registers, where they balance the estimated delays of the steps from the operands to the result.

    Members
    -------
    a, b : In(ArrayLayout(operand, products))
        With ``sparse``, ``a`` has half as many elements as ``b``.
    a_position : In(ArrayLayout(2, products))
        With ``sparse``: which of the four elements of b each element of a meets.
    a_scale, b_scale : In
        Codes of the scales of block formats.
    rounding_mode : In(3)
        With ``rounding``: the mode's position in :data:`formats.ROUNDINGS`; other codes round toward zero.
    c : In
        With ``addend``: a code of the result's format.
    d : Out
        The code of the result.
    flags : Out(5)
        With ``flags``: :class:`formats.Flag`; invalid, overflow, underflow (tiny after rounding), inexact.
    en : In(1)
        With ``stages`` > 0: while 0, no register changes.

    Raises
    ------
    TypeError, ParameterError
        See :func:`.select.accumulator`.

    Examples
    --------
    >>> dot = hdl.Dot(a="fp16", b="fp16", lanes=4, acc="aligned:4:24", stages=3)
    >>> dot.latency, [port.name for port in dot.ports if port.role == "data"]
    (3, ['a', 'b', 'c', 'd'])
    """

    kind = "dot"
    throughput = "one sum of `lanes` products per clock cycle"

    def __init__(
        self,
        options: AccumulatorOptions | None = None,
        *,
        rounding: str | None = None,
        flags: bool = False,
        addend: bool | None = None,
        stages: int = 0,
        **keywords: Unpack[AccumulatorKeywords],
    ) -> None:
        self.accumulator = accumulator = select.accumulator(
            AccumulatorOptions.of(options, keywords), one_beat=True, rounding=rounding, flags=flags
        )
        self.stages = check_int("stages", stages, 0, MAX_STAGES)
        self.addend = accumulator.state_is_encoded if addend is None else check_bool("addend", addend)
        accumulator.check_addend(self.addend)
        self.formula = f"d = {'c + ' * self.addend}{accumulator.formula}, {accumulator.description}"
        ports = (
            operand_ports(accumulator)
            | ({"c": number(In, accumulator.out)} if self.addend else {})
            | {"d": number(Out, accumulator.out)}
        )
        ports |= {"flags": PortSpec(Out(FLAG_BITS), "flags")} if flags else {}
        self.with_flags = flags
        super().__init__(
            ports,
            parameters=accumulator.parameters | {"addend": self.addend, "stages": stages},
            registers=stages,
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        accumulator = self.accumulator
        feed = len(accumulator.feed_delays) + 1
        registers = balanced((ROUTE, *accumulator.feed_delays, *accumulator.add_delays, ROUTE), self.stages)
        pipeline = Pipeline.at(m, registers[:feed], self.enable)
        state: Value = Const(accumulator.initial_state, accumulator.state_bits)
        if self.addend:
            step(m, "The addend waits for the products")
            addend = Signal(accumulator.state_bits, name="addend")
            m.d.comb += addend.eq(self.c)
            (state,) = pipeline.delay(pipeline.stages, addend, reset=False)
        a, b = (
            operand_bits(self, side, fields)
            for side, fields in (("a", accumulator.a_fields), ("b", accumulator.b_fields))
        )
        state = accumulator.step(m, platform, pipeline, a, b, state, registers[feed:])
        if not accumulator.state_is_encoded:
            step(m, "The sum as a code of the result's format")
        m.d.comb += self.d.eq(accumulator.result(m, platform, state))
        if self.with_flags:
            m.d.comb += self.flags.eq(state[accumulator.out.width :])
        return m


def operand_ports(accumulator: Accumulator) -> dict[str, PortSpec]:
    """The ports of both operands: ``a`` and ``b`` for their data, ``a_scale`` and so on for what else they have."""
    return {
        _port(side, name): numbers(In, fmt, count) if name != "scale" else number(In, fmt)
        for side, fields in (("a", accumulator.a_fields), ("b", accumulator.b_fields))
        for name, fmt, count in fields
    }


def operand_formats(accumulator: Accumulator) -> dict[str, tuple[Format, int]]:
    """Formats and numbers of elements of those ports."""
    return {
        _port(side, name): (fmt, count)
        for side, fields in (("a", accumulator.a_fields), ("b", accumulator.b_fields))
        for name, fmt, count in fields
    }


def operand_bits(unit: Any, side: str, fields: tuple[Field, ...]) -> Value:
    """One operand's ports side by side."""
    return Cat(*(Value.cast(getattr(unit, _port(side, name))) for name, _, _ in fields))


def _port(side: str, name: str) -> str:
    return side if name == "data" else name if name == MODE else f"{side}_{name}"
