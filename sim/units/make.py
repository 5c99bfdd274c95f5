"""A unit of any kind from plain options, as a command line or a table in a file gives them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ... import hdl
from ...golden.formats import ParameterError, check_choice
from . import UNITS

_SWITCH = ("off", "on")


def make_unit(kind: str, options: Mapping[str, Any], *, side: int) -> hdl.Unit:
    """The unit that the options describe.

    Raises
    ------
    ParameterError
        There is no such unit, it has no such option, or its own constructor does not accept a value.
    """
    check_choice("unit", kind, tuple(UNITS))
    given = {name: value for name, value in options.items() if value is not None}
    for name in given:
        if name not in accepted_options(kind):
            owners = [other for other in UNITS if name in accepted_options(other)]
            raise ParameterError(f"--{name.replace('_', '-')} belongs to {' and '.join(owners)}, not to {kind}")
    given = _complete(kind, given, side)
    for name in ("flags", "addend"):
        if name in given and not isinstance(given[name], bool):
            given[name] = check_choice(name, given[name], _SWITCH) == "on"
    return UNITS[kind].component(**given)


def _complete(kind: str, given: dict[str, Any], side: int) -> dict[str, Any]:
    """The options with those added that the unit must have."""
    if "preset" in given:
        given = hdl.with_preset(given["preset"], {key: value for key, value in given.items() if key != "preset"})
    if "formats" in given:
        if isinstance(given["formats"], str):
            given["formats"] = [item.strip() for item in given["formats"].split(",")]
    elif "a" in accepted_options(kind):
        given = {"a": "int8"} | given
        given = {"b": given["a"]} | given
    return ({"rows": side, "cols": side} if "rows" in accepted_options(kind) else {}) | given


def accepted_options(kind: str) -> set[str]:
    """The names of the options that a kind of unit has."""
    names = set(UNITS[kind].parameters)
    return names | {"preset"} if {"acc", "lanes"} <= names else names
