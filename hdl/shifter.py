"""Shifting a significand to where it is rounded, and counting the zeros that say how far."""

from __future__ import annotations

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value


def shift_window(m: Module, value: Value, amount: Signal, top: int, bits: int) -> tuple[Value, Value]:
    """``value << amount``, of which the ``bits`` bits from number ``top`` downwards are kept, and the OR of all below.

    Logarithmic, the greatest step first; each level holds only the bits that can still come into the window, and what
    cannot goes into the OR at once. Bits above ``top`` are dropped: there must be none.
    """
    pad = max(0, bits - 1 - top)  # so that the window's last bit has a number
    source = Cat(Const(0, pad), value, Const(0, max(0, top + 1 - len(value))))[: top + pad + 1]
    low = 0  # the number of the source's first bit
    bottom = top + pad + 1 - bits
    dropped: list[Value] = []
    for level in reversed(range(len(amount))):
        step = 1 << level
        # In this level and all below it a bit moves up by at most 2 * step - 1.
        out_of_reach = max(0, bottom - (2 * step - 1))
        if out_of_reach > low:
            dropped.append(source[: out_of_reach - low].any())
            source, low = source[out_of_reach - low :], out_of_reach
        shifted = Signal(len(source), name=f"shifted_{step}")
        m.d.comb += shifted.eq(Mux(amount[level], Cat(Const(0, min(step, len(source))), source)[: len(source)], source))
        source = shifted
    if bottom > low:
        dropped.append(source[: bottom - low].any())
        source = source[bottom - low :]
    return source, Cat(*dropped).any() if dropped else Const(0, 1)


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
