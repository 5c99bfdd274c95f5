"""Arithmetic and conversion against libraries that others wrote: gfloat, Berkeley SoftFloat, ml_dtypes.

Where an oracle disagrees, the case and the side that is right stand in a test of their own.
"""

import itertools
import os
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import ml_dtypes
import numpy as np
import pytest

from polymac import golden
from polymac.golden import Flag
from polymac.golden.arithmetic.operations import add, fma, multiply
from polymac.golden.formats import ROUNDINGS

SOFTFLOAT_MODES = {"rne": "NEAR_EVEN", "rtz": "MIN_MAG", "rdn": "MIN", "rup": "MAX", "rna": "NEAR_MAX_MAG"}
GFLOAT_MODES = {
    "rne": "TiesToEven",
    "rtz": "TowardZero",
    "rdn": "TowardNegative",
    "rup": "TowardPositive",
    "rna": "TiesToAway",
    "stochastic": "StochasticFastest",
}
GFLOAT_FORMATS = {
    "fp32": "format_info_binary32",
    "fp16": "format_info_binary16",
    "bf16": "format_info_bfloat16",
    "fp8_e4m3": "format_info_ocp_e4m3",
    "fp8_e5m2": "format_info_ocp_e5m2",
    "fp6_e3m2": "format_info_ocp_e3m2",
    "fp6_e2m3": "format_info_ocp_e2m3",
    "fp4_e2m1": "format_info_ocp_e2m1",
}


def gfloat_format(name):
    formats = pytest.importorskip("gfloat.formats", reason="gfloat, of the extra 'oracles', is not installed")
    return getattr(formats, GFLOAT_FORMATS[name])


def assert_same_reals(found, expected, policy):
    """Equal, signs of zeros included; NaN by class."""
    np.testing.assert_array_equal(found, expected, policy)
    numbers = ~np.isnan(expected)
    np.testing.assert_array_equal(np.signbit(found[numbers]), np.signbit(expected[numbers]), policy)


def gfloat_codes_to_round(fmt, rng, some_codes):
    """Values next to those of the format and to the middles between them, and random ones over its range and beyond."""
    x = golden.decode(some_codes(fmt, 4000, rng), fmt)
    x = x[np.isfinite(x)]
    steps = np.ldexp(1.0, np.frexp(x)[1] - 2 - fmt.frac_bits)
    around = np.concatenate([x, x + steps, x - steps, x + steps / 2])
    span = np.ldexp(rng.uniform(-2, 2, 4000), rng.integers(fmt.min_exponent - 8, fmt.max_exponent + 3, 4000))
    return np.concatenate([around, np.nextafter(around, np.inf), np.nextafter(around, -np.inf), span, [0.0, -0.0]])


@pytest.mark.parametrize("overflow", ["ieee", "saturate"])
@pytest.mark.parametrize("rounding", GFLOAT_MODES)
@pytest.mark.parametrize("name", GFLOAT_FORMATS)
def test_encode_like_gfloat(name, rounding, overflow, rng, some_codes):
    gfloat = pytest.importorskip("gfloat", reason="gfloat, of the extra 'oracles', is not installed")
    fmt = golden.format(name)
    x = gfloat_codes_to_round(fmt, rng, some_codes)
    # gfloat refuses to overflow where the format has neither infinity nor NaN; we give the largest value.
    saturate = overflow == "saturate" or not fmt.has_nan
    if rounding == "stochastic":
        # Without bits more than 40 places below the least last place, which gfloat may round (see below).
        places = 40 + fmt.frac_bits - fmt.min_exponent
        x = np.ldexp(np.rint(np.ldexp(x, places)), -places)
        words = rng.integers(0, 1 << 8, x.size)
        random = {"random": words, "random_bits": 8}
        options = {"srbits": words, "srnumbits": 8}
    else:
        random, options = {}, {}
    with np.errstate(all="ignore"):
        expected = gfloat.round_ndarray(
            gfloat_format(name), x, gfloat.RoundMode[GFLOAT_MODES[rounding]], sat=saturate, **options
        )
    found = golden.decode(golden.encode(x, fmt, rounding=rounding, overflow=overflow, **random), fmt)
    assert_same_reals(found, expected, f"{name} {rounding} {overflow}")


def test_gfloat_rounds_the_rest_of_a_stochastic_rounding():
    # 255/256 of the interval from 0 to 0.5 and less than 1/256 of it do not make the whole: 0. gfloat adds them in
    # float64, which rounds the sum up to 1.
    gfloat = pytest.importorskip("gfloat", reason="gfloat, of the extra 'oracles', is not installed")
    x, words = np.array([np.nextafter(0.5 / 256, 0.0)]), np.array([255])
    assert golden.encode(x, "fp4_e2m1", rounding="stochastic", random=words, random_bits=8).tolist() == [0]
    mode = gfloat.RoundMode.StochasticFastest
    found = gfloat.round_ndarray(gfloat_format("fp4_e2m1"), x, mode, srbits=words, srnumbits=8)
    assert found.tolist() == [0.5]


