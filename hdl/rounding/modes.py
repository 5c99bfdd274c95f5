"""Rounding modes as hardware: one mode fixed at generation, or all of them at a time by a port."""

from __future__ import annotations

from copy import copy
from dataclasses import dataclass
from functools import reduce
from operator import or_

from amaranth.hdl import Const, Module, Signal, Value

from ...golden.formats import Exact, Format, ParameterError, Rounded, RoundingMode

#: Value of the parameter ``rounding`` by which a unit gets an input port instead, and the port's width. The port takes
#: ``RoundingMode.port_code``.
PORT = "port"
PORT_BITS = 3
#: What a port's codes mean that no mode has, and that of stochastic rounding where there are no random bits.
UNASSIGNED = RoundingMode.RTZ
STOCHASTIC = RoundingMode.STOCHASTIC.value
#: Toward zero, but infinite where the largest finite number is exceeded: what tensor cores do. No port code chooses it.
TRUNCATE = "truncate"

#: What each mode is made of. A mode without an entry has no hardware.
_TRAITS: dict[str, frozenset[str]] = {
    RoundingMode.RNE: frozenset({"nearest"}),
    RoundingMode.RTZ: frozenset(),
    RoundingMode.RDN: frozenset({"down"}),
    RoundingMode.RUP: frozenset({"up"}),
    RoundingMode.RNA: frozenset({"nearest", "ties_away"}),
    RoundingMode.STOCHASTIC: frozenset({"stochastic"}),
    TRUNCATE: frozenset({"truncates"}),
}


@dataclass(frozen=True)
class Policy:
    """How a unit rounds: golden's RoundingPolicy, whose mode may also be PORT or TRUNCATE.

    Parameters
    ----------
    rounding : str
        A RoundingMode, PORT or TRUNCATE.
    overflow, subnormals : str
        As in :class:`polymac.golden.formats.RoundingPolicy`.
    """

    rounding: str
    overflow: str
    subnormals: str

    def __post_init__(self) -> None:
        if self.rounding != PORT:
            check_mode(self.rounding)

    @classmethod
    def of(cls, accumulation: Exact | Rounded, out: Format) -> Policy:
        """That of an accumulation whose results are of the format ``out``, with the defaults filled in."""
        given = accumulation.policy(out)
        return cls(given.rounding, given.overflow, given.subnormals)

    @property
    def rounds_down(self) -> bool:
        """Whether the one mode rounds toward -infinity."""
        return self.rounding != PORT and rounds_down(self.rounding)

    @property
    def flushes(self) -> bool:
        """Whether subnormal operands and results are zeros of their sign."""
        return self.subnormals == "flush"


def check_mode(mode: str) -> str:
    """The mode, if there is hardware for it.

    Raises
    ------
    ParameterError
        There is none.
    """
    if mode not in _TRAITS:
        raise ParameterError(f"rounding must be a mode that hardware has ({', '.join(_TRAITS)}), not {mode}")
    return mode


def rounds_down(mode: str) -> bool:
    """Whether the mode rounds toward -infinity: then a zero sum of numbers of both signs is -0."""
    return "down" in _TRAITS[check_mode(mode)]


def rounds_toward_zero_on_a_side(mode: str) -> bool:
    """Whether the mode rounds numbers of one sign, or both, toward zero, however close the next number is."""
    return not _TRAITS[check_mode(mode)] & {"nearest", "stochastic", "truncates"}


class RoundingLogic:
    """What the modes have in common: to nearest or not, with ties away from zero or not, up or down.

    Parameters
    ----------
    mode : str or Value
        One of golden's RoundingMode, TRUNCATE, or the signal that chooses one by its port code.
    random : Value, optional
        The word of random bits, where stochastic rounding is, or can be chosen.

    Raises
    ------
    ParameterError
        There is no hardware for the mode, or for one that a port could choose.
    """

    def __init__(self, mode: str | Value, random: Value | None = None) -> None:
        # A port has to know every mode.
        for name in (mode,) if isinstance(mode, str) else tuple(RoundingMode):
            check_mode(name)

        def chosen(trait: str) -> Value:
            """Whether the mode has that trait."""
            if isinstance(mode, str):
                return Const(int(trait in _TRAITS[mode]), 1)
            return reduce(or_, [mode == name.port_code for name in RoundingMode if trait in _TRAITS[name]])

        self.nearest = chosen("nearest")
        self.ties_away = chosen("ties_away")
        self.truncates = isinstance(mode, str) and "truncates" in _TRAITS[mode]
        self.up = chosen("up")
        self.down = chosen("down")
        self.rounds_away: Value | None = None
        self.random = random
        self.stochastic = Const(0, 1) if random is None else chosen("stochastic")
        not_toward_zero = self.nearest | self.up | self.down
        self.toward_zero = ~(not_toward_zero if random is None else not_toward_zero | self.stochastic)

    def named(self, m: Module, sign: Value) -> RoundingLogic:
        """The same for numbers of that sign, with signals that say what a port chooses."""
        if isinstance(self.nearest, Const):
            return self
        logic = copy(self)
        logic.nearest, logic.ties_away, logic.rounds_away = (
            Signal(name=name) for name in ("to_nearest", "ties_away", "rounds_away")
        )
        m.d.comb += [
            logic.nearest.eq(self.nearest),
            logic.ties_away.eq(self.ties_away),
            logic.rounds_away.eq(self.away(sign)),
        ]
        return logic

    def away(self, sign: Value) -> Value:
        """Whether the mode is a directed one that raises the magnitude of inexact numbers of that sign."""
        if self.rounds_away is not None:
            return self.rounds_away
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
