"""Area and delay of multipliers beside the best public designs that do the same work, measured from scratch.

nangate45: ``least`` is the least area in µm²; ``fast`` is the least area of a netlist within the goal's
delay, with its own delay in ns (our fastest netlist where there is no such goal). All architectures are run through
all recipes. The peers were measured with the same library and the recipes of that time.

``--fpga``: LUTs, carry cells and hard multipliers on xc7, iCE40 and ECP5 beside Verilog's plain ``*``.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from history import History, add_option

from polymac import hdl, synth
from polymac.cli.output import json_text, print_table, progress
from polymac.hdl.integer.product import ARCHITECTURES
from polymac.synth import Record, Result

HISTORY = History("area")
FULL = {"rounding": "port"}
FLUSH = {"subnormals": "flush", "flags": False}
UNPACKED = {"out": "unpacked"}


@dataclass(frozen=True)
class Row:
    """One kind of work: how to make it in an architecture, the peer's figures and the goals (µm², ns)."""

    work: str
    make: Callable[[str], hdl.Unit]
    peer: tuple[float, float | None, float | None]
    goal: tuple[float, float | None, float | None]


def multiplier(
    fmt: str,
    options: dict[str, Any],
    peer: tuple[float, float | None, float | None],
    goal: tuple[float, float | None, float | None],
) -> Row:
    """A row of a format's multiplier."""
    work = " ".join([fmt, *(f"{key}={value}" for key, value in options.items())])
    return Row(work, lambda name: hdl.Multiplier(a=fmt, b=fmt, architecture=name, **options), peer, goal)


#: Peers, in the order of the rows: Berkeley HardFloat (IEEE in and out) of full floats; RTLDesignSherpa, oowenn and
#: chatelao of flushed ones; Yosys' Booth multiplier of integers. A goal's delay is the peer's; that of e4m3, which is not
#: known, is the one of the smaller e5m2.
ROWS = [
    multiplier("fp16", FULL, (1033, 1959, 1.32), (930, 1760, 1.32)),
    multiplier("bf16", FULL, (750, 1316, 1.19), (675, 1180, 1.19)),
    multiplier("fp8_e5m2", FULL, (203, 349, 0.74), (180, 314, 0.74)),
    multiplier("tf32", FULL, (1107, 2005, 1.40), (1000, 1800, 1.40)),
    multiplier("fp32", FULL, (3707, 6942, 1.91), (3340, 6250, 1.91)),
    multiplier("fp16", FLUSH, (955, 1529, 1.43), (690, 1380, 1.43)),
    multiplier("bf16", FLUSH, (528, 916, 0.78), (475, 825, 0.78)),
    multiplier("fp8_e4m3", FLUSH, (133, 250, None), (120, 225, 0.46)),
    multiplier("fp8_e5m2", FLUSH, (124, 228, 0.46), (110, 205, 0.46)),
    multiplier("fp8_e4m3", UNPACKED, (259, None, None), (150, None, None)),
    multiplier("fp4_e2m1", UNPACKED, (57, None, None), (30, None, None)),
    multiplier("int8", {}, (273, 420, 0.60), (255, 390, 0.60)),
]
#: Formats of the FPGA table.
FPGA_FORMATS = ("int8", "uint8", "int16", "fp16", "bf16", "fp8_e4m3", "fp8_e5m2")
FPGAS = ("xc7", "ice40", "ecp5")


@dataclass(frozen=True)
class Measured:
    """A row with what came out of it."""

    row: Row
    least: Record
    fast: Record | None
    pareto: list[Record] = field(default_factory=list)

    def plain(self) -> dict[str, Any]:
        """As JSON holds it."""
        return {
            "work": self.row.work,
            "peer": self.row.peer,
            "goal": self.row.goal,
            "least": asdict(self.least),
            "fast": self.fast and asdict(self.fast),
            "pareto": [(item.area_um2, item.delay_ns, how(item)) for item in self.pareto],
        }


def how(record: Record) -> str:
    """Architecture and recipe."""
    return f"{record.parameters.get('architecture', 'operator')}, {record.recipe}"


def variants(row: Row, target: str) -> list[hdl.Design]:
    """The row's unit in every architecture that a recipe of the target is for."""
    names = [name for name in ARCHITECTURES if synth.target(target).suits(name)]
    return [hdl.generate(row.make(name), "unit") for name in names]


def measure(row: Row) -> Measured:
    """All architectures of a row through all recipes of nangate45."""
    with progress(row.work) as report:
        (result,) = synth.compare(
            [variants(row, "nangate45")], ["nangate45"], max_delay_ns=row.goal[2], timeout=600.0, progress=report
        )
    fast = result.best_delay if row.goal[2] is None else result.best_within
    return Measured(row, result.best_area, fast, result.pareto)


