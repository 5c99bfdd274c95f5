"""Whether generated Verilog is what Amaranth's own netlist of the unit is, module by module."""

from __future__ import annotations

import re

from amaranth.back import rtlil

from polymac import hdl
from polymac.hdl.core.hierarchy import FlatTop, Hierarchy
from polymac.synth.yosys.prover import abc_job
from polymac.synth.yosys.runner import SynthesisError, Workers

#: From processes to an and-inverter graph with registers; both sides alike.
_GRAPH = "flatten; opt_clean; wreduce; opt_expr -full; opt_clean; techmap; dffunmap; simplemap; aigmap; opt_clean"
_EQUAL = re.compile(r"^Networks are equivalent", re.MULTILINE)
_MODULE = re.compile(r"^module (\w+) \(\n(.*?)\n\);\n(.*?)^endmodule\n", re.MULTILINE | re.DOTALL)
_INSTANCE = re.compile(r"^  (\w+) (\w+) \(\n(.*?)^  \);\n", re.MULTILINE | re.DOTALL)


def netlist_of(unit: hdl.Unit, name: str) -> str:
    """Amaranth's own netlist of a unit, in the modules that the Verilog has."""
    hierarchy = Hierarchy(unit, name)
    modules = [
        rtlil.convert(FlatTop(part), name=module, platform=hierarchy, emit_src=False)
        for module, part in hierarchy.pending
    ]
    return "".join(module.replace("attribute \\top 1\n", "") for module in modules)


def is_equal(design: hdl.Design, netlist: str, timeout: float) -> bool:
    """Whether each module has the same outputs, and gives its instances the same inputs, in every run from power-up.

    Instances are taken out of their modules: what they give is any input, what they are given is an output. Since both
    sides have the same ones, designs are equal where their modules are.

    Raises
    ------
    SynthesisError
        No answer within ``timeout`` seconds.
    """
    verilog = _connected(design.verilog)
    modules = _MODULE.findall(verilog)
    emitted = {(name, part, kind) for name, _, body in modules for kind, part, _ in _INSTANCE.findall(body)}
    if emitted != _instances(netlist):
        return False
    commands = []
    for side, read in (("emitted", "read_verilog emitted.v"), ("netlist", "read_rtlil netlist.il")):
        commands += [read, f"hierarchy -check -top {design.name}", "proc", f"design -stash {side}"]
    script = ""
    for name, _, body in modules:
        for side in ("emitted", "netlist"):
            commands += [f"design -load {side}", f"expose -evert {name}/t:*", f"hierarchy -top {name}"]
            commands += [*_GRAPH.split("; "), f"write_aiger -zinit {side}_{name}.aig"]
        script += f"{'dsec' if 'always @' in body else '&cec'} netlist_{name}.aig emitted_{name}.aig\n"
    job = abc_job(f"proof of {design.name}", commands, {"emitted.v": verilog, "netlist.il": netlist}, script)
    (outcome,) = Workers(1, timeout).run([job])
    if isinstance(outcome, SynthesisError):
        raise outcome
    return len(_EQUAL.findall(outcome.log)) == len(modules)


def _instances(netlist: str) -> set[tuple[str, str, str]]:
    """Module, name and kind of each instance of a module."""
    found = set()
    module = ""
    for line in netlist.splitlines():
        if line.startswith("module "):
            module = line.removeprefix("module \\")
        elif match := re.match(r"  cell \\(\w+) \\(\w+)", line):
            found.add((module, match[2], match[1]))
    return found


def _connected(verilog: str) -> str:
    """With a wire at each output of an instance that nobody needs: in the netlist it is an input like the others."""
    widths = {
        (module, name): int(high or 0)
        for module, ports, _ in _MODULE.findall(verilog)
        for high, name in re.findall(r"output \w+(?: signed)?(?: \[(\d+):0\])? (\w+)", ports)
    }

    def connect(instance: re.Match[str]) -> str:
        module, name, pins = instance.groups()
        unused = re.findall(r"\.(\w+)\(\)", pins)
        wires = "".join(f"  wire [{widths[module, pin]}:0] {name}_no_{pin};\n" for pin in unused)
        pins = re.sub(r"\.(\w+)\(\)", rf".\1({name}_no_\1)", pins)
        return f"{wires}  {module} {name} (\n{pins}  );\n"

    return _INSTANCE.sub(connect, verilog)
