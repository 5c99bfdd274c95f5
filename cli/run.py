"""``polymac run``: a quantized network on the generated hardware."""

from __future__ import annotations

import os
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from .. import synth
from ..comparison import Options, Request
from .compare import Comparison, measure, print_comparison
from .options import Choices
from .output import lines, print_json, progress
from .workers import open_workers

if TYPE_CHECKING:
    from ..sim.apps.digits import DigitsResult

_AREA_FORMATS = ("int8", "fp16", "bf16")


@click.group(
    cls=Choices,
    choice="dataset",
    no_args_is_help=False,
    epilog="\b\nExamples:\n  polymac run digits --no-area",
)
def run() -> None:
    """Run a quantized network on the generated RTL and check every result against the NumPy model."""


@run.command(
    epilog="""\b
Examples:
  polymac run digits --no-area
  polymac run digits --format fp8_e4m3 --no-area
  polymac run digits --rows 8 --cols 8 --seed 3 --output rtl --no-area --json
""",
)
@click.option(
    "--format",
    "fmt",
    metavar="FMT",
    default="int8",
    show_default=True,
    help="Format of weights and activations, scalar or block.",
)
@click.option("--rows", metavar="N", type=int, help="Rows of the array.  [default: 16; floats and blocks: 4]")
@click.option("--cols", metavar="N", type=int, help="Columns of the array.  [default: 16; floats and blocks: 4]")
@click.option(
    "--seed", metavar="N", type=int, default=0, show_default=True, help="Seed of the split and of the training."
)
@click.option("--no-area", is_flag=True, help="Leave out the table of multiplier areas.")
@click.option(
    "--output",
    "folder",
    metavar="DIR",
    type=Path,
    default=Path("build"),
    show_default=True,
    help="Folder of the Verilog.",
)
@click.option("--force", is_flag=True, help="Overwrite existing files, unless they are the same anyway.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_context
def digits(
    context: click.Context,
    fmt: str,
    rows: int | None,
    cols: int | None,
    seed: int,
    no_area: bool,
    folder: Path,
    force: bool,
    as_json: bool,
) -> None:
    """Classify handwritten digits on a generated systolic array, then show what multipliers cost.

    A small network is trained on scikit-learn's digits and quantized; the half that it has not seen runs through the
    simulated RTL. Signed integers of up to 8 bits stay integers from layer to layer, by a requantizer; in all other
    formats, scalar or block, the array's sums are decoded, and biased and cast again in floating point. Exit status 1
    where one result differs from the NumPy model's.

    The Verilog is left in the folder. The same command may be repeated there, since it gives the same files; a file
    that exists with other contents is an error unless --force is given.
    """
    from ..sim.apps import digits as network  # of no use to the other commands

    with progress("digits") as report:
        staged = None if report is None else lambda stage, done, total: report(done, total, stage)
        result = network.run(format=fmt, rows=rows, cols=cols, seed=seed, folder=folder, force=force, progress=staged)
    if not as_json:
        _print(result)
    area = None if no_area else _areas(quiet=as_json)
    if as_json:
        print_json({"digits": asdict(result), "area": area and area.plain()})
    elif area:
        click.echo()
        print_comparison(area)
    if result.mismatches:
        context.exit(1)


def _areas(*, quiet: bool) -> Comparison:
    """The multipliers' areas on nangate45, or in gates where its library is not installed."""
    target = synth.target("nangate45")
    if reason := target.missing():
        if not quiet:
            click.echo(f"\nArea in transistors, since {reason}.")
        target = synth.target("cmos")
    requests = [Request("multiplier", {"a": name}, target) for name in _AREA_FORMATS]
    with open_workers(os.cpu_count() or 1, None) as workers:
        return measure(requests, [target], workers, Options(activity=None))


def _print(result: DigitsResult) -> None:
    lines(
        accuracy_fp32=f"{result.accuracy_float:.2%}",
        accuracy_golden=f"{result.accuracy_golden:.2%}",
        accuracy_RTL=f"{result.accuracy_rtl:.2%} of {result.test_rows:,} digits",
        results_compared=f"{result.results_compared:,}",
        mismatches=f"{result.mismatches:,}",
        cycles=f"{result.cycles:,}",
        array_utilization=f"{result.utilization:.1%}",
        time=f"{result.seconds:.1f} s",
        weights=result.weights,
        simulator=result.simulator,
        Verilog=", ".join(str(path) for path in result.verilog if path.suffix == ".v"),
    )
