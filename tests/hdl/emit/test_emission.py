"""The emitted Verilog against Amaranth's own netlist of the unit: equal in every run, proven module by module."""

from __future__ import annotations

import dataclasses
import re
from typing import Any

import pytest
from amaranth.back import verilog

from polymac import hdl
from polymac.hdl.core.hierarchy import FlatTop, Hierarchy
from polymac.synth.yosys.prover import abc_job
from polymac.synth.yosys.runner import SynthesisError, Workers

#: From processes to an and-inverter graph with registers; both sides alike.
_GRAPH = (
    "flatten",
    "opt_clean",
    "wreduce",
    "opt_expr -full",
    "opt_clean",
    "techmap",
    "dffunmap",
    "simplemap",
    "aigmap",
)
_GRAPH = (*_GRAPH, "opt_clean")
_EQUAL = re.compile(r"^Networks are equivalent", re.MULTILINE)
_MODULE = re.compile(r"^module (\w+) \(\n(.*?)\n\);\n(.*?)^endmodule\n", re.MULTILINE | re.DOTALL)
_INSTANCE = re.compile(r"^  (\w+) (\w+) \(\n(.*?)^  \);\n", re.MULTILINE | re.DOTALL)


def is_equal(design: hdl.Design, netlist: str, timeout: float, language: str = "rtlil") -> bool:
    """Whether each module has the same outputs, and gives its instances the same inputs, in every run from power-up.

    Instances are taken out of their modules: what they give is any input, what they are given is an output. Since both
    sides have the same ones, designs are equal where their modules are.

    Raises
    ------
    SynthesisError
        No answer within ``timeout`` seconds.
    """
    text = _connected(design.verilog)
    modules = _MODULE.findall(text)
    commands = []
    for side, read in (("emitted", "read_verilog emitted.v"), ("netlist", f"read_{language} netlist")):
        commands += [read, f"hierarchy -check -top {design.name}", "proc", f"design -stash {side}"]
    script = ""
    for name, _, contents in modules:
        for side in ("emitted", "netlist"):
            commands += [f"design -load {side}", f"expose -evert {name}/t:*", f"hierarchy -top {name}", *_GRAPH]
            commands.append(f"write_aiger -zinit {side}_{name}.aig")
        is_clocked = "always @" in contents
        script += f"{'dsec' if is_clocked else '&cec'} netlist_{name}.aig emitted_{name}.aig\n"
    job = abc_job(f"proof of {design.name}", commands, {"emitted.v": text, "netlist": netlist}, script)
    (outcome,) = Workers(1, timeout).run([job])
    if isinstance(outcome, SynthesisError):
        raise outcome
    return len(_EQUAL.findall(outcome.log)) == len(modules)


def _connected(verilog: str) -> str:
    """With a wire at each output of an instance that nobody needs, as in the netlist, where it is one more input."""
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


#: Those that are proven in seconds, with every construct among them: signed and unsigned sums, products, shifts, choices,
#: registers with and without reset and enable, instances.
QUICK = (
    "integers",
    "fixed_rounded",
    "no_flags",
    "mac",
    "mac_saturating",
    "mac_exact",
    "dot_bits",
    "array_one",
    "requantizer",
)


@pytest.mark.parametrize("name", QUICK)
def test_the_verilog_is_the_netlist(name: str, units: dict[str, hdl.Unit], rtlil_of: Any) -> None:
    assert is_equal(hdl.generate(units[name], name), rtlil_of(units[name], name), 100.0)


def test_it_is_what_amaranths_own_back_end_writes() -> None:
    """That of :mod:`amaranth.back.verilog`, which has Yosys do it."""
    unit = hdl.Mac(a="uint8", b="uint8", acc="uint17", overflow="saturate")
    other = verilog.convert(FlatTop(unit), name="mac", platform=Hierarchy(unit, "mac"), emit_src=False)
    assert is_equal(hdl.generate(unit, "mac"), other, 100.0, "verilog")


@pytest.mark.slow
def test_the_verilog_of_every_unit_is_the_netlist(units: dict[str, hdl.Unit], rtlil_of: Any) -> None:
    for name in units.keys() - set(QUICK):
        assert is_equal(hdl.generate(units[name], name), rtlil_of(units[name], name), 600.0), name


@pytest.mark.parametrize(
    ("name", "pattern", "replacement"),
    [
        ("integers", r"= a \* \$signed\(\{1'b0, b\}\)", "= a * b"),  # as if both were unsigned
        ("mac", r"else if \(en\)", "else"),  # a register that does not wait
        ("mac", r"acc <= 28'd0;", "acc <= 28'd1;"),  # a reset to another value
        ("mac_saturating", r" : ", " : ~"),
        ("array_one", r"(reg first) = 1'b1", r"\1 = 1'b0"),  # another value at power-up
        ("requantizer", r">>> 1\)", ">> 1)"),  # a shift that loses the sign
    ],
)
def test_other_verilog_is_seen(
    name: str, pattern: str, replacement: str, units: dict[str, hdl.Unit], rtlil_of: Any
) -> None:
    design = hdl.generate(units[name], name)
    head, *rest = design.verilog.partition("\nmodule ")
    text, count = re.subn(pattern, replacement, "".join(rest), count=1)
    assert count == 1
    assert not is_equal(dataclasses.replace(design, verilog=head + text), rtlil_of(units[name], name), 100.0)
