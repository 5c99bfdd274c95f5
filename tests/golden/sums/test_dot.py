"""Inner products against exact fractions, numpy's sequential float32 sums, math.fsum and chains of fma."""

import math
from fractions import Fraction
from itertools import product

import ml_dtypes
import numpy as np
import pytest

from polymac import golden
from polymac.golden import Format
from polymac.golden.arithmetic.operations import fma
from polymac.golden.formats.accumulation import Aligned, Exact, Rounded
from polymac.golden.sums.dot import dot

ROUNDINGS = ("rne", "rtz", "rup", "rdn", "rna")
#: A number is a sign and a magnitude; math.inf is an infinity.
Number = tuple[bool, Fraction | float]
NAN: Number = (False, math.nan)


def number(fmt: Format, code: int) -> Number:
    if fmt.kind == "float":
        if fmt.text(code) == "nan":
            return NAN
        if code & fmt.magnitude_mask == fmt.inf_code:
            return bool(code & fmt.sign_mask), math.inf
        return bool(code & fmt.sign_mask), abs(fmt.fraction(code))
    value = fmt.fraction(code)
    return value < 0, abs(value)


def times(x: Number, y: Number) -> Number:
    if x is NAN or y is NAN or (math.inf in (x[1], y[1]) and 0 in (x[1], y[1])):
        return NAN
    size = math.inf if math.inf in (x[1], y[1]) else x[1] * y[1]
    return x[0] != y[0], size


def total(terms: list[Number], rounding: str) -> Number:
    """The exact sum, with the zeros, infinities and NaNs of IEEE 754."""
    known = [term for term in terms if term is not NAN]
    infinities = {negative for negative, size in known if size == math.inf}
    if len(known) < len(terms) or len(infinities) == 2:
        return NAN
    if infinities:
        return infinities.pop(), math.inf
    value = sum(-size if negative else size for negative, size in known)
    signs = [negative for negative, _ in known]
    return (value < 0, abs(value)) if value else (all(signs) or (rounding == "rdn" and any(signs)), Fraction(0))


def to_code(fmt: Format, value: Number, rounding: str, round_float) -> int:
    if value is NAN:
        return fmt.nan_code or 0
    if value[1] == math.inf:
        return (fmt.inf_code or 0) | (fmt.sign_mask if value[0] else 0)
    return round_float(fmt, *value, rounding, "ieee", "full")[0]


def operands(fmt: Format, shape: tuple[int, ...], kind: str, rng: np.random.Generator) -> np.ndarray:
    """Codes: "any", "finite", "near" (exponents around that of 1, where sums cancel) or "zeros" (of both signs)."""
    codes = rng.integers(0, fmt.code_mask, shape, np.uint64, endpoint=True)
    if fmt.kind != "float" or kind == "any":
        return codes.astype(golden.code_dtype(fmt))
    sign, fraction = codes & np.uint64(fmt.sign_mask), codes & np.uint64((1 << fmt.frac_bits) - 1)
    if kind == "zeros":
        return sign.astype(golden.code_dtype(fmt))
    if kind == "near":
        field = rng.integers(max(fmt.bias - 2, 0), fmt.bias + 2, shape).astype(np.uint64)
        return (sign | field << np.uint64(fmt.frac_bits) | fraction).astype(golden.code_dtype(fmt))
    finite = (codes & np.uint64(fmt.magnitude_mask)) <= np.uint64(fmt.max_code)
    return np.where(finite, codes, sign).astype(golden.code_dtype(fmt))


PAIRS = [
    ("fp8_e4m3", "fp8_e4m3"),
    ("fp8_e5m2", "fp8_e4m3"),
    ("fp4_e2m1", "fp6_e3m2"),
    ("fp16", "fp16"),
    ("bf16", "bf16"),
    ("tf32", "fp8_e5m2"),
    ("fp32", "fp32"),
    ("fp64", "bf16"),
    ("fp64", "fp64"),
    ("int8", "fp16"),
    ("q3.5", "bf16"),
    ("bin1", "fp8_e4m3"),
    ("int8", "uint4"),
    ("uint64", "fp16"),
]


