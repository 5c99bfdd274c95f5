"""``polymac generate``: Verilog of a unit."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from .. import hdl
from ..hdl.integer.architecture import AUTO
from ..sim.units import UNITS
from ..sim.units.make import make_unit
from .options import UNIT_NAMES, unit_options
from .output import lines, print_json, progress

#: Rows and columns of an array where they are not given.
SIDE = 16


@click.command(
    epilog="""\b
Examples:
  polymac generate multiplier --a fp16
  polymac generate multiplier --a int8 --b uint4 --out int8 --rounding rne --stages 2
  polymac generate multiplier --a fp8_e4m3 --b int4 --out bf16 --subnormals flush --stages 2 --valid --name mixed
  polymac generate multiplier --formats fp8_e4m3,fp8_e5m2 --rounding stochastic --name both
  polymac generate multiplier --a fp16 --architecture auto --target xc7 --name for_fpga
  polymac generate adder --a fp16 --rounding port
  polymac generate dot --preset h100_fp16
  polymac generate dot --a mxfp4 --lanes 16 --stages 3 --name mx
  polymac generate mac --a int8 --max-k 1024 --overflow saturate
  polymac generate mac --a fp16 --acc fp32 --stages 2 --interleave 4 --name fma
  polymac generate array --a int8 --b int4 --rows 8 --cols 8 --name gemm --output rtl
  polymac generate requantizer --acc int32 --out int8 --relu
""",
)
@click.argument("unit", metavar=UNIT_NAMES)
@unit_options(side=SIDE)
@click.option("--name", metavar="NAME", help="Name of the top module and of the files.  [default: the kind of unit]")
@click.option(
    "--output",
    "folder",
    metavar="DIR",
    type=Path,
    default=Path("build"),
    show_default=True,
    help="Folder of the files.",
)
@click.option("--force", is_flag=True, help="Overwrite existing files.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def generate(unit: str, name: str | None, folder: Path, force: bool, as_json: bool, **options: Any) -> None:
    """Write Verilog of a unit, NAME.v, with its ports and latency in NAME.json and a FuseSoC core file NAME.core.

    The same options give the same bytes on every machine.
    """
    component = make_unit(unit, options, side=SIDE)
    with progress(f"generating {unit}"):
        design = hdl.generate(component, name)
    files = design.write(folder, force=force)
    parameters = design.metadata["parameters"]
    accumulator = UNITS[unit].accumulator
    accumulation = accumulator(component) if accumulator is not None else None
    if as_json:
        sums = {
            "exact_k": accumulation and accumulation.exact_k,
            "accumulator_bits": accumulation and accumulation.accumulator_bits,
        }
        print_json({"files": files} | sums | {"metadata": design.metadata})
        return
    for path in files:
        click.echo(path)
    cycles = design.metadata["latency"]
    lines(
        latency=f"{cycles} clock cycle{'s' * (cycles != 1)}" if cycles else "none, combinational",
        throughput=design.metadata["throughput"],
        architecture=parameters["architecture"] if options["architecture"] == AUTO else None,
        accumulator=accumulation and _accumulator(accumulation),
    )


def _accumulator(accumulation: hdl.Accumulator) -> str:
    """What holds a running sum, and how far it is exact."""
    if accumulation.exact_k is None:
        return accumulation.description
    held = str(accumulation.out) if accumulation.state_is_encoded else f"{accumulation.accumulator_bits} bits"
    return f"{held}, exact for K up to {accumulation.exact_k:,} products"
