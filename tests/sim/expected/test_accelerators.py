"""The generated dot product of every preset gives what GPUs gave, where the recordings are there, and what golden does."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from polymac import golden, hdl, sim
from polymac.golden.formats.accelerators import PRESETS
from polymac.sim.expected.sums import to_bus
from polymac.sim.units import entry_of

#: Recordings of north-numerical-computing/MATLAB-tensor-core (BSD 2-clause), converted; no part of this repository.
RECORDED = Path(__file__).resolve().parents[3] / ".." / "shared" / "vectors" / "tensor_cores"
#: The machines that there are recordings of.
GPUS = ("V100_fp16", "A100_fp16", "A100_bf16", "A100_tf32", "H100_fp16", "H100_bf16", "H100_e4m3", "H100_e5m2")


def units(names: list[str]) -> dict[str, hdl.Dot]:
    return {name: hdl.Dot(**hdl.preset_parameters(name)) for name in names}


@pytest.fixture(scope="module")
def gpus() -> sim.Model:
    """The dot products of all GPUs with recordings, in one model."""
    return sim.Model.build(hdl.generate_all(units([name.lower() for name in GPUS])))


@pytest.mark.parametrize("name", GPUS)
def test_recorded_on_gpus(name: str, gpus: sim.Model) -> None:
    path = RECORDED / f"{name}.npz"
    if not path.exists():
        pytest.skip(f"the recorded outputs are not here: {path.name} of MATLAB-tensor-core")
    preset = golden.preset(name.lower())
    fmt, lanes = golden.format(preset.a), preset.lanes
    with np.load(path) as recorded:
        a, b = (golden.encode(recorded[side].view(np.float32), fmt) for side in "ab")
        sums, expected = recorded["c"], recorded["d"]
    depth = -(-a.shape[1] // lanes) * lanes
    a, b = (np.pad(codes, ((0, 0), (0, depth - codes.shape[1]))) for codes in (a, b))
    # A long inner product is a chain of blocks.
    for start in range(0, depth, lanes):
        block = slice(start, start + lanes)
        inputs = {"a": to_bus(a[:, block], fmt), "b": to_bus(b[:, block], fmt), "c": sums}
        sums = gpus.evaluate_all({preset.name: inputs})[preset.name]["d"]
    assert len(sums) == 2500
    assert int((sums != expected).sum()) == 0


def test_presets_like_golden() -> None:
    """All others, and those of the GPUs by way of their styles in test_dot.py."""
    others = units([name for name in PRESETS if name not in {gpu.lower() for gpu in GPUS}])
    assert len(others) == 7
    model = sim.Model.build(hdl.generate_all(others))
    inputs = {name: next(entry_of(unit).operand_sets(unit, 4_000, 1)) for name, unit in others.items()}
    outputs = model.evaluate_all(inputs)
    for name, unit in others.items():
        np.testing.assert_array_equal(outputs[name]["d"], entry_of(unit).expected(unit, inputs[name])["d"], name)


@pytest.mark.parametrize("name", PRESETS)
def test_dot_of_a_preset_is_the_golden_dot(name: str) -> None:
    """Its parameters say what golden's do."""
    preset, unit = PRESETS[name], hdl.Dot(**hdl.preset_parameters(name))
    assert (unit.accumulator.a.name, unit.accumulator.b.name, unit.accumulator.out.name) == (
        preset.a,
        preset.b,
        preset.out,
    )
    assert unit.accumulator.products == preset.lanes
    if unit.accumulator.style is None:
        assert unit.accumulator.parameters["overflow"] == getattr(preset.acc, "overflow", None)
    else:
        assert golden.formats.style_name(unit.accumulator.style) == golden.formats.style_name(preset.acc)
