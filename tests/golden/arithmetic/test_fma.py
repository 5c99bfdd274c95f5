"""Fused multiply-add against exact fractions rounded by search, and against float64 where that is exact."""

import itertools
from typing import Any

import numpy as np
import pytest

from polymac import golden
from polymac.golden import Flag, ParameterError
from polymac.golden.arithmetic.operations import add, fma, multiply
from polymac.golden.formats import FLOAT_OVERFLOWS, ROUNDINGS, SUBNORMALS
from polymac.golden.formats.derived import exact_product, exact_sum

CASES = [
    # Formats of a, b, c and the result, and how many triples; None is all of them.
    ("fp4_e2m1", "fp4_e2m1", "fp4_e2m1", "fp4_e2m1", None),
    ("e2m1", "e2m1", "e2m1", "e2m1", 500),
    ("fp8_e4m3", "fp8_e4m3", "fp8_e4m3", "fp8_e4m3", 400),
    ("fp8_e5m2", "fp8_e4m3", "fp16", "e5m2", 400),
    ("fp16", "fp16", "fp16", "fp16", 400),
    ("fp8_e4m3", "fp8_e5m2", "fp16", "fp16", 400),
    ("bf16", "bf16", "bf16", "bf16", 300),
    ("fp16", "bf16", "fp32", "bf16", 300),
    ("int8", "fp8_e4m3", "fp16", "fp16", 300),
    ("bin1", "fp16", "q4.4", "fp8_e4m3", 300),
    ("e8m0", "fp8_e4m3", "bf16", "bf16", 300),
    ("fp64", "fp64", "fp64", "fp16", 200),
]


@pytest.mark.parametrize(("name_a", "name_b", "name_c", "name_out", "count"), CASES)
def test_every_policy_and_flag_by_search(name_a, name_b, name_c, name_out, count, rng, reference, some_codes):
    formats = tuple(golden.format(name) for name in (name_a, name_b, name_c))
    out = golden.format(name_out)
    operands: list[Any]
    if count is None:
        operands = [codes.ravel() for codes in np.meshgrid(*(np.arange(fmt.code_count) for fmt in formats))]
    else:
        operands = [some_codes(fmt, count, rng) for fmt in formats]
    # All triples of the smallest format would be slow with every policy, and its products have one sign bit too many.
    policies = itertools.product(ROUNDINGS, FLOAT_OVERFLOWS[: 1 if count is None else 2], SUBNORMALS)
    for rounding, overflow, subnormals in policies:
        codes, flags = fma(
            *operands, *formats, out=out, rounding=rounding, overflow=overflow, subnormals=subnormals, flags=True
        )
        expected = [
            reference("fma", triple, formats, out, rounding, overflow, subnormals)
            for triple in zip(*(array.tolist() for array in operands), strict=True)
        ]
        policy = f"{rounding} {overflow} {subnormals}"
        np.testing.assert_array_equal(codes, [code for code, _ in expected], policy)
        np.testing.assert_array_equal(flags, [int(flag) for _, flag in expected], policy)


@pytest.mark.parametrize(
    ("names", "name_out"),
    [
        (("int8", "int8", "int32"), "int32"),
        (("q2.6", "uq4.4", "int8"), "q3.5"),
        (("int64", "int64", "int64"), "int64"),
        (("int32", "int32", "q33.31"), "q40.8"),
        (("bin1", "int8", "int16"), "int8"),
        (("fp8_e4m3", "int4", "int8"), "q6.6"),
    ],
)
@pytest.mark.parametrize("overflow", ["saturate", "wrap"])
def test_fixed_point_by_fractions(names, name_out, overflow, rng, reference, some_codes):
    formats, out = tuple(golden.format(name) for name in names), golden.format(name_out)
    operands = [some_codes(fmt, 300, rng) for fmt in formats]
    if names[0] == "fp8_e4m3":
        operands[0] %= 0x7F
    for rounding in ROUNDINGS:
        codes, flags = fma(*operands, *formats, out=out, rounding=rounding, overflow=overflow, flags=True)
        expected = [
            reference("fma", triple, formats, out, rounding, overflow)
            for triple in zip(*(array.tolist() for array in operands), strict=True)
        ]
        assert codes.tolist() == [code for code, _ in expected], rounding
        assert flags.tolist() == [int(flag) for _, flag in expected], rounding


@pytest.mark.parametrize("rounding", ROUNDINGS)
@pytest.mark.parametrize(
    ("names", "name_out"),
    [
        (("fp16", "fp16", "fp32"), "fp32"),
        (("bf16", "bf16", "fp32"), "fp32"),
        (("fp32", "fp32", "fp32"), "fp32"),
        (("tf32", "tf32", "fp32"), "fp32"),
        (("fp8_e4m3", "fp8_e5m2", "fp32"), "fp32"),
        (("fp64", "fp64", "fp64"), "fp64"),
    ],
)
def test_accumulation_steps_by_search_among_neighbours(names, name_out, rounding, rng, some_codes):
    """The result is a neighbour of the exact sum, on the side and at the distance that the rounding asks for."""
    formats, out = [golden.format(name) for name in names], golden.format(name_out)
    operands = [some_codes(fmt, 600, rng) for fmt in formats]
    # c close to the product, so that bits cancel, in half of them.
    product = multiply(*operands[:2], *formats[:2], out=formats[2])
    near = (product ^ formats[2].sign_mask) + rng.integers(0, 3, 600).astype(product.dtype)
    operands[2] = np.where(rng.random(600) < 0.5, operands[2], near)
    codes = fma(*operands, *formats, out=out, rounding=rounding).tolist()
    checked = 0
    for triple, code in zip(zip(*(array.tolist() for array in operands), strict=True), codes, strict=True):
        if any(fmt.text(term) in ("nan", "inf", "-inf") for fmt, term in zip(formats, triple, strict=True)):
            continue
        a, b, c = (fmt.fraction(term) for fmt, term in zip(formats, triple, strict=True))
        exact = a * b + c
        if code & out.magnitude_mask >= out.max_code or exact == 0:
            continue
        value, step = out.fraction(code), 1 if code & out.sign_mask == 0 else -1
        above, below = code + step, code - step
        if code & out.magnitude_mask == 0:
            above, below = 1, out.sign_mask | 1
        ulps = sorted((abs(value - exact), *(abs(out.fraction(other) - exact) for other in (above, below))))
        checked += 1
        if rounding in ("rne", "rna"):
            assert abs(value - exact) == ulps[0]
            if ulps[0] == ulps[1]:
                assert code % 2 == 0 if rounding == "rne" else abs(value) > abs(exact)
        elif rounding == "rtz":
            assert abs(value) <= abs(exact) < abs(value) + ulps[-1]
        elif rounding == "rup":
            assert out.fraction(below) < exact <= value
        else:
            assert value <= exact < out.fraction(above)
    assert checked > 300


