"""Floats to fixed point in floating point, where that holds every exact result."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ...formats import FixedFormat
from ..codes import Integers, code_dtype
from ..rounding import Target
from .floating import Reals


def can_round_fixed(target: Target, dtype: type[np.floating]) -> bool:
    """Whether :func:`fixed_rounder` knows the target: every integer of the format is a number of the type."""
    out = target.out
    integer_bits = 24 if dtype == np.float32 else 53
    return (
        isinstance(out, FixedFormat)
        and out.width <= min(integer_bits, 32)
        and out.frac_bits <= 64
        and target.policy.overflow == "saturate"
        and not target.policy.is_stochastic
    )


def fixed_rounder(target: Target, dtype: type[np.floating]) -> Callable[[Reals], Integers]:
    """What turns floats, infinities among them, into codes of a fixed-point format.

    A number times 2^frac_bits is exact: where it overflows the result saturates as infinity does, and it is
    subnormal only if the number is. The rounded number is an integer or beyond the format's range, and so a float.
    """
    out = target.out
    scale = dtype(2.0**out.frac_bits)
    low, high = dtype(out.min_int), dtype(out.max_int)
    # A code is the low bits of the integer; up to 32 of them.
    integer, unsigned = (np.int32, np.uint32) if out.width < 32 else (np.int64, np.uint64)

    def rounded(x: Reals) -> Integers:
        units = x * scale
        units = np.clip(_INTEGERS[target.policy.rounding](units), low, high, out=units)
        return (units.astype(integer).view(unsigned) & unsigned(out.code_mask)).astype(code_dtype(out))

    return rounded


def _away(units: Reals) -> Reals:
    """To nearest, ties away from zero: the part below one is exact."""
    whole = np.trunc(units)
    rest = np.abs(units - whole)
    return whole + np.copysign(rest >= 0.5, units).astype(units.dtype)


_INTEGERS: dict[str, Callable[[Reals], Reals]] = {
    "rne": np.rint,
    "rtz": np.trunc,
    "rdn": np.floor,
    "rup": np.ceil,
    "rna": _away,
}
