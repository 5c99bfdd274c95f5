"""Inner products of codes of any formats, in any style of accumulation."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike

from ..codec.codes import Integers, Unpacked, as_codes, code_dtype
from ..codec.kinds import pack, unpack
from ..codec.rounding import Target
from ..formats import Format, ParameterError, RoundingMode, format
from ..formats.accumulation import Accumulation, Aligned, Exact, Rounded, check_accumulation
from .aligned import aligned_sum, check_aligned
from .float64_chain import float64_sum, rounds_as_float64
from .limbs import REDUCED_BITS, in_full_shape, mapped, sum_of_products

_EXACT = Exact()


def dot(
    a: ArrayLike,
    b: ArrayLike,
    fa: str | Format,
    fb: str | Format,
    c: ArrayLike | None = None,
    *,
    acc: Accumulation = _EXACT,
    out: str | Format | None = None,
) -> Integers:
    """d = c + Σ_k a[…, k] · b[…, k].

    NaN and infinities as in IEEE 754; so are zeros, except in the aligned style: a zero sum is -0 where c and every
    product are -0, and under "rdn" where any of them is.

    Parameters
    ----------
    a, b : array_like of int
        Codes of ``fa`` and ``fb``, shapes (…, K); the leading shapes broadcast.
    fa, fb : str or Format
        Formats of the operands, of any kind and mix; floats for the aligned style.
    c : array_like of int or None
        Codes of the output format that broadcast to the shape of the result. None: +0.
    acc : Exact, Rounded or Aligned
        How the terms are added: :mod:`.accumulation`.
    out : str or Format or None
        Output format. None: the accumulator's in the rounded style, else fp32.

    Returns
    -------
    ndarray
        Codes of ``out``, in the leading shape.

    Raises
    ------
    TypeError
        Codes are not integers, or ``acc`` is no accumulation.
    ParameterError
        A code out of range, shapes that do not fit, a style without meaning in these formats, a NaN sum where ``out``
        has no NaN, or an infinite one that would wrap.

    Examples
    --------
    >>> a = golden.encode([1.0, 2.0, 3.0], "fp16")
    >>> golden.decode(golden.dot(a, a, "fp16", "fp16"), "fp32").item()
    14.0
    """
    fa, fb = format(fa), format(fb)
    accumulation, out = check_style(fa, fb, acc, out)
    codes_a, codes_b = as_codes("a", a, fa), as_codes("b", b, fb)
    try:
        *leading, depth = np.broadcast_shapes(codes_a.shape, codes_b.shape)
        if codes_a.shape[-1] != codes_b.shape[-1]:
            raise ValueError
    except (ValueError, IndexError):
        raise ParameterError(
            "a and b must be (…, K) with one K and leading shapes that broadcast, "
            f"not {codes_a.shape} and {codes_b.shape}"
        ) from None
    shape = tuple(leading)
    addend = as_addend(c, out, shape).reshape(-1, 1, 1)
    results = math.prod(shape)
    rows, columns = (np.broadcast_to(codes, (*shape, depth)).reshape(results, depth) for codes in (codes_a, codes_b))
    return sum_codes(rows[:, None, :], columns[:, :, None], addend, fa, fb, accumulation, out).reshape(shape)


def check_style(fa: Format, fb: Format, accumulation: object, out: str | Format | None) -> tuple[Accumulation, Format]:
    """The style and the output format, if they have a meaning for these operands; else raise an error that says why."""
    accumulation, out = check_accumulation(accumulation, out)
    if out.is_for_operands_only:
        raise ParameterError(f"out must be a format that results can be rounded to, not {out}")
    if not out.is_result:
        raise ParameterError(f"out must be a format with a sign and a zero, not {out}")
    if isinstance(accumulation, Aligned):
        check_aligned(fa, fb, out)
    else:
        accumulation.policy(out)
    return accumulation, out


def as_addend(c: ArrayLike | None, out: Format, shape: tuple[int, ...]) -> Integers:
    """The codes of c in the shape of the result; None is +0 (code 0, in binary formats no zero but -1)."""
    if c is None:
        if not out.has_zero:
            raise ParameterError(f"c must be given where out is {out}, which has no zero, not None")
        return np.zeros(shape, code_dtype(out))
    codes = as_codes("c", c, out)
    try:
        return np.broadcast_to(codes, shape)
    except ValueError:
        raise ParameterError(f"c must broadcast to {shape}, the shape of the result, not {codes.shape}") from None


def sum_codes(
    a: Integers, b: Integers, c: Integers, fa: Format, fb: Format, accumulation: Accumulation, out: Format
) -> Integers:
    """c + a @ b for checked codes of shapes (…, M, K), (…, K, N) and (…, M, N), in a checked style."""
    if isinstance(accumulation, Aligned):
        return aligned_sum(_rows_first(a), _columns_first(b), c, fa, fb, accumulation, out)
    if isinstance(accumulation, Rounded) and rounds_as_float64(fa, fb, accumulation, out):
        return float64_sum(_rows_first(a), _columns_first(b), c, fa, fb, out)
    left, right = (in_full_shape(unpack(x, fmt, accumulation.subnormals), x.shape) for x, fmt in ((a, fa), (b, fb)))
    block = accumulation.block if isinstance(accumulation, Rounded) else None
    return _limb_sums(left, right, c, accumulation, out, block)


def _rows_first(a: Integers) -> Integers:
    """(…, M, K) as (K, …, M, 1)."""
    return np.ascontiguousarray(np.moveaxis(a, -1, 0))[..., None]


def _columns_first(b: Integers) -> Integers:
    """(…, K, N) as (K, …, 1, N)."""
    return np.ascontiguousarray(np.moveaxis(b, -2, 0))[..., None, :]


def _limb_sums(
    left: Unpacked, right: Unpacked, c: Integers, accumulation: Exact | Rounded, out: Format, block: int | None
) -> Integers:
    """c + left @ right, rounded after every ``block`` products (None: once, at the end)."""
    depth = left.magnitude.shape[-1]
    step = block or max(depth, 1)
    for start in range(0, max(depth, 1), step):
        c = _rounded_step(left, right, slice(start, start + step), c, accumulation, out)
    return c


def _rounded_step(
    left: Unpacked, right: Unpacked, part: slice, c: Integers, accumulation: Exact | Rounded, out: Format
) -> Integers:
    target = Target(out, accumulation.policy(out))
    total = sum_of_products(
        mapped(left, lambda x: x[..., part]),
        mapped(right, lambda x: x[..., part, :]),
        in_full_shape(unpack(c, out, target.policy.subnormals), c.shape),
        # Fixed point rounds at a fixed place, and wraps: it needs every bit.
        reduce=not out.is_integral and out.significand_bits <= REDUCED_BITS - 2,
        down=target.policy.rounding is RoundingMode.RDN,
    )
    flat = mapped(in_full_shape(total, c.shape), lambda x: x.reshape(-1))
    return pack("the sum", flat, target)[0].reshape(c.shape)
