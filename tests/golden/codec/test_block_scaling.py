"""Scales of blocks: NVFP4's by its definition, and what happens at the ends of a scale's range."""

from __future__ import annotations

from fractions import Fraction

import ml_dtypes
import numpy as np
import pytest

from polymac import golden
from polymac.golden import FORMATS
from polymac.golden.formats import ROUNDINGS, BlockFormat, Format, block_format

from .blocks import element_values, nearest


def nvfp4(x: np.ndarray) -> tuple[list[int], list[Fraction], np.float32]:
    """NVFP4 in fp32 scalars, in Transformer Engine's order; elements by exact comparison."""
    fp32 = np.float32
    amax = fp32(max(abs(v) for v in x.flat))
    with np.errstate(over="ignore"):
        encode_scale = min(fp32(448 * 6) / amax, np.finfo(fp32).max) if amax else fp32(1)
    tensor = amax / fp32(448 * 6) if amax else fp32(1)
    scales, values = [], []
    for block in x.reshape(-1, 16):
        block_amax = fp32(max(abs(v) for v in block))
        scale = fp32(block_amax * (encode_scale * (fp32(1) / fp32(6))))
        code = int(np.asarray(min(scale, fp32(448))).astype(ml_dtypes.float8_e4m3fn).view(np.uint8))
        scales.append(code)
        step = golden.format("fp8_e4m3").fraction(code) * Fraction(float(tensor))
        table = element_values(golden.format("fp4_e2m1"))
        values += [nearest(Fraction(float(v)) / step, table, "rne") if step else Fraction(0) for v in block]
    return scales, values, tensor


@pytest.mark.parametrize("magnitude", [0, 1e-44, 1e-38, 3e-5, 1, 1e5, 3e38])
def test_nvfp4_by_the_definition(magnitude, rng):
    fmt = block_format("nvfp4")
    with np.errstate(under="ignore"):
        x = (rng.uniform(-1, 1, (8, 32)) * 2.0 ** rng.integers(-14, 1, (8, 32)) * magnitude).astype(np.float32)
    x[0, 0] = np.float32(magnitude)
    scales, elements, tensor_scale = golden.encode_blocks(x, fmt)
    expected_scales, expected_values, tensor = nvfp4(x)
    assert fmt.tensor_scale is not None and tensor_scale.shape == ()
    assert float(golden.decode(tensor_scale, fmt.tensor_scale)) == float(tensor)
    assert scales.ravel().tolist() == expected_scales
    assert [Fraction(v) for v in golden.decode(elements, fmt.element).ravel().tolist()] == expected_values


@pytest.mark.parametrize(
    ("amax", "block_amax", "code"),
    [
        # Another order of the operations, block_amax · (S / 6), gives the code below.
        ("0x1.b4c66cp+0", "0x1.092f54p+0", 121),
        ("0x1.a7d390p+0", "0x1.b6f68cp-2", 111),
        ("0x1.5fdd7cp+0", "0x1.dd8802p-2", 114),
        ("0x1.bdf01ep+0", "0x1.ae02f6p-2", 110),
    ],
)
def test_nvfp4_order_of_operations(amax, block_amax, code):
    x = np.zeros(32, np.float32)
    x[0], x[16] = float.fromhex(amax), float.fromhex(block_amax)
    scales, _, _ = golden.encode_blocks(x, "nvfp4")
    assert scales.tolist() == [126, code] and nvfp4(x)[0] == [126, code]


def test_nvfp4_tensor_scale_given():
    fmt = block_format("nvfp4")
    assert fmt.tensor_scale is not None
    x = np.linspace(-3, 3, 32)
    one = golden.encode(1.0, fmt.tensor_scale)
    scales, elements, tensor_scale = golden.encode_blocks(x, fmt, tensor_scale=one)
    assert tensor_scale == one
    # 3 / 6 is a code of the scale, so that the largest element is 6.
    assert golden.decode(scales, fmt.scale).tolist() == [0.5, 0.5]
    assert golden.decode_blocks((scales, elements, tensor_scale), fmt)[[0, -1]].tolist() == [-3, 3]
    # Far too small, it makes the scales and the elements saturate.
    scales, elements, _ = golden.encode_blocks(x, fmt, tensor_scale=golden.encode(1e-6, fmt.tensor_scale))
    assert set(golden.decode(scales, fmt.scale)) == {448} and set(np.abs(golden.decode(elements, fmt.element))) == {6}


