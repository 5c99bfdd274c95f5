"""The units that are verified, one entry each: component, golden reference, stimulus, and what commands do with it.

A unit of another kind joins by ``UNITS[kind] = UnitEntry(component, reference)``.
"""

from __future__ import annotations

from typing import Any

from ... import hdl
from ...golden.formats import ParameterError
from .adder import ADDER
from .array import ARRAY
from .dot import DOT
from .entry import Option, UnitEntry
from .mac import MAC
from .multiplier import MULTIPLIER
from .requantizer import REQUANTIZER

__all__ = ["UNITS", "Option", "UnitEntry", "entry_of"]

UNITS: dict[str, UnitEntry[Any]] = {entry.kind: entry for entry in (MULTIPLIER, ADDER, DOT, MAC, ARRAY, REQUANTIZER)}


def entry_of(unit: hdl.Unit) -> UnitEntry[Any]:
    """The entry of a unit.

    Raises
    ------
    ParameterError
        There is none for its kind.
    """
    entry = UNITS.get(unit.kind)
    if entry is None or not isinstance(unit, entry.component):
        raise ParameterError(f"unit must be of a kind in sim.UNITS ({', '.join(UNITS)}), not {type(unit).__name__}")
    return entry