def test_gfloat_ties_of_one_bit():
    # With significands of one bit both neighbours of a tie are odd: IEEE 754-2019 (4.3.1) takes the larger magnitude,
    # as ml_dtypes does; gfloat looks at the exponent's last bit, which is the code's.
    gfloat = pytest.importorskip("gfloat", reason="gfloat, of the extra 'oracles', is not installed")
    formats = pytest.importorskip("gfloat.formats")
    x = np.array([1.5, 3.0])
    assert golden.decode(golden.encode(x, "e8m0"), "e8m0").tolist() == [2.0, 4.0]
    assert x.astype(np.float32).astype(ml_dtypes.float8_e8m0fnu).astype(float).tolist() == [2.0, 4.0]
    assert gfloat.round_ndarray(formats.format_info_ocp_e8m0, x).tolist() == [2.0, 2.0]


@pytest.mark.parametrize("name", ["fp8_e4m3", "fp8_e5m2", "fp6_e3m2", "fp6_e2m3", "fp4_e2m1"])
@pytest.mark.parametrize("rounding", ROUNDINGS)
def test_all_pairs_like_gfloat(name, rounding):
    # A float64 holds every product and every sum of these formats.
    gfloat = pytest.importorskip("gfloat", reason="gfloat, of the extra 'oracles', is not installed")
    fmt = golden.format(name)
    a, b = (codes.ravel() for codes in np.meshgrid(np.arange(fmt.code_count), np.arange(fmt.code_count)))
    x, y = golden.decode(a, fmt), golden.decode(b, fmt)
    mode = gfloat.RoundMode[GFLOAT_MODES[rounding]]
    with np.errstate(all="ignore"):
        products, sums = x * y, x + y
        if rounding == "rdn":
            sums = np.where((sums == 0) & (np.signbit(x) != np.signbit(y)), -0.0, sums)
        for operation, exact in ((multiply, products), (add, sums)):
            found = golden.decode(operation(a, b, fmt, fmt, rounding=rounding), fmt)
            expected = gfloat.round_ndarray(gfloat_format(name), exact, mode, sat=not fmt.has_nan)
            assert_same_reals(found, expected, f"{operation.__name__} {rounding}")


