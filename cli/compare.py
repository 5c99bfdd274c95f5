"""``polymac compare``: what each format costs in area and delay."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import click

from .. import golden, hdl, synth
from ..golden.formats import ParameterError, check_choice
from ..hdl.integer.product import ARCHITECTURES
from ..sim.units import UNITS
from ..sim.units.make import make_unit
from ..synth import Record, Result, Target
from .options import comma_list, unit_options
from .output import check_new_file, json_text, lines, print_table, progress, write_file

#: The units that multiply a format by a format.
_UNITS = tuple(kind for kind, entry in UNITS.items() if {"a", "b"} <= entry.parameters)
#: Partial products up to which multipliers built of gates are tried as well: with more the recipes take minutes.
MOST_GATED_BITS = 24 * 24
#: Rows and columns of an array where they are not given: a large one takes minutes.
SIDE = 2


@dataclass(frozen=True)
class Comparison:
    """Formats × targets: what synthesis made of one kind of unit.

    Members
    -------
    unit : str
        The kind of unit.
    formats : list of str
        The formats of both operands; the first is what the others are compared with.
    targets : list of Target
        What was synthesized for.
    results : list of Result
        All targets of the first format first.
    max_delay : float or None
        The delay in ns that is short enough.
    """

    unit: str
    formats: list[str]
    targets: list[Target]
    results: list[Result]
    max_delay: float | None = None

    def of_target(self, index: int) -> list[Result]:
        """The results for one target, in the order of the formats."""
        return self.results[index :: len(self.targets)]

    def plain(self) -> dict[str, Any]:
        """As JSON holds it."""
        names = [name for name in self.formats for _ in self.targets]
        results = [
            {"format": name} | asdict(result) | {"pareto": [_point(record) for record in result.pareto]}
            for name, result in zip(names, self.results, strict=True)
        ]
        return {"unit": self.unit, "results": results}


def _point(record: Record) -> dict[str, Any]:
    """A netlist of the Pareto set; its record stands among the others."""
    architecture = record.parameters.get("architecture", "operator")
    names = ("recipe", "area_um2", "delay_ns")
    return {"architecture": architecture} | {name: getattr(record, name) for name in names}


@click.command(
    epilog="""\b
Examples:
  polymac compare --formats int8,fp8_e4m3
  polymac compare --formats int4,int6 --target cmos,ice40 --architecture operator --json -
  polymac compare --unit mac --formats int4 --target ecp5
  polymac compare --formats fp4_e2m1 --target ice40 --flags off --stages 2
  polymac compare --formats int3 --architecture tree --max-delay 0.3
""",
)
@click.option("--unit", metavar="|".join(_UNITS), default="multiplier", show_default=True, help="Unit to compare.")
@click.option(
    "--formats",
    metavar="A,B,…",
    default="int8,fp16,bf16",
    show_default=True,
    callback=comma_list,
    help="Formats of both operands; ratios are to the first.",
)
@click.option(
    "--target",
    "targets",
    metavar="T,…",
    callback=comma_list,
    help=f"Targets, any of {', '.join(synth.TARGETS)}.  [default: nangate45, or the file of --liberty]",
)
@click.option("--liberty", metavar="FILE", help="A Liberty file of your own, as an additional target.")
@click.option(
    "--jobs", metavar="N", type=int, default=os.cpu_count() or 1, help="Worker processes.  [default: all cores]"
)
@click.option(
    "--max-delay",
    metavar="NS",
    type=float,
    help="Longest acceptable delay: report the smallest area that meets it (cell libraries only).",
)
@unit_options(side=SIDE, without=("a", "b", "formats", "target"))
@click.option(
    "--json", "json_file", metavar="FILE", help="Write JSON with every record and recipe to a file; - prints it."
)
@click.option("--force", is_flag=True, help="Overwrite an existing JSON file.")
def compare(
    unit: str,
    formats: list[str],
    targets: list[str] | None,
    liberty: str | None,
    jobs: int,
    max_delay: float | None,
    json_file: str | None,
    force: bool,
    **options: Any,
) -> None:
    """Synthesize a unit in several formats and print area and delay side by side.

    Each design is run through all recipes of a target; the table names the ones with the least area and delay.
    """
    chosen: list[str | Target] = list(targets or ([] if liberty else ["nangate45"]))
    if liberty:
        chosen.append(synth.liberty_target(liberty))
    if json_file not in (None, "-"):
        check_new_file("--json", Path(json_file), force=force)
    comparison = measure(unit, formats, chosen, jobs=jobs, max_delay=max_delay, options=options)
    text = json_text(comparison.plain())
    if json_file == "-":
        click.echo(text, nl=False)
        return
    if json_file:
        write_file(Path(json_file), text, force=force)
    print_comparison(comparison)


def measure(
    unit: str,
    formats: Sequence[str],
    targets: Sequence[str | Target],
    *,
    jobs: int,
    max_delay: float | None = None,
    options: dict[str, Any],
) -> Comparison:
    """Generate and synthesize a unit in each format for each target, with progress.

    Raises
    ------
    ParameterError, TypeError
        A unit, format, target or option that cannot be used.
    SynthesisError
        No recipe gave a figure.
    """
    check_choice("unit", unit, _UNITS)
    found = [synth.target(item) for item in targets]
    if max_delay is not None:
        for target in found:
            if target.liberty is None:
                raise ParameterError(
                    f"--max-delay must be left out with a target without delays, not given with {target.name}"
                )
    each = [{"a": golden.format(name).name} | options for name in formats]
    architectures = [name for name in ARCHITECTURES if any(target.suits(name) for target in found)]
    units = [_variants(unit, item, architectures) for item in each]
    with progress(f"comparing {len(units)} formats on {len(found)} targets") as report:
        designs = [
            [hdl.generate(variant, f"{unit}_{item['a'].replace('.', '_')}") for variant in variants]
            for variants, item in zip(units, each, strict=True)
        ]
        results = synth.compare(designs, found, max_delay_ns=max_delay, jobs=jobs, progress=report)
    return Comparison(unit, [item["a"] for item in each], found, results, max_delay)


def _variants(unit: str, options: dict[str, Any], architectures: Sequence[str]) -> list[hdl.Unit]:
    """The unit in each of the architectures that are compared, or as asked for, or with the default where it is large."""
    made = make_unit(unit, options, side=SIDE)
    partial_products = UNITS[unit].partial_products
    if partial_products is None or options.get("architecture") is not None or partial_products(made) > MOST_GATED_BITS:
        return [made]
    return [make_unit(unit, options | {"architecture": name}, side=SIDE) for name in architectures]


def print_comparison(comparison: Comparison) -> None:
    """One table per target, and under it all that is needed to repeat it."""
    for index, target in enumerate(comparison.targets):
        results = comparison.of_target(index)
        if index:
            click.echo()
        columns = {"format": lambda result: ""} | _columns(target, results[0], comparison.max_delay)
        rows = [
            [name, *(show(result) for show in list(columns.values())[1:])]
            for name, result in zip(comparison.formats, results, strict=True)
        ]
        left = [name for name in columns if name == "format" or name.startswith("recipe")]
        print_table(f"{comparison.unit} on {target.name}: {target.title}", list(columns), rows, left=left)
        for name, result in zip(comparison.formats, results, strict=True):
            click.echo(
                f"{name}: "
                + ", ".join(
                    f"{key}={value}"
                    for key, value in result.parameters.items()
                    if value is not None and key != "architecture"
                )
            )
            for failure in result.failures:
                click.echo(f"no figure: {failure}")
        if unlike := _unlike(comparison.unit, comparison.formats, results):
            click.echo(unlike)
        best = results[0].best_area
        lines(
            versions=", ".join(f"{tool} {number}" for tool, number in best.versions.items()),
            library=None if best.library is None else f"{best.library}, sha256 {best.library_sha256}",
        )
        click.echo("The commands of every recipe: polymac compare --json FILE.")


def _unlike(unit: str, formats: Sequence[str], results: Sequence[Result]) -> str:
    """What each format's result is, in one sentence; empty where it is the same for all."""
    groups: dict[str, list[str]] = {}
    for name, result in zip(formats, results, strict=True):
        groups.setdefault(_result(UNITS[unit].result_text, result.parameters), []).append(name)
    if len(groups) == 1:
        return ""
    parts = [f"{what} for {' and '.join(names)}" for what, names in groups.items()]
    return f"Compared are {'; '.join(parts)}."


