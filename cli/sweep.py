"""``polymac sweep``: figures of thousands of units, as a TOML file lists them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from ..comparison import Row
from ..comparison.batches import measure_batches
from ..comparison.export import rows_as_csv
from ..comparison.sweep import read_sweep
from ..golden.formats import load_environment
from ..synth import SynthesisError
from .output import progress
from .rows import check_outputs, outputs_option, write_outputs
from .workers import open_workers, workers_options

#: Rows that failed are shown one by one up to here; the results hold all.
_SHOWN_FAILURES = 10


@click.command(
    epilog="""\b
Examples:
  polymac sweep formats.toml
  polymac sweep formats.toml --output formats.parquet --output formats.csv
""",
)
@click.argument("spec", metavar="SPEC.toml", type=click.Path(path_type=Path))
@outputs_option("; may be repeated.  [default: print CSV]")
@workers_options
@click.option("--yes", is_flag=True, help="Run more than 100,000 jobs.")
@click.option("--force", is_flag=True, help="Overwrite existing files.")
def sweep(spec: Path, outputs: tuple[Path, ...], jobs: int, scheduler: str | None, yes: bool, force: bool) -> None:
    """Measure every unit of a TOML file: the product of the lists of [grid], and [[jobs]] one by one.

    A unit that cannot be generated, or whose jobs fail or exceed the limits, is a row whose column error says why.
    Results are kept from run to run: a sweep that was interrupted does only what is missing. Ctrl-C writes the rows that
    are done.

    \b
    A file, of which [grid] or [[jobs]] is enough:
      [grid]
      unit = ["multiplier", "mac"]
      a = ["int8", "fp8_e4m3"]
      target = ["nangate45", "ice40"]
      stages = [0, 1, 2]
    \b
      [[jobs]]
      unit = "array"
      a = "int4"
    \b
      [limits]
      seconds = 60
      memory_mb = 4000
    \b
      [measure]
      activity = "uniform"
    """
    load_environment()
    check_outputs(outputs, force=force)
    asked = read_sweep(spec)
    requests = asked.requests(yes=yes)
    found: dict[int, Row] = {}
    title = f"sweep of {len(requests):,} units"
    try:
        with (
            open_workers(jobs, scheduler, seconds=asked.seconds, memory_mb=asked.memory_mb) as workers,
            progress(title) as report,
        ):
            for place, row in measure_batches(requests, workers, asked.options, report):
                found[place] = row
    except BaseException:
        if found and outputs:
            rows = [found[place] for place in sorted(found)]
            write_outputs(outputs, rows, force=force)
            click.echo(f"polymac: {len(rows):,} of {len(requests):,} rows are in {_names(outputs)}", err=True)
        raise
    rows = [found[place] for place in range(len(requests))]
    write_outputs(outputs, rows, force=force)
    if not outputs:
        click.echo(rows_as_csv(rows), nl=False)
    _tell(rows, outputs)


def _tell(rows: Sequence[Row], outputs: Sequence[Path]) -> None:
    """What there is, on stderr where stdout has the rows."""
    failures = [row.error for row in rows if row.error]
    for failure in failures[:_SHOWN_FAILURES]:
        click.echo(f"no figure: {failure}", err=True)
    if len(failures) > _SHOWN_FAILURES:
        click.echo(f"no figure: {len(failures) - _SHOWN_FAILURES:,} more", err=True)
    if outputs:
        click.echo(f"{len(rows):,} rows in {_names(outputs)}")
    if failures and len(failures) == len(rows):
        raise SynthesisError(f"none of {len(rows):,} units gave a figure")


def _names(outputs: Sequence[Path]) -> str:
    return " and ".join(map(str, outputs))
