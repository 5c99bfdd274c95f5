"""Encoding and decoding, against numpy's float16, ml_dtypes and a search through all values."""

from fractions import Fraction

import ml_dtypes
import numpy as np
import pytest

from polymac import golden
from polymac.golden import Format, ParameterError
from polymac.golden.formats import FLOAT_OVERFLOWS, ROUNDINGS


def all_codes(fmt: Format) -> np.ndarray:
    return np.arange(fmt.code_count, dtype=np.int64).astype(golden.code_dtype(fmt))


def assert_same_reals(found: np.ndarray, expected: np.ndarray) -> None:
    """Equal, signs of zeros included; NaN by class."""
    np.testing.assert_array_equal(found, expected)
    numbers = ~np.isnan(expected)
    np.testing.assert_array_equal(np.signbit(found[numbers]), np.signbit(expected[numbers]))


def assert_same_codes(fmt: Format, found: np.ndarray, expected: np.ndarray) -> None:
    """Equal, bit for bit; NaN by class."""
    nan = np.isnan(golden.decode(expected, fmt))
    np.testing.assert_array_equal(np.isnan(golden.decode(found, fmt)), nan)
    np.testing.assert_array_equal(found[~nan], expected[~nan])


def oracle_codes(x: np.ndarray, dtype: np.dtype) -> np.ndarray:
    with np.errstate(all="ignore"):
        return x.astype(dtype).view(f"u{dtype.itemsize}")


def floats_over_all_exponents(rng: np.random.Generator, count: int) -> np.ndarray:
    """Random float32 bit patterns, NaN left out; half of them with exponents near 0."""
    bits = rng.integers(0, 1 << 32, count, dtype=np.uint32)
    x = bits.view(np.float32)
    near = np.ldexp(rng.uniform(-2, 2, count), rng.integers(-20, 20, count)).astype(np.float32)
    x = np.concatenate([x, near])
    return x[~np.isnan(x)]


def neighbourhoods(fmt: Format) -> np.ndarray:
    """All finite values of a format, the midpoints between neighbours, and what lies next to these, in float64."""
    values = golden.decode(all_codes(fmt), fmt)
    values = np.unique(values[np.isfinite(values)])
    points = np.concatenate([values, (values[1:] + values[:-1]) / 2, values[-1:] * 1.25, values[-1:] * 2])
    around = np.concatenate([points, np.nextafter(points, np.inf), np.nextafter(points, -np.inf)])
    return np.concatenate([around, -around, [0.0, -0.0]])


def float32_neighbourhoods(fmt: Format) -> np.ndarray:
    with np.errstate(over="ignore"):
        return neighbourhoods(fmt).astype(np.float32)


def test_decode_every_fp16_code():
    codes = np.arange(1 << 16, dtype=np.uint16)
    assert_same_reals(golden.decode(codes, "fp16"), codes.view(np.float16).astype(np.float64))


def test_encode_every_fp16_value():
    codes = np.arange(1 << 16, dtype=np.uint16)
    codes = codes[~np.isnan(codes.view(np.float16))]
    found = golden.encode(codes.view(np.float16), "fp16")
    assert found.dtype == np.uint16
    np.testing.assert_array_equal(found, codes)


def test_encode_fp16_like_numpy(rng):
    fmt = golden.format("fp16")
    x = np.concatenate([floats_over_all_exponents(rng, 100_000), neighbourhoods(fmt), [np.inf, -np.inf, np.nan]])
    with np.errstate(all="ignore"):
        expected = x.astype(np.float16).view(np.uint16)
    assert_same_codes(fmt, golden.encode(x, fmt), expected)


def test_decode_every_code_like_ml_dtypes(twin):
    name, fmt = twin[0], golden.format(twin[1])
    codes = all_codes(fmt)
    with np.errstate(all="ignore"):
        expected = codes.view(getattr(ml_dtypes, name)).astype(np.float64)
    assert_same_reals(golden.decode(codes, fmt), expected)


def test_encode_like_ml_dtypes(twin, rng):
    # From float32: ml_dtypes itself takes float64 through float32.
    name, fmt = twin[0], golden.format(twin[1])
    x = np.concatenate([floats_over_all_exponents(rng, 50_000), float32_neighbourhoods(fmt)])
    x = np.concatenate([x, np.array([np.inf, -np.inf, *([np.nan] if fmt.has_nan else [])], np.float32)])
    found = golden.encode(x, fmt, nonfinite="substitute")
    assert_same_codes(fmt, found, oracle_codes(x, np.dtype(getattr(ml_dtypes, name))))


