"""The fast kernels equal the general one: all pairs of short codes, corners and random codes of longer ones."""

import itertools
from typing import Any

import numpy as np
import pytest

from polymac import golden
from polymac.golden import Format
from polymac.golden.arithmetic.float_kernels import fastest_kernel
from polymac.golden.arithmetic.kernels import general_kernel
from polymac.golden.arithmetic.operations import add
from polymac.golden.arithmetic.result_table import table_kernel
from polymac.golden.codec.codes import CHUNK
from polymac.golden.codec.fast.floating import can_round, rounder
from polymac.golden.codec.fast.rounding_table import TABLE_SIZE, rounded_by_table, rounds_by_table
from polymac.golden.codec.kinds import pack, unpack
from polymac.golden.codec.rounding import Target
from polymac.golden.codec.stochastic import RandomWords
from polymac.golden.formats import FLOAT_OVERFLOWS, ROUNDINGS, SUBNORMALS

POLICIES = list(itertools.product((*ROUNDINGS, "stochastic"), FLOAT_OVERFLOWS, SUBNORMALS))


def targets(out):
    return [Target.of(out, rounding, overflow, subnormals) for rounding, overflow, subnormals in POLICIES]


def assert_same(operation, operands, target, codes, random, size):
    """The fastest kernel's results, with exceptions and without, are the general kernel's."""
    bits = 0 if random is None else random.bits
    general = general_kernel(operation, operands, target, bits)
    expected, expected_flags = general(codes, random, 0)
    policy = f"{operation} {[str(fmt) for fmt in operands]} {target}"
    for flags in (False, True):
        kernel = fastest_kernel(operation, operands, target, bits, flags, size)
        assert kernel.__qualname__ != general.__qualname__, f"no fast kernel: {policy}"
        with np.errstate(all="ignore"):
            found, found_flags = kernel(codes, random, 0)
        np.testing.assert_array_equal(found, expected, policy)
        if flags:
            np.testing.assert_array_equal(found_flags, expected_flags, policy)
        else:
            assert found_flags is None


SHORT = [
    ("fp8_e4m3", "fp8_e5m2", "fp8_e5m2"),
    ("fp4_e2m1", "fp4_e2m1", "fp4_e2m1"),
    ("fp6_e3m2", "e3m2", "bf16"),
    ("int8", "fp8_e4m3", "fp32"),
]


@pytest.mark.parametrize("operation", ["multiply", "add"])
@pytest.mark.parametrize(("name_a", "name_b", "name_out"), SHORT)
def test_tables_of_all_pairs(name_a, name_b, name_out, operation):
    operands, out = (golden.format(name_a), golden.format(name_b)), golden.format(name_out)
    codes = np.meshgrid(*(np.arange(fmt.code_count, dtype=np.uint8) for fmt in operands))
    for target in targets(out):
        if not target.policy.is_stochastic:
            assert_same(operation, operands, target, [array.ravel() for array in codes], None, TABLE_SIZE)


@pytest.mark.parametrize("overflow", ["saturate", "wrap"])
def test_tables_of_fixed_point(overflow):
    operands = (golden.format("int8"), golden.format("q3.2"))
    codes = [np.repeat(np.arange(256, dtype=np.uint8), 32), np.tile(np.arange(32, dtype=np.uint8), 256)]
    for rounding in ROUNDINGS:
        target = Target.of(golden.format("q4.1"), rounding, overflow, "full")
        assert_same("multiply", operands, target, codes, None, TABLE_SIZE)


def test_no_table_where_a_result_may_be_an_error():
    target = Target.of(golden.format("fp4_e2m1"), "rne", None, "full")
    fmt = golden.format("fp8_e4m3")
    assert table_kernel("multiply", (fmt, fmt), target, False) is None
    a = np.full(TABLE_SIZE, 0x38, np.uint8)
    assert golden.multiply(a, a, fmt, fmt, out="fp4_e2m1").tolist() == [2] * TABLE_SIZE


