"""Sweeps: many requests from one TOML file, as products of lists and one by one.

A file has ``[grid]`` (or several ``[[grid]]``), whose product of all lists it stands for, explicit ``[[jobs]]``, and
``[limits]`` for each job of Yosys::

    [grid]
    unit = ["multiplier", "mac"]
    a = ["int8", "fp8_e4m3"]
    target = ["nangate45", "ice40"]
    stages = [0, 1, 2]

    [[jobs]]
    unit = "array"
    a = "int4"
    rows = 4
    cols = 4

    [limits]
    seconds = 60
    memory_mb = 4000

    [measure]
    activity = "uniform"

Keys are ``unit`` ("multiplier" unless given), ``target`` ("nangate45", a name or a Liberty file) and the options of the
units. A grid leaves an option out for the units that do not have it. ``preset`` is an accelerator's, or a matched
comparison (:data:`.matched.MATCHED`), which says the unit. ``[measure]`` has the fields of :class:`.plan.Options`;
``activity = "none"`` measures no energy.
"""

from __future__ import annotations

import itertools
import math
import tomllib
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, fields
from functools import lru_cache
from os import PathLike
from pathlib import Path
from typing import Any

from ..golden.checks import suggest
from ..golden.formats import ParameterError, any_format
from ..sim.units import UNITS
from ..sim.units.make import accepted_options
from ..synth import TARGETS, TIMEOUT, Target, liberty_target
from .activity import SOURCES
from .matched import MATCHED
from .plan import Options
from .request import Request

#: Jobs that a sweep may have without being asked again.
MOST_JOBS = 100_000
_UNIT, _TARGET = "multiplier", "nangate45"
_LIMITS = ("seconds", "memory_mb")
_NO_ACTIVITY = "none"
#: Options whose values are names of formats, scalar or block, whatever the unit.
_FORMATS = ("a", "b")

Value = str | int | bool


@dataclass(frozen=True)
class Sweep:
    """The requests of a file, not yet written out.

    Members
    -------
    grids : tuple of dict of str to tuple
        For each grid, the values of every key.
    jobs : tuple of dict of str to value
        The explicit jobs.
    seconds : float
        The time limit of a job of Yosys.
    memory_mb : int or None
        The limit of memory of each of its processes.
    options : Options
        What is measured.
    """

    grids: tuple[dict[str, tuple[Value, ...]], ...]
    jobs: tuple[dict[str, Value], ...]
    seconds: float = TIMEOUT
    memory_mb: int | None = None
    options: Options = field(default_factory=Options)

    def count(self) -> int:
        """How many requests there are at most; some may stand in the file twice."""
        products = (math.prod(map(len, part.values())) for grid in self.grids for part in _by_unit(grid))
        return sum(products) + len(self.jobs)

    def requests(self, *, yes: bool = False) -> list[Request]:
        """The requests, each once: those of the grids by unit, the last key changing fastest, then the explicit ones.

        Raises
        ------
        ParameterError
            There are more than :data:`MOST_JOBS` and ``yes`` is False.
        """
        if self.count() > MOST_JOBS and not yes:
            raise ParameterError(f"sweep must have at most {MOST_JOBS:,} jobs unless yes is True, not {self.count():,}")
        return list({request.key(): request for request in map(_request, self._jobs())}.values())

    def _jobs(self) -> Iterator[dict[str, Value]]:
        for grid in self.grids:
            for part in _by_unit(grid):
                for values in itertools.product(*part.values()):
                    yield dict(zip(part, values, strict=True))
        yield from self.jobs


def read_sweep(path: str | PathLike[str]) -> Sweep:
    """The sweep of a TOML file.

    Raises
    ------
    ParameterError
        The file cannot be read or is no TOML; a key is unknown, a list empty, a value of a wrong type; there is no job.
    """
    path = Path(path)
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ParameterError(f"sweep must be a file that can be read, not {path}: {error.strerror}") from None
    except ValueError as error:  # no UTF-8 is one too
        raise ParameterError(f"sweep must be TOML, not {path}: {error}") from None
    _check_keys(str(path), content, ("grid", "jobs", "limits", "measure"))
    grids = tuple(_grid(table) for table in _tables(content, "grid"))
    jobs = tuple(_job(table) for table in _tables(content, "jobs"))
    if not grids and not jobs:
        raise ParameterError(f"sweep must have a [grid] or [[jobs]], and {path} has neither")
    limits = _table(content, "limits", _LIMITS)
    for name, kinds, what in (("seconds", int | float, "a number"), ("memory_mb", int, "a whole number")):
        value = limits.get(name, 1)
        if isinstance(value, bool) or not isinstance(value, kinds) or not 0 < value < math.inf:
            raise ParameterError(f"{name} of [limits] must be {what} over 0, not {value!r}")
    return Sweep(grids, jobs, **limits, options=_options(content))


def _options(content: Mapping[str, Any]) -> Options:
    table = _table(content, "measure", [item.name for item in fields(Options)])
    for name in ("max_delay_ns", "wire_cap_ff"):
        value = table.get(name, 1.0)
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < math.inf:
            raise ParameterError(f"{name} of [measure] must be a number of at least 0, not {value!r}")
    for name in ("accuracy", "digits", "fmax"):
        if not isinstance(table.get(name, False), bool):
            raise ParameterError(f"{name} of [measure] must be true or false, not {table[name]!r}")
    delays = table.get("delays_ns", [])
    if not isinstance(delays, list) or not all(type(item) in (int, float) and 0 < item < math.inf for item in delays):
        raise ParameterError(f"delays_ns of [measure] must be a list of numbers over 0, not {delays!r}")
    recipes = table.get("recipes", [])
    if not isinstance(recipes, list) or not all(isinstance(name, str) for name in recipes):
        raise ParameterError(f"recipes of [measure] must be names of recipes, not {recipes!r}")
    activity = table.get("activity", _NO_ACTIVITY)
    if activity not in (_NO_ACTIVITY, *SOURCES):
        allowed = ", ".join((_NO_ACTIVITY, *SOURCES))
        raise ParameterError(f"activity of [measure] must be one of {allowed}, not {activity!r}")
    if activity == _NO_ACTIVITY and "activity" in table:
        table["activity"] = None
    return Options(**table)