def test_e8m0_like_ml_dtypes(rng):
    fmt, dtype = golden.format("e8m0"), np.dtype(ml_dtypes.float8_e8m0fnu)
    codes = all_codes(fmt)
    assert_same_reals(golden.decode(codes, fmt), codes.view(dtype).astype(np.float64))
    x = np.concatenate(
        [floats_over_all_exponents(rng, 50_000), np.array([0, -0.0, 1.5, 3, np.inf, -np.inf, np.nan], np.float32)]
    )
    # ml_dtypes 0.6 rounds every float32 subnormal above 2^-127 up to 2^-126; the nearest is below 1.5 * 2^-127.
    least = 2.0**-127
    np.testing.assert_array_equal(golden.encode(least * np.array([0.5, 1, 1.25, 1.5, 1.75]), fmt), [0, 0, 0, 1, 1])
    x = x[~((x > least) & (x < 2 * least))]
    assert_same_codes(fmt, golden.encode(x, fmt, nonfinite="substitute"), oracle_codes(x, dtype))
    found = golden.encode([0.0, -1.0, 1e-60, 1e60, np.inf], fmt, overflow="saturate", nonfinite="substitute")
    np.testing.assert_array_equal(found, [0, 0, 0, 254, 254])


@pytest.mark.parametrize("name", ["fp32", "fp64", "tf32"])
def test_wide_formats_like_numpy(name, rng):
    x = rng.integers(0, 1 << 64, 50_000, dtype=np.uint64).view(np.float64)
    x = np.concatenate([x[~np.isnan(x)], floats_over_all_exponents(rng, 50_000), [0.0, -0.0, np.inf, 5e-324, 1e-310]])
    if name == "fp64":
        expected = x
        np.testing.assert_array_equal(golden.encode(x, name), x.view(np.uint64))
    else:
        with np.errstate(all="ignore"):
            expected = x.astype(np.float32).astype(np.float64)
        if name == "tf32":
            # Exact in fp32 first, so that the fp32 codes' lower bits alone decide.
            expected = golden.decode(golden.encode(expected, "fp32") & np.uint32(0xFFFFE000), "fp32")
            x = expected
    assert_same_reals(golden.decode(golden.encode(x, name), name), expected)


@pytest.mark.parametrize(
    ("name", "digits", "steps"), [("bf16", 8, 1), ("fp8_e4m3", 4, 1), ("fp8_e5m2", 3, 1), ("fp16", 11, 1)]
)
@pytest.mark.parametrize("sign", [1, -1])
def test_no_double_rounding_through_fp32(name, digits, steps, sign):
    # Just above the middle of 1 and its successor: fp32 rounds that to the middle, from where ties to even go down.
    above = sign * (1 + 2.0**-digits + 2.0**-40)
    successor = sign * (1 + 2.0 ** (1 - digits) * steps)
    assert golden.decode(golden.encode(above, name), name) == successor
    through = golden.encode(np.float32(above), name)
    assert golden.decode(through, name) == sign


@pytest.mark.parametrize("subnormals", ["full", "flush"])
@pytest.mark.parametrize("overflow", FLOAT_OVERFLOWS)
@pytest.mark.parametrize("rounding", ROUNDINGS)
@pytest.mark.parametrize("name", ["fp8_e4m3", "fp6_e3m2", "fp6_e2m3", "fp4_e2m1", "e3m2", "e4m0"])
def test_every_policy_by_search(name, rounding, overflow, subnormals, round_float):
    fmt = golden.format(name)
    x = neighbourhoods(fmt)
    expected = [
        round_float(fmt, bool(np.signbit(value)), abs(Fraction(value)), rounding, overflow, subnormals)[0]
        for value in x
    ]
    np.testing.assert_array_equal(
        golden.encode(x, fmt, rounding=rounding, overflow=overflow, subnormals=subnormals), np.array(expected)
    )


@pytest.mark.parametrize("rounding", ROUNDINGS)
def test_fnuz_every_rounding_by_search(rounding, round_float):
    fmt = Format("fnuz", "float", 6, 2, bias=4, negative_zero="nan")
    x = neighbourhoods(fmt)
    expected = [round_float(fmt, bool(np.signbit(v)), abs(Fraction(v)), rounding, "ieee", "full")[0] for v in x]
    np.testing.assert_array_equal(golden.encode(x, fmt, rounding=rounding), np.array(expected))


def integer_near(value: Fraction, rounding: str) -> int:
    floor = value.numerator // value.denominator
    rest = value - floor
    up = {
        "rne": rest > Fraction(1, 2) or (rest == Fraction(1, 2) and floor % 2 == 1),
        "rna": rest > Fraction(1, 2) or (rest == Fraction(1, 2) and value > 0),
        "rtz": rest > 0 and value < 0,
        "rup": rest > 0,
        "rdn": False,
    }[rounding]
    return floor + up


