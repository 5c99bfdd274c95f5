"""Exact sums of products of any formats, on the BLAS: every number is cut into limbs whose products it adds exactly."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..codec.codes import FAST_BITS, Bools, Integers, Unpacked
from ..codec.rounding import bit_length

#: Bits of a limb, and products of limbs that the BLAS may add: 2^13 · (2^20 - 1)^2 < 2^53, up to which a float64 holds
#: every integer, so that no partial sum is ever rounded, in any order and grouping in which the BLAS adds.
LIMB_BITS = 20
MAX_DEPTH = 1 << 13
#: The most limbs of a number; longer ones become Python integers.
MAX_LIMBS = 1 << 8
_LIMB_MASK = (1 << LIMB_BITS) - 1
#: Limbs beyond those that products and addend occupy. Below: the leading limb has three others under it. Above: sums of
#: int64 limbs carry into at most four more.
_LOW_LIMBS, _HIGH_LIMBS = 3, 4
#: Sums reduced to this many bits, the last one sticky, round like the whole sum to any precision of two bits fewer.
REDUCED_BITS = 62
#: Exponent of a zero in the search for the least one.
_NEVER_LEAST = 1 << 40


@dataclass(frozen=True)
class _Operand:
    """A matrix (or a stack of them) of numbers, and for each row or column the exponent that counts its units.

    A number is ``±(magnitude << shift)`` units of 2**base; ``bits`` bounds the length of all such integers.
    """

    value: Unpacked
    shift: NDArray[np.int64]
    base: NDArray[np.int64]
    bits: int


def sum_of_products(left: Unpacked, right: Unpacked, addend: Unpacked, *, reduce: bool, down: bool) -> Unpacked:
    """addend + Σ_k left[…, m, k] · right[…, k, n], exactly.

    NaN and infinities as in IEEE 754. A zero sum is negative where all its terms are, and in rounding toward -inf where
    any is.

    Parameters
    ----------
    left, right, addend : Unpacked
        Shapes (…, M, K), (…, K, N) and (…, M, N), with every array in full shape (see :func:`in_full_shape`).
    reduce : bool
        Whether sums of more than REDUCED_BITS bits may be given as that many leading ones, the last of them set where
        anything was below: enough for a rounding to fewer bits, not for one at a fixed point or modulo a power of two.
    down : bool
        Whether the sum will be rounded toward -inf.
    """
    left, right, addend = _narrow(left), _narrow(right), _narrow(addend)
    if any(term.magnitude.dtype == object for term in (left, right, addend)):
        total = _python_sum(left, right, addend)
    else:
        total = _limb_sum(left, right, addend, reduce)
    nan, inf, inf_negative = _special_sum(left, right, addend)
    negative = np.where(inf, inf_negative, _signed_zeros(total, left, right, addend, down))
    magnitude = np.where(nan | inf, np.zeros(1, total.magnitude.dtype), total.magnitude)
    return Unpacked(negative, magnitude, total.exponent, inf=inf, nan=nan, signaling=np.zeros(1, bool))


def _narrow(value: Unpacked) -> Unpacked:
    """The numbers with magnitudes in uint64 where no limb would lose any of their bits."""
    if value.magnitude.dtype != object or value.magnitude.max(initial=0) >> FAST_BITS:
        return value
    return replace(value, magnitude=value.magnitude.astype(np.uint64))


def in_full_shape(value: Unpacked, shape: tuple[int, ...]) -> Unpacked:
    """The numbers with every array broadcast to ``shape``."""
    return mapped(value, lambda part: np.broadcast_to(part, shape))


def mapped(value: Unpacked, change: Callable[[NDArray[Any]], NDArray[Any]]) -> Unpacked:
    """The numbers with every array changed in the same way."""
    return Unpacked(
        change(value.negative),
        change(value.magnitude),
        change(value.exponent),
        change(value.inf),
        change(value.nan),
        change(value.signaling),
    )


def _unpacked(negative: Bools, magnitude: Integers, exponent: NDArray[np.int64]) -> Unpacked:
    never = np.zeros(1, bool)
    return Unpacked(negative, magnitude, exponent, never, never, never)


def _python_sum(left: Unpacked, right: Unpacked, addend: Unpacked) -> Unpacked:
    (a, exponent_a), (b, exponent_b), (c, exponent_c) = (_python_integers(term) for term in (left, right, addend))
    # NumPy's sum of no objects is no integer.
    products = a @ b if a.shape[-1] else np.zeros(c.shape, object)
    exponent = min(exponent_a + exponent_b, exponent_c)
    total = (products << (exponent_a + exponent_b - exponent)) + (c << (exponent_c - exponent))
    return _unpacked(total < 0, np.abs(total), np.full(total.shape, exponent))


def _python_integers(value: Unpacked) -> tuple[Integers, int]:
    """Signed Python integers and the exponent that they share."""
    least = int(value.exponent.min(initial=_NEVER_LEAST))
    shifted = value.magnitude.astype(object) << (value.exponent - least).astype(object)
    return np.where(value.negative, -shifted, shifted), least


def _operand(value: Unpacked, axis: int) -> _Operand:
    """Numbers (…, M, K) with one unit per row (``axis=-1``), or (…, K, N) with one per column (``axis=-2``)."""
    nonzero = value.magnitude != 0
    base = np.where(nonzero, value.exponent, _NEVER_LEAST).min(axis=axis, keepdims=True, initial=_NEVER_LEAST)
    base = np.where(base == _NEVER_LEAST, 0, base)
    shift = np.where(nonzero, value.exponent - base, 0)
    return _Operand(value, shift, base, int((bit_length(value.magnitude) + shift).max(initial=0)))


def _limbs(numbers: _Operand, bits: int) -> list[NDArray[np.float64]]:
    """The signed limbs of ``bits`` bits, from the least significant on."""
    limbs = []
    magnitude, mask = numbers.value.magnitude, np.uint64((1 << bits) - 1)
    whole = magnitude << numbers.shift.astype(np.uint64) if numbers.bits <= FAST_BITS else None
    for low in range(0, max(numbers.bits, 1), bits):
        if whole is not None:
            limb = (whole >> np.uint64(low)) & mask
        else:
            up = numbers.shift - low
            # Shifted down by more than its length a magnitude is 0; shifted up beyond the limb it does not reach it.
            down = np.clip(-up, 0, FAST_BITS).astype(np.uint64)
            shifted = (magnitude >> down) << np.clip(up, 0, bits).astype(np.uint64)
            limb = np.where(up < bits, shifted & mask, np.uint64(0))
        real = limb.astype(np.float64)
        limbs.append(np.negative(real, out=real, where=numbers.value.negative))
    return limbs


def _limb_sum(left: Unpacked, right: Unpacked, addend: Unpacked, reduce: bool) -> Unpacked:
    a, b = _operand(left, -1), _operand(right, -2)
    depth = left.magnitude.shape[-1]
    unit = a.base + b.base
    if a.bits + b.bits + depth.bit_length() <= 53:
        # Every product and partial sum is an integer below 2^53: one product of matrices, never rounded.
        total = (_limbs(a, 53)[0] @ _limbs(b, 53)[0]).astype(np.int64)
        shift = np.where(addend.magnitude != 0, addend.exponent - unit, 0)
        if shift.min(initial=0) >= 0 and (bit_length(addend.magnitude) + shift).max(initial=0) < FAST_BITS - 1:
            # Both terms are below 2^62.
            units = (addend.magnitude << shift.astype(np.uint64)).astype(np.int64)
            total += np.where(addend.negative, -units, units)
            return _unpacked(total < 0, np.abs(total).view(np.uint64), unit)
        totals = total[None]
    elif max(a.bits, b.bits) > MAX_LIMBS * LIMB_BITS:
        return _python_sum(left, right, addend)
    else:
        totals = _limb_products(a, b, depth)
    totals, unit = _with_addend(totals, unit, addend)
    negative = _make_digits(totals)
    if not reduce:
        magnitude = np.zeros(unit.shape, object)
        for limb in totals[::-1]:
            magnitude = (magnitude << LIMB_BITS) + limb.astype(object)
        return _unpacked(negative, magnitude, unit)
    magnitude, exponent = _leading_bits(totals)
    return _unpacked(negative, magnitude, unit + exponent)


def _limb_products(a: _Operand, b: _Operand, depth: int) -> NDArray[np.int64]:
    """Sums of products of limbs, by weight: Σ totals[s] · 2^(LIMB_BITS · s)."""
    limbs_a, limbs_b = _limbs(a, LIMB_BITS), _limbs(b, LIMB_BITS)
    shape = np.broadcast_shapes(a.base.shape, b.base.shape)
    totals = np.zeros((len(limbs_a) + len(limbs_b), *shape), np.int64)
    for start in range(0, depth, MAX_DEPTH):
        part = slice(start, start + MAX_DEPTH)
        for i, limb_a in enumerate(limbs_a):
            for j, limb_b in enumerate(limbs_b):
                # Below 2^53 each, and at most MAX_LIMBS pairs have one weight: their sum stays below 2^62.
                totals[i + j] += (limb_a[..., part] @ limb_b[..., part, :]).astype(np.int64)
        _carry(totals)
    return totals


def _carry(totals: NDArray[np.int64]) -> None:
    """Make every limb but the last a digit 0 … 2^LIMB_BITS - 1; the last keeps the sign of the sum."""
    for index in range(len(totals) - 1):
        totals[index + 1] += totals[index] >> LIMB_BITS
        totals[index] &= _LIMB_MASK


def _with_addend(
    totals: NDArray[np.int64], unit: NDArray[np.int64], addend: Unpacked
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The limbs with the addend's added, with spare ones below and above, and their unit."""
    shape = totals.shape[1:]
    magnitude = addend.magnitude.reshape(-1)
    position = np.where(magnitude != 0, (addend.exponent - unit).reshape(-1), 0)
    # The floor of the least position, in limbs.
    below = _LOW_LIMBS - int(position.min(initial=0)) // LIMB_BITS
    position += below * LIMB_BITS
    # Limbs that FAST_BITS bits touch, from any bit of the first on.
    pieces = 2 + (FAST_BITS - 2) // LIMB_BITS
    used = max(below + len(totals), int(position.max(initial=0)) // LIMB_BITS + pieces)
    wide = np.zeros((used + _HIGH_LIMBS, *shape), np.int64)
    wide[below : below + len(totals)] = totals
    if magnitude.any():
        first, offset = position // LIMB_BITS, (position % LIMB_BITS).astype(np.uint64)
        negative = addend.negative.reshape(-1)
        flat, element = wide.reshape(len(wide), -1), np.arange(magnitude.size)
        for piece in range(pieces):
            # The first piece drops what it shifts beyond 64 bits: the others take those bits.
            bits = magnitude << offset if piece == 0 else magnitude >> (np.uint64(piece * LIMB_BITS) - offset)
            limb = (bits & np.uint64(_LIMB_MASK)).astype(np.int64)
            flat[first + piece, element] += np.where(negative, -limb, limb)
    return wide, unit - below * LIMB_BITS


def _make_digits(totals: NDArray[np.int64]) -> Bools:
    """Turn limbs into the digits of the sums' magnitudes, in place; return where the sums are negative."""
    _carry(totals)
    negative = totals[-1] < 0
    if negative.any():
        np.negative(totals, out=totals, where=negative)
        _carry(totals)
    return negative


def _leading_bits(totals: NDArray[np.int64]) -> tuple[Integers, NDArray[np.int64]]:
    """The REDUCED_BITS leading bits of digits, the last of them sticky, and their exponent."""
    nonzero = totals != 0
    top = np.maximum(len(totals) - 1 - nonzero[::-1].argmax(axis=0), _LOW_LIMBS)
    sticky = nonzero.argmax(axis=0) < top - 3
    digits = [np.take_along_axis(totals, (top - index)[None], axis=0)[0].astype(np.uint64) for index in range(4)]
    # A zero sum has no leading bit; as if of length 1 it stays zero.
    length = np.maximum(bit_length(digits[0]), 1)
    count = length.astype(np.uint64)
    magnitude = digits[0] << (np.uint64(REDUCED_BITS) - count)
    magnitude |= digits[1] << (np.uint64(REDUCED_BITS - LIMB_BITS) - count)
    magnitude |= digits[2] << (np.uint64(REDUCED_BITS - 2 * LIMB_BITS) - count)
    # The last digit moves down by length - 2 bits, or up by one.
    doubled, down = digits[3] << np.uint64(1), count - np.uint64(1)
    magnitude |= doubled >> down
    sticky |= (doubled & ((np.uint64(1) << down) - np.uint64(1))) != 0
    magnitude |= sticky & (magnitude != 0)
    return magnitude, top * LIMB_BITS + length - REDUCED_BITS


def _special_sum(left: Unpacked, right: Unpacked, addend: Unpacked) -> tuple[Bools, Bools, Bools]:
    """Where the sum is NaN, where infinite, and the sign of the infinities."""
    if not any(term.inf.any() or term.nan.any() for term in (left, right)):
        return addend.nan, addend.inf & ~addend.nan, addend.negative
    zero_a, zero_b = _counts(left.zero), _counts(right.zero)
    inf_a, inf_b = _counts(left.inf & ~left.nan), _counts(right.inf & ~right.nan)
    nan = (inf_a @ zero_b + zero_a @ inf_b) > 0
    nan |= left.nan.any(axis=-1, keepdims=True) | right.nan.any(axis=-2, keepdims=True) | addend.nan
    # Signs are ±1, and 0 for zeros, which infinities meet as NaN; a pair of infinities is counted twice.
    sign_a, sign_b = (np.where(x.negative, -1.0, 1.0) * (1 - zero) for x, zero in ((left, zero_a), (right, zero_b)))
    signed = (sign_a * inf_a) @ sign_b + sign_a @ (sign_b * inf_b)
    either = inf_a @ np.abs(sign_b) + np.abs(sign_a) @ inf_b
    plus = (either + signed > 0) | (addend.inf & ~addend.negative)
    minus = (either - signed > 0) | (addend.inf & addend.negative)
    nan = nan | (plus & minus)
    return nan, (plus | minus) & ~nan, minus


def _counts(where: Bools) -> NDArray[np.float64]:
    return where.astype(np.float64)


def _signed_zeros(total: Unpacked, left: Unpacked, right: Unpacked, addend: Unpacked, down: bool) -> Bools:
    """The sign of each sum, zeros included."""
    zero = total.magnitude == 0
    if not (zero & (down | addend.negative)).any():
        return total.negative
    minus_a, minus_b = _counts(left.negative), _counts(right.negative)
    # Products have a sign of their own, zero or not; a zero sum of terms of one sign has zeros only.
    minus = minus_a @ (1 - minus_b) + (1 - minus_a) @ minus_b + addend.negative
    terms = left.magnitude.shape[-1] + 1
    return np.where(zero, (minus == terms) | (down & (minus > 0)), total.negative)
