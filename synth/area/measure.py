"""From a design, a target and a recipe to the Yosys job, and from what the job left to the record."""

from __future__ import annotations

import hashlib
import json
import platform
import re
from functools import lru_cache
from importlib.metadata import version
from typing import Any

from ...golden.formats import ParameterError
from ..yosys.design import Design
from ..yosys.runner import NO_ABC_OUTPUT, Job, Outcome, SynthesisError
from .cell_delay import Cell, longest_path, read_cells
from .library import LibertyFile
from .recipes import CELLS_REPORT, DESIGN_FILE, LIBERTY_FILE, NETLIST_REPORT, Recipe
from .record import Record
from .targets import Target

_ABC_DELAY = re.compile(r"^ABC: WireLoad = .*\bDelay = +([\d.]+) ps", re.MULTILINE)
_PROBE = """module probe (input clk, input a, input b, input d, output y, output reg q);
  assign y = ~(a & b);
  always @(posedge clk) q <= d;
endmodule
"""


def synthesis_job(
    design: Design, target: Target, recipe: Recipe, max_delay_ns: float | None = None, netlist: bool = False
) -> Job:
    """The job that runs a design through a recipe; ``netlist`` also keeps the mapped netlist."""
    label = f"{design.name} on {target.name} by recipe {recipe.name!r}"
    script = recipe.script(design.name, max_delay_ns, netlist)
    return Job(label, script, {DESIGN_FILE: design.verilog}, links(target.liberty))


def links(liberty: LibertyFile | None) -> dict[str, Any]:
    return {} if liberty is None else {LIBERTY_FILE: liberty.locate()}


def probe_job(liberty: LibertyFile) -> Job:
    """The job that maps one NAND and one flip-flop to a library's least cells."""
    commands = (
        f"read_verilog {DESIGN_FILE}",
        "synth -top probe -noabc",
        f"dfflibmap -liberty {LIBERTY_FILE}",
        f"abc -liberty {LIBERTY_FILE} -script +strash;map,-a;topo;stime,-p",
        f"tee -q -o {CELLS_REPORT} stat -json -liberty {LIBERTY_FILE}",
    )
    return Job(f"library {liberty.name}", commands, {DESIGN_FILE: _PROBE}, links(liberty))


def nand_area(liberty: LibertyFile, outcome: Outcome | SynthesisError) -> float:
    """The area of a library's least two-input NAND, from the outcome of :func:`probe_job`.

    Raises
    ------
    ParameterError
        Yosys cannot read the library, or it lacks what every design needs.
    """
    wanted = (
        f"liberty must be a Liberty file with buffer, inverter, two-input NAND and D flip-flop, not {liberty.path!r}"
    )
    if isinstance(outcome, SynthesisError):
        # Yosys and ABC say no more than that they failed, for most of what a library may lack.
        raise ParameterError(f"{wanted}: {liberty.lacks() or str(outcome).partition(': ')[2]}")
    design = outcome.reports[CELLS_REPORT]["design"]
    cells = design["num_cells_by_type"]
    area = design.get("area", 0.0) - design.get("sequential_area", 0.0)
    unmapped = [cell for cell in cells if cell.startswith("$")]
    if unmapped or sum(cells.values()) != 2 or not area > 0 or not design["sequential_area"] > 0:
        made = f"Yosys made {', '.join(cells)} of them"
        raise ParameterError(f"{wanted}: {liberty.lacks() or made}")
    return round(area, 6)


