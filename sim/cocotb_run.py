"""Running a cocotb bench on a generated design, under Icarus Verilog or Verilator."""

from __future__ import annotations

import contextlib
import io
import logging
import os
import shutil
import xml.etree.ElementTree as ElementTree
from dataclasses import dataclass
from pathlib import Path

import cocotb_tools.config
from cocotb_tools.runner import get_runner

from . import cache, runtime
from .ports import DesignLike
from .simulators import SimulationError, Simulator, run_tool

#: The class of a Verilated model, as cocotb's main program expects it.
_PREFIX = "Vtop"
#: Of a failed simulation's log, this much is quoted.
_LOG_LINES = 25


@dataclass(frozen=True)
class CocotbRun:
    """What one run of a bench left behind.

    Attributes
    ----------
    passed : bool
        Whether every test of the bench passed.
    failure : str
        The message of the first that did not, else empty.
    log, junit : Path
        What the simulator printed, and cocotb's results as JUnit XML.
    waves : Path or None
        The waveform file, if asked for.
    """

    passed: bool
    failure: str
    log: Path
    junit: Path
    waves: Path | None


def run(
    design: DesignLike, bench: str, *, simulator: Simulator, data: Path, folder: Path, seed: int, waves: bool = False
) -> CocotbRun:
    """Run the tests of module ``bench`` on a design; they find the path ``data`` in the variable POLYMAC_BENCH.

    The executable is kept in the user's cache: the same design again starts at once.

    Parameters
    ----------
    design : design
        Name, Verilog and metadata.
    bench : str
        A module that the simulator's Python can import.
    simulator : Simulator
        From :func:`.simulators.find`.
    data : Path
        What the bench reads: its stimulus and parameters.
    folder : Path
        Where logs, results and waves go.
    seed : int
        cocotb's random seed.
    waves : bool
        Whether to record every signal.

    Raises
    ------
    SimulationError
        The simulator does not accept the design, or ended without results.
    """
    folder.mkdir(parents=True, exist_ok=True)
    log, junit = folder / "simulation.log", folder / "results.xml"
    junit.unlink(missing_ok=True)
    runner = get_runner(simulator.name)
    runner.log.setLevel(logging.ERROR)
    build = _verilator(design, simulator, waves) if simulator.name == "verilator" else folder / "icarus"
    # Python's warnings are the simulator's log's business, and pytest's settings are not the bench's.
    environment = {"POLYMAC_BENCH": str(data.resolve()), "COCOTB_ANSI_OUTPUT": "0", "PYTHONWARNINGS": "default"}
    failure = ""
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        try:
            if simulator.name == "icarus":
                sources = [folder / f"{design.name}.v"]
                sources[0].write_text(design.verilog)
                # With -g2012, cocotb's default, an `always @*` may never run at time 0.
                build_args = ["-g2005"]
                if waves:
                    # In the place of cocotb's own dump module, which is SystemVerilog.
                    dump = f"{design.name}_dump"
                    sources.append(folder / f"{dump}.v")
                    calls = f'$dumpfile("{design.name}.fst"); $dumpvars(0, {design.name});'
                    sources[1].write_text(f"module {dump}; initial begin {calls} end endmodule\n")
                    build_args += ["-s", dump]
                runner.build(
                    sources=sources,
                    hdl_toplevel=design.name,
                    build_dir=build,
                    build_args=build_args,
                    # The same folder may hold a build with waves, or of another design.
                    always=True,
                    timescale=("1ns", "1ps"),
                    log_file=folder / "build.log",
                )
            runner.test(
                test_module=bench,
                hdl_toplevel=design.name,
                hdl_toplevel_lang="verilog",
                build_dir=build,
                test_dir=folder,
                results_xml=str(junit.resolve()),
                seed=seed,
                waves=waves,
                timescale=("1ns", "1ps") if simulator.name == "icarus" else None,
                log_file=log,
                extra_env=environment,
            )
        except (RuntimeError, SystemExit, ValueError) as error:
            failure = str(error)
    if not junit.exists():
        text = log.read_text(errors="replace") if log.exists() else failure
        raise SimulationError(f"{simulator} ended without results on {design.name}: {_tail(text)}")
    failure = _first_failure(junit)
    return CocotbRun(not failure, failure, log, junit, _waves_file(build, folder) if waves else None)


def _verilator(design: DesignLike, simulator: Simulator, waves: bool) -> Path:
    tools = runtime.toolchain(simulator)
    main = cocotb_tools.config.share_dir / "lib" / "verilator" / "verilator.cpp"
    libraries = cocotb_tools.config.libs_dir
    # Only the top's ports are visible to the bench: visible everything makes large arrays several times slower.
    visible = f'`verilator_config\npublic_flat_rw -module "{design.name}" -var "*"\n'

    def build(folder: Path) -> None:
        with cache.scratch(folder) as work:
            source, config = work / "model.v", work / "visible.vlt"
            source.write_text(design.verilog)
            config.write_text(visible)
            options = ("--vpi", "--timescale", "1ns/1ps", *(("--trace-vcd",) if waves else ()))
            runtime.verilate(simulator, [config, source], design.name, _PREFIX, work, *options)
            parts = runtime.compile_sources(tools, work, [main], trace=waves)
            stems = (*runtime.CORE, *runtime.VPI, *(runtime.TRACE if waves else ()))
            link = [tools.compiler, *parts, *runtime.objects(tools, stems), f"-Wl,-rpath,{libraries}", f"-L{libraries}"]
            link += ["-lcocotbvpi_verilator", "-lpthread", "-o", folder / design.name]
            run_tool(link, "linking the simulation")

    version = cocotb_tools.config.version() if hasattr(cocotb_tools.config, "version") else ""
    parts = (tools.identity, str(libraries), str(version), main.read_text(), visible, str(waves), design.verilog)
    return cache.entry(cache.user_cache("cocotb"), f"{design.name[:40]}-{cache.digest(*parts)}", build, prune=True)


def _first_failure(junit: Path) -> str:
    cases = list(ElementTree.parse(junit).iter("testcase"))
    if not cases:
        return "the bench has no tests"
    for case in cases:
        for kind in ("failure", "error"):
            if (found := case.find(kind)) is not None:
                return found.get("message") or found.get("error_msg") or found.text or f"{case.get('name')} failed"
    return ""


def _waves_file(build: Path, folder: Path) -> Path:
    found = [path for place in (folder, build) for path in place.glob("*") if path.suffix in (".vcd", ".fst")]
    if not found:
        raise SimulationError(f"waves must have been written to {folder}, not nothing")
    if found[0].parent != folder:
        shutil.copy(found[0], folder)
    return folder / found[0].name


def _tail(text: str) -> str:
    return " | ".join(line.strip() for line in text.strip().splitlines()[-_LOG_LINES:]) or os.strerror(0)
