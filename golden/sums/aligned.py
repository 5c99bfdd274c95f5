"""Sums as tensor cores form them: aligned to the largest exponent of a block, truncated, added."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..codec.codes import Integers
from ..codec.fast.floating import holding, scale
from ..codec.fast.jit import compiled
from ..codec.fast.jit_loops import ZERO_EXPONENT, aligned_chain
from ..codec.scalar import decode, encode
from ..formats import FloatFormat, Format, ParameterError
from ..formats.accumulation import Aligned

Reals = NDArray[np.float64]

#: Results that are computed together: their intermediate arrays stay in the second-level cache.
TILE_RESULTS = 1 << 15
_FLOAT64 = np.dtype(np.float64)
#: Exponents of products and sums stay within this bound, so that float64 holds them, scaled or not, as normals.
_MAX_EXPONENT = 900


def tiles(rows: int, results: int) -> Iterator[slice]:
    """Slices of the rows of an array of ``results`` numbers, each of about TILE_RESULTS of them."""
    step = max(1, TILE_RESULTS * rows // max(results, 1))
    return (slice(start, start + step) for start in range(0, rows, step))


def rows_of(matrix: NDArray, rows: slice) -> NDArray:
    """The rows of a matrix (K, M, …), or all where its one row stands for every row."""
    return matrix if matrix.shape[1] == 1 else matrix[:, rows]


def check_aligned(fa: Format, fb: Format, out: Format) -> None:
    """Raise a ParameterError unless a float64 holds the products of ``fa`` and ``fb``, and ``out``, exactly."""
    for argument, fmt in (("fa", fa), ("fb", fb)):
        if not isinstance(fmt, FloatFormat):
            raise ParameterError(f"{argument} must be a float format for aligned accumulation, not {fmt}")
    bits = fa.significand_bits + fb.significand_bits
    if bits > 53:
        raise ParameterError(f"fa and fb must have at most 53 significand bits in all to be aligned, not {fa} and {fb}")
    for argument, fmt, limit in (
        ("fa", fa, _MAX_EXPONENT // 2),
        ("fb", fb, _MAX_EXPONENT // 2),
        ("out", out, _MAX_EXPONENT),
    ):
        if fmt.lsb_exponent < -limit or fmt.max_exponent >= limit:
            raise ParameterError(f"{argument} must have values in 2^-{limit} … 2^{limit} to be aligned, not {fmt}")


def aligned_sum(
    a: Integers, b: Integers, c: Integers, fa: Format, fb: Format, accumulation: Aligned, out: Format
) -> Integers:
    """The chain of block fused multiply-adds of :class:`.accumulation.Aligned`.

    Parameters
    ----------
    a, b : ndarray
        Codes, inner dimension first; the other dimensions broadcast to those of ``c``.
    c : ndarray
        Codes of ``out``, at least one dimension.
    """
    single = _single(fa, fb, accumulation)
    dtype, digit_bits = np.float32 if single else np.float64, _digit_bits(fa, fb, accumulation.block)
    left, right = (_Terms.of(codes, fmt, dtype, digit_bits) for codes, fmt in ((a, fa), (b, fb)))
    # Code 0 is +0.
    result = decode(c, out) if c.any() else np.zeros(c.shape)
    with np.errstate(invalid="ignore", over="ignore", under="ignore"):
        for rows in tiles(len(result), result.size):
            part = left.rows(rows), right.rows(rows), result[rows]
            compiled_result = _chain_in_loop(*part, accumulation, out)
            result[rows] = _chain(*part, accumulation, out) if compiled_result is None else compiled_result
    if not out.has_nan and np.isnan(result).any():
        index = int(np.isnan(result).reshape(-1).argmax())
        raise ParameterError(f"the sum must be free of NaN for {out}, not nan at index {index}")
    # Exact: every block leaves a number of the output format, or an infinity, which a format without one substitutes.
    return encode(result, out, rounding="rtz", nonfinite="substitute")


def _single(fa: Format, fb: Format, accumulation: Aligned) -> bool:
    """Whether a float32 holds the operands, their products, and the powers of two that scale them."""
    least = fa.min_exponent + fb.min_exponent
    # By the last condition products of 24 bits end at 2^(least - 22) >= 2^-149: no bit is lost in a subnormal.
    return (
        all(holding(*scale(fmt)) == np.float32 for fmt in (fa, fb))
        and fa.significand_bits + fb.significand_bits <= 24
        and fa.max_exponent + fb.max_exponent + 2 <= 127
        and accumulation.frac_bits - least <= 127
    )


class _Terms:
    """The operands of one side: their values in a float type that multiplies them exactly, and their exponents."""

    def __init__(self, values: NDArray[Any], exponents: NDArray[np.int32], digit_bits: int, finite: bool) -> None:
        self.values = values
        self.exponents = exponents
        self.digit_bits = digit_bits
        self.finite = finite

    @classmethod
    def of(cls, codes: Integers, fmt: Format, dtype: type[np.floating], digit_bits: int) -> _Terms:
        """The operands of these codes."""
        values = decode(codes, fmt)
        finite = np.isfinite(values)
        # A subnormal has the least exponent of its format and a leading digit of zero.
        exponents = np.maximum(np.frexp(values)[1] - 1, fmt.min_exponent)
        exponents = np.where(finite & (values != 0), exponents, ZERO_EXPONENT).astype(np.int32)
        return cls(values.astype(dtype), exponents, digit_bits, bool(finite.all()))

    @property
    def weights(self) -> Reals:
        """2^(digit_bits · exponent), or 0 for a zero.

        A sum of fewer than 2^digit_bits products of weights is a number to the base 2^digit_bits whose first digit
        stands at the largest exponent, rounded or not, since so few terms do not carry into the next.
        """
        return np.where(self.exponents == ZERO_EXPONENT, 0, _powers(self.digit_bits * self.exponents, _FLOAT64))

    def rows(self, rows: slice) -> _Terms:
        """The operands of a tile."""
        return _Terms(rows_of(self.values, rows), rows_of(self.exponents, rows), self.digit_bits, self.finite)


def _digit_bits(fa: Format, fb: Format, block: int) -> int:
    """Bits of a digit in the sum of weights: enough for a block's products, if a float64 has exponents for that."""
    # Magnitudes of the exponents of either side and, in all, of products: 2**(digit_bits * exponent) is a normal number.
    largest = sum(max(abs(fmt.min_exponent), abs(fmt.max_exponent), 1) for fmt in (fa, fb))
    return min(block.bit_length(), 1020 // largest)


def _chain_in_loop(left: _Terms, right: _Terms, result: Reals, accumulation: Aligned, out: Format) -> Reals | None:
    """:func:`_chain` of matrices by a compiled loop; None where that is not possible, or a sum is out of range."""
    loop = compiled(aligned_chain, result.size)
    if loop is None or left.values.ndim != 3 or not (left.finite and right.finite and np.isfinite(result).all()):
        return None
    columns, rows = (left.values[:, :, 0], left.exponents[:, :, 0]), (right.values[:, 0], right.exponents[:, 0])
    matrices = [np.ascontiguousarray(pair[part]) for part in (0, 1) for pair in (columns, rows)]
    sums, width = result.copy(), result.shape[1]
    scale = np.empty(width, np.uint32 if left.values.dtype == np.float32 else np.uint64)
    total = np.empty(width, _counter(accumulation))
    # Not the format's own least numbers: where special codes are among the subnormals there may be none.
    powers = np.ldexp(1.0, [out.min_exponent, out.frac_bits - out.min_exponent])
    limits = np.array([float(out.max), *powers])
    style = (accumulation.block, accumulation.frac_bits, accumulation.out_frac_bits)
    return sums if loop(*matrices, sums, scale, total, *style, limits, out.min_exponent) else None


def _counter(accumulation: Aligned) -> type[np.signedinteger]:
    """The integers that hold a block's sum, of terms below 2^(frac_bits + 2)."""
    return np.int32 if accumulation.block << (accumulation.frac_bits + 2) <= 1 << 31 else np.int64


def _chain(left: _Terms, right: _Terms, result: Reals, accumulation: Aligned, out: Format) -> Reals:
    """Block after block for a tile of results."""
    shape, dtype = result.shape, left.values.dtype
    depth = len(left.values)
    counter = _counter(accumulation)
    weights = left.weights, right.weights
    product, term, total = np.empty(shape, dtype), np.empty(shape, counter), np.empty(shape, counter)
    finite = left.finite and right.finite
    outer = np.dot if finite and left.values.ndim == 3 else np.multiply
    for start in range(0, depth, accumulation.block):
        block = range(start, min(start + accumulation.block, depth))
        special = None
        if not (finite and np.isfinite(result).all()):
            special = np.where(np.isfinite(result), 0, result)
            result = np.where(special == 0, result, 0)
        largest = np.maximum(_exponents(result, out), _largest_exponents(*weights, block, left.digit_bits))
        scale = _powers(accumulation.frac_bits - largest, dtype)
        total.fill(0)
        for k in block:
            outer(left.values[k], right.values[k], out=product)
            if special is not None:
                ordinary = np.isfinite(product)
                special += np.where(ordinary, 0, product)
                product[~ordinary] = 0
            # Exact, or too small to be a unit; the conversion truncates toward zero.
            np.multiply(product, scale, out=product)
            np.copyto(term, product, casting="unsafe")
            np.add(total, term, out=total)
        result = _truncated(total, result, largest, accumulation, out)
        if special is not None:
            result = np.where(special == 0, result, _without_inf(special, out))
    return result


def _without_inf(values: Reals, out: Format) -> Reals:
    """The numbers with what stands for infinities in the output format."""
    if out.has_inf:
        return values
    return np.where(np.isinf(values), np.nan if out.has_nan else np.copysign(float(out.max), values), values)


def _largest_exponents(left: Reals, right: Reals, block: range, digit_bits: int) -> NDArray[np.int16]:
    """The largest exponent of the products of a block, from the weights of :class:`_Terms`."""
    largest: NDArray[np.int16] = np.full((1, 1), ZERO_EXPONENT, np.int16)
    group = (1 << digit_bits) - 1
    for start in range(block.start, block.stop, group):
        part = slice(start, min(start + group, block.stop))
        a, b = left[part], right[part]
        # (k, m, 1) and (k, 1, n) are matrices; all else is a product element by element.
        weights = a[:, :, 0].T @ b[:, 0, :] if a.ndim == 3 else (a * b).sum(axis=0)
        exponents = _fields(weights) - np.int16(1023)
        exponents //= np.int16(digit_bits)
        if not weights.all():
            exponents[weights == 0] = ZERO_EXPONENT
        largest = np.maximum(largest, exponents)
    return largest


def _fields(values: Reals) -> NDArray[np.int16]:
    """The exponent fields of float64 numbers."""
    fields = (values.view(np.int64) >> 52).astype(np.int16)
    fields &= 0x7FF
    return fields


def _exponents(values: Reals, out: Format) -> NDArray[np.int16]:
    """The exponents of finite numbers, that of a subnormal of ``out`` the least one."""
    exponents = _fields(values)
    zero = exponents == 0
    exponents -= 1023
    np.maximum(exponents, out.min_exponent, out=exponents)
    exponents[zero] = ZERO_EXPONENT
    return exponents


def _powers(exponents: Integers, dtype: np.dtype) -> NDArray[np.floating]:
    """2**exponents, of normal numbers.

    Where that is too large, as it is for sums of zeros only, a smaller one; where it is too small, zero.
    """
    info = np.finfo(dtype)
    integer = np.int32 if dtype == np.float32 else np.int64
    fields = np.clip(exponents, 1 - info.maxexp, info.maxexp - 1).astype(integer)
    fields += info.maxexp - 1
    fields <<= info.nmant
    return fields.view(dtype)


def _truncated(total: Integers, result: Reals, largest: Integers, accumulation: Aligned, out: Format) -> Reals:
    """The sum with the aligned accumulator added, truncated to a number of the output format."""
    scale = _powers(accumulation.frac_bits - largest, _FLOAT64)
    # At most (4 · 512 + 2) · 2^40 < 2^53: exact.
    result = result * scale
    np.trunc(result, out=result)
    result += total
    # The fraction of a float64 without its low bits is the significand truncated toward zero.
    bits = result.view(np.int64)
    bits &= -(1 << (52 - accumulation.out_frac_bits))
    result /= scale
    # A sum is below (4 · 512 + 2) · 2^largest, and a multiple of 2^(largest - frac_bits).
    if largest.max(initial=0) + 12 >= out.max_exponent:
        beyond = np.abs(result) > float(out.max)
        result[beyond] = _without_inf(np.copysign(np.inf, result[beyond]), out)
    if largest.min(initial=0) - accumulation.frac_bits < out.min_exponent:
        tiny = np.abs(result) < np.ldexp(1.0, out.min_exponent)
        # A zero sum is +0, also one truncated to it.
        result[tiny] = decode(encode(result[tiny], out, rounding="rtz"), out) + 0.0
    return result
