"""Addition against numpy, ml_dtypes and exact fractions rounded by search."""

import itertools

import ml_dtypes
import numpy as np
import pytest

from polymac import golden
from polymac.golden import Flag, ParameterError
from polymac.golden.arithmetic.operations import add
from polymac.golden.formats import FLOAT_OVERFLOWS, ROUNDINGS, SUBNORMALS, fixed_point
from polymac.golden.formats.derived import exact_sum


def assert_sums(fmt, a, b, dtype) -> None:
    """Our sums equal those of a NumPy dtype: bit for bit; the default NaN where it has any NaN."""
    a, b = a.astype(golden.code_dtype(fmt)), b.astype(golden.code_dtype(fmt))
    with np.errstate(all="ignore"):
        total = a.view(dtype) + b.view(dtype)
        nan = np.isnan(total)
    found = add(a, b, fmt, fmt)
    assert found.dtype == a.dtype
    np.testing.assert_array_equal(found, np.where(nan, np.array(fmt.nan_code or 0, a.dtype), total.view(a.dtype)))


@pytest.mark.parametrize(
    ("name", "dtype", "count"),
    [("fp16", np.float16, 200_000), ("fp32", np.float32, 200_000), ("fp64", np.float64, 20_000)],
)
def test_add_like_numpy(name, dtype, count, rng, some_codes):
    fmt = golden.format(name)
    a, b = some_codes(fmt, count, rng), some_codes(fmt, count, rng)
    # Half of the pairs have nearby exponents, where bits cancel.
    near = np.where(rng.random(count) < 0.5, b, a ^ rng.integers(0, 1 << (fmt.frac_bits + 2), count, dtype=np.uint64))
    assert_sums(fmt, a, np.where(rng.random(count) < 0.5, near, near ^ np.uint64(fmt.sign_mask)), np.dtype(dtype))


def test_add_all_pairs_like_ml_dtypes(small_twin):
    name, fmt = small_twin[0], golden.format(small_twin[1])
    a, b = np.meshgrid(np.arange(fmt.code_count), np.arange(fmt.code_count))
    # ml_dtypes adds in float32. Its 24 bits are more than twice those of any of these formats and two more, so that
    # rounding a second time, to the format, changes no result.
    assert_sums(fmt, a.ravel(), b.ravel(), np.dtype(getattr(ml_dtypes, name)))


CASES = [
    # Formats of a, b and the sum, and how many pairs; None is all of them.
    ("e3m2", "e3m2", "e3m2", None),
    ("fp6_e2m3", "fp6_e2m3", "fp4_e2m1", 400),
    ("fp8_e4m3", "fp8_e4m3", "fp8_e4m3", 400),
    ("fp8_e5m2", "fp8_e4m3", "e3m4", 400),
    ("fp16", "fp16", "fp16", 400),
    ("fp16", "bf16", "fp8_e5m2", 400),
    ("bf16", "bf16", "bf16", 400),
    ("e8m0", "fp8_e4m3", "fp16", 400),
    ("e8m0", "e8m0", "bf16", 400),
    ("int8", "fp16", "fp16", 400),
    ("e0m3", "e0m4", "e0m5", None),
    ("bin1", "fp8_e4m3", "fp8_e4m3", None),
    ("q2.6", "fp8_e5m2", "e4m3", 400),
]


@pytest.mark.parametrize(("name_a", "name_b", "name_out", "count"), CASES)
def test_every_policy_and_flag_by_search(name_a, name_b, name_out, count, rng, reference, some_codes):
    fa, fb, out = (golden.format(name) for name in (name_a, name_b, name_out))
    if count is None:
        a, b = (codes.ravel() for codes in np.meshgrid(np.arange(fa.code_count), np.arange(fb.code_count)))
    else:
        a, b = (some_codes(fmt, count, rng) for fmt in (fa, fb))
    for rounding, overflow, subnormals in itertools.product(ROUNDINGS, FLOAT_OVERFLOWS, SUBNORMALS):
        codes, flags = add(
            a, b, fa, fb, out=out, rounding=rounding, overflow=overflow, subnormals=subnormals, flags=True
        )
        expected = [
            reference("add", pair, (fa, fb), out, rounding, overflow, subnormals)
            for pair in zip(a.tolist(), b.tolist(), strict=True)
        ]
        policy = f"{rounding} {overflow} {subnormals}"
        np.testing.assert_array_equal(codes, [code for code, _ in expected], policy)
        np.testing.assert_array_equal(flags, [int(flag) for _, flag in expected], policy)


@pytest.mark.parametrize(
    ("name_a", "name_b", "name_out"),
    [
        ("int8", "int8", "int8"),
        ("int8", "uint8", "q6.4"),
        ("q2.6", "q6.2", "q3.3"),
        ("int64", "uint64", "int64"),
        ("q1.63", "int64", "q8.8"),
        ("uint64", "int8", "uint64"),
        ("bin1", "int4", "int4"),
        ("e4m3", "e4m3", "q6.2"),
        ("fp6_e2m3", "fp6_e3m2", "int4"),
        ("fp4_e2m1", "int8", "q10.6"),
    ],
)
@pytest.mark.parametrize("overflow", ["saturate", "wrap"])
def test_fixed_point_sums_by_fractions(name_a, name_b, name_out, overflow, rng, reference, some_codes):
    fa, fb, out = (golden.format(name) for name in (name_a, name_b, name_out))
    a, b = some_codes(fa, 300, rng), some_codes(fb, 300, rng)
    if fa.has_nan:
        a, b = (np.where((codes & 0x7F) >= 0x78, codes & 0x87, codes) for codes in (a, b))
    for rounding in ROUNDINGS:
        codes, flags = add(a, b, fa, fb, out=out, rounding=rounding, overflow=overflow, flags=True)
        expected = [
            reference("add", pair, (fa, fb), out, rounding, overflow)
            for pair in zip(a.tolist(), b.tolist(), strict=True)
        ]
        assert codes.tolist() == [code for code, _ in expected], rounding
        assert flags.tolist() == [int(flag) for _, flag in expected], rounding