LONG = [
    ("multiply", ("fp16", "fp16"), "fp16"),
    ("multiply", ("bf16", "bf16"), "bf16"),
    ("multiply", ("fp32", "fp32"), "fp32"),
    ("multiply", ("tf32", "bf16"), "tf32"),
    ("multiply", ("fp16", "bf16"), "fp8_e4m3"),
    ("multiply", ("fp16", "fp16"), "fp8_e5m2"),
    ("multiply", ("e6m7", "e5m8"), "e5m8"),
    ("multiply", ("int16", "fp16"), "bf16"),
    ("multiply", ("fp8_e4m3", "e8m0"), "fp32"),
    ("add", ("fp16", "fp16"), "fp16"),
    ("add", ("bf16", "bf16"), "bf16"),
    ("add", ("fp32", "fp32"), "fp32"),
    ("add", ("tf32", "tf32"), "tf32"),
    ("add", ("e7m8", "e7m8"), "e7m8"),
    ("add", ("e8m14", "e8m14"), "e8m14"),
    ("add", ("fp16", "bf16"), "bf16"),
    ("add", ("q8.8", "fp32"), "fp16"),
    ("fma", ("fp16", "fp16", "fp32"), "fp32"),
    ("fma", ("bf16", "bf16", "fp32"), "fp32"),
    ("fma", ("fp32", "fp32", "fp32"), "fp32"),
    ("fma", ("bf16", "fp16", "fp16"), "fp8_e5m2"),
    ("fma", ("fp8_e4m3", "fp8_e5m2", "fp32"), "fp32"),
    ("fma", ("bin1", "int8", "fp16"), "bf16"),
]


@pytest.mark.parametrize(("operation", "names", "name_out"), LONG)
def test_floating_point_kernels(operation, names, name_out, rng, some_codes):
    operands, out = tuple(golden.format(name) for name in names), golden.format(name_out)
    count = 6000
    codes = [some_codes(fmt, count, rng).astype(golden.code_dtype(fmt)) for fmt in operands]
    if operation != "multiply":
        # Half of the last terms are near the opposite of the rest, or at a tie with it.
        rest = codes[0] if operation == "add" else golden.multiply(*codes[:2], *operands[:2], out="fp32")
        value = golden.decode(rest, operands[0] if operation == "add" else "fp32")
        near = np.ldexp(-value, rng.integers(-12, 2, count) * (rng.random(count) < 0.5))
        kind = {"nonfinite": "substitute", "overflow": None}
        near = golden.encode(np.nan_to_num(near, posinf=1.0, neginf=-1.0), operands[-1], **kind)
        codes[-1] = np.where(rng.random(count) < 0.5, codes[-1], near + near.dtype.type(rng.integers(0, 2)))
        codes[-1] &= codes[-1].dtype.type(operands[-1].code_mask)
    words = RandomWords(rng.integers(0, 256, count, dtype=np.uint64), 8)
    for target in targets(out):
        assert_same(operation, operands, target, codes, words if target.policy.is_stochastic else None, 0)


@pytest.mark.parametrize("name", ["bf16", "fp16", "e8m8", "tf32"])
def test_products_at_ties_and_subnormals(name, rng):
    # Operands with few significant bits, whose products are often halfway between neighbours, around the least normal.
    fmt = golden.format(name)
    exponents = rng.integers(0, 1 << fmt.exp_bits, (2, 60_000))
    fractions = rng.integers(0, 1 << fmt.frac_bits, (2, 60_000))
    least = 1 - fmt.min_exponent
    exponents[1, 30_000:] = np.clip(
        least - exponents[0, 30_000:] + rng.integers(-fmt.frac_bits - 3, 4, 30_000), 0, None
    )
    exponents[1] = np.minimum(exponents[1], (1 << fmt.exp_bits) - 2)
    a, b = ((exponents << fmt.frac_bits) | fractions).astype(golden.code_dtype(fmt))
    for rounding in ROUNDINGS:
        assert_same("multiply", (fmt, fmt), Target.of(fmt, rounding, None, "full"), [a, b], None, 0)


