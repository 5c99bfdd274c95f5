"""Rows that may be set side by side: one comparison, or one kind of unit, on one target."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ..figures import FIGURES, Figure
from ..matched import MATCHED
from ..row import Row

#: Options that the operands' formats name already.
_OPERANDS = ("a", "b")


@dataclass(frozen=True)
class Entry:
    """A row with what tells it from the others.

    Members
    -------
    place : int
        Its number on the page.
    label : str
        The operands' formats, and the options in which it differs from rows of the same formats.
    row : Row
        The row.
    """

    place: int
    label: str
    row: Row


@dataclass(frozen=True)
class Group:
    """Rows of one comparison on one target.

    Members
    -------
    name : str
        Preset, or kind of unit and target; also part of the names of files.
    comparison, target : str
        What is compared, and on what.
    sentence : str
        What is held equal; says that nothing is where the rows are of no matched comparison.
    entries : list of Entry
        The rows, in their order.
    """

    name: str
    comparison: str
    target: str
    sentence: str
    entries: list[Entry]


def latest(rows: Sequence[Row]) -> list[Row]:
    """Each request once: of rows of the same request the last one, at the place of the first."""
    found: dict[str, Row] = {}
    for row in rows:
        found[json.dumps(row.request, sort_keys=True)] = row
    return list(found.values())


def groups(rows: Sequence[Row]) -> list[Group]:
    """The groups in the order of their names, each row once (:func:`latest`)."""
    found: dict[tuple[str, str], list[Row]] = {}
    for row in latest(rows):
        comparison = row.request.get("preset") or row.request.get("unit") or "unit"
        found.setdefault((str(comparison), str(row.request.get("target", ""))), []).append(row)
    made, place = [], 0
    for (comparison, target), members in sorted(found.items()):
        entries = []
        for row, label in zip(members, _labels(members), strict=True):
            entries.append(Entry(place, label, row))
            place += 1
        made.append(Group(f"{comparison}, {target}", comparison, target, _sentence(comparison, members), entries))
    return made


def figure_of(name: str) -> Figure:
    """What a figure says; one that a later version added is shown by its name."""
    return FIGURES.get(name) or Figure(name, "", "", "")


def _sentence(comparison: str, rows: Sequence[Row]) -> str:
    if comparison in MATCHED and all(row.request.get("preset") for row in rows):
        return MATCHED[comparison].sentence
    return "Nothing besides the kind of unit and the target is held equal: what each row computes is in its record."


def _labels(rows: Sequence[Row]) -> list[str]:
    """The names; where several rows have the same one, the options that tell them apart are added."""
    made = []
    for row in rows:
        same = [other.request.get("options", {}) for other in rows if other.name == row.name]
        options: dict[str, Any] = row.request.get("options", {})
        names = sorted({name for other in same for name in other if name not in _OPERANDS})
        differing = [name for name in names if any(other.get(name) != options.get(name) for other in same)]
        texts = [f"{name}={options[name]}" for name in differing if name in options]
        made.append(" ".join([row.name, *texts]))
    return made
