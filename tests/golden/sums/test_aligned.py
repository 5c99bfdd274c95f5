"""Tensor core sums against values worked out by hand and against a scalar model on exact fractions."""

import math
from collections.abc import Sequence
from fractions import Fraction

import numpy as np
import pytest

from polymac import golden
from polymac.golden import Format, ParameterError
from polymac.golden.formats.accumulation import Aligned, Exact
from polymac.golden.sums.dot import dot
from polymac.golden.sums.gemm import gemm

FP16, FP32 = golden.format("fp16"), golden.format("fp32")
V100, A100, H100 = Aligned(4, 23), Aligned(8, 24), Aligned(16, 25)


def real(a: Sequence[float], b: Sequence[float], c: float, acc: Aligned, fmt: str = "fp16", out: str = "fp32") -> float:
    operand, result = golden.format(fmt), golden.format(out)
    d = dot(
        golden.encode(a, operand),
        golden.encode(b, operand),
        operand,
        operand,
        golden.encode(c, result),
        acc=acc,
        out=out,
    )
    return float(golden.decode(d, result))


# By hand from Fasi et al. (PeerJ CS 7:e330), sections 3.2 to 3.4: alignment to the largest term, truncation without
# further bits in the V100 and with one in the A100, no normalisation before the end.


@pytest.mark.parametrize("sign", [1, -1])
def test_terms_are_truncated_at_the_largest(sign):
    # Four products of 2^-24 beside 1: each vanishes at 23 fraction bits, and their sum 2^-22 stays with 24.
    a, b = [2.0**-12] * 4, [sign * 2.0**-12] * 4
    assert real(a, b, sign, V100) == sign
    assert real(a, b, sign, A100) == sign * (1 + 2.0**-22)
    # Four of 2^-25 need the H100's 25 bits, and 2^-23 is the last bit of the result.
    b = [sign * 2.0**-13] * 4
    assert real(a, b, sign, A100) == sign
    assert real(a, b, sign, H100) == sign * (1 + 2.0**-23)


def test_the_sum_is_not_monotonic():
    # A smaller c makes the sum larger: below 1 the largest exponent is -1, at which 2^-24 is kept.
    a, b = [2.0**-12] * 4, [2.0**-12] * 4
    assert real(a, b, 1, V100) == 1
    assert real(a, b, 1 - 2.0**-24, V100) == 1 + 2.0**-23


def test_products_are_not_normalised():
    # 1.5 · 1.5 = 2.25 keeps the exponent 0 and lets 2^-23 through twice; normalised it would let 2^-22 through only.
    assert real([1.5, 2.0**-12], [1.5, 2.0**-11], 2.0**-23, V100) == 2.25 + 2.0**-22
    # The largest value itself, 2.0, has the exponent 1.
    assert real([2, 2.0**-12], [1, 2.0**-11], 2.0**-23, V100) == 2


def test_subnormal_operands_have_the_least_exponent():
    # 2^-24 has the exponent -14, at which c = 2^-40 is below the last bit, 2^-37; normal 2^-14 · 2^-10 is the same.
    assert real([2.0**-24], [1], 2.0**-40, V100) == 2.0**-24
    assert real([2.0**-14], [2.0**-10], 2.0**-40, V100) == 2.0**-24 + 2.0**-40


def test_zeros_have_no_exponent():
    assert real([0, 2.0**-10], [2.0**15, 2.0**-10], 0, V100) == 2.0**-20
    assert real([0, 1], [2.0**15, 2.0**-20], 2.0**-60, V100, "bf16") == 2.0**-20
    assert real([0], [2.0**15], 2.0**-140, V100) == 2.0**-140


