"""``polymac verify``: a unit, simulated against the NumPy model."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..sim.units.make import make_unit
from .generate import SIDE
from .options import UNIT_NAMES, unit_options
from .output import lines, print_json, progress

if TYPE_CHECKING:
    from ..sim import Verification


@click.command(
    epilog="""\b
Examples:
  polymac verify multiplier --a int8
  polymac verify multiplier --a fp8_e5m2 --exhaustive
  polymac verify multiplier --a fp16 --rounding rtz --vectors 100000 --seed 7
  polymac verify multiplier --formats fp8_e4m3,fp8_e5m2 --rounding stochastic --random-bits 4 --vectors 100000
  polymac verify adder --a fp16 --b bf16 --out fp32
  polymac verify dot --a fp4_e2m1 --lanes 2 --acc exact
  polymac verify mac --a int4 --lanes 8 --sparse --vectors 20000
  polymac verify array --a int8 --rows 4 --cols 4 --simulator verilator --waves
""",
)
@click.argument("unit", metavar=UNIT_NAMES)
@unit_options(side=SIDE)
@click.option(
    "--simulator",
    metavar="icarus|verilator",
    help="Simulate under cocotb in this simulator.  [default: native; for array, Verilator where it is new enough]",
)
@click.option("--seed", metavar="N", type=int, default=1, show_default=True, help="Seed of the random operands.")
@click.option(
    "--vectors",
    metavar="N",
    type=int,
    help="Number of operand sets, or of clock cycles under cocotb.  [default: by the size of the unit]",
)
@click.option("--exhaustive", is_flag=True, help="Simulate all operands (multiplier, adder and dot).")
@click.option("--waves", is_flag=True, help="Record waves under cocotb, and print the file's path.")
@click.option(
    "--output",
    "folder",
    metavar="DIR",
    type=Path,
    default=Path("build"),
    show_default=True,
    help="Folder of the logs, results and waves.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_context
def verify(
    context: click.Context,
    unit: str,
    simulator: str | None,
    seed: int,
    vectors: int | None,
    exhaustive: bool,
    waves: bool,
    folder: Path,
    as_json: bool,
    **options: Any,
) -> None:
    """Simulate a unit and compare every result with the NumPy model, bit for bit. Exit status 1 where one differs."""
    from .. import sim

    component = make_unit(unit, options, side=SIDE)
    with progress(f"verifying {unit}") as report:
        result = sim.verify(
            component,
            vectors=vectors,
            seed=seed,
            exhaustive=exhaustive,
            simulator=simulator,
            waves=waves,
            folder=folder,
            progress=report,
        )
    if as_json:
        print_json(asdict(result))
    else:
        _print(unit, result)
    if not result.passed:
        context.exit(1)


def _print(unit: str, result: Verification) -> None:
    click.echo(f"{'PASSED' if result.passed else 'FAILED'}: {unit}, {result.coverage}")
    lines(
        checked=f"{result.checked:,}",
        mismatches=f"{result.mismatches:,}",
        cycles=None if result.cycles is None else f"{result.cycles:,}",
        seed=result.seed,
        time=f"{result.seconds:.1f} s",
        simulator=result.simulator,
        waves=result.waves,
        log=result.log,
        junit=result.junit,
        reproduce=None if result.passed else result.reproduce,
    )
    for detail in result.details:
        click.echo(f"  {detail}")
