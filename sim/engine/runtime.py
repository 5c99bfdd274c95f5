"""From Verilog to C++ to object code: Verilator run without make, with its run-time compiled once per user.

Most of the time of a Verilator build goes into the run-time library, which is the same for every design, and into its
headers. Both are compiled once per version of Verilator, of the compiler and of the flags, and kept in the user's
cache.
"""

from __future__ import annotations

import functools
import os
import subprocess
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from . import cache
from .simulators import Simulator, compiler, run_tool

#: What every compilation has in common. A model may be part of a shared library: unique symbols would tie the models
#: of one process together.
_FLAGS = (
    "-std=c++20",
    "-fPIC",
    "-fno-gnu-unique",
    "-w",
    "-DVERILATOR=1",
    "-DVM_COVERAGE=0",
    "-DVM_SC=0",
    "-DVM_TIMING=0",
)
_NO_TRACE = ("-DVM_TRACE=0", "-DVM_TRACE_FST=0", "-DVM_TRACE_VCD=0", "-DVM_TRACE_SAIF=0")
_VCD_TRACE = ("-DVM_TRACE=1", "-DVM_TRACE_FST=0", "-DVM_TRACE_VCD=1", "-DVM_TRACE_SAIF=0")
#: A translation unit takes sources up to this size: small designs are one unit, large ones keep every core busy.
_UNIT_BYTES = 150_000
#: Generated sources above this size are compiled with -O1: -O2 takes twice as long and gains nothing there.
_LARGE_BYTES = 400_000
#: Statements after which Verilator begins a new source file: the compiler's time grows faster than a file's length.
_SPLIT = 4000

#: Sources of the run-time that every model needs, and those of VPI and of waves.
CORE = ("verilated", "verilated_threads")
VPI = ("verilated_vpi",)
TRACE = ("verilated_vcd_c",)


@dataclass(frozen=True)
class Toolchain:
    """A Verilator, a C++ compiler, and their identity for the cache."""

    simulator: Simulator
    compiler: Path
    identity: str

    @property
    def include(self) -> Path:
        """The folder of the run-time's sources."""
        return Path(self.simulator.environment["VERILATOR_ROOT"]) / "include"

    def compile(self, source: Path, target: Path, flags: Sequence[str], what: str) -> None:
        """Compile one C++ file."""
        includes = (f"-I{self.include}", f"-I{self.include / 'vltstd'}")
        run_tool([self.compiler, *_FLAGS, *flags, *includes, "-c", source, "-o", target], what)


def toolchain(simulator: Simulator) -> Toolchain:
    """The tools with which models of this Verilator are built.

    Raises
    ------
    ParameterError
        There is no C++ compiler on PATH.
    """
    path = compiler()
    root = Path(simulator.environment["VERILATOR_ROOT"])
    return Toolchain(simulator, path, _identity(root, simulator.version, path, path.stat().st_mtime_ns))


@functools.cache
def _identity(root: Path, version: str, compiler_path: Path, _compiler_time: int) -> str:
    compiler_version = subprocess.run(
        [compiler_path, "-v"], capture_output=True, text=True, errors="replace", check=False
    ).stderr
    sources = sorted(path for path in (root / "include").iterdir() if path.suffix in (".h", ".cpp"))
    contents = (part for path in sources for part in (path.name, path.read_bytes()))
    return cache.digest(version, compiler_version, *_FLAGS, *contents)


def objects(tools: Toolchain, stems: Iterable[str]) -> list[Path]:
    """The object files of parts of the run-time, compiled on first use."""

    def build(stem: str) -> Path:
        def compile_part(folder: Path) -> None:
            source = tools.include / f"{stem}.cpp"
            tools.compile(source, folder / f"{stem}.o", ("-O1", *_NO_TRACE), f"compiling Verilator's {stem}")

        return cache.entry(_folder(), f"{stem}-{tools.identity}", compile_part, prune=True) / f"{stem}.o"

    with ThreadPoolExecutor(_jobs()) as pool:
        return list(pool.map(build, stems))


def _header(tools: Toolchain) -> Path:
    """The run-time's header beside its precompiled form, which the compiler takes if its flags are the same."""

    def build(folder: Path) -> None:
        header = folder / "runtime.h"
        header.write_text('#include "verilated.h"\n')
        flags = ("-O2", *_NO_TRACE, "-x", "c++-header")
        tools.compile(header, folder / "runtime.h.gch", flags, "precompiling Verilator's header")

    return cache.entry(_folder(), f"header-{tools.identity}", build, prune=True) / "runtime.h"


def verilate(simulator: Simulator, sources: Sequence[Path], top: str, prefix: str, folder: Path, *options: str) -> None:
    """Translate Verilog into C++ sources in ``folder``, the class of the model named ``prefix``.

    Raises
    ------
    SimulationError
        Verilator does not accept the Verilog.
    """
    command = [simulator.executable, "--cc", "-Wno-fatal", "-Wno-lint", "-Wno-style", "-O3", "--no-timing"]
    arguments = ["--output-split", str(_SPLIT), "--top-module", top, "--prefix", prefix, "-Mdir", folder, *options]
    run_tool([*command, *arguments, *sources], f"Verilator on {top}", simulator.environment)


def compile_sources(
    tools: Toolchain, folder: Path, extra: Sequence[Path], *, trace: bool = False, optimize: str | None = None
) -> list[Path]:
    """Compile all C++ sources in ``folder``, and then ``extra``, in as few translation units as keep the cores busy.

    ``optimize`` is an option such as ``-O2``; without, -O2 for small designs and -O1 for large ones.
    """
    generated = sorted(path for path in folder.glob("*.cpp") if path not in extra)
    sizes = {path: path.stat().st_size for path in (*generated, *extra)}
    level = optimize or ("-O2" if sum(sizes.values()) < _LARGE_BYTES else "-O1")
    units: list[list[Path]] = [[]]
    for path in (*generated, *extra):
        if units[-1] and sum(sizes[member] for member in units[-1]) + sizes[path] > _UNIT_BYTES:
            units.append([])
        units[-1].append(path)
    header = _header(tools)
    flags = (level, *(_VCD_TRACE if trace else _NO_TRACE), "-include", str(header), f"-I{folder}")

    def compile_unit(number: int) -> Path:
        unit = folder / f"unit{number}.cxx"
        unit.write_text("".join(f'#include "{path}"\n' for path in units[number]))
        target = unit.with_suffix(".o")
        tools.compile(unit, target, flags, f"compiling the model in {folder.name}")
        return target

    with ThreadPoolExecutor(_jobs()) as pool:
        return list(pool.map(compile_unit, range(len(units))))


def _folder() -> Path:
    return cache.user_cache("runtime")


def _jobs() -> int:
    return min(4, len(os.sched_getaffinity(0)))
