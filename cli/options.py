"""The options that describe a unit, shared by all commands that take one."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

import click

from .. import hdl
from ..golden.formats import ParameterError, choose
from ..hdl.product import ARCHITECTURES

#: The units by their names.
UNITS: dict[str, Callable[..., hdl.Unit]] = {
    unit.kind: unit for unit in (hdl.Multiplier, hdl.Mac, hdl.Array, hdl.Requantizer)
}
UNIT_NAMES = f"{{{'|'.join(UNITS)}}}"

_DATAFLOWS = ("os",)
_SWITCH = ("off", "on")

Function = TypeVar("Function", bound=Callable[..., Any])


@dataclass(frozen=True)
class _Option:
    help: str
    metavar: str | None = None
    is_flag: bool = False

    @property
    def type(self) -> type | None:
        return None if self.is_flag else int if self.metavar == "N" else str


# By the name of the constructor's parameter; the order is that of --help.
_OPTIONS: dict[str, _Option] = {
    "a": _Option("Format of operand a.  [default: int8]", "FMT"),
    "b": _Option("Format of operand b.  [default: that of a]", "FMT"),
    "out": _Option("Format of the result, or exact.  [default: exact; a's for floats; int8 for requantizer]", "FMT"),
    "acc": _Option("Format of the accumulator.  [default: exact for --max-k products]", "FMT"),
    "max_k": _Option("Products that the default accumulator adds exactly.  [default: 65536]", "N"),
    "overflow": _Option("What becomes of a result beyond the format.", "ieee|saturate|wrap"),
    "rows": _Option("Rows of processing elements.", "N"),
    "cols": _Option("Columns of processing elements.", "N"),
    "lanes": _Option("Products per processing element and cycle.  [default: 1]", "N"),
    "dataflow": _Option("Output stationary.  [default: os]", "os"),
    "stages": _Option("Pipeline registers.  [default: 0]", "N"),
    "rounding": _Option("Rounding mode, or port: an input chooses it.  [default: rne]", "rne|rtz|rdn|rup|rna|port"),
    "subnormals": _Option("Floats: kept or flushed to zero.  [default: full]", "full|flush"),
    "flags": _Option("Floats: a port with the IEEE exceptions.  [default: on]", "on|off"),
    "architecture": _Option("How significands are multiplied.  [default: operator]", "|".join(ARCHITECTURES)),
    "relu": _Option("Negative results become 0.", is_flag=True),
}


class Choices(click.Group):
    """A group whose unknown subcommand is an error that lists the known ones; ``choice`` is what it is called."""

    def __init__(self, *args: Any, choice: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.choice = choice

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        choose(self.choice, args[0], tuple(self.list_commands(ctx)))
        return super().resolve_command(ctx, args)


def unit_options(*, side: int, without: tuple[str, ...] = ()) -> Callable[[Function], Function]:
    """Decorator: the options of every unit, all None where not given; ``side`` is the default of rows and cols."""

    def decorate(function: Function) -> Function:
        for name, option in reversed(_OPTIONS.items()):
            if name not in without:
                default = f"  [default: {side}]" if name in ("rows", "cols") else ""
                click.option(
                    _flag(name),
                    name,
                    type=option.type,
                    metavar=option.metavar,
                    is_flag=option.is_flag,
                    default=None,
                    help=option.help + default,
                )(function)
        return function

    return decorate


def make_unit(kind: str, options: Mapping[str, Any], *, side: int) -> hdl.Unit:
    """The unit that the options describe.

    Raises
    ------
    ParameterError
        There is no such unit, it has no such option, or its own constructor does not accept a value.
    """
    choose("unit", kind, tuple(UNITS))
    given = {name: value for name, value in options.items() if value is not None}
    for name in given:
        if name not in _accepted(kind):
            owners = [other for other in UNITS if name in _accepted(other)]
            raise ParameterError(f"{_flag(name)} belongs to {' and '.join(owners)}, not to {kind}")
    given = _complete(kind, given, side)
    if "flags" in given:
        given["flags"] = choose("flags", given["flags"], _SWITCH) == "on"
    if "dataflow" in given:
        choose("dataflow", given.pop("dataflow"), _DATAFLOWS)
    return UNITS[kind](**given)


def _complete(kind: str, given: dict[str, Any], side: int) -> dict[str, Any]:
    """The options with those added that the unit must have."""
    if "a" in _accepted(kind):
        given = {"a": "int8"} | given
        given = {"b": given["a"]} | given
    return ({"rows": side, "cols": side} if "rows" in _accepted(kind) else {}) | given


def comma_list(context: click.Context, parameter: click.Parameter, value: str | None) -> list[str] | None:
    """Click callback: ``A,B,C`` as a list."""
    return None if value is None else [item.strip() for item in value.split(",")]


def _flag(name: str) -> str:
    return f"--{name.replace('_', '-')}"


def _accepted(kind: str) -> set[str]:
    names = set(inspect.signature(UNITS[kind]).parameters)
    return names | {"dataflow"} if kind == "array" else names
