"""Formats as data: names, derived formats, errors; the constants of the standards are in test_published."""

import dataclasses
from fractions import Fraction

import numpy as np
import pytest

from polymac import golden
from polymac.golden import FORMATS, Aligned, Exact, Format, ParameterError, Rounded
from polymac.golden.formats import (
    ROUNDINGS,
    check_choice,
    check_int,
    fixed_point,
    ieee_float,
    product_format,
    sum_format,
)
from polymac.golden.formats.derived import exact_product
from polymac.golden.formats.families import sign_magnitude


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


def test_text_of_values_beyond_floats():
    wide = Format("wide", "float", 17, 4, bias=2047)
    assert (wide.text(wide.max_code), wide.text(1)) == ("6.2614199263165077e+616", "7.7358651184564457e-618")
    assert wide.text(2047 << 4) == "1.0"


CATALOGUE = ", ".join(golden.FORMATS)
LISTED = f"format must be one of {CATALOGUE}, or intN, uintN, qM.N, uqM.N, eXmY, positN, positN_ES, not"


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
        ("e0m53", "the magnitude bits of e0m53 must be in 1 … 52, not 53"),
        ("mxfp4", "format must be a scalar format, not the block format mxfp4 (of fp4_e2m1)"),
        ("e5m53", "the fraction bits of e5m53 must be in 0 … 52, not 53"),
    ],
)
def test_bad_names(name, message):
    with pytest.raises(ParameterError) as error:
        golden.format(name)
    assert str(error.value) == message


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"name": 3, "kind": "fixed", "width": 8}, "name must be a text, not 3"),
        ({"name": "mine", "kind": "fixed", "width": 8.0}, "width must be an integer, not 8.0"),
        ({"name": "mine", "kind": "fixed", "width": 8, "signed": 1}, "signed must be True or False, not 1"),
        ({"name": "mine", "kind": "float", "width": 8, "subnormals": 0}, "subnormals must be True or False, not 0"),
        ({"name": "mine", "kind": "float", "width": 8, "bias": "7"}, "bias must be an integer, not '7'"),
        ({"name": "mine", "kind": "float", "width": 8, "inf_code": 1.0}, "inf_code must be an integer, not 1.0"),
        ({"name": "mine", "kind": "float", "width": 8, "nan_codes": [1]}, "nan_codes must be a range, not [1]"),
        ({"name": "mine", "kind": "fixed", "width": 8, "source": ""}, "source must be a text, not ''"),
    ],
)
def test_parameters_of_a_wrong_kind(parameters, message):
    with pytest.raises(TypeError) as error:
        Format(**parameters)
    assert str(error.value) == message


def test_name_of_a_wrong_type():
    with pytest.raises(TypeError) as error:
        golden.format(8)  # pyright: ignore[reportArgumentType]
    assert str(error.value) == "format must be a name or a Format, not 8"


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"kind": "complex", "width": 8}, "kind must be one of binary, codebook, fixed, float, posit, not 'complex'"),
        ({"kind": "fixed", "width": 0}, "width must be in 1 … 16384, not 0"),
        (
            {"kind": "float", "width": 20, "frac_bits": 2},
            "width must leave 0 … 16 exponent bits, and at least one bit beside the sign, not 20 with frac_bits=2",
        ),
        ({"kind": "float", "width": 8, "bias": 1 << 17}, "bias must be in -65536 … 65536, not 131072"),
        (
            {"kind": "float", "width": 4, "frac_bits": 3, "subnormals": False},
            "subnormals must be True in a float without exponent bits, not False",
        ),
        (
            {"kind": "float", "width": 4, "frac_bits": 4},
            "width must leave 0 … 16 exponent bits, and at least one bit beside the sign, not 4 with frac_bits=4",
        ),
        (
            {"kind": "fixed", "width": 8, "bias": 1},
            "bias must be left out in a fixed format, not 1",
        ),
        ({"kind": "binary", "width": 2}, "width must be 1 in a binary format, not 2"),
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
    assert check_choice("mode", "a", ("a", "b")) == "a"
    with pytest.raises(TypeError, match=r"^n must be an integer, not True$"):
        check_int("n", True, 0)
    with pytest.raises(ParameterError, match=r"^mode must be one of a, b, not 'c'$"):
        check_choice("mode", "c", ("a", "b"))


