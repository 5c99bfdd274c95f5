"""The command line that makes a unit again."""

from __future__ import annotations

import inspect
import shlex

from .unit import Unit


def command_line(command: str, unit: Unit, **options: object) -> str:
    """``polymac COMMAND UNIT …`` with the unit's parameters as options: the same unit, the same text.

    Parameters with a default of their own are left out where they have it, and so are those that no option sets, such as
    the format of an exact product. ``options`` are the command's own; None and False are left out.
    """
    defaults = {name: item.default for name, item in inspect.signature(type(unit)).parameters.items()}
    given = {name: value for name, value in unit.parameters.items() if value != defaults.get(name)}
    if getattr(unit, "is_exact", False):
        del given["out"]
    words = ["polymac", command, unit.kind]
    for name, value in (given | options).items():
        flag = f"--{name.replace('_', '-')}"
        if isinstance(value, bool) and name == "flags":
            words += [flag, "on" if value else "off"]
        elif value is True:
            words.append(flag)
        elif value is not None and value is not False:
            words += [flag, str(value)]
    return shlex.join(words)
