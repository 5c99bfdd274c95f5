"""XNOR and popcount against the integer definition."""

import numpy as np
import pytest

from polymac import golden
from polymac.golden import ParameterError
from polymac.golden.sums.gemm import gemm
from polymac.golden.sums.xnor import pack_bits, xnor_gemm


@pytest.mark.parametrize("depth", [0, 1, 7, 8, 63, 64, 65, 127, 128, 200, 1000])
def test_like_the_integers(depth, rng):
    a, b = rng.integers(0, 2, (9, depth)), rng.integers(0, 2, (depth, 5))
    expected = (2 * a - 1) @ (2 * b - 1)
    np.testing.assert_array_equal(xnor_gemm(pack_bits(a), pack_bits(b.T), depth), expected)
    np.testing.assert_array_equal(gemm(a, b, "bin1", "bin1"), expected)


def test_several_tiles(rng):
    a, b = rng.integers(0, 2, (70, 130)), rng.integers(0, 2, (130, 3000))
    np.testing.assert_array_equal(xnor_gemm(pack_bits(a), pack_bits(b.T), 130), (2 * a - 1) @ (2 * b - 1))


def test_words():
    assert pack_bits([1, 1, 0, 1]).tolist() == [0b1011]
    bits = np.zeros(130, int)
    bits[[0, 63, 64, 129]] = 1
    assert pack_bits(bits).tolist() == [1 << 63 | 1, 1, 2]
    assert pack_bits(np.ones((2, 3, 64), int)).tolist() == [[[(1 << 64) - 1]] * 3] * 2
    assert pack_bits(bits).dtype == np.uint64


WORD = np.ones((1, 1), np.uint64)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: pack_bits([2]), ParameterError, "codes must hold codes of bin1, 0 … 0x1, not 2"),
        (lambda: pack_bits(1), ParameterError, "codes must have at least one dimension, not shape ()"),
        (lambda: pack_bits([0.5]), TypeError, "codes must be an array of integers, not of float64"),
        (lambda: xnor_gemm([[1]], WORD, 1), TypeError, "a must be words of uint64, not of int64"),
        (lambda: xnor_gemm(WORD, WORD[0], 1), ParameterError, "b must be a matrix, not of shape (1,)"),
        (
            lambda: xnor_gemm(WORD, WORD, 65),
            ParameterError,
            "a and b must be (M, 2) and (N, 2) for depth 65, not (1, 1) and (1, 1)",
        ),
        (
            lambda: xnor_gemm(np.ones((3, 2), np.uint64), WORD, 65),
            ParameterError,
            "a and b must be (M, 2) and (N, 2) for depth 65, not (3, 2) and (1, 1)",
        ),
        (
            lambda: xnor_gemm(WORD, np.ones((3, 2), np.uint64), 65),
            ParameterError,
            "a and b must be (M, 2) and (N, 2) for depth 65, not (1, 1) and (3, 2)",
        ),
        (lambda: xnor_gemm(WORD, [["1"]], 1), TypeError, "b must be an array of integers, not of <U1"),
        (lambda: xnor_gemm(WORD * 4, WORD, 2), ParameterError, "a must be zero in the bits beyond depth 2"),
        (lambda: xnor_gemm(WORD, WORD * 4, 2), ParameterError, "b must be zero in the bits beyond depth 2"),
        (lambda: xnor_gemm(WORD, WORD, -1), ParameterError, "depth must be at least 0, not -1"),
    ],
)
def test_errors(call, error, message):
    with pytest.raises(error) as caught:
        call()
    assert str(caught.value) == message


def test_rows_of_words_wider_than_a_tile():
    a, b = np.arange(3, dtype=np.uint64)[:, None], np.arange(1 << 15, dtype=np.uint64)[:, None]
    expected = 16 - 2 * np.bitwise_count(a ^ b.T).astype(np.int64)
    np.testing.assert_array_equal(golden.xnor_gemm(a, b, 16), expected)
    found = golden.xnor_gemm(a, b[:0], 16)
    assert (found.shape, found.dtype) == ((3, 0), np.int64)