def test_truncation_toward_zero_of_terms_and_sum():
    # -2^-24 beside 1 is lost and not rounded down; kept at 24 bits, 1 - 2^-24 has the exponent -1 and fits.
    assert real([2.0**-12], [-(2.0**-12)], 1, V100) == 1
    assert real([2.0**-12], [-(2.0**-12)], 1, A100) == 1 - 2.0**-24
    # 4 + 2^-22 needs 25 bits: truncated, on either side.
    assert real([2, 2.0**-11], [2, 2.0**-11], 0, A100) == 4
    assert real([2, 2.0**-11], [-2, -(2.0**-11)], 0, A100) == -4
    # 1.75 and 2^-13 with an output of 13 fraction bits (H100, fp8), and 2^-14 without a place.
    assert real([1.75, 2.0**-7], [1, 2.0**-6], 0, Aligned(32, 13, 13)) == 1.75 + 2.0**-13
    assert real([1.75, 2.0**-7], [1, 2.0**-7], 0, Aligned(32, 13, 13)) == 1.75


def test_many_products_of_one_exponent():
    # Sixteen of 1 and -1: their exponent is 0, however many they are, and c = 2^-23 is the last bit.
    for fmt in ("fp16", "bf16", "tf32"):
        for count in (8, 15, 16, 40):
            assert real([1] * count + [-1] * count, [1] * 2 * count, 2.0**-23, Aligned(512, 23), fmt) == 2.0**-23


def test_long_inner_products_are_chains_of_blocks():
    # Within one block 2^-24 is below 1 four times; a second block has c = 1 - 2^-24 as its largest term.
    a, b = [-(2.0**-12), 0, 0, 0] + [2.0**-12] * 4, [2.0**-12] * 8
    assert real(a, b, 1, Aligned(8, 23)) == 1
    assert real(a, b, 1, Aligned(8, 24)) == 1 + 2.0**-23
    assert real(a, b, 1, Aligned(4, 24)) == 1 + 2.0**-23
    assert real([1, -1, 2.0**-12], [1, 1, 2.0**-12], 0, Aligned(3, 23)) == 0
    assert real([1, -1, 2.0**-12], [1, 1, 2.0**-12], 0, Aligned(2, 23)) == 2.0**-24


INF = math.inf


@pytest.mark.parametrize(
    ("a", "b", "c", "d"),
    [
        ([INF, 1], [1, 1], 0, INF),
        ([INF, 1], [-1, 1], 5, -INF),
        ([INF, INF], [1, -1], 0, math.nan),
        ([INF, 1], [0, 1], 0, math.nan),
        ([math.nan, INF], [1, 1], 0, math.nan),
        ([1, 1], [1, 1], -INF, -INF),
        ([INF, 1], [1, 1], -INF, math.nan),
        ([1, 1], [1, 1], math.nan, math.nan),
        ([1, 0, 0, 0, INF], [1] * 5, 0, INF),
    ],
)
def test_infinities_and_nan(a, b, c, d):
    np.testing.assert_equal(real(a, b, c, V100), d)


def test_overflow_underflow_and_zeros():
    big, least = 2.0**127, 2.0**-133
    assert real([big, big], [1, 1], 0, A100, "bf16") == INF
    assert real([-big, -big], [1, 1], 0, A100, "bf16") == -INF
    assert real([big, big, -big], [1, 1, 1], 0, Aligned(2, 24), "bf16") == INF
    assert real([big, big, -big], [1, 1, 1], 0, A100, "bf16") == big
    assert real([big, big], [1, 1], 0, A100, "bf16", "e10m23") == 2 * big
    # An accumulator with far larger exponents than the products.
    for exponent in (110, 200, 300):
        assert real([1] * 3, [1] * 3, 2.0**exponent, A100, "fp16", "e10m23") == 2.0**exponent
    assert real([1, 1], [1, 1], 2.0**-300, A100, "fp16", "e10m23") == 2
    assert real([0, 0], [1, 1], 2.0**-300, A100, "fp16", "e10m23") == 2.0**-300
    # 1.5 · 2^-148 is a multiple of 2^-149; 1.75 · 2^-149 is truncated to it, and anything below is +0.
    assert real([1.5 * 2.0**-100], [2.0**-48], 0, A100, "bf16") == 1.5 * 2.0**-148
    assert real([1.75 * 2.0**-100], [2.0**-49], 0, A100, "bf16") == 2.0**-149
    assert math.copysign(1, real([least], [-least], 0, A100, "bf16")) == 1
    assert math.copysign(1, real([-0.0], [1], -0.0, A100)) == 1
    assert math.copysign(1, real([1, -1], [-1, -1], 0, A100)) == 1
    # c where there is nothing else: itself.
    assert real([0], [0], -(2.0**-149), A100) == -(2.0**-149)


