"""Estimated delays of the steps of a datapath, and where registers go between them."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate, pairwise

#: Estimated delays in ns on an ECP5 of speed grade 6, routing included; only how they compare matters. A lookup table, a
#: hard multiplier, and the way from one unit to the next.
LUT, MULTIPLIER, ROUTE = 1.1, 5.8, 0.8


def adder(bits: int) -> float:
    """Estimated delay of a carry chain."""
    return 1.8 + 0.036 * bits


def balanced(delays: Sequence[float], stages: int) -> tuple[int, ...]:
    """Numbers of registers at the cut points between steps that keep the longest delay between two registers short.

    Parameters
    ----------
    delays : sequence of float
        Of the steps in their order, at least two.
    stages : int
        Registers in all. With more registers than cut points, each gets as many and the first ones the rest.

    Returns
    -------
    tuple of int
        One number less than ``delays``: entry i is the cut point behind step i.
    """
    cut_points = len(delays) - 1
    each, rest = divmod(stages, cut_points)
    # The ends of the steps; a segment is as long as the limit allows, and the least limit is found by halving.
    ends = list(accumulate(delays))
    low, high = max(delays), ends[-1]
    chosen: list[int] = []
    if each == 0:
        for _ in range(32):
            limit = (low + high) / 2
            low, high = (low, limit) if len(_cuts(ends, limit)) <= rest else (limit, high)
        chosen = _cuts(ends, high)[:rest]
        # Registers that the limit does not need halve the longest segments that can still be cut.
        while len(chosen) < rest:
            borders = [-1, *sorted(chosen), cut_points]
            start, stop = max(
                ((x, y) for x, y in pairwise(borders) if y - x > 1),
                key=lambda segment: ends[segment[1]] - (ends[segment[0]] if segment[0] >= 0 else 0),
            )
            middle = (ends[stop] + (ends[start] if start >= 0 else 0)) / 2
            chosen.append(min(range(start + 1, stop), key=lambda cut_point: abs(ends[cut_point] - middle)))
    else:
        chosen = list(range(rest))
    return tuple(each + (cut_point in chosen) for cut_point in range(cut_points))


def segments(delays: Sequence[float], registers: Sequence[int]) -> list[float]:
    """The delays between registers, those of ``registers`` lying behind the steps."""
    found = [0.0]
    for delay, depth in zip(delays, (*registers, 0), strict=True):
        found[-1] += delay
        if depth:
            found.append(0.0)
    return found


def _cuts(ends: Sequence[float], limit: float) -> list[int]:
    """The fewest cut points that leave no segment longer than ``limit``, which no step is alone."""
    cuts: list[int] = []
    start = 0.0
    while ends[-1] - start > limit + 1e-9:
        cut_point = bisect_right(ends, start + limit + 1e-9) - 1
        cuts.append(cut_point)
        start = ends[cut_point]
    return cuts
