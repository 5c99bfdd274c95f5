"""Multipliers of every scalar format under cocotb: through the pipeline, with stalls, in both simulators."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from polymac import golden, hdl, sim
from polymac.sim.units import entry_of
from polymac.sim.units.job import VectorJob

from ...catalogue import SAMPLED

FEATURES: list[dict[str, Any]] = [
    {"formats": ("fp8_e4m3", "fp8_e5m2"), "rounding": "stochastic", "stages": 3, "valid": True},
    {"a": "fp8_e5m2", "b": "fp8_e4m3", "out": "unpacked", "subnormals": "flush", "stages": 2, "valid": True},
]
MORE: list[dict[str, Any]] = [
    {"formats": ("fp16", "bf16", "fp8_e4m3"), "rounding": "port", "random_bits": 5, "stages": 4},
    {"a": "int8", "b": "q4.4", "out": "q6.2", "rounding": "stochastic", "stages": 3, "valid": True},
    {"a": "fp64", "b": "int8", "out": "unpacked", "stages": 1},
]


def of_format(index: int, name: str) -> dict[str, Any]:
    """A multiplier of one format of the catalogue, each with another number of stages and other policies."""
    fmt = golden.format(name)
    options: dict[str, Any] = {"a": name, "b": name, "stages": 1 + index % 5, "valid": bool(index % 2)}
    if fmt.kind == "float":
        options["subnormals"] = ("full", "flush")[index % 3 == 0]
        usable = fmt.signed and fmt.has_zero
        options |= {"rounding": ("port", "rne", "stochastic", "rup")[index % 4]} if usable else {"out": "exact"}
    return options


ALL = [of_format(index, name) for index, name in enumerate(SAMPLED)]


def check(options: dict[str, Any], simulator: sim.Simulator, folder: Path, vectors: int) -> None:
    unit = hdl.Multiplier(**options)
    result = sim.verify(unit, vectors=vectors, simulator=simulator.name, folder=folder, seed=2)
    assert result.passed, result.details
    assert result.checked > 0.9 * vectors  # nothing is defined before the first operands have arrived


@pytest.mark.parametrize("options", FEATURES, ids=["selected", "unpacked"])
def test_features(options: dict[str, Any], simulator: sim.Simulator, tmp_path: Path) -> None:
    check(options, simulator, tmp_path, 400)


@pytest.mark.slow
@pytest.mark.parametrize("options", [*MORE, *ALL], ids=lambda options: str(options.get("a", options.get("formats"))))
def test_every_scalar_format(options: dict[str, Any], simulator: sim.Simulator, tmp_path: Path) -> None:
    check(options, simulator, tmp_path, 1_000)


def test_a_job_holds_what_is_needed_to_see_a_fault() -> None:
    """Stalls, operands that do not count, resets, every format, and results that are not defined."""
    unit = hdl.Multiplier(**FEATURES[0])
    job = entry_of(unit).make_job(unit, 500, 1, "")
    assert isinstance(job, VectorJob)
    assert 0.5 < np.mean(job.inputs["en"]) < 0.95
    assert 0.5 < np.mean(job.inputs["valid"]) < 0.9
    assert set(job.inputs["select"]) == {0, 1}
    assert len(set(job.inputs["random"])) > 100
    assert sum(job.inputs["rst"][:330]) == 0 < sum(job.inputs["rst"]) < 20
    assert job.outputs["y_valid"][: unit.stages] == [0] * unit.stages
    assert None not in job.outputs["y_valid"]
    other = hdl.Multiplier(**FEATURES[1])
    unpacked = entry_of(other).make_job(other, 500, 1, "")
    assert isinstance(unpacked, VectorJob)
    undefined = [value is None for value in unpacked.outputs["significand"]]
    assert 5 < sum(undefined) < 400
    assert all(value is not None for value in unpacked.outputs["nan"][unit.stages : 330])
    # What a reset leaves in a pipeline is no result, and says so.
    after = unpacked.inputs["rst"].index(1) + 1
    assert unpacked.outputs["nan"][after] is None and unpacked.outputs["y_valid"][after] == 0


def test_a_lost_valid_is_seen(tmp_path: Path) -> None:
    unit = hdl.Multiplier(a="int4", b="int4", stages=2, valid=True)
    design = hdl.generate(unit, "broken_multiplier")
    verilog, count = re.subn(r"y_valid <= valid_1;", "y_valid <= valid;", design.verilog)
    assert count == 1
    broken = dataclasses.replace(design, verilog=verilog)
    assert sim.verify(unit, design=design).passed
    result = sim.verify(unit, vectors=200, simulator="verilator", folder=tmp_path, design=broken)
    assert not result.passed
    assert "y_valid=0x" in result.details[0]


@pytest.mark.parametrize(
    ("options", "vectors", "text"),
    [
        ({"a": "fp8_e4m3", "b": "fp8_e4m3"}, None, "all 65,536 pairs"),
        ({"a": "fp32", "b": "fp32"}, 10_000, "10,000 of 2^64 pairs, seed 7"),
        ({"a": "int4", "b": "int4", "out": "int4", "rounding": "port"}, None, "all 2,048 operand sets"),
    ],
)
def test_what_was_checked_is_said(options: dict[str, Any], vectors: int | None, text: str) -> None:
    result = sim.verify(hdl.Multiplier(**options), vectors=vectors, seed=7)
    assert (result.passed, result.coverage) == (True, text)
