"""Shifting a significand to where it is rounded, and counting the zeros that say how far."""

from __future__ import annotations

from collections.abc import Callable

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value

from ..core.delays import LUT
from ..core.step import step

#: Signals as they are behind a register halfway through a component.
Halfway = Callable[..., tuple[Signal, ...]]


def shift_window(
    m: Module, value: Value, amount: Signal, top: int, bits: int, halfway: Halfway | None = None
) -> tuple[Value, Value]:
    """``value << amount``, of which the ``bits`` bits from number ``top`` downwards are kept, and the OR of all below.

    Logarithmic, the greatest step first; each level holds only the bits that can still come into the window, and what
    cannot goes into the OR at once. Bits above ``top`` are dropped: there must be none. ``halfway`` delays what there is
    after the upper half of the levels.
    """
    pad = max(0, bits - 1 - top)  # so that the window's last bit has a number
    source = Cat(Const(0, pad), value, Const(0, max(0, top + 1 - len(value))))[: top + pad + 1]
    low = 0  # the number of the source's first bit
    bottom = top + pad + 1 - bits
    dropped: list[Value] = []
    half = len(amount) // 2
    steps: Value = amount
    for level in reversed(range(len(amount))):
        if level == half - 1 and halfway is not None:
            source, dropped, steps = _delayed(m, source, dropped, amount[:half], halfway)
        step = 1 << level
        # In this level and all below it a bit moves up by at most 2 * step - 1.
        out_of_reach = max(0, bottom - (2 * step - 1))
        if out_of_reach > low:
            dropped.append(source[: out_of_reach - low].any())
            source, low = source[out_of_reach - low :], out_of_reach
        shifted = Signal(len(source), name=f"shifted_{step}")
        m.d.comb += shifted.eq(Mux(steps[level], Cat(Const(0, min(step, len(source))), source)[: len(source)], source))
        source = shifted
    if not half and halfway is not None:
        source, dropped, _ = _delayed(m, source, dropped, amount[:0], halfway)
    if bottom > low:
        dropped.append(source[: bottom - low].any())
        source = source[bottom - low :]
    return source, Cat(*dropped).any() if dropped else Const(0, 1)


def _delayed(
    m: Module, source: Value, dropped: list[Value], amount: Value, halfway: Halfway
) -> tuple[Value, list[Value], Value]:
    """A half shifted value, what it has lost, and the rest of the amount, as they are later."""
    middle, lost, rest = (
        Signal(len(value), name=name)
        for name, value in (("half_shifted", source), ("half_lost", Const(0, 1)), ("rest_of_amount", amount))
    )
    m.d.comb += [middle.eq(source), lost.eq(Cat(*dropped).any() if dropped else 0), rest.eq(amount)]
    source, lost = halfway(middle, lost)
    return source, [lost], halfway(rest)[0] if len(rest) else rest


def leading_zeros(m: Module, value: Value, name: str) -> Signal:
    """How many bits above the most significant 1 are 0; ``len(value)`` - 1 or more for 0.

    By halves: the upper half is empty or not, and the half that is not decides the next bit.
    """
    width = len(value)
    levels = (width - 1).bit_length()
    padded = Cat(Const(0, (1 << levels) - width), value)
    count = Signal(max(levels, 1), name=name)
    for level in reversed(range(levels)):
        step = 1 << level
        upper, lower = padded[step:], padded[:step]
        m.d.comb += count[level].eq(upper == 0)
        if level:
            half = Signal(step, name=f"{name}_in_{step}")
            m.d.comb += half.eq(Mux(count[level], lower, upper))
            padded = half
    return count


def count_zeros(m: Module, value: Value, name: str, halfway: Halfway | None = None) -> Signal:
    """How many bits above the most significant 1 are 0; ``len(value)`` - 1 for 0, as if the last bit were always 1.

    By a tree, which is short for wide values: of each group of bits it is known whether it is empty, and how many zeros
    it has at its top; of two groups the upper one decides unless it is empty. ``halfway`` delays what there is after half
    of the levels.
    """
    # For each group whether it is empty, and its count; what lies beyond the last bit is never looked at.
    nodes: list[tuple[Value, Value]] = [(~bit, Const(0, 0)) for bit in reversed(value[1:])]
    nodes.append((Const(0, 1), Const(0, 0)))
    levels = (len(value) - 1).bit_length()
    for level in range(levels):
        if level == levels // 2 and halfway is not None:
            flags, counts = Signal(len(nodes), name=f"{name}_empty"), Signal(len(nodes) * level, name=f"{name}_counts")
            m.d.comb += [flags.eq(Cat(node[0] for node in nodes)), counts.eq(Cat(node[1] for node in nodes))]
            (flags,) = halfway(flags)
            if level:
                (counts,) = halfway(counts)
            nodes = [(bit, Value.cast(counts[i * level : (i + 1) * level])) for i, bit in enumerate(flags)]
        step(m, f"Leading zeros in groups of {2 << level} bits: those of the upper half, unless it is empty")
        if len(nodes) % 2:
            nodes.append((Const(0, 1), Const(0, level)))
        merged: list[tuple[Value, Value]] = []
        for index in range(0, len(nodes), 2):
            (upper, first), (lower, second) = nodes[index : index + 2]
            empty = Signal(name=f"{name}_empty_{level}_{index // 2}")
            count = Signal(level + 1, name=f"{name}_count_{level}_{index // 2}")
            m.d.comb += [empty.eq(upper & lower), count.eq(Cat(Mux(upper, second, first), upper))]
            merged.append((empty, count))
        nodes = merged
    found = Signal(max(levels, 1), name=name)
    m.d.comb += found.eq(nodes[0][1])
    return found


def shift_delays(levels: int) -> tuple[float, float]:
    """Estimated delays of both halves of :func:`shift_window`; two levels are little more than one lookup table."""
    return 0.75 * LUT * ((levels + 1) // 2), 0.75 * LUT * (levels // 2)


def count_delays(bits: int) -> tuple[float, float]:
    """Estimated delays of both halves of :func:`count_zeros`."""
    levels = (bits - 1).bit_length()
    return 0.75 * LUT * (levels // 2), 0.75 * LUT * ((levels + 1) // 2)