def _result(what: str, parameters: dict[str, Any]) -> str:
    if parameters.get("rounding") is None:
        return f"the exact {what}"
    if "subnormals" not in parameters:
        return f"a rounded {what}"
    flags = "on" if parameters["flags"] else "off"
    return f"a rounded {what}, subnormals {parameters['subnormals']}, IEEE flags {flags},"


Show = Callable[[Result], str]


def _columns(target: Target, first: Result, max_delay: float | None) -> dict[str, Show]:
    """The columns that a target has figures for, each with what it shows of a result."""

    def ratio(result: Result) -> str:
        base = getattr(first.best_area, target.cost)
        return f"{getattr(result.best_area, target.cost) / base:.2f}" if base else "–"

    costs: dict[str, dict[str, Show]] = {
        "area_um2": {
            "area µm²": lambda result: _figure(result.area_um2, ",.2f"),
            "GE": lambda result: _figure(result.area_ge, ",.1f"),
            "ratio": ratio,
            "recipe (area)": lambda result: _how(result.best_area),
            "delay ns": lambda result: _figure(result.best_delay and result.best_delay.delay_ns, ".3f"),
            "recipe (delay)": lambda result: _how(result.best_delay) if result.best_delay else "–",
            "FF": lambda result: _figure(result.ffs),
        },
        "transistors": {
            "transistors": lambda result: _figure(result.transistors),
            "gates": lambda result: _figure(result.gates),
            "FF": lambda result: _figure(result.ffs),
            "ratio": ratio,
            "recipe": lambda result: _how(result.best_area),
        },
        "area_luts": {
            "LUT area": lambda result: _figure(result.area_luts),
            "LUT": lambda result: _figure(result.luts),
            "carry": lambda result: _figure(result.carries),
            "FF": lambda result: _figure(result.ffs),
            "ratio": ratio,
            "recipe": lambda result: _how(result.best_area),
            "with DSP": lambda result: _with_dsp(result.best_dsp),
        },
    }
    if max_delay is not None:
        costs["area_um2"] |= {
            f"µm² ≤ {max_delay:g} ns": lambda result: _figure(
                result.best_within and result.best_within.area_um2, ",.2f"
            ),
            "recipe (≤)": lambda result: _how(result.best_within) if result.best_within else "–",
        }
    return costs[target.cost]


def _how(record: Record) -> str:
    """The recipe, and before it the architecture where that is not the synthesizer's own choice."""
    architecture = record.parameters.get("architecture", "operator")
    return record.recipe if architecture == "operator" else f"{architecture}, {record.recipe}"


def _with_dsp(record: Record | None) -> str:
    if record is None:
        return "–"
    return f"{_figure(record.dsps)} DSP + {_figure(record.luts)} LUT + {_figure(record.ffs)} FF"


def _figure(value: float | None, style: str = ",") -> str:
    return "–" if value is None else f"{value:{style}}"
