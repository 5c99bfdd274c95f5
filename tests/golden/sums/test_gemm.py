"""Matrix products against Python's integers, numpy's integer matmul and inner products one by one."""

import importlib
import tracemalloc

import numpy as np
import pytest

from polymac import golden
from polymac.golden import ParameterError
from polymac.golden.formats.accumulation import Aligned, Exact, Rounded
from polymac.golden.sums.dot import dot


def codes_of(fmt: golden.Format, rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Random codes, half of them those of the least and the greatest integer."""
    random = np.array(
        [int.from_bytes(rng.bytes(9), "little") % fmt.code_count for _ in range(int(np.prod(shape)))], object
    )
    ends = rng.choice(np.array([fmt.min_int % fmt.code_count, fmt.max_int], object), random.shape)
    return np.where(rng.random(random.shape) < 0.5, ends, random).reshape(shape).astype(golden.code_dtype(fmt))


def integers(codes: np.ndarray, fmt: golden.Format) -> list[list[int]]:
    if fmt.kind == "binary":
        return [[2 * code - 1 for code in row] for row in codes.tolist()]
    half = fmt.code_count >> 1
    return [[code - fmt.code_count if fmt.signed and code >= half else code for code in row] for row in codes.tolist()]


def slow_gemm(a: list[list[int]], b: list[list[int]], lanes: int, narrow) -> list[list[int]]:
    """The definition: one accumulator, beat after beat, made narrow after each."""
    result = []
    for row in a:
        sums = []
        for column in zip(*b, strict=True):
            acc = 0
            for start in range(0, len(row), lanes):
                acc = narrow(
                    acc
                    + sum(x * y for x, y in zip(row[start : start + lanes], column[start : start + lanes], strict=True))
                )
            sums.append(acc)
        result.append(sums)
    return result


@pytest.mark.parametrize(
    ("name_a", "name_b"),
    [
        ("int8", "int8"),
        ("int8", "uint4"),
        ("uint8", "int2"),
        ("q1.7", "uq0.8"),
        ("int16", "int16"),
        ("int32", "int16"),
        ("int32", "int32"),
        ("int24", "int30"),
        ("int64", "int8"),
        ("uint64", "uint64"),
        ("bin1", "bin1"),
        ("bin1", "int8"),
    ],
)
def test_exact_sums_with_zero_points(name_a, name_b, rng):
    fa, fb = golden.format(name_a), golden.format(name_b)
    a, b = codes_of(fa, rng, (3, 37)), codes_of(fb, rng, (37, 5))
    for zeros in ((0, 0), (1, 0), (0, 1), (1, 1)):
        ends = ((-1, 1) if fmt.kind == "binary" else (fmt.min_int, fmt.max_int) for fmt in (fa, fb))
        zero_a, zero_b = (
            int(rng.choice(np.array(end, object))) * chosen for end, chosen in zip(ends, zeros, strict=True)
        )
        found = golden.gemm(a, b, fa, fb, zero_a=zero_a, zero_b=zero_b)
        left = [[x - zero_a for x in row] for row in integers(a, fa)]
        right = [[y - zero_b for y in row] for row in integers(b, fb)]
        assert found.tolist() == slow_gemm(left, right, 1, lambda acc: acc)
    assert found.dtype == (np.int64 if fa.width + fb.width < 57 else object)


@pytest.mark.parametrize("code", [0x7F, 0x80])
@pytest.mark.parametrize("depth", [1, 1024, 1025, 1041, 3001])
def test_int8_at_the_bound_of_float32(depth, code):
    # Sums of up to 1024 products are at most 2^24, where float32 ceases to hold all integers: 1041 · 127^2 is odd
    # and above it.
    a, b = np.full((2, depth), code, np.uint8), np.full((depth, 2), code, np.uint8)
    expected = a.astype(np.int8).astype(np.int64) @ b.astype(np.int8).astype(np.int64)
    np.testing.assert_array_equal(golden.gemm(a, b, "int8", "int8"), expected)


def test_large_like_numpy(rng):
    a, b = rng.integers(0, 1 << 16, (64, 700), dtype=np.uint16), rng.integers(0, 1 << 32, (700, 48), dtype=np.uint32)
    expected = a.view(np.int16).astype(np.int64) @ b.view(np.int32).astype(np.int64)
    np.testing.assert_array_equal(golden.gemm(a, b, "int16", "int32"), expected)
    # Products of 2^51: a float64 holds sums of four only, so that the depth is split.
    a, b = rng.integers(0, 1 << 26, (8, 101)), rng.integers(0, 1 << 27, (101, 8))
    a[:, 50:], b[50:] = 1 << 25, 1 << 26
    expected = golden.to_int(a, "int26") @ golden.to_int(b, "int27")
    np.testing.assert_array_equal(golden.gemm(a, b, "int26", "int27"), expected)


@pytest.mark.parametrize("lanes", [1, 2, 3, 8, 50])
@pytest.mark.parametrize("overflow", ["wrap", "saturate"])
@pytest.mark.parametrize(
    ("name_a", "name_b", "name_acc"),
    [
        ("int8", "int8", "int16"),
        ("int8", "int8", "int18"),
        ("int8", "int8", "int32"),
        ("uint8", "int4", "int12"),
        ("uint8", "uint8", "uint17"),
        ("int4", "int4", "uint8"),
        ("q1.7", "q1.7", "q3.14"),
        ("int32", "int32", "int64"),
        ("int32", "int30", "int62"),
        ("uint32", "uint32", "uint64"),
        ("bin1", "bin1", "int4"),
    ],
)
def test_accumulators_in_k_order(name_a, name_b, name_acc, overflow, lanes, rng):
    fa, fb, acc = (golden.format(name) for name in (name_a, name_b, name_acc))
    a, b = codes_of(fa, rng, (4, 29)), codes_of(fb, rng, (29, 3))

    def narrow(value: int) -> int:
        if overflow == "saturate":
            return min(max(value, acc.min_int), acc.max_int)
        return (value - acc.min_int) % acc.code_count + acc.min_int

    found = golden.gemm(a, b, fa, fb, acc=acc, overflow=overflow, lanes=lanes)
    assert found.dtype == golden.code_dtype(acc)
    assert integers(found, acc) == slow_gemm(integers(a, fa), integers(b, fb), lanes, narrow)


def test_saturation_depends_on_order():
    ones = np.full((4, 1), 1, np.uint8)
    up_first, down_first = [[100, 100, 156, 156]], [[156, 156, 100, 100]]
    for codes, result in ((up_first, -73), (down_first, 72)):
        found = golden.gemm(codes, ones, "int8", "int8", acc="int8", overflow="saturate")
        assert golden.to_int(found, "int8").tolist() == [[result]]
        # All in one beat nothing overflows.
        assert golden.gemm(codes, ones, "int8", "int8", acc="int8", overflow="saturate", lanes=4).tolist() == [[0]]


def test_zero_points_after_the_accumulator():
    # 4 * 40 saturates at 127; the zero point of b then takes off 1 * (4 * 40).
    a, b = np.full((1, 4), 40, np.uint8), np.full((4, 1), 1, np.uint8)
    found = golden.gemm(a, b, "int8", "int8", acc="int8", overflow="saturate", zero_b=1)
    assert golden.to_int(found, "int8").tolist() == [[127 - 160]]
    assert golden.gemm(a, b, "int8", "int8", acc="int8", overflow="wrap", zero_b=1).tolist() == [[0]]


def test_no_depth_gives_zeros():
    a, b = np.zeros((2, 0), np.uint8), np.zeros((0, 3), np.uint8)
    assert golden.gemm(a, b, "int8", "int8").tolist() == [[0] * 3] * 2
    assert golden.gemm(a, b, "int8", "int8", acc="int16", overflow="saturate").tolist() == [[0] * 3] * 2


@pytest.mark.parametrize(
    ("name_a", "name_b", "name_acc", "depth"),
    [
        ("int8", "int8", "int32", 131071),
        ("int8", "int8", "int16", 1),
        ("int8", "int8", "int15", 0),
        ("uint8", "uint8", "uint16", 1),
        ("uint8", "uint8", "uint17", 2),
        ("uint8", "int8", "int16", 1),
        ("int4", "int4", "int8", 1),
        ("int4", "int4", "int9", 3),
        ("int4", "int4", "uint32", 0),
        ("bin1", "bin1", "int8", 127),
        ("int64", "int64", "int64", 0),
    ],
)
def test_exact_k(name_a, name_b, name_acc, depth):
    assert golden.exact_k(name_a, name_b, name_acc) == depth


def test_exact_k_is_the_greatest():
    for name_a, name_b in (("int3", "int3"), ("int3", "uint2"), ("uint2", "uint3")):
        fa, fb = golden.format(name_a), golden.format(name_b)
        acc = golden.format("int9")
        extremes = [x * y for x in (fa.min_int, fa.max_int) for y in (fb.min_int, fb.max_int)]
        depth = golden.exact_k(fa, fb, acc)
        assert all(acc.min_int <= depth * product <= acc.max_int for product in extremes)
        assert not all(acc.min_int <= (depth + 1) * product <= acc.max_int for product in extremes)


@pytest.mark.parametrize(
    ("name_a", "name_b", "options"),
    [
        ("fp8_e4m3", "fp8_e4m3", {}),
        ("fp16", "bf16", {"out": "bf16"}),
        ("int8", "int8", {"out": "int32", "acc": Exact(overflow="wrap")}),
        ("int8", "int8", {"acc": Exact("rup"), "out": "fp16"}),
        ("int4", "fp16", {"acc": Rounded("fp16", "rtz")}),
        ("bf16", "bf16", {"acc": Rounded()}),
        ("fp16", "fp16", {"acc": Aligned(8, 24)}),
    ],
)
def test_styles_like_inner_products(name_a, name_b, options, rng, monkeypatch):
    fa, fb, out = golden.format(name_a), golden.format(name_b), golden.format("fp32")
    if "acc" in options:
        out = golden.format(options.get("out") or getattr(options["acc"], "format", "fp32"))
    out = golden.format(options.get("out", out))
    a, b = (rng.integers(0, fmt.code_count, shape) for fmt, shape in ((fa, (40, 21)), (fb, (21, 30))))
    for fmt, codes in ((fa, a), (fb, b)):
        if fmt.kind == "float":
            codes[(codes & fmt.magnitude_mask) > fmt.max_code] = 0
    c = rng.integers(0, out.max_code, (40, 30))
    expected = dot(a[:, None], b.T, fa, fb, c, **options)
    assert golden.gemm(a, b, fa, fb, c, **options).tolist() == expected.tolist()
    without = dot(a[:, None], b.T, fa, fb, **options)
    assert golden.gemm(a, b, fa, fb, **options).tolist() == without.tolist()
    # In tiles of few results.
    monkeypatch.setattr(importlib.import_module("polymac.golden.sums.gemm"), "MAX_BYTES", 60_000)
    assert golden.gemm(a, b, fa, fb, c, **options).tolist() == expected.tolist()


def test_integers_are_the_default_of_integer_formats():
    found = golden.gemm([[3]], [[4]], "int8", "int8")
    assert found.dtype == np.int64 and found.tolist() == [[12]]
    assert golden.gemm([[3]], [[4]], "int8", "int8", [[0]]).tolist() == [[0x41400000]]
    assert golden.gemm([[3]], [[4]], "int8", "int8", out="int16").tolist() == [[12]]
    assert golden.gemm([[3]], [[4]], "int8", "int8", acc=Exact()).tolist() == [[0x41400000]]


@pytest.mark.parametrize("options", [{}, {"acc": "int16", "overflow": "saturate"}, {"zero_a": 3, "zero_b": -5}])
def test_integer_tiles(options, rng, monkeypatch):
    a, b = rng.integers(0, 256, (50, 70)), rng.integers(0, 256, (70, 33))
    expected = golden.gemm(a, b, "int8", "int8", **options)
    module = importlib.import_module("polymac.golden.sums.gemm")
    for limit in (40_000, 1):
        monkeypatch.setattr(module, "MAX_BYTES", limit)
        np.testing.assert_array_equal(golden.gemm(a, b, "int8", "int8", **options), expected)


@pytest.mark.parametrize(
    ("name", "shape", "options"),
    [
        ("int8", (700, 300, 900), {}),
        ("fp16", (150, 100, 200), {}),
        ("fp16", (150, 100, 200), {"acc": Aligned(8, 24)}),
        ("fp8_e4m3", (50, 30, 200), {"acc": Rounded("fp16")}),
        ("bf16", (150, 100, 200), {}),
        ("fp64", (30, 40, 50), {}),
    ],
)
def test_memory_is_bounded(name, shape, options, rng, monkeypatch):
    limit = 4 << 20
    monkeypatch.setattr(importlib.import_module("polymac.golden.sums.gemm"), "MAX_BYTES", limit)
    rows, depth, columns = shape
    a, b = codes_of_finite(name, (rows, depth), rng), codes_of_finite(name, (depth, columns), rng)
    golden.gemm(a[:1], b[:, :1], name, name, **options)
    tracemalloc.start()
    result = golden.gemm(a, b, name, name, **options)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    # Codes are converted to their own dtype: a copy of the operands at most.
    assert peak < result.nbytes + a.nbytes + b.nbytes + limit


def codes_of_finite(name: str, shape: tuple[int, int], rng: np.random.Generator) -> np.ndarray:
    fmt = golden.format(name)
    codes = rng.integers(0, fmt.code_mask, shape, np.uint64, endpoint=True)
    return np.where(codes & np.uint64(fmt.magnitude_mask) > fmt.max_code, 0, codes).astype(golden.code_dtype(fmt))


ONE = np.ones((2, 2), np.uint8)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (
            lambda: golden.gemm(ONE, np.ones((3, 2), np.uint8), "int8", "int8"),
            ParameterError,
            "a and b must be (M, K) and (K, N) with one K, not (2, 2) and (3, 2)",
        ),
        (lambda: golden.gemm([1], ONE, "int8", "int8"), ParameterError, "a must be a matrix, not of shape (1,)"),
        (
            lambda: golden.gemm(ONE, ONE, "fp16", "int8", acc="int32"),
            ParameterError,
            "fa must be a fixed-point or binary format, not fp16",
        ),
        (
            lambda: golden.gemm(ONE, ONE, "int8", "fp16", lanes=4),
            ParameterError,
            "fb must be a fixed-point or binary format, not fp16",
        ),
        (
            lambda: golden.gemm(ONE, ONE, "int8", "int8", acc="int32", out="int32"),
            ParameterError,
            "acc must be None or an accumulation where c or out is given, not 'int32'",
        ),
        (
            lambda: golden.gemm(ONE, ONE, "int8", "int8", out="int32", overflow="wrap"),
            ParameterError,
            "overflow must be None where c, out or an accumulation is given, not 'wrap'",
        ),
        (
            lambda: golden.gemm(ONE, ONE, "int8", "int8", ONE, zero_a=1),
            ParameterError,
            "zero_a must be 0 where c, out or an accumulation is given, not 1",
        ),
        (
            lambda: golden.gemm(ONE, ONE, "int8", "int8", acc=Rounded(), lanes=2),
            ParameterError,
            "lanes must be 1 where c, out or an accumulation is given, not 2",
        ),
        (
            lambda: golden.gemm(ONE, ONE, "fp16", "fp16", [1, 2, 3]),
            ParameterError,
            "c must broadcast to (2, 2), the shape of the result, not (3,)",
        ),
        (
            lambda: golden.gemm(ONE, ONE, "int8", "int8", acc=8),  # pyright: ignore[reportArgumentType]
            TypeError,
            "format must be a name or a Format, not 8",
        ),
        (
            lambda: golden.gemm(ONE, np.ones((3, 2), np.uint8), "fp16", "fp16"),
            ParameterError,
            "a and b must be (M, K) and (K, N) with one K, not (2, 2) and (3, 2)",
        ),
        (
            lambda: golden.gemm(ONE, ONE, "int8", "int8", acc="fp32"),
            ParameterError,
            "acc must be a fixed-point format, not fp32",
        ),
        (
            lambda: golden.gemm(ONE, ONE, "q1.7", "q1.7", acc="int32"),
            ParameterError,
            "acc must have 14 fraction bits, those of the products, not int32",
        ),
        (
            lambda: golden.gemm(ONE, ONE, "int8", "int8", overflow="ieee"),
            ParameterError,
            "overflow must be one of saturate, wrap, not 'ieee'",
        ),
        (lambda: golden.gemm(ONE, ONE, "int8", "int8", lanes=0), ParameterError, "lanes must be at least 1, not 0"),
        (
            lambda: golden.gemm(ONE, ONE, "int8", "int8", zero_a=128),
            ParameterError,
            "zero_a must be in -128 … 127, not 128",
        ),
        (
            lambda: golden.gemm(ONE, ONE, "int8", "int8", zero_b=0.5),  # pyright: ignore[reportArgumentType]
            TypeError,
            "zero_b must be an integer, not 0.5",
        ),
        (
            lambda: golden.gemm(ONE, ONE * 1.0, "int8", "int8"),
            TypeError,
            "b must be an array of integers, not of float64",
        ),
        (
            lambda: golden.gemm(ONE * 16, ONE, "int4", "int4"),
            ParameterError,
            "a must hold codes of int4, 0 … 0xf, not 16",
        ),
    ],
)
def test_errors(call, error, message):
    with pytest.raises(error) as caught:
        call()
    assert str(caught.value) == message


def test_one_row_whose_sum_takes_64_bits():
    least = 1 << 31
    found = golden.gemm([[least, least]], [[least], [least]], "int32", "int32")
    assert found.dtype == object and found.tolist() == [[1 << 63]]
