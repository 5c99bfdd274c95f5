"""Systolic arrays for GEMM, output stationary or weight stationary."""

from __future__ import annotations

from typing import Unpack

from amaranth.hdl import Cat, Module, Signal, Value
from amaranth.lib.wiring import In, Out

from ...golden.formats import ParameterError, check_choice, check_int
from ..core.hierarchy import instantiate
from ..core.pipeline import MAX_STAGES
from ..core.step import step
from ..core.unit import PortSpec, StreamSpec, Unit, control, numbers
from ..sums import select
from ..sums.accumulator import Accumulator, Field
from ..sums.exact import ExactSum
from ..sums.options import AccumulatorKeywords, AccumulatorOptions, check_without, takes_accumulator_options
from .output_stationary import output_stationary
from .skew import MOST_BITS, Skew, skewed
from .weight_stationary import weight_stationary

MAX_SIDE = 1024
#: Options of other accumulators that arrays do not have.
_WITHOUT = ("sparse",)
#: At least as many control bits as go into the grid for each row, and as many ports of one bit as the array has.
_MOST_CONTROL = 8

_DATAFLOWS = {"os": output_stationary, "ws": weight_stationary}
_FORMULAS = {"os": "C = A · B, output stationary", "ws": "c = a · B (+ p), weight stationary"}
_THROUGHPUTS = {
    "os": "one beat of a and b per clock cycle while K/lanes ≥ rows",
    "ws": "one beat of a and of c per clock cycle while tiles have M ≥ rows beats",
}


