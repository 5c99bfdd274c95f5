"""The multiply-accumulate unit."""

from __future__ import annotations

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import data
from amaranth.lib.wiring import In, Out

from ..golden.formats import Format, check_int
from .accumulator import Accumulation
from .multiplier import MAX_STAGES
from .pipeline import Pipeline
from .unit import Unit, shape_of


class Mac(Unit):
    """acc = (0 if clear else acc) + sum over lanes of a * b; one step per clock cycle, ``stages`` + 1 cycles of latency.

    The sum of one step's products is exact; the accumulator wraps or saturates in each step where it is too narrow. By
    default it is wide enough for ``max_k`` products. The reference, bit for bit, is :func:`polymac.golden.gemm`.

    Parameters
    ----------
    a, b : str or Format
        Integer or fixed-point formats of the operands.
    acc : str or Format, optional
        The accumulator: as many fraction bits as a product, at least as wide. Default: ceil(log2 max_k) bits wider.
    max_k : int, optional
        Products that the default accumulator adds exactly; 65536.
    overflow : str, optional
        "wrap" (default) or "saturate".
    lanes : int
        Products per step, 1 … 128.
    stages : int
        Pipeline registers between the operands and the accumulator.

    Members
    -------
    a, b : In(ArrayLayout(operand, lanes))
    valid : In(1)
        The operands of this cycle count.
    clear : In(1)
        With ``valid``: the sum starts anew with these operands.
    en : In(1)
        While 0, no register changes.
    acc : Out
        The accumulator, ``stages`` + 1 cycles after its last operands.

    Raises
    ------
    TypeError, ParameterError
        See :meth:`Accumulation.make`.
    """

    kind = "mac"
    formula = "acc = (0 if clear else acc) + sum over lanes of a * b"
    throughput = "one step of `lanes` products per clock cycle"

    def __init__(
        self,
        *,
        a: str | Format,
        b: str | Format,
        acc: str | Format | None = None,
        max_k: int | None = None,
        overflow: str | None = None,
        lanes: int = 1,
        stages: int = 0,
    ) -> None:
        self.accumulation = Accumulation.make(a, b, lanes, acc, overflow, max_k)
        self.stages = check_int("stages", stages, 0, MAX_STAGES)
        how = self.accumulation
        super().__init__(
            {
                "a": In(data.ArrayLayout(shape_of(how.a), lanes)),
                "b": In(data.ArrayLayout(shape_of(how.b), lanes)),
                "valid": In(1),
                "clear": In(1),
                "en": In(1, init=1),
                "acc": Out(shape_of(how.acc)),
            },
            formats={"a": (how.a, lanes), "b": (how.b, lanes), "acc": (how.acc, 1)},
            parameters=how.parameters | {"stages": stages},
            latency=stages + 1,
            clocked=True,
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        how = self.accumulation
        # Behind the products' sum first, then behind the operands: a synthesizer retimes the rest.
        pipeline = Pipeline(m, self.stages, (1, 0), self.en)
        lanes = range(how.lanes)
        a = [Signal(shape_of(how.a), name=f"a_{lane}") for lane in lanes]
        b = [Signal(shape_of(how.b), name=f"b_{lane}") for lane in lanes]
        valid, clear = Signal(name="step"), Signal(name="start")
        m.d.comb += [signal.eq(self.a[lane]) for lane, signal in enumerate(a)]
        m.d.comb += [signal.eq(self.b[lane]) for lane, signal in enumerate(b)]
        m.d.comb += [valid.eq(self.valid), clear.eq(self.clear)]
        operands = pipeline.cut(0, *a, *b, reset=False)
        valid, clear = pipeline.cut(0, valid, clear)
        products = [Signal(shape_of(how.product), name=f"product_{lane}") for lane in lanes]
        term = Signal(shape_of(how.term), name="products")
        m.d.comb += [product.eq(operands[i] * operands[how.lanes + i]) for i, product in enumerate(products)]
        m.d.comb += term.eq(sum(products[1:], start=products[0]))
        (term,) = pipeline.cut(1, term, reset=False)
        valid, clear = pipeline.cut(1, valid, clear)
        total = Signal(shape_of(how.acc), name="total")
        m.d.comb += total.eq(Mux(clear, 0, self.acc))
        following = how.add(m, total, term)
        with m.If(self.en & valid):
            m.d.sync += self.acc.eq(following)
        return m
