"""The table of results, in Markdown and in LaTeX."""

from __future__ import annotations

import re
from collections.abc import Sequence

from ..row import Row
from .groups import Group, figure_of, groups

#: The columns of the tables, where a row has them; all other figures are in the records.
COLUMNS = (
    "products",
    "area_um2",
    "area_per_product_um2",
    "area_ge",
    "transistors",
    "area_luts",
    "dsps",
    "ffs",
    "ratio",
    "delay_ns",
    "period_ns",
    "fast_area_um2",
    "fast_delay_ns",
    "energy_pj",
    "energy_glitch_pj",
    "leakage_nw",
    "bits_a",
    "bytes_per_mac",
    "sqnr_gaussian_db",
    "sum_error_4096",
    "digits_percent",
    "fmax_mhz",
)


def columns(rows: Sequence[Row]) -> list[str]:
    """Those of :data:`COLUMNS` of which a row has a value."""
    return [name for name in COLUMNS if any(row.figures.get(name) is not None for row in rows)]


def shown(name: str, value: float | int | str | None) -> str:
    """A figure as text, without its unit; a dash where there is none."""
    if value is None:
        return "–"
    style = figure_of(name).style
    return str(value) if isinstance(value, str) or not style else f"{value:{style}}"


def head(name: str) -> str:
    """The head of a column: title and unit."""
    figure = figure_of(name)
    return f"{figure.title}, {figure.unit}" if figure.unit else figure.title


def markdown(rows: Sequence[Row]) -> str:
    """A table for each group, with the sentence that says what is held equal."""
    parts = []
    for group in groups(rows):
        names = columns([entry.row for entry in group.entries])
        lines = [
            f"### {_md(group.name)}",
            "",
            _md(group.sentence),
            "",
            _md_line(["format", *map(head, names), "remarks"]),
            _md_line(["---", *["---:"] * len(names), "---"]),
            *(_md_line(map(_md, line)) for line in _lines(group, names)),
        ]
        parts.append("\n".join(lines) + "\n")
    return "\n".join(parts)


def latex(rows: Sequence[Row]) -> str:
    """A ``tabular`` of the package booktabs for each group, its caption a comment before it."""
    parts = []
    for group in groups(rows):
        names = columns([entry.row for entry in group.entries])
        lines = [
            f"% {' '.join(group.name.split())}: {' '.join(group.sentence.split())}",
            rf"\begin{{tabular}}{{l{'r' * len(names)}l}}",
            r"\toprule",
            " & ".join(map(_tex, ("format", *map(head, names), "remarks"))) + r" \\",
            r"\midrule",
            *(" & ".join(map(_tex, line)) + r" \\" for line in _lines(group, names)),
            r"\bottomrule",
            r"\end{tabular}",
        ]
        parts.append("\n".join(lines) + "\n")
    return "\n".join(parts)


def _lines(group: Group, names: Sequence[str]) -> list[list[str]]:
    return [
        [entry.label, *(shown(name, entry.row.figures.get(name)) for name in names), remarks(entry.row)]
        for entry in group.entries
    ]


def remarks(row: Row) -> str:
    """Error, difference and notes of a row in one line."""
    return "; ".join(item for item in (row.error, row.differs, *row.notes) if item)


def _md(text: str) -> str:
    return re.sub(r"([\\|`*_<>\[\]])", r"\\\1", " ".join(text.split()))


def _md_line(cells: Sequence[str] | map[str]) -> str:
    return f"| {' | '.join(cells)} |"


_TEX = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "×": r"$\times$",
    "·": r"$\cdot$",
    "µ": r"\textmu{}",
    "²": r"\textsuperscript{2}",
    "³": r"\textsuperscript{3}",
    "₃": r"\textsubscript{3}",
    "–": "--",
    "≤": r"$\le$",
} | {character: f"\\{character}" for character in "&%$#_{}"}


def _tex(text: str) -> str:
    return "".join(_TEX.get(character, character) for character in " ".join(text.split()))
