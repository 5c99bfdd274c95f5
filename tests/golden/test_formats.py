"""Formats as data: published constants, names, errors."""

from fractions import Fraction

import pytest

from polymac import golden
from polymac.golden import Format, ParameterError
from polymac.golden.formats import check_int, choose, fixed_point, ieee_float, product_format, sum_format


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


@pytest.mark.parametrize(
    ("name", "nan_code"),
    [
        ("fp64", 0x7FF8 << 48),
        ("fp32", 0x7FC00000),
        ("fp16", 0x7E00),
        ("bf16", 0x7FC0),
        ("fp8_e5m2", 0x7E),
        ("fp8_e4m3", 0x7F),
        ("fp4_e2m1", None),
        ("e8m0", 0xFF),
    ],
)
def test_default_nan(name, nan_code):
    assert golden.format(name).nan_code == nan_code


@pytest.mark.parametrize(
    ("name", "width", "least", "greatest", "unit"),
    [
        ("int8", 8, -128, 127, 1),
        ("uint4", 4, 0, 15, 1),
        ("int64", 64, -(2**63), 2**63 - 1, 1),
        ("q1.7", 8, -128, 127, Fraction(1, 128)),
        ("uq0.8", 8, 0, 255, Fraction(1, 256)),
        ("q8.0", 8, -128, 127, 1),
    ],
)
def test_fixed_point_names(name, width, least, greatest, unit):
    fmt = golden.format(name)
    assert (fmt.width, fmt.min_int, fmt.max_int, fmt.min_positive) == (width, least, greatest, unit)


def test_every_catalogued_name_parses_to_itself():
    for name, fmt in golden.FORMATS.items():
        assert golden.format(name) is fmt
        assert golden.format(fmt) is fmt
        assert str(fmt) == name


def test_binary_codes_are_minus_one_and_one():
    assert [golden.format("bin1").fraction(code) for code in (0, 1)] == [-1, 1]


def test_text_of_special_codes():
    fp16, e4m3 = golden.format("fp16"), golden.format("fp8_e4m3")
    codes = (0x7C00, 0xFC00, 0x7C01, 0xFE00, 0, 0x8000, 0x3C00)
    assert [fp16.text(code) for code in codes] == ["inf", "-inf", "nan", "nan", "0.0", "-0.0", "1.0"]
    assert [e4m3.text(code) for code in (0x7E, 0x7F, 0xFF)] == ["448.0", "nan", "nan"]
    assert [golden.format("int8").text(code) for code in (0x80, 0x7F)] == ["-128", "127"]


CATALOGUE = ", ".join(golden.FORMATS)
LISTED = f"format must be one of {CATALOGUE}, or intN, uintN, qM.N, uqM.N, eXmY, not"


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("fp17", f"{LISTED} 'fp17'; did you mean fp16 or fp64 or fp4_e2m1?"),
        ("zzz", f"{LISTED} 'zzz'"),
        ("int1", "the width of int1 must be in 2 … 64, not 1"),
        ("uint65", "the width of uint65 must be in 2 … 64, not 65"),
        ("q0.8", "the integer bits of q0.8 must be in 1 … 64, not 0"),
        ("q60.8", "the width of q60.8 must be in 2 … 64, not 68"),
        ("uq1.0", "the width of uq1.0 must be in 2 … 64, not 1"),
        ("e12m3", "the exponent bits of e12m3 must be in 2 … 11, not 12"),
        ("e5m53", "the fraction bits of e5m53 must be in 0 … 52, not 53"),
    ],
)
def test_bad_names(name, message):
    with pytest.raises(ParameterError) as error:
        golden.format(name)
    assert str(error.value) == message


def test_name_of_a_wrong_type():
    with pytest.raises(TypeError) as error:
        golden.format(8)  # pyright: ignore[reportArgumentType]
    assert str(error.value) == "format must be a name or a Format, not 8"


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"kind": "complex", "width": 8}, "kind must be one of float, fixed, binary, not 'complex'"),
        ({"kind": "fixed", "width": 0}, "width must be at least 1, not 0"),
        (
            {"kind": "float", "width": 4, "frac_bits": 3},
            "width must leave at least one exponent bit, not 4 with frac_bits=3",
        ),
        (
            {"kind": "fixed", "width": 8, "bias": 1},
            "bias, inf_code, nan_codes and negative_zero belong to float formats, not fixed",
        ),
        ({"kind": "binary", "width": 2}, "width must be 1 and frac_bits 0 in a binary format, not 2 and 0"),
        (
            {"kind": "float", "width": 8, "frac_bits": 3, "inf_code": 0x80},
            "inf_code and nan_codes must be in 1 … 0x7f, not 0x80",
        ),
        (
            {"kind": "float", "width": 8, "frac_bits": 3, "nan_codes": range(0x70, 0x71)},
            "inf_code and nan_codes must end at 0x7f, not 0x70",
        ),
        (
            {"kind": "float", "width": 8, "frac_bits": 3, "inf_code": 0x7F, "nan_codes": range(0x7F, 0x80)},
            "inf_code must not be in nan_codes, not 0x7f",
        ),
        (
            {"kind": "float", "width": 8, "frac_bits": 3, "inf_code": 0x70, "nan_codes": range(0x7F, 0x80)},
            "inf_code and nan_codes must be one run of codes, inf_code first",
        ),
        (
            {"kind": "float", "width": 8, "frac_bits": 3, "signed": False, "negative_zero": "nan"},
            "negative_zero must be 'zero' in a format without sign, not 'nan'",
        ),
    ],
)
def test_contradictions(parameters, message):
    with pytest.raises(ParameterError) as error:
        Format("mine", **parameters)
    assert str(error.value) == message


@pytest.mark.parametrize(
    ("name", "code", "message"),
    [
        ("fp16", 0x7C00, "code must be that of a finite value of fp16, not 0x7c00"),
        ("fp16", 0x10000, "code must be in 0 … 65535, not 65536"),
    ],
)
def test_fraction_of_no_number(name, code, message):
    with pytest.raises(ParameterError) as error:
        golden.format(name).fraction(code)
    assert str(error.value) == message


def test_derived_fixed_point_formats():
    product = product_format(golden.format("q1.7"), golden.format("uq4.4"))
    assert (product.name, product.width, product.frac_bits, product.signed) == ("q5.11", 16, 11, True)
    assert [sum_format(product, count).width for count in (1, 2, 3, 4, 5, 1024, 1025)] == [16, 17, 18, 18, 19, 26, 27]
    assert fixed_point(12, 3, signed=False).name == "uq9.3"
    assert ieee_float(4, 0).nan_codes == range(15, 16)


def test_checks_of_parameters():
    assert check_int("n", 3, 1, 3) == 3
    assert choose("mode", "a", ("a", "b")) == "a"
    with pytest.raises(TypeError, match=r"^n must be an integer, not True$"):
        check_int("n", True, 0)
    with pytest.raises(ParameterError, match=r"^mode must be one of a, b, not 'c'$"):
        choose("mode", "c", ("a", "b"))