def test_exact_format_without_out():
    a, b, c = (codes.ravel() for codes in np.meshgrid(np.arange(16), np.arange(16), np.arange(16)))
    codes, flags = fma(a, b, c, "int4", "q2.2", "int4", flags=True)
    out = exact_sum(exact_product("int4", "q2.2"), "int4")
    assert (out.width, out.frac_bits, out.signed) == (9, 2, True)
    integers = [golden.to_int(codes, fmt) for codes, fmt in ((a, "int4"), (b, "q2.2"), (c, "int4"))]
    np.testing.assert_array_equal(golden.to_int(codes, out), integers[0] * integers[1] + 4 * integers[2])
    assert not flags.any()


def test_one_rounding_and_not_two():
    # (1 + 2^-5)^2 = 1 + 2^-4 + 2^-10 exactly in fp16; less 1 + 2^-4 it is 2^-10. With (1 + 2^-6)^2 the last bit,
    # 2^-12, is lost where the product is rounded first.
    codes = [golden.encode(value, "fp16") for value in (1 + 2.0**-6, -(1 + 2.0**-5))]
    fused = fma(codes[0], codes[0], codes[1], "fp16", "fp16", "fp16")
    assert golden.decode(fused, "fp16") == 2.0**-12
    rounded = multiply(codes[0], codes[0], "fp16", "fp16")
    assert golden.decode(add(rounded, codes[1], "fp16", "fp16"), "fp16") == 0


@pytest.mark.parametrize(
    ("a", "b", "c", "code", "flags"),
    [
        # Infinity times zero is invalid whatever c is, a quiet NaN included.
        (0x7C00, 0x0000, 0x3C00, 0x7E00, Flag.INVALID),
        (0x0000, 0xFC00, 0x7E01, 0x7E00, Flag.INVALID),
        (0x3C00, 0x3C00, 0x7E01, 0x7E00, Flag(0)),
        (0x3C00, 0x3C00, 0x7C01, 0x7E00, Flag.INVALID),
        (0x7C00, 0x3C00, 0xFC00, 0x7E00, Flag.INVALID),
        (0x7C00, 0xBC00, 0xFC00, 0xFC00, Flag(0)),
        # The product alone would overflow.
        (0x7BFF, 0x4000, 0xFBFF, 0x7BFF, Flag(0)),
        # -0 + 0 and -0 + -0.
        (0x8000, 0x3C00, 0x0000, 0x0000, Flag(0)),
        (0x8000, 0x3C00, 0x8000, 0x8000, Flag(0)),
        # 2^-48 below 1: inexact, and below half a unit.
        (0x0001, 0x0001, 0x3C00, 0x3C00, Flag.INEXACT),
        # 2^-48 alone: below the least subnormal.
        (0x0001, 0x0001, 0x0000, 0x0000, Flag.INEXACT | Flag.UNDERFLOW),
    ],
)
def test_flags_by_hand(a, b, c, code, flags):
    codes, raised = fma(a, b, c, "fp16", "fp16", "fp16", flags=True)
    assert (int(codes), int(raised)) == (code, flags)


def test_operands_broadcast():
    row, column = np.arange(4, dtype=np.uint8), np.arange(3, dtype=np.uint8)[:, None]
    found = fma(row, column, np.uint8(7), "uint8", "uint8", "uint8")
    assert found.tolist() == [[7, 7, 7, 7], [7, 8, 9, 10], [7, 9, 11, 13]]


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (
            lambda: fma(0, 0, 0, "fp16", "fp16", "fp32"),
            ParameterError,
            "out must be a format where the operands are fp16, fp16 and fp32, not None",
        ),
        (
            lambda: fma([1], [1, 2], [1, 2, 3], "int8", "int8", "int8"),
            ParameterError,
            "a, b and c must have shapes that broadcast, not (1,), (2,) and (3,)",
        ),
        (
            lambda: fma([0x7C00], [0], [0], "fp16", "fp16", "fp16", out="fp4_e2m1"),
            ParameterError,
            "a * b + c must be free of NaN for fp4_e2m1, not nan at index 0",
        ),
        (lambda: fma(0, 0, -1, "int8", "int8", "int8"), ParameterError, "c must hold codes of int8, 0 … 0xff, not -1"),
    ],
)
def test_errors(call, error, message):
    with pytest.raises(error) as caught:
        call()
    assert str(caught.value) == message