def test_outputs_without_infinity_or_nan():
    nan, largest = golden.format("fp8_e4m3").nan_code, 0x1F
    for a, ofp8, fp6 in (([60000, 60000], nan, largest), ([-INF, 1], nan, largest | 0x20)):
        operands = golden.encode(a, FP16), golden.encode([1, 1], FP16), FP16, FP16
        assert dot(*operands, acc=Aligned(2, 20, 2), out="fp8_e4m3") == ofp8
        assert dot(*operands, acc=Aligned(2, 20, 2), out="fp6_e3m2") == fp6
        # As the exact style has it.
        assert dot(*operands, out="fp8_e4m3") == ofp8 and dot(*operands, out="fp6_e3m2") == fp6


def floats(fmt: Format, code: int) -> tuple[bool, Fraction, int]:
    """Sign, magnitude and un-normalised exponent of a finite code."""
    field = (code & fmt.magnitude_mask) >> fmt.frac_bits
    return bool(code & fmt.sign_mask), abs(fmt.fraction(code)), max(field, 1) - fmt.bias


def truncated(size: Fraction, exponent: int) -> Fraction:
    unit = Fraction(2) ** exponent
    return size // unit * unit


def block(products: list[tuple[bool, Fraction, int]], frac_bits: int, out_frac_bits: int, out: Format) -> float:
    """One block by the description: the last of ``products`` is c."""
    terms = [term for term in products if term[1]]
    if not terms:
        return 0.0
    largest = max(exponent for _, _, exponent in terms)
    sizes = [(negative, truncated(size, largest - frac_bits)) for negative, size, _ in terms]
    value = sum(-size if negative else size for negative, size in sizes)
    if not value:
        return 0.0
    exponent = math.frexp(abs(value))[1] - 1
    kept = truncated(truncated(abs(value), exponent - out_frac_bits), out.min_exponent - out.frac_bits)
    return math.copysign(math.inf if kept > out.max else float(kept), value) if kept else 0.0


def slow_dot(a, b, c, fa: Format, fb: Format, style: Aligned, out: Format) -> float:
    acc = float(golden.decode(c, out))
    with np.errstate(invalid="ignore"):
        for start in range(0, len(a), style.block):
            x, y = a[start : start + style.block], b[start : start + style.block]
            specials = [
                p for p in [*(golden.decode(x, fa) * golden.decode(y, fb)).tolist(), acc] if not math.isfinite(p)
            ]
            if specials:
                acc = float(np.sum(specials))
                continue
            products = []
            for (sign_a, size_a, exp_a), (sign_b, size_b, exp_b) in zip(
                (floats(fa, int(code)) for code in x), (floats(fb, int(code)) for code in y), strict=True
            ):
                products.append((sign_a != sign_b, size_a * size_b, exp_a + exp_b))
            products.append(floats(out, int(golden.encode(acc, out))))
            acc = block(products, style.frac_bits, style.out_frac_bits, out)
    return acc