@pytest.mark.parametrize("kind", ["any", "finite", "near", "zeros"])
@pytest.mark.parametrize(("name_a", "name_b"), PAIRS)
def test_exact_and_rounded_like_fractions(name_a, name_b, kind, rng, round_float):
    fa, fb = golden.format(name_a), golden.format(name_b)
    for name_out, rounding in product(("fp16", "bf16", "fp8_e5m2"), ROUNDINGS):
        out = golden.format(name_out)
        depth, block = int(rng.integers(0, 7)), int(rng.integers(1, 4))
        a, b = operands(fa, (4, depth), kind, rng), operands(fb, (4, depth), kind, rng)
        c = operands(out, (4,), kind, rng)
        products = [
            [times(number(fa, int(x)), number(fb, int(y))) for x, y in zip(*row, strict=True)]
            for row in zip(a, b, strict=True)
        ]
        expected = [
            to_code(out, total([*terms, number(out, int(addend))], rounding), rounding, round_float)
            for terms, addend in zip(products, c, strict=True)
        ]
        assert dot(a, b, fa, fb, c, acc=Exact(rounding), out=out).tolist() == expected
        expected = []
        for terms, addend in zip(products, c, strict=True):
            code = int(addend)
            for start in range(0, max(depth, 1), block):
                code = to_code(
                    out, total([*terms[start : start + block], number(out, code)], rounding), rounding, round_float
                )
            expected.append(code)
        assert dot(a, b, fa, fb, c, acc=Rounded(out, rounding, block=block)).tolist() == expected


@pytest.mark.parametrize("name", ["fp16", "bf16", "fp8_e4m3", "fp8_e5m2", "tf32", "fp6_e2m3"])
def test_rounded_like_numpy_float32(name, rng):
    # Products of these formats are exact in float64, and, apart from the exponents of bf16 and tf32, in float32.
    fmt = golden.format(name)
    for kind in ("any", "finite", "near"):
        a, b = operands(fmt, (300, 40), kind, rng), operands(fmt, (300, 40), kind, rng)
        c = operands(golden.format("fp32"), (300,), kind, rng)
        found = dot(a, b, fmt, fmt, c, acc=Rounded("fp32"))
        acc = c.view(np.float32)
        with np.errstate(all="ignore"):
            for x, y in zip(golden.decode(a, fmt).T, golden.decode(b, fmt).T, strict=True):
                if name in ("bf16", "tf32"):
                    acc = (x * y + acc).astype(np.float32)
                else:
                    acc = acc + x.astype(np.float32) * y.astype(np.float32)
        nan = np.isnan(acc)
        assert (found[nan] == 0x7FC00000).all()
        np.testing.assert_array_equal(found[~nan], acc.view(np.uint32)[~nan])


@pytest.mark.parametrize("name", ["fp16", "bf16", "fp8_e4m3", "tf32", "fp32", "fp64"])
@pytest.mark.parametrize("rounding", ["rne", "rdn"])
def test_rounded_is_a_chain_of_fma(name, rounding, rng):
    fmt, out = golden.format(name), golden.format("fp64" if name == "fp64" else "fp32")
    for kind in ("any", "finite", "near"):
        a, b = operands(fmt, (40, 12), kind, rng), operands(fmt, (40, 12), kind, rng)
        acc = operands(out, (40,), kind, rng)
        found = dot(a, b, fmt, fmt, acc, acc=Rounded(out, rounding))
        for x, y in zip(a.T, b.T, strict=True):
            acc = fma(x, y, acc, fmt, fmt, out, out=out, rounding=rounding)
        np.testing.assert_array_equal(found, acc)


