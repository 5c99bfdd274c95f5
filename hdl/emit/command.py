"""The command line that makes a unit again."""

from __future__ import annotations

import inspect
import shlex

from ..core.unit import Unit


def command_line(command: str, unit: Unit, **options: object) -> str:
    """``polymac COMMAND UNIT …`` with the unit's parameters as options: the same unit, the same text.

    Parameters (:attr:`.unit.Unit.command_parameters`) that are equal to the constructor's defaults are left out.
    ``options`` are the command's own; None and False are left out.

    Examples
    --------
    >>> hdl.command_line("generate", hdl.Requantizer(), name="requantize")
    'polymac generate requantizer --name requantize'
    """
    defaults = {name: item.default for name, item in inspect.signature(type(unit)).parameters.items()}
    given = {name: value for name, value in unit.command_parameters.items() if value != defaults.get(name)}
    words = ["polymac", command, unit.kind]
    for name, value in (given | options).items():
        flag = f"--{name.replace('_', '-')}"
        if isinstance(value, bool) and name in ("flags", "addend"):
            words += [flag, "on" if value else "off"]
        elif isinstance(value, (list, tuple)):
            words += [flag, ",".join(map(str, value))]
        elif value is True:
            words.append(flag)
        elif value is not None and value is not False:
            words += [flag, str(value)]
    return shlex.join(words)
