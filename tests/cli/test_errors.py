"""Bad input: one line on stderr, exit status 2, and nothing written. Each message is compared whole."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

import pytest

from polymac import golden, sim, synth
from polymac.sim.engine import simulators

FORMATS = f"{', '.join(golden.FORMATS)}, or intN, uintN, qM.N, uqM.N, eXmY, positN, positN_ES"
ANY_FORMATS = f"{FORMATS}, or of the block formats {', '.join(golden.BLOCK_FORMATS)}"
TARGETS = ", ".join(synth.TARGETS)

ERRORS = {
    "generat": "command must be one of compare, formats, generate, presets, report, run, sweep, verify, not 'generat'",
    "run mnist": "dataset must be one of digits, not 'mnist'",
    "run digits --rows 0": "rows must be in 1 … 1024, not 0",
    "run": "Missing command. (see `polymac run --help`)",
    "generate": "Missing argument '{multiplier|adder|dot|mac|array|requantizer}'. (see `polymac generate --help`)",
    "generate divider": "unit must be one of multiplier, adder, dot, mac, array, requantizer, not 'divider'",
    "verify divider": "unit must be one of multiplier, adder, dot, mac, array, requantizer, not 'divider'",
    "compare --unit divider": "unit must be one of multiplier, adder, dot, mac, array, not 'divider'",
    "generate multiplier --a bf61": f"format must be one of {FORMATS}, not 'bf61'; did you mean bf16 or fp64 or fp16?",
    "compare --formats int8,": f"format must be one of {ANY_FORMATS}, not ''",
    "generate multiplier --a int65": "the width of int65 must be in 2 … 64, not 65",
    "generate mac --a int1": "the width of int1 must be in 2 … 64, not 1",
    "generate array --rows 0": "rows must be in 1 … 1024, not 0",
    "generate array --cols 1025": "cols must be in 1 … 1024, not 1025",
    "generate array --lanes 0": "lanes must be in 1 … 128, not 0",
    "generate array --dataflow is": "dataflow must be one of os, ws, not 'is'",
    "generate array --stages -1": "stages must be in 0 … 64, not -1",
    "generate array --acc int15": "acc must hold one product, at least 16 bits for int8 × int8, not int15 (15 bits)",
    "generate mac --acc uint32": (
        "acc must be a signed fixed-point format with 0 fraction bits for int8 × int8, not uint32"
    ),
    "generate mac --acc int20 --max-k 1000": (
        "max_k must be at most 31, the products of int8 × int8 that int20 holds, not 1000"
    ),
    "generate mac --a bf16 --acc exact": (
        "acc=exact must take at most 256 bits unless --force-wide is given, not 539 as for bf16 × bf16"
    ),
    "generate dot --a mxfp4 --lanes 24": "lanes must divide the block size of a=mxfp4, 32, not 24",
    "verify mac --a int4 --lanes 6 --sparse": "lanes must be a multiple of 4 for sparse operands, not 6",
    "generate dot --a fp16 --acc aligned:1:19": (
        "acc must have at least the 20 fraction bits of a product of fp16 × fp16, not 19 (aligned:1:19)"
    ),
    "generate dot --preset h100_fp16 --a bf16": "a must be left out or fp16 with preset=h100_fp16, not bf16",
    "verify mac --preset v100_fp16 --lanes 8": "lanes must be left out or 4 with preset=v100_fp16, not 8",
    "generate multiplier --preset h100_fp16": "--preset belongs to dot and mac and array, not to multiplier",
    "generate dot --addend maybe": "addend must be one of off, on, not 'maybe'",
    "verify mac --exhaustive": "exhaustive must be left out for mac, it is for multiplier and adder and dot natively",
    "generate multiplier --rounding rne": ("rounding must be left out with an exact product, not 'rne'"),
    "generate multiplier --out int8 --rounding up": (
        "rounding must be one of rne, rtz, rdn, rup, rna, stochastic, port, not 'up'"
    ),
    "generate multiplier --flags maybe": "flags must be one of off, on, not 'maybe'",
    "generate multiplier --a mxfp8_e4m3": (
        "a must be a scalar format, such as the element fp8_e4m3 or the scale e8m0, or the unit dot, not the block format "
        "mxfp8_e4m3"
    ),
    "generate multiplier --formats fp16,bf16 --a int8": "a must be left out with formats, not int8",
    "verify multiplier --a fp16 --random-bits 4": "random_bits must be left out with rounding=rne, not 4",
    "generate multiplier --valid": "valid must be left out with stages=0, not True",
    "generate multiplier --target xc7": (
        "target must be left out unless architecture is auto, not 'xc7' with operator"
    ),
    "generate multiplier --rows 4": "--rows belongs to array, not to multiplier",
    "generate array --rounding rne": "--rounding belongs to multiplier and adder and dot, not to array",
    "generate requantizer --a int8": "--a belongs to multiplier and adder and dot and mac and array, not to requantizer",
    "generate mac --name 1st": "name must be a Verilog identifier, not '1st'",
    "generate array --rows x": (
        "Invalid value for '--rows': 'x' is not a valid integer. (see `polymac generate --help`)"
    ),
    "compare --target xc8": f"target must be one of {TARGETS}, not 'xc8'; did you mean xc7?",
    "compare --jobs 0": "jobs must be at least 1, not 0",
    "compare --liberty missing.lib": (
        "liberty must be a readable Liberty file, not 'missing.lib': No such file or directory"
    ),
    "verify multiplier --simulator vcs": "simulator must be one of icarus, verilator, not 'vcs'",
    "verify multiplier --vectors 0": "vectors must be at least 1, not 0",
}


@pytest.mark.parametrize("line", ERRORS)
def test_one_line_status_2_nothing_written(polymac, tmp_path, line):
    result = polymac(*line.split())
    assert (result.status, result.out, result.err) == (2, "", f"polymac: {ERRORS[line]}\n")
    assert list(tmp_path.iterdir()) == []


def test_unknown_option_is_one_line(polymac):
    result = polymac("generate", "mac", "--colums", "4")
    assert result.status == 2
    assert result.err.startswith("polymac: No such option '--colums'") and result.err.count("\n") == 1


def test_output_is_a_file(polymac, tmp_path):
    Path("taken").write_text("mine")
    result = polymac("generate", "mac", "--output", "taken")
    assert (result.status, result.out) == (2, "")
    assert result.err == "polymac: output must be a folder, not the file taken\n"
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("taken", "mine")]


def test_output_holds_a_file(polymac, tmp_path):
    Path("build").mkdir()
    Path("build/mac.json").write_text("mine")
    result = polymac("generate", "mac")
    assert (result.status, result.out) == (2, "")
    assert result.err == ("polymac: output must not hold mac.json unless --force is given, not build/mac.json\n")
    assert [(path.name, path.read_text()) for path in Path("build").iterdir()] == [("mac.json", "mine")]


def test_output_cannot_be_made(polymac):
    # Root may write to a read-only folder, but nobody to this file system.
    result = polymac("generate", "mac", "--output", "/proc/polymac")
    assert (result.status, result.out) == (2, "")
    assert result.err == (
        "polymac: output must be a folder that can be written to, not /proc/polymac: No such file or directory\n"
    )


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write to a read-only folder")
def test_output_is_read_only(polymac):
    Path("build").mkdir(mode=0o555)
    result = polymac("generate", "mac")
    assert (result.status, result.out) == (2, "")
    assert result.err == ("polymac: output must be a folder that can be written to, not build: Permission denied\n")


def test_output_is_full(polymac, monkeypatch):
    real = os.fdopen

    def full(handle, mode="r", *arguments, **options):
        stream = real(handle, mode, *arguments, **options)
        if "w" in mode and Path(f"/proc/self/fd/{handle}").readlink().parent.name == "build":
            stream.write = refuse
        return stream

    def refuse(text):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fdopen", full)
    result = polymac("generate", "mac")
    assert (result.status, result.out) == (2, "")
    assert result.err == (
        "polymac: output must be a folder that can be written to, not build: No space left on device\n"
    )
    assert list(Path("build").iterdir()) == []


def _tool(folder: Path, name: str, text: str) -> None:
    folder.mkdir(exist_ok=True)
    path = folder / name
    path.write_text(f"#!/bin/sh\necho '{text}'\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)


ICARUS = "polymac: simulator must be Icarus Verilog 11 or newer on PATH, not"
ADVICE = "(install it, for example `apt install iverilog`, or use simulator='verilator')\n"


def test_simulator_missing(polymac, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path / "empty"))
    result = polymac("verify", "multiplier", "--simulator", "icarus")
    assert (result.status, result.out, result.err) == (2, "", f"{ICARUS} missing {ADVICE}")


def test_simulator_too_old(polymac, tmp_path, monkeypatch):
    tools = tmp_path / "tools"
    _tool(tools, "iverilog", "Icarus Verilog version 10.3 (stable)")
    monkeypatch.setenv("PATH", str(tools))
    result = polymac("verify", "multiplier", "--simulator", "icarus")
    old = f"{ICARUS} version 10.3 at {tools}/iverilog {ADVICE}"
    assert (result.status, result.out, result.err) == (2, "", old)


def test_simulation_that_fails_has_status_1(polymac, monkeypatch):
    def fail(unit, **options):
        raise simulators.SimulationError("the simulator ended early")

    monkeypatch.setattr(sim, "verify", fail)
    result = polymac("verify", "multiplier")
    assert (result.status, result.out, result.err) == (1, "", "polymac: the simulator ended early\n")


def test_liberty_that_is_none(polymac):
    Path("notes.txt").write_text("area 3\n")
    result = polymac("compare", "--formats", "int2", "--liberty", "notes.txt", "--json", "areas.json")
    assert (result.status, result.out) == (2, "")
    assert result.err == ("polymac: liberty must be a Liberty file, not 'notes.txt': it holds no 'library (NAME)'\n")
    assert not Path("areas.json").exists()


def test_target_without_its_library(polymac, monkeypatch):
    reason = "cells.lib of the Python package x is not installed"
    monkeypatch.setattr(synth.Target, "missing", lambda target: reason)
    result = polymac("compare", "--formats", "int2")
    assert (result.status, result.out) == (2, "")
    assert result.err == f"polymac: target must be available, not 'nangate45': {reason}\n"
