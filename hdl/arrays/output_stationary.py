"""The output-stationary dataflow: each processing element adds up one element of C."""

from __future__ import annotations

from amaranth.hdl import Const, Module, Mux, Signal, Value

from ..core.hierarchy import instantiate
from ..core.pipeline import Pipeline
from ..core.step import step
from ..sums.accumulator import Accumulator
from .dataflow import DataflowHost
from .grid import Grid
from .processing_element import ProcessingElement
from .skew import Skew, skewed, wave

#: Control that travels with the operands of a from one processing element to its right neighbour.
_CONTROL = ("valid", "first", "last", "shift")


class OutputElement(ProcessingElement):
    """Adds up the products of the operands that pass, and keeps its last sum while the next one is formed.

    ``first`` starts a sum and ``last`` ends it; a finished sum goes to the drain register, which otherwise takes that of
    the element above while ``shift`` is set.

    Parameters
    ----------
    accumulator : Accumulator
        How products are added.
    stages : int
        Pipeline registers between operands and sum.

    Members
    -------
    a, valid, first, last, shift : In, Out
        Operands and control, from the left to the right.
    b, drain : In, Out
        Operands and the chain of drain registers, downwards.
    """

    formula = "acc = (initial_state if first else acc) + sum over lanes of a * b; drain_out = acc after last"

    def __init__(self, *, accumulator: Accumulator, stages: int) -> None:
        west = {"a": accumulator.a_bits} | dict.fromkeys(_CONTROL, 1)
        super().__init__(
            accumulator=accumulator,
            stages=stages,
            west=west,
            north={"b": accumulator.b_bits, "drain": accumulator.state_bits},
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        pipeline = Pipeline.at(m, self.accumulator.feed(self.stages), self.en)
        step(m, "The control goes along with the operands, and the sum so far or none is what they are added to")
        counts, start = Signal(name="counts"), Signal(name="start")
        m.d.comb += [counts.eq(self.valid), start.eq(self.first)]
        counts, start = pipeline.delay(self.stages, counts, start)
        acc, before = (Signal(self.accumulator.state_bits, name=name) for name in ("acc", "sum_before"))
        m.d.comb += before.eq(Mux(start, self.accumulator.initial_state, acc))
        following = self.accumulator.step(m, platform, pipeline, self.a, self.b, before)
        step(m, "Operands and control move on; a finished sum goes to the drain register")
        done = Signal(self.stages + 1)  # bit i: the sum is complete in stages - i cycles
        a_out, b_out, drain = (
            Signal(len(getattr(self, name)), name=f"{name}_held", reset_less=True) for name in ("a", "b", "drain")
        )
        with m.If(self.en):
            with m.If(counts):
                m.d.sync += acc.eq(following)
            m.d.sync += [a_out.eq(self.a), b_out.eq(self.b), done.eq((done << 1) | (self.valid & self.last))]
            m.d.sync += [getattr(self, f"{name}_out").eq(getattr(self, name)) for name in _CONTROL]
            with m.If(done[-1]):
                m.d.sync += drain.eq(acc)
            with m.Elif(self.shift):
                m.d.sync += drain.eq(self.drain)
        m.d.comb += [self.a_out.eq(a_out), self.b_out.eq(b_out), self.drain_out.eq(drain)]
        return m


def output_stationary(m: Module, platform: object, array: DataflowHost, advance: Signal) -> tuple[Value, Value, Value]:
    """All but the output buffer: rows of C side by side, valid and last.

    Row 0 of C lies at the bottom, next to the exit, since the drain chain moves down and is emptied from there.
    """
    accumulator, rows, cols = array.accumulator, array.rows, array.cols
    step(m, "A beat of a and one of b are taken together, unless the end of a tile would come too soon")
    take, first = Signal(name="take"), Signal(name="first", init=1)
    last = array.a.payload.last
    # The drain chain holds a tile for `rows` cycles, so that the ends of two tiles are at least that far apart.
    hold = Signal(range(rows))
    with m.If(take & last):
        m.d.sync += hold.eq(rows - 1)
    with m.Elif(advance & (hold != 0)):
        m.d.sync += hold.eq(hold - 1)
    free = Signal()
    m.d.comb += [
        free.eq(advance & (~last | (hold == 0))),
        array.a.ready.eq(free & array.b.valid),
        array.b.ready.eq(free & array.a.valid),
        take.eq(free & array.a.valid & array.b.valid),
    ]
    with m.If(take):
        m.d.sync += first.eq(last)

    step(
        m, "The control of each row, from the bottom upwards; a row's drain register shifts once its sums are finished"
    )
    pulses = {"valid": take, "first": first, "last": last}
    control = {name: wave(m, f"{name}_rows", pulse, rows, advance, upward=True) for name, pulse in pulses.items()}
    # From the end of the sums at the bottom to the cycle in which their drain registers hold them.
    finished = wave(m, "finished", control["valid"][0] & control["last"][0], array.stages + 2, advance)[-1]
    # Of the chain, position p from the top shifts p times: then it has passed on all that lay above it.
    shift = Signal(rows)
    with m.If(advance):
        m.d.sync += shift.eq(Mux(finished, (1 << (rows - 1)) - 1, shift & (shift >> 1)))
    step(m, "The processing elements, each row and column of operands a cycle behind the one before")
    a_skew, b_skew = (
        Skew(width=accumulator.a_bits, count=rows, reverse=True),
        Skew(width=accumulator.b_bits, count=cols, reverse=False),
    )
    drain = Signal(accumulator.state_bits * cols, name="drain")
    grid = Grid(
        element=OutputElement, accumulator=accumulator, rows=rows, columns=cols, stages=array.stages, upward=True
    )
    instantiate(
        m,
        platform,
        "grid",
        grid,
        en=advance,
        a=skewed(m, platform, "a", array.operand(m, "a"), a_skew, advance),
        b=skewed(m, platform, "b", array.operand(m, "b"), b_skew, advance),
        shift=shift,
        b_out=Signal(accumulator.b_bits * cols, name="b_unused"),
        drain=Const(0, accumulator.state_bits * cols),
        drain_out=drain,
        **control,
    )
    step(m, "Rows of C that are still to leave")
    arrives = wave(m, "arrives", finished, cols, advance)[-1]
    left = Signal(range(rows + 1), name="rows_left")
    with m.If(advance):
        with m.If(arrives):
            m.d.sync += left.eq(rows)
        with m.Elif(left != 0):
            m.d.sync += left.eq(left - 1)
    return drain, left != 0, left == 1