def cells(measured: Measured) -> list[str]:
    """A line of the table."""
    row, fast = measured.row, measured.fast
    met = [met_goal(measured.least.area_um2, row.goal[0])]
    met += [met_goal(fast.area_um2 if fast else None, row.goal[1])] if row.goal[1] is not None else []
    return [
        row.work,
        f"{measured.least.area_um2:.1f}",
        *(f"{figures[0]:g}" for figures in (row.goal, row.peer)),
        f"{fast.area_um2:.0f} / {fast.delay_ns:.3f}" if fast else "–",
        *(fast_figure(figures) for figures in (row.goal, row.peer)),
        ", ".join(met),
        f"{how(measured.least)}; {how(fast) if fast else '–'}",
    ]


def fast_figure(figures: tuple[float, float | None, float | None]) -> str:
    """The fast figure of a peer or a goal."""
    _, area, delay = figures
    return "–" if area is None else f"{area:g}" if delay is None else f"{area:g} / {delay:.2f}"


def met_goal(area: float | None, goal: float | None) -> str:
    """Whether an area is as small as wanted."""
    return "met" if area is not None and goal is not None and area <= goal else "MISSED"


def print_asic(measured: Sequence[Measured]) -> None:
    """The table of nangate45."""
    columns = ["work", "least", "goal", "peer", "fast", "fast goal", "fast peer", "goals", "architecture, recipe"]
    print_table("", columns, [cells(item) for item in measured], left=("work", "goals", "architecture, recipe"))
    first = measured[0].least
    print(", ".join(f"{tool} {number}" for tool, number in first.versions.items()), f"{first.library}", sep="; ")


@dataclass(frozen=True)
class OnFpga:
    """A format's multiplier on an FPGA: Verilog's ``*`` by Yosys' own recipe, and the best of all architectures."""

    fmt: str
    plain: Record
    result: Result


def measure_fpga(fmt: str, target: str) -> OnFpga:
    """All architectures of a format's multiplier through all recipes of an FPGA."""
    designs = [hdl.generate(hdl.Multiplier(a=fmt, b=fmt, architecture=name), "unit") for name in ARCHITECTURES]
    with progress(f"{fmt} on {target}") as report:
        (result,) = synth.compare([designs], [target], timeout=600.0, progress=report)
    plain = next(item for item in result.records if how(item) == "operator, plain")
    return OnFpga(fmt, plain, result)


def print_fpga(target: str, measured: Sequence[OnFpga]) -> None:
    """The table of an FPGA."""
    columns = ["format", "* LUT", "* carry", "LUT", "carry", "ratio", "architecture, recipe", "DSP", "LUT ", "carry "]
    rows = []
    for item in measured:
        plain, best, dsp = item.plain, item.result.best_area, item.result.best_dsp
        assert dsp is not None and best.area_luts is not None and plain.area_luts is not None
        counts = [f"{number}" for number in (plain.luts, plain.carries, best.luts, best.carries)]
        with_dsp = [f"{number}" for number in (dsp.dsps, dsp.luts, dsp.carries)]
        rows.append([item.fmt, *counts, f"{best.area_luts / plain.area_luts:.2f}", how(best), *with_dsp])
    print_table(synth.target(target).title, columns, rows, left=("format", "architecture, recipe"))


def main() -> None:
    """Print the table, and write it as JSON where that is asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--fpga", action="store_true", help="the FPGAs instead of nangate45")
    parser.add_argument("--only", metavar="TEXT", default="", help="only the rows whose work contains this")
    parser.add_argument("--json", metavar="FILE", type=Path, help="write all records there")
    add_option(parser)
    arguments = parser.parse_args()
    HISTORY.file = arguments.history
    plain: list[dict[str, Any]] = []
    if arguments.fpga:
        for target in FPGAS:
            on_fpga = [measure_fpga(fmt, target) for fmt in FPGA_FORMATS if arguments.only in fmt]
            print_fpga(target, on_fpga)
            for item in on_fpga:
                luts = item.result.best_area.area_luts
                assert luts is not None
                HISTORY.add(f"{item.fmt} on {target}", luts, "LUT")
            plain += [{"format": item.fmt, "plain": asdict(item.plain)} | asdict(item.result) for item in on_fpga]
    else:
        measured = [measure(row) for row in ROWS if arguments.only in row.work]
        print_asic(measured)
        for item in measured:
            for name, record in (("least", item.least), ("fast", item.fast)):
                if record is not None and record.area_um2 is not None:
                    HISTORY.add(f"{item.row.work}, {name}", record.area_um2, "µm²")
        plain = [item.plain() for item in measured]
    if arguments.json:
        arguments.json.write_text(json_text(plain), encoding="utf-8")


if __name__ == "__main__":
    main()
