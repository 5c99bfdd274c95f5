"""What inner products do not accept, and how that is said."""

import numpy as np
import pytest

from polymac.golden import ParameterError
from polymac.golden.formats.accumulation import Exact, Rounded
from polymac.golden.sums.dot import dot


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (
            lambda: dot([1, 2], [1, 2, 3], "fp16", "fp16"),
            ParameterError,
            "a and b must be (…, K) with one K and leading shapes that broadcast, not (2,) and (3,)",
        ),
        (
            lambda: dot(1, 1, "fp16", "fp16"),
            ParameterError,
            "a and b must be (…, K) with one K and leading shapes that broadcast, not () and ()",
        ),
        (
            lambda: dot(np.ones((2, 1), int), np.ones((3, 1), int), "fp16", "fp16"),
            ParameterError,
            "a and b must be (…, K) with one K and leading shapes that broadcast, not (2, 1) and (3, 1)",
        ),
        (
            lambda: dot(np.ones((2, 1), int), np.ones((2, 3), int), "fp16", "fp16"),
            ParameterError,
            "a and b must be (…, K) with one K and leading shapes that broadcast, not (2, 1) and (2, 3)",
        ),
        (
            lambda: dot([[1]], [[1]], "fp16", "fp16", [1, 2]),
            ParameterError,
            "c must broadcast to (1,), the shape of the result, not (2,)",
        ),
        (
            lambda: dot([1], [1], "fp16", "fp16", 1 << 16, out="fp16"),
            ParameterError,
            "c must hold codes of fp16, 0 … 0xffff, not 65536",
        ),
        (
            lambda: dot([1], [1], "bin1", "bin1", out="bin1"),
            ParameterError,
            "c must be given where out is bin1, which has no zero, not None",
        ),
        (
            lambda: dot([1], [1], "fp16", "fp16", acc="exact"),  # pyright: ignore[reportArgumentType]
            TypeError,
            "acc must be Exact, Rounded or Aligned, not 'exact'",
        ),
        (
            lambda: dot([1], [1], "fp16", "fp16", acc=Rounded("fp32"), out="fp16"),
            ParameterError,
            "out must be fp32, the accumulator's format, or None, not fp16",
        ),
        (
            lambda: dot([1], [1], "fp16", "fp16", out="e8m0"),
            ParameterError,
            "out must be a format with a sign and a zero, not e8m0",
        ),
        (
            lambda: dot([1], [1], "fp16", "fp16", acc=Exact(overflow="wrap")),
            ParameterError,
            "overflow must be one of ieee, saturate for fp32, not 'wrap'",
        ),
        (
            lambda: dot([0x7C01], [1], "fp16", "fp16", out="int8"),
            ParameterError,
            "the sum must be free of NaN for int8, not nan at index 0",
        ),
        (
            lambda: dot([0x7C00], [0x3C00], "fp16", "fp16", acc=Exact(overflow="wrap"), out="int8"),
            ParameterError,
            "the sum must be finite to wrap in int8, not infinite at index 0",
        ),
        (lambda: Exact("up"), ParameterError, "rounding must be one of rne, rtz, rdn, rup, rna, not 'up'"),
        (lambda: Exact(subnormals="none"), ParameterError, "subnormals must be one of full, flush, not 'none'"),
        (lambda: Rounded("fp32", block=0), ParameterError, "block must be at least 1, not 0"),
        (lambda: Rounded(32), TypeError, "format must be a name or a Format, not 32"),  # pyright: ignore[reportArgumentType]
    ],
)
def test_errors(call, error, message):
    with pytest.raises(error) as caught:
        call()
    assert str(caught.value) == message
