"""The processing element of the output-stationary array, and the row that chains them."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Module, Signal
from amaranth.lib.wiring import In, Member, Out

from .accumulator import Accumulation
from .mac import Mac
from .unit import Unit, place, shape_of

#: Control that travels with the operands of ``a`` from one processing element to its right neighbour.
CONTROL = ("valid", "first", "last", "shift")


def _members(how: Accumulation, columns: int) -> dict[str, Member]:
    # Plain bits: Amaranth would show each element of a layout as a wire with brackets in its name.
    a, b, acc = how.a.width * how.lanes, how.b.width * how.lanes * columns, how.acc.width * columns
    control = {name: In(1) for name in CONTROL}
    return {"en": In(1), "a": In(a), "b": In(b), "drain_in": In(acc), "b_out": Out(b), "drain": Out(acc)} | control


class ProcessingElement(Unit):
    """A :class:`Mac` that hands its operands on and keeps its last sum while the next one is formed.

    ``first`` starts a sum and ``last`` ends it; a finished sum goes to the drain register, which otherwise takes that of
    the element above while ``shift`` is set. Operands and control leave one cycle after they came.

    Parameters
    ----------
    how : Accumulation
        Formats, lanes and overflow.
    stages : int
        Pipeline registers between operands and accumulator.

    Members
    -------
    en : In(1)
        While 0, no register changes.
    a, b, valid, first, last, shift : In
        Operands and control; with the suffix ``_out`` what the neighbours to the right and below get.
    drain_in, drain : In, Out
        The chain of drain registers.
    """

    kind = "pe"
    formula = "acc = (0 if first else acc) + sum over lanes of a * b; drain = acc after last"

    def __init__(self, *, how: Accumulation, stages: int) -> None:
        self.how = how
        self.stages = stages
        outputs = {"a_out": Out(how.a.width * how.lanes)}
        super().__init__(
            _members(how, 1) | outputs | {f"{name}_out": Out(1) for name in CONTROL},
            formats={"a": (how.a, how.lanes), "b": (how.b, how.lanes), "drain": (how.acc, 1)},
            parameters=how.parameters | {"stages": stages},
            latency=stages + 2,
            clocked=True,
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        how = self.how
        acc = Signal(shape_of(how.acc))
        mac = Mac(a=how.a, b=how.b, acc=how.acc, overflow=how.overflow, lanes=how.lanes, stages=self.stages)
        place(m, platform, "mac", mac, a=self.a, b=self.b, valid=self.valid, clear=self.first, en=self.en, acc=acc)
        done = Signal(self.stages + 1)  # bit i: the sum is complete in stages - i cycles
        a_out = Signal(len(self.a), name="a_out", reset_less=True)
        b_out = Signal(len(self.b), name="b_out", reset_less=True)
        drain = Signal(how.acc.width, name="drained", reset_less=True)
        with m.If(self.en):
            m.d.sync += [a_out.eq(self.a), b_out.eq(self.b), done.eq((done << 1) | (self.valid & self.last))]
            m.d.sync += [getattr(self, f"{name}_out").eq(getattr(self, name)) for name in CONTROL]
            with m.If(done[-1]):
                m.d.sync += drain.eq(acc)
            with m.Elif(self.shift):
                m.d.sync += drain.eq(self.drain_in)
        m.d.comb += [self.a_out.eq(a_out), self.b_out.eq(b_out), self.drain.eq(drain)]
        return m


class Row(Unit):
    """``columns`` processing elements side by side: a and its control move right, b and the drain chain pass through.

    Parameters
    ----------
    how : Accumulation
        Formats, lanes and overflow.
    columns : int
        Processing elements.
    stages : int
        Pipeline registers between operands and accumulator.

    Members
    -------
    As :class:`ProcessingElement`; b and drain have ``columns`` times its elements, and nothing leaves to the right.
    """

    kind = "row"
    formula = "columns of processing elements"

    def __init__(self, *, how: Accumulation, columns: int, stages: int) -> None:
        self.how = how
        self.columns = columns
        self.stages = stages
        super().__init__(
            _members(how, columns),
            formats={},
            parameters=how.parameters | {"columns": columns, "stages": stages},
            latency=stages + 2,
            clocked=True,
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        how = self.how
        b_bits, acc_bits = how.b.width * how.lanes, how.acc.width
        b, drain_in, b_out, drain = self.b, self.drain_in, self.b_out, self.drain
        west: dict[str, Any] = {"a": self.a, **{name: getattr(self, name) for name in CONTROL}}
        for column in range(self.columns):
            pe = ProcessingElement(how=how, stages=self.stages)
            b_here = slice(column * b_bits, (column + 1) * b_bits)
            acc_here = slice(column * acc_bits, (column + 1) * acc_bits)
            east = {"a": Signal(how.a.width * how.lanes, name=f"a_{column + 1}")}
            east |= {name: Signal(name=f"{name}_{column + 1}") for name in CONTROL}
            place(
                m,
                platform,
                f"pe_{column}",
                pe,
                en=self.en,
                **west,
                **{f"{name}_out": signal for name, signal in east.items()},
                b=b[b_here],
                b_out=b_out[b_here],
                drain_in=drain_in[acc_here],
                drain=drain[acc_here],
            )
            west = east
        return m