@pytest.mark.parametrize(
    ("name_a", "name_b", "acc", "name_out"),
    [
        ("fp16", "fp16", V100, "fp32"),
        ("fp16", "fp16", H100, "fp32"),
        ("bf16", "bf16", A100, "fp32"),
        ("tf32", "tf32", Aligned(4, 24), "fp32"),
        ("fp8_e4m3", "fp8_e5m2", Aligned(32, 13, 13), "fp32"),
        ("fp8_e4m3", "fp8_e4m3", Aligned(3, 0, 0), "fp16"),
        ("fp32", "bf16", Aligned(5, 40, 30), "e8m40"),
        ("fp4_e2m1", "fp6_e2m3", Aligned(512, 40, 5), "fp16"),
        ("fp16", "fp16", Aligned(2, 10, 7), "bf16"),
        ("fp16", "fp16", Aligned(40, 28, 2), "fp8_e5m2"),
        ("e0m3", "fp8_e4m3", Aligned(4, 5, 4), "fp16"),
    ],
)
@pytest.mark.parametrize("finite", [True, False])
def test_like_the_scalar_model(name_a, name_b, acc, name_out, finite, rng):
    fa, fb, out = (golden.format(name) for name in (name_a, name_b, name_out))
    rows, depth = 120, 11
    codes = []
    for fmt, shape in ((fa, (rows, depth)), (fb, (rows, depth)), (out, (rows,))):
        random = rng.integers(0, fmt.code_mask, shape, np.uint64, endpoint=True)
        # In half of the rows exponents are near that of 1, so that sums cancel.
        field = rng.integers(max(fmt.bias - 2, 0), fmt.bias + 3, shape).astype(np.uint64) << np.uint64(fmt.frac_bits)
        field &= np.uint64(fmt.magnitude_mask)
        near = (random & np.uint64(fmt.sign_mask | (1 << fmt.frac_bits) - 1)) | field
        random = np.where((np.arange(rows) % 2 == 0).reshape(-1, *[1] * (len(shape) - 1)), near, random)
        special = (random & np.uint64(fmt.magnitude_mask)) > np.uint64(fmt.max_code)
        codes.append(np.where(special & finite, np.uint64(0), random).astype(golden.code_dtype(fmt)))
    a, b, c = codes
    found = golden.decode(dot(a, b, fa, fb, c, acc=acc, out=out), out)
    expected = [slow_dot(x, y, z, fa, fb, acc, out) for x, y, z in zip(a, b, c, strict=True)]
    np.testing.assert_array_equal(found, expected)
    zero = found == 0
    assert not np.signbit(found[zero]).any()


def test_gemm_like_dot(rng):
    # Several tiles of rows, an infinity, and a NaN.
    a, b = golden.encode(rng.standard_normal((300, 20)), FP16), golden.encode(rng.standard_normal((20, 130)), FP16)
    a[3, 3], a[270, 19] = FP16.inf_code, FP16.nan_code
    c = rng.integers(0, 1 << 30, (300, 130))
    for acc in (V100, Aligned(16, 30)):
        found = gemm(a, b, "fp16", "fp16", c, acc=acc)
        np.testing.assert_array_equal(found, dot(a[:, None], b.T, "fp16", "fp16", c, acc=acc))
        assert (found[270] == FP32.nan_code).all() and (found[3] & 0x7FFFFFFF == FP32.inf_code).all()


def test_differs_from_correct_rounding(rng):
    a, b = golden.encode(rng.standard_normal((1000, 8)), FP16), golden.encode(rng.standard_normal((1000, 8)), FP16)
    different = dot(a, b, "fp16", "fp16", acc=A100) != dot(a, b, "fp16", "fp16", acc=Exact())
    assert 200 < different.sum() < 700


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: Aligned(0, 24), ParameterError, "block must be in 1 … 512, not 0"),
        (lambda: Aligned(8, 41), ParameterError, "frac_bits must be in 0 … 40, not 41"),
        (lambda: Aligned(8, 24, 53), ParameterError, "out_frac_bits must be in 0 … 52, not 53"),
        (lambda: Aligned(8.0, 24), TypeError, "block must be an integer, not 8.0"),  # pyright: ignore[reportArgumentType]
        (
            lambda: dot([1], [1], "int8", "fp16", acc=A100),
            ParameterError,
            "fa must be a float format for aligned accumulation, not int8",
        ),
        (
            lambda: dot([1], [1], "fp16", "bin1", acc=A100),
            ParameterError,
            "fb must be a float format for aligned accumulation, not bin1",
        ),
        (
            lambda: dot([1], [1], "fp64", "fp16", acc=A100),
            ParameterError,
            "fa and fb must have at most 53 significand bits in all to be aligned, not fp64 and fp16",
        ),
        (
            lambda: dot([1], [1], "e11m10", "e11m10", acc=A100),
            ParameterError,
            "fa must have values in 2^-450 … 2^450 to be aligned, not e11m10",
        ),
        (
            lambda: dot([1], [1], "fp16", "fp16", acc=A100, out="fp64"),
            ParameterError,
            "out must have values in 2^-900 … 2^900 to be aligned, not fp64",
        ),
        (
            lambda: dot([1], [1], "fp16", "fp16", acc=A100, out="bf16"),
            ParameterError,
            "out must be a float format with at least 23 fraction bits, not bf16",
        ),
        (
            lambda: dot([[1], [0x7E00]], [0x3C00], "fp16", "fp16", acc=Aligned(1, 9, 1), out="fp6_e3m2"),
            ParameterError,
            "the sum must be free of NaN for fp6_e3m2, not nan at index 1",
        ),
        (
            lambda: dot([1], [1], "fp16", "fp16", acc=A100, out="int32"),
            ParameterError,
            "out must be a float format with at least 23 fraction bits, not int32",
        ),
    ],
)
def test_errors(call, error, message):
    with pytest.raises(error) as caught:
        call()
    assert str(caught.value) == message


