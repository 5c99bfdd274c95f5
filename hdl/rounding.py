"""The rounding decision, in the two number representations that need one."""

from __future__ import annotations

from amaranth.hdl import Const, Value


def increment_magnitude(mode: str, sign: Value, lsb: Value, guard: Value, sticky: Value) -> Value:
    """Whether a truncated magnitude is to be raised by one unit in the last place.

    ``guard`` is the first bit cut off, ``sticky`` the OR of all others; ``mode`` is one of ``formats.ROUNDINGS``.
    """
    rules = {
        "rne": guard & (sticky | lsb),
        "rna": guard,
        "rtz": Const(0),
        "rup": ~sign & (guard | sticky),
        "rdn": sign & (guard | sticky),
    }
    return rules[mode]


def increment_floor(mode: str, sign: Value, lsb: Value, guard: Value, sticky: Value) -> Value:
    """The same for a two's complement number that was cut off, which is rounded toward -inf already."""
    rules = {
        "rne": guard & (sticky | lsb),
        # A tie lies halfway above the cut-off number: away from zero is up for positive numbers only.
        "rna": guard & (sticky | ~sign),
        "rtz": sign & (guard | sticky),
        "rup": guard | sticky,
        "rdn": Const(0),
    }
    return rules[mode]


def overflow_to_infinity(mode: str, sign: Value) -> Value:
    """Whether a magnitude beyond the largest finite one rounds away from zero, to infinity."""
    return {"rne": Const(1), "rna": Const(1), "rtz": Const(0), "rup": ~sign, "rdn": sign}[mode]