@pytest.mark.parametrize(("name", "type_"), [("fp16", np.float16), ("bf16", ml_dtypes.bfloat16)])
def test_rounded_to_the_operands_format(name, type_, rng):
    # Rounding each product first, as a multiplier and an adder of the format do, gives other sums than the fused step.
    a, b = (operands(golden.format(name), (500, 8), "near", rng) for _ in range(2))
    fused, separate = np.zeros(500, np.float64), np.zeros(500, type_)
    for x, y in zip(a.view(type_).T, b.view(type_).T, strict=True):
        # 11 + 11 bits and another 11 within 2^-20 … 2^8: exact in float64.
        fused = (x.astype(np.float64) * y.astype(np.float64) + fused).astype(type_).astype(np.float64)
        separate = separate + x * y
    found = golden.decode(dot(a, b, name, name, acc=Rounded(name)), name)
    np.testing.assert_array_equal(found, fused)
    assert (found != separate.astype(np.float64)).any()


def test_exact_like_fsum(rng):
    # Products of float32 are exact in float64, and fsum rounds their sum once.
    x, y = rng.standard_normal((2, 50, 300)).astype(np.float32) * np.exp2(rng.integers(-30, 30, (2, 50, 300)))
    x, y = x.astype(np.float32), y.astype(np.float32)
    expected = [math.fsum(row) for row in x.astype(np.float64) * y]
    found = dot(x.view(np.uint32), y.view(np.uint32), "fp32", "fp32", out="fp64")
    assert found.view(np.float64).tolist() == expected


@pytest.mark.parametrize("name", ["fp8_e4m3", "bf16", "fp64"])
def test_deeper_than_a_limb_product(name, rng):
    # More products than one BLAS call may add: 8192.
    fmt = golden.format(name)
    a, b = operands(fmt, (9000,), "finite", rng), operands(fmt, (9000,), "finite", rng)
    exact = sum(fmt.fraction(int(x)) * fmt.fraction(int(y)) for x, y in zip(a, b, strict=True))
    try:
        nearest = float(exact)
    except OverflowError:
        nearest = math.inf if exact > 0 else -math.inf
    assert dot(a, b, fmt, fmt, out="fp64").view(np.float64) == nearest


@pytest.mark.parametrize(("name", "depth"), [("int20", (1 << 16) + 1), ("int22", 8192), ("int40", 40001), ("int64", 9)])
def test_no_partial_sum_is_rounded(name, depth):
    # The largest integers, whose sums are odd or fill every limb: seen in all bits by the wrapping result.
    fmt = golden.format(name)
    codes = np.full(depth, fmt.max_int, np.uint64)
    found = dot(codes, codes, fmt, fmt, acc=Exact(overflow="wrap"), out="int64")
    assert int(found) == depth * fmt.max_int**2 % (1 << 64)


def test_fp32_products_are_not_rounded_to_float64():
    # (1 + 2^-23)(1 - 2^-23) · 2^-24 is a little less than half a unit of c: as a float64 the sum would be a tie.
    a, b, c = golden.encode([(1 + 2.0**-23) * 2.0**-24, 1 - 2.0**-23, 1 + 2.0**-23], "fp32")
    assert dot([a], [b], "fp32", "fp32", c, acc=Rounded("fp32")) == c


def test_cancellation_down_to_the_last_bit():
    # 2^127 · 2^127 - 2^127 · 2^127 + 2^-133 · 2^-133: 521 bits apart, then below fp32's range.
    a = golden.encode([2.0**127, -(2.0**127), 2.0**-133], "bf16")
    b = golden.encode([2.0**127, 2.0**127, 2.0**-133], "bf16")
    found = dot(a, b, "bf16", "bf16", out="fp64")
    assert found.view(np.float64) == 2.0**-266
    assert dot(a, b, "bf16", "bf16", acc=Exact("rup")) == 1
    # c cancels all but a far smaller product.
    c = golden.encode(-(2.0**254), "fp64")
    found = dot(a[[0, 2]], b[[0, 2]], "bf16", "bf16", c, out="fp64")
    assert found.view(np.float64) == 2.0**-266


