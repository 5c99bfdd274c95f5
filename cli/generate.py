"""``polymac generate``: Verilog of a unit."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from .. import golden, hdl
from .options import UNIT_NAMES, make_unit, unit_options
from .output import lines, print_json, progress

#: Rows and columns of an array where they are not given.
SIDE = 16


@click.command(
    epilog="""\b
Examples:
  polymac generate multiplier --a fp16
  polymac generate multiplier --a int8 --b uint4 --out int8 --rounding rne --stages 2
  polymac generate mac --a int8 --max-k 1024 --overflow saturate
  polymac generate array --a int8 --b int4 --rows 8 --cols 8 --name gemm --output rtl
  polymac generate requantizer --acc int32 --out int8 --relu
""",
)
@click.argument("unit", metavar=UNIT_NAMES)
@unit_options(side=SIDE)
@click.option("--name", metavar="NAME", help="Name of the top module and of the files.  [default: the unit's]")
@click.option("--output", "folder", metavar="DIR", type=Path, default=Path("build"), show_default=True, help="Folder.")
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
    adds = isinstance(component, hdl.Mac | hdl.Array)
    exact_k = golden.exact_depth(parameters["a"], parameters["b"], parameters["acc"]) if adds else None
    if as_json:
        print_json({"files": files, "exact_k": exact_k, "metadata": design.metadata})
        return
    for path in files:
        click.echo(path)
    cycles = design.metadata["latency"]
    lines(
        latency=f"{cycles} clock cycle{'s' * (cycles != 1)}" if cycles else "none, combinational",
        throughput=design.metadata["throughput"],
        accumulator=f"{parameters['acc']}, exact for K up to {exact_k:,} products" if adds else None,
    )
