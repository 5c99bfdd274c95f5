"""Codes of integers: two's complement, dtypes, errors."""

import numpy as np
import pytest

from polymac import golden
from polymac.golden import ParameterError
from polymac.golden.codec import codes, kinds
from polymac.golden.codec.codes import Unpacked
from polymac.golden.codec.kinds import pack
from polymac.golden.codec.rounding import Target, bit_length
from polymac.golden.formats import fixed_point


@pytest.mark.parametrize(
    ("width", "dtype"), [(2, "u1"), (8, "u1"), (9, "u2"), (16, "u2"), (17, "u4"), (33, "u8"), (64, "u8"), (65, "O")]
)
def test_least_dtype(width, dtype):
    assert golden.code_dtype(fixed_point(width)) == np.dtype(dtype)


@pytest.mark.parametrize("signed", [True, False])
@pytest.mark.parametrize("width", [2, 7, 8, 31, 32, 33, 62, 63, 64, 65, 128])
def test_integers_and_back(width, signed, rng):
    fmt = fixed_point(width, 1, signed)
    least, greatest = (-(1 << (width - 1)), (1 << (width - 1)) - 1) if signed else (0, (1 << width) - 1)
    values = [
        least,
        greatest,
        0,
        1,
        *(int.from_bytes(rng.bytes(17), "little") % (greatest - least) + least for _ in range(9)),
    ]
    codes = golden.from_int(np.array(values, object), fmt)
    assert codes.dtype == golden.code_dtype(fmt)
    assert codes.tolist() == [value % (1 << width) for value in values]
    found = golden.to_int(codes, fmt)
    assert found.tolist() == values
    assert found.dtype == (np.int64 if least >= -(2**63) and greatest < 2**63 else object)


def test_lone_values_keep_their_shape():
    for fmt in ("int8", "uint64", fixed_point(100)):
        codes = golden.from_int(3, fmt)
        assert codes.shape == golden.to_int(codes, fmt).shape == ()
        assert int(golden.to_int(codes, fmt)) == 3


def test_lists_of_long_integers_are_not_rounded():
    # NumPy alone makes float64 of these, of which 2^63 + 1 is none.
    assert golden.to_int([2**63 + 1, 5], "uint64").tolist() == [2**63 + 1, 5]
    assert golden.encode([2**63 + 1, -5], "int64").tolist() == [2**63 - 1, 2**64 - 5]
    assert golden.encode([2**63 + 1, -5], "uint64").tolist() == [2**63 + 1, 0]
    assert golden.encode([[1.5], [2]], "q4.4").tolist() == [[24], [32]]


def test_bit_length_at_every_power_of_two():
    values = [value for bit in range(63) for value in ((1 << bit) - 1, 1 << bit, (1 << bit) + 1)]
    expected = [value.bit_length() for value in values]
    assert bit_length(np.array(values, np.uint64)).tolist() == expected
    assert bit_length(np.array(values, object)).tolist() == expected


def test_rounder_shifts_by_any_amount():
    # From all bits of the fast path, which only a shift by exactly 64 makes a tie of, to far out on both sides.
    magnitude, exponents = (1 << 62) + 1, np.array([-1000, -65, -64, -63, -62, -1, 0, 1, 2, 64, 1000])
    never = np.zeros(1, bool)
    wanted = [
        min(
            (magnitude << exponent) if exponent > 0 else (magnitude + (1 << -exponent >> 1)) >> -exponent, (1 << 63) - 1
        )
        for exponent in exponents.tolist()
    ]
    for dtype in (np.uint64, object):
        value = Unpacked(never, np.full(len(exponents), magnitude, dtype), exponents, never, never, never)
        codes, _ = pack("x", value, Target.of(golden.format("int64"), "rna", "saturate", "full"))
        assert codes.tolist() == wanted


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: golden.from_int([1, 128], "int8"), ParameterError, "values must be in -128 … 127 of int8, not 128"),
        (lambda: golden.from_int([-1], "uint8"), ParameterError, "values must be in 0 … 255 of uint8, not -1"),
        (lambda: golden.from_int([1.0], "int8"), TypeError, "values must be an array of integers, not of float64"),
        (lambda: golden.from_int([0], "fp16"), ParameterError, "fmt must be a fixed-point format, not fp16"),
        (lambda: golden.from_int([0], "bin1"), ParameterError, "fmt must be a fixed-point format, not bin1"),
        (lambda: golden.to_int([0], "fp16"), ParameterError, "fmt must be a fixed-point or binary format, not fp16"),
        (
            lambda: golden.to_int([1 << 70], "int8"),
            ParameterError,
            f"codes must hold codes of int8, 0 … 0xff, not {1 << 70}",
        ),
    ],
)
def test_errors(call, error, message):
    with pytest.raises(error) as caught:
        call()
    assert str(caught.value) == message


@pytest.mark.parametrize("name", ["bin1", "int5", "uint8", "uq2.3", "fp4_e2m1", "fp8_e4m3", "fp8_e5m2", "e8m0", "bf16"])
def test_the_bound_of_magnitudes_is_the_largest(name):
    fmt = golden.format(name)
    every = np.arange(fmt.code_count).astype(codes.code_dtype(fmt))
    assert fmt.max_significand == kinds.unpack(every, fmt).magnitude.max()
