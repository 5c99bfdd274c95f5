"""The rounding decision: five modes as constants, or one of them at a time by a port."""

from __future__ import annotations

from amaranth.hdl import Const, Value

from ..golden.formats import ROUNDINGS

#: Value of the parameter ``rounding`` by which a unit gets an input port instead, and the port's width. The codes are
#: positions in ``formats.ROUNDINGS``, which are those of RISC-V's ``frm``; the codes above round toward zero.
PORT = "port"
PORT_BITS = 3


class RoundingMode:
    """What the modes have in common: to nearest or not, with ties away from zero or not, up or down.

    Parameters
    ----------
    mode : str or Value
        One of ``formats.ROUNDINGS``, or the signal that chooses one.
    """

    def __init__(self, mode: str | Value) -> None:
        def chosen(name: str) -> Value:
            return Const(int(mode == name), 1) if isinstance(mode, str) else mode == ROUNDINGS.index(name)

        self.nearest = chosen("rne") | chosen("rna")
        self.ties_away = chosen("rna")
        self.up = chosen("rup")
        self.down = chosen("rdn")
        self.toward_zero = ~(self.nearest | self.up | self.down)

    def away(self, sign: Value) -> Value:
        """Whether the mode is a directed one that raises the magnitude of inexact numbers of that sign."""
        return (self.up & ~sign) | (self.down & sign)

    def increment(self, sign: Value, lsb: Value, guard: Value, sticky: Value) -> Value:
        """Whether a truncated magnitude is to be raised by one unit in the last place.

        ``guard`` is the first bit cut off, ``sticky`` the OR of all others.
        """
        nearest = self.nearest & guard & (sticky | lsb | self.ties_away)
        return nearest | (self.away(sign) & (guard | sticky))

    def increment_floor(self, sign: Value, lsb: Value, guard: Value, sticky: Value) -> Value:
        """The same for a two's complement number that was cut off, which is rounded toward -inf already."""
        # A tie lies halfway above the cut-off number: away from zero is up for positive numbers only.
        tie = (self.ties_away & ~sign) | (~self.ties_away & lsb)
        directed = self.up | (self.toward_zero & sign)
        return (self.nearest & guard & (sticky | tie)) | (directed & (guard | sticky))

    def overflow_to_infinity(self, sign: Value) -> Value:
        """Whether a magnitude beyond the largest finite one rounds away from zero, to infinity."""
        return self.nearest | self.away(sign)
