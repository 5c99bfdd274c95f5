"""Running a cocotb bench on a generated design, under Icarus Verilog or Verilator."""

from __future__ import annotations

import importlib.metadata
import os
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import cocotb_tools.config
import find_libpython

from ...golden.formats import ParameterError
from . import cache, link, runtime
from .ports import DesignLike
from .process import run_group
from .simulators import SimulationError, Simulator, run_tool

#: The class of a Verilated model, as cocotb's main program expects it.
_PREFIX = "Vtop"
#: Of a failed simulation's log, this much is quoted.
_LOG_LINES = 25
_TIMESCALE = "1ns/1ps"

#: Variables of the caller that would change what runs, how, or what becomes of it: by how they begin, and whole names.
_FOREIGN_BEGINNINGS = ("COCOTB_", "GPI_", "PYGPI_", "POLYMAC_", "PYTEST_", "COV_CORE_")
_FOREIGN = frozenset(
    [
        *("WAVES", "GUI", "COVERAGE", "COVERAGE_RCFILE", "LIBPYTHON_LOC"),
        *("RANDOM_SEED", "TESTCASE", "MODULE", "TOPLEVEL", "TOPLEVEL_LANG", "IVERILOG_DUMPER"),
        # It would take the benches' `assert` away.
        "PYTHONOPTIMIZE",
    ]
)

#: Seconds that any simulation may take, that each clock cycle may, and that each product in a cycle may: some ten times
#: what Icarus Verilog needs on one core of 2020.
_LIMIT_SECONDS, _CYCLE_SECONDS, _PRODUCT_SECONDS = 60.0, 5e-3, 60e-6


@dataclass(frozen=True)
class CocotbRun:
    """What one run of a bench left behind.

    Attributes
    ----------
    passed : bool
        Whether every test of the bench passed.
    failure : str
        The message of the first that did not, else empty.
    results : bytes
        What the bench wrote into the file ``results``; empty if it ended before.
    folder : Path
        Where the files of this run are, and of no other.
    log, junit : Path
        What the simulator printed, and cocotb's results as JUnit XML.
    waves : Path or None
        The waveform file (VCD), if asked for.
    """

    passed: bool
    failure: str
    results: bytes
    folder: Path
    log: Path
    junit: Path
    waves: Path | None


def time_limit(cycles: int, products: int = 1) -> float:
    """Time limit in seconds of a simulation with ``cycles`` cycles and ``products`` products in each."""
    return _LIMIT_SECONDS + cycles * (_CYCLE_SECONDS + products * _PRODUCT_SECONDS)