ROUNDED = [
    "fp8_e4m3",
    "fp8_e5m2",
    "fp6_e2m3",
    "fp4_e2m1",
    "e4m0",
    "bf16",
    "fp16",
    "tf32",
    "e5m6",
    "e5m10",
    "e8m3",
    "fp32",
    "e0m5",
    "e0m9",
]
USER = [
    Format("fnuz", "float", 8, 3, bias=8, negative_zero="nan"),
    Format("high", "float", 15, 6, bias=140, inf_code=0xFF << 6, nan_codes=range((0xFF << 6) + 1, 1 << 14)),
]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("fmt", [*map(golden.format, ROUNDED), *USER], ids=str)
def test_rounding_of_reals(fmt, dtype, rng, some_codes):
    x = golden.decode(some_codes(fmt, 3000, rng), fmt)
    half = np.ldexp(1.0, np.frexp(x)[1] - 2 - fmt.frac_bits)
    least = np.ldexp(1.0, fmt.min_exponent - fmt.frac_bits - 1)
    with np.errstate(all="ignore"):
        x = np.concatenate([x, x + half, x - half, x + least, x * (1 + 2.0**-20), [0.0, -0.0, np.inf, -np.inf]])
        x = np.concatenate([x, rng.integers(0, 1 << 32, 2000, dtype=np.uint32).view(np.float32)]).astype(dtype)
    x = x[~np.isnan(x)] if not fmt.has_nan else np.append(x, dtype(np.nan))
    words = RandomWords(rng.integers(0, 1 << 16, x.size, dtype=np.uint64), 16)
    exact = unpack(x.astype(np.float64).view(np.uint64), golden.format("fp64"))
    for target in targets(fmt):
        assert can_round(target)
        random = words if target.policy.is_stochastic else None
        expected, expected_flags = pack("x", exact, target, random)
        with np.errstate(all="ignore"):
            found, flags = rounder(target, dtype, True)(x, random)
            np.testing.assert_array_equal(found, expected, str(target))
            np.testing.assert_array_equal(flags, expected_flags, str(target))
            np.testing.assert_array_equal(rounder(target, dtype, False)(x, random)[0], expected, str(target))


@pytest.mark.parametrize("name", ["e8m0", "int4", "q2.2", "uint4", "bin1", "fp8_e4m3", "e8m4"])
def test_float32_looked_up(name, rng):
    fmt = golden.format(name)
    bits = rng.integers(0, 1 << 32, 100_000, dtype=np.uint32)
    # Near values with few bits, and among float32's subnormals.
    bits[::2] = (bits[::2] & np.uint32(0xFFFE0000)) + rng.integers(0, 3, 50_000).astype(np.uint32) - np.uint32(1)
    bits[::5] &= np.uint32(0x80FFFFFF)
    x = bits.view(np.float32)
    x = x[np.isfinite(x)]
    modes = ROUNDINGS if fmt.kind != "binary" else ROUNDINGS[:1]
    for rounding in modes:
        target = Target.of(fmt, rounding, "saturate", "full")
        assert rounds_by_table(target)
        looked_up = rounded_by_table(x, target, True)
        exact = unpack(x.astype(np.float64).view(np.uint64), golden.format("fp64"))
        expected = pack("x", exact, Target.of(fmt, rounding, "saturate", "full"))
        np.testing.assert_array_equal(looked_up[0], expected[0], rounding)
        np.testing.assert_array_equal(looked_up[1], expected[1], rounding)


@pytest.mark.parametrize(
    ("name", "overflow"), [("fp16", None), ("int8", None), ("e8m5", None), ("e8m6", None), ("int4", "wrap")]
)
def test_float32_whose_upper_bits_do_not_decide(name, overflow):
    target = Target.of(golden.format(name), "rne", overflow, "full")
    assert not rounds_by_table(target)