def _table(content: Mapping[str, Any], name: str, known: Collection[str]) -> dict[str, Any]:
    value = content.get(name, {})
    if not isinstance(value, dict):
        raise ParameterError(f"{name} must be a table, not {value!r}")
    _check_keys(f"[{name}]", value, known)
    return dict(value)


def _tables(content: Mapping[str, Any], name: str) -> list[dict[str, Any]]:
    """The tables of a name: ``[name]`` or ``[[name]]``."""
    value = content.get(name, [])
    tables = value if isinstance(value, list) else [value]
    for table in tables:
        if not isinstance(table, dict):
            raise ParameterError(f"{name} must be a table or several, not {table!r}")
    return tables


def _grid(table: Mapping[str, Any]) -> dict[str, tuple[Value, ...]]:
    _check_keys("[grid]", table, _keys(UNITS))
    defaults = {name: value for name, value in (("unit", _UNIT), ("target", _TARGET)) if name not in table}
    grid = {
        name: tuple(value) if isinstance(value, list) else (value,) for name, value in (defaults | dict(table)).items()
    }
    for name, values in grid.items():
        if not values:
            raise ParameterError(f"{name} of [grid] must have a value or several, not none")
        for value in values:
            _check_value(name, value)
    _check_presets(table, grid.get("preset", ()))
    return {name: tuple(dict.fromkeys(values)) for name, values in grid.items()}


def _job(table: Mapping[str, Any]) -> dict[str, Value]:
    preset = table.get("preset")
    _check_presets(table, [preset])
    unit = MATCHED[str(preset)].unit if preset in MATCHED else table.get("unit", _UNIT)
    _check_value("unit", unit)
    _check_keys(f"[[jobs]] of unit {unit}", table, _keys([unit]))
    for name, value in table.items():
        _check_value(name, value)
    return {"unit": unit, "target": _TARGET} | dict(table)


def _by_unit(grid: Mapping[str, tuple[Value, ...]]) -> Iterator[dict[str, tuple[Value, ...]]]:
    """The grid for each of its units, without the options that the unit does not have."""
    presets = grid.get("preset", ())
    for preset in presets:
        if preset in MATCHED:
            yield _of_unit(grid, MATCHED[str(preset)].unit) | {"preset": (preset,)}
    if not presets or presets[0] not in MATCHED:
        for unit in grid["unit"]:
            yield _of_unit(grid, str(unit))


def _of_unit(grid: Mapping[str, tuple[Value, ...]], unit: str) -> dict[str, tuple[Value, ...]]:
    known = _keys([unit])
    return {name: values for name, values in grid.items() if name in known} | {"unit": (unit,)}


def _request(job: Mapping[str, Value]) -> Request:
    options = {name: value for name, value in job.items() if name not in ("unit", "target")}
    preset = str(options.pop("preset")) if options.get("preset") in MATCHED else ""
    return Request(str(job["unit"]), options, _target(str(job["target"])), preset)


@lru_cache
def _target(name: str) -> str | Target:
    return name if name in TARGETS else liberty_target(name)


def _keys(units: Iterable[str]) -> set[str]:
    """The keys that any of these units has a use for."""
    return {"unit", "target", "preset"}.union(*(accepted_options(unit) for unit in units))


def _check_presets(table: Mapping[str, Any], presets: Iterable[object]) -> None:
    """Raise where a matched comparison stands beside a unit, which it says itself, or beside other presets."""
    found = [preset for preset in presets if preset in MATCHED]
    if found and "unit" in table:
        raise ParameterError(f"unit must be left out where preset is {found[0]}, not {table['unit']!r}")
    if found and (others := [preset for preset in presets if preset not in MATCHED]):
        raise ParameterError(f"preset must be one of {', '.join(MATCHED)} beside {found[0]}, not {others[0]!r}")


def _check_keys(where: str, table: Mapping[str, Any], known: Collection[str]) -> None:
    for name in table:
        if name not in known:
            allowed = ", ".join(sorted(known))
            raise ParameterError(f"a key of {where} must be one of {allowed}, not {name!r}{suggest(name, known, 1)}")


def _check_value(name: str, value: object) -> None:
    """Raise for what no job could use; whether all of a job fits together shows when it is generated."""
    if not isinstance(value, str | int):
        raise ParameterError(f"{name} must be a text, a whole number, true or false, not {value!r}")
    if name == "unit" and value not in UNITS:
        raise ParameterError(f"unit must be one of {', '.join(UNITS)}, not {value!r}{suggest(str(value), UNITS, 1)}")
    if name == "target" and value not in TARGETS and not Path(str(value)).is_file():
        near = suggest(str(value), TARGETS, 1)
        raise ParameterError(f"target must be a Liberty file or one of {', '.join(TARGETS)}, not {value!r}{near}")
    if name in _FORMATS:
        if not isinstance(value, str):
            raise ParameterError(f"{name} must be the name of a format, not {value!r}")
        any_format(value)
