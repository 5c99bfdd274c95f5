"""Dot products and multiply-accumulate units at every depth of their pipelines against golden."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from polymac import hdl, sim
from polymac.sim.units import entry_of

Options = dict[str, Any]

#: Of every style, and of each of its ways through the steps, the smallest units.
DOTS: list[Options] = [
    {"a": "int4", "b": "int4", "lanes": 3, "acc": "int10", "overflow": "saturate"},
    {"a": "int5", "b": "uint3", "lanes": 2, "architecture": "row_adders"},
    {"a": "uint4", "b": "uint5", "architecture": "booth"},
    {"a": "bin1", "b": "bin1", "lanes": 4, "acc": "int6"},
    {"a": "bin1", "b": "int3", "lanes": 2, "architecture": "tree"},
    {"a": "fp4_e2m1", "b": "fp4_e2m1", "acc": "fp8_e4m3"},
    {"a": "e3m2", "b": "e2m3", "acc": "e4m3", "rounding": "port", "flags": True, "architecture": "row_adders"},
    {"a": "e2m1", "b": "e3m2", "lanes": 2, "acc": "rounded:fp8_e5m2:rdn:2"},
    {"a": "e2m2", "b": "e2m2", "lanes": 2, "acc": "rounded:e3m3:rup", "overflow": "saturate"},
    {"a": "e2m1", "b": "e2m1", "lanes": 3, "acc": "exact", "out": "fp8_e5m2", "architecture": "tree"},
    {"a": "fp8_e4m3", "b": "e2m1", "lanes": 2, "acc": "exact:rdn", "out": "bf16"},
    {"a": "e2m1", "b": "e2m1", "lanes": 2, "acc": "aligned:2:4:4", "out": "e4m4"},
    {"a": "fp8_e5m2", "b": "e2m1", "lanes": 2, "acc": "aligned:1:6:6", "out": "e5m6", "architecture": "row_adders"},
    {"a": "mxfp4", "b": "mxfp4", "lanes": 2, "acc": "bf16"},
    {"a": "nvfp4", "b": "msfp11", "lanes": 2, "acc": "fp16"},
    {"a": "nvfp4", "b": "nvfp4", "acc": "exact", "out": "bf16"},
]
MACS: list[Options] = [
    {"a": "int4", "b": "int4", "acc": "int9", "overflow": "saturate"},
    {"a": "e2m1", "b": "e3m2", "acc": "fp8_e4m3"},
    {"a": "e2m1", "b": "e2m1", "lanes": 2, "acc": "exact", "out": "bf16", "max_k": 300},
    {"a": "e2m1", "b": "e2m1", "lanes": 2, "acc": "exact:rdn", "out": "fp8_e5m2", "max_k": 300},
    {"a": "mxfp4", "b": "e2m1", "lanes": 2, "acc": "exact", "max_k": 300, "force_wide": True},
    {"a": "e2m1", "b": "e2m1", "lanes": 2, "acc": "aligned:2:4:4", "out": "e4m4"},
]


def steps(unit: hdl.Dot | hdl.Mac) -> int:
    """Registers with which every place of the unit has one."""
    accumulator = unit.accumulator
    return len(accumulator.feed_delays) + len(accumulator.add_delays) + len(accumulator.result_delays) + 1


def check(units: list[hdl.Unit], vectors: int) -> None:
    """Simulate units in one model, and compare every output."""
    names = [f"unit{index}" for index in range(len(units))]
    model = sim.Model.build(hdl.generate_all(dict(zip(names, units, strict=True))))
    inputs = {
        name: next(entry_of(unit).operand_sets(unit, vectors, 3)) for name, unit in zip(names, units, strict=True)
    }
    outputs = model.evaluate_all(inputs)
    for name, unit in zip(names, units, strict=True):
        for port, expected in entry_of(unit).expected(unit, inputs[name]).items():
            wrong = np.flatnonzero(outputs[name][port] != expected)
            assert not len(wrong), (unit.parameters, port, wrong[:5])


def dots(options: Options, depths: range | list[int]) -> list[hdl.Unit]:
    return [hdl.Dot(**options, stages=depth) for depth in depths]


def test_some_depths_of_dots() -> None:
    """Of half of the units in turn a register at every place, one more than that, and fewer; the others are slow."""
    units: list[hdl.Unit] = []
    for index, options in enumerate(DOTS[::2]):
        most = steps(hdl.Dot(**options))
        units += dots(options, [(most, 2 + index % (most - 2), most + 1)[index % 3]])
    check(units, 1_000)


@pytest.mark.slow
@pytest.mark.parametrize("options", DOTS, ids=str)
def test_every_depth_of_dots(options: Options) -> None:
    check(dots(options, range(1, steps(hdl.Dot(**options)) + 3)), 5_000)


def test_some_depths_of_macs() -> None:
    units: list[hdl.Unit] = []
    for index, options in enumerate(MACS):
        most = steps(hdl.Mac(**options))
        stages, interleave = ((4, most), (most, 1 + index))[index % 2]
        units.append(hdl.Mac(**options, stages=stages, interleave=interleave))
    check(units, 500)


@pytest.mark.slow
@pytest.mark.parametrize("options", MACS, ids=str)
def test_every_depth_of_macs(options: Options) -> None:
    most = steps(hdl.Mac(**options))
    units: list[hdl.Unit] = [hdl.Mac(**options, stages=depth) for depth in range(1, most + 2)]
    check(units + [hdl.Mac(**options, stages=1, interleave=depth) for depth in range(2, most + 2)], 2_000)


@pytest.mark.parametrize(
    "unit",
    [
        hdl.Dot(a="e3m2", b="e3m2", acc="fp8_e5m2", architecture="row_adders", stages=22),
        hdl.Mac(a="e2m1", b="e2m1", acc="exact", out="bf16", stages=14),
        hdl.Mac(a="e2m1", b="e3m2", acc="fp8_e4m3", stages=3, interleave=15),
    ],
    ids=lambda unit: f"{unit.kind}-{unit.latency}",
)
def test_stalls(unit: hdl.Unit, simulator: sim.Simulator, tmp_path: Any) -> None:
    result = sim.verify(unit, vectors=300, simulator=simulator.name, folder=tmp_path)
    assert result.passed, result.details