def record(
    design: Design, target: Target, recipe: Recipe, job: Job, outcome: Outcome, nand_um2: float | None
) -> Record:
    """The record of a finished job; ``nand_um2`` is the area of one gate equivalent.

    Raises
    ------
    SynthesisError
        The netlist holds cells that the target does not know, or a figure is missing.
    """
    label = job.label
    report = outcome.reports[CELLS_REPORT]
    cells: dict[str, int] = report["design"].get("num_cells_by_type", {})
    counts: dict[str, int] = dict.fromkeys(target.counts, 0)
    for field, count in target.counts.items():
        found = outcome.reports[count.report]["design"].get("num_cells_by_type", {})
        counts[field] = sum(number for cell, number in found.items() if re.fullmatch(count.pattern, cell))
    known = [target.free_cells, *(count.pattern for count in target.counts.values() if count.report == CELLS_REPORT)]
    for cell in cells:
        if not any(re.fullmatch(pattern, cell) for pattern in known):
            raise SynthesisError(f"{label}: the netlist holds cells {cell}, which the target cannot count")
    luts_per_carry = target.luts_per_carry
    liberty = target.liberty
    area = _area(report, "area") if liberty else None
    return Record(
        design=design.name,
        unit=design.metadata["unit"],
        # As JSON gives it back, so that a record read again is equal.
        parameters=json.loads(json.dumps(design.metadata["parameters"])),
        target=target.name,
        recipe=recipe.name,
        commands=list(job.commands),
        area_um2=area,
        sequential_area_um2=_area(report, "sequential_area") if liberty else None,
        area_ge=round(area / nand_um2, 3) if area is not None and nand_um2 else None,
        delay_ns=_delay_ns(label, design.name, outcome, liberty) if liberty else None,
        transistors=_transistors(label, report),
        gates=counts.get("gates"),
        area_luts=None if luts_per_carry is None else counts["luts"] + luts_per_carry * counts["carries"],
        luts=counts.get("luts"),
        carries=counts.get("carries"),
        ffs=counts["ffs"],
        dsps=counts.get("dsps"),
        cells=cells,
        library=liberty.name if liberty else None,
        library_sha256=liberty.sha256 if liberty else None,
        verilog_sha256=hashlib.sha256(design.verilog.encode()).hexdigest(),
        versions=_versions(report),
        seconds=outcome.seconds,
    )


def _area(report: dict[str, Any], name: str) -> float:
    # Yosys adds up binary fractions; no library's areas have more than six decimal places.
    return round(float(report["design"].get(name, 0.0)), 6)


def _transistors(label: str, report: dict[str, Any]) -> int | None:
    estimate = report["design"].get("estimated_num_transistors")
    if estimate is None:
        return None
    if not estimate.isdigit():  # a trailing "+" says that some cells are not in Yosys' table
        raise SynthesisError(f"{label}: the transistor count must be exact, not {estimate}")
    return int(estimate)


def _delay_ns(label: str, name: str, outcome: Outcome, liberty: LibertyFile) -> float | None:
    """The delay of the netlist where there is one; else what ABC printed last, in ns; 0 for a design without combinational
    logic, which ABC never sees.

    None where Yosys is the WebAssembly build.
    """
    if NETLIST_REPORT in outcome.reports:
        return longest_path(mapped_netlist(name, outcome), library_cells(liberty))
    log = outcome.log
    delays = _ABC_DELAY.findall(log)
    if delays:
        return round(float(delays[-1]) / 1000, 5)
    if "Don't call ABC as there is nothing to map" in log:
        return 0.0
    if NO_ABC_OUTPUT in log:
        return None
    raise SynthesisError(f"{label}: ABC printed no delay")


def mapped_netlist(name: str, outcome: Outcome) -> dict[str, Any]:
    """The mapped module of that name, from the outcome of a job with ``netlist``."""
    return outcome.reports[NETLIST_REPORT]["modules"][name]


@lru_cache(maxsize=4)
def library_cells(liberty: LibertyFile) -> dict[str, Cell]:
    return read_cells(liberty.content.decode("utf-8", "replace"), liberty.path)


def _versions(report: dict[str, Any]) -> dict[str, str]:
    # "Yosys 0.70 (git sha1 28ba3cb92, Release, GNU /path/to/c++ 14.2.1)": the compiler is of no interest.
    creator = re.match(r"Yosys ([^ ]+)(?: \(git sha1 (\w+))?", report["creator"])
    yosys = report["creator"] if creator is None else f"{creator[1]} ({creator[2]})" if creator[2] else creator[1]
    return {"polymac": version("polymac"), "python": platform.python_version(), "yosys": yosys}
