"""``polymac formats``: the number formats, and what the codes of one mean."""

from __future__ import annotations

import dataclasses
from fractions import Fraction
from pathlib import Path
from typing import Any

import click

from ..golden.formats import (
    BLOCK_FORMATS,
    FAMILIES,
    FORMATS,
    BlockFormat,
    Format,
    ParameterError,
    any_format,
    decimal_text,
    load_environment,
    load_formats,
)
from .layout import MAX_LISTED, bit_fields, bit_text, code_text, short_text
from .number_line import draw
from .output import check_new_file, lines, print_json, print_table, write_file

_VALUES_IN_A_ROW = 8
_RANGE = ("largest", "least normal", "least positive")
_SCALAR_COLUMNS = ("format", "bits", "sign/exp/frac", "bias", *_RANGE, "specials", "source")
_BLOCK_COLUMNS = ("block format", "bits", "elements", "scale", "rule", "rounding", *_RANGE[::2], "specials", "source")


@click.command(
    epilog="\b\nExamples:\n  polymac formats\n  polymac formats fp8_e4m3\n  polymac formats e4m7 q4.12 mxfp4\n"
    "  polymac formats fp4_e2m1 --plot fp4.svg\n  polymac formats --json",
)
@click.argument("names", nargs=-1, metavar="[FORMAT]...")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option(
    "--plot", metavar="FILE.svg", type=click.Path(path_type=Path), help="Draw the values of the named formats."
)
@click.option("--force", is_flag=True, help="Overwrite the file of --plot.")
@click.option("--formats-file", metavar="FILE", help="Also read the formats in a TOML file.")
def formats(names: tuple[str, ...], as_json: bool, plot: Path | None, force: bool, formats_file: str | None) -> None:
    """List the number formats, or those that are named; of a single one show what its codes mean.

    Beside the named formats, whole families are known: intN and uintN (N bits), qM.N and uqM.N (fixed point, M integer
    bits with the sign, N fraction bits), eXmY (IEEE-like, X exponent and Y fraction bits; e0mY is sign and magnitude).
    Block formats share a scale among elements; bits are those of an element and its part of the scale.

    Every command knows the formats of the files that the environment variable POLYMAC_FORMATS names.
    """
    load_environment()
    if formats_file is not None:
        load_formats(formats_file)
    known = {**FORMATS, **BLOCK_FORMATS}
    chosen = {name: any_format(name) for name in names} or known
    if plot is not None:
        _plot(plot, [any_format(name) for name in names], force)
        return
    if as_json:
        print_json([_describe(item, detailed=len(names) == 1) for item in chosen.values()])
    elif len(names) == 1:
        _show(*chosen.values())
    else:
        _list(chosen, families=not names)


def _plot(path: Path, chosen: list[Format | BlockFormat], force: bool) -> None:
    if path.suffix != ".svg":
        raise ParameterError(f"--plot must be a file that ends in .svg, not {path}")
    if not chosen:
        raise ParameterError("--plot must come with the names of formats, not without")
    check_new_file("--plot", path, force=force)
    write_file(path, draw(chosen), force=force)
    click.echo(path)


def _list(chosen: dict[str, Format | BlockFormat], *, families: bool) -> None:
    scalars = [_scalar_row(name, item) for name, item in chosen.items() if isinstance(item, Format)]
    blocks = [_block_row(item) for item in chosen.values() if isinstance(item, BlockFormat)]
    if families:
        scalars += [_scalar_row(f"{family}, as {name}", any_format(name)) for family, name in FAMILIES.items()]
    left = ("format", "block format", "elements", "scale", "rule", "rounding", "specials", "source")
    for columns, rows in ((_SCALAR_COLUMNS, scalars), (_BLOCK_COLUMNS, blocks)):
        if rows:
            print_table("", columns, rows, left=left)


def _show(item: Format | BlockFormat) -> None:
    """One format: its description, special codes and, if they are few, all values; of a block format its element's."""
    element = item
    if isinstance(item, BlockFormat):
        element = item.element
        described = _describe_block(item)
        described["value"] = " · ".join(("element", "scale", "tensor scale")[: len(item.factors)])
    else:
        described = _describe_scalar(item)
    described = {key: value for key, value in described.items() if value not in (None, [], "")}
    lines(**{key: ", ".join(value) if isinstance(value, list) else value for key, value in described.items()})
    assert isinstance(element, Format)
    if element is not item:
        click.echo(f"\nThe elements, {element}:")
    lines(code=bit_fields(element), value=element.formula)
    rows = [
        (name, code_text(element, code), bit_text(element, code), element.text(code))
        for name, code in element.landmarks
    ]
    print_table("", ("special value", "code", "bits", "value"), rows, left=("special value", "bits"))
    if element.code_count <= MAX_LISTED:
        columns = min(_VALUES_IN_A_ROW, element.code_count)
        table = [
            (code_text(element, high), *(short_text(element, high + low) for low in range(columns)))
            for high in range(0, element.code_count, columns)
        ]
        print_table("", ("code", *(f"+{low}" for low in range(columns))), table)