def softfloat_results(sf, width, operation, operands):
    """Codes and exceptions of SoftFloat, one by one."""
    number = {16: sf.Float16, 32: sf.Float32, 64: sf.Float64}[width]
    call = getattr(sf, f"f{width}_{operation}")
    codes, flags = [], []
    for terms in zip(*(array.tolist() for array in operands), strict=True):
        sf.set_exception_flags(0)
        result = call(*(number.from_bytes(code.to_bytes(width // 8, "big")) for code in terms))
        codes.append(int.from_bytes(result.to_bytes(), "big"))
        flags.append(int(sf.get_exception_flags()))
    return np.array(codes, np.uint64), np.array(flags)


@pytest.mark.parametrize("operation", ["multiply", "add", "fma"])
@pytest.mark.parametrize("rounding", SOFTFLOAT_MODES)
@pytest.mark.parametrize("width", [16, 32, 64])
def test_like_softfloat(width, rounding, operation, rng, some_codes):
    sf = pytest.importorskip("softfloatpy", reason="softfloatpy, of the extra 'oracles', is not installed")
    fmt, count = golden.format(f"fp{width}"), 4000
    operands = [some_codes(fmt, count, rng) for _ in range(3 if operation == "fma" else 2)]
    if operation != "multiply":
        # Half of the last terms are close to the opposite of the rest, so that bits cancel.
        rest = operands[0] if operation == "add" else multiply(operands[0], operands[1], fmt, fmt).astype(np.uint64)
        near = (rest ^ np.uint64(fmt.sign_mask)) + rng.integers(0, 3, count, dtype=np.uint64)
        operands[-1] = np.where(rng.random(count) < 0.5, operands[-1], near & np.uint64(fmt.code_mask))
    sf.set_rounding_mode(sf.RoundingMode[SOFTFLOAT_MODES[rounding]])
    sf.set_tininess_mode(sf.TininessMode.AFTER_ROUNDING)
    name = {"multiply": "mul", "add": "add", "fma": "mul_add"}[operation]
    expected, expected_flags = softfloat_results(sf, width, name, operands)
    call = {"multiply": multiply, "add": add, "fma": fma}[operation]
    found, flags = call(*operands, *[fmt] * len(operands), rounding=rounding, flags=True)
    # SoftFloat propagates a NaN operand's payload; ours is the default NaN.
    nan = (expected & np.uint64(fmt.magnitude_mask)) > np.uint64(fmt.max_code + 1)
    np.testing.assert_array_equal(found, np.where(nan, np.uint64(fmt.nan_code or 0), expected))
    np.testing.assert_array_equal(flags, expected_flags)
    assert set(np.unique(flags)) >= {0, Flag.INEXACT, Flag.INVALID}


@pytest.mark.parametrize("name", ["fp16", "bf16"])
def test_conversions_of_every_16_bit_code_like_ml_dtypes(name, twin):
    """All codes of a 16-bit format into every format of ml_dtypes, and bf16 into fp16."""
    source, target = golden.format(name), golden.format(twin[1])
    codes = np.arange(1 << 16, dtype=np.uint16)
    dtype = np.dtype(np.float16 if name == "fp16" else ml_dtypes.bfloat16)
    to = np.dtype(getattr(ml_dtypes, twin[0]))
    with np.errstate(all="ignore"):
        real = codes.view(dtype).astype(np.float32)
        codes, real = (codes, real) if target.has_nan else (codes[~np.isnan(real)], real[~np.isnan(real)])
        expected = real.astype(to).astype(np.float64)
    x = golden.decode(codes, source)
    for given in (x, x.astype(np.float32)):
        found = golden.encode(given, target, nonfinite="substitute")
        assert_same_reals(golden.decode(found, target), expected, f"{name} to {target}")


def all_products_of(job):
    """Mismatches of one operand with all others, for a slice of first operands."""
    name, first, last = job
    fmt = golden.format(name)
    dtype = np.dtype(np.float16 if name == "fp16" else ml_dtypes.bfloat16)
    b = np.arange(1 << 16, dtype=np.uint16)
    mismatches = 0
    for start in range(first, last, 16):
        a = np.repeat(np.arange(start, start + 16, dtype=np.uint16), 1 << 16)
        others = np.tile(b, 16)
        with np.errstate(all="ignore"):
            product = np.multiply(a.view(dtype), others.view(dtype))
            nan = np.isnan(product)
        expected = np.where(nan, np.uint16(fmt.nan_code or 0), product.view(np.uint16))
        mismatches += int(np.count_nonzero(multiply(a, others, fmt, fmt) != expected))
    return mismatches


@pytest.mark.slow
@pytest.mark.parametrize("name", ["fp16", "bf16"])
def test_all_pairs_of_16_bits(name):
    """All 2^32 products of fp16 against numpy, of bf16 against ml_dtypes; minutes, on POLYMAC_JOBS processes (2).

    POLYMAC_PROGRESS names a file of finished parts, from which a run that was stopped goes on.
    """
    parts = [(name, start, start + 1024) for start in range(0, 1 << 16, 1024)]
    progress = Path(os.environ["POLYMAC_PROGRESS"]) if "POLYMAC_PROGRESS" in os.environ else None
    done = set(progress.read_text().split()) if progress and progress.exists() else set()
    todo = [part for part in parts if f"{name}:{part[1]}" not in done]
    started = time.perf_counter()
    with ProcessPoolExecutor(int(os.environ.get("POLYMAC_JOBS", "2"))) as pool:
        for part, mismatches in zip(todo, pool.map(all_products_of, todo), strict=True):
            assert mismatches == 0, f"{mismatches} of the products of {part}"
            if progress:
                with progress.open("a") as file:
                    file.write(f"{name}:{part[1]}\n")
    print(f"{name}: {len(todo) << 26} pairs, {time.perf_counter() - started:.0f} s")


def test_fp16_through_both_libraries(rng):
    """Directed modes of fp16 in float64, which holds every product: gfloat rounds those."""
    gfloat = pytest.importorskip("gfloat", reason="gfloat, of the extra 'oracles', is not installed")
    fmt = golden.format("fp16")
    a, b = rng.integers(0, 1 << 16, (2, 20_000))
    with np.errstate(all="ignore"):
        exact = golden.decode(a, fmt) * golden.decode(b, fmt)
        for rounding, overflow in itertools.product(ROUNDINGS, ("ieee", "saturate")):
            mode = gfloat.RoundMode[GFLOAT_MODES[rounding]]
            expected = gfloat.round_ndarray(gfloat_format("fp16"), exact, mode, sat=overflow == "saturate")
            found = multiply(a, b, fmt, fmt, rounding=rounding, overflow=overflow)
            assert_same_reals(golden.decode(found, fmt), expected, f"{rounding} {overflow}")
