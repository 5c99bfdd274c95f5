"""The options that describe a unit, shared by all commands that take one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import click

from .. import hdl
from ..golden.formats import ROUNDINGS, STYLES, ParameterError, check_choice
from ..hdl.integer.architecture import AUTO
from ..hdl.integer.product import ARCHITECTURES
from ..hdl.rounding.modes import PORT, STOCHASTIC
from ..sim.units import UNITS, Option

UNIT_NAMES = f"{{{'|'.join(UNITS)}}}"

_SWITCH = ("off", "on")

Function = TypeVar("Function", bound=Callable[..., Any])


# Options that several kinds of units share, by the name of the constructor's parameter (preset: of several). Those of one
# kind are in its entry of UNITS.
_SHARED: dict[str, Option] = {
    "preset": Option("Formats, lanes and accumulation of a known accelerator (see `polymac presets`).", "NAME"),
    "a": Option("Format of operand a.  [default: int8]", "FMT"),
    "b": Option("Format of operand b.  [default: the format of a]", "FMT"),
    "out": Option(
        "Format of the result, or exact, or unpacked.  [default: exact for integers; the format of a for floats; int8 for "
        "requantizer]",
        "FMT",
    ),
    "acc": Option(
        f"Accumulator: a fixed-point format, or {STYLES}.  [default: fixed point, wide enough for --max-k products; fp32 "
        "for floats]",
        "STYLE",
    ),
    "max_k": Option("Number of products that the accumulator adds exactly.  [default: 65536; exact dot: --lanes]", "N"),
    "force_wide": Option("Accept an exact accumulator of more than 256 bits.", is_flag=True),
    "overflow": Option(
        "Result of an overflow: infinity or NaN as the format has it (ieee), the largest number (saturate), or the low "
        "bits (wrap).  [default: ieee for floats, saturate for fixed point, wrap for integer sums]",
        "ieee|saturate|wrap",
    ),
    "lanes": Option(
        "Products per clock cycle and processing element, 1 … 128.  [default: 1; with --acc aligned: the block]", "N"
    ),
    "sparse": Option("2:4 sparsity: a holds two of every four elements, and their positions.", is_flag=True),
    "stages": Option("Number of pipeline registers.  [default: 0]", "N"),
    "rounding": Option(
        "Rounding mode, or port for an input that selects it.  [default: rne]",
        "|".join((*ROUNDINGS, STOCHASTIC, PORT)),
    ),
    "flags": Option("Output port with the IEEE exceptions of a float result.  [default: on; dot: off]", "on|off"),
    "architecture": Option(
        "Architecture of the significand multiplier; auto selects the best for --target.  [default: operator]",
        "|".join((*ARCHITECTURES, AUTO)),
    ),
}


class Choices(click.Group):
    """A group whose unknown subcommand is an error that lists the known ones; ``choice`` is what it is called."""

    def __init__(self, *args: Any, choice: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.choice = choice

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        check_choice(self.choice, args[0], tuple(self.list_commands(ctx)))
        return super().resolve_command(ctx, args)


def unit_options(*, side: int, without: tuple[str, ...] = ()) -> Callable[[Function], Function]:
    """Decorator: the options of every unit, all None where not given; ``side`` is the default of rows and cols."""

    def decorate(function: Function) -> Function:
        for name, option in reversed(_options().items()):
            if name not in without:
                default = f"  [default: {side}]" if name in ("rows", "cols") else ""
                click.option(
                    flag(name),
                    name,
                    type=None if option.is_flag else int if option.metavar == "N" else str,
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
    check_choice("unit", kind, tuple(UNITS))
    given = {name: value for name, value in options.items() if value is not None}
    for name in given:
        if name not in _accepted(kind):
            owners = [other for other in UNITS if name in _accepted(other)]
            raise ParameterError(f"{flag(name)} belongs to {' and '.join(owners)}, not to {kind}")
    given = _complete(kind, given, side)
    for name in ("flags", "addend"):
        if name in given:
            given[name] = check_choice(name, given[name], _SWITCH) == "on"
    return UNITS[kind].component(**given)


def _complete(kind: str, given: dict[str, Any], side: int) -> dict[str, Any]:
    """The options with those added that the unit must have."""
    if "preset" in given:
        given = hdl.with_preset(given["preset"], {key: value for key, value in given.items() if key != "preset"})
    if "formats" in given:
        given["formats"] = split_commas(given["formats"])
    elif "a" in _accepted(kind):
        given = {"a": "int8"} | given
        given = {"b": given["a"]} | given
    return ({"rows": side, "cols": side} if "rows" in _accepted(kind) else {}) | given


def comma_list(context: click.Context, parameter: click.Parameter, value: str | None) -> list[str] | None:
    """Click callback: ``A,B,C`` as a list."""
    return None if value is None else split_commas(value)


def split_commas(text: str) -> list[str]:
    """``A,B,C`` as a list."""
    return [item.strip() for item in text.split(",")]


def flag(name: str) -> str:
    """The command-line option of a parameter."""
    return f"--{name.replace('_', '-')}"


def _accepted(kind: str) -> set[str]:
    names = set(UNITS[kind].parameters)
    return names | {"preset"} if {"acc", "lanes"} <= names else names


def _options() -> dict[str, Option]:
    """The options of all units, in the order of --help."""
    return _SHARED | {name: option for entry in UNITS.values() for name, option in entry.options.items()}
