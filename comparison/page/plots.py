"""The plots of a group of rows as Vega-Lite specifications, with the Pareto front marked."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from .groups import Entry, Group
from .labels import FONT, place_labels

#: Size of the area between the axes, in pixels.
WIDTH, HEIGHT = 470, 330
#: Colours of the front, of other points, of text and of lines; the page replaces them by its own in light and dark.
FRONT, OTHER, TEXT, LINE = "#0b57a4", "#6b6b6b", "#222222", "#c9c9c9"
#: How far the axes go beyond the points: a part of their span, and the least number of decades where all are equal.
_MARGIN = 0.12


@dataclass(frozen=True)
class Point:
    """A point of a plot.

    Members
    -------
    entry : Entry
        The row.
    x, y : float
        Where it is.
    how : str
        The recipe, or empty.
    """

    entry: Entry
    x: float
    y: float
    how: str = ""


@dataclass(frozen=True)
class Plot:
    """A kind of plot.

    Members
    -------
    name : str
        Part of the names of files.
    title, x_title, y_title : str
        What it shows.
    more : bool
        Whether more of y is better; less of x always is.
    log_y : bool
        Whether the y axis is logarithmic.
    points : callable
        The points of a row; none where it lacks a figure.
    needs : str
        The figures that a row needs, as a reader calls them.
    """

    name: str
    title: str
    x_title: str
    y_title: str
    more: bool
    log_y: bool
    points: Callable[[Entry], list[Point]]
    needs: str


@dataclass(frozen=True)
class Chart:
    """A plot of a group.

    Members
    -------
    plot : Plot
        The kind.
    name : str
        Of a file, without its suffix.
    spec : dict or None
        The Vega-Lite specification; None where no row has the figures.
    left_out : list of str
        Labels of rows that lack a figure, or whose figure has no place on an axis.
    front : list of Point
        The points of the Pareto front, from left to right.
    """

    plot: Plot
    name: str
    spec: dict[str, Any] | None
    left_out: list[str]
    front: list[Point]


def _number(entry: Entry, name: str) -> float | None:
    value = entry.row.figures.get(name)
    usable = isinstance(value, int | float) and math.isfinite(value)
    return float(value) if usable else None  # pyright: ignore[reportArgumentType]


def _area(entry: Entry) -> float | None:
    """Area for each product in µm², or LUTs or transistors for each product where the target has no areas."""
    products = _number(entry, "products") or 1.0
    for name in ("area_um2", "area_luts", "transistors"):
        value = _number(entry, name)
        if value is not None:
            return value / products
    return None


def _pair(entry: Entry, x: float | None, y: float | None, how: str = "") -> list[Point]:
    return [] if x is None or y is None or x <= 0 else [Point(entry, x, y, how)]


def _trade_off(entry: Entry) -> list[Point]:
    """Area over delay: the netlists of the row's own front; of an array the least and the fast one."""
    row = entry.row
    products = _number(entry, "products") or 1.0
    if row.pareto and not row.parts:  # the front of an array is that of its processing element
        found = [(item.get("delay_ns"), item.get("area_um2"), item.get("recipe", "")) for item in row.pareto]
    else:
        least, fast = row.least or {}, row.fast or {}
        figures = row.figures
        found = [
            (figures.get("delay_ns"), figures.get("area_um2"), least.get("recipe", "")),
            (figures.get("fast_delay_ns"), figures.get("fast_area_um2"), fast.get("recipe", "")),
        ]
    return [
        Point(entry, float(delay), float(area) / products, str(how))
        for delay, area, how in found
        if isinstance(delay, int | float) and isinstance(area, int | float) and delay > 0 and area > 0
    ]


_SQNR = "SQNR of Gaussian numbers, dB"

