"""Rounding of a sum, whose leading one may be anywhere."""

from __future__ import annotations

from amaranth.hdl import Cat, Module, Signal, Value

from ...golden.formats import Format
from ..core.delays import LUT, adder
from ..core.hierarchy import instantiate
from ..core.pipeline import Pipeline
from ..integer.shifter import count_delays, count_zeros, shift_delays
from .encoders import rounder_of
from .modes import Policy

#: Places for registers in :func:`round_magnitude`, each behind a step: halfway through the count of leading zeros, behind
#: it, and the six of :class:`.float_round.FloatRound`; the last step, packing, has none behind it.
ROUND_PLACES = 8


def round_delays(fmt: Format, bits: int) -> tuple[float, ...]:
    """Estimated delays of the steps of :func:`round_magnitude` for a magnitude of so many bits."""
    levels = bits.bit_length()
    shift = (adder(fmt.exponent_bits) + LUT, *shift_delays(levels))
    return (*count_delays(bits), *shift, 2 * LUT, adder(fmt.width), adder(fmt.width), 2 * LUT)


def round_magnitude(
    m: Module,
    platform: object,
    fmt: Format,
    policy: Policy,
    magnitude: Signal,
    sticky: Value | None,
    weight: tuple[Value, int, int],
    classes: dict[str, Signal],
    y: Value,
    pipeline: Pipeline | None = None,
    mode: Signal | None = None,
    flags: Value | None = None,
    first: int = 0,
) -> None:
    """y = round(magnitude * 2**(weight - bias)), and a little more with ``sticky``, or what the classes say.

    Parameters
    ----------
    weight : (Value, int, int)
        Weight of the magnitude's last bit as an exponent biased as in ``fmt``, and its bounds.
    classes : dict of str to Signal
        sign, zero, nan and inf of the result; with ``flags`` invalid.
    pipeline : Pipeline, optional
        Whose registers at the places from ``first`` on are those of :data:`ROUND_PLACES`.
    mode : Signal, optional
        The mode, where the policy's rounding is PORT.
    flags : Value, optional
        Where the exceptions go.
    """
    if pipeline is None:
        pipeline = Pipeline.at(m, (), Signal(name="unused"))
    halfway, counted = pipeline.depths(first, 2)
    most = len(magnitude) - 1
    zeros = Signal(range(most + 1), name="leading_zeros")
    half = (lambda *values: pipeline.delay(halfway, *values)) if halfway else None
    m.d.comb += zeros.eq(count_zeros(m, magnitude, "zeros", half))
    significand = magnitude
    if sticky is not None:
        significand = Signal(len(magnitude) + 1, name="significand")
        m.d.comb += significand.eq(Cat(sticky, magnitude))
    # The exponent of the second bit from the top.
    value, min_exponent, max_exponent = weight
    up = len(magnitude) - 2
    min_exponent, max_exponent = min_exponent + up, max(max_exponent + up, 0)
    exponent = Signal(range(min(min_exponent, 0), max_exponent + 1), name="second_exponent")
    m.d.comb += exponent.eq(value + up)
    significand, exponent = pipeline.delay(halfway + counted, significand, exponent)
    (zeros,) = pipeline.delay(counted, zeros)
    classes = pipeline.delay_named(halfway + counted, classes)
    (mode,) = pipeline.delay(halfway + counted, mode) if mode is not None else (None,)
    stages = pipeline.depths(first + 2, ROUND_PLACES - 2)
    rounder = rounder_of(fmt)(
        fmts=(fmt,),
        min_exponent=min_exponent,
        max_exponent=max_exponent,
        significand_bits=len(significand),
        most_zeros=most,
        slack=False,
        policy=policy,
        flags=flags is not None,
        stages=stages if any(stages) else 0,
    )
    wires: dict[str, Value] = {"significand": significand, "exponent": exponent, "leading_zeros": zeros, "y": y}
    wires |= {"rounding": mode} if mode is not None else {}
    wires |= {"flags": flags} if flags is not None else {}
    wires |= {"en": pipeline.enable} if any(stages) else {}
    instantiate(m, platform, "round", rounder, **wires, **classes)