@takes_accumulator_options(*_WITHOUT)
class Array(Unit):
    """Matrix products on rows × cols processing elements, ``lanes`` products each per clock cycle, in any format.

    The streams are not skewed; the skew lies inside. Everything is double-buffered. While two beats of C wait
    (``c.ready`` is 0), the whole array stands still.

    *Output stationary* (``os``): C = A · B for tiles of ``rows`` × K by K × ``cols``; each processing element adds up
    one element of C. A beat of ``a`` holds column k of A and a beat of ``b`` row k of B (with ``lanes`` > 1, the next
    ``lanes`` of them); they are taken together, and ``a``'s ``last`` ends the inner dimension. C leaves as ``rows``
    beats of one row each, row 0 first. A tile drains while the next is added up, so that with K/lanes ≥ rows beats the
    array never idles; a shorter tile waits at its last beat until the drain is free. A tile alone takes K/lanes + rows +
    cols + stages + rows cycles from its first beat of operands to its last of C, both counted: fill and drain are
    2 · rows + cols + stages.

    *Weight stationary* (``ws``): c = a · B for vectors of rows × lanes elements and a plane B, rows × lanes by cols. The
    ``rows`` beats of ``b``, beat r with row r of B (``lanes`` of them), load a shadow plane while the plane before works;
    the first beat of ``a`` after them puts it in place, and ``a``'s ``last`` ends its use. Each beat of ``a`` gives one of
    ``c``. Sums start from nothing, or where ``a``'s ``add`` is 1 from the beat of ``p`` that is taken with it: so more
    than rows × lanes products are added, plane by plane. The exact style has no ``p``, for its sums are no codes while
    they grow. With tiles of M ≥ rows beats the array never idles. A tile alone takes rows + M + rows + cols + stages + 1
    cycles from its first beat of weights to its last of c: fill and drain are 2 · rows + cols + stages + 1.

    Latency, without stalls: rows + cols + stages + 1 cycles from the last beat of operands that a result needs (``os``:
    of the tile, to its first row) to that result. The references, cycle by cycle, are
    :class:`polymac.golden.OutputStationary` and :class:`polymac.golden.WeightStationary`.

    Parameters
    ----------
    a, b : str, Format or BlockFormat
        Formats of the operands. In a block format each beat brings the scale of its block; the tensor's scale is left to
        the user.
    rows, cols : int
        Processing elements in each direction, 1 … 1024.
    lanes : int, optional
        Products per processing element and cycle, 1 … 128. Default: the block of an aligned style, else 1.
    acc, out, overflow, max_k, architecture, force_wide
        How products are added: see :class:`.AccumulatorOptions`; ``options`` is one, whose fields these replace.
    stages : int
        Pipeline registers between operands and sum in each processing element.
    dataflow : "os" or "ws"
        Output stationary or weight stationary.

    Members
    -------
    a : In(stream.Signature(StructLayout({"data": ArrayLayout(a, rows * lanes), "last": 1})))
        Element row * lanes + lane. Block formats: ``scale``, ArrayLayout(scale, rows). With ``p``: ``add``.
    b : In(stream.Signature(StructLayout({"data": ArrayLayout(b, cols * lanes)})))
        Element col * lanes + lane. Block formats: ``scale``, ArrayLayout(scale, cols).
    p : In(stream.Signature(StructLayout({"data": ArrayLayout(out, cols)})))
        Partial sums. Weight stationary, all styles but exact.
    c : Out(stream.Signature(StructLayout({"data": ArrayLayout(out, cols), "last": 1})))
        ``last`` marks the last beat of a tile.

    Raises
    ------
    TypeError, ParameterError
        A size out of range or beyond what Amaranth can do, no such dataflow, an exact sum that does not hold rows × lanes
        products, or see :func:`.select.accumulator`.

    Examples
    --------
    >>> array = hdl.Array(a="fp8_e4m3", b="fp8_e4m3", acc="fp32", rows=4, cols=4, dataflow="ws")
    >>> array.latency
    9
    """

    kind = "array"

    def __init__(
        self,
        options: AccumulatorOptions | None = None,
        *,
        rows: int,
        cols: int,
        stages: int = 0,
        dataflow: str = "os",
        **keywords: Unpack[AccumulatorKeywords],
    ) -> None:
        self.rows = check_int("rows", rows, 1, MAX_SIDE)
        self.cols = check_int("cols", cols, 1, MAX_SIDE)
        chosen = AccumulatorOptions.of(options, keywords)
        check_without("array", chosen, *_WITHOUT)
        self.accumulator = accumulator = select.accumulator(chosen)
        self.stages = check_int("stages", stages, 0, MAX_STAGES)
        self.dataflow = check_choice("dataflow", dataflow, tuple(_DATAFLOWS))
        plane = rows * accumulator.lanes
        if dataflow == "ws" and isinstance(accumulator, ExactSum) and accumulator.max_k < plane:
            raise ParameterError(
                f"max_k must be at least rows × lanes = {plane} for weight-stationary exact sums, not {accumulator.max_k}"
            )
        # The inputs of the grid; no other module has more, and no register.
        row_bits, column_bits = accumulator.a_bits, accumulator.b_bits + accumulator.state_bits
        bits = self.rows * (row_bits + _MOST_CONTROL) + self.cols * column_bits + _MOST_CONTROL
        if bits > MOST_BITS:
            raise ParameterError(
                f"rows × {row_bits} bits of a and cols × {column_bits} bits of b and sums must be at most "
                f"{MOST_BITS} bits with their control, Amaranth's limit for a module, not {bits}"
            )
        self.formula = _FORMULAS[dataflow]
        self.throughput = _THROUGHPUTS[dataflow]
        last, add = {"last": PortSpec(In(1), "last")}, {"add": control(1)} if self.takes_partial_sums else {}
        sums = {"data": numbers(In, accumulator.out, cols)}
        super().__init__(
            {
                "a": StreamSpec(In, _payload(accumulator.a_fields, rows) | add | last),
                "b": StreamSpec(In, _payload(accumulator.b_fields, cols)),
                **({"p": StreamSpec(In, sums)} if self.takes_partial_sums else {}),
                "c": StreamSpec(Out, sums | last),
            },
            parameters=accumulator.parameters | {"rows": rows, "cols": cols, "stages": stages, "dataflow": dataflow},
            latency=rows + cols + stages + 1,
            clocked=True,
        )

    @property
    def takes_partial_sums(self) -> bool:
        """Whether there is a stream ``p``."""
        return self.dataflow == "ws" and self.accumulator.state_is_encoded

    def elaborate(self, platform: object) -> Module:
        m = Module()
        advance = Signal(name="advance")
        sums, out_valid, out_last = _DATAFLOWS[self.dataflow](m, platform, self, advance)
        results = self._results(m, platform, sums)
        skew = Skew(width=self.accumulator.out.width, count=self.cols, reverse=True)
        self._buffer(m, advance, skewed(m, platform, "c", results, skew, advance), out_valid, out_last)
        return m

    def operand(self, m: Module, name: str) -> Value:
        """The payload of stream a or b in the order of rows or columns, each as the fields of the accumulator say."""
        payload = getattr(self, name).payload
        fields, places = (
            (self.accumulator.a_fields, self.rows) if name == "a" else (self.accumulator.b_fields, self.cols)
        )
        parts = [(payload[field].as_value(), fmt.width * count) for field, fmt, count in fields]
        if len(parts) == 1:
            return parts[0][0]
        step(m, f"The fields of {name} place by place")
        joined = Signal(sum(len(part) for part, _ in parts), name=f"{name}_joined")
        m.d.comb += joined.eq(
            Cat(part[index * bits : (index + 1) * bits] for index in range(places) for part, bits in parts)
        )
        return joined

    def _results(self, m: Module, platform: object, sums: Value) -> Value:
        """The codes of the sums that leave the bottom row: rounded there, once per column, where they are no codes."""
        accumulator = self.accumulator
        if accumulator.state_is_encoded:
            return sums
        step(m, "Each column's sum as a code of the result's format")
        results = Signal(accumulator.out.width * self.cols, name="results")
        for column in range(self.cols):
            state = sums[column * accumulator.state_bits : (column + 1) * accumulator.state_bits]
            code = results[column * accumulator.out.width : (column + 1) * accumulator.out.width]
            instantiate(m, platform, f"result_{column}", Result(accumulator=accumulator), state=state, code=code)
        return results

    def _buffer(self, m: Module, advance: Signal, out_data: Value, out_valid: Value, out_last: Value) -> None:
        """Two beats of C: ``advance`` depends on registers alone, and nothing is lost when ``ready`` falls."""
        step(m, "Two beats of C wait here: whether the array advances depends on registers alone")
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


class Result(Unit):
    """code = round(state): what a finished sum is in the format of the results.

    Parameters
    ----------
    accumulator : Accumulator
        What the state is.

    Members
    -------
    state, code : In, Out
        The sum and its code.
    """

    kind = "result"
    formula = "code = round(state)"

    def __init__(self, *, accumulator: Accumulator) -> None:
        self.accumulator = accumulator
        super().__init__(
            {"state": In(accumulator.state_bits), "code": Out(accumulator.out.width)},
            parameters=accumulator.parameters,
            latency=0,
            clocked=False,
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.d.comb += self.code.eq(self.accumulator.result(m, platform, self.state))
        return m


def _payload(fields: tuple[Field, ...], places: int) -> dict[str, PortSpec]:
    return {name: numbers(In, fmt, count * places) for name, fmt, count in fields}
