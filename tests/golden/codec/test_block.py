"""Blocks of codes: against plain scalar definitions and other libraries."""

from __future__ import annotations

import dataclasses
import math
from fractions import Fraction
from typing import Any

import gfloat
import ml_dtypes
import numpy as np
import pytest
from gfloat.block import compute_scale_amax, decode_block, encode_block
from gfloat.formats import all_block_formats, format_info_ocp_e4m3

from polymac import golden
from polymac.golden import ParameterError
from polymac.golden.formats import BLOCK_FORMATS, ROUNDINGS, BlockFormat, block_format

from .blocks import element_values, nearest

POWER_OF_TWO = [name for name, fmt in BLOCK_FORMATS.items() if fmt.power_of_two]
MX = [name for name in BLOCK_FORMATS if name.startswith("mx")]


def numbers(rng: np.random.Generator, blocks: int, size: int) -> np.ndarray:
    """Blocks of float32: of very different magnitudes, with zeros and ties, and some powers of two and neighbours."""
    x = rng.standard_normal((blocks, size)) * np.exp2(rng.integers(-140, 126, (blocks, 1)))
    coarse = np.round(rng.standard_normal((blocks, size)) * 8) / 4 * np.exp2(rng.integers(-120, 120, (blocks, 1)))
    x = np.where(rng.random((blocks, 1)) < 0.5, x, coarse)
    power = np.exp2(rng.integers(-126, 127, (blocks, size)).astype(float))
    x = np.where(rng.random((blocks, size)) < 0.05, power * (1 - 2**-24 * (rng.random((blocks, size)) < 0.3)), x)
    x[rng.random((blocks, size)) < 0.1] = 0
    x[:3] = 0
    with np.errstate(over="ignore"):
        x = x.astype(np.float32)
    return np.where(np.isfinite(x), x, np.float32(1))


def floor_log2(x: Fraction) -> int:
    exponent = x.numerator.bit_length() - x.denominator.bit_length()
    return exponent if Fraction(2) ** exponent <= x else exponent - 1


def reference(block: list[float], fmt: BlockFormat, rule: str, rounding: str) -> tuple[int, list[Fraction]]:
    """Scale code and values of elements of one block, by the definition, in exact rational numbers."""
    exact = [Fraction(x) for x in block]
    if fmt.zero_scale:
        exact = [x if abs(x) >= Fraction(2) ** (1 - fmt.scale.bias) else Fraction(0) for x in exact]
    amax = max(map(abs, exact))
    values = element_values(fmt.element, fmt.symmetric)
    if amax == 0:
        return 0, [Fraction(0)] * len(block)
    exponent = floor_log2(amax) - floor_log2(fmt.element.max)
    if rule == "ceil" and amax > fmt.element.max * Fraction(2) ** exponent:
        exponent += 1
    code = min(max(exponent + fmt.scale.bias, int(fmt.zero_scale)), fmt.scale.max_code)
    scale = Fraction(2) ** (code - fmt.scale.bias)
    return code, [nearest(x / scale, values, rounding) for x in exact]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", POWER_OF_TWO)
def test_power_of_two_scales_by_the_definition(name, dtype, rng):
    fmt = block_format(name)
    x = numbers(rng, 24 if fmt.block_size < 100 else 6, fmt.block_size).astype(dtype)
    if dtype is np.float64:
        x *= 1 + 2.0**-40 * rng.integers(-3, 4, x.shape)
    for rule in ("floor", "ceil"):
        for rounding in ROUNDINGS:
            scales, elements = golden.encode_blocks(x, fmt, scale_rule=rule, rounding=rounding)
            decoded = golden.decode(elements, fmt.element)
            for row, block in enumerate(x.tolist()):
                code, values = reference(block, fmt, rule, rounding)
                assert scales[row, 0] == code
                assert [Fraction(v) for v in decoded[row].tolist()] == values, (rule, rounding, row)


