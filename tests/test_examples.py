"""The scripts of examples/: each runs from any folder, and prints what is written here."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).resolve().parents[1] / "examples"
MOST_LINES = 30

#: What each prints, as a regular expression where a figure depends on the machine's linear algebra.
OUTPUTS = {
    "comparison": """\
format      µm²    GE   ns
fp4_e2m1   35\\.9    45 0\\.21
fp8_e5m2  150\\.3   188 0\\.83
fp8_e4m3  190\\.2   238 0\\.94
int8      255\\.9   321 1\\.43
""",
    "mac_for_fpga": """\
wrote mac4\\.v
wrote mac4\\.json
wrote mac4\\.core
 input   1 clk
 input   1 rst
 input  32 a
 input  32 b
 input   1 valid
 input   1 clear
 input   1 en
output  32 acc
latency in clock cycles: 2
as golden in 20,000 steps: True
ECP5: 189 LUTs, 16 carries, 98 flip-flops, 4 multipliers
""",
    "network": """\
float64 9[5-7]\\.\\d%
int8    9[4-7]\\.\\d%
array   9[4-7]\\.\\d%
every logit of the array is golden's: True
""",
    "own_format": """\
codes:  \\['0x2a', '0xe5', '0x7e', '0x7e'\\]
values: \\[ 0\\.1015625 -1\\.3125     3\\.75       3\\.75     \\]
65,536 products, 0 mismatches
""",
    "tensor_core_dot": """\
4 products at a time: Aligned\\(block=4, frac_bits=23, out_frac_bits=23\\)
23% of the sums differ from the exact ones,
by 4\\.8e-07 at most
Verilog: 20,000 sums, 0 mismatches
""",
}


def test_every_script_is_run_and_is_short():
    assert {path.stem for path in FOLDER.iterdir() if path.is_file()} == set(OUTPUTS)
    for name in OUTPUTS:
        assert len((FOLDER / f"{name}.py").read_text().splitlines()) <= MOST_LINES


@pytest.mark.parametrize("name", OUTPUTS)
def test_only_the_public_interface_is_used(name):
    tree = ast.parse((FOLDER / f"{name}.py").read_text())
    modules = {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    names = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    assert modules == {"polymac"}
    assert names <= {"numpy", "sys"}
    assert not [node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute) and node.attr.startswith("_")]


@pytest.mark.parametrize(("name", "printed"), OUTPUTS.items())
def test_output(name, printed, tmp_path):
    done = subprocess.run(
        [sys.executable, "-W", "error", FOLDER / f"{name}.py"], cwd=tmp_path, capture_output=True, text=True
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert re.fullmatch(printed, done.stdout), done.stdout
