"""Multiplication of floats against numpy, ml_dtypes and exact fractions rounded by search."""

from fractions import Fraction

import ml_dtypes
import numpy as np
import pytest

from polymac import golden
from polymac.golden import Flag, Format, ParameterError
from polymac.golden.formats import FLOAT_OVERFLOWS, ROUNDINGS, SUBNORMALS


def corners(fmt: Format) -> list[int]:
    """Zeros, subnormals, ends of binades, powers of two around 1, infinities and NaNs: the codes next to all edges."""
    one = fmt.bias << fmt.frac_bits
    edges = [0, 1 << fmt.frac_bits, one, 2 * one // 3, fmt.max_code, *([] if fmt.inf_code is None else [fmt.inf_code])]
    edges += [edge + (1 << fmt.frac_bits >> 1) for edge in edges]
    near = {edge + step for edge in edges for step in (-2, -1, 0, 1, 2)} | {fmt.magnitude_mask}
    magnitudes = sorted(code for code in near if 0 <= code <= fmt.magnitude_mask)
    return magnitudes + [code | fmt.sign_mask for code in magnitudes]


def pairs(first: list[int] | np.ndarray, second: list[int] | np.ndarray, dtype: str) -> tuple[np.ndarray, np.ndarray]:
    a, b = np.meshgrid(np.array(first, dtype), np.array(second, dtype))
    return a.ravel(), b.ravel()


def with_corner_pairs(fmt: Format, rng: np.random.Generator, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Corners × corners and ``count`` random pairs."""
    dtype = str(golden.code_dtype(fmt))
    a, b = pairs(corners(fmt), corners(fmt), dtype)
    more = rng.integers(0, fmt.code_mask, (2, count), dtype=np.uint64, endpoint=True).astype(dtype)
    return np.concatenate([a, more[0]]), np.concatenate([b, more[1]])


def assert_products(fmt: Format, a: np.ndarray, b: np.ndarray, dtype: np.dtype) -> None:
    """Our products equal those of a NumPy dtype: bit for bit; the default NaN where it has any NaN."""
    with np.errstate(all="ignore"):
        product = a.view(dtype) * b.view(dtype)
        nan = np.isnan(product)
    found = golden.multiply(a, b, fmt, fmt)
    assert found.dtype == a.dtype
    np.testing.assert_array_equal(found, np.where(nan, np.array(fmt.nan_code or 0, a.dtype), product.view(a.dtype)))


@pytest.mark.parametrize(
    ("name", "dtype", "count"),
    [
        ("fp16", np.float16, 1_000_000),
        ("bf16", ml_dtypes.bfloat16, 1_000_000),
        ("fp32", np.float32, 200_000),
        ("fp64", np.float64, 20_000),
    ],
)
def test_multiply_like_numpy(name, dtype, count, rng):
    fmt = golden.format(name)
    assert_products(fmt, *with_corner_pairs(fmt, rng, count), np.dtype(dtype))


def test_multiply_all_pairs_like_ml_dtypes(small_twin):
    name, fmt = small_twin[0], golden.format(small_twin[1])
    codes = np.arange(fmt.codes)
    assert_products(fmt, *pairs(codes, codes, "uint8"), np.dtype(getattr(ml_dtypes, name)))


def describe(fmt: Format, code: int) -> tuple[str, bool, Fraction]:
    """Class ("nan", "snan", "inf" or "finite"), sign and magnitude of a code, field by field."""
    negative, magnitude = bool(code & fmt.sign_mask), code & ~fmt.sign_mask
    if fmt.text(code) == "nan":
        quiet = not fmt.has_signaling_nan or magnitude >> (fmt.frac_bits - 1) & 1
        return ("nan" if quiet else "snan"), negative, Fraction(0)
    if magnitude == fmt.inf_code:
        return "inf", negative, Fraction(0)
    return "finite", negative, abs(fmt.fraction(code))


def reference_multiply(a, b, fa, fb, out, rounding, overflow, subnormals, round_float) -> tuple[int, Flag]:
    """One product and its exceptions, by IEEE 754's rules on exact fractions."""
    (class_a, negative_a, x), (class_b, negative_b, y) = describe(fa, a), describe(fb, b)
    if subnormals == "flush":
        x, y = (size if size >= Fraction(2) ** fmt.min_exponent else Fraction(0) for size, fmt in ((x, fa), (y, fb)))
    negative = negative_a != negative_b
    classes = {class_a, class_b}
    zero = (class_a == "finite" and x == 0) or (class_b == "finite" and y == 0)
    if "snan" in classes or ("inf" in classes and zero and "nan" not in classes):
        return out.nan_code, Flag.INVALID
    if "nan" in classes:
        return out.nan_code, Flag(0)
    if "inf" not in classes:
        return round_float(out, negative, x * y, rounding, overflow, subnormals)
    if overflow == "ieee" and out.inf_code is not None:
        return out.inf_code | negative * out.sign_mask, Flag(0)
    if overflow == "ieee" and out.nan_code is not None:
        return out.nan_code, Flag(0)
    return out.max_code | negative * out.sign_mask, Flag(0)


CASES = [
    # Formats of a, b and the product, and how many pairs; None is all of them.
    ("e3m2", "e3m2", "e3m2", None),
    ("fp4_e2m1", "fp4_e2m1", "fp4_e2m1", None),
    ("fp6_e2m3", "fp6_e2m3", "fp4_e2m1", 800),
    ("fp6_e3m2", "fp6_e3m2", "fp6_e3m2", 800),
    ("e4m0", "e4m0", "e4m0", None),
    ("fp8_e4m3", "fp8_e4m3", "fp8_e4m3", 800),
    ("fp8_e5m2", "fp8_e4m3", "e3m4", 800),
    ("fp8_e4m3", "fp6_e3m2", "fp16", 800),
    ("fp16", "fp16", "fp16", 800),
    ("fp16", "bf16", "fp8_e5m2", 800),
    ("e8m0", "fp8_e4m3", "fp16", 800),
]


@pytest.mark.parametrize(("name_a", "name_b", "name_out", "count"), CASES)
def test_every_policy_and_flag_by_search(name_a, name_b, name_out, count, rng, round_float):
    fa, fb, out = (golden.format(name) for name in (name_a, name_b, name_out))
    if count is None:
        a, b = pairs(np.arange(fa.codes), np.arange(fb.codes), "uint32")
    else:
        # Half of the operands at random, half next to an edge.
        a, b = (
            np.where(rng.random(count) < 0.5, rng.integers(0, fmt.codes, count), rng.choice(corners(fmt), count))
            for fmt in (fa, fb)
        )
    for rounding in ROUNDINGS:
        for overflow in FLOAT_OVERFLOWS:
            for subnormals in SUBNORMALS:
                codes, flags = golden.multiply(
                    a, b, fa, fb, out=out, rounding=rounding, overflow=overflow, subnormals=subnormals, flags=True
                )
                expected = [
                    reference_multiply(x, y, fa, fb, out, rounding, overflow, subnormals, round_float)
                    for x, y in zip(a.tolist(), b.tolist(), strict=True)
                ]
                policy = f"{rounding} {overflow} {subnormals}"
                np.testing.assert_array_equal(codes, [code for code, _ in expected], policy)
                np.testing.assert_array_equal(flags, [int(flag) for _, flag in expected], policy)


@pytest.mark.parametrize(
    ("a", "b", "code", "flags"),
    [
        (0x3C00, 0x3C00, 0x3C00, Flag(0)),
        # 2^-14 - 2^-25 has 11 significant bits: tiny. It is halfway to 2^-14, the even neighbour.
        (0x0400, 0x3BFF, 0x0400, Flag.INEXACT | Flag.UNDERFLOW),
        # 2^-14 - 2^-34 would round to 2^-14 with any exponent range: not tiny after rounding.
        (0x0401, 0x3BFE, 0x0400, Flag.INEXACT),
        # 2^-24 exactly: tiny, but nothing is lost.
        (0x0001, 0x3C00, 0x0001, Flag(0)),
        (0x7BFF, 0x7BFF, 0x7C00, Flag.OVERFLOW | Flag.INEXACT),
        (0x7C00, 0x3C00, 0x7C00, Flag(0)),
        (0x7C00, 0x8000, 0x7E00, Flag.INVALID),
        (0x7C01, 0x3C00, 0x7E00, Flag.INVALID),
        (0xFE00, 0x0000, 0x7E00, Flag(0)),
    ],
)
def test_flags_by_hand(a, b, code, flags):
    codes, raised = golden.multiply(a, b, "fp16", "fp16", flags=True)
    assert (codes.dtype, raised.dtype) == (np.uint16, np.uint8)
    assert (int(codes), int(raised)) == (code, flags)


def test_flushed_operands_raise_nothing():
    codes, flags = golden.multiply([0x0001, 0x8001], [0x7BFF, 0x7BFF], "fp16", "fp16", subnormals="flush", flags=True)
    assert codes.tolist() == [0, 0x8000]
    assert flags.tolist() == [0, 0]
    # Infinity times a flushed subnormal is infinity times zero.
    codes, flags = golden.multiply(0x7C00, 0x0001, "fp16", "fp16", subnormals="flush", flags=True)
    assert (int(codes), int(flags)) == (0x7E00, Flag.INVALID)


def test_float_products_as_fixed_point():
    codes, flags = golden.multiply(
        [0x3E00, 0x7C00, 0x7BFF], [0x3D00, 0xBC00, 0x7BFF], "fp16", "fp16", out="q4.4", flags=True
    )
    # 1.5 * 1.25 = 30/16 exactly; the least value for -inf, raising nothing; an overflow.
    assert codes.tolist() == [30, 0x80, 0x7F]
    assert flags.tolist() == [0, 0, Flag.OVERFLOW | Flag.INEXACT]


def test_fixed_point_products_as_floats():
    # 127 * 127 = 16129 needs 14 bits; fp16 has steps of 8 there, and its neighbours are 16128 and 16136.
    assert golden.decode(golden.multiply(127, 127, "int8", "int8", out="fp16"), "fp16") == 16128
    assert golden.decode(golden.multiply(0x81, 127, "int8", "int8", out="fp16", rounding="rdn"), "fp16") == -16136
    assert golden.decode(golden.multiply(0x81, 127, "int8", "int8", out="fp32"), "fp32") == -16129


def test_binary_product_is_xnor():
    assert golden.multiply([0, 0, 1, 1], [0, 1, 0, 1], "bin1", "bin1").tolist() == [1, 0, 0, 1]
    assert golden.multiply([0, 1], [5, 5], "bin1", "int4", out="int4").tolist() == [11, 5]
    codes, flags = golden.multiply([3, 13, 1, 0], [2, 2, 1, 7], "int4", "int4", out="bin1", flags=True)
    assert codes.tolist() == [1, 0, 1, 1]
    assert flags.tolist() == [Flag.INEXACT, Flag.INEXACT, 0, Flag.INEXACT]


def test_operands_broadcast():
    row, column = np.arange(4, dtype=np.uint8), np.arange(3, dtype=np.uint8)[:, None]
    codes, flags = golden.multiply(row, column, "uint8", "uint8", flags=True)
    assert codes.tolist() == [[0, 0, 0, 0], [0, 1, 2, 3], [0, 2, 4, 6]]
    assert flags.shape == (3, 4)
    assert golden.multiply(np.zeros((0, 2), np.uint8), 3, "int8", "int8").shape == (0, 2)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (
            lambda: golden.multiply(0, 0, "fp16", "bf16"),
            ParameterError,
            "out must be a format where the operands are fp16 and bf16, not None",
        ),
        (
            lambda: golden.multiply(0, 0, "int8", "fp16"),
            ParameterError,
            "out must be a format where the operands are int8 and fp16, not None",
        ),
        (
            lambda: golden.multiply(0, 0, "e8m0", "e8m0"),
            ParameterError,
            "out must be a format with a sign and a zero, not e8m0",
        ),
        (
            lambda: golden.multiply([0x3C00, 0x7C00], [0, 0], "fp16", "fp16", out="fp4_e2m1"),
            ParameterError,
            "a * b must be free of NaN for fp4_e2m1, not nan at index 1",
        ),
        (
            lambda: golden.multiply([0x7C00], [0x3C00], "fp16", "fp16", out="int8", overflow="wrap"),
            ParameterError,
            "a * b must be finite to wrap in int8, not infinite at index 0",
        ),
        (
            lambda: golden.multiply([1, 2], [1, 2, 3], "int8", "int8"),
            ParameterError,
            "a and b must have shapes that broadcast, not (2,) and (3,)",
        ),
        (
            lambda: golden.multiply([1], [300], "int8", "uint8"),
            ParameterError,
            "b must hold codes of uint8, 0 … 0xff, not 300",
        ),
        (
            lambda: golden.multiply([1.0], [1], "int8", "int8"),
            TypeError,
            "a must be an array of integers, not of float64",
        ),
        (
            lambda: golden.multiply([1], [1], "int8", "int8", overflow="ieee"),
            ParameterError,
            "overflow must be one of saturate, wrap for int16, not 'ieee'",
        ),
        (
            lambda: golden.multiply([1], [1], "fp16", "fp16", overflow="wrap"),
            ParameterError,
            "overflow must be one of ieee, saturate for fp16, not 'wrap'",
        ),
    ],
)
def test_errors(call, error, message):
    with pytest.raises(error) as caught:
        call()
    assert str(caught.value) == message
