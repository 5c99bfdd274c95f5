"""The multiply-accumulate unit."""

from __future__ import annotations

from typing import Unpack

from amaranth.hdl import Const, Module, Mux, Signal, Value
from amaranth.lib.wiring import In, Out

from ...golden.formats import check_int
from ..core.delays import ROUTE, balanced, segments
from ..core.pipeline import MAX_STAGES, Pipeline
from ..core.step import step
from ..core.unit import PortSpec, Unit, clock_enable, control, number
from ..sums import select
from ..sums.options import AccumulatorKeywords, AccumulatorOptions, takes_accumulator_options
from .dot import operand_bits, operand_ports


@takes_accumulator_options()
class Mac(Unit):
    """acc = (0 if clear else acc) + Σ over lanes of a·b; one step per clock cycle, ``stages`` + ``interleave`` of latency.

    How the products are added, and what is rounded when, is the style of ``acc``; :mod:`.styles` lists them. The reference,
    bit for bit, is :func:`polymac.golden.gemm` (:func:`polymac.golden.block_gemm` for block formats).

    A step takes one cycle at any ``stages``, since those registers do not lie in the loop of the addition. With
    ``interleave`` > 1 the addition itself is pipelined: that many independent sums take turns, one step each, so that
    every sum is still added up in the order of its steps and no cycle is lost.

    Parameters
    ----------
    a, b, lanes, acc, out, overflow, max_k, sparse, architecture, force_wide
        As of :class:`.AccumulatorOptions`; ``options`` is one, whose fields these replace.
    stages : int
        Pipeline registers between the operands and the addition and, in the exact style, in the rounding of the sum: where
        they balance the estimated delays of the steps.
    interleave : int
        Sums that take turns, 1 … 64, and registers in the loop of the accumulator, likewise.

    Members
    -------
    a, b, a_position, a_scale, b_scale
        As of :class:`Dot`.
    valid : In(1)
        The operands of this cycle count.
    clear : In(1)
        With ``valid``: the sum starts anew with these operands.
    en : In(1)
        While 0, no register changes.
    acc : Out
        The sum, ``stages`` + ``interleave`` cycles after its last operands; with ``interleave`` > 1 for one cycle in its
        turn.

    Raises
    ------
    TypeError, ParameterError
        See :func:`.select.accumulator`.

    Examples
    --------
    >>> mac = hdl.Mac(a="int8", b="int8", acc="int32", lanes=2)
    >>> mac.formula
    'acc = (0 if clear else acc) + the sum of 2 products a * b, exact, then wrapped in int32'
    """

    kind = "mac"
    throughput = "one step of `lanes` products per clock cycle"

    def __init__(
        self,
        options: AccumulatorOptions | None = None,
        *,
        stages: int = 0,
        interleave: int = 1,
        **keywords: Unpack[AccumulatorKeywords],
    ) -> None:
        self.accumulator = accumulator = select.accumulator(AccumulatorOptions.of(options, keywords))
        self.stages = check_int("stages", stages, 0, MAX_STAGES)
        self.interleave = check_int("interleave", interleave, 1, MAX_STAGES)
        self.formula = f"acc = (0 if clear else acc) + {accumulator.formula}, {accumulator.description}"
        super().__init__(
            {
                **operand_ports(accumulator),
                "valid": PortSpec(In(1), "valid"),
                "clear": control(1),
                "en": clock_enable(),
                "acc": number(Out, accumulator.out),
            },
            parameters=accumulator.parameters | {"stages": stages, "interleave": interleave},
            latency=stages + interleave,
            clocked=True,
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        accumulator = self.accumulator
        before, behind = self._split()
        pipeline = Pipeline.at(m, before, self.en)
        loop = balanced((*accumulator.add_delays, 0), self.interleave - 1)
        step(m, "The control goes along with the operands")
        valid, clear = Signal(name="step"), Signal(name="start")
        m.d.comb += [valid.eq(self.valid), clear.eq(self.clear)]
        valid, clear = pipeline.delay(pipeline.stages, valid, clear)
        step(m, "The sum so far, or none: what the products are added to")
        register = Signal(accumulator.state_bits, name="state", init=accumulator.initial_state)
        total = Signal(accumulator.state_bits, name="total")
        m.d.comb += total.eq(Mux(clear, Const(accumulator.initial_state, accumulator.state_bits), register))
        a, b = (
            operand_bits(self, side, fields)
            for side, fields in (("a", accumulator.a_fields), ("b", accumulator.b_fields))
        )
        following: Value = accumulator.step(m, platform, pipeline, a, b, total, loop)
        # Where nothing is added, a sum that takes its turn goes round as it is.
        valid, kept = pipeline.delay(self.interleave - 1, valid, register)
        with m.If(self.en):
            if self.interleave == 1:
                with m.If(valid):
                    m.d.sync += register.eq(following)
            else:
                m.d.sync += register.eq(Mux(valid, following, kept))
        if not accumulator.state_is_encoded:
            step(m, "The sum as a code of the result's format")
        m.d.comb += self.acc.eq(accumulator.result(m, platform, register, behind, self.en))
        return m

    def _split(self) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """The registers before the addition and, in the exact style, in the rounding behind it: those ``stages`` that
        leave the shortest longest way."""
        accumulator, behind = self.accumulator, (*self.accumulator.result_delays, ROUTE)
        if not accumulator.result_delays:
            return accumulator.feed(self.stages), ()
        choices = [(accumulator.feed(self.stages - late), balanced(behind, late)) for late in range(self.stages + 1)]
        feed = (ROUTE, *accumulator.feed_delays, accumulator.add_delays[0])
        # Of those with the same longest way the one with the shorter second, and so on.
        return min(
            choices,
            key=lambda choice: sorted(segments(feed, choice[0]) + segments(behind, choice[1]), reverse=True),
        )
