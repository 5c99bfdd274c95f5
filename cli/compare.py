"""``polymac compare``: what each format costs in area, delay and energy, beside its accuracy."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from .. import synth
from ..comparison import MATCHED, SOURCES, Options, Request, Row, horowitz, published
from ..comparison.export import json_text as rows_as_json
from ..comparison.kept import measure_kept
from ..golden.formats import ParameterError, any_format, check_choice
from ..sim.units import UNITS
from ..synth import Target
from ..synth.yosys.runner import Workers
from .options import comma_list, unit_options
from .output import check_new_file, lines, print_table, progress, write_file
from .published import print_claims, print_horowitz
from .rows import Show, check_outputs, outputs_option, shown, write_outputs
from .workers import open_workers, workers_options

#: The units that combine a format with a format.
_UNITS = tuple(kind for kind, entry in UNITS.items() if {"a", "b"} <= entry.parameters)
#: Rows and columns of an array where they are not given.
SIDE = 2
_HOROWITZ = "horowitz"
_PUBLISHED = "published"
_PRESETS = (*MATCHED, _HOROWITZ, _PUBLISHED)
#: The formats of a matched comparison unless others are given.
FRONT = "int8,int4,fp32,tf32,bf16,fp16,fp8_e4m3,fp8_e5m2,fp4_e2m1,mxfp8_e4m3,mxfp4,msfp12"
_FORMATS = "int8,fp16,bf16"
_NO_ACTIVITY = "none"


@dataclass(frozen=True)
class Comparison:
    """Rows for one target after the other, each in the order of the formats.

    Members
    -------
    rows : list of Row
        All rows of the first target first.
    targets : list of Target
        What was synthesized for.
    relative_to : str
        The name of the row that the others are compared with; the first, where it is empty.
    preset : str
        The matched comparison; or empty.
    """

    rows: list[Row]
    targets: list[Target]
    relative_to: str = ""
    preset: str = ""

    def of_target(self, target: Target) -> list[Row]:
        """The rows of one target."""
        size = len(self.rows) // len(self.targets)
        place = self.targets.index(target)
        return self.rows[place * size : (place + 1) * size]

    def plain(self) -> list[dict[str, Any]]:
        """As JSON holds it."""
        return [row.plain() for row in self.rows]


@click.command(
    epilog="""\b
Examples:
  polymac compare --formats int8,fp8_e4m3
  polymac compare --formats int4,int6 --target cmos,ice40 --architecture operator --json -
  polymac compare --unit mac --formats int4 --target ecp5
  polymac compare --formats fp4_e2m1 --target ice40 --flags off --stages 2
  polymac compare --formats int3 --architecture tree --max-delay 0.3
  polymac compare --a int4,int3 --b int2 --activity uniform
  polymac compare --preset mac-fp32 --formats fp4_e2m1 --output macs.json --force
