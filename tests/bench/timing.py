"""How deep a pipeline has to be for 100, 150 and 200 MHz on an ECP5 (LFE5U-25F, speed grade 6; nextpnr's median).

Every unit is measured between registers (:func:`polymac.synth.place_and_route.place_and_route`). The depth is the
``stages`` of a Dot and of a Mac with integer or exact sums, and the ``interleave`` of another Mac, whose products have a
register at every place. For each goal the least depth is searched by halving, with one seed, up to that at which every
place of the unit has a register, which all seeds decide; it is confirmed with all seeds, one register deeper at a time
where their median falls short. Where a goal is out of reach, the frequency of the full depth is given. Multiplications
may become MULT18X18D unless ``--recipe plain``: such a product alone takes a whole cycle of 147 MHz, since Yosys does not
use the registers within. Units with ``row_adders`` are made of lookup tables and carry chains, with registers in the
product. All rows take about an hour on two idle cores.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from history import History, add_option

from polymac import hdl
from polymac.cli.output import json_text, print_table, progress
from polymac.synth.area.place_and_route import Timing, place_and_route

HISTORY = History("timing")
GOALS = (100, 150, 200)
#: ``measure(depth, seeds)``: a unit of that depth, by that many runs.
Measure = Callable[[int, int], Timing]


@dataclass(frozen=True)
class Row:
    """One unit: how to make it with a number of registers, and the number with which each of its places has one."""

    name: str
    knob: str
    least: int
    most: int
    make: Callable[[int], hdl.Unit]


@dataclass
class Measured:
    """A row's timings by depth, and the depth that reaches each goal."""

    row: Row
    searched: dict[int, Timing] = field(default_factory=dict)
    confirmed: dict[int, Timing] = field(default_factory=dict)
    reached: dict[int, int] = field(default_factory=dict)

    def search(self, measure: Measure, seeds: int, goals: tuple[int, ...] = GOALS) -> None:
        """Find and confirm the least depth for each goal that the full one reaches."""
        low = self.row.least
        for goal in goals:
            if self._with_seeds(measure, self.row.most, seeds).fmax_mhz < goal:
                return
            depth = self._least(measure, goal, low)
            while self._with_seeds(measure, depth, seeds).fmax_mhz < goal:
                depth += 1
            self.reached[goal] = low = depth

    def _least(self, measure: Measure, goal: int, low: int) -> int:
        """The least depth from ``low`` on with that many MHz with one seed, as if more registers never were slower."""
        high = self.row.most
        while low < high:
            middle = (low + high) // 2
            if self._with_one(measure, middle).fmax_mhz >= goal:
                high = middle
            else:
                low = middle + 1
        return low

    def _with_one(self, measure: Measure, depth: int) -> Timing:
        if depth not in self.searched:
            self.searched[depth] = measure(depth, 1)
        return self.searched[depth]

    def _with_seeds(self, measure: Measure, depth: int, seeds: int) -> Timing:
        if depth not in self.confirmed:
            self.confirmed[depth] = measure(depth, seeds)
        return self.confirmed[depth]

    def summary(self) -> str:
        """The depth for each goal, and what the full depth reaches if that is not all."""
        parts = [f"{goal} MHz at {self.row.knob}={depth}" for goal, depth in self.reached.items()]
        if GOALS[-1] not in self.reached:
            parts.append(
                f"{self.confirmed[self.row.most].fmax_mhz:.1f} MHz at most, at {self.row.knob}={self.row.most}"
            )
        return ", ".join(parts)

    def plain(self) -> dict[str, Any]:
        """As JSON holds it."""
        return {
            "unit": self.row.name,
            "knob": self.row.knob,
            "goals": {goal: self.reached.get(goal) for goal in GOALS},
            "full_depth": self.row.most,
            "one_seed": {depth: asdict(timing) for depth, timing in sorted(self.searched.items())},
            "timings": {depth: asdict(timing) for depth, timing in sorted(self.confirmed.items())},
        }


def dot(a: str, acc: str | None, lanes: int = 1, architecture: str = "operator") -> Row:
    """A row of a Dot."""

    def make(stages: int) -> hdl.Dot:
        return hdl.Dot(a=a, b=a, acc=acc, lanes=lanes, architecture=architecture, stages=stages)

    return Row(_name("dot", a, acc, lanes, architecture), "stages", 0, places(make(0)), make)


