"""The options that describe a unit, shared by all commands that take one."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

import click

from .. import hdl
from ..golden.formats import ROUNDINGS, STYLES, ParameterError, check_choice
from ..hdl.integer.architecture import AUTO, TARGETS
from ..hdl.integer.product import ARCHITECTURES
from ..hdl.rounding.modes import PORT, STOCHASTIC

#: The units by their names.
UNITS: dict[str, Callable[..., hdl.Unit]] = {
    unit.kind: unit for unit in (hdl.Multiplier, hdl.Dot, hdl.Mac, hdl.Array, hdl.Requantizer)
}
UNIT_NAMES = f"{{{'|'.join(UNITS)}}}"

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


# By the name of the constructor's parameter (preset: of several); the order is that of --help.
_OPTIONS: dict[str, _Option] = {
    "preset": _Option("Formats, lanes and accumulation of a known accelerator: see `polymac presets`.", "NAME"),
    "a": _Option("Format of operand a.  [default: int8]", "FMT"),
    "b": _Option("Format of operand b.  [default: that of a]", "FMT"),
    "formats": _Option("In place of a and b: formats among which a port chooses.", "A,B,…"),
    "out": _Option(
        "Format of the result, or exact, or unpacked.  [default: exact; a's for floats; int8 for requantizer]", "FMT"
    ),
    "acc": _Option(
        f"Accumulator: a fixed-point format, or {STYLES}.  [default: fixed point for --max-k products; fp32]", "STYLE"
    ),
    "max_k": _Option("Products that the accumulator must add exactly.  [default: 65536; exact dot: --lanes]", "N"),
    "force_wide": _Option("Accept an exact sum of more than 256 bits.", is_flag=True),
    "overflow": _Option("What becomes of a result beyond the format.", "ieee|saturate|wrap"),
    "rows": _Option("Rows of processing elements.", "N"),
    "cols": _Option("Columns of processing elements.", "N"),
    "lanes": _Option("Elements of the inner dimension per cycle, 1 … 128.  [default: 1; aligned: the block]", "N"),
    "sparse": _Option("2:4 sparsity: a has two of every four elements, and their positions.", is_flag=True),
    "addend": _Option("A port c that is added.  [default: on, but for --acc exact]", "on|off"),
    "interleave": _Option("Sums that take turns, and registers in the accumulator's loop.  [default: 1]", "N"),
    "dataflow": _Option("Output or weight stationary.  [default: os]", "os|ws"),
    "stages": _Option("Pipeline registers.  [default: 0]", "N"),
    "valid": _Option("Ports that tell which results count.", is_flag=True),
    "rounding": _Option(
        "Rounding mode, or port: an input chooses it.  [default: rne]", "|".join((*ROUNDINGS, STOCHASTIC, PORT))
    ),
    "random_bits": _Option("Random bits of stochastic rounding.  [default: as many as are cut off, 8 … 32]", "N"),
    "subnormals": _Option("Floats: kept or flushed to zero.  [default: full]", "full|flush"),
    "flags": _Option("Floats: a port with the IEEE exceptions.  [default: on; dot: off]", "on|off"),
    "architecture": _Option(
        "How significands are multiplied; auto: as suits the target.  [default: operator]",
        "|".join((*ARCHITECTURES, AUTO)),
    ),
    "target": _Option("What --architecture auto chooses for.  [default: nangate45]", "|".join(TARGETS)),
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
        check_choice(self.choice, args[0], tuple(self.list_commands(ctx)))
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
    check_choice("unit", kind, tuple(UNITS))
    given = {name: value for name, value in options.items() if value is not None}
    for name in given:
        if name not in _accepted(kind):
            owners = [other for other in UNITS if name in _accepted(other)]
            raise ParameterError(f"{_flag(name)} belongs to {' and '.join(owners)}, not to {kind}")
    given = _complete(kind, given, side)
    for name in ("flags", "addend"):
        if name in given:
            given[name] = check_choice(name, given[name], _SWITCH) == "on"
    return UNITS[kind](**given)


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


def _flag(name: str) -> str:
    return f"--{name.replace('_', '-')}"


def _accepted(kind: str) -> set[str]:
    names = set(inspect.signature(UNITS[kind]).parameters)
    return names | {"preset"} if {"acc", "lanes"} <= names else names
