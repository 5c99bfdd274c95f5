"""Products that are neither normalised nor rounded: their formula, with exact fractions, and their errors."""

from __future__ import annotations

import itertools
from fractions import Fraction
from typing import Any

import pytest

from polymac import golden
from polymac.golden import Format

PAIRS = [
    ("fp8_e4m3", "fp4_e2m1"),
    ("fp6_e3m2", "fp6_e2m3"),
    ("int4", "fp4_e2m1"),
    ("bin1", "fp8_e5m2"),
    ("e8m0", "fp4_e2m1"),
    ("e0m3", "q2.2"),
    ("fp8_e4m3fnuz", "bin1"),
]


@pytest.mark.parametrize("subnormals", ["full", "flush"])
@pytest.mark.parametrize(("fa", "fb"), PAIRS)
def test_every_finite_product_is_its_formula(fa: str, fb: str, subnormals: str) -> None:
    a_format, b_format = golden.format(fa), golden.format(fb)
    pairs = list(itertools.product(range(a_format.code_count), range(b_format.code_count)))
    a, b = ([pair[side] for pair in pairs] for side in (0, 1))
    product = golden.multiply_unpacked(a, b, fa, fb, subnormals=subnormals)
    fmt = product.fmt
    finite = 0
    for index, (x, y) in enumerate(pairs):
        texts = {a_format.text(x), b_format.text(y)}
        special = bool(texts & {"nan", "inf", "-inf"})
        assert bool(product.nan[index] or product.inf[index]) == special
        assert product.sign[index] == (a_format.text(x)[0] == "-") ^ (b_format.text(y)[0] == "-") or "nan" in texts
        if special:
            continue
        values = [_flushed(item, code, subnormals) for item, code in ((a_format, x), (b_format, y))]
        want = values[0] * values[1]
        assert product.zero[index] == (want == 0)
        if fmt.has_zero and want == 0:
            continue
        finite += 1
        significand, exponent = int(product.significand[index]), int(product.exponent[index])
        assert 0 <= significand < 1 << fmt.significand_bits
        assert 0 <= exponent < 1 << fmt.exp_bits
        got = Fraction(significand) * Fraction(2) ** (exponent - fmt.bias)
        assert (-got if product.sign[index] else got) == want
    assert finite > 10 or fa == "e0m3"  # whose numbers are all subnormal


def _flushed(fmt: golden.Format, code: int, subnormals: str) -> Fraction:
    value = fmt.fraction(code)
    tiny = fmt.kind == "float" and fmt.subnormals and abs(value) < Fraction(2) ** fmt.min_exponent
    return Fraction(0) if subnormals == "flush" and tiny else value


def test_widths_and_bias_of_known_formats() -> None:
    def data(fa: str, fb: str, subnormals: str = "full") -> tuple[Any, ...]:
        fmt = golden.unpacked_product(fa, fb, subnormals)
        return fmt.significand_bits, fmt.exp_bits, fmt.bias, fmt.has_zero, fmt.has_inf, fmt.has_nan

    assert data("fp8_e4m3", "fp8_e4m3") == (8, 5, 20, False, False, True)
    assert data("fp16", "fp16", "flush") == (22, 6, 50, True, True, True)
    assert data("fp4_e2m1", "fp4_e2m1") == (4, 3, 4, False, False, False)
    assert data("e8m0", "e8m0") == (1, 9, 254, False, False, True)
    assert data("int8", "fp8_e5m2") == (11, 5, 17, False, True, True)


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda: golden.unpacked_product("int8", "bin1"), "fa or fb must be a float format, not int8 and bin1"),
        (
            lambda: golden.unpacked_product("fp16", "fp16", "none"),
            "subnormals must be one of full, flush, not 'none'",
        ),
        (
            lambda: golden.multiply_unpacked([1, 2], [1], "fp16", "fp16"),
            "a and b must be of one shape, not (2,) and (1,)",
        ),
        (
            lambda: golden.multiply_unpacked([256], [1], "fp8_e4m3", "fp16"),
            "a must hold codes of fp8_e4m3, 0 … 0xff, not 256",
        ),
    ],
)
def test_errors(call: Any, text: str) -> None:
    with pytest.raises(golden.ParameterError) as error:
        call()
    assert str(error.value) == text


def test_least_exponent_bits_of_unpacked_products():
    one = Format("one", "float", 1, 0, signed=False, subnormals=False, nan_codes=range(1, 2))
    assert [golden.unpacked_product(fmt, "int8").exp_bits for fmt in (one, "e0m4", "fp4_e2m1")] == [1, 1, 2]
