"""Published constants of every format, typed from the standards, not from the package."""

from __future__ import annotations

from fractions import Fraction

import ml_dtypes
import numpy as np
import pytest

from polymac import golden
from polymac.golden.formats import BLOCK_FORMATS, block_format


def power(exponent: int) -> Fraction:
    return Fraction(2) ** exponent


# Typed from the standards (IEEE 754 table 3.5; OFP8 1.0 table 1; MX 1.0 tables 5 to 7; the A100 white paper):
# width, exponent bits, fraction bits, bias, largest, least normal, least subnormal, +inf, first NaN.
PUBLISHED = {
    "fp64": (
        64,
        11,
        52,
        1023,
        (2 - power(-52)) * power(1023),
        power(-1022),
        power(-1074),
        0x7FF << 52,
        (0x7FF << 52) + 1,
    ),
    "fp32": (32, 8, 23, 127, (2 - power(-23)) * power(127), power(-126), power(-149), 0x7F800000, 0x7F800001),
    "tf32": (19, 8, 10, 127, (2 - power(-10)) * power(127), power(-126), power(-136), 0x3FC00, 0x3FC01),
    "fp16": (16, 5, 10, 15, 65504, power(-14), power(-24), 0x7C00, 0x7C01),
    "bf16": (16, 8, 7, 127, Fraction(0xFF) * power(120), power(-126), power(-133), 0x7F80, 0x7F81),
    "fp8_e5m2": (8, 5, 2, 15, 57344, power(-14), power(-16), 0x7C, 0x7D),
    "fp8_e4m3": (8, 4, 3, 7, 448, power(-6), power(-9), None, 0x7F),
    "fp8_e5m2fnuz": (8, 5, 2, 16, 57344, power(-15), power(-17), None, None),
    "fp8_e4m3fnuz": (8, 4, 3, 8, 240, power(-7), power(-10), None, None),
    "fp6_e3m2": (6, 3, 2, 3, 28, power(-2), power(-4), None, None),
    "fp6_e2m3": (6, 2, 3, 1, Fraction(15, 2), 1, power(-3), None, None),
    "fp4_e2m1": (4, 2, 1, 1, 6, 1, power(-1), None, None),
    "e8m0": (8, 8, 0, 127, power(127), power(-127), power(-127), None, 0xFF),
    "msfp8": (8, 5, 2, 15, 57344, power(-14), power(-16), 0x7C, 0x7D),
    "msfp9": (9, 5, 3, 15, 61440, power(-14), power(-17), 0xF8, 0xF9),
    "e3m4": (8, 3, 4, 3, Fraction(31, 2), power(-2), power(-6), 0x70, 0x71),
}


@pytest.mark.parametrize("name", PUBLISHED)
def test_published_constants(name):
    fmt = golden.format(name)
    found = (
        fmt.width,
        fmt.exp_bits,
        fmt.frac_bits,
        fmt.bias,
        fmt.max,
        fmt.min_normal,
        fmt.min_positive,
        fmt.inf_code,
        fmt.nan_codes[0] if fmt.nan_codes else None,
    )
    assert found == PUBLISHED[name]


#: ml_dtypes' and numpy's types, whose authors typed the same tables.
LIBRARY = {
    "fp64": np.float64,
    "fp32": np.float32,
    "fp16": np.float16,
    "bf16": ml_dtypes.bfloat16,
    "fp8_e5m2": ml_dtypes.float8_e5m2,
    "fp8_e4m3": ml_dtypes.float8_e4m3fn,
    "fp8_e5m2fnuz": ml_dtypes.float8_e5m2fnuz,
    "fp8_e4m3fnuz": ml_dtypes.float8_e4m3fnuz,
    "fp6_e3m2": ml_dtypes.float6_e3m2fn,
    "fp6_e2m3": ml_dtypes.float6_e2m3fn,
    "fp4_e2m1": ml_dtypes.float4_e2m1fn,
    "e3m4": ml_dtypes.float8_e3m4,
}


@pytest.mark.parametrize("name", LIBRARY)
def test_the_table_is_that_of_other_libraries(name):
    _, exp_bits, frac_bits, _, largest, normal, subnormal, inf, nan = PUBLISHED[name]
    info = ml_dtypes.finfo(LIBRARY[name])
    assert (info.nmant, info.nexp) == (frac_bits, exp_bits)
    found = [Fraction(float(x)) for x in (info.max, info.smallest_normal, info.smallest_subnormal)]
    assert found == [largest, normal, subnormal]
    word = np.dtype(f"uint{8 * np.dtype(LIBRARY[name]).itemsize}")
    for code, special in ((inf, np.isinf), (nan, np.isnan)):
        if code is not None:
            # The first NaN may be a signaling one.
            with np.errstate(invalid="ignore"):
                assert special(np.array(code, word).view(LIBRARY[name]).astype(np.float64))


@pytest.mark.parametrize(
    ("name", "nan_code"),
    [
        ("fp64", 0x7FF8 << 48),
        ("fp32", 0x7FC00000),
        ("fp16", 0x7E00),
        ("bf16", 0x7FC0),
        ("fp8_e5m2", 0x7E),
        ("fp8_e4m3", 0x7F),
        ("fp8_e4m3fnuz", 0x80),
        ("fp8_e5m2fnuz", 0x80),
        ("fp4_e2m1", None),
        ("e8m0", 0xFF),
    ],
)
def test_default_nan(name, nan_code):
    assert golden.format(name).nan_code == nan_code


