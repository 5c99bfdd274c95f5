"""Where the labels of a plot's points go, so that they cover neither points nor one another."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

#: Size of the labels' text in pixels, and the mean width of a character of it.
FONT, CHARACTER = 13, 7.1
#: Distance from a point's centre to its label, and half the side of the square that a point takes up.
_GAP, _POINT = 8, 6
#: Half the width that a line takes up.
_LINE = 2


class Label(NamedTuple):
    """A label: offset in pixels from the point to the anchor of the text, and the alignment there."""

    dx: float
    dy: float
    align: str


class _Box(NamedTuple):
    left: float
    top: float
    right: float
    bottom: float

    def overlap(self, other: _Box) -> float:
        """The common area in square pixels."""
        width = min(self.right, other.right) - max(self.left, other.left)
        height = min(self.bottom, other.bottom) - max(self.top, other.top)
        return max(width, 0) * max(height, 0)


_PLACES = (
    *(Label(_GAP, dy, "left") for dy in (0, -10, 10)),
    *(Label(-_GAP, dy, "right") for dy in (0, -10, 10)),
    *(Label(0, dy, "center") for dy in (-14, 14)),
    *(Label(dx, dy, align) for dy in (-22, 22, -34, 34) for dx, align in ((_GAP, "left"), (-_GAP, "right"))),
)


def place_labels(
    points: Sequence[tuple[float, float, str]],
    others: Sequence[tuple[float, float]],
    steps: Sequence[tuple[float, float]],
    width: float,
    height: float,
) -> list[Label]:
    """A place for the label of each point, one after the other: that which covers least of what is there.

    Parameters
    ----------
    points : sequence of (x, y, text)
        The points that have labels, in pixels from the upper left corner.
    others : sequence of (x, y)
        Further points.
    steps : sequence of (x, y)
        The points of a stepped line: from each one across to the next one's x, then up or down to it.
    width, height : float
        The plot's size in pixels; labels may not leave it.
    """
    taken = [_Box(x - _POINT, y - _POINT, x + _POINT, y + _POINT) for x, y, *_ in (*points, *others)]
    for (x, y), (next_x, next_y) in pairwise(steps):
        taken.append(_Box(x, y - _LINE, next_x, y + _LINE))
        taken.append(_Box(next_x - _LINE, min(y, next_y), next_x + _LINE, max(y, next_y)))
    inside = _Box(0, 0, width, height)
    found = []
    for x, y, text in points:
        boxes = [_box(x, y, text, place) for place in _PLACES]
        costs = [_cost(box, taken, inside) + rank for rank, box in enumerate(boxes)]
        best = costs.index(min(costs))
        taken.append(boxes[best])
        found.append(_PLACES[best])
    return found


def _box(x: float, y: float, text: str, place: Label) -> _Box:
    width = len(text) * CHARACTER
    left = x + place.dx - {"left": 0.0, "center": width / 2, "right": width}[place.align]
    top = y + place.dy - FONT / 2
    return _Box(left, top, left + width, top + FONT)


def _cost(box: _Box, taken: Sequence[_Box], inside: _Box) -> float:
    area = (box.right - box.left) * (box.bottom - box.top)
    outside = area - box.overlap(inside)
    return 3 * outside + sum(box.overlap(other) for other in taken)