@pytest.mark.parametrize(
    ("name_a", "name_b", "expected"),
    [
        ("int8", "int8", fixed_point(9)),
        ("uint8", "uint8", fixed_point(9, signed=False)),
        ("int8", "uint8", fixed_point(10)),
        ("q1.7", "int8", fixed_point(16, 7)),
        ("q2.2", "uq1.5", fixed_point(8, 5)),
        ("bin1", "bin1", fixed_point(3)),
        ("int64", "int64", fixed_point(65)),
    ],
)
def test_exact_sums(name_a, name_b, expected, some_codes, rng):
    assert exact_sum(name_a, name_b) == expected
    fa, fb = golden.format(name_a), golden.format(name_b)
    a, b = some_codes(fa, 200, rng), some_codes(fb, 200, rng)
    codes, flags = add(a, b, fa, fb, flags=True)
    assert not flags.any()
    found = [expected.fraction(int(code)) for code in codes]
    assert found == [fa.fraction(x) + fb.fraction(y) for x, y in zip(a.tolist(), b.tolist(), strict=True)]


@pytest.mark.parametrize("name", ["fp16", "fp64"])
@pytest.mark.parametrize("rounding", ROUNDINGS)
def test_signed_zeros(rounding, name):
    zero, minus_zero, one, minus_one = golden.encode([0.0, -0.0, 1.0, -1.0], name).tolist()
    none = minus_zero if rounding == "rdn" else zero
    a = [zero, zero, minus_zero, minus_zero, one, minus_one]
    b = [zero, minus_zero, zero, minus_zero, minus_one, one]
    codes, flags = add(a, b, name, name, rounding=rounding, flags=True)
    assert codes.tolist() == [zero, none, none, minus_zero, none, none]
    assert not flags.any()
    # An integer zero is +0.
    assert add([0, 0], [zero, minus_zero], "int8", name, out=name, rounding=rounding).tolist() == [zero, none]


@pytest.mark.parametrize(
    ("a", "b", "code", "flags"),
    [
        # Infinity and its opposite; with itself; with a number; NaN quiet and signaling.
        (0x7C00, 0xFC00, 0x7E00, Flag.INVALID),
        (0xFC00, 0xFC00, 0xFC00, Flag(0)),
        (0x7C00, 0xFBFF, 0x7C00, Flag(0)),
        (0x7E01, 0x3C00, 0x7E00, Flag(0)),
        (0x7C01, 0x7E00, 0x7E00, Flag.INVALID),
        # 65504 + 16 is the middle between 65504 and 65536.
        (0x7BFF, 0x4C00, 0x7C00, Flag.OVERFLOW | Flag.INEXACT),
        (0x7BFF, 0x4BFF, 0x7BFF, Flag.INEXACT),
        # 1 + 2^-11 is the middle between 1 and its successor; sums of subnormals are exact.
        (0x3C00, 0x1000, 0x3C00, Flag.INEXACT),
        (0x0001, 0x03FF, 0x0400, Flag(0)),
    ],
)
def test_flags_by_hand(a, b, code, flags):
    codes, raised = add(a, b, "fp16", "fp16", flags=True)
    assert (int(codes), int(raised)) == (code, flags)


def test_far_apart():
    # A bit some 2000 places below the last one counts in the directed modes, and against a tie.
    one, least = 0x3FF0000000000000, 1
    found = [int(add(one, least, "fp64", "fp64", rounding=rounding)) for rounding in ROUNDINGS]
    assert found == [one, one, one, one + 1, one]
    tie = golden.encode(2.0**-53, "fp64")
    assert add(one, tie, "fp64", "fp64") == one
    assert add([0x4B800001], [0x3F800001], "fp32", "fp32").tolist() == [0x4B800002]


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (
            lambda: add(0, 0, "fp16", "int8"),
            ParameterError,
            "out must be a format where the operands are fp16 and int8, not None",
        ),
        (
            lambda: add(0, 0, "e8m0", "e8m0"),
            ParameterError,
            "out must be a format with a sign and a zero, not e8m0",
        ),
        (
            lambda: add([0, 0x7C00], [0, 0xFC00], "fp16", "fp16", out="int8"),
            ParameterError,
            "a + b must be free of NaN for int8, not nan at index 1",
        ),
        (
            lambda: add([[1, 2]], [1, 2, 3], "int8", "int8"),
            ParameterError,
            "a and b must have shapes that broadcast, not (1, 2) and (3,)",
        ),
        (lambda: add(1, 256, "int8", "uint8"), ParameterError, "b must hold codes of uint8, 0 … 0xff, not 256"),
        (lambda: add(1, "1", "int8", "int8"), TypeError, "b must be an array of integers, not of <U1"),
        (
            lambda: exact_sum("int8", "fp16"),
            ParameterError,
            "fb must be a fixed-point or binary format, not fp16",
        ),
    ],
)
def test_errors(call, error, message):
    with pytest.raises(error) as caught:
        call()
    assert str(caught.value) == message


def test_a_sum_just_below_a_power_of_two_is_in_range():
    assert golden.add([2**62 - 1], [0], "uint62", "uint2", out="uq62.2").tolist() == [2**64 - 4]
