"""Rounding modes as hardware: one mode fixed at generation, or all of them at a time by a port."""

from __future__ import annotations

from amaranth.hdl import Const, Value

from ...golden.formats import ROUNDINGS

#: Value of the parameter ``rounding`` by which a unit gets an input port instead, and the port's width. The codes are
#: positions in ``formats.ROUNDINGS``, which are those of RISC-V's ``frm``; the codes above round toward zero.
PORT = "port"
PORT_BITS = 3
#: Rounds the magnitude up with the probability of its rest, by a word of random bits that comes with the operands.
STOCHASTIC = "stochastic"
#: The code of a rounding port for it, where the unit takes random bits: one that RISC-V reserves.
STOCHASTIC_CODE = len(ROUNDINGS)


#: Toward zero, but infinite where the largest finite number is exceeded: what tensor cores do.
TRUNCATE = "truncate"


class RoundingMode:
    """What the modes have in common: to nearest or not, with ties away from zero or not, up or down.

    Parameters
    ----------
    mode : str or Value
        One of ``formats.ROUNDINGS``, "stochastic", "truncate", or the signal that chooses one.
    random : Value, optional
        The word of random bits, where stochastic rounding is, or can be chosen.
    """

    def __init__(self, mode: str | Value, random: Value | None = None) -> None:
        def chosen(name: str) -> Value:
            return Const(int(mode == name), 1) if isinstance(mode, str) else mode == ROUNDINGS.index(name)

        self.nearest = chosen("rne") | chosen("rna")
        self.ties_away = chosen("rna")
        self.truncates = isinstance(mode, str) and mode == TRUNCATE
        self.up = chosen("rup")
        self.down = chosen("rdn")
        self.random = random
        self.stochastic: Value = Const(0, 1)
        if random is not None:
            self.stochastic = Const(1, 1) if isinstance(mode, str) else mode == STOCHASTIC_CODE
        not_toward_zero = self.nearest | self.up | self.down
        self.toward_zero = ~(not_toward_zero if random is None else not_toward_zero | self.stochastic)

    def away(self, sign: Value) -> Value:
        """Whether the mode is a directed one that raises the magnitude of inexact numbers of that sign."""
        return (self.up & ~sign) | (self.down & sign)

    def increment(self, sign: Value, lsb: Value, guard: Value, sticky: Value, rest: Value | None = None) -> Value:
        """Whether a truncated magnitude is to be raised by one unit in the last place.

        ``guard`` is the first bit cut off, ``sticky`` the OR of all others. ``rest`` are, with random bits, as many of
        the first bits cut off: their sum with the random word carries with the probability that they stand for.
        """
        nearest = self.nearest & guard & (sticky | lsb | self.ties_away)
        result = nearest | (self.away(sign) & (guard | sticky))
        if self.random is None or rest is None:
            return result
        return result | (self.stochastic & (rest + self.random)[len(self.random)])

    def increment_floor(
        self,
        sign: Value,
        lsb: Value,
        guard: Value,
        sticky: Value,
        rest: Value | None = None,
        below: Value | None = None,
    ) -> Value:
        """The same for a two's complement number that was cut off, which is rounded toward -inf already.

        ``below`` is, with random bits, the OR of all bits below ``rest``.
        """
        # A tie lies halfway above the cut-off number: away from zero is up for positive numbers only.
        tie = (self.ties_away & ~sign) | (~self.ties_away & lsb)
        directed = self.up | (self.toward_zero & sign)
        result = (self.nearest & guard & (sticky | tie)) | (directed & (guard | sticky))
        if self.random is None or rest is None or below is None:
            return result
        # A negative number's magnitude has the rest -rest, and where that is not rounded up the floor is one too low.
        magnitude = rest ^ sign.replicate(len(rest))
        carry = (magnitude + self.random + (sign & ~below))[len(self.random)]
        return result | (self.stochastic & (guard | sticky) & (carry ^ sign))

    def overflow_to_infinity(self, sign: Value) -> Value:
        """Whether a magnitude beyond the largest finite one rounds away from zero, to infinity."""
        if self.truncates:
            return Const(1, 1)
        result = self.nearest | self.away(sign)
        return result if self.random is None else result | self.stochastic
