"""Rounding of fixed-point numbers to a fixed-point format."""

from __future__ import annotations

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value, signed

from ...golden.formats import Format
from ..core.step import step
from .modes import RoundingLogic


def round_fixed(
    m: Module,
    value: Signal,
    frac_bits: int,
    out: Format,
    *,
    rounding: str | Value,
    overflow: str,
    random: Value | None = None,
) -> Value:
    """``value * 2**-frac_bits`` rounded to the fixed-point format ``out``, then saturated or wrapped.

    Parameters
    ----------
    m : Module
        Where the logic is put.
    value : Signal
        An integer, signed or not by its shape.
    frac_bits : int
        Fraction bits of ``value``.
    out : Format
        The format of the result.
    rounding : str or Value
        A mode, or the signal that chooses one.
    overflow : str
        As in :data:`formats.FIXED_OVERFLOWS`.
    random : Value, optional
        The random word, where ``rounding`` is stochastic or can be.
    """
    cut = frac_bits - out.frac_bits
    rounded = value
    if cut:
        step(m, f"In units of the last place of {out}" + ", rounded" * (cut > 0))
    if cut < 0:
        rounded = Signal((value << -cut).shape(), name="scaled")
        m.d.comb += rounded.eq(value << -cut)
    elif cut > 0:
        wide = Signal(signed(max(len(value), cut) + 1), name="extended")
        rounded = Signal(signed(len(wide) - cut + 1), name="rounded")
        increment = Signal(name="increment")
        mode = RoundingLogic(rounding, random)
        rest, below = _first_bits(wide[:cut], len(random)) if random is not None else (None, None)
        m.d.comb += [
            wide.eq(value),
            increment.eq(mode.increment_floor(wide[-1], wide[cut], wide[cut - 1], wide[: cut - 1].any(), rest, below)),
            rounded.eq((wide >> cut) + increment),
        ]
    if overflow == "wrap":
        return rounded
    step(m, f"The nearest number that {out} has")
    clamped = Signal(out.width, name="clamped")
    m.d.comb += clamped.eq(saturate(rounded, out))
    return clamped


def _first_bits(low: Value, count: int) -> tuple[Value, Value]:
    """The first ``count`` bits of what is cut off, with zeros behind a shorter one, and the OR of those below."""
    drop = len(low) - count
    if drop <= 0:
        return Cat(Const(0, -drop), low), Const(0, 1)
    return low[drop:], low[:drop].any()


def saturate(value: Signal, out: Format) -> Value:
    """The nearest integer to ``value`` that a code of the fixed-point format ``out`` stands for."""
    low = Mux(value < out.min_int, out.min_int, value) if value.shape().signed else value
    return Mux(value > out.max_int, out.max_int, low)
