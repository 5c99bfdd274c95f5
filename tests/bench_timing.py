"""How deep a pipeline has to be for 100, 150 and 200 MHz on an ECP5 (LFE5U-25F, speed grade 6; nextpnr's median).

Every unit is measured between registers (:func:`polymac.synth.place_and_route.place_and_route`) with ever more registers:
``stages`` of a Dot and of an exact Mac, ``interleave`` of another Mac, whose two stages lie before its addition. A row ends
where 200 MHz is reached, or where the last two registers gained less than 3 % although every place of the unit that can
have a register has one. Multiplications may become MULT18X18D unless ``--recipe plain``.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from polymac import hdl
from polymac.cli.output import json_text, print_table, progress
from polymac.synth.place_and_route import Timing, place_and_route

GOALS = (100, 150, 200)
#: The gain of the last two registers under which more of them are not tried.
LEAST_GAIN = 1.03


@dataclass(frozen=True)
class Row:
    """One unit: how to make it with so many registers, and the number from which each of its places has one."""

    name: str
    knob: str
    depths: Sequence[int]
    complete: int
    make: Callable[[int], hdl.Unit]


@dataclass(frozen=True)
class Measured:
    """A row's timings by depth."""

    row: Row
    timings: dict[int, Timing]

    def reached(self, goal: int) -> int | None:
        """The least depth with that many MHz."""
        return next((depth for depth, timing in self.timings.items() if timing.fmax_mhz >= goal), None)

    def best(self) -> tuple[int, float]:
        """The least depth within 3 % of the highest frequency, and its MHz."""
        most = max(timing.fmax_mhz for timing in self.timings.values())
        depth = next(depth for depth, timing in self.timings.items() if timing.fmax_mhz * LEAST_GAIN >= most)
        return depth, self.timings[depth].fmax_mhz

    def plain(self) -> dict[str, Any]:
        """As JSON holds it."""
        return {
            "unit": self.row.name,
            "knob": self.row.knob,
            "goals": {goal: self.reached(goal) for goal in GOALS},
            "best": self.best(),
            "timings": {depth: asdict(timing) for depth, timing in self.timings.items()},
        }


def dot(fmt: str, acc: str, lanes: int = 1) -> Row:
    """A row of a Dot: the products, the operands, then the three places of a floating-point addition."""
    name = f"dot {fmt} {acc}" + f" × {lanes}" * (lanes > 1)
    return Row(name, "stages", range(9), 5, lambda n: hdl.Dot(a=fmt, b=fmt, acc=acc, lanes=lanes, stages=n))


def mac(fmt: str, acc: str) -> Row:
    """A row of a Mac whose addition is pipelined: one register closes the loop, three more have places in it."""
    return Row(
        f"mac {fmt} {acc}",
        "interleave",
        range(1, 6),
        4,
        lambda n: hdl.Mac(a=fmt, b=fmt, acc=acc, stages=2, interleave=n),
    )


ROWS = [
    dot("int8", "int32", 4),
    mac("int8", "int32"),
    Row(
        "mac fp8_e4m3 exact",
        "stages",
        range(5),
        4,
        lambda n: hdl.Mac(a="fp8_e4m3", b="fp8_e4m3", acc="exact", stages=n),
    ),
    dot("fp8_e4m3", "exact", 4),
    dot("fp8_e4m3", "aligned:4:13", 4),
    dot("mxint8", "fp32", 8),
    dot("msfp12", "fp32", 16),
    dot("bf16", "fp32"),
    dot("fp16", "fp32"),
    mac("fp16", "fp32"),
]


def measure(row: Row, recipe: str, seeds: int) -> Measured:
    """The row's timings, until one of its two ends."""
    timings: dict[int, Timing] = {}
    for depth in row.depths:
        with progress(f"{row.name}, {row.knob}={depth}") as report:
            design = hdl.generate(row.make(depth), "unit_under_test")
            timings[depth] = place_and_route(design, recipe=recipe, seeds=seeds, progress=report)
        now, before = timings[depth].fmax_mhz, timings.get(depth - 2)
        if now >= GOALS[-1] or (depth >= row.complete and before and now < before.fmax_mhz * LEAST_GAIN):
            break
    return Measured(row, timings)


def print_measured(measured: Measured) -> None:
    """The table of a row, and what it comes to."""
    rows = [
        [
            f"{depth}",
            f"{timing.fmax_mhz:.1f}",
            f"{min(timing.seed_mhz):.1f}–{max(timing.seed_mhz):.1f}",
            *(f"{number}" for number in (timing.luts, timing.carries, timing.ffs, timing.dsps)),
            " → ".join(timing.critical_path),
        ]
        for depth, timing in measured.timings.items()
    ]
    columns = [measured.row.knob, "MHz", "seeds", "LUT4", "CCU2C", "FF", "DSP", "longest path"]
    print_table(measured.row.name, columns, rows, left=("longest path",))
    print(f"{measured.row.name}: {summary(measured)}\n", flush=True)


def summary(measured: Measured) -> str:
    """The depth for each goal, and where the row stops gaining if it does not reach them all."""
    knob = measured.row.knob
    found = {goal: measured.reached(goal) for goal in GOALS}
    parts = [f"{goal} MHz at {knob}={depth}" for goal, depth in found.items() if depth is not None]
    if found[GOALS[-1]] is None:
        depth, fmax = measured.best()
        parts.append(f"stops gaining at {knob}={depth} with {fmax:.1f} MHz")
    return ", ".join(parts)


def main() -> None:
    """Print the tables, and write them as JSON where that is asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--units", metavar="TEXT", default="", help="only the units whose name contains this")
    parser.add_argument("--seeds", metavar="N", type=int, default=5, help="runs of nextpnr (default: 5)")
    parser.add_argument("--recipe", default="dsp", help='"dsp" (default), "plain" or "booth"')
    parser.add_argument("--json", metavar="FILE", type=Path, help="write all timings there")
    arguments = parser.parse_args()
    rows = [row for row in ROWS if arguments.units in row.name]
    if not rows:
        parser.error(f"--units must be part of the name of a unit, not {arguments.units!r}")
    measured = []
    for row in rows:
        measured.append(measure(row, arguments.recipe, arguments.seeds))
        print_measured(measured[-1])
    if arguments.json:
        arguments.json.write_text(json_text([item.plain() for item in measured]), encoding="utf-8")


if __name__ == "__main__":
    main()