INF, MINUS_INF, QUIET = 0x7F800000, 0xFF800000, 0x7FC00000


@pytest.mark.parametrize(
    ("a", "b", "c", "d"),
    [
        ([math.inf, 1], [1, 1], 0, INF),
        ([math.inf, 1], [-1, 1], 0, MINUS_INF),
        ([-math.inf, 1], [-math.inf, 1], 0, INF),
        ([math.inf, math.inf], [1, -1], 0, QUIET),
        ([math.inf, 1], [0, 1], 0, QUIET),
        ([math.inf, 1], [1, 1], MINUS_INF, QUIET),
        ([1, 1], [1, 1], MINUS_INF, MINUS_INF),
        ([math.inf, math.nan], [1, 1], 0, QUIET),
        ([1, 1], [1, 1], 0x7F800001, QUIET),
        ([65504] * 2, [65504] * 2, 0x7F7FFFFF, 0x7F7FFFFF),
        ([-0.0, 0.0], [1, -1], 0x80000000, 0x80000000),
        ([-0.0, 0.0], [1, -1], 0, 0),
        ([1, -1], [1, 1], 0x80000000, 0),
    ],
)
@pytest.mark.parametrize("acc", [Exact(), Rounded("fp32"), Rounded("fp32", block=2)])
def test_specials(a, b, c, d, acc):
    fp16 = golden.format("fp16")
    assert int(dot(golden.encode(a, fp16), golden.encode(b, fp16), "fp16", "fp16", c, acc=acc)) == d


def test_exact_and_rounded_overflow():
    fp32 = golden.format("fp32")
    a, b = golden.encode([2.0**127, 2.0**127, -(2.0**127)], fp32), golden.encode([1.0, 1.0, 1.0], fp32)
    assert golden.decode(dot(a, b, "fp32", "fp32"), fp32) == 2.0**127
    assert dot(a, b, "fp32", "fp32", acc=Rounded("fp32")) == INF
    assert dot(a, b, "fp32", "fp32", acc=Rounded("fp32", overflow="saturate")) == 0x7EFFFFFE
    assert dot(a, b, "fp32", "fp32", acc=Rounded("fp32", "rtz")) == 0x7EFFFFFE


def test_flushed_subnormals():
    # fp16's least subnormal 1, and 2^-14 · 2^-2: a subnormal result of fp16.
    a, b = np.array([[1, 0], [0x400, 0]]), np.array([[0x3C00, 0], [0x3400, 0]])
    for acc in (Exact(subnormals="flush"), Rounded("fp16", subnormals="flush")):
        assert dot(a, b, "fp16", "fp16", acc=acc, out="fp16").tolist() == [0, 0]
    assert dot(a, b, "fp16", "fp16", out="fp16").tolist() == [1, 0x100]


@pytest.mark.parametrize("overflow", ["wrap", "saturate"])
@pytest.mark.parametrize(("name_a", "name_b", "name_out"), [("int8", "int8", "int16"), ("int33", "int33", "int32")])
def test_integers_into_integers(name_a, name_b, name_out, overflow, rng):
    fa, fb, out = (golden.format(name) for name in (name_a, name_b, name_out))
    a, b, c = operands(fa, (30, 9), "any", rng), operands(fb, (30, 9), "any", rng), operands(out, (30,), "any", rng)
    x, y, z = (golden.to_int(codes, fmt).tolist() for codes, fmt in ((a, fa), (b, fb), (c, out)))
    least, size = out.min_int, out.code_count

    def narrow(value: int) -> int:
        if overflow == "wrap":
            return (value - least) % size + least
        return min(max(value, least), out.max_int)

    found = golden.to_int(dot(a, b, fa, fb, c, acc=Exact(overflow=overflow), out=out), out)
    sums = [w + sum(map(math.prod, zip(u, v, strict=True))) for u, v, w in zip(x, y, z, strict=True)]
    assert found.tolist() == [narrow(value) for value in sums]
    found = golden.to_int(dot(a, b, fa, fb, c, acc=Rounded(out, overflow=overflow)), out)
    expected = []
    for u, v, acc in zip(x, y, z, strict=True):
        for p in map(math.prod, zip(u, v, strict=True)):
            acc = narrow(acc + p)
        expected.append(acc)
    assert found.tolist() == expected