#: All plots.
PLOTS: tuple[Plot, ...] = (
    Plot(
        "area-delay",
        "Area and delay",
        "delay, ns (logic alone, no wires)",
        "area for each product, µm²",
        False,
        True,
        _trade_off,
        "area and delay",
    ),
    Plot(
        "area-accuracy",
        "Area and accuracy",
        "area for each product",
        _SQNR,
        True,
        False,
        lambda entry: _pair(entry, _area(entry), _number(entry, "sqnr_gaussian_db")),
        "area and SQNR",
    ),
    Plot(
        "energy-accuracy",
        "Energy and accuracy",
        "energy for each product, pJ",
        _SQNR,
        True,
        False,
        lambda entry: _pair(entry, _number(entry, "energy_pj"), _number(entry, "sqnr_gaussian_db")),
        "energy and SQNR",
    ),
    Plot(
        "bits-accuracy",
        "Bits and accuracy",
        "stored bits for an element of a",
        _SQNR,
        True,
        False,
        lambda entry: _pair(entry, _number(entry, "bits_a"), _number(entry, "sqnr_gaussian_db")),
        "bits and SQNR",
    ),
)


def charts(group: Group) -> Iterator[Chart]:
    """Each plot of a group."""
    for plot in PLOTS:
        found = [plot.points(entry) for entry in group.entries]
        left_out = [entry.label for entry, points in zip(group.entries, found, strict=True) if not points]
        points = [point for points in found for point in points]
        front = pareto(points, more=plot.more)
        spec = _spec(plot, group, points, front) if points else None
        yield Chart(plot, f"{group.comparison}-{group.target}-{plot.name}", spec, left_out, front)


def pareto(points: Sequence[Point], *, more: bool) -> list[Point]:
    """The points for which no other one has no more x and no worse y, from left to right; of equal ones the first."""
    sign = -1 if more else 1
    found: list[Point] = []
    for point in sorted(points, key=lambda item: (item.x, sign * item.y)):
        if not found or sign * point.y < sign * found[-1].y:
            found.append(point)
    return found


def _spec(plot: Plot, group: Group, points: Sequence[Point], front: Sequence[Point]) -> dict[str, Any]:
    x_scale = _domain([point.x for point in points], log=True)
    y_scale = _domain([point.y for point in points], log=plot.log_y)
    in_front = {id(point) for point in front}
    pixels = [
        (_place(point.x, x_scale, log=True) * WIDTH, (1 - _place(point.y, y_scale, log=plot.log_y)) * HEIGHT)
        for point in points
    ]
    # One label for each row, at its first point on the front, or its first point.
    labelled: dict[int, int] = {}
    for index, point in enumerate(points):
        held = labelled.get(point.entry.place)
        if held is None or (id(point) in in_front and id(points[held]) not in in_front):
            labelled[point.entry.place] = index
    indices = sorted(labelled.values(), key=lambda index: pixels[index])
    rest = [pixel for index, pixel in enumerate(pixels) if index not in labelled.values()]
    steps = sorted(pixel for point, pixel in zip(points, pixels, strict=True) if id(point) in in_front)
    texts = [(*pixels[index], points[index].entry.label) for index in indices]
    places = place_labels(texts, rest, steps, WIDTH, HEIGHT)
    leaders = [
        {
            "x": points[index].x,
            "y": points[index].y,
            "x2": _value((pixels[index][0] + place.dx) / WIDTH, x_scale, log=True),
            "y2": _value(1 - (pixels[index][1] + place.dy) / HEIGHT, y_scale, log=plot.log_y),
        }
        for index, place in zip(indices, places, strict=True)
        if abs(place.dy) > FONT + 2  # the label does not touch its point
    ]
    encoding = {
        "x": _axis("x", plot.x_title if plot.name != "area-accuracy" else _area_title(group), x_scale, log=True),
        "y": _axis("y", plot.y_title, y_scale, log=plot.log_y),
    }
    values = [_datum(point, plot, front=id(point) in in_front) for point in points]
    layers: list[dict[str, Any]] = [
        {"mark": {"type": "line", "color": LINE, "strokeWidth": 1}, "encoding": {"detail": {"field": "row"}}},
        {
            "data": {"values": [{"x": point.x, "y": point.y} for point in front]},
            "mark": {"type": "line", "color": FRONT, "strokeWidth": 2, "interpolate": "step-after"},
        },
        {
            "data": {"values": leaders},
            "mark": {"type": "rule", "color": OTHER, "strokeWidth": 1, "aria": False},
            "encoding": {"x2": {"field": "x2"}, "y2": {"field": "y2"}},
        },
        {
            "transform": [{"filter": "!datum.front"}],
            "mark": {"type": "point", "size": 60, "stroke": OTHER, "strokeWidth": 1.5, "fill": "white", "opacity": 1},
            "encoding": _link(),
        },
        {
            "transform": [{"filter": "datum.front"}],
            "mark": {"type": "point", "size": 80, "stroke": FRONT, "fill": FRONT, "opacity": 1},
            "encoding": _link(),
        },
        *(
            {
                "data": {"values": [{"x": points[index].x, "y": points[index].y, "text": points[index].entry.label}]},
                "mark": {
                    "type": "text",
                    "dx": place.dx,
                    "dy": place.dy,
                    "align": place.align,
                    "baseline": "middle",
                    "fontSize": FONT,
                    "color": TEXT,
                    "aria": False,
                },
                "encoding": {"text": {"field": "text"}},
            }
            for index, place in zip(indices, places, strict=True)
        ),
    ]
    return {
        "$schema": "https://vega.github.io/schema/vega-lite/v5.json",
        "description": f"{plot.title}: {group.name}",
        "width": WIDTH,
        "height": HEIGHT,
        "background": "white",
        "data": {"values": values},
        "encoding": encoding,
        "layer": layers,
        "config": {
            "font": "sans-serif",
            "axis": {
                "labelColor": TEXT,
                "titleColor": TEXT,
                "titleFontWeight": "normal",
                "labelFontSize": 12,
                "titleFontSize": 13,
                "gridColor": LINE,
                "gridOpacity": 0.5,
                "domainColor": OTHER,
                "tickColor": OTHER,
            },
            "view": {"stroke": LINE},
        },
    }


