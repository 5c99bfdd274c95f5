"""Pairs of operands whose sum cancels, ties or just loses bits, which random pairs seldom do."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...golden import code_dtype
from ...golden.formats import FloatFormat, Format

#: Of all pairs, this share have a second operand made from the first.
RELATED_SHARE = 0.5


def relate(
    a: NDArray[Any], b: NDArray[Any], fa: Format, fb: Format, out: Format, generator: np.random.Generator
) -> NDArray[Any]:
    """``b`` with a share of its codes changed so that the sum with ``a`` is a hard one.

    Of two floats, half of those have exponents so near that the significands overlap or just do not (distances up to the
    result's bits and two more on either side), and a fraction of zeros, of ones, of a single 1 or of any bits: ties and
    numbers next to them. The others, and codes of other formats of one width, differ from ``a`` in their last bits and
    perhaps in the sign: sums that cancel.
    """
    related = generator.random(len(a)) < RELATED_SHARE
    near = generator.random(len(a)) < 0.5
    result = b.copy()
    if isinstance(fa, FloatFormat) and isinstance(fb, FloatFormat):
        chosen = related & near
        result[chosen] = _of_near_exponent(a[chosen], fa, fb, out, generator)
    else:
        near[:] = False
    if fa.width == fb.width <= 64:
        chosen = related & ~near
        count = int(chosen.sum())
        low = generator.integers(0, 1 << min(fa.width, 63), count, dtype=np.uint64)
        low >>= generator.integers(0, fa.width + 1, count, dtype=np.uint64) % np.uint64(64)
        sign = generator.integers(0, 2, count, dtype=np.uint64) << np.uint64(fa.width - 1)
        result[chosen] = (a[chosen].astype(np.uint64) ^ low ^ sign).astype(result.dtype)
    return result


def _of_near_exponent(
    a: NDArray[Any], fa: FloatFormat, fb: FloatFormat, out: Format, generator: np.random.Generator
) -> NDArray[Any]:
    count, frac = len(a), fb.frac_bits
    exponent = ((a.astype(object) & fa.magnitude_mask) >> fa.frac_bits).astype(np.int64) - fa.bias + fb.bias
    reach = max(fa.significand_bits, frac + 1, out.significand_bits) + 2
    field = np.clip(exponent + generator.integers(-reach, reach + 1, count), 0, (1 << fb.exp_bits) - 1)
    ones = (1 << frac) - 1
    random = generator.integers(0, ones, count, dtype=np.uint64, endpoint=True)
    single = np.left_shift(np.uint64(1), generator.integers(0, max(frac, 1), count, dtype=np.uint64))
    kind = generator.integers(0, 5, count)
    fraction = np.choose(kind, [np.zeros_like(random), np.full_like(random, ones), single, ~single, random])
    codes = (field.astype(np.uint64) << np.uint64(frac)) | (fraction & np.uint64(ones))
    if fb.signed:
        codes |= generator.integers(0, 2, count, dtype=np.uint64) << np.uint64(fb.width - 1)
    return codes.astype(code_dtype(fb))