def test_fixed_point_output_rounds_once():
    # 3/8 · 3/8 · 2 = 9/32 = 4.5 units of 2^-4.
    a = np.array([6, 6])
    assert dot(a, a, "q1.4", "q1.4", out="q4.4") == 4
    assert dot(a, a, "q1.4", "q1.4", acc=Exact("rna"), out="q4.4") == 5
    assert dot(a, a, "q1.4", "q1.4", acc=Rounded("q4.4")) == 4
    assert dot(a, a, "q1.4", "fp16", out="q4.4") == 0


def test_shapes(rng):
    fp16 = golden.format("fp16")
    a, b = golden.encode(rng.standard_normal((3, 1, 5)), fp16), golden.encode(rng.standard_normal((4, 5)), fp16)
    for acc in (Exact(), Rounded(), Aligned(4, 23)):
        found = dot(a, b, "fp16", "fp16", [[1], [2], [3]], acc=acc)
        assert found.shape == (3, 4) and found.dtype == np.uint32
        for m, n in product(range(3), range(4)):
            assert dot(a[m, 0], b[n], "fp16", "fp16", m + 1, acc=acc) == found[m, n]
        assert dot(a[..., :0], b[..., :0], "fp16", "fp16", 7, acc=acc).tolist() == [[7] * 4] * 3
        assert dot(a[..., :0], b[..., :0], "fp16", "fp16", acc=acc).tolist() == [[0] * 4] * 3
        assert dot(a[:0], b, "fp16", "fp16", acc=acc).shape == (0, 4)
    assert dot([1], [1], "int8", "int8") == 0x3F800000
    assert dot([1], [1], "int8", "int8", acc=Rounded("bf16")) == 0x3F80


FP16_INF, FP16_NAN, FP16_SIGNALING = 0x7C00, 0x7E00, 0x7C01


@pytest.mark.parametrize(
    ("c", "subnormals", "result"),
    [
        (FP16_SIGNALING, "full", FP16_NAN),
        (FP16_NAN | 1, "full", FP16_NAN),
        (FP16_INF, "full", FP16_INF),
        (1, "full", 1),
        (1, "flush", 0),
    ],
)
def test_a_sum_of_no_products_is_rounded_once(c, subnormals, result):
    nothing = np.zeros((0,), int)
    for acc in (Exact(subnormals=subnormals), golden.Rounded("fp16", subnormals=subnormals)):
        found = golden.dot(nothing, nothing, "int8", "int8", c, acc=acc, out="fp16")
        assert found == result


@pytest.mark.parametrize("sign", [0, 0x8000])
def test_an_infinite_product_and_a_finite_addend_of_the_other_sign(sign):
    for addend in (0x3C00, 0xBC00):
        assert golden.dot([FP16_INF | sign], [0x3C00], "fp16", "fp16", addend, out="fp16") == FP16_INF | sign


@pytest.mark.parametrize(("overflow", "result"), [(None, 0x7F800000), ("ieee", 0x7F800000), ("saturate", 0x7F7FFFFF)])
@pytest.mark.parametrize("sign", [1, -1])
def test_rounded_sums_beyond_the_range(overflow, result, sign):
    large, one = golden.encode([sign * 2.0**127] * 3, "bf16"), golden.encode([1.0] * 3, "bf16")
    found = golden.dot(large, one, "bf16", "bf16", acc=golden.Rounded("fp32", overflow=overflow))
    assert found == result | (0x80000000 if sign < 0 else 0)