def _area_title(group: Group) -> str:
    for name, unit in (("area_um2", "area for each product, µm²"), ("area_luts", "LUTs for each product")):
        if any(_number(entry, name) is not None for entry in group.entries):
            return unit
    return "transistors for each product"


def _link() -> dict[str, Any]:
    return {
        "href": {"field": "href"},
        "tooltip": {"field": "text"},
        "description": {"field": "text"},
    }


def _datum(point: Point, plot: Plot, *, front: bool) -> dict[str, Any]:
    text = f"{point.entry.label}: {plot.x_title} {point.x:.4g}, {plot.y_title} {point.y:.4g}"
    text += f", {point.how}" if point.how else ""
    text += ", on the Pareto front" if front else ""
    row = point.entry.place
    return {"x": point.x, "y": point.y, "row": row, "front": front, "text": text, "href": f"#r{row}"}


def _domain(values: Sequence[float], *, log: bool) -> tuple[float, float]:
    """From a little less than the least value to a little more than the greatest."""
    low, high = min(values), max(values)
    if log:
        low, high = math.log10(low), math.log10(high)
    margin = max((high - low) * _MARGIN, 0.1 if log else 1.0)
    low, high = low - margin, high + margin
    return (10**low, 10**high) if log else (low, high)


def _place(value: float, domain: tuple[float, float], *, log: bool) -> float:
    """Where a value is on its axis, from 0 to 1."""
    low, high = domain
    if log:
        value, low, high = math.log10(value), math.log10(low), math.log10(high)
    return (value - low) / (high - low)


def _value(place: float, domain: tuple[float, float], *, log: bool) -> float:
    """The value at a place from 0 to 1 on its axis."""
    low, high = domain
    if log:
        return 10 ** (math.log10(low) + place * (math.log10(high) - math.log10(low)))
    return low + place * (high - low)


def _axis(field: str, title: str, domain: tuple[float, float], *, log: bool) -> dict[str, Any]:
    return {
        "field": field,
        "type": "quantitative",
        "scale": {"type": "log" if log else "linear", "domain": list(domain), "nice": False, "zero": False},
        "axis": {"title": title, "tickCount": 6, "labelOverlap": "greedy", "format": ",~r"},
    }
