"""Executables in which cocotb benches run, under Icarus or Verilator, built once per design."""

from __future__ import annotations

import importlib.metadata
from pathlib import Path

import cocotb_tools.config

from . import cache, runtime
from .ports import DesignLike, ports_of
from .simulators import Simulator, run_tool

#: Names that cocotb's runner expects: of the model's class, and of Icarus's compiled design.
_PREFIX = "Vtop"
_ICARUS_FILE = "sim.vvp"
#: Where the waves are written, in the folder in which the simulation runs.
WAVES = {"icarus": "waves.fst", "verilator": "dump.vcd"}


def build(design: DesignLike, simulator: Simulator, folder: Path, *, waves: bool) -> Path:
    """The folder ``folder/NAME-HASH`` with what runs the design; HASH depends on the design, the tools and ``waves``.

    Raises
    ------
    ParameterError
        The folder cannot be written, or the C++ compiler is missing.
    SimulationError
        The simulator does not accept the design.
    """
    versions = [simulator.name, simulator.version, importlib.metadata.version("cocotb"), str(waves)]
    if simulator.name == "icarus":
        key = cache.digest(design.verilog, *versions)
        return cache.entry(folder, f"{design.name}-{key}", lambda path: _icarus(design, simulator, path, waves))
    tools = runtime.toolchain(simulator)
    # The executable holds the path of cocotb's libraries.
    key = cache.digest(design.verilog, *versions, tools.identity, str(cocotb_tools.config.libs_dir))
    return cache.entry(folder, f"{design.name}-{key}", lambda path: _verilator(design, tools, path, waves))


def _icarus(design: DesignLike, simulator: Simulator, folder: Path, waves: bool) -> None:
    sources = [folder / f"{design.name}.v"]
    sources[0].write_text(design.verilog)
    tops = ["-s", design.name]
    if waves:
        dump = f"{design.name}_dump"
        sources.append(folder / f"{dump}.v")
        sources[1].write_text(
            f'module {dump}; initial begin $dumpfile("{WAVES["icarus"]}"); $dumpvars(0, {design.name}); end endmodule\n'
        )
        tops += ["-s", dump]
    settings = folder / "settings.f"
    settings.write_text("+timescale+1ns/1ps\n")
    # -g2005: with cocotb's own default, -g2012, an `always @*` may never run at time 0 and leaves X behind it.
    command = [simulator.executable, "-g2005", "-o", folder / _ICARUS_FILE, *tops, "-f", settings, *sources]
    run_tool(command, f"Icarus Verilog on {design.name}")


def _verilator(design: DesignLike, tools: runtime.Toolchain, folder: Path, waves: bool) -> None:
    source = folder / f"{design.name}.v"
    source.write_text(design.verilog)
    with cache.scratch(folder) as work:
        # cocotb sees the ports and nothing else: making every signal public would forbid most optimizations.
        control = work / "public.vlt"
        variables = "".join(
            f'public_flat_rw -module "{design.name}" -var "{port.name}"\n' for port in ports_of(design.metadata)
        )
        control.write_text("`verilator_config\n" + variables)
        options = ["--vpi", "--timescale", "1ns/1ps", *(["--trace"] if waves else [])]
        runtime.verilate(tools.simulator, [control, source], design.name, _PREFIX, work, *options)
        parts = runtime.objects(tools, (*runtime.CORE, *runtime.VPI, *(runtime.TRACE if waves else ())))
        main = cocotb_tools.config.share_dir / "lib" / "verilator" / "verilator.cpp"
        parts += runtime.compile_sources(tools, work, [main], trace=waves)
        libraries = cocotb_tools.config.libs_dir
        link = [f"-Wl,-rpath,{libraries}", f"-L{libraries}", "-lcocotbvpi_verilator", "-lpthread"]
        run_tool([tools.compiler, *parts, *link, "-o", folder / design.name], "linking the simulation")