def _describe(item: Format | BlockFormat, *, detailed: bool) -> dict[str, Any]:
    described = _describe_scalar(item) if isinstance(item, Format) else _describe_block(item)
    if not detailed:
        return described
    element = item if isinstance(item, Format) else item.element
    described["layout"] = bit_fields(element)
    described["value"] = element.formula
    described["special_codes"] = [
        {"what": name, "code": code, "value": element.text(code)} for name, code in element.landmarks
    ]
    if element.code_count <= MAX_LISTED:
        described["values"] = [element.text(code) for code in range(element.code_count)]
    return described


def _describe_scalar(item: Format) -> dict[str, Any]:
    return {
        "name": item.name,
        "kind": item.kind,
        "width": item.width,
        "signed": item.signed,
        **_layout(item),
        "max": _number(item, item.max),
        "min_normal": _number(item, item.min_normal),
        "min_positive": _number(item, item.min_positive),
        "specials": _specials(item),
        "source": item.source,
    }


def _layout(item: Format) -> dict[str, int]:
    """What tells the fields of a code; 0 for a field that formats of the kind do not have."""
    return {name: getattr(item, name, 0) for name in ("exp_bits", "frac_bits", "bias")} if _widths(item) else {}


def _describe_block(item: BlockFormat) -> dict[str, Any]:
    described = {field.name: getattr(item, field.name) for field in dataclasses.fields(item)}
    for key in ("element", "scale", "tensor_scale"):
        described[key] = described[key] and described[key].name
    source = described.pop("source")
    return {
        "name": described.pop("name"),
        "kind": "block",
        **described,
        "bits_per_element": float(item.bits_per_element),
        "max": float(item.max),
        "min_positive": float(item.min_positive),
        "specials": _block_specials(item),
        "source": source,
    }


def _number(item: Format, value: Fraction) -> int | float | str:
    """A number for JSON: an int where the format's are, a float, or a text beyond the range of floats."""
    if item.kind != "float" and value.denominator == 1:
        return int(value)
    text = decimal_text(value)
    return float(text) if text == repr(float(text)) else text


def _scalar_row(name: str, item: Format | BlockFormat) -> tuple[str, ...]:
    assert isinstance(item, Format)
    numbers = (_number(item, value) for value in (item.max, item.min_normal, item.min_positive))
    return (
        name,
        str(item.width),
        "/".join(str(width) for width in _widths(item)),
        str(getattr(item, "bias", "")),
        *(f"{number:.6g}" if isinstance(number, float) else str(number) for number in numbers),
        ", ".join(_specials(item)),
        item.source,
    )


def _widths(item: Format) -> tuple[int, ...]:
    """Bits of sign, exponent and fraction, where these are fields of every code."""
    frac_bits = getattr(item, "frac_bits", None)
    return () if frac_bits is None else (int(item.signed), getattr(item, "exp_bits", 0), frac_bits)


def _block_row(item: BlockFormat) -> tuple[str, ...]:
    return (
        item.name,
        f"{float(item.bits_per_element):.5g}",
        f"{item.block_size} × {item.element}",
        " · ".join(fmt.name for fmt in item.factors[1:]),
        item.scale_rule,
        item.rounding,
        f"{float(item.max):.6g}",
        f"{float(item.min_positive):.6g}",
        ", ".join(_block_specials(item)),
        item.source,
    )


def _specials(item: Format) -> list[str]:
    """What the format has, or lacks, beside the usual finite values."""
    found = {
        "-0": item.has_negative_zero,
        "no zero": not item.has_zero,
        "Inf": item.has_inf,
        "NaN": item.has_nan,
    }
    return [name for name, present in found.items() if present]


def _block_specials(item: BlockFormat) -> list[str]:
    found = {
        "NaN scale": item.scale.has_nan,
        "Inf elements": item.element.has_inf,
        "NaN elements": item.element.has_nan,
    }
    return [name for name, present in found.items() if present]
