"""Where formats leave a choice: rounding, overflow and subnormals; and the exceptions that a result may raise."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntFlag, StrEnum


class RoundingMode(StrEnum):
    """A rounding mode: its name, its code on a hardware port, and its definition in words.

    The first five have the port codes of RISC-V's ``frm``; STOCHASTIC has one that RISC-V reserves.

    Attributes
    ----------
    port_code : int
        The code on a port of three bits.
    definition : str
        What the mode does, for headers and help texts.
    """

    port_code: int
    definition: str

    RNE = "rne", 0, "to nearest, ties to even"
    RTZ = "rtz", 1, "toward zero"
    RDN = "rdn", 2, "toward -infinity"
    RUP = "rup", 3, "toward +infinity"
    RNA = "rna", 4, "to nearest, ties away from zero"
    STOCHASTIC = "stochastic", 5, "the magnitude up with probability equal to the discarded fraction"

    def __new__(cls, name: str, port_code: int, definition: str) -> RoundingMode:
        mode = str.__new__(cls, name)
        mode._value_ = name
        mode.port_code = port_code
        mode.definition = definition
        return mode


#: The names of the modes that need no random bits, IEEE 754's.
ROUNDINGS = tuple(mode.value for mode in RoundingMode if mode is not RoundingMode.STOCHASTIC)
#: The name of the mode that needs random bits.
STOCHASTIC = RoundingMode.STOCHASTIC.value

#: What becomes of a result beyond the largest value. "ieee" is for floats: infinity where the format has one, else NaN
#: where it has one, else the largest value; a mode that rounds toward zero on that side always gives the largest value.
FLOAT_OVERFLOWS = ("ieee", "saturate")
#: The same for integers and fixed point.
FIXED_OVERFLOWS = ("saturate", "wrap")
#: Subnormal operands and results: kept, or flushed to a zero of the same sign.
SUBNORMALS = ("full", "flush")


@dataclass(frozen=True)
class RoundingPolicy:
    """How exact results become codes of a format; :meth:`.scalar.Format.policy` checks and completes one.

    Parameters
    ----------
    rounding : RoundingMode
        How a result between two codes is rounded.
    overflow : str
        One of FLOAT_OVERFLOWS or FIXED_OVERFLOWS.
    subnormals : str
        One of SUBNORMALS.
    """

    rounding: RoundingMode
    overflow: str
    subnormals: str

    @property
    def is_stochastic(self) -> bool:
        """Whether rounding takes random words."""
        return self.rounding is RoundingMode.STOCHASTIC

    @property
    def flushes(self) -> bool:
        """Whether subnormal operands and results are zeros of their sign."""
        return self.subnormals == "flush"


class Flag(IntFlag):
    """IEEE 754 exceptions as bits of a flags word (RISC-V's ``fflags`` order; nothing here divides by zero).

    Examples
    --------
    >>> golden.Flag(5)
    <Flag.INEXACT|OVERFLOW: 5>
    """

    INEXACT = 1
    UNDERFLOW = 2
    OVERFLOW = 4
    INVALID = 16
