"""Every preset against what real GPUs gave, where the recordings are there, and against its published numbers."""

from pathlib import Path

import numpy as np
import pytest

from polymac import golden
from polymac.golden import ParameterError
from polymac.golden.formats.accelerators import PRESETS, preset
from polymac.golden.formats.accumulation import Aligned, Exact, Rounded
from polymac.golden.formats.registry import any_format, block_format
from polymac.golden.sums.block import block_gemm
from polymac.golden.sums.dot import dot

#: Recordings of north-numerical-computing/MATLAB-tensor-core (BSD 2-clause), converted; no part of this repository.
RECORDED = Path(__file__).resolve().parents[3] / ".." / "shared" / "vectors" / "tensor_cores"


@pytest.mark.parametrize(
    "name",
    ["V100_fp16", "A100_fp16", "A100_bf16", "A100_tf32", "H100_fp16", "H100_bf16", "H100_e4m3", "H100_e5m2"],
)
def test_recorded_on_gpus(name):
    path = RECORDED / f"{name}.npz"
    if not path.exists():
        pytest.skip(f"the recorded outputs are not here: {path.name} of MATLAB-tensor-core")
    unit = preset(name.lower())
    fmt = golden.format(unit.a)
    with np.load(path) as recorded:
        a, b = (golden.encode(recorded[side].view(np.float32), fmt) for side in "ab")
        for codes, side in ((a, "a"), (b, "b")):
            np.testing.assert_array_equal(golden.decode(codes, fmt).astype(np.float32).view(np.uint32), recorded[side])
        found = dot(a, b, unit.a, unit.b, recorded["c"], acc=unit.acc, out=unit.out)
        assert len(found) == 2500
        np.testing.assert_array_equal(found, recorded["d"])
        # The recordings tell the style from a correctly rounded sum.
        correct = dot(a, b, unit.a, unit.b, recorded["c"], out=unit.out)
        assert 0.3 < (correct != recorded["d"]).mean() < 0.65


def test_every_preset_names_known_formats():
    for name, unit in PRESETS.items():
        assert unit.name == name and unit.source
        for fmt in (unit.a, unit.b, unit.out):
            assert any_format(fmt).name == fmt
        if isinstance(unit.acc, Aligned):
            assert unit.lanes == unit.acc.block


@pytest.mark.parametrize(
    ("name", "style"),
    [
        ("v100_fp16", (4, 23, 23)),
        ("a100_fp16", (8, 24, 23)),
        ("a100_bf16", (8, 24, 23)),
        ("a100_tf32", (4, 24, 23)),
        ("h100_fp16", (16, 25, 23)),
        ("h100_bf16", (16, 25, 23)),
        ("h100_e4m3", (32, 13, 13)),
        ("h100_e5m2", (32, 13, 13)),
    ],
)
def test_published_parameters(name, style):
    assert preset(name).acc == Aligned(*style)


def test_integer_tensor_cores_wrap():
    for name, a, b, c, d in (
        ("a100_int8", 0x80, 0x80, 0x7FFFFFFF, 0x7FFFFFFF + (1 << 14)),
        ("a100_int4", 0x8, 0x7, 0x80000000, 0x80000000 - 56),
        ("a100_bin1", 1, 0, 0x80000000, 0x7FFFFFFF),
    ):
        unit = preset(name)
        assert int(dot([a], [b], unit.a, unit.b, c, acc=unit.acc, out=unit.out)) == d


def test_float_presets_without_alignment():
    fp64 = preset("a100_fp64")
    # 2^53 + 1 + 1 in fp64: each 1 is a tie to even, and lost; their exact sum would not be.
    codes = golden.encode([2.0**53, 1, 1], "fp64")
    ones = golden.encode([1.0, 1, 1], "fp64")
    assert fp64.acc == Rounded("fp64")
    assert dot(codes, ones, "fp64", "fp64", acc=fp64.acc).view(np.float64) == 2.0**53
    tpu = preset("tpu_bf16")
    codes, ones = golden.encode([2.0**24, 1, 1], "bf16"), golden.encode([1.0, 1, 1], "bf16")
    assert dot(codes, ones, tpu.a, tpu.b, acc=tpu.acc, out=tpu.out) == 0x4B800000


@pytest.mark.parametrize(("name", "steps"), [("brainwave_msfp8", 2), ("brainwave_msfp9", 4)])
def test_brainwave_boxes(name, steps, rng):
    unit = preset(name)
    fmt = block_format(unit.a)
    integers = rng.integers(-2 * steps + 1, 2 * steps, (2, 3, 256))
    # A full mantissa in every box pins its exponent to 0: every element is a multiple of 1/steps.
    integers[:, :, ::128] = 2 * steps - 1
    x, y = integers / steps
    assert unit.acc == Exact() and unit.lanes == fmt.block_size == 128
    d = block_gemm(
        golden.encode_blocks(x, fmt),
        golden.encode_blocks(y.T, fmt, axis=0),
        unit.a,
        unit.b,
        acc=unit.acc,
        out=unit.out,
    )
    expected = (integers[0] @ integers[1].T / steps**2).astype(np.float16)
    np.testing.assert_array_equal(d, expected.view(np.uint16))


@pytest.mark.parametrize(
    ("name", "error", "message"),
    [
        (
            "a100_fp8",
            ParameterError,
            "preset must be one of v100_fp16, a100_fp16, a100_bf16, a100_tf32, a100_int8, a100_int4, a100_bin1, "
            "a100_fp64, h100_fp16, h100_bf16, h100_e4m3, h100_e5m2, tpu_bf16, brainwave_msfp8, brainwave_msfp9, "
            "not 'a100_fp8'; did you mean a100_fp64 or a100_fp16 or v100_fp16?",
        ),
        (
            "xyz",
            ParameterError,
            "preset must be one of v100_fp16, a100_fp16, a100_bf16, a100_tf32, a100_int8, a100_int4, a100_bin1, "
            "a100_fp64, h100_fp16, h100_bf16, h100_e4m3, h100_e5m2, tpu_bf16, brainwave_msfp8, brainwave_msfp9, "
            "not 'xyz'",
        ),
        (100, TypeError, "preset must be a name, not 100"),
    ],
)
def test_errors(name, error, message):
    with pytest.raises(error) as caught:
        preset(name)
    assert str(caught.value) == message


def test_lanes_of_integer_presets_are_k_of_the_least_mma_shape():
    assert {name: unit.lanes for name, unit in golden.PRESETS.items() if unit.out == "int32"} == {
        "a100_int8": 16,
        "a100_int4": 32,
        "a100_bin1": 128,
    }
    assert {name: golden.preset(name).lanes for name in ("a100_fp64", "tpu_bf16")} == {"a100_fp64": 1, "tpu_bf16": 1}
