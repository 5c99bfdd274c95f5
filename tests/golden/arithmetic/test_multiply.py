"""Multiplication of floats against numpy, ml_dtypes and exact fractions rounded by search."""

import itertools

import ml_dtypes
import numpy as np
import pytest

from polymac import golden
from polymac.golden import FORMATS, Flag, Format, ParameterError
from polymac.golden.formats import FLOAT_OVERFLOWS, ROUNDINGS, SUBNORMALS
from polymac.golden.formats.derived import exact_product


def pairs(first: list[int] | np.ndarray, second: list[int] | np.ndarray, dtype: str) -> tuple[np.ndarray, np.ndarray]:
    a, b = np.meshgrid(np.array(first, dtype), np.array(second, dtype))
    return a.ravel(), b.ravel()


def with_corner_pairs(
    fmt: Format, edges: list[int], rng: np.random.Generator, count: int
) -> tuple[np.ndarray, np.ndarray]:
    """Corners × corners and ``count`` random pairs."""
    dtype = str(golden.code_dtype(fmt))
    a, b = pairs(edges, edges, dtype)
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
def test_multiply_like_numpy(name, dtype, count, rng, corners):
    fmt = golden.format(name)
    assert_products(fmt, *with_corner_pairs(fmt, corners(fmt), rng, count), np.dtype(dtype))


def test_multiply_all_pairs_like_ml_dtypes(small_twin):
    name, fmt = small_twin[0], golden.format(small_twin[1])
    codes = np.arange(fmt.code_count)
    assert_products(fmt, *pairs(codes, codes, "uint8"), np.dtype(getattr(ml_dtypes, name)))


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
    ("e0m3", "e0m4", "e0m5", None),
]


@pytest.mark.parametrize(("name_a", "name_b", "name_out", "count"), CASES)
def test_every_policy_and_flag_by_search(name_a, name_b, name_out, count, rng, reference, some_codes):
    fa, fb, out = (golden.format(name) for name in (name_a, name_b, name_out))
    if count is None:
        a, b = pairs(np.arange(fa.code_count), np.arange(fb.code_count), "uint32")
    else:
        a, b = (some_codes(fmt, count, rng) for fmt in (fa, fb))
    for rounding, overflow, subnormals in itertools.product(ROUNDINGS, FLOAT_OVERFLOWS, SUBNORMALS):
        codes, flags = golden.multiply(
            a, b, fa, fb, out=out, rounding=rounding, overflow=overflow, subnormals=subnormals, flags=True
        )
        expected = [
            reference("multiply", pair, (fa, fb), out, rounding, overflow, subnormals)
            for pair in zip(a.tolist(), b.tolist(), strict=True)
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


EXACT_PAIRS = [
    ("fp4_e2m1", "fp4_e2m1"),
    ("fp6_e2m3", "fp6_e3m2"),
    ("fp8_e4m3", "fp8_e4m3"),
    ("fp8_e5m2", "fp8_e5m2"),
    ("fp8_e4m3", "fp8_e5m2"),
    ("e4m0", "e2m5"),
    ("e0m3", "fp6_e3m2"),
    ("e0m4", "e0m5"),
    ("e8m0", "fp8_e4m3"),
    ("e8m0", "e8m0"),
    # Subnormals that reach far down decide on the exponent bits.
    (Format("deep", "float", 6, 2, bias=8), Format("deeper", "float", 6, 2, bias=10)),
    ("int4", "fp6_e3m2"),
    ("fp4_e2m1", "uq2.6"),
    ("bin1", "fp8_e4m3"),
    ("bin1", "int8"),
    ("int8", "uint8"),
    ("q2.6", "q6.2"),
    ("bin1", "bin1"),
]


@pytest.mark.parametrize(("name_a", "name_b"), EXACT_PAIRS, ids=str)
def test_exact_products_of_all_pairs(name_a, name_b):
    fa, fb = golden.format(name_a), golden.format(name_b)
    out = exact_product(fa, fb)
    a, b = pairs(np.arange(fa.code_count), np.arange(fb.code_count), "uint8")
    rounding = "rne" if out.kind == "binary" else "rtz"
    codes, flags = golden.multiply(a, b, fa, fb, out=out, rounding=rounding, flags=True)
    assert not (flags & ~np.uint8(Flag.INVALID)).any()
    with np.errstate(invalid="ignore"):
        exact = golden.decode(a, fa) * golden.decode(b, fb)
    np.testing.assert_array_equal(golden.decode(codes, out), exact)
    if out.kind == "float" and out.exp_bits > 2:
        # With one exponent bit less some product is out of range.
        narrow = golden.format(f"e{out.exp_bits - 1}m{out.frac_bits}")
        _, flags = golden.multiply(a, b, fa, fb, out=narrow, rounding="rtz", flags=True)
        assert flags.any()


@pytest.mark.parametrize(
    ("name_a", "name_b", "name", "width"),
    [
        ("fp16", "fp16", "e6m21", 28),
        ("bf16", "bf16", "e9m15", 25),
        ("tf32", "tf32", "e9m21", 31),
        ("fp32", "fp32", "e9m47", 57),
        ("fp64", "fp64", "e12m105", 118),
        ("fp8_e4m3", "fp8_e4m3", "e6m7", 14),
        ("int8", "fp16", "e6m17", 24),
        ("int8", "int8", "int16", 16),
    ],
)
def test_exact_products_are_exact(name_a, name_b, name, width, rng, some_codes):
    fa, fb = golden.format(name_a), golden.format(name_b)
    out = exact_product(name_a, name_b)
    assert (out.name, out.width) == (name, width)
    a, b = some_codes(fa, 1000, rng), some_codes(fb, 1000, rng)
    codes, flags = golden.multiply(a, b, fa, fb, out=out, rounding="rtz", flags=True)
    assert not (flags & ~np.uint8(Flag.INVALID)).any()
    for x, y, product in zip(a.tolist(), b.tolist(), codes.tolist(), strict=True):
        try:
            exact = fa.fraction(x) * fb.fraction(y)
        except ParameterError:
            continue
        assert out.fraction(product) == exact


def test_a_product_rounded_to_its_sign_is_inexact_unless_its_magnitude_is_one():
    values = np.array([0.0, 0.5, 1.0, 1.5, 2.0, 4.0, -1.0, -2.0, np.inf])
    a, one = golden.encode(values, "fp16"), golden.encode(np.ones(len(values)), "fp16")
    y, flags = golden.multiply(a, one, "fp16", "fp16", out="bin1", flags=True)
    assert y.tolist() == [1, 1, 1, 1, 1, 1, 0, 0, 1]
    assert flags.tolist() == np.where((np.abs(values) == 1) | np.isinf(values), 0, golden.Flag.INEXACT).tolist()


@pytest.mark.parametrize(
    ("fmt", "missing"),
    [
        (Format("no_sign", "float", 4, 1, signed=False, bias=3), "sign"),
        (Format("no_zero", "float", 4, 1, bias=1, subnormals=False), "zero"),
        (FORMATS["e8m0"], "both"),
    ],
    ids=str,
)
def test_results_need_a_sign_and_a_zero(fmt, missing):
    assert (fmt.signed, fmt.has_zero) == (missing == "zero", missing == "sign")
    with pytest.raises(ParameterError) as caught:
        golden.multiply([0], [0], "int4", "int4", out=fmt)
    assert str(caught.value) == f"out must be a format with a sign and a zero, not {fmt}"
