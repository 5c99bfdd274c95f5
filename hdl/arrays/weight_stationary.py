"""The weight-stationary dataflow: each processing element holds one step of one column of B."""

from __future__ import annotations

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value

from ..core.hierarchy import instantiate
from ..core.pipeline import Pipeline
from ..core.step import step
from ..sums.accumulator import Accumulator
from .dataflow import DataflowHost
from .grid import Grid
from .processing_element import ProcessingElement
from .skew import Skew, delayed, skewed, wave

#: Control that travels with the operands of a from one processing element to its right neighbour.
_CONTROL = ("load", "swap")


class WeightElement(ProcessingElement):
    """Adds the products of the operands that pass with its weights to the sums that pass.

    While its weights work, ``load`` takes the ones that pass as the next; ``swap``, which comes with the first operands
    that are to meet them, puts them in place.

    Parameters
    ----------
    accumulator : Accumulator
        How products are added.
    stages : int
        Pipeline registers between operands and sum.

    Members
    -------
    a, load, swap : In, Out
        Operands and control, from the left to the right.
    b, sum : In, Out
        Weights and sums, downwards. A sum comes ``stages`` + 1 enabled cycles after the operands that are to be added.
    """

    formula = "sum_out = sum + sum over lanes of a * weight"

    def __init__(self, *, accumulator: Accumulator, stages: int) -> None:
        west = {"a": accumulator.a_bits} | dict.fromkeys(_CONTROL, 1)
        super().__init__(
            accumulator=accumulator,
            stages=stages,
            west=west,
            north={"b": accumulator.b_bits, "sum": accumulator.state_bits},
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        pipeline = Pipeline.at(m, self.accumulator.feed(self.stages), self.en)
        accumulator = self.accumulator
        a_out, b_out = (Signal(len(getattr(self, name)), name=f"{name}_held", reset_less=True) for name in "ab")
        shadow, weight = (Signal(accumulator.b_bits, name=name, reset_less=True) for name in ("shadow", "weight"))
        total = Signal(accumulator.state_bits, name="total", reset_less=True)
        step(m, "The products with the weights, added to the sum from above")
        following = accumulator.step(m, platform, pipeline, a_out, weight, self.sum)
        step(m, "Operands, control and sums move on; weights pass through a shadow that a swap makes the current ones")
        with m.If(self.en):
            m.d.sync += [a_out.eq(self.a), b_out.eq(self.b), total.eq(following)]
            m.d.sync += [getattr(self, f"{name}_out").eq(getattr(self, name)) for name in _CONTROL]
            with m.If(self.load):
                m.d.sync += shadow.eq(self.b)
            with m.If(self.swap):
                m.d.sync += weight.eq(shadow)
        m.d.comb += [self.a_out.eq(a_out), self.b_out.eq(b_out), self.sum_out.eq(total)]
        return m


def weight_stationary(m: Module, platform: object, array: DataflowHost, advance: Signal) -> tuple[Value, Value, Value]:
    """All but the output buffer: sums of one vector side by side, valid and last."""
    accumulator, rows, cols, stages = array.accumulator, array.rows, array.cols, array.stages
    step(m, "A beat of a is taken once its weights are loaded, one of b once the shadow plane is free")
    take, swap, load = (Signal(name=name) for name in ("take", "swap", "take_b"))
    # Whether the next beat of a is the first of a tile, and whether the shadow plane is complete.
    first, loaded = Signal(name="first", init=1), Signal(name="loaded")
    accept = Signal(name="accept")
    adds, offered = (array.a.payload.add, array.p.valid) if accumulator.state_is_encoded else (Const(0), Const(0))
    m.d.comb += [
        accept.eq(advance & (~first | loaded)),
        array.a.ready.eq(accept & (~adds | offered)),
        take.eq(array.a.valid & array.a.ready),
        swap.eq(take & first),
        array.b.ready.eq(advance & (~loaded | swap)),
        load.eq(array.b.valid & array.b.ready),
    ]
    with m.If(take):
        m.d.sync += first.eq(array.a.payload.last)
    step(m, "Rows of the shadow plane that are loaded")
    index = Signal(range(rows))
    ends = Signal(name="plane_ends")
    m.d.comb += ends.eq(index == rows - 1)
    with m.If(load):
        m.d.sync += index.eq(Mux(ends, 0, index + 1))
    with m.If(load & ends):
        m.d.sync += loaded.eq(1)
    with m.Elif(swap):
        m.d.sync += loaded.eq(0)

    a_skew, b_skew = (
        Skew(width=accumulator.a_bits, count=rows, reverse=False),
        Skew(width=accumulator.b_bits, count=cols, reverse=False),
    )
    step(m, "The processing elements, each row and column of operands a cycle behind the one before")
    sums = Signal(accumulator.state_bits * cols, name="sums")
    instantiate(
        m,
        platform,
        "grid",
        Grid(element=WeightElement, accumulator=accumulator, rows=rows, columns=cols, stages=stages, upward=False),
        en=advance,
        a=skewed(m, platform, "a", array.operand(m, "a"), a_skew, advance),
        b=skewed(m, platform, "b", array.operand(m, "b"), b_skew, advance),
        load=_captures(m, load, ends, rows, advance),
        swap=wave(m, "swap_rows", swap, rows, advance),
        sum=_partial_sums(m, platform, array, accept, adds, advance),
        b_out=Signal(accumulator.b_bits * cols, name="b_unused"),
        sum_out=sums,
    )
    # Past every row and column, `stages` registers and that of the operands.
    step(m, "Vectors on their way to the exit")
    valid, last = (
        wave(m, name, pulse, rows + cols + stages + 1, advance)[-1]
        for name, pulse in (("valid", take), ("last", array.a.payload.last))
    )
    return sums, valid, last


def _captures(m: Module, load: Signal, ends: Signal, rows: int, advance: Signal) -> Signal:
    """For each row, whether it is to capture the beat of b that passes.

    Beats arrive one row further down in each cycle, and row r is to capture beat r of a plane: the one that follows the
    beat which the row above captured. Row 0 captures the first, which follows the last of the plane before.
    """
    passing = wave(m, "b_rows", load, rows, advance)
    capture, awaits = Signal(rows, name="capture"), Signal(rows, name="awaits", init=1)
    above = Signal(max(rows - 1, 0), name="captured_above")
    m.d.comb += capture.eq(passing & awaits)
    with m.If(advance):
        m.d.sync += [above.eq(capture[:-1]), awaits.eq((passing & Cat(ends, above)) | (~passing & awaits))]
    return capture


def _partial_sums(
    m: Module, platform: object, array: DataflowHost, accept: Signal, adds: Value, advance: Signal
) -> Value:
    """What the top row adds to: for a beat with ``add`` the partial sums, else the sums of nothing."""
    accumulator, cols = array.accumulator, array.cols
    nothing = Cat(Const(accumulator.initial_state, accumulator.state_bits) for _ in range(cols))
    if not accumulator.state_is_encoded:
        return nothing
    m.d.comb += array.p.ready.eq(accept & array.a.valid & adds)
    start = Signal(accumulator.state_bits * cols, name="start")
    m.d.comb += start.eq(Mux(adds, array.p.payload.data.as_value(), nothing))
    waiting = delayed(m, platform, "p", start, array.stages + 1, advance)
    return skewed(m, platform, "p", waiting, Skew(width=accumulator.state_bits, count=cols, reverse=False), advance)
