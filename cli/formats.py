"""``polymac formats``: the number formats and their properties."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import click

from .. import golden
from ..golden import Format
from .output import print_json, print_table

# One of each family of formats that are found by their name's numbers.
_FAMILIES = {"intN": "int12", "uintN": "uint12", "qM.N": "q4.12", "uqM.N": "uq4.12", "eXmY": "e4m7"}


@click.command(
    epilog="\b\nExamples:\n  polymac formats\n  polymac formats e4m7 q4.12\n  polymac formats --json",
)
@click.argument("names", nargs=-1, metavar="[FORMAT]...")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def formats(names: tuple[str, ...], as_json: bool) -> None:
    """List the number formats, or those that are named.

    Beside the named formats, whole families are known: intN and uintN (N bits), qM.N and uqM.N (fixed point, M integer
    bits with the sign, N fraction bits), eXmY (IEEE-like, X exponent and Y fraction bits).
    """
    chosen = {name: golden.format(name) for name in names} or golden.FORMATS
    if as_json:
        print_json([_describe(item) for item in chosen.values()])
        return
    rows = [_row(name, item) for name, item in chosen.items()]
    if not names:
        rows += [_row(f"{family}, as {name}", golden.format(name)) for family, name in _FAMILIES.items()]
    columns = (
        "format",
        "bits",
        "sign/exp/frac",
        "bias",
        "largest",
        "least normal",
        "least positive",
        "specials",
        "source",
    )
    print_table("", columns, rows, left=("format", "specials", "source"))


def _describe(item: Format) -> dict[str, Any]:
    return {
        "name": item.name,
        "kind": item.kind,
        "width": item.width,
        "signed": item.signed,
        "exp_bits": item.exp_bits,
        "frac_bits": item.frac_bits,
        "bias": item.bias,
        "max": _number(item, item.max),
        "min_normal": _number(item, item.min_normal),
        "min_positive": _number(item, item.min_positive),
        "specials": _specials(item),
        "source": item.source,
    }


def _number(item: Format, value: Fraction) -> int | float:
    # Every finite value of a float format here is a double; integers may have more digits than one.
    return int(value) if item.kind != "float" and value.denominator == 1 else float(value)


def _row(name: str, item: Format) -> tuple[str, ...]:
    is_float = item.kind == "float"
    numbers = (_number(item, value) for value in (item.max, item.min_normal, item.min_positive))
    return (
        name,
        str(item.width),
        f"{int(item.signed)}/{item.exp_bits}/{item.frac_bits}",
        str(item.bias) if is_float else "",
        *(f"{number:.6g}" if isinstance(number, float) else str(number) for number in numbers),
        ", ".join(_specials(item)),
        item.source,
    )


def _specials(item: Format) -> list[str]:
    """What the format has, or lacks, beside the usual finite values."""
    if item.kind != "float":
        return [] if item.has_zero else ["no zero"]
    found = {
        "-0": item.signed and item.has_zero and item.negative_zero == "zero",
        "no zero": not item.has_zero,
        "Inf": item.has_inf,
        "NaN": item.has_nan,
    }
    return [name for name, present in found.items() if present]
