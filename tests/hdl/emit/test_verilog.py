"""The generated Verilog in the hands of other tools: lint, Icarus Verilog, Yosys; and what it may not contain."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from polymac import golden, hdl, sim
from polymac.hdl.emit.design import LINT_WAIVERS


def lint(folder: Path, verilog: str, top: str, waivers: Path = LINT_WAIVERS) -> str:
    """What Verilator's strictest lint says, beyond the waivers."""
    simulator = sim.find("verilator")
    file = folder / f"{top}.v"
    file.write_text(verilog)
    command = [simulator.executable, "--lint-only", "-Wall", waivers, file, "--top-module", top]
    environment = os.environ | dict(simulator.environment)
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0 or done.stderr
    return done.stderr


def test_lint(design: hdl.Design, tmp_path: Path) -> None:
    assert lint(tmp_path, design.verilog, design.name) == ""


@pytest.mark.parametrize(
    ("rule", "pattern", "replacement"),
    [
        ("WIDTHTRUNC", r"assign y = .*;", "assign y = {{a, b, a}};"),
        ("UNUSEDSIGNAL", r"(?m)^(\);\n)", r"\1  wire forgotten = a[0];\n"),
        ("UNDRIVEN", r"  assign y = .*;\n", ""),
        ("UNUSEDSIGNAL", r"(module mul \(\n)", r"\1  input wire spare,\n"),
    ],
)
def test_lint_sees_defects(rule: str, pattern: str, replacement: str, tmp_path: Path) -> None:
    verilog = hdl.generate(hdl.Multiplier(a="int8", b="uint5"), "mul").verilog
    broken, count = re.subn(pattern, replacement, verilog, count=1)
    assert count == 1
    assert f"-{rule}:" in lint(tmp_path, broken, "mul")


def test_every_waiver_is_needed(tmp_path: Path) -> None:
    """Without one of them, some unit gives the warning that it is for."""
    verilog = [
        hdl.generate(hdl.Array(a="int8", b="int4", rows=3, cols=2), "arr"),
        hdl.generate(hdl.Multiplier(a="fp16", b="fp16"), "mul"),
    ]
    waivers = LINT_WAIVERS.read_text()
    lines = [line for line in waivers.splitlines() if line.startswith("lint_off")]
    assert len(lines) == 6
    for line in lines:
        (less := tmp_path / "less.vlt").write_text(waivers.replace(line, ""))
        said = "".join(lint(tmp_path, design.verilog, design.name, less) for design in verilog)
        assert f"-{line.split()[2]}:" in said, line


def test_icarus_reads_it_as_verilog_2001(design: hdl.Design, tmp_path: Path) -> None:
    iverilog = shutil.which("iverilog")
    if iverilog is None:
        pytest.skip("Icarus Verilog is not on PATH")
    file = tmp_path / "design.v"
    file.write_text(design.verilog)
    command = [iverilog, "-g2001", "-Wall", "-Wno-timescale", "-t", "null", "-s", design.name, file]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_yosys_reads_it(design: hdl.Design, tmp_path: Path) -> None:
    """Strict: no latch, no multiple driver, no loop, all wires driven, and as many top ports as the metadata says."""
    (tmp_path / "design.v").write_text(design.verilog)
    passes = ["read_verilog design.v", f"hierarchy -check -top {design.name}", "proc", "check -assert", "write_json o"]
    # Yosys ends the process on an error, so that it needs one of its own.
    script = "from pyosys import libyosys as ys; d = ys.Design()\n" + "".join(
        f"ys.run_pass({p!r}, d)\n" for p in passes
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    netlist = json.loads((tmp_path / "o").read_text())
    assert "$dlatch" not in {
        cell["type"] for module in netlist["modules"].values() for cell in module["cells"].values()
    }
    ports = {name: len(port["bits"]) for name, port in netlist["modules"][design.name]["ports"].items()}
    assert ports == {port["name"]: port["width"] for port in design.metadata["ports"]}


def test_plain_names_and_values(design: hdl.Design) -> None:
    """No escaped identifier, no unknown value, no SystemVerilog, no path, and a header that lists every port."""
    code = re.sub(r"(?m)^ *//.*\n", "", design.verilog)
    assert "\\" not in code
    assert not re.search(r"'[sS]?[bhd][0-9a-f]*[xz]", code)
    assert not re.search(r"\balways_|\blogic\b|\bcase\b|always @\*|\(\*", code)
    assert "/" not in code
    header = design.verilog.split("\nmodule ")[0]
    for port in design.metadata["ports"]:
        assert re.search(rf"^//   {port['direction']}\s+{port['name']}\s+{port['width']} bit", header, re.MULTILINE)


def test_two_files_in_one_project_do_not_clash(tmp_path: Path) -> None:
    """The same unit under two names, in one simulation."""
    unit = hdl.Multiplier(a="fp8_e5m2", b="fp8_e5m2")
    model = sim.Model.build([hdl.generate(unit, "one"), hdl.generate(unit, "two")])
    outputs = model.evaluate_all({name: {"a": [0x3C], "b": [0x40]} for name in ("one", "two")})
    y = golden.multiply([0x3C], [0x40], "fp8_e5m2", "fp8_e5m2")
    assert [int(outputs[name]["y"][0]) for name in ("one", "two")] == [int(y[0])] * 2