def run(
    design: DesignLike,
    bench: str,
    *,
    simulator: Simulator,
    job: bytes,
    folder: Path,
    seed: int,
    cycles: int,
    limit: float | None = None,
    waves: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> CocotbRun:
    """Run the tests of module ``bench`` on a design; the arguments decide, not the caller's environment variables.

    The tests find ``job`` in the file of that name in the folder that the variable POLYMAC_BENCH names, and leave the
    cycles done and their results there as :class:`.link.Link` does. That folder lies in ``folder``, is
    named after these arguments, and is locked: runs side by side, of the same design or of others, each have their own
    files. The simulator and all that it starts end with the call, also when an exception ends it.

    A Verilated executable is kept in the user's cache: the same design again starts at once.

    Parameters
    ----------
    design : design
        Name, Verilog and metadata.
    bench : str
        A module that the simulator's Python can import.
    simulator : Simulator
        From :func:`.simulators.find`.
    job : bytes
        What the bench reads: its stimulus and parameters.
    folder : Path
        Where the folder of the run goes.
    seed : int
        cocotb's random seed.
    cycles : int
        Clock cycles that the bench means to run.
    limit : float, optional
        Seconds that the simulation may take, its compilation apart; by default :func:`time_limit` of the cycles.
    waves : bool
        Whether to record every signal.
    progress : callable, optional
        Called with the cycles done and those to do, some ten times a second.

    Raises
    ------
    ParameterError
        The limit is not positive, the folder cannot be written, or there is no C++ compiler for Verilator.
    SimulationError
        The simulator does not accept the design, exceeds the time limit, or ends without results.
    """
    limit = time_limit(cycles) if limit is None else limit
    if not limit > 0:
        raise ParameterError(f"limit must be more than 0 seconds, not {limit}")
    parts = (design.verilog, bench, job, str(waves), str(cycles))
    name = f"{design.name[:40]}-{simulator.name}-seed{seed}-{cache.digest(*parts)[:8]}"
    folder = folder.resolve()
    with cache.lock(folder, name):
        place = folder / name
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir()
        (place / link.JOB).write_bytes(job)
        build = _icarus if simulator.name == "icarus" else _verilator
        command = build(design, simulator, place, waves)
        result = CocotbRun(
            passed=False,
            failure="",
            results=b"",
            folder=place,
            log=place / "simulation.log",
            junit=place / "results.xml",
            waves=place / f"{design.name}.vcd" if waves else None,
        )
        attachments = [str(path) for path in (result.waves, result.log) if path is not None]
        own = {
            link.FOLDER: str(place),
            "COCOTB_TOPLEVEL": design.name,
            "COCOTB_TEST_MODULES": bench,
            # cocotb has pytest rewrite the assertions of every module that is imported later, NumPy's and Amaranth's too,
            # by default: two seconds of each run. Only the bench's need it.
            "COCOTB_REWRITE_ASSERTION_FILES": f"{bench.rpartition('.')[2]}.py",
            "COCOTB_RANDOM_SEED": str(seed),
            "COCOTB_RESULTS_FILE": str(result.junit),
            "COCOTB_RESULTS_ATTACHMENTS": ",".join(attachments),
        }
        status = _simulate(design, simulator, command, _environment(simulator) | own, result, cycles, limit, progress)
        return _outcome(design, simulator, result, status)


def _simulate(
    design: DesignLike,
    simulator: Simulator,
    command: list[str | Path],
    environment: dict[str, str],
    result: CocotbRun,
    cycles: int,
    limit: float,
    progress: Callable[[int, int], None] | None,
) -> int:
    """The simulator's exit status."""

    def watch() -> None:
        if progress is not None:
            progress(link.progress_of(result.folder), cycles)

    try:
        status = run_group(
            command, folder=result.folder, log=result.log, environment=environment, limit=limit, watch=watch
        )
    except subprocess.TimeoutExpired:
        done = link.progress_of(result.folder)
        raise SimulationError(
            f"{simulator} must be done with {design.name} in {limit:g} s, "
            f"not be at cycle {done} of {cycles} then (log: {result.log})"
        ) from None
    watch()
    return status


def _outcome(design: DesignLike, simulator: Simulator, result: CocotbRun, status: int) -> CocotbRun:
    try:
        failure = _first_failure(result.junit)
    except (OSError, ElementTree.ParseError):
        text = _tail(result.log) or "its log is empty"
        raise SimulationError(
            f"{simulator} ended without results on {design.name}, exit status {status}: {text}"
        ) from None
    if not failure and status:
        failure = f"the simulator's exit status must be 0, not {status}"
    if result.waves is not None and not result.waves.exists():
        raise SimulationError(f"{simulator} must have written {result.waves}, not nothing: {_tail(result.log)}")
    results = result.folder / link.RESULTS
    return CocotbRun(
        not failure,
        failure,
        results.read_bytes() if results.exists() else b"",
        result.folder,
        result.log,
        result.junit,
        result.waves,
    )


def _environment(simulator: Simulator) -> dict[str, str]:
    """The caller's variables without those that would override a run's arguments, and what cocotb needs of its own."""
    libpython = find_libpython.find_libpython()
    if libpython is None:
        raise SimulationError(f"Python must have a shared library for cocotb, not none ({sys.executable})")
    kept = {
        name: value
        for name, value in os.environ.items()
        if name not in _FOREIGN and not name.startswith(_FOREIGN_BEGINNINGS)
    }
    return kept | {
        "GPI_USERS": f"{libpython};{cocotb_tools.config.pygpi_entry_point()}",
        "PYGPI_PYTHON_BIN": sys.executable,
        # The bench runs in another folder than this process.
        "PYTHONPATH": os.pathsep.join(str(Path(entry).absolute()) for entry in sys.path),
        # Python's warnings go into the simulator's log.
        "PYTHONWARNINGS": "default",
        "TOPLEVEL_LANG": "verilog",
        "COCOTB_ANSI_OUTPUT": "0",
        # Verilator's main program puts writes where they belong in a time step by itself.
        "COCOTB_TRUST_INERTIAL_WRITES": str(int(simulator.name == "verilator")),
    }


def _icarus(design: DesignLike, simulator: Simulator, place: Path, waves: bool) -> list[str | Path]:
    """Compile for Icarus Verilog; returns the command that simulates."""
    source, extra, compiled = place / f"{design.name}.v", place / "bench.v", place / "simulation.vvp"
    source.write_text(design.verilog)
    dump = f"{design.name}_dump"
    calls = f'$dumpfile("{design.name}.vcd"); $dumpvars(0, {design.name});'
    module = f"module {dump}; initial begin {calls} end endmodule\n" if waves else ""
    extra.write_text(f"`timescale {_TIMESCALE}\n{module}")
    # With -g2012, cocotb's default, an `always @*` may never run at time 0.
    command = [simulator.executable, "-g2005", "-o", compiled, "-s", design.name, *(["-s", dump] if waves else [])]
    log = place / "build.log"
    if run_group([*command, extra, source], folder=place, log=log, environment={**os.environ}):
        raise SimulationError(f"{simulator} does not accept {design.name}: {_tail(log)}")
    library = cocotb_tools.config.lib_name_path("vpi", "icarus")
    vvp = simulator.executable.with_name("vvp")
    return [vvp, "-m", library, compiled, "-vcd" if waves else "-none"]


def _verilator(design: DesignLike, simulator: Simulator, place: Path, waves: bool) -> list[str | Path]:
    """Compile for Verilator; returns the command that simulates."""
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
            options = ("--vpi", "--timescale", _TIMESCALE, *(("--trace-vcd",) if waves else ()))
            runtime.verilate(simulator, [config, source], design.name, _PREFIX, work, *options)
            parts = runtime.compile_sources(tools, work, [main], trace=waves)
            stems = (*runtime.CORE, *runtime.VPI, *(runtime.TRACE if waves else ()))
            command = [
                tools.compiler,
                *parts,
                *runtime.objects(tools, stems),
                f"-Wl,-rpath,{libraries}",
                f"-L{libraries}",
            ]
            command += ["-lcocotbvpi_verilator", "-lpthread", "-o", folder / design.name]
            run_tool(command, "linking the simulation")

    version = importlib.metadata.version("cocotb")
    parts = (tools.identity, str(libraries), version, main.read_text(), visible, str(waves), design.verilog)
    name = f"{design.name[:40]}-{cache.digest(*parts)}"
    executable = cache.entry(cache.user_cache("cocotb"), name, build, prune=True) / design.name
    return [executable, *(["--trace", "--trace-file", place / f"{design.name}.vcd"] if waves else [])]


def _first_failure(junit: Path) -> str:
    cases = [case for case in ElementTree.parse(junit).iter("testcase") if case.find("skipped") is None]
    if not cases:
        return "the bench ran no tests"
    for case in cases:
        for kind in ("failure", "error"):
            if (found := case.find(kind)) is not None:
                return found.get("message") or found.get("error_msg") or found.text or f"{case.get('name')} failed"
    return ""


def _tail(log: Path) -> str:
    """The end of a log, on one line."""
    lines = log.read_text(errors="replace").strip().splitlines()[-_LOG_LINES:] if log.exists() else []
    return " | ".join(line.strip() for line in lines)
