"""The binary8 formats of IEEE P3109, against gfloat and numbers typed from the interim report."""

import itertools
from fractions import Fraction

import numpy as np
import pytest

from polymac import golden
from polymac.golden.formats import FLOAT_OVERFLOWS, ROUNDINGS, ParameterError
from polymac.golden.formats.families import p3109

NAMES = [f"p3109_k8p{precision}{sign}{range_}" for precision in range(1, 8) for sign in "su" for range_ in "ef"]
MODES = {
    "rne": "TiesToEven",
    "rtz": "TowardZero",
    "rdn": "TowardNegative",
    "rup": "TowardPositive",
    "rna": "TiesToAway",
}


def gfloat_format(fmt):
    formats = pytest.importorskip("gfloat.formats", reason="gfloat, of the extra 'oracles', is not installed")
    sign = formats.Signedness.Signed if fmt.signed else formats.Signedness.Unsigned
    domain = formats.Domain.Extended if fmt.has_inf else formats.Domain.Finite
    found = formats.format_info_p3109(8, fmt.significand_bits, sign, domain)
    assert found.name == fmt.name
    return found


def test_all_are_in_the_catalogue():
    assert [name for name in golden.FORMATS if name.startswith("p3109_")] == NAMES
    for name in NAMES:
        fmt = golden.FORMATS[name]
        assert p3109(fmt.significand_bits, fmt.signed, fmt.has_inf) == fmt


@pytest.mark.parametrize("name", NAMES)
def test_every_code_is_what_gfloat_says(name):
    fmt = golden.format(name)
    gfloat = pytest.importorskip("gfloat", reason="gfloat, of the extra 'oracles', is not installed")
    expected = [gfloat.decode_float(gfloat_format(fmt), code).fval for code in range(256)]
    assert [fmt.text(code) for code in range(256)] == [repr(value) for value in expected]
    np.testing.assert_array_equal(golden.decode(np.arange(256), fmt), expected)


# Largest and least positive finite value, from the tables of the interim report (binary8p3 … binary8p5, extended).
@pytest.mark.parametrize(
    ("name", "largest", "least"),
    [
        ("p3109_k8p3se", Fraction(49152), Fraction(1, 1 << 17)),
        ("p3109_k8p4se", Fraction(224), Fraction(1, 1 << 10)),
        ("p3109_k8p5se", Fraction(15), Fraction(1, 1 << 7)),
        ("p3109_k8p1se", Fraction(1 << 62), Fraction(1, 1 << 63)),
        ("p3109_k8p1uf", Fraction(1 << 126), Fraction(1, 1 << 127)),
    ],
)
def test_ends_of_the_range(name, largest, least):
    fmt = golden.format(name)
    assert (fmt.max, fmt.min_positive) == (largest, least)
    # The one exponent of 1 is in the middle of the codes.
    assert fmt.fraction(0x40 if fmt.signed else 0x80) == 1


def numbers(fmt, rng, count):
    """Values, middles, their neighbours, and numbers beyond both ends."""
    x = golden.decode(np.arange(256), fmt)
    x = x[np.isfinite(x)]
    middles = (x[1:] + x[:-1]) / 2
    around = np.concatenate([x, middles, [float(fmt.max) * 1.2, float(fmt.max) * 4]])
    around = np.concatenate([around, np.nextafter(around, np.inf), np.nextafter(around, -np.inf)])
    random = np.ldexp(rng.uniform(1, 2, count), rng.integers(fmt.min_exponent - 9, fmt.max_exponent + 3, count))
    return np.concatenate([around, random, -around, -random, [np.inf, -np.inf, np.nan, 0.0, -0.0]])


@pytest.mark.parametrize("overflow", FLOAT_OVERFLOWS)
@pytest.mark.parametrize("name", NAMES)
def test_encode_like_gfloat(name, overflow, rng):
    gfloat = pytest.importorskip("gfloat", reason="gfloat, of the extra 'oracles', is not installed")
    fmt = golden.format(name)
    x = numbers(fmt, rng, 500)
    # gfloat leaves negative numbers as they are where the format has no sign, and infinities where it has none.
    x = x[(fmt.has_inf | ~np.isinf(x)) & (fmt.signed | ~np.signbit(x))]
    for rounding in (
        ROUNDINGS if fmt.frac_bits else ("rtz", "rdn", "rup")
    ):  # ties of one bit: test_oracles_arithmetic.py
        mode = gfloat.RoundMode[MODES[rounding]]
        expected = gfloat.round_ndarray(gfloat_format(fmt), x, mode, sat=overflow == "saturate")
        codes = golden.encode(x, fmt, rounding=rounding, overflow=overflow)
        np.testing.assert_array_equal(golden.decode(codes, fmt), expected, rounding)


@pytest.mark.parametrize("name", [name for name in NAMES if "u" in name])
def test_negative_numbers_without_a_sign(name):
    fmt = golden.format(name)
    x = np.array([-1.0, -(2.0**-200), -0.0, np.nan])
    assert golden.encode(x, fmt).tolist() == [0xFF, 0xFF, 0, 0xFF]
    assert golden.encode(x, fmt, overflow="saturate").tolist() == [0, 0, 0, 0xFF]


@pytest.mark.parametrize("name", NAMES)
def test_results_beyond_the_range(name):
    """OvfInf and SatFinite of the report; a finite format's overflow is NaN, for want of an infinity."""
    fmt = golden.format(name)
    x = np.array([2.0**200, np.inf])
    beyond = fmt.inf_code if fmt.has_inf else fmt.nan_code
    assert golden.encode(x, fmt, nonfinite="substitute").tolist() == [beyond, beyond]
    assert golden.encode(x, fmt, overflow="saturate", nonfinite="substitute").tolist() == [fmt.max_code] * 2


@pytest.mark.parametrize(
    ("precision", "width", "message"),
    [
        (0, 8, "precision must be in 1 … 7, not 0"),
        (8, 8, "precision must be in 1 … 7, not 8"),
        (3, 16, "width must be in 3 … 15, not 16"),
    ],
)
def test_parameters_out_of_range(precision, width, message):
    with pytest.raises(ParameterError) as error:
        p3109(precision, width=width)
    assert str(error.value) == message


def test_other_widths_are_gfloats():
    gfloat = pytest.importorskip("gfloat", reason="gfloat, of the extra 'oracles', is not installed")
    formats = pytest.importorskip("gfloat.formats")
    for width, signed, extended in itertools.product((3, 4, 6, 10), (True, False), (True, False)):
        for precision in range(1, width):
            fmt = p3109(precision, signed, extended, width)
            sign = formats.Signedness.Signed if signed else formats.Signedness.Unsigned
            domain = formats.Domain.Extended if extended else formats.Domain.Finite
            other = formats.format_info_p3109(width, precision, sign, domain)
            assert [fmt.text(code) for code in range(fmt.code_count)] == [
                repr(gfloat.decode_float(other, code).fval) for code in range(fmt.code_count)
            ]
