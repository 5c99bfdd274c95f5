"""The output-stationary systolic array for GEMM."""

from __future__ import annotations

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import data, stream
from amaranth.lib.wiring import In, Out

from ..golden.formats import Format, check_int
from .accumulator import Accumulation
from .grid import Grid
from .multiplier import MAX_STAGES
from .skew import Skew
from .unit import Unit, place, shape_of

MAX_SIDE = 1024


class Array(Unit):
    """C = A · B for tiles of ``rows`` × K by K × ``cols``: one step of the inner dimension per clock cycle.

    Output stationary: each processing element adds up one element of C. A beat of ``a`` holds column k of A and a beat of
    ``b`` row k of B (with ``lanes`` > 1, the next ``lanes`` of them); they are taken together, and ``a``'s ``last`` ends
    the inner dimension. C leaves as ``rows`` beats of one row each, row 0 first. The streams are not skewed; the skew
    lies inside. Accumulators are double-buffered: a tile drains while the next is added up, so that with K/lanes ≥ rows
    beats the array never idles; a shorter tile waits at its last beat until the drain is free.

    Latency, without stalls: rows + cols + stages + 1 cycles from the last beat of a tile to the first of C, which then
    come one per cycle. While two beats of C wait (``c.ready`` is 0), the whole array stands still. The reference, cycle by
    cycle, is :class:`polymac.golden.OutputStationary`.

    Parameters
    ----------
    a, b : str or Format
        Integer or fixed-point formats of the operands.
    rows, cols : int
        Processing elements in each direction, 1 … 1024.
    lanes : int
        Products per processing element and cycle, 1 … 128.
    acc : str or Format, optional
        The accumulator; default: exact for ``max_k`` products.
    max_k : int, optional
        Products that the default accumulator adds exactly; 65536.
    overflow : str, optional
        "wrap" (default) or "saturate", in each step.
    stages : int
        Pipeline registers between operands and accumulator in each processing element.

    Members
    -------
    a : In(stream.Signature(StructLayout({"data": ArrayLayout(a, rows * lanes), "last": 1})))
        Element row * lanes + lane.
    b : In(stream.Signature(StructLayout({"data": ArrayLayout(b, cols * lanes)})))
        Element col * lanes + lane.
    c : Out(stream.Signature(StructLayout({"data": ArrayLayout(acc, cols), "last": 1})))
        ``last`` marks the last row of a tile.

    Raises
    ------
    TypeError, ParameterError
        A size out of range, or see :meth:`Accumulation.make`.
    """

    kind = "array"
    formula = "C = A · B, output stationary"
    throughput = "one beat of a and b per clock cycle while K/lanes ≥ rows"

    def __init__(
        self,
        *,
        a: str | Format,
        b: str | Format,
        rows: int,
        cols: int,
        lanes: int = 1,
        acc: str | Format | None = None,
        max_k: int | None = None,
        overflow: str | None = None,
        stages: int = 0,
    ) -> None:
        self.rows = check_int("rows", rows, 1, MAX_SIDE)
        self.cols = check_int("cols", cols, 1, MAX_SIDE)
        self.accumulation = how = Accumulation.make(a, b, lanes, acc, overflow, max_k)
        self.stages = check_int("stages", stages, 0, MAX_STAGES)
        a_data = data.ArrayLayout(shape_of(how.a), rows * lanes)
        b_data = data.ArrayLayout(shape_of(how.b), cols * lanes)
        c_data = data.ArrayLayout(shape_of(how.acc), cols)
        super().__init__(
            {
                "a": In(stream.Signature(data.StructLayout({"data": a_data, "last": 1}))),
                "b": In(stream.Signature(data.StructLayout({"data": b_data}))),
                "c": Out(stream.Signature(data.StructLayout({"data": c_data, "last": 1}))),
            },
            formats={
                "a_data": (how.a, rows * lanes),
                "b_data": (how.b, cols * lanes),
                "c_data": (how.acc, cols),
            },
            parameters=how.parameters | {"rows": rows, "cols": cols, "stages": stages, "dataflow": "os"},
            latency=rows + cols + stages + 1,
            clocked=True,
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        advance, take, first = Signal(name="advance"), Signal(name="take"), Signal(name="first", init=1)
        ends = take & self.a.payload.last

        # The drain chain holds a tile for `rows` cycles, so that the ends of two tiles are at least that far apart.
        hold = Signal(range(self.rows))
        with m.If(ends):
            m.d.sync += hold.eq(self.rows - 1)
        with m.Elif(advance & (hold != 0)):
            m.d.sync += hold.eq(hold - 1)
        free = Signal()
        m.d.comb += [
            free.eq(advance & (~self.a.payload.last | (hold == 0))),
            self.a.ready.eq(free & self.b.valid),
            self.b.ready.eq(free & self.a.valid),
            take.eq(free & self.a.valid & self.b.valid),
        ]
        with m.If(take):
            m.d.sync += first.eq(self.a.payload.last)

        drained, finished = self._grid(m, platform, advance, take, first)
        out_data, out_valid, out_last = self._align(m, platform, advance, drained, finished)
        self._buffer(m, advance, out_data, out_valid, out_last)
        return m

    def _grid(self, m: Module, platform: object, advance: Signal, take: Signal, first: Signal) -> tuple[Value, Signal]:
        """The rows. Row 0 of C lies at the bottom, next to the exit, since the chain moves down and is emptied from there.

        Returns the drain registers of the bottom row, and a pulse in the cycle before its first holds a result.
        """
        how = self.accumulation
        a_bits, b_bits, acc_bits = how.a.width * how.lanes, how.b.width * how.lanes, how.acc.width
        a_data, b_data = self.a.payload.data.as_value(), self.b.payload.data.as_value()
        a_skewed = _skewed(m, platform, "a", a_data, Skew(width=a_bits, count=self.rows, reverse=True), advance)
        b_skewed = _skewed(m, platform, "b", b_data, Skew(width=b_bits, count=self.cols, reverse=False), advance)

        shift = Signal(self.rows)
        bottom = {name: Signal(name=f"{name}_bottom") for name in ("valid", "first", "last")}
        b_out, drain = Signal(b_bits * self.cols, name="b_unused"), Signal(acc_bits * self.cols, name="drain")
        place(
            m,
            platform,
            "grid",
            Grid(how=how, rows=self.rows, columns=self.cols, stages=self.stages),
            en=advance,
            a=a_skewed,
            valid=take,
            first=first,
            last=self.a.payload.last,
            shift=shift,
            b=b_skewed,
            b_out=b_out,
            drain_in=Const(0, acc_bits * self.cols),
            drain=drain,
            **{f"{name}_out": signal for name, signal in bottom.items()},
        )
        # Of the chain, position p shifts p times: then it has passed on all that lay above it.
        finished = _delay(m, advance, bottom["valid"] & bottom["last"], self.stages, "finished")
        with m.If(advance):
            m.d.sync += shift.eq(Mux(finished, ~1, shift & (shift << 1)))
        return drain, finished

    def _align(
        self, m: Module, platform: object, advance: Signal, drained: Value, finished: Signal
    ) -> tuple[Value, Value, Value]:
        """Results of one row of C side by side, with valid and last."""
        how = self.accumulation
        aligned = _skewed(m, platform, "c", drained, Skew(width=how.acc.width, count=self.cols, reverse=True), advance)
        arrives = _delay(m, advance, finished, self.cols - 1, "arrives")
        left = Signal(range(self.rows + 1), name="rows_left")
        with m.If(advance):
            with m.If(arrives):
                m.d.sync += left.eq(self.rows)
            with m.Elif(left != 0):
                m.d.sync += left.eq(left - 1)
        return aligned, left != 0, left == 1

    def _buffer(self, m: Module, advance: Signal, out_data: Value, out_valid: Value, out_last: Value) -> None:
        """Two beats of C: ``advance`` depends on registers alone, and nothing is lost when ``ready`` falls."""
        head, tail = (Signal(len(out_data) + 1, name=name, reset_less=True) for name in ("head", "tail"))
        holds_one, holds_two, push, pop = (Signal(name=name) for name in ("holds_one", "holds_two", "push", "pop"))
        beat = Cat(out_data, out_last)
        m.d.comb += [
            advance.eq(~holds_two),
            push.eq(advance & out_valid),
            pop.eq(self.c.valid & self.c.ready),
            self.c.valid.eq(holds_one | holds_two),
            Cat(self.c.payload.data.as_value(), self.c.payload.last).eq(head),
        ]
        with m.If(holds_two), m.If(pop):
            m.d.sync += [head.eq(tail), holds_one.eq(1), holds_two.eq(0)]
        with m.Elif(push):
            with m.If(holds_one & ~pop):
                m.d.sync += [tail.eq(beat), holds_one.eq(0), holds_two.eq(1)]
            with m.Else():
                m.d.sync += [head.eq(beat), holds_one.eq(1)]
        with m.Elif(pop):
            m.d.sync += holds_one.eq(0)


def _skewed(m: Module, platform: object, name: str, vector: Value, skew: Skew, enable: Signal) -> Value:
    """The vector behind a skew; one element alone waits for nobody."""
    if skew.count == 1:
        return vector
    result = Signal(len(vector), name=f"{name}_skewed")
    place(m, platform, f"skew_{name}", skew, i=vector, o=result, en=enable)
    return result


def _delay(m: Module, enable: Signal, pulse: Value, cycles: int, name: str) -> Signal:
    """``pulse`` as it was that many enabled cycles ago."""
    line = Signal(cycles, name=f"{name}_line")
    now = Signal(name=name)
    if cycles:
        with m.If(enable):
            m.d.sync += line.eq(Cat(pulse, line))
    m.d.comb += now.eq(line[-1] if cycles else pulse)
    return now
