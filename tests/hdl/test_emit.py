"""Emission: deterministic, complete, never overwriting, one module per distinct unit; and errors of the units."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from polymac import golden, hdl


def test_same_parameters_same_bytes() -> None:
    first, second = (hdl.generate(hdl.Array(a="int8", b="int4", rows=3, cols=2), "arr").files for _ in range(2))
    assert first == second


def test_one_module_per_distinct_unit_and_all_names_begin_with_the_top() -> None:
    verilog = hdl.generate(hdl.Array(a="int8", b="int4", rows=20, cols=20), "arr").verilog
    modules = re.findall(r"^module (\w+)", verilog, re.MULTILINE)
    assert len(modules) == len(set(modules))
    assert all(module == "arr" or module.startswith("arr_") for module in modules)
    assert sum("pe" in module.split("_") for module in modules) == 1
    assert verilog.count("  arr_pe pe_") == 20


def test_size_grows_no_faster_than_rows_plus_cols() -> None:
    sizes = [len(hdl.generate(hdl.Array(a="int8", b="int4", rows=n, cols=n)).verilog) for n in (16, 32, 64)]
    assert sizes[2] < 4.4 * sizes[0]


def test_written_files_and_no_overwriting(tmp_path: Path) -> None:
    design = hdl.generate(hdl.Multiplier(a="fp16", b="fp16", stages=1), "mul")
    paths = design.write(tmp_path)
    assert [path.name for path in paths] == ["mul.v", "mul.json", "mul.core"]
    metadata = json.loads(paths[1].read_text())
    assert metadata["latency"] == 1
    assert [port["name"] for port in metadata["ports"]] == ["clk", "rst", "a", "b", "y", "flags", "en"]
    with pytest.raises(golden.ParameterError) as error:
        design.write(tmp_path)
    assert str(error.value) == f"output must not hold mul.v unless --force is given, not {tmp_path / 'mul.v'}"
    assert len(design.write(tmp_path, force=True)) == 3
    assert sorted(path.name for path in tmp_path.iterdir()) == ["mul.core", "mul.json", "mul.v"]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: hdl.Multiplier(a="int8", b="fp16"),
            "a and b must be both fixed point or both float, not int8 (fixed) and fp16 (float)",
        ),
        (
            lambda: hdl.Multiplier(a="fp16", b="bf16"),
            "out must be given where a and b differ, not left out with a=fp16 and b=bf16",
        ),
        (
            lambda: hdl.Multiplier(a="int8", b="int8", rounding="rne"),
            "rounding must be left out with an exact product (no out format), not 'rne'",
        ),
        (
            lambda: hdl.Multiplier(a="fp16", b="fp16", rounding="up"),
            "rounding must be one of rne, rtz, rdn, rup, rna, not 'up'",
        ),
        (
            lambda: hdl.Multiplier(a="fp16", b="fp16", overflow="wrap"),
            "overflow must be one of ieee, saturate for float formats, not 'wrap'",
        ),
        (
            lambda: hdl.Multiplier(a="int8", b="int8", flags=True),
            "flags must be left out for fixed-point formats, not True with a=int8",
        ),
        (lambda: hdl.Array(a="int8", b="int8", rows=0, cols=4), "rows must be in 1 … 1024, not 0"),
        (
            lambda: hdl.Mac(a="int8", b="int8", acc="int15"),
            "acc must hold one product, at least 16 bits for int8 × int8, not int15 (15 bits)",
        ),
        (
            lambda: hdl.generate(hdl.Multiplier(a="int8", b="int8"), "wire"),
            "name must be a Verilog identifier, not 'wire'",
        ),
    ],
)
def test_errors(make, message: str) -> None:
    with pytest.raises(golden.ParameterError) as error:
        make()
    assert str(error.value) == message
