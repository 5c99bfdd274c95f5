"""One HTML page of results that needs no network, and no JavaScript to be read."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from importlib.metadata import version
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from ...golden.formats import ParameterError
from ..row import Row
from .draw import svg
from .groups import Entry, figure_of, groups
from .plots import FRONT, LINE, OTHER, TEXT, charts
from .tables import columns, head, remarks, shown

if TYPE_CHECKING:
    from jinja2 import Environment

#: The colours of the plots by the page's custom property that replaces them.
_COLORS = {FRONT: "--front", OTHER: "--other", TEXT: "--text", LINE: "--line", "white": "--back"}
#: What a record says of its netlist, each with its title.
_PROVENANCE = ("recipe", "library", "library_sha256", "verilog_sha256")
_SQNR = re.compile(r"sqnr_\w+_db")
_SUM_ERROR = re.compile(r"sum_error_(\d+)")


def page(rows: Sequence[Row], *, title: str = "What number formats cost, and how accurate they are") -> str:
    """The HTML of results: the same rows and version of polymac give the same text.

    Of rows of the same request the last one counts.

    Raises
    ------
    ParameterError
        Jinja2 or vl-convert is not installed.
    """
    environment = _environment()
    found = groups(rows)
    entries = [entry for group in found for entry in group.entries]
    names = columns([entry.row for entry in entries])
    sections = []
    for group in found:
        plots = [
            {"chart": chart, "svg": None if chart.spec is None else _inline(svg(chart.spec, links=True))}
            for chart in charts(group)
        ]
        sections.append({"group": group, "plots": plots})
    used = sorted({name for entry in entries for name, value in entry.row.figures.items() if value is not None})
    text = environment.get_template("page.html").render(
        title=title,
        sections=sections,
        targets=sorted({group.target for group in found}),
        columns=[{"name": name, "head": head(name), "text": figure_of(name).text} for name in names],
        figures=[(name, figure_of(name)) for name in used],
        provenance=_PROVENANCE,
        choice=_choice(entries, {entry.place: group.name for group in found for entry in group.entries}),
        versions=_versions(entries),
        libraries=_libraries(entries),
        polymac=version("polymac"),
        script=_file("page.js"),
        style=_file("page.css"),
        plot_style="".join(f'.plot svg [{kind}="{color}"]{{{kind}:var({name})}}\n' for kind, color, name in _rules()),
        shown=shown,
        remarks=remarks,
        sortable=_sortable,
        figure_of=figure_of,
    )
    return text if text.endswith("\n") else text + "\n"


def _environment() -> Environment:
    try:
        import jinja2
    except ModuleNotFoundError:
        raise ParameterError(
            "--html must be left out where Jinja2 is not installed (pip install 'polymac[page]')"
        ) from None
    environment = jinja2.Environment(
        loader=jinja2.FunctionLoader(_file),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.policies["json.dumps_kwargs"] = {"sort_keys": True, "allow_nan": False, "ensure_ascii": False}
    return environment


def _file(name: str) -> str:
    """A file beside this module."""
    return files(__name__.rpartition(".")[0]).joinpath(name).read_text(encoding="utf-8")


def _rules() -> list[tuple[str, str, str]]:
    return [(kind, color, name) for color, name in _COLORS.items() for kind in ("fill", "stroke")]


def _inline(text: str) -> str:
    """An SVG as part of the page: it scales, and its links are plain ones, each with its text as an accessible name."""
    text = re.sub(r' width="[\d.]+" height="[\d.]+"', "", text, count=1)
    # Only the points can be reached and are read out; axes and lines are for the eye, and the table says the same.
    text = re.sub(r' (role|aria-roledescription|aria-label)="[^"]*"', _kept_label, text)
    return text.replace("<svg ", '<svg role="group" ', 1)


def _kept_label(found: re.Match[str]) -> str:
    attribute = found.group(0)
    return attribute if found.group(1) == "aria-label" and ": " in attribute and "axis" not in attribute else ""


def _sortable(value: float | int | str | None) -> str:
    """A value as JavaScript's ``Number`` reads it; empty where there is none, and the text where it is one."""
    if value is None:
        return ""
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    return str(value)


def _choice(entries: Sequence[Entry], group_of: dict[int, str]) -> dict[str, Any] | None:
    """What the view that chooses a format needs; None where no row has an accuracy."""
    sqnr = sorted({name for entry in entries for name in entry.row.figures if _SQNR.fullmatch(name)})
    lengths = sorted(
        {int(found[1]) for entry in entries for name in entry.row.figures if (found := _SUM_ERROR.match(name))}
    )
    wanted = [*sqnr, *(f"sum_error_{length}" for length in lengths), "area_um2", "area_luts", "transistors"]
    wanted += ["products", "energy_pj"]
    rows = []
    for entry in entries:
        if all(entry.row.figures.get(name) is None for name in sqnr):
            continue
        values = {name: _sortable(entry.row.figures.get(name)) for name in wanted}
        rows.append({"place": entry.place, "label": entry.label, "group": group_of[entry.place]} | values)
    if not rows:
        return None
    titles = {name: figure_of(name).title for name in sqnr}
    return {
        "rows": rows,
        "sqnr": titles,
        "lengths": lengths,
        "groups": list(dict.fromkeys(row["group"] for row in rows)),
    }


def _versions(entries: Sequence[Entry]) -> list[str]:
    found = {
        f"{tool} {value}"
        for entry in entries
        for record in (entry.row.least, entry.row.fast)
        for tool, value in ((record or {}).get("versions") or {}).items()
    }
    return sorted(found)


def _libraries(entries: Sequence[Entry]) -> list[str]:
    records = [entry.row.least for entry in entries if entry.row.least and entry.row.least.get("library")]
    return sorted({f"{record['library']} (SHA-256 {record.get('library_sha256')})" for record in records})