""",
)
@click.option("--unit", metavar="|".join(_UNITS), help="Unit to compare.  [default: multiplier, or the preset's]")
@click.option(
    "--preset",
    metavar="|".join(_PRESETS),
    help="Compare like with like, everything but the format held equal; or Horowitz' table, or published claims "
    "(without energy), beside ours.",
)
@click.option("--matched", is_flag=True, help="The same as --preset mac-fp32.")
@click.option(
    "--formats",
    metavar="A,B,…",
    callback=comma_list,
    help=f"Formats of both operands.  [default: {_FORMATS}; with a preset {FRONT}]",
)
@click.option("--a", "a_formats", metavar="A,B,…", callback=comma_list, help="Formats of operand a alone.")
@click.option(
    "--b", "b_formats", metavar="A,B,…", callback=comma_list, help="Formats of operand b, each with each of a."
)
@click.option(
    "--target",
    "targets",
    metavar="T,…",
    callback=comma_list,
    help=f"Targets, any of {', '.join(synth.TARGETS)}.  [default: nangate45, or the file of --liberty]",
)
@click.option("--liberty", metavar="FILE", help="A Liberty file of your own, as an additional target.")
@workers_options
@click.option(
    "--max-delay",
    metavar="NS",
    type=float,
    help="Longest acceptable delay: report the smallest area that meets it (cell libraries only).",
)
@click.option(
    "--delays", metavar="NS,…", callback=comma_list, help="Delays to find the least area for: a Pareto front."
)
@click.option(
    "--activity",
    metavar="|".join((*SOURCES, _NO_ACTIVITY)),
    default="gaussian",
    show_default=True,
    help="Operands for the energy (cell libraries only).",
)
@click.option("--wire-cap", metavar="FF", type=float, default=0.0, help="Capacitance of the wire to each sink, in fF.")
@click.option("--accuracy", is_flag=True, help="Quantization noise, and error of a sum of 4096 products.")
@click.option("--digits", is_flag=True, help="Handwritten digits that a network in each format reads rightly.")
@click.option("--fmax", is_flag=True, help="Clock frequency by nextpnr, median of five seeds (target ecp5).")
@click.option("--relative-to", metavar="FMT", default="", help="Row that ratios are to.  [default: the first]")
@unit_options(side=SIDE, without=("a", "b", "formats", "target", "preset"))
@click.option("--json", "json_file", metavar="FILE", help="Write every row with its records as JSON; - prints it.")
@click.option("--html", metavar="FILE", type=click.Path(path_type=Path), help="Write a page of plots and tables.")
@outputs_option(", for `polymac report`; may be repeated.")
@click.option("--force", is_flag=True, help="Overwrite existing files.")
def compare(
    unit: str | None,
    preset: str | None,
    matched: bool,
    formats: list[str] | None,
    a_formats: list[str] | None,
    b_formats: list[str] | None,
    targets: list[str] | None,
    liberty: str | None,
    jobs: int,
    scheduler: str | None,
    max_delay: float | None,
    delays: list[str] | None,
    activity: str,
    wire_cap: float,
    accuracy: bool,
    digits: bool,
    fmax: bool,
    relative_to: str,
    json_file: str | None,
    html: Path | None,
    outputs: tuple[Path, ...],
    force: bool,
    **options: Any,
) -> None:
    """Synthesize a unit in several formats and print area, delay and energy side by side.

    Each design is run through all recipes of a target; the table names the ones with the least area and delay. Results
    are kept: the same comparison again takes seconds.
    """
    preset = check_choice("--preset", preset, _PRESETS) if preset else "mac-fp32" if matched else ""
    if preset and unit:
        raise ParameterError(f"--unit must be left out with a preset, which has its own, not {unit!r}")
    if preset in (_HOROWITZ, _PUBLISHED) and any(item is not None for item in (formats, a_formats, b_formats)):
        raise ParameterError(f"--formats, --a and --b must be left out with --preset {preset}, which has its own")
    check_choice("--activity", activity, (*SOURCES, _NO_ACTIVITY))
    check_outputs(outputs, force=force)
    for option, path in (("--json", json_file), ("--html", html)):
        if path not in (None, "-"):
            check_new_file(option, Path(path), force=force)
    found = _targets(targets, liberty)
    if preset == _HOROWITZ:
        requests = [request for target in found for request in horowitz.requests(target)]
    elif preset == _PUBLISHED:
        requests = [request for target in found for request in published.requests(target, published.CLAIMS)]
    else:
        pairs = _pairs(formats, a_formats, b_formats, FRONT if preset else _FORMATS)
        kind = check_choice("unit", unit or "multiplier", _UNITS)
        given = {name: value for name, value in options.items() if value is not None}
        requests = [Request(kind, {"a": a, "b": b} | given, target, preset) for target in found for a, b in pairs]
    measured = Options(
        max_delay_ns=max_delay,
        activity=None if activity == _NO_ACTIVITY or preset == _PUBLISHED else activity,
        wire_cap_ff=wire_cap,
        delays_ns=_numbers("--delays", delays),
        accuracy=accuracy,
        digits=digits,
        fmax=fmax,
    )
    with open_workers(jobs, scheduler) as workers:
        comparison = measure(requests, found, workers, measured, relative_to=relative_to, preset=preset)
    if json_file == "-":
        click.echo(rows_as_json(comparison.rows), nl=False)
    elif json_file:
        write_file(Path(json_file), rows_as_json(comparison.rows), force=force)
    write_outputs(outputs, comparison.rows, force=force)
    if html is not None:
        # Only here: what draws is optional.
        from ..comparison.page import page

        write_file(html, page(comparison.rows), force=force)
    if json_file != "-":
        print_comparison(comparison)


def _targets(names: list[str] | None, liberty: str | None) -> list[Target]:
    chosen: list[str | Target] = list(names or ([] if liberty else ["nangate45"]))
    if liberty:
        chosen.append(synth.liberty_target(liberty))
    return [synth.target(item) for item in chosen]


def _pairs(formats: list[str] | None, a: list[str] | None, b: list[str] | None, default: str) -> list[tuple[str, str]]:
    """The formats of both operands for each row."""
    if formats is not None and (a is not None or b is not None):
        raise ParameterError("--formats must be left out where --a or --b is given, not given as well")
    if a is None and b is not None:
        raise ParameterError("--a must be given where --b is, not left out")
    if a is not None and b is not None:
        return [(_found(x), _found(y)) for x, y in itertools.product(a, b)]
    return [(name, name) for name in map(_found, a or formats or default.split(","))]


def _found(name: str) -> str:
    return any_format(name).name


def _numbers(option: str, texts: list[str] | None) -> tuple[float, ...]:
    try:
        return tuple(float(text) for text in texts or ())
    except ValueError:
        raise ParameterError(f"{option} must be numbers of nanoseconds, not {','.join(texts or ())!r}") from None


def measure(
    requests: Sequence[Request],
    targets: list[Target],
    workers: Workers,
    options: Options,
    *,
    relative_to: str = "",
    preset: str = "",
) -> Comparison:
    """Measure requests, those of one target after the other, with progress.

    Raises
    ------
    ParameterError, TypeError
        A unit, format, target or option that cannot be used; ``relative_to`` is no row.
    SynthesisError
        No row has a figure.
    """
    names = [request.name for request in requests]
    if relative_to and relative_to not in names:
        relative_to = check_choice("--relative-to", _found(relative_to), tuple(dict.fromkeys(names)))
    for target in targets:
        if reason := target.missing():
            raise ParameterError(f"target must be available, not {target.name!r}: {reason}")
    with progress(f"comparing {len(requests)} units") as report:
        rows = measure_kept(requests, workers, options, report)
    if all(row.error for row in rows):
        raise synth.SynthesisError(rows[0].error)
    return Comparison(rows, targets, relative_to, preset)


def print_comparison(comparison: Comparison) -> None:
    """One table per target, and under it all that is needed to repeat it."""
    for index, target in enumerate(comparison.targets):
        rows = comparison.of_target(target)
        if index:
            click.echo()
        if comparison.preset == _HOROWITZ:
            print_horowitz(rows)
        elif comparison.preset == _PUBLISHED:
            print_claims(rows, target, published.CLAIMS)
        else:
            _print_target(comparison, target, rows)
        done = [row for row in rows if row.least is not None]
        for row in done:
            parameters = (row.least or {})["parameters"]
            given = (f"{k}={v}" for k, v in parameters.items() if v is not None and k != "architecture")
            click.echo(f"{row.name}: {', '.join(given)}")
            for part in row.parts:
                count = f"{part['instances']:,} " if part["instances"] > 1 else ""
                click.echo(f"  {count}{part['name']}: {part['area_um2']:,.0f} µm², {part['share']:.1%}")
        for row in rows:
            for note in [*row.notes, *([f"no figure: {row.error}"] if row.error else [])]:
                click.echo(f"{row.name}: {note}" if not note.startswith("no figure: ") else note)
        if comparison.preset == _HOROWITZ:
            click.echo(horowitz.SENTENCE)
        elif comparison.preset == _PUBLISHED:
            click.echo(published.SENTENCE)
        elif comparison.preset:
            click.echo(f"{comparison.preset}: {MATCHED[comparison.preset].sentence}")
        elif unlike := _unlike(done):
            click.echo(unlike)
        best = done[0].least or {}
        lines(
            versions=", ".join(f"{tool} {number}" for tool, number in best["versions"].items()),
            library=None if best["library"] is None else f"{best['library']}, sha256 {best['library_sha256']}",
        )
        click.echo("The commands of every recipe: polymac compare --json FILE.")


def _print_target(comparison: Comparison, target: Target, rows: Sequence[Row]) -> None:
    base = next((row for row in rows if row.name == comparison.relative_to), rows[0])
    columns = _columns(target, rows, base)
    table = [[show(row) for show in columns.values()] for row in rows]
    left = [name for name in columns if name in ("format", "differs") or name.startswith("recipe")]
    unit = rows[0].request["unit"]
    print_table(f"{unit} on {target.name}: {target.title}", list(columns), table, left=left)


def _columns(target: Target, rows: Sequence[Row], base: Row) -> dict[str, Show]:
    """The columns that any of the rows has something for, each with what it shows of a row."""

    def ratio(row: Row) -> str:
        least, other = row.figures.get(target.cost), base.figures.get(target.cost)
        return f"{least / other:.2f}" if isinstance(least, int | float) and isinstance(other, int | float) else "–"

    costs: dict[str, dict[str, Show]] = {
        "area_um2": {
            "area µm²": shown("area_um2"),
            "GE": shown("area_ge"),
            "µm²/product": shown("area_per_product_um2"),
            "ratio": ratio,
            "recipe (area)": lambda row: _recipe(row.least),
            "delay ns": shown("fast_delay_ns"),
            "recipe (delay)": lambda row: _recipe(row.fast),
            "period ns": shown("fast_period_ns"),
            "µm² ≤ delay": shown("within_area_um2"),
            "recipe (≤)": lambda row: _recipe(row.within),
            "FF": shown("ffs"),
            "pJ": shown("energy_pj"),
            "pJ glitches": shown("energy_glitch_pj"),
        },
        "transistors": {
            "transistors": shown("transistors"),
            "gates": shown("gates"),
            "FF": shown("ffs"),
            "ratio": ratio,
            "recipe": lambda row: _recipe(row.least),
        },
        "area_luts": {
            "LUT area": shown("area_luts"),
            "LUT": shown("luts"),
            "carry": shown("carries"),
            "FF": shown("ffs"),
            "ratio": ratio,
            "recipe": lambda row: _recipe(row.least),
            "with DSP": _with_dsp,
            "MHz": shown("fmax_mhz"),
            "spread MHz": shown("fmax_spread_mhz"),
        },
    }
    shared: dict[str, Show] = {
        "acc bits": shown("accumulator_bits"),
        "bits": shown("bits_a"),
        "SQNR dB": shown("sqnr_gaussian_db"),
        "sum error": shown("sum_error_4096"),
        "digits %": shown("digits_percent"),
        "differs": lambda row: row.differs or "–",
    }
    every = {"format": lambda row: row.name} | costs[target.cost] | shared
    if rows[0].request["unit"] in ("multiplier", "adder"):
        del every["bits"]  # the table's own names say them
    return {name: show for name, show in every.items() if any(show(row) != "–" for row in rows)}


def _recipe(record: dict[str, Any] | None) -> str:
    """The recipe, and before it the architecture where that is not the synthesizer's own choice."""
    if record is None:
        return "–"
    architecture = record["parameters"].get("architecture") or "operator"
    return record["recipe"] if architecture == "operator" else f"{architecture}, {record['recipe']}"


def _with_dsp(row: Row) -> str:
    record = row.dsp
    return "–" if record is None else f"{record['dsps']:,} DSP + {record['luts']:,} LUT + {record['ffs']:,} FF"


def _unlike(rows: Sequence[Row]) -> str:
    """What each format's result is, in one sentence; empty where it is the same for all."""
    groups: dict[str, list[str]] = {}
    for row in rows:
        groups.setdefault(_result((row.least or {})["unit"], (row.least or {})["parameters"]), []).append(row.name)
    if len(groups) == 1:
        return ""
    parts = [f"{what} for {' and '.join(names)}" for what, names in groups.items()]
    return f"Compared are {'; '.join(parts)}."


def _result(unit: str, parameters: dict[str, Any]) -> str:
    if "acc" in parameters:
        return f"sums in {parameters['acc']}"
    what = UNITS[unit].result_text
    if parameters.get("rounding") is None:
        return f"the exact {what}"
    if "subnormals" not in parameters:
        return f"a rounded {what}"
    flags = "on" if parameters["flags"] else "off"
    return f"a rounded {what}, subnormals {parameters['subnormals']}, IEEE flags {flags},"