@pytest.mark.parametrize("count", [1, CHUNK - 1, CHUNK + 1, 2 * CHUNK + 3])
@pytest.mark.parametrize("name", ["fp8_e4m3", "fp16", "bf16", "fp64"])
def test_chunks(name, count, rng):
    fmt = golden.format(name)
    a, b = rng.integers(0, fmt.code_mask, (2, count), dtype=np.uint64, endpoint=True).astype(golden.code_dtype(fmt))
    found, flags = golden.multiply(a, b, fmt, fmt, flags=True)
    expected, expected_flags = general_kernel("multiply", (fmt, fmt), Target.of(fmt, "rne", None, "full"))(
        [a, b], None, 0
    )
    np.testing.assert_array_equal(found, expected)
    np.testing.assert_array_equal(flags, expected_flags)
    np.testing.assert_array_equal(golden.multiply(a[::-1], b[::-1], fmt, fmt), expected[::-1])


def test_no_second_rounding_where_float32_is_too_short():
    # 3 · (1 - 2^-18) halves of tf32's least subnormal: float32 rounds that to 3 halves, which ties to even take to 2.
    a, b = golden.encode([3 * (1 + 2.0**-9) * 2.0**-70, (1 - 2.0**-9) * 2.0**-67], "tf32")
    assert golden.multiply(a, b, "tf32", "tf32") == 1
    # 1 + 2^-15 + 2^-25 with 14 fraction bits: float32 drops 2^-25, and ties to even take the rest down.
    a, b = golden.encode([1.0, 2.0**-15 * (1 + 2.0**-10)], "e8m14")
    assert add(a, b, "e8m14", "e8m14") == a + 1


#: Floats whose infinity is not the code of a power of two, or whose -0 is NaN.
ODD_INFINITIES = [
    Format("binary16p11", "float", 16, 10, bias=16, inf_code=0x7FFF, negative_zero="nan"),
    Format(
        "e5m10_fnuz_inf",
        "float",
        16,
        10,
        bias=15,
        inf_code=0x7C00,
        nan_codes=range(0x7C01, 0x8000),
        negative_zero="nan",
    ),
    Format("e5m7_high", "float", 13, 7, bias=15, inf_code=0xFFE, nan_codes=range(0xFFF, 0x1000)),
    Format("e5m7_low", "float", 13, 7, bias=15, inf_code=0xF40, nan_codes=range(0xF41, 0x1000)),
    Format("e9m23", "float", 33, 23, bias=100, inf_code=0xFFFFFFFE, nan_codes=range(0xFFFFFFFF, 0x100000000)),
]


@pytest.mark.parametrize("fmt", ODD_INFINITIES, ids=str)
def test_formats_with_infinity_at_another_place(fmt, rng):
    """What is beyond the largest value becomes infinity by its code, whatever the way there."""
    x = np.concatenate(
        [[-1e-9, -0.0, 1e9, np.inf, -np.inf, np.nan], min(float(fmt.max), 1e38) * (1 + rng.normal(size=2000) / 100)]
    )
    x = np.concatenate([x, -x, np.ldexp(rng.normal(size=2000), rng.integers(-40, 40, 2000))]).astype(np.float32)
    double = np.ascontiguousarray(x, np.float64)
    for rounding, overflow, subnormals in itertools.product(ROUNDINGS, FLOAT_OVERFLOWS, SUBNORMALS):
        target = Target.of(fmt, rounding, overflow, subnormals)
        expected, _ = pack("x", unpack(double.view(np.uint64), golden.format("fp64")), target)
        options: dict[str, Any] = {"rounding": rounding, "overflow": overflow, "subnormals": subnormals}
        for given in (x, double, x[:20]):
            found = golden.encode(given, fmt, **options)
            np.testing.assert_array_equal(found, expected[: len(given)], str(target))
        ones = np.full(len(x), golden.encode(1.0, "fp16"))
        product = golden.multiply(x.view(np.uint32), ones, "fp32", "fp16", out=fmt, **options)
        np.testing.assert_array_equal(product, expected, str(target))


