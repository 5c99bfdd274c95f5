"""Sums that are rounded after every product, or every few, in the order of the products."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..codec.codes import Integers
from ..codec.fast.floating import holding, scale
from ..codec.scalar import decode, encode
from ..formats import FORMATS, FixedFormat, FloatFormat, Format
from ..formats.accumulation import Rounded
from .aligned import rows_of, tiles

#: The accumulators, and the types that NumPy has for them; it rounds a float64 to both once, ties to even.
_TYPES: dict[Format, type[np.floating]] = {FORMATS["fp32"]: np.float32, FORMATS["fp16"]: np.float16}


def rounds_as_float64(fa: Format, fb: Format, accumulation: Rounded, out: Format) -> bool:
    """Whether a step of the sum is a float64 addition rounded to fp32 or fp16, though that rounds twice.

    To fp32: the accumulator c is a number of fp32, and the product p one of at most 24 bits that a float64 holds exactly.
    Where their float64 sum is exact, it is rounded once. Else its exact value spans more than 53 bits: with the larger
    term in [2^t, 2^(t+1)), the last bit of the other is below 2^(t-52) and so the other below 2^(t-28). The larger term
    is a number of fp32 (if it is p, then c, a multiple of 2^-149, is not zero, so that t ≥ -149 + 52, and p's 24 bits end
    at 2^(t-23)), or p is at least 2^128 and overflows with the other term or without. Numbers next to it in fp32, and
    midpoints, are 2^(t-25) or more away: both roundings give the larger term.

    To fp16 the same holds where the larger term is c, whose neighbours and midpoints are 2^(t-12) or more away. Where it is
    p, then c, a multiple of 2^-24, is not zero, so that t ≥ -24 + 52, and p overflows with c or without.
    """
    lowest = fa.lsb_exponent + fb.lsb_exponent
    return (
        out in _TYPES
        and (accumulation.rounding, accumulation.subnormals, accumulation.block) == ("rne", "full", 1)
        and accumulation.overflow in (None, "ieee")
        and isinstance(fa, FloatFormat | FixedFormat)
        and isinstance(fb, FloatFormat | FixedFormat)
        and fa.significand_bits + fb.significand_bits <= 24
        and lowest >= -1022
        and fa.max_exponent + fb.max_exponent + 2 <= 1023
        and all(holding(*scale(fmt)) is not None for fmt in (fa, fb))
    )


def float64_sum(a: Integers, b: Integers, c: Integers, fa: Format, fb: Format, out: Format) -> Integers:
    """acc = round(acc + a·b), step by step, for formats that :func:`rounds_as_float64`.

    Parameters
    ----------
    a, b : ndarray
        Codes, inner dimension first; the other dimensions broadcast to those of ``c``.
    c : ndarray
        Codes of ``out``, at least one dimension.
    out : Format
        fp32 or fp16.
    """
    left, right, result = decode(a, fa), decode(b, fb), decode(c, out).astype(_TYPES[out])
    with np.errstate(invalid="ignore", over="ignore", under="ignore"):
        for rows in tiles(len(result), result.size):
            result[rows] = _steps(rows_of(left, rows), rows_of(right, rows), result[rows])
    return encode(result, out)


def _steps(left: NDArray[np.float64], right: NDArray[np.float64], result: NDArray[Any]) -> NDArray[Any]:
    total = np.empty(result.shape)
    for row, column in zip(left, right, strict=True):
        np.multiply(row, column, out=total)
        np.add(total, result, out=total)
        np.copyto(result, total, casting="unsafe")
    return result
