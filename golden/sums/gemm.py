"""Matrix products of codes: fixed-point ones with integer accumulators, any others in the styles of accumulation."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import ArrayLike

from ..codec.codes import Integers, as_codes, check_fixed, check_integral, code_dtype, to_int, wrapped
from ..formats import FIXED_OVERFLOWS, Format, ParameterError, check_choice, check_int, format
from ..formats.accumulation import Accumulation, Exact
from .dot import as_addend, check_style, sum_codes
from .limbs import LIMB_BITS

#: Floating-point types of the BLAS, the magnitude up to which they hold every integer, and the least depth of a slice
#: that is worth a call of its own.
_EXACT_FLOATS = ((np.float32, 1 << 24, 512), (np.float64, 1 << 53, 1))
#: Bound on the memory of temporaries, in bytes; one row, one column and one result may need more.
MAX_BYTES = 1 << 28
#: Bytes of temporaries for an element of an operand and for a result, with integers.
_INTEGER_BYTES = (32, 32)


def gemm(
    a: ArrayLike,
    b: ArrayLike,
    fa: str | Format,
    fb: str | Format,
    c: ArrayLike | None = None,
    *,
    acc: str | Format | Accumulation | None = None,
    out: str | Format | None = None,
    overflow: str | None = None,
    zero_a: int = 0,
    zero_b: int = 0,
    lanes: int = 1,
) -> Integers:
    """C = a @ b, in one of two ways.

    *Integers* (fixed-point or binary operands without ``c``, ``out`` and an accumulation):
    C = Σ_k (a[m,k] - zero_a) · (b[k,n] - zero_b) over the integers that the codes stand for.
    The sum is expanded as hardware does it: Σ a·b - zero_b·Σ a - zero_a·Σ b + K·zero_a·zero_b. The unit of C is
    2^-(fraction bits of ``fa`` + those of ``fb``).

    With an accumulator format, Σ a·b grows in k order from 0, ``lanes`` products a beat (the last beat may be short):
    each beat's products are summed exactly, added to the accumulator, and the result wraps or saturates. The terms of
    the zero points are then added exactly, and that sum wraps or saturates once more.

    *Styles of accumulation* (all else): every result equals :func:`.dot.dot` of a row of a and a column of b.

    Memory beyond operands and result stays below MAX_BYTES: the result is computed in tiles.

    Parameters
    ----------
    a, b : array_like of int
        Codes, shapes (M, K) and (K, N).
    fa, fb : str or Format
        Formats of the codes.
    c : array_like of int or None
        Codes of the output format, to be added; they broadcast to (M, N).
    acc : Exact, Rounded, Aligned, str, Format or None
        The accumulation; or, for integers, the fixed-point format of the accumulators, with as many fraction bits as the
        products. None: exact.
    out : str or Format or None
        Output format of an accumulation. None: its own if it is rounded, else fp32.
    overflow : str or None
        Integers: "wrap" (modulo 2^width; None) or "saturate", for ``acc``. A style has its own.
    zero_a, zero_b : int
        Integers: zero points of a and b.
    lanes : int
        Integers: products that are added to the accumulator at once.

    Returns
    -------
    ndarray of shape (M, N)
        Integers (int64; Python integers where a sum could need more than 63 bits), or codes of ``acc`` or ``out``.

    Raises
    ------
    TypeError
        Codes, zero points or ``lanes`` are not integers, or ``acc`` is neither a format nor an accumulation.
    ParameterError
        A code is out of range, shapes do not match, a format or an option has no meaning here, or what
        :func:`.dot.dot` raises.

    Examples
    --------
    >>> golden.gemm([[1, 2]], [[3], [4]], "int8", "int8")
    array([[11]])
    >>> a, b = golden.encode([[1.0, 2.0]], "fp16"), golden.encode([[3.0], [4.0]], "fp16")
    >>> golden.decode(golden.gemm(a, b, "fp16", "fp16", acc=golden.Rounded("fp32")), "fp32")
    array([[11.]])
    """
    fa, fb = format(fa), format(fb)
    accumulation, acc = (acc, None) if isinstance(acc, Accumulation) else (None, acc)
    integer_options = {"acc": acc, "overflow": overflow, "zero_a": zero_a, "zero_b": zero_b, "lanes": lanes}
    given = [name for name, value in integer_options.items() if value != _INTEGER_DEFAULTS[name]]
    styled = accumulation is not None or out is not None or c is not None
    if styled and given:
        name, value = given[0], integer_options[given[0]]
        if name == "acc":
            raise ParameterError(f"acc must be None or an accumulation where c or out is given, not {value!r}")
        default = _INTEGER_DEFAULTS[name]
        raise ParameterError(f"{name} must be {default} where c, out or an accumulation is given, not {value!r}")
    if styled or (not given and not (fa.is_integral and fb.is_integral)):
        return _styled(a, b, fa, fb, c, Exact() if accumulation is None else accumulation, out)
    check_integral("fa", fa)
    check_integral("fb", fb)
    lanes = check_int("lanes", lanes, 1)
    overflow = check_choice("overflow", "wrap" if overflow is None else overflow, FIXED_OVERFLOWS)
    for argument, zero, fmt in (("zero_a", zero_a, fa), ("zero_b", zero_b, fb)):
        check_int(argument, zero, fmt.min_int, fmt.max_int)
    acc = None if acc is None else check_accumulator(acc, fa, fb)
    left, right = _operands(a, b, fa, fb)
    bounds = (fa.max_significand, fb.max_significand)
    # Every term of the sum, and every sum of terms, is within this bound.
    wide = left.shape[1] * (bounds[0] + abs(zero_a)) * (bounds[1] + abs(zero_b)) >= 1 << 63
    result = np.zeros(
        (left.shape[0], right.shape[1]), (object if wide else np.int64) if acc is None else code_dtype(acc)
    )
    for rows, columns in _tiles(left.shape, right.shape, *_INTEGER_BYTES):
        x, y = to_int(left[rows], fa), to_int(right[:, columns], fb)
        total = _accumulated(x, y, bounds, fa, fb, acc, overflow, lanes)
        total = _corrected(total, x, y, zero_a, zero_b, wide)
        if acc is not None:
            total = wrapped(_saturated(total, acc) if overflow == "saturate" else total, acc)
        result[rows, columns] = total
    return result


_INTEGER_DEFAULTS = {"acc": None, "overflow": None, "zero_a": 0, "zero_b": 0, "lanes": 1}


def _operands(a: ArrayLike, b: ArrayLike, fa: Format, fb: Format) -> tuple[Integers, Integers]:
    left, right = as_codes("a", a, fa), as_codes("b", b, fb)
    for argument, codes in (("a", left), ("b", right)):
        if codes.ndim != 2:
            raise ParameterError(f"{argument} must be a matrix, not of shape {codes.shape}")
    if left.shape[1] != right.shape[0]:
        raise ParameterError(f"a and b must be (M, K) and (K, N) with one K, not {left.shape} and {right.shape}")
    return left, right


def _styled(
    a: ArrayLike,
    b: ArrayLike,
    fa: Format,
    fb: Format,
    c: ArrayLike | None,
    accumulation: Accumulation,
    out: str | Format | None,
) -> Integers:
    accumulation, out = check_style(fa, fb, accumulation, out)
    left, right = _operands(a, b, fa, fb)
    addend = as_addend(c, out, (left.shape[0], right.shape[1]))
    result = np.zeros(addend.shape, code_dtype(out))
    for rows, columns in _tiles(left.shape, right.shape, *_style_bytes(fa, fb, out)):
        tile = (left[rows], right[:, columns], addend[rows, columns])
        result[rows, columns] = sum_codes(*tile, fa, fb, accumulation, out)
    return result


def _style_bytes(fa: Format, fb: Format, out: Format) -> tuple[int, int]:
    """The same with a style, which may cut numbers into limbs: for all the bits between their extremes."""
    limbs_a, limbs_b, limbs_out = (1 + _span(fmt) // LIMB_BITS for fmt in (fa, fb, out))
    return 96 + 8 * max(limbs_a, limbs_b), 512 + 32 * (limbs_a + limbs_b + limbs_out)


def _span(fmt: Format) -> int:
    """Bits from the last one of the least number to the first one of the largest."""
    return fmt.max_exponent + 1 - fmt.lsb_exponent


def _tiles(
    left: tuple[int, ...], right: tuple[int, ...], operand_bytes: int, result_bytes: int
) -> Iterator[tuple[slice, slice]]:
    """Rows and columns of tiles, the largest near squares whose temporaries stay within MAX_BYTES."""
    (height, depth), width = left, right[1]
    # A square of side s takes 2 · s · depth elements of operands and s^2 results.
    side = 1
    while (2 * side * depth * 2 * operand_bytes + 4 * side * side * result_bytes) <= MAX_BYTES:
        side *= 2
    # What a low or narrow result leaves of the bound goes to the other side.
    rows = min(height, side)
    columns = max(side, (MAX_BYTES - rows * depth * operand_bytes) // (depth * operand_bytes + rows * result_bytes))
    for top in range(0, height, max(rows, 1)):
        for start in range(0, width, columns):
            yield slice(top, top + rows), slice(start, start + columns)


def _accumulated(
    left: Integers,
    right: Integers,
    bounds: tuple[int, int],
    fa: Format,
    fb: Format,
    acc: Format | None,
    overflow: str,
    lanes: int,
) -> Integers:
    """Σ a·b: exact, or where sums of ``acc`` saturate on the way, beat by beat."""
    depth = left.shape[1]
    if acc is None or overflow == "wrap" or depth <= exact_k(fa, fb, acc):
        # Additions modulo 2^width may be reduced once, at the end; and what never overflows needs no reducing.
        return _matmul(left, right, *bounds)
    wide = acc.code_mask + lanes * bounds[0] * bounds[1] >> 63
    total = np.zeros((left.shape[0], right.shape[1]), object if wide else np.int64)
    for start in range(0, depth, lanes):
        beat = slice(start, start + lanes)
        total = _saturated(total + _matmul(left[:, beat], right[beat], *bounds), acc)
    return total


def exact_k(fa: str | Format, fb: str | Format, acc: str | Format) -> int:
    """The greatest K for which an accumulator holds every sum of K products, and so every partial sum, exactly.

    From the extreme products, not from widths: -128 · -128 = 2^14 is the only int8 product above 2^14 - 128, and of it
    an int32 accumulator holds 131071.

    Raises
    ------
    ParameterError
        A format is no fixed-point format, or ``acc`` has other fraction bits than the products.

    Examples
    --------
    >>> golden.exact_k("int8", "int8", "int32")
    131071
    """
    fa, fb = check_integral("fa", format(fa)), check_integral("fb", format(fb))
    acc = check_accumulator(acc, fa, fb)
    products = [x * y for x in (fa.min_int, fa.max_int) for y in (fb.min_int, fb.max_int)]
    greatest, least = max(products), min(products)
    depths = [acc.max_int // greatest] if greatest > 0 else []
    return min(depths + ([acc.min_int // least] if least < 0 else []))


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
    if depth * product >= 1 << 63:
        return left.astype(object) @ right.astype(object)
    for dtype, exact, least in _EXACT_FLOATS:
        step = exact // product
        if step < min(depth, least):
            continue
        # In any order and grouping in which the BLAS adds, with or without fused multiply-adds, each product and each
        # partial sum of a slice is an integer of at most step * product <= 2^24 or 2^53: a number of the type, never
        # rounded. The sum of the slices stays below 2^63.
        x, y = left.astype(dtype), right.astype(dtype)
        total = np.zeros((left.shape[0], right.shape[1]), np.int64)
        for start in range(0, depth, step):
            total += (x[:, start : start + step] @ y[start : start + step]).astype(np.int64)
        return total
    return left @ right


def _corrected(total: Integers, left: Integers, right: Integers, zero_a: int, zero_b: int, wide: bool) -> Integers:
    """Σ a·b with the terms of the zero points added, exactly."""
    if not (zero_a or zero_b):
        return total
    if wide:
        total, left, right = total.astype(object), left.astype(object), right.astype(object)
    rows = left.sum(axis=1, keepdims=True)
    columns = right.sum(axis=0, keepdims=True)
    return total - zero_b * rows - zero_a * columns + left.shape[1] * zero_a * zero_b