#: Operands beyond the range of the type that holds their products.
BEYOND = [
    (Format("big", "float", 8, 3, bias=-120), Format("tiny", "fixed", 8, 100), "fp32"),
    (Format("big", "float", 8, 3, bias=-120), Format("tiny_float", "float", 8, 3, bias=160), "fp16"),
    (Format("huge", "float", 8, 3, bias=-1200), Format("tiny_huge", "fixed", 8, 1180), "fp32"),
    (Format("huge", "float", 8, 3, bias=-1200), Format("least", "float", 8, 3, bias=1230), "bf16"),
]


@pytest.mark.parametrize(("fa", "fb", "out"), BEYOND, ids=lambda fmt: str(fmt))
@pytest.mark.parametrize("count", [20, 2 * TABLE_SIZE])
def test_operands_beyond_the_type_of_their_products(fa, fb, out, count, rng):
    a, b = (rng.integers(0, fmt.code_count, count, dtype=np.uint8, endpoint=False) for fmt in (fa, fb))
    a[:3], b[:3] = 0x7F, [1, 0, 2]
    out = golden.format(out)
    for rounding, flags in itertools.product(ROUNDINGS, (False, True)):
        expected = general_kernel("multiply", (fa, fb), Target.of(out, rounding, None, "full"))([a, b], None, 0)
        found = golden.multiply(a, b, fa, fb, out=out, rounding=rounding, flags=flags)
        np.testing.assert_array_equal(found[0] if flags else found, expected[0])
        if flags:
            np.testing.assert_array_equal(found[1], expected[1])
    assert golden.decode(golden.multiply([0x7F], [0], fa, BEYOND[0][1], out="fp32"), "fp32").tolist() == [0.0]


#: NaNs of several binades: in each the most significant fraction bit distinguishes quiet from signaling.
NAN_RUNS = [
    Format("snan", "float", 7, 1, bias=0, nan_codes=range(60, 64)),
    Format("from_quiet", "float", 8, 3, bias=7, nan_codes=range(0x75, 0x80)),
    Format("with_inf", "float", 8, 2, bias=15, inf_code=0x78, nan_codes=range(0x79, 0x80)),
    Format("quiet_only", "float", 8, 3, bias=7, nan_codes=range(0x7D, 0x80)),
]


@pytest.mark.parametrize("fmt", NAN_RUNS, ids=str)
def test_signaling_nans_by_their_quiet_bit(fmt, reference):
    """Whatever the number of elements, and so the kernel; the NaN that operations deliver is a quiet one."""
    quiet = fmt.quiet_bit
    assert fmt.nan_code in fmt.nan_codes and fmt.nan_code & quiet
    assert fmt.has_signaling_nan == any(not code & quiet for code in fmt.nan_codes)
    codes = np.arange(fmt.code_count)
    for out, other in (("e6m9", "int4"), (fmt, "fp16")):
        out, other = golden.format(out), golden.format(other)
        want = [reference("multiply", (code, 2), (fmt, other), out, "rne") for code in codes.tolist()]
        for times in (1, TABLE_SIZE // 64):
            found, flags = golden.multiply(np.tile(codes, times), 2, fmt, other, out=out, flags=True)
            assert found.tolist() == [code for code, _ in want] * times
            assert flags.tolist() == [int(raised) for _, raised in want] * times


@pytest.mark.parametrize("bias", [-100, 0, 130])
def test_products_and_sums_of_formats_far_from_one(bias, rng):
    fmt = Format("far", "float", 9, 3, bias=bias)
    a, b, c = rng.integers(0, fmt.code_count, (3, 2000))
    x, y, z = (golden.decode(part, fmt) for part in (a, b, c))
    # A float64 holds the products, and the sums except of very different numbers, which round alike.
    for found, exact in (
        (golden.multiply(a, b, fmt, fmt, out="e10m20"), x * y),
        (golden.add(a, b, fmt, fmt, out="e10m20"), x + y),
        (golden.fma(a, b, c, fmt, fmt, fmt, out="e10m20"), x * y + z),
    ):
        np.testing.assert_array_equal(found, golden.encode(exact, "e10m20"))