@pytest.mark.parametrize("name", BLOCK_FORMATS)
def test_decode_is_the_product(name, rng):
    fmt = block_format(name)
    scales = rng.integers(0, fmt.scale.max_code + 1, (2, 3))
    elements = rng.integers(0, fmt.element.code_count, (2, 3 * fmt.block_size))
    tensor = [] if fmt.tensor_scale is None else [golden.encode(1.7e-5, fmt.tensor_scale)]
    real = golden.decode_blocks((scales, elements, *tensor), fmt)
    factor = Fraction(1) if fmt.tensor_scale is None else fmt.tensor_scale.fraction(int(tensor[0]))
    for row, column in np.ndindex(elements.shape):
        code = int(elements[row, column])
        if fmt.element.text(code) in ("nan", "inf", "-inf"):
            assert not np.isfinite(real[row, column])
            continue
        scale = fmt.scale.fraction(int(scales[row, column // fmt.block_size]))
        assert Fraction(float(real[row, column])) == fmt.element.fraction(code) * scale * factor


def onnxruntime_msfp15(box: list[float]) -> tuple[int, list[tuple[int, int]]]:
    """MSFP15 as ONNX Runtime's encoder has it: on the bits of fp32 numbers, with integers alone."""
    bits = [int(np.float32(x).view(np.uint32)) for x in box]
    shared = max((word >> 23) & 0xFF for word in bits)
    elements = []
    for word in bits:
        sign, exponent, fraction = word >> 31, (word >> 23) & 0xFF, word & 0x7FFFFF
        if exponent == 0:
            elements.append((sign, 0))
            continue
        # Six bits with the leading one, and one below them that rounds half up.
        shift = shared - exponent + 24 - 6
        magnitude = (((1 << 23 | fraction) >> (shift - 1)) + 1) >> 1
        elements.append((sign, min(magnitude, 63)))
    return shared, elements


def test_msfp15_is_onnxruntimes(rng):
    fmt = block_format("msfp15")
    x = numbers(rng, 400, 16)
    scales, elements = golden.encode_blocks(x, fmt)
    for row, box in enumerate(x.tolist()):
        shared, expected = onnxruntime_msfp15(box)
        assert scales[row, 0] == shared
        assert [(code >> 6, code & 63) for code in elements[row].tolist()] == expected


# gfloat's name, and ours. Its MXINT8 uses -2.0 where the symmetric default does not.
GFLOAT = {"mxfp4": "mxfp4_e2m1"} | {name: name for name in MX if name != "mxfp4"}
GFLOAT_MODES = {
    "rne": gfloat.RoundMode.TiesToEven,
    "rna": gfloat.RoundMode.TiesToAway,
    "rtz": gfloat.RoundMode.TowardZero,
    "rup": gfloat.RoundMode.TowardPositive,
    "rdn": gfloat.RoundMode.TowardNegative,
}


@pytest.mark.parametrize("rounding", GFLOAT_MODES)
@pytest.mark.parametrize("name", GFLOAT)
def test_gfloat_agrees(name, rounding, rng):
    fmt = block_format(name)
    (peer,) = {item.name: item for item in all_block_formats if item.name == GFLOAT[name]}.values()
    # Scales that its float64 log2 gets right, and nothing that a division by 2^-127 could lose.
    x = rng.standard_normal((12, 32)) * np.exp2(rng.integers(-60, 60, (12, 1)))
    x[0, :] = 0
    scales, elements = golden.encode_blocks(x, fmt, rounding=rounding, symmetric=False if name == "mxint8" else None)
    for row in range(len(x)):
        scale = compute_scale_amax(peer.etype.emax, x[row])
        codes = list(encode_block(peer, scale, (x[row] / scale).tolist(), GFLOAT_MODES[rounding]))
        assert [int(scales[row, 0]), *elements[row].tolist()] == codes
        assert golden.decode_blocks((scales[row], elements[row]), fmt).tolist() == list(decode_block(peer, codes))


def test_gfloat_scale_is_wrong_below_a_power_of_two():
    # log2 of the float below 2^k is k when rounded; the exponent of the bits is k - 1. Ours is MX 1.0's floor.
    x = np.zeros(32)
    x[0] = np.nextafter(2.0**20, 0)
    assert compute_scale_amax(format_info_ocp_e4m3.emax, x) == 2.0 ** (20 - 8)
    scales, _ = golden.encode_blocks(x, "mxfp8_e4m3")
    assert golden.decode(scales, block_format("mxfp8_e4m3").scale).tolist() == [2.0 ** (19 - 8)]


@pytest.mark.parametrize(
    ("name", "dtype"),
    [
        ("mxfp8_e4m3", ml_dtypes.float8_e4m3fn),
        ("mxfp8_e5m2", ml_dtypes.float8_e5m2),
        ("mxfp6_e3m2", ml_dtypes.float6_e3m2fn),
        ("mxfp6_e2m3", ml_dtypes.float6_e2m3fn),
        ("mxfp4", ml_dtypes.float4_e2m1fn),
    ],
)
def test_ml_dtypes_casts_scaled_elements_alike(name, dtype, rng):
    fmt = block_format(name)
    x = numbers(rng, 200, 32)
    scales, elements = golden.encode_blocks(x, fmt)
    steps = np.repeat(scales.view(ml_dtypes.float8_e8m0fnu).astype(np.float64), 32, axis=1)
    assert np.array_equal(steps, np.repeat(golden.decode(scales, fmt.scale), 32, axis=1))
    scaled = np.clip(x / steps, -float(fmt.element.max), float(fmt.element.max))
    # By way of float32, to which these quotients are exact wherever the cast could tell.
    cast = scaled.astype(np.float32).astype(dtype).view(np.uint8) & fmt.element.code_mask
    assert np.array_equal(elements, cast)


def test_directed_rounding_sees_numbers_that_vanish_when_scaled():
    for name in ("mxfp4", "msfp12", "nvfp4"):
        fmt = block_format(name)
        for dtype, least in ((np.float32, 1.5e-38), (np.float64, 3e-308)):
            x = np.zeros(fmt.block_size, dtype)
            x[:4] = 1e37, least, -least, 0
            tensor: dict[str, Any] = (
                {} if fmt.tensor_scale is None else {"tensor_scale": golden.encode(1e37 / 2688, fmt.tensor_scale)}
            )
            up = golden.decode(golden.encode_blocks(x, fmt, rounding="rup", **tensor)[1], fmt.element)[1:4]
            down = golden.decode(golden.encode_blocks(x, fmt, rounding="rdn", **tensor)[1], fmt.element)[1:4]
            unit = float(fmt.element.min_positive) * (not fmt.zero_scale or dtype is np.float32)
            assert up.tolist() == [unit, 0, 0] and down.tolist() == [0, -unit, 0], (name, dtype)


def test_overflow_by_ieee():
    x = np.zeros(32)
    x[:2] = 500, -480  # the scale is 1
    for overflow, expected in (("saturate", [448, -448]), ("ieee", [math.nan, math.nan])):
        _, elements = golden.encode_blocks(x, "mxfp8_e4m3", overflow=overflow)
        assert np.array_equal(golden.decode(elements[:2], block_format("mxfp8_e4m3").element), expected, equal_nan=True)
    x[:2] = 1.99, -1.99
    _, elements = golden.encode_blocks(x, "mxfp8_e5m2", overflow="ieee")
    assert golden.decode(elements[:2], block_format("mxfp8_e5m2").element).tolist() == [math.inf, -math.inf]


def test_mxint8_symmetric_switch():
    fmt, x = block_format("mxint8"), np.zeros(32)
    x[:3] = -1.9999, 1.9999, -1
    for symmetric, least in ((None, -127), (True, -127), (False, -128)):
        scales, elements = golden.encode_blocks(x, fmt, symmetric=symmetric)
        assert scales.tolist() == [127]
        assert elements[:3].view(np.int8).tolist() == [least, 127, -64]


@pytest.mark.parametrize("name", ["mxfp6_e2m3", "nvfp4"])
def test_nonfinite_blocks_become_nan(name):
    fmt = block_format(name)
    x = np.arange(3.0 * fmt.block_size).reshape(1, -1)
    x[0, 1], x[0, 3 * fmt.block_size - 1] = np.nan, -np.inf
    scales, elements, *tensor = golden.encode_blocks(x, fmt, nonfinite="nan")
    assert scales[0, [0, 2]].tolist() == [fmt.scale.nan_code] * 2
    assert not elements[0, : fmt.block_size].any()
    middle = slice(fmt.block_size, 2 * fmt.block_size)
    alone = golden.encode_blocks(x[:, middle], fmt)
    assert np.array_equal(scales[0, 1:2], alone[0][0]) and np.array_equal(elements[:, middle], alone[1])
    real = golden.decode_blocks((scales, elements, *tensor), fmt)
    assert np.isnan(real[0, : fmt.block_size]).all() and np.isfinite(real[0, middle]).all()


@pytest.mark.parametrize("name", ["mxfp4", "msfp13", "nvfp4"])
def test_axis_and_shape(name, rng):
    fmt = block_format(name)
    x = rng.standard_normal((3, 2 * fmt.block_size, 5))
    scales, elements, *tensor = golden.encode_blocks(x, fmt, axis=1)
    assert (scales.shape, elements.shape) == ((3, 2, 5), x.shape)
    last = golden.encode_blocks(x.transpose(0, 2, 1), fmt, axis=2)
    assert np.array_equal(scales, last[0].transpose(0, 2, 1)) and np.array_equal(elements, last[1].transpose(0, 2, 1))
    assert np.array_equal(
        golden.decode_blocks((scales, elements, *tensor), fmt, axis=-2),
        golden.decode_blocks(last, fmt).transpose(0, 2, 1),
    )
    assert [part.size for part in golden.encode_blocks(x[:0], fmt, axis=1)][:2] == [0, 0]


def test_kinds_of_numbers():
    fmt = block_format("mxfp8_e4m3")
    expected = golden.encode_blocks(np.arange(32.0), fmt)
    for x in (range(32), *(np.arange(32, dtype=dtype) for dtype in (np.uint8, np.float16, np.float32))):
        for part, same in zip(golden.encode_blocks(x, fmt), expected, strict=True):
            assert np.array_equal(part, same)


def test_a_user_block_format_of_wide_elements(rng):
    fmt = BlockFormat("wide", golden.format("bf16"), golden.format("e8m0"), 8)
    x = rng.standard_normal((4, 8)) * 2.0**200
    scales, elements = golden.encode_blocks(x, fmt)
    amax = np.abs(x).max(axis=1)
    assert golden.decode(scales, fmt.scale)[:, 0].tolist() == [
        2.0 ** (math.frexp(a)[1] - 1 - 127) for a in amax.tolist()
    ]
    # Half an ulp, or what the largest bf16 lacks of 2^128.
    assert np.all(
        np.abs(golden.decode_blocks((scales, elements), fmt) - x) <= np.maximum(np.abs(x), amax[:, None] / 2) * 2**-7
    )


def test_integers_that_a_float64_holds_are_encoded_in_blocks():
    fmt = golden.block_format("mxfp4")
    for sign in (1, -1):
        x = np.full(32, sign << 53)
        assert golden.decode_blocks(golden.encode_blocks(x, fmt), fmt).tolist() == x.tolist()
    with pytest.raises(ParameterError) as caught:
        golden.encode_blocks(np.full(32, 2**53 + 2), fmt)
    assert str(caught.value) == "x must hold integers of magnitudes up to 2^53, not 9007199254740994"


@pytest.mark.parametrize("name", ["mxfp4", "nvfp4"])
def test_blocks_longer_than_what_is_encoded_at_once(name):
    fmt = dataclasses.replace(golden.block_format(name), name="long", block_size=1 << 18)
    x = np.resize(np.array([6.0, -3.0, 0.5, 1.5]), 1 << 18)
    scales, elements, *tensor = golden.encode_blocks(x, fmt)
    # The tensor's scale, 6 over the largest value, is rounded to fp32.
    np.testing.assert_allclose(golden.decode_blocks((scales, elements, *tensor), fmt), x, rtol=1e-7)
