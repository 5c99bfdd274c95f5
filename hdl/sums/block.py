"""The exact sum of a block of products as a term: by a :class:`.FixedSum`, times the scales of the block."""

from __future__ import annotations

from amaranth.hdl import Cat, Module, Signal

from ...golden.formats import BlockFormat, Exact, Rounded
from ..core.hierarchy import instantiate
from ..core.pipeline import Pipeline
from ..operand.raw_float import NEVER, RawFloat, RawShape
from ..rounding.modes import rounds_down
from .accumulator import MODE, Accumulator, Beat
from .fixed import FixedSum, sum_bits
from .scales import scale_delays, scaled


def block_delays(accumulator: Accumulator, count: int) -> tuple[float, ...]:
    """Estimated delays of the steps of a :func:`block_term` of so many products."""
    return (*_fixed_sum(accumulator, count).delays, *scale_delays(accumulator))


def _fixed_sum(accumulator: Accumulator, count: int, registers: tuple[int, ...] = ()) -> FixedSum:
    a, b = accumulator.a_element, accumulator.b_element
    width, _ = sum_bits(a, b, count)
    return FixedSum(
        a=a,
        b=b,
        count=count,
        width=width,
        signs=_signs(accumulator),
        architecture=accumulator.architecture,
        registers=registers,
    )


def block_term(
    m: Module, platform: object, name: str, accumulator: Accumulator, beat: Beat, pipeline: Pipeline
) -> RawFloat:
    """The exact sum of a beat's products, times the scales where the operands have them.

    The pipeline's registers from place 1 on lie behind the steps of :func:`block_delays`; the beat comes from place 0.
    """
    _, quantum = sum_bits(accumulator.a_element, accumulator.b_element, len(beat.pairs))
    unit = _fixed_sum(accumulator, len(beat.pairs))
    unit = _fixed_sum(accumulator, len(beat.pairs), pipeline.depths(1, len(unit.delays)))
    wires = {
        port.name: Signal(value.shape(), name=f"{name}_{port.name}")
        for port, value in unit.flat_ports()
        if port.direction == "output"
    }
    left, right = (Cat(*side) for side in zip(*beat.pairs, strict=True))
    clock = {"en": pipeline.enable} if unit.latency else {}
    instantiate(m, platform, name, unit, a=left, b=right, **wires, **clock)
    plus, minus = wires.get("plus_inf", NEVER), wires.get("minus_inf", NEVER)
    nan, inf = Signal(name=f"{name}_is_nan"), Signal(name=f"{name}_is_inf")
    m.d.comb += [nan.eq(wires.get("nan", NEVER) | (plus & minus)), inf.eq((plus | minus) & ~nan)]
    exact = RawFloat(
        RawShape(len(wires["sum"]), quantum),
        significand=wires["sum"],
        exponent=NEVER,
        sign=minus,  # of an infinity
        nan=nan,
        inf=inf,
        all_negative=wires.get("all_negative", NEVER),
        any_negative=wires.get("any_negative", NEVER),
    )
    return scaled(m, platform, name, accumulator, beat, exact, pipeline, unit.latency)


def _signs(accumulator: Accumulator) -> tuple[str, ...]:
    """What the sign of a zero sum depends on: whether all products are negative; under "rdn", whether some are; both where
    a port chooses the mode, or a scale may change all signs."""
    assert isinstance(accumulator.style, Exact | Rounded)
    down = rounds_down(accumulator.style.rounding)
    if not (accumulator.state_is_encoded or down):
        return ()
    chosen = any(name == MODE for name, _, _ in accumulator.a_fields)
    if chosen or any(isinstance(fmt, BlockFormat) and fmt.scale.signed for fmt in (accumulator.a, accumulator.b)):
        return ("all_negative", "any_negative")
    return ("any_negative",) if down else ("all_negative",)