def wide(last_place: int | None, end: int | None) -> Format:
    """A float of 8 bits whose least number, or whose largest one's power of two, is that power of two."""
    return Format("wide", "float", 8, 2, bias=31 - end if end is not None else -1 - (last_place or 0))


@pytest.mark.parametrize(("argument", "limit"), [("fa", 450), ("fb", 450), ("out", 900)])
def test_aligned_exponents_at_the_bound(argument, limit):
    def call(fmt):
        formats = {"fa": "fp16", "fb": "fp16", "out": "fp32"} | {argument: fmt}
        golden.dot([0], [0], formats["fa"], formats["fb"], acc=Aligned(4, 20, 2), out=formats["out"])

    for fmt in (wide(-limit, None), wide(None, limit - 1)):
        call(fmt)
    for fmt in (wide(-limit - 1, None), wide(None, limit)):
        with pytest.raises(ParameterError) as caught:
            call(fmt)
        assert str(caught.value) == f"{argument} must have values in 2^-{limit} … 2^{limit} to be aligned, not wide"


def test_aligned_products_below_all_units_of_a_large_addend():
    # 2^-200 units: float32, in which these products are multiplied, has no such scale.
    a = golden.encode([1.0, -2.0, 0.0], "fp16")
    c = golden.encode([2.0**200, -(2.0**300)], "e10m23")
    for addend in c:
        found = golden.dot(a, a, "fp16", "fp16", addend, acc=Aligned(4, 23), out="e10m23")
        assert found == addend


def test_aligned_significands_of_53_bits_in_all():
    one = golden.encode([1.0], "fp32"), golden.encode([1.5], "e8m28")
    assert golden.dot(*one, "fp32", "e8m28", acc=Aligned(4, 24)) == golden.encode(1.5, "fp32")
    with pytest.raises(ParameterError) as caught:
        golden.dot([0], [0], "fp32", "e8m29", acc=Aligned(4, 24))
    message = "fa and fb must have at most 53 significand bits in all to be aligned, not fp32 and e8m29"
    assert str(caught.value) == message


FP16_INF, FP16_NAN, FP16_SIGNALING = 0x7C00, 0x7E00, 0x7C01


def test_one_aligned_sum_beyond_the_range_among_others():
    a = golden.encode([[2.0**15], [2.0**-14], [-(2.0**15)]], "fp16")
    found = golden.dot(a, a[:1], "fp16", "fp16", acc=Aligned(4, 20, 10), out="fp16")
    assert found.tolist() == [FP16_INF, int(golden.encode(2.0, "fp16")), FP16_INF | 0x8000]
    assert golden.gemm(a, a[:1], "fp16", "fp16", acc=Aligned(4, 20, 10), out="fp16")[:, 0].tolist() == found.tolist()


@pytest.mark.parametrize(("block", "frac_bits"), [(16, 25), (32, 25), (64, 24), (64, 25), (512, 22), (512, 40)])
@pytest.mark.parametrize("sign", [1, -1])
def test_the_largest_aligned_sums(block, frac_bits, sign):
    # Products just below 4, of 22 bits: nothing is truncated.
    x = 2 - 2.0**-10
    a, b = golden.encode(np.full(block, sign * x), "fp16"), golden.encode(np.full(block, x), "fp16")
    found = golden.dot(a, b, "fp16", "fp16", acc=Aligned(block, frac_bits))
    assert found == golden.encode(sign * block * x * x, "fp32")
