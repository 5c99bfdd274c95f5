"""Matrix products of fixed-point codes with exact, wrapping or saturating accumulators."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from .codes import Integers, as_codes, check_fixed, check_integral, max_magnitude, to_int, wrapped
from .formats import FIXED_OVERFLOWS, Format, ParameterError, check_int, choose, format

#: Floating-point types of the BLAS and the magnitude up to which they hold every integer.
_EXACT_FLOATS = ((np.float32, 1 << 24), (np.float64, 1 << 53))


def gemm(
    a: ArrayLike,
    b: ArrayLike,
    fa: str | Format,
    fb: str | Format,
    *,
    acc: str | Format | None = None,
    overflow: str = "wrap",
    zero_a: int = 0,
    zero_b: int = 0,
    lanes: int = 1,
) -> Integers:
    """C = Σ_k (a[m,k] - zero_a) · (b[k,n] - zero_b) over the integers that the codes stand for.

    The sum is expanded as hardware does it: Σ a·b - zero_b·Σ a - zero_a·Σ b + K·zero_a·zero_b. The unit of C is
    2^-(fraction bits of ``fa`` + those of ``fb``).

    With an accumulator format, Σ a·b grows in k order from 0, ``lanes`` products a beat (the last beat may be short):
    each beat's products are summed exactly, added to the accumulator, and the result wraps or saturates. The terms of
    the zero points are then added exactly, and that sum wraps or saturates once more.

    Parameters
    ----------
    a, b : array_like of int
        Codes, shapes (M, K) and (K, N).
    fa, fb : str or Format
        Fixed-point or binary formats of the codes.
    acc : str or Format or None
        Fixed-point format of the accumulators, with as many fraction bits as the products. None: exact integers.
    overflow : str
        "wrap" (modulo 2^width) or "saturate", for ``acc``.
    zero_a, zero_b : int
        Zero points of a and b.
    lanes : int
        Products that are added to the accumulator at once.

    Returns
    -------
    ndarray of shape (M, N)
        Integers (int64; Python integers where a sum could need more than 63 bits), or codes of ``acc``.

    Raises
    ------
    TypeError
        Codes, zero points or ``lanes`` are not integers.
    ParameterError
        A code is out of range, shapes do not match, a format is no fixed-point format, or an option is unknown.
    """
    fa, fb = check_integral("fa", format(fa)), check_integral("fb", format(fb))
    lanes = check_int("lanes", lanes, 1)
    choose("overflow", overflow, FIXED_OVERFLOWS)
    left, right = _operand("a", a, fa), _operand("b", b, fb)
    for argument, zero, fmt in (("zero_a", zero_a, fa), ("zero_b", zero_b, fb)):
        check_int(argument, zero, *_extremes(fmt))
    if left.shape[1] != right.shape[0]:
        raise ParameterError(f"a and b must be (M, K) and (K, N) with one K, not {left.shape} and {right.shape}")
    bounds = (max_magnitude(fa), max_magnitude(fb))
    if acc is None:
        return _corrected(_matmul(left, right, *bounds), left, right, zero_a, zero_b, bounds)
    acc = check_accumulator(acc, fa, fb)
    depth = left.shape[1]
    if overflow == "wrap" or depth <= exact_depth(fa, fb, acc):
        # Additions modulo 2^width may be reduced once, at the end; and what never overflows needs no reducing.
        total = _matmul(left, right, *bounds)
    else:
        wide = acc.code_mask + lanes * bounds[0] * bounds[1] >> 63
        total = np.zeros((left.shape[0], right.shape[1]), object if wide else np.int64)
        for start in range(0, depth, lanes):
            beat = slice(start, start + lanes)
            total = _saturated(total + _matmul(left[:, beat], right[beat], *bounds), acc)
    total = _corrected(total, left, right, zero_a, zero_b, bounds)
    return wrapped(_saturated(total, acc) if overflow == "saturate" else total, acc)


def exact_depth(fa: str | Format, fb: str | Format, acc: str | Format) -> int:
    """The greatest K for which an accumulator holds every sum of K products, and so every partial sum, exactly.

    From the extreme products, not from widths: -128 · -128 = 2^14 is the only int8 product above 2^14 - 128, and of it
    an int32 accumulator holds 131071.

    Raises
    ------
    ParameterError
        A format is no fixed-point format, or ``acc`` has other fraction bits than the products.
    """
    fa, fb = check_integral("fa", format(fa)), check_integral("fb", format(fb))
    acc = check_accumulator(acc, fa, fb)
    products = [x * y for x in _extremes(fa) for y in _extremes(fb)]
    greatest, least = max(products), min(products)
    depths = [acc.max_int // greatest] if greatest > 0 else []
    return min(depths + ([acc.min_int // least] if least < 0 else []))


def _extremes(fmt: Format) -> tuple[int, int]:
    """The least and the greatest integer of a fixed-point or binary format."""
    return (-1, 1) if fmt.kind == "binary" else (fmt.min_int, fmt.max_int)


def _operand(argument: str, codes: ArrayLike, fmt: Format) -> Integers:
    array = as_codes(argument, codes, fmt)
    if array.ndim != 2:
        raise ParameterError(f"{argument} must be a matrix, not of shape {array.shape}")
    return to_int(array, fmt)


def check_accumulator(acc: str | Format, fa: Format, fb: Format) -> Format:
    """Return the format ``acc`` if it can accumulate the products of ``fa`` and ``fb``; else raise a ParameterError."""
    acc = check_fixed("acc", format(acc))
    frac_bits = fa.frac_bits + fb.frac_bits
    if acc.frac_bits != frac_bits:
        raise ParameterError(f"acc must have {frac_bits} fraction bits, those of the products, not {acc}")
    return acc


def _saturated(total: Integers, acc: Format) -> Integers:
    # Bounds beyond int64 need Python integers.
    return np.clip(total if acc.width < 64 else total.astype(object), acc.min_int, acc.max_int)


def _matmul(left: Integers, right: Integers, max_left: int, max_right: int) -> Integers:
    """The exact integer matrix product of operands whose magnitudes are bounded."""
    depth, product = left.shape[1], max_left * max_right
    for dtype, exact in _EXACT_FLOATS:
        # In whatever order and grouping the BLAS adds, with or without fused multiply-adds, each product and each
        # partial sum is an integer of at most depth * product <= 2^24 or 2^53: a number of the type, never rounded.
        if depth * product <= exact:
            return (left.astype(dtype) @ right.astype(dtype)).astype(np.int64)
    if depth * product >= 1 << 63:
        return left.astype(object) @ right.astype(object)
    dtype, exact = _EXACT_FLOATS[-1]
    step = exact // product
    if not step:
        return left @ right
    # The same bound holds for each slice of ``step`` products; their sum stays below 2^63.
    total = np.zeros((left.shape[0], right.shape[1]), np.int64)
    for start in range(0, depth, step):
        total += _matmul(left[:, start : start + step], right[start : start + step], max_left, max_right)
    return total


def _corrected(
    total: Integers, left: Integers, right: Integers, zero_a: int, zero_b: int, bounds: tuple[int, int]
) -> Integers:
    """Σ a·b with the terms of the zero points added, exactly."""
    if not (zero_a or zero_b):
        return total
    depth = left.shape[1]
    # Every term, and every sum of terms, is within this bound.
    if depth * (bounds[0] + abs(zero_a)) * (bounds[1] + abs(zero_b)) >= 1 << 63:
        total, left, right = total.astype(object), left.astype(object), right.astype(object)
    rows = left.sum(axis=1, keepdims=True)
    columns = right.sum(axis=0, keepdims=True)
    return total - zero_b * rows - zero_a * columns + depth * zero_a * zero_b