# Every special code and some codes between, by their bits (sign, exponent, fraction) as the standards print them.
CODES = {
    # OFP8 1.0, table 1.
    "fp8_e4m3": {
        "0.0000.000": 0,
        "0.0000.001": power(-9),
        "0.0000.111": 7 * power(-9),
        "0.0001.000": power(-6),
        "0.1111.110": 448,
        "1.1111.110": -448,
        "0.1111.111": "nan",
        "1.1111.111": "nan",
    },
    "fp8_e5m2": {
        "0.00000.01": power(-16),
        "0.00000.11": 3 * power(-16),
        "0.00001.00": power(-14),
        "0.11110.11": 57344,
        "0.11111.00": "inf",
        "1.11111.00": "-inf",
        "0.11111.01": "nan",
        "0.11111.10": "nan",
        "1.11111.11": "nan",
    },
    # MX 1.0, tables 3 to 7.
    "fp6_e3m2": {"0.111.11": 28, "0.001.00": power(-2), "0.000.11": 3 * power(-4), "1.000.01": -power(-4)},
    "fp6_e2m3": {"0.11.111": Fraction(15, 2), "0.01.000": 1, "0.00.111": Fraction(7, 8), "1.00.001": -power(-3)},
    "fp4_e2m1": {"0.11.1": 6, "0.01.0": 1, "0.00.1": Fraction(1, 2), "1.11.1": -6},
    "e8m0": {"00000000": power(-127), "01111111": 1, "11111110": power(127), "11111111": "nan"},
    # Noune et al., table of binary8 formats; ONNX and ml_dtypes say the same.
    "fp8_e4m3fnuz": {"0.0000.001": power(-10), "0.0001.000": power(-7), "0.1111.111": 240, "1.0000.000": "nan"},
    "fp8_e5m2fnuz": {"0.00000.01": power(-17), "0.00001.00": power(-15), "0.11111.11": 57344, "1.00000.00": "nan"},
    # IEEE 754-2019, table 3.5 and 6.2.1.
    "fp16": {"0.11110.1111111111": 65504, "0.11111.0000000000": "inf", "0.11111.1000000000": "nan"},
    "bf16": {"0.01111111.0000000": 1, "0.11111111.0000000": "inf", "0.11111111.1000000": "nan"},
    # MX 1.0, table 6: two's complement with an implied scale of 2^-6.
    "q2.6": {"01111111": Fraction(127, 64), "01000000": 1, "11000000": -1, "00000001": power(-6), "10000000": -2},
}


@pytest.mark.parametrize("name", CODES)
def test_published_codes(name):
    fmt = golden.format(name)
    for bits, value in CODES[name].items():
        code = int(bits.replace(".", ""), 2)
        assert len(bits.replace(".", "")) == fmt.width
        if isinstance(value, str):
            assert fmt.text(code) == value
        else:
            assert fmt.fraction(code) == value


# MX 1.0, table 1; Transformer Engine's NVFP4; the MSFP paper's table 1 and Brainwave: element bits, elements that
# share a scale, scale bits, largest element, exponent of the largest element.
BLOCKS = {
    "mxfp8_e5m2": (8, 32, 8, 57344, 15),
    "mxfp8_e4m3": (8, 32, 8, 448, 8),
    "mxfp6_e3m2": (6, 32, 8, 28, 4),
    "mxfp6_e2m3": (6, 32, 8, Fraction(15, 2), 2),
    "mxfp4": (4, 32, 8, 6, 2),
    "mxint8": (8, 32, 8, Fraction(127, 64), 0),
    "nvfp4": (4, 16, 8, 6, 2),
    "msfp11": (3, 16, 8, Fraction(3, 2), 0),
    "msfp12": (4, 16, 8, Fraction(7, 4), 0),
    "msfp13": (5, 16, 8, Fraction(15, 8), 0),
    "msfp14": (6, 16, 8, Fraction(31, 16), 0),
    "msfp15": (7, 16, 8, Fraction(63, 32), 0),
    "msfp16": (8, 16, 8, Fraction(127, 64), 0),
    "bfp5m2": (3, 128, 5, Fraction(3, 2), 0),
    "bfp5m3": (4, 128, 5, Fraction(7, 4), 0),
    "bfp5m4": (5, 128, 5, Fraction(15, 8), 0),
    "bfp5m5": (6, 128, 5, Fraction(31, 16), 0),
}


@pytest.mark.parametrize("name", BLOCKS)
def test_published_blocks(name):
    fmt = block_format(name)
    width, block_size, scale_width, largest, exponent = BLOCKS[name]
    found = (fmt.element.width, fmt.block_size, fmt.scale.width, fmt.element.max)
    assert found == (width, block_size, scale_width, largest)
    assert power(exponent) <= fmt.element.max < power(exponent + 1)
    assert fmt.bits_per_element == width + Fraction(scale_width, block_size)


def test_every_format_has_its_published_constants():
    unlisted = {"exp8", "exp5", "bin1"}  # a shared exponent's codes, and two values: nothing that a table would add
    integers = {name for name, fmt in golden.FORMATS.items() if fmt.kind == "fixed"}
    unlisted |= {name for name in golden.FORMATS if name.startswith("p3109_")}  # test_p3109.py
    unlisted |= {
        name for name, fmt in golden.FORMATS.items() if fmt.kind in ("posit", "codebook")
    }  # codec/test_posit.py
    assert set(PUBLISHED) - {"e3m4"} == set(golden.FORMATS) - integers - unlisted
    assert set(BLOCKS) == set(BLOCK_FORMATS)
