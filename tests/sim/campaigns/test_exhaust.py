"""Long comparisons: complete, seen to fail, and going on where they were stopped."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from polymac import hdl
from polymac.golden.formats import ParameterError
from polymac.sim.campaigns import exhaust as exhaustive
from polymac.sim.campaigns.exhaust import exhaust

SCRIPT = Path(__file__).parents[2] / "campaigns" / "exhaustive.py"
E5M2: dict[str, Any] = {"a": "fp8_e5m2", "b": "fp8_e5m2"}


def test_all_pairs_in_two_modes(tmp_path: Path) -> None:
    calls: list[tuple[int, int]] = []
    result = exhaust(E5M2, modes=["rne", "rup"], jobs=1, folder=tmp_path, progress=lambda *call: calls.append(call))
    assert (result.pairs, result.total_pairs, result.mismatches) == (1 << 16, 1 << 16, 0)
    assert result.complete and result.examples == []
    assert result.operands == "all 65,536 pairs"
    assert result.modes == ["rne", "rup"]
    assert set(result.versions) == {"polymac", "python", "numpy", "simulator"}
    assert calls == [(0, 2 << 16), (2 << 16, 2 << 16)]
    # What is done is not done again.
    assert exhaust(E5M2, modes=["rne", "rup"], jobs=1, folder=tmp_path) == result
    (record,) = tmp_path.iterdir()
    record.write_text("{")
    with pytest.raises(ParameterError) as error:
        exhaust(E5M2, modes=["rne", "rup"], jobs=1, folder=tmp_path)
    assert str(error.value) == (
        f"the record must be readable JSON, not {record}: "
        "Expecting property name enclosed in double quotes: line 1 column 2 (char 1)"
    )


def test_an_exact_product_and_pairs_next_to_boundaries(tmp_path: Path) -> None:
    integers = exhaust({"a": "int8", "b": "uint4"}, jobs=1, folder=tmp_path)
    assert (integers.pairs, integers.mismatches, integers.modes) == (1 << 12, 0, [])
    floats = exhaust({"a": "fp32", "b": "fp32"}, vectors=5000, seed=3, jobs=1, folder=tmp_path)
    assert (floats.pairs, floats.mismatches, len(floats.modes)) == (5000, 0, 5)
    assert floats.operands == "5,000 pairs at rounding boundaries, seed 3"


def test_a_broken_copy_is_seen_with_operands(tmp_path: Path) -> None:
    design = hdl.generate(hdl.Multiplier(**E5M2, rounding="port"), "broken")
    line = next(line for line in design.verilog.splitlines() if "wire sticky =" in line)
    broken = replace(design, verilog=design.verilog.replace(line, line.split("=")[0] + "= 1'b0;"))
    result = exhaust(E5M2, jobs=1, folder=tmp_path, design=broken)
    assert result.complete and 0 < result.mismatches < 5 << 16
    assert len(result.examples) == 5
    assert result.examples[0].startswith("a=0x")
    assert "hardware y=0x" in result.examples[0] and "golden y=0x" in result.examples[0]
    # The record keeps them.
    assert exhaust(E5M2, jobs=1, folder=tmp_path, design=broken) == result


def test_a_limit_takes_chunks_from_everywhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exhaustive, "CHUNK", 1 << 10)
    plan = exhaustive._Plan({}, hdl.generate(hdl.Multiplier(a="int4", b="int4"), "m"), (), 1 << 16, None)
    assert plan.chunks(None) == list(range(64))
    assert plan.chunks(1 << 12) == [0, 16, 32, 48]
    assert plan.chunks((1 << 12) + 1) == [0, 12, 25, 38, 51]
    assert plan.chunks(1) == [0]
    assert plan.chunks(1 << 20) == list(range(64))


@pytest.mark.slow
def test_ctrl_c_keeps_what_is_done_and_the_next_run_goes_on(tmp_path: Path) -> None:
    command = [sys.executable, str(SCRIPT), "--unit", "int16", "--limit", "2^27", "--jobs", "1"]
    command += ["--json", str(tmp_path / "result.json"), "--folder", str(tmp_path / "records")]
    process = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # A parent that ignores SIGINT, as a shell's background job does, would hand that down.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    try:
        deadline = time.monotonic() + 60
        while not list(tmp_path.glob("records/*.json")):
            assert time.monotonic() < deadline and process.poll() is None
            time.sleep(0.05)
        os.kill(process.pid, signal.SIGINT)
        _, errors = process.communicate(timeout=30)
    finally:
        process.kill()
    assert (process.returncode, errors.strip()) == (1, "Aborted!")
    (record,) = tmp_path.glob("records/*.json")
    done = json.loads(record.read_text())["done"]
    assert 0 < len(done) < 128
    # As if but two chunks were missing.
    saved = json.loads(record.read_text())
    saved |= {"done": list(exhaustive._Plan({}, None, (), 1 << 32, None).chunks(1 << 27))[2:], "pairs": 126 << 20}  # pyright: ignore[reportArgumentType]
    record.write_text(json.dumps(saved))
    finished = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (finished.returncode, finished.stderr) == (0, "")
    assert finished.stdout.startswith("PASSED: int16 × int16, 134,217,728 of all 4,294,967,296 pairs, evenly spread\n")
    assert "134,217,728 products of 134,217,728 pairs" in finished.stdout
    (result,) = json.loads((tmp_path / "result.json").read_text())
    assert (result["pairs"], result["mismatches"], result["complete"]) == (1 << 27, 0, True)
    assert len(result["verilog_sha256"]) == 64


def test_the_script_says_what_is_wrong_in_one_line(tmp_path: Path) -> None:
    command = [sys.executable, str(SCRIPT), "--modes", "up", "--folder", str(tmp_path)]
    run = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (run.returncode, run.stdout) == (2, "")
    assert run.stderr == "Error: modes must be of rne, rtz, rdn, rup, rna, not 'up'\n"


@pytest.mark.parametrize(
    ("options", "arguments", "message"),
    [
        (E5M2 | {"stages": 1}, {}, "stages must be left out of the options, not 1"),
        (E5M2 | {"rounding": "rtz"}, {}, "rounding must be left out of the options, not 'rtz'"),
        ({"a": "int8", "b": "int8"}, {"modes": ["rne"]}, "modes must be left out for an exact product, not rne"),
        (E5M2, {"modes": ["away"]}, "modes must be of rne, rtz, rdn, rup, rna, not 'away'"),
        (E5M2, {"limit": 0}, "limit must be at least 1, not 0"),
        (E5M2, {"vectors": 0}, "vectors must be at least 1, not 0"),
        (E5M2, {"seed": -1}, "seed must be at least 0, not -1"),
        (E5M2, {"jobs": 0}, "jobs must be at least 1, not 0"),
    ],
)
def test_errors(tmp_path: Path, options: dict, arguments: dict, message: str) -> None:
    with pytest.raises(ParameterError) as error:
        exhaust(options, folder=tmp_path, **arguments)
    assert str(error.value) == message
    assert list(tmp_path.iterdir()) == []
