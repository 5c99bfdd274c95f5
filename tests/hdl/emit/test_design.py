"""Emission: deterministic, complete, never overwriting, one module per distinct unit."""

from __future__ import annotations

import itertools
import json
import re
from pathlib import Path

import numpy as np
import pytest

from polymac import golden, hdl, sim

#: Results of multipliers.
OUTS = ("fp16", "bf16", "fp32", "fp8_e5m2", "e4m7")


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
    assert str(error.value) == f"output must not hold mul.v unless force is True, not {tmp_path / 'mul.v'}"
    assert len(design.write(tmp_path, force=True)) == 3
    assert sorted(path.name for path in tmp_path.iterdir()) == ["mul.core", "mul.json", "mul.v"]


@pytest.mark.parametrize("name", ["wire", "logic", "2x", "a-b", "", "a b", "größe"])
def test_name_is_an_identifier_in_verilog_and_systemverilog(name: str) -> None:
    with pytest.raises(golden.ParameterError) as error:
        hdl.generate(hdl.Multiplier(a="int8", b="int8"), name)
    assert str(error.value) == f"name must be a Verilog identifier, not {name!r}"


def test_output_that_is_a_file(tmp_path: Path) -> None:
    design = hdl.generate(hdl.Multiplier(a="int4", b="int4"), "mul")
    (tmp_path / "taken").write_text("mine")
    with pytest.raises(golden.ParameterError) as error:
        design.write(tmp_path / "taken")
    assert str(error.value) == f"output must be a folder, not the file {tmp_path / 'taken'}"
    assert (tmp_path / "taken").read_text() == "mine"


def test_failed_write_leaves_nothing(tmp_path: Path) -> None:
    """A folder that cannot be made, since a file stands where its parent would be."""
    design = hdl.generate(hdl.Multiplier(a="int4", b="int4"), "mul")
    (tmp_path / "file").write_text("")
    with pytest.raises(golden.ParameterError) as error:
        design.write(tmp_path / "file" / "folder")
    assert str(error.value) == (
        f"output must be a folder that can be written to, not {tmp_path / 'file' / 'folder'}: Not a directory"
    )
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_core_file_names_the_top_and_its_source() -> None:
    core = hdl.generate(hdl.Mac(a="int8", b="int8"), "mac8").files["mac8.core"]
    assert core.startswith("CAPI=2:\nname: polymac:generated:mac8:")
    assert "      - mac8.v\n" in core
    assert "    toplevel: mac8\n" in core


def test_metadata_says_formats_latency_and_packing() -> None:
    metadata = hdl.generate(hdl.Array(a="int8", b="q2.2", rows=3, cols=2, lanes=2, stages=1), "arr").metadata
    assert metadata["latency"] == 3 + 2 + 1 + 1
    ports = {port["name"]: port for port in metadata["ports"]}
    a_data = {"name": "a_data", "direction": "input", "width": 48, "role": "data", "format": "int8", "elements": 6}
    assert ports["a_data"] == a_data | {"stream": "a"}
    assert (ports["b_data"]["format"], ports["b_data"]["elements"], ports["b_data"]["width"]) == ("q2.2", 4, 16)
    assert (ports["c_ready"]["direction"], ports["c_ready"]["role"]) == ("input", "ready")


def test_names_of_which_one_is_that_of_a_submodule_of_the_other() -> None:
    """The fp16 multiplier has submodules mul_round and mul_unpack, and the one called mul_round has mul_round_v2's."""
    names = ("mul", "mul_round", "mul_unpack", "mul_round_v2", "mul_round_round")
    units = {name: hdl.Multiplier(a="fp16", b="fp8_e4m3", out=out) for name, out in zip(names, OUTS, strict=True)}
    designs = hdl.generate_all(units)
    modules = [re.findall(r"^module (\w+)", design.verilog, re.MULTILINE) for design in designs]
    assert [found[0] for found in modules] == list(names)
    every = list(itertools.chain.from_iterable(modules))
    assert len(every) == len(set(every)) > 15
    for design, found in zip(designs, modules, strict=True):
        assert all(name.startswith(design.name) for name in found)
        assert set(re.findall(r"^  (\w+) \w+ \($", design.verilog, re.MULTILINE)) == set(found[1:])
    model = sim.Model.build(designs)
    inputs = {"a": np.arange(1 << 12) << 4, "b": np.arange(1 << 12) >> 4}
    for name, outputs in model.evaluate_all(dict.fromkeys(names, inputs)).items():
        want = golden.multiply(inputs["a"], inputs["b"], "fp16", "fp8_e4m3", out=units[name].out_format)
        assert np.array_equal(outputs["y"], want), name
