"""The commands with formats that are neither fixed nor floating point: posits, and codebooks as operands."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

#: Options of a multiplier, its ports with width and format, and how many pairs of operands it has.
MULTIPLIERS = [
    ("--a posit8 --b posit8", ["a 8 posit8", "b 8 posit8", "y 8 posit8"], 65_536),
    ("--a posit6_1 --b posit6_1 --out posit8", ["a 6 posit6_1", "b 6 posit6_1", "y 8 posit8"], 4_096),
    ("--a nf4 --b nf4 --out posit8", ["a 4 nf4", "b 4 nf4", "y 8 posit8"], 256),
    ("--a nf4 --b posit6_1 --out bf16 --flags off", ["a 4 nf4", "b 6 posit6_1", "y 16 bf16"], 1_024),
]
OWN = """[tiny]
kind = "codebook"
width = 2
values = [-1, -0.25, 0, 1.5]
"""


@pytest.mark.parametrize(("options", "ports", "pairs"), MULTIPLIERS)
def test_generate(polymac, options, ports, pairs):
    result = polymac("generate", "multiplier", *options.split(), "--name", "mul")
    assert (result.status, result.err) == (0, "")
    assert result.out.splitlines()[:3] == [str(Path("build", f"mul.{end}")) for end in ("v", "json", "core")]
    metadata = json.loads(Path("build/mul.json").read_text())
    assert [f"{port['name']} {port['width']} {port['format']}" for port in metadata["ports"]] == ports
    assert metadata["parameters"]["overflow"] == ("ieee" if "bf16" in options else "saturate")
    header = re.findall(r"^//   (?:in|out)put +(\w+) +(\d+) bit  (\w+)$", Path("build/mul.v").read_text(), re.MULTILINE)
    assert [" ".join(port) for port in header] == ports
    # The command in the file gives the same file again.
    first = Path("build/mul.v").read_bytes()
    program, *arguments = metadata["command"].split()
    assert program == "polymac"
    assert polymac(*arguments, "--output", "again").status == 0
    assert Path("again/mul.v").read_bytes() == first


@pytest.mark.parametrize(("options", "ports", "pairs"), MULTIPLIERS)
def test_verify(polymac, options, ports, pairs):
    result = polymac("verify", "multiplier", *options.split())
    assert (result.status, result.err) == (0, "")
    assert result.out.splitlines()[:3] == [
        f"PASSED: multiplier, all {pairs:,} pairs",
        f"checked:    {pairs:,}",
        "mismatches: 0",
    ]


def test_a_codebook_from_a_file(tmp_path):
    """In a process of its own, which reads the file as it starts."""
    (tmp_path / "own.toml").write_text(OWN)
    options = ["--a", "tiny", "--b", "nf4", "--out", "fp16"]
    command = [sys.executable, "-m", "polymac.cli.main", "verify", "multiplier", *options]
    environment = {**os.environ, "POLYMAC_FORMATS": "own.toml"}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("PASSED: multiplier, all 64 pairs\n")


def test_an_exact_sum_of_posits(polymac):
    result = polymac(
        "verify", "dot", "--a", "posit4", "--acc", "exact", "--out", "posit8", "--lanes", "2", "--vectors", "999"
    )
    assert (result.status, result.err) == (0, "")
    assert re.match(r"PASSED: dot, 999 of 2\^16 pairs, seed 1\n", result.out)


@pytest.mark.parametrize("command", ["generate", "verify"])
def test_a_codebook_is_no_result(polymac, command):
    result = polymac(command, "multiplier", "--a", "nf4", "--b", "nf4")
    assert (result.status, result.out) == (2, "")
    assert result.err == "polymac: out must be a format that results can be rounded to, not nf4\n"
    assert not Path("build").exists()
