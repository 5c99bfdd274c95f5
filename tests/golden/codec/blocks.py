"""The values of a block format's elements, and rounding among them, in fractions."""

from __future__ import annotations

import bisect
from fractions import Fraction
from functools import cache

from polymac.golden import Format


@cache
def element_values(fmt: Format, without_least: bool = False) -> dict[Fraction, int]:
    """Finite values, in order, and their codes; of two zeros the positive one."""
    codes = [code for code in range(fmt.code_count) if fmt.text(code) not in ("nan", "inf", "-inf")]
    values = {fmt.fraction(code): code for code in reversed(codes)}
    return {value: values[value] for value in sorted(values)[int(without_least) :]}


def nearest(x: Fraction, values: dict[Fraction, int], rounding: str) -> Fraction:
    """The value that ``x`` is rounded to; the largest magnitude beyond. Even is an even code; ``values`` are sorted."""
    ladder = list(values)
    x = min(max(x, ladder[0]), ladder[-1])
    above = ladder[bisect.bisect_left(ladder, x)]
    below = ladder[bisect.bisect_right(ladder, x) - 1]
    toward_zero, away = sorted((below, above), key=abs)
    if rounding in ("rtz", "rdn", "rup"):
        return {"rtz": toward_zero, "rdn": below, "rup": above}[rounding]
    if abs(x - toward_zero) != abs(x - away):
        return toward_zero if abs(x - toward_zero) < abs(x - away) else away
    return away if rounding == "rna" or values[toward_zero] % 2 else toward_zero