def test_sign_and_magnitude_is_a_float_without_exponent():
    fmt = golden.format("e0m4")
    assert (fmt.width, fmt.exp_bits, fmt.signed, fmt.has_inf, fmt.has_nan) == (5, 0, True, False, False)
    assert [fmt.fraction(code) for code in range(16)] == [Fraction(code, 8) for code in range(16)]
    assert [fmt.fraction(16 + code) for code in range(16)] == [Fraction(-code, 8) for code in range(16)]
    assert (fmt.max, fmt.min_normal, fmt.min_positive) == (Fraction(15, 8), 1, Fraction(1, 8))
    assert (fmt.min_exponent, fmt.max_exponent) == (1, 1)  # what the fractions are scaled by
    assert [fmt.text(code) for code in (0, 16, 24)] == ["0.0", "-0.0", "-1.0"]


@pytest.mark.parametrize("rounding", ROUNDINGS)
def test_sign_and_magnitude_rounds_and_saturates(rounding, round_float):
    fmt = golden.format("e0m3")
    values = [Fraction(i, 64) for i in range(-200, 201)]
    codes = golden.encode([float(value) for value in values], fmt, rounding=rounding)
    expected = [round_float(fmt, value < 0, abs(value), rounding, "ieee", "full")[0] for value in values]
    assert codes.tolist() == expected


def test_sign_and_magnitude_multiplies_like_integers():
    fmt = golden.format("e0m3")
    codes = np.arange(16)
    out = exact_product(fmt, fmt)
    products, flags = golden.multiply(codes[:, None], codes, fmt, fmt, out=out, flags=True)
    magnitudes = codes & 7
    assert not flags.any()
    assert np.array_equal(np.abs(golden.decode(products, out)) * 16, magnitudes[:, None] * magnitudes)
    assert np.array_equal(np.signbit(golden.decode(products, out)), (codes[:, None] ^ codes) >= 8)


@pytest.mark.parametrize("frac_bits", [0, 1, 2, 10, 23, 51, 52])
@pytest.mark.parametrize("exp_bits", range(2, 12))
def test_every_parametric_float_encodes_decodes_and_multiplies(exp_bits, frac_bits):
    name = f"e{exp_bits}m{frac_bits}"
    # The catalogue comes first: e8m0 is MX's scale, without a sign.
    fmt = ieee_float(exp_bits, frac_bits) if name in golden.FORMATS else golden.format(name)
    finite = [*range(min(fmt.max_code, 20)), fmt.max_code >> 1, 1 << fmt.frac_bits, fmt.max_code]
    codes = np.array(finite + [code | fmt.sign_mask for code in finite], np.uint64)
    assert np.array_equal(golden.encode(golden.decode(codes, fmt), fmt), codes)
    one = fmt.bias << fmt.frac_bits
    assert np.array_equal(golden.multiply(codes, one, fmt, fmt), codes)
    assert [Fraction(value) for value in golden.decode(codes, fmt).tolist()] == [
        fmt.fraction(int(code)) for code in codes
    ]


@pytest.mark.parametrize(
    "value",
    [Exact(), Rounded(), Aligned(4, 24), FORMATS["fp16"], golden.block_format("mxfp4"), golden.PRESETS["v100_fp16"]],
    ids=lambda value: type(value).__name__,
)
def test_formats_and_styles_are_values(value):
    assert hash(value) == hash(dataclasses.replace(value))
    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(value, dataclasses.fields(value)[0].name, None)


def test_exact_sums_down_to_minus_one():
    fmt = golden.exact_sum(Format("sign", "fixed", 1), "uint2")
    assert (fmt.signed, fmt.width, fmt.min_int, fmt.max_int) == (True, 3, -4, 3)


def test_families_without_numbers_or_terms():
    with pytest.raises(ParameterError, match=r"^magnitude_bits must be at least 1, not 0$"):
        sign_magnitude(0)
    with pytest.raises(ParameterError, match=r"^count must be at least 1, not 0$"):
        sum_format(golden.format("int8"), 0)


@pytest.mark.parametrize(
    ("a", "b", "product"),
    [
        ("fp16", "bin1", "e5m11"),
        ("bin1", "fp8_e4m3", "e5m4"),
        ("fp16", "int8", "e6m17"),
        ("fp16", "uint8", "e6m18"),
        ("q1.3", "bf16", "e8m10"),
    ],
)
def test_significant_bits_of_products_with_fixed_point(a, b, product):
    # A sign is one bit, an intN N - 1: -2^(N-1) is a power of two.
    assert golden.exact_product(a, b) == golden.format(product)
