"""Terms times the scales of their blocks."""

from __future__ import annotations

from dataclasses import replace

from amaranth.hdl import Const, Module, Mux, Shape, Signal, Value

from ...golden.formats import BlockFormat, Format, ParameterError
from ..core.delays import MULTIPLIER
from ..core.pipeline import Pipeline
from ..operand.decoders import decode, raw_shape
from ..operand.raw_float import NEVER, RawFloat, RawShape
from .accumulator import Accumulator, Beat


def scale_delays(accumulator: Accumulator) -> tuple[float, ...]:
    """Estimated delay of the multiplication by the scales' significands, if they have such."""
    scales = [fmt.scale for fmt in (accumulator.a, accumulator.b) if isinstance(fmt, BlockFormat)]
    count = sum(raw_shape(scale).width > 1 for scale in scales)
    return (MULTIPLIER * count,) if count else ()


def scaled(
    m: Module,
    platform: object,
    name: str,
    accumulator: Accumulator,
    beat: Beat,
    term: RawFloat,
    pipeline: Pipeline,
    late: int,
) -> RawFloat:
    """The term times the scales of its blocks, if any: exponents are added, significands multiplied.

    The term comes ``late`` cycles after the beat; the result has passed all registers but those of place 0.
    """
    last = pipeline.stages - pipeline.depth(0) - late
    if not beat.scales:
        return term.delayed(pipeline, last)
    formats = {"a": accumulator.a, "b": accumulator.b}
    quantum, span = term.shape.quantum, term.shape.span
    exponents: list[Value] = [term.exponent]
    value, sign, nan = Value.cast(term.significand), term.sign, term.nan
    flip: Value = Const(0, 1)
    for side, code in beat.scales.items():
        fmt = formats[side]
        assert isinstance(fmt, BlockFormat)
        scale = decode(m, platform, f"{name}_{side}_scale", code, fmt.scale)
        # Only what is used below has registers.
        unused = {"inf": NEVER, "signaling": NEVER, "subnormal": None}
        zero_matters = fmt.scale.has_zero and any(
            element.has_inf for element in (accumulator.a_element, accumulator.b_element)
        )
        unused |= {} if zero_matters else {"zero": NEVER}
        is_power = scale.width == 1 and not fmt.scale.has_zero
        unused |= {"significand": Const(1, 1)} if is_power else {}
        scale = replace(scale, **unused).registered(Pipeline.at(m, (late,), pipeline.enable), 0)
        quantum += scale.shape.quantum
        span += scale.shape.span
        exponents.append(scale.exponent - scale.shape.min_exponent if scale.shape.min_exponent else scale.exponent)
        nan = nan | scale.nan
        if zero_matters:
            nan = nan | (term.inf & scale.zero)
        flip = flip ^ scale.sign
        if scale.width > 1:
            product = Signal(Shape(len(value) + scale.width, term.is_signed), name=f"{name}_times_{side}_scale")
            m.d.comb += product.eq(value * scale.significand)
            value = product
        elif not is_power:
            gated = Signal(value.shape(), name=f"{name}_times_{side}_scale")
            m.d.comb += gated.eq(Mux(scale.significand, value, 0))
            value = gated
    exponent = Signal(range(span + 1), name=f"{name}_exponent_sum")
    scaled_nan, scaled_sign = Signal(name=f"{name}_any_nan"), Signal(name=f"{name}_scaled_sign")
    m.d.comb += [
        exponent.eq(sum(exponents[1:], start=exponents[0])),
        scaled_nan.eq(nan),
        scaled_sign.eq(sign ^ flip),
    ]
    all_negative, any_negative = term.all_negative, term.any_negative
    if any(isinstance(fmt, BlockFormat) and fmt.scale.signed for fmt in formats.values()):
        all_negative = Mux(flip, ~term.any_negative, term.all_negative)
        any_negative = Mux(flip, ~term.all_negative, term.any_negative)
        if term.is_signed:
            flipped = Signal(value.shape(), name=f"{name}_signed")
            m.d.comb += flipped.eq(Mux(flip, -value, value))
            value = flipped
    every, some = Signal(name=f"{name}_every_negative"), Signal(name=f"{name}_some_negative")
    m.d.comb += [every.eq(all_negative), some.eq(any_negative)]
    result = RawFloat(
        RawShape(len(value), quantum, 0, span),
        scaled_sign,
        exponent,
        value,
        inf=term.inf,
        nan=scaled_nan,
        all_negative=every,
        any_negative=some,
    )
    return result.delayed(pipeline, last)


def check_scales(*formats: Format | BlockFormat) -> None:
    """Raise a ParameterError where a scale can be infinite: a block would have to tell 0 · inf."""
    for fmt in formats:
        if isinstance(fmt, BlockFormat) and fmt.scale.has_inf:
            raise ParameterError(f"the scale of {fmt} must be a format without infinities, not {fmt.scale}")
