"""What every rounder needs: the target, the one shift that rounds, and the exceptions."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..formats import Flag, Format, RoundingMode, RoundingPolicy
from .codes import Bools, Integers
from .stochastic import RandomWords


@dataclass(frozen=True)
class Target:
    """Where exact numbers are to be rounded: a format, and a policy that has a meaning in it."""

    out: Format
    policy: RoundingPolicy

    @classmethod
    def of(cls, out: Format, rounding: str, overflow: str | None, subnormals: str) -> Target:
        """The target of a policy that :meth:`.formats.Format.policy` has checked."""
        return cls(out, out.policy(rounding, overflow, subnormals))


def exceptions(inexact: Bools, underflow: Bools | None = None, overflow: Bools | None = None) -> Integers:
    """Bits of Flag; overflow comes with inexact."""
    flags = inexact.astype(np.uint8)
    if underflow is not None:
        flags |= underflow * np.uint8(Flag.UNDERFLOW)
    if overflow is not None:
        flags |= overflow * np.uint8(Flag.OVERFLOW | Flag.INEXACT)
    return flags


def bit_length(magnitude: Integers) -> Integers:
    """``int.bit_length`` of each element (0 for 0), as int64."""
    if magnitude.dtype == object:
        return np.asarray(np.frompyfunc(int.bit_length, 1, 1)(magnitude), np.int64)
    length = np.frexp(magnitude.astype(np.float64))[1].astype(np.int64)
    if magnitude.size and magnitude.max() >> 53:
        # The conversion rounded, at worst up to the next power of two.
        length -= (magnitude != 0) & ((magnitude >> np.maximum(length - 1, 0).astype(np.uint64)) == 0)
    return length


def round_shift(
    magnitude: Integers,
    length: Integers,
    shift: Integers,
    negative: Bools,
    rounding: RoundingMode,
    random: RandomWords | None = None,
) -> tuple[Integers, Bools]:
    """``magnitude * 2**-shift`` rounded to an integer, and where that is inexact; ``length`` is its bit_length."""
    count = object if magnitude.dtype == object else np.uint64
    one = np.ones(1, count)
    # Shifted out by one bit more than its length, a number is below one half, and so it is however far it is shifted.
    right = np.clip(shift, 0, length + 1)
    left = np.maximum(-shift, 0).astype(count)
    half = one << np.maximum(right - 1, 0).astype(count)
    right = right.astype(count)
    kept = magnitude >> right
    rest = magnitude - (kept << right)
    inexact = rest != 0
    # Where nothing is shifted out rest is 0 and half is 1, so that no comparison below rounds up.
    match rounding:
        case RoundingMode.RNE:
            up = rest + (kept & one) > half
        case RoundingMode.RNA:
            up = rest >= half
        case RoundingMode.RTZ:
            up = np.zeros((), bool)
        case RoundingMode.RDN:
            up = inexact & negative
        case RoundingMode.RUP:
            up = inexact & ~negative
        case RoundingMode.STOCHASTIC:
            assert random is not None
            up = random.up(rest, shift)
    return (kept << left) + up, inexact
