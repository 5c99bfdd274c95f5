"""``polymac presets``: the inner products of known accelerators."""

from __future__ import annotations

import click

from ..golden.formats import PRESETS
from ..hdl import preset_parameters
from .output import print_json, print_table

_COLUMNS = ("preset", "a", "b", "out", "acc", "lanes", "source")


@click.command(epilog="\b\nExamples:\n  polymac presets\n  polymac presets --json")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def presets(as_json: bool) -> None:
    """List known accelerators' inner products: what `polymac generate dot --preset NAME` makes.

    The column acc is in the words of --acc; int32 sums wrap.
    """
    rows = [
        (item.name, item.a, item.b, item.out, preset_parameters(item.name)["acc"], item.lanes, item.source)
        for item in PRESETS.values()
    ]
    if as_json:
        print_json([dict(zip(("name", *_COLUMNS[1:]), row, strict=True)) for row in rows])
        return
    left = [name for name in _COLUMNS if name != "lanes"]
    print_table("", _COLUMNS, [tuple(map(str, row)) for row in rows], left=left)
