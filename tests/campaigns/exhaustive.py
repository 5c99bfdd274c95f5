"""`make exhaustive`: multipliers on all operands, or on very many next to rounding boundaries, against the golden model.

All 2^32 pairs of fp16, bf16 (five rounding modes each) and int16, and 10^8 pairs of tf32, fp32 and fp64. A run that is
stopped goes on where it was. `python tests/campaigns/exhaustive.py --unit fp16 --limit 2^26` takes a sample of chunks,
evenly spread.
"""

from __future__ import annotations

import sys
from dataclasses import asdict
from pathlib import Path

import click

from polymac import golden
from polymac.cli.output import json_text, lines, progress, write_file
from polymac.golden.formats import ParameterError
from polymac.sim.campaigns.exhaust import Exhaustion, exhaust

UNITS = ("fp16", "bf16", "int16", "tf32", "fp32", "fp64")


class Count(click.ParamType):
    """A number such as 67108864, 2^26 or 10^8."""

    name = "count"

    def convert(self, value: str | int, param: click.Parameter | None, ctx: click.Context | None) -> int:
        try:
            base, _, power = str(value).partition("^")
            return int(base) ** int(power) if power else int(base)
        except ValueError:
            self.fail(f"{value!r} is not a count such as 1000 or 2^26", param, ctx)


@click.command()
@click.option("--unit", "units", metavar="FMT,…", default=",".join(UNITS), show_default=True, help="Formats.")
@click.option("--modes", metavar="MODE,…", help="Rounding modes of floats.  [default: all five]")
@click.option("--vectors", metavar="N", type=Count(), help="Number of pairs next to boundaries, instead of all pairs.")
@click.option("--seed", metavar="N", type=int, default=1, show_default=True, help="Of those.")
@click.option("--limit", metavar="N", type=Count(), help="Maximum number of pairs, evenly spread.")
@click.option("--jobs", metavar="N", type=int, help="Processes.  [default: one for each processor]")
@click.option("--json", "path", metavar="FILE", type=Path, default=Path("build/exhaustive.json"), show_default=True)
@click.option("--folder", metavar="DIR", type=Path, default=Path("build/exhaustive"), help="Of the records.")
def main(
    units: str,
    modes: str | None,
    vectors: int | None,
    seed: int,
    limit: int | None,
    jobs: int | None,
    path: Path,
    folder: Path,
) -> None:
    """Compare multipliers with the golden model on all operands. Exit status 1 where a product differs."""
    results: list[Exhaustion] = []
    for name in units.split(","):
        with progress(f"exhausting {name}") as report:
            is_float = golden.format(name).kind == "float"
            result = exhaust(
                {"a": name, "b": name},
                modes=modes.split(",") if modes and is_float else None,
                vectors=vectors,
                seed=seed,
                limit=limit,
                jobs=jobs,
                folder=folder,
                progress=report,
            )
        results.append(result)
        write_file(path, json_text([asdict(item) | {"complete": item.complete} for item in results]), force=True)
        show(name, result)
    sys.exit(any(result.mismatches for result in results))


def show(name: str, result: Exhaustion) -> None:
    """Print one multiplier's result."""
    products = result.pairs * max(1, len(result.modes))
    click.echo(f"{'FAILED' if result.mismatches else 'PASSED'}: {name} × {name}, {result.operands}")
    lines(
        modes=", ".join(result.modes) or "exact",
        compared=f"{products:,} products of {result.pairs:,} pairs",
        mismatches=f"{result.mismatches:,}",
        time=f"{result.seconds:.1f} s, {products / max(result.seconds, 1e-3) / 1e6:.1f} million products a second",
        machine=result.machine,
        Verilog=f"sha256 {result.verilog_sha256}",
    )
    for example in result.examples:
        click.echo(f"  {example}")


if __name__ == "__main__":
    try:
        main()
    except ParameterError as error:
        click.echo(f"Error: {error}", err=True)
        sys.exit(2)