@pytest.mark.parametrize("overflow", ["saturate", "wrap"])
@pytest.mark.parametrize("rounding", ROUNDINGS)
@pytest.mark.parametrize(
    "name", ["int8", "uint8", "q3.5", "uq0.8", "int32", "q1.31", "int62", "int64", "uint64", "q33.31"]
)
def test_encode_fixed_by_fractions(name, rounding, overflow, rng):
    fmt = golden.format(name)
    scale = 2.0 ** (fmt.width - fmt.frac_bits)
    x = np.concatenate(
        [
            rng.uniform(-scale, scale, 100),
            np.round(rng.uniform(-scale, scale, 100) * 2.0 ** (fmt.frac_bits + 1)) / 2.0 ** (fmt.frac_bits + 1),
            np.ldexp(rng.uniform(-2, 2, 200), rng.integers(-90, 90, 200)),
            [
                0.0,
                -0.0,
                scale,
                -scale,
                scale / 2,
                -scale / 2,
                1e300,
                -1e300,
                5e-324,
                -5e-324,
                2.0**63,
                2.0**64,
                -(2.0**63),
            ],
        ]
    )
    expected = []
    for value in x:
        integer = integer_near(Fraction(value) * 2**fmt.frac_bits, rounding)
        if overflow == "saturate":
            integer = min(max(integer, fmt.min_int), fmt.max_int)
        expected.append(integer % fmt.code_count)
    found = golden.encode(x, fmt, rounding=rounding, overflow=overflow)
    assert found.dtype == golden.code_dtype(fmt)
    assert found.tolist() == expected


def test_encode_integers():
    extremes = [-(2**63), 2**63 - 1, 2**62, -1, 0, 1]
    assert golden.to_int(golden.encode(np.array(extremes), "int64"), "int64").tolist() == extremes
    assert golden.encode(np.array([2**64 - 1], np.uint64), "uint64").tolist() == [2**64 - 1]
    assert golden.encode([2**100, -(2**100)], "int8").tolist() == [127, 128]
    assert golden.encode([2**100 + 5], "int8", overflow="wrap").tolist() == [5]
    assert golden.encode(np.array([3], np.int8), "fp8_e4m3").tolist() == [0x44]
    # 2^53 + 1 is halfway between two float64 and not a float64 itself: one rounding, from the integer.
    assert golden.encode(2**53 + 1, "fp64", rounding="rup") == golden.encode(2**53 + 2, "fp64")


def test_decode_wide_codes():
    assert golden.decode(2**63 - 1, "int64") == 2.0**63
    assert golden.decode(2**64 - 1, "uint64") == 2.0**64
    # Ties to even: 2^53 + 1 down, 2^53 + 3 up.
    assert golden.decode([2**53 + 1, 2**53 + 3], "int64").tolist() == [2.0**53, 2.0**53 + 4]
    quad = Format(
        "quad", "float", 128, 112, bias=16383, inf_code=0x7FFF << 112, nan_codes=range((0x7FFF << 112) + 1, 1 << 127)
    )
    x = np.array([1.5, -(2.0**-1074), 1e308, np.inf, -0.0])
    codes = golden.encode(x, quad)
    assert codes.dtype == object
    assert_same_reals(golden.decode(codes, quad), x)
    # One unit in quad's last place above the middle of two float64, and the largest quad, beyond all of them.
    assert golden.decode([(16383 << 112) + (1 << 59) + 1, (0x7FFF << 112) - 1], quad).tolist() == [1 + 2.0**-52, np.inf]


def test_binary_codes():
    x = [-2.0, -1e-300, -0.0, 0.0, 1e-300, 7.0, np.inf, -np.inf]
    assert golden.encode(x, "bin1", nonfinite="substitute").tolist() == [0, 0, 1, 1, 1, 1, 1, 0]
    assert golden.decode([0, 1], "bin1").tolist() == [-1.0, 1.0]


@pytest.mark.parametrize(
    ("name", "overflow", "codes"),
    [
        ("fp16", "ieee", [0x7C00, 0xFC00]),
        ("fp16", "saturate", [0x7BFF, 0xFBFF]),
        ("fp8_e4m3", "ieee", [0x7F, 0x7F]),
        ("fp8_e4m3", "saturate", [0x7E, 0xFE]),
        ("fp4_e2m1", "ieee", [7, 15]),
        ("int8", "saturate", [127, 128]),
        ("uint8", "saturate", [255, 0]),
    ],
)
def test_infinity(name, overflow, codes):
    found = golden.encode([np.inf, -np.inf], name, overflow=overflow, nonfinite="substitute")
    assert found.tolist() == codes


