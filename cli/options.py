"""The options that describe a unit, shared by all commands that take one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

from ..golden.formats import ROUNDINGS, STYLES, check_choice
from ..hdl.integer.architecture import AUTO
from ..hdl.integer.product import ARCHITECTURES
from ..hdl.rounding.modes import PORT, STOCHASTIC
from ..sim.units import UNITS, Option

UNIT_NAMES = f"{{{'|'.join(UNITS)}}}"

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


def comma_list(context: click.Context, parameter: click.Parameter, value: str | None) -> list[str] | None:
    """Click callback: ``A,B,C`` as a list."""
    return None if value is None else split_commas(value)


def split_commas(text: str) -> list[str]:
    """``A,B,C`` as a list."""
    return [item.strip() for item in text.split(",")]


def flag(name: str) -> str:
    """The command-line option of a parameter."""
    return f"--{name.replace('_', '-')}"


def _options() -> dict[str, Option]:
    """The options of all units, in the order of --help."""
    return _SHARED | {name: option for entry in UNITS.values() for name, option in entry.options.items()}
