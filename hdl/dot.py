"""The dot product unit."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Cat, Const, Module, Signal, Value, unsigned
from amaranth.lib import data
from amaranth.lib.wiring import In, Member, Out

from ..golden.formats import BlockFormat, Format, check_bool, check_int
from .multiplier import MAX_STAGES
from .pipeline import ROUTE, Pipeline, PipelinedUnit, balanced
from .rounded_sum import FLAG_BITS
from .step import step
from .styles import summation
from .summation import MODE, Field, Summation
from .unit import shape_of


class Dot(PipelinedUnit):
    """d = c + Σ a·b over ``lanes`` products; one sum per clock cycle, ``stages`` cycles of latency.

    How the products are added, and what is rounded when, is the style of ``acc``; :mod:`.styles` lists them. The reference,
    bit for bit, is :func:`polymac.golden.dot` (:func:`polymac.golden.block_dot` for block formats), for a fixed-point
    accumulator :func:`polymac.golden.gemm`.

    Parameters
    ----------
    a, b, lanes, acc, out, overflow, max_k, sparse, architecture, force_wide
        As of :func:`.styles.summation`. An exact sum is one of a single beat: ``max_k`` is ``lanes`` unless given, and
        block formats bring no bits for the range of their scales.
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
        See :func:`.styles.summation`.
    """

    kind = "dot"
    throughput = "one sum of `lanes` products per clock cycle"

    def __init__(
        self,
        *,
        a: str | Format | BlockFormat,
        b: str | Format | BlockFormat,
        lanes: int | None = None,
        acc: str | None = None,
        out: str | Format | None = None,
        overflow: str | None = None,
        max_k: int | None = None,
        sparse: bool = False,
        architecture: str | None = None,
        force_wide: bool = False,
        rounding: str | None = None,
        flags: bool = False,
        addend: bool | None = None,
        stages: int = 0,
    ) -> None:
        self.how = how = summation(
            a=a,
            b=b,
            lanes=lanes,
            acc=acc,
            out=out,
            overflow=overflow,
            max_k=max_k,
            sparse=sparse,
            architecture=architecture,
            force_wide=force_wide,
            one_beat=True,
            rounding=rounding,
            flags=flags,
        )
        self.stages = check_int("stages", stages, 0, MAX_STAGES)
        self.addend = how.state_is_code if addend is None else check_bool("addend", addend)
        how.check_addend(self.addend)
        self.formula = f"d = {'c + ' * self.addend}{how.formula}, {how.policy}"
        code = shape_of(how.out)
        members = operand_members(how) | ({"c": In(code)} if self.addend else {}) | {"d": Out(code)}
        members |= {"flags": Out(FLAG_BITS)} if flags else {}
        self.with_flags = flags
        super().__init__(
            members,
            formats=operand_formats(how) | {"c": (how.out, 1), "d": (how.out, 1)},
            parameters=how.parameters | {"addend": self.addend, "stages": stages},
            registers=stages,
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        how = self.how
        feed = len(how.feed_delays) + 1
        registers = balanced((ROUTE, *how.feed_delays, *how.add_delays, ROUTE), self.stages)
        pipeline = Pipeline.at(m, registers[:feed], self.enable)
        state: Value = Const(how.empty, how.state_bits)
        if self.addend:
            step(m, "The addend waits for the products")
            addend = Signal(how.state_bits, name="addend")
            m.d.comb += addend.eq(self.c)
            (state,) = pipeline.delay(pipeline.stages, addend, reset=False)
        a, b = (operand_bits(self, side, fields) for side, fields in (("a", how.a_fields), ("b", how.b_fields)))
        state = how.step(m, platform, pipeline, a, b, state, registers[feed:])
        if not how.state_is_code:
            step(m, "The sum as a code of the result's format")
        m.d.comb += self.d.eq(how.result(m, platform, state))
        if self.with_flags:
            m.d.comb += self.flags.eq(state[how.out.width :])
        return m


def operand_members(how: Summation) -> dict[str, Member]:
    """The ports of both operands: ``a`` and ``b`` for their data, ``a_scale`` and so on for what else they have."""
    return {
        _port(side, name): In(data.ArrayLayout(shape_of(fmt), count) if name != "scale" else unsigned(fmt.width))
        for side, fields in (("a", how.a_fields), ("b", how.b_fields))
        for name, fmt, count in fields
    }


def operand_formats(how: Summation) -> dict[str, tuple[Format, int]]:
    """Formats and numbers of elements of those ports."""
    return {
        _port(side, name): (fmt, count)
        for side, fields in (("a", how.a_fields), ("b", how.b_fields))
        for name, fmt, count in fields
    }


def operand_bits(unit: Any, side: str, fields: tuple[Field, ...]) -> Value:
    """One operand's ports side by side."""
    return Cat(*(Value.cast(getattr(unit, _port(side, name))) for name, _, _ in fields))


def _port(side: str, name: str) -> str:
    return side if name == "data" else name if name == MODE else f"{side}_{name}"