@pytest.mark.parametrize(
    ("name", "overflow", "codes"),
    [
        ("fp8_e4m3", "ieee", [0x7F, 0x7F]),
        # The largest value, as ONNX and CUDA convert NaN to fp4.
        ("fp4_e2m1", "ieee", [7, 7]),
        ("fp6_e3m2", "saturate", [0x1F, 0x1F]),
        ("int8", "saturate", [0, 0]),
        ("q4.4", "wrap", [0, 0]),
        ("bin1", None, [1, 1]),
    ],
)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_nan(name, overflow, codes, dtype):
    x = np.array([np.nan, -np.nan], dtype)
    assert golden.encode(x, name, overflow=overflow, nonfinite="substitute").tolist() == codes


def test_shapes_are_kept():
    for shape in ((), (0,), (2, 3), (2, 0, 3)):
        for name in ("fp16", "int8", "uint64", "bin1"):
            codes = golden.encode(np.ones(shape), name)
            assert codes.shape == shape
            assert golden.decode(codes, name).shape == shape


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (
            lambda: golden.encode([1.0, np.nan], "int8"),
            ParameterError,
            "x must be finite for int8 unless nonfinite is 'substitute', not nan at index 1",
        ),
        (
            lambda: golden.encode([np.nan], "fp4_e2m1"),
            ParameterError,
            "x must be finite for fp4_e2m1 unless nonfinite is 'substitute', not nan at index 0",
        ),
        (
            lambda: golden.encode(np.array([1.0, -np.inf], np.float32), "fp8_e4m3"),
            ParameterError,
            "x must be free of infinities for fp8_e4m3 unless nonfinite is 'substitute', not -inf at index 1",
        ),
        (
            lambda: golden.encode([np.nan], Format("e2m1_inf", "float", 4, 1, bias=1, inf_code=7)),
            ParameterError,
            "x must be free of NaN for e2m1_inf unless nonfinite is 'substitute', not nan at index 0",
        ),
        (
            lambda: golden.encode([1.0], "int8", nonfinite="ignore"),
            ParameterError,
            "nonfinite must be one of error, substitute, not 'ignore'",
        ),
        (
            lambda: golden.encode(
                np.append(np.zeros(100_000), -np.inf), "int8", overflow="wrap", nonfinite="substitute"
            ),
            ParameterError,
            "x must be finite to wrap in int8, not infinite at index 100000",
        ),
        (
            lambda: golden.encode([1.0], "int8", overflow="ieee"),
            ParameterError,
            "overflow must be one of saturate, wrap for int8, not 'ieee'",
        ),
        (
            lambda: golden.encode([1.0], "fp16", overflow="wrap"),
            ParameterError,
            "overflow must be one of ieee, saturate for fp16, not 'wrap'",
        ),
        (
            lambda: golden.encode([1.0], "fp16", rounding="up"),
            ParameterError,
            "rounding must be one of rne, rtz, rdn, rup, rna, stochastic, not 'up'",
        ),
        (
            lambda: golden.encode([1.0], "bin1", rounding="rup"),
            ParameterError,
            "rounding must be one of rne for bin1, not 'rup'",
        ),
        (
            lambda: golden.encode([1.0], "fp16", subnormals="daz"),
            ParameterError,
            "subnormals must be one of full, flush, not 'daz'",
        ),
        (
            lambda: golden.encode(["a"], "fp16"),
            TypeError,
            "x must be an array of float64, float32, float16 or integers, not of <U1",
        ),
        (
            lambda: golden.encode(np.array([1.5, None]), "fp16"),
            TypeError,
            "x must be an array of integers, not of float",
        ),
        (lambda: golden.decode([1.0], "fp16"), TypeError, "codes must be an array of integers, not of float64"),
        (lambda: golden.decode([True], "bin1"), TypeError, "codes must be an array of integers, not of bool"),
        (
            lambda: golden.decode([1, 256], "int8"),
            ParameterError,
            "codes must hold codes of int8, 0 … 0xff, not 256",
        ),
        (
            lambda: golden.decode(np.array([-1], np.int8), "int8"),
            ParameterError,
            "codes must hold codes of int8, 0 … 0xff, not -1",
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


def test_numbers_just_beyond_float64_are_infinite_without_a_warning():
    fmt = wide(None, 1024)
    assert golden.decode([0x7B, 0x7C, 0xFF], fmt).tolist() == [1.75 * 2.0**1023, np.inf, -np.inf]