def mac(a: str, acc: str | None, architecture: str = "operator") -> Row:
    """A row of a Mac: by ``stages``, or by ``interleave`` where the addition has places for registers."""
    options: dict[str, Any] = {"a": a, "b": a, "acc": acc, "architecture": architecture}
    accumulator = hdl.Mac(**options).accumulator
    name = _name("mac", a, acc, 1, architecture)
    if accumulator.result_delays:
        return Row(name, "stages", 0, places(hdl.Mac(**options)) - 1, lambda n: hdl.Mac(**options, stages=n))
    before = len(accumulator.feed_delays) + 1
    if len(accumulator.add_delays) == 1:
        return Row(name, "stages", 0, before, lambda n: hdl.Mac(**options, stages=n))
    return Row(
        name, "interleave", 1, len(accumulator.add_delays), lambda n: hdl.Mac(**options, stages=before, interleave=n)
    )


def places(unit: hdl.Dot | hdl.Mac) -> int:
    """Places for registers: behind the operands, and behind each step."""
    accumulator = unit.accumulator
    return 1 + len(accumulator.feed_delays) + len(accumulator.add_delays) + len(accumulator.result_delays)


def _name(kind: str, a: str, acc: str | None, lanes: int, architecture: str) -> str:
    built = "" if architecture == "operator" else f", {architecture}"
    return f"{kind} {a} {acc or 'int32'}" + f" × {lanes}" * (lanes > 1) + built


def rows() -> list[Row]:
    """All of them."""
    return [
        dot("int8", None),
        dot("int8", None, 4),
        dot("int8", None, 4, "row_adders"),
        mac("int8", None),
        mac("int8", None, "row_adders"),
        mac("fp8_e4m3", "exact"),
        dot("fp8_e4m3", "fp32"),
        dot("fp8_e4m3", "exact", 4),
        dot("mxfp8_e4m3", "fp32", 4),
        dot("mxint8", "fp32", 8),
        dot("bf16", "fp32"),
        dot("bf16", "fp32", 1, "row_adders"),
        dot("fp16", "fp32"),
        dot("fp16", "fp32", 1, "row_adders"),
        dot("fp16", "aligned:4:24", 4),
        mac("fp16", "fp32", "row_adders"),
    ]


def measure(row: Row, recipe: str, seeds: int) -> Measured:
    """The row's timings."""

    def once(depth: int, count: int) -> Timing:
        with progress(f"{row.name}, {row.knob}={depth}") as report:
            design = hdl.generate(row.make(depth), "unit_under_test")
            return place_and_route(design, recipe=recipe, seeds=count, progress=report)

    measured = Measured(row)
    measured.search(once, seeds)
    return measured


def print_measured(measured: Measured) -> None:
    """The table of a row, and what it comes to."""
    timings: Mapping[int, Timing] = measured.searched | measured.confirmed
    cells = [
        [
            f"{depth}",
            f"{timing.fmax_mhz:.1f}",
            f"{len(timing.seed_mhz)}",
            f"{min(timing.seed_mhz):.1f}–{max(timing.seed_mhz):.1f}",
            *(f"{number}" for number in (timing.luts, timing.carries, timing.ffs, timing.dsps)),
            " → ".join(timing.critical_path),
        ]
        for depth, timing in sorted(timings.items())
    ]
    columns = [measured.row.knob, "MHz", "seeds", "from–to", "LUT4", "CCU2C", "FF", "DSP", "longest path"]
    print_table(measured.row.name, columns, cells, left=("longest path",))
    print(f"{measured.row.name}: {measured.summary()}\n", flush=True)


def main() -> None:
    """Print the tables, and write them as JSON where that is asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--units", metavar="TEXT", default="", help="only the units whose name contains this")
    parser.add_argument("--seeds", metavar="N", type=int, default=5, help="runs of nextpnr to confirm (default: 5)")
    parser.add_argument("--recipe", default="dsp", help='"dsp" (default), "plain" or "booth"')
    parser.add_argument("--json", metavar="FILE", type=Path, help="write all timings there")
    add_option(parser)
    arguments = parser.parse_args()
    HISTORY.file = arguments.history
    chosen = [row for row in rows() if arguments.units in row.name]
    if not chosen:
        parser.error(f"--units must be part of the name of a unit, not {arguments.units!r}")
    measured = []
    for row in chosen:
        measured.append(measure(row, arguments.recipe, arguments.seeds))
        print_measured(measured[-1])
        for depth, timing in sorted(measured[-1].confirmed.items()):
            HISTORY.add(f"{row.name}, {row.knob}={depth}", timing.fmax_mhz, "MHz")
    if arguments.json:
        arguments.json.write_text(json_text([item.plain() for item in measured]), encoding="utf-8")


if __name__ == "__main__":
    main()