def test_scales_of_zero_make_elements_of_zero():
    fmt = block_format("nvfp4")
    x = np.zeros(32)
    x[0], x[16] = 1, 1e-9  # 1e-9 · 448 is far below the least scale
    for rounding in ROUNDINGS:
        scales, elements, _ = golden.encode_blocks(x, fmt, rounding=rounding)
        assert scales.tolist() == [126, 0] and not elements[16:].any()


def test_scales_saturate_in_formats_without_infinity():
    fmt = BlockFormat(
        "mine",
        golden.format("fp4_e2m1"),
        golden.format("fp6_e3m2"),
        2,
        tensor_scale=golden.format("fp32"),
        scale_rule="amax",
    )
    # The product of amax and the reciprocal of the tensor scale is beyond fp32.
    scales, elements, _ = golden.encode_blocks([1e20, -1e20], fmt, tensor_scale=golden.encode(1e-30, "fp32"))
    assert golden.decode(scales, fmt.scale).tolist() == [28] and golden.decode(elements, fmt.element).tolist() == [
        6,
        -6,
    ]


def test_float_scale_without_tensor_scale():
    fmt = BlockFormat("mine", golden.format("fp4_e2m1"), golden.format("fp8_e4m3"), 4, scale_rule="amax")
    scales, elements = golden.encode_blocks([3, -1.5, 0.25, 0, 0, 0, 0, 0], fmt)
    assert golden.decode(scales, fmt.scale).tolist() == [0.5, 0]
    assert golden.decode(elements, fmt.element).tolist() == [6, -3, 0.5, 0, 0, 0, 0, 0]


def test_scales_of_few_exponents_take_numbers_of_any_size():
    narrow = Format("narrow", "float", 2, signed=False, bias=150, subnormals=False)
    fmt = BlockFormat("mine", golden.format("fp4_e2m1"), narrow, 2)
    scales, elements = golden.encode_blocks(np.array([[3e38, -1e-30], [2.0**-148, 0]], np.float32), fmt)
    assert scales[:, 0].tolist() == [3, 0]
    assert golden.decode(elements, fmt.element).tolist() == [[6, -6], [4, 0]]
    # Beyond float32, and beyond float64, when scaled: still no infinities, which would not be rounded toward zero.
    larger = Format("larger", "float", 2, signed=False, bias=20, subnormals=False)
    for scale in (narrow, larger):
        fmt = BlockFormat("mine", golden.format("fp8_e4m3"), scale, 2)
        for x in (np.array([3e38, -3e38], np.float32), np.array([1.7e308, -1.7e308])):
            _, elements = golden.encode_blocks(x, fmt, rounding="rtz", overflow="ieee")
            assert golden.decode(elements, fmt.element).tolist() == [448, -448]


def test_scale_code_0_is_for_blocks_of_zeros_alone():
    fmt = BlockFormat("mine", golden.format("fp4_e2m1"), golden.format("exp8"), 2, zero_scale=True)
    scales, elements = golden.encode_blocks([[2.0**-126, 0], [2.0**-127, 0]], fmt)
    assert scales[:, 0].tolist() == [1, 0]
    assert golden.decode(elements, fmt.element).tolist() == [[1, 0], [0, 0]]


def test_the_tensor_scale_of_small_numbers():
    scales, elements, tensor = golden.encode_blocks(np.full(16, 2.0**-10), "nvfp4")
    assert float(golden.decode(tensor, FORMATS["fp32"])) == np.float32(2.0**-10) / np.float32(448 * 6)
    assert golden.decode_blocks((scales, elements, tensor), "nvfp4").tolist() == pytest.approx([2.0**-10] * 16)
