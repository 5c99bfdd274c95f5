"""Loops in the part of Python that Numba compiles (:mod:`.jit`): plain Python computes the same, slowly.

Integers are kept in the arrays' own types, since Numba widens all others to 64 bits, which halves what a vector
instruction does.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..codes import Integers

#: Exponent of a zero: below all others.
ZERO_EXPONENT = -(1 << 14)


def cut_words(bits: NDArray[np.uint32], codes: Integers, constants: NDArray[np.uint32]) -> None:
    """Codes of fp32 numbers in a format that is fp32 without its last bits, see :func:`.floating.rounder`.

    Parameters
    ----------
    bits : ndarray of uint32
        The numbers.
    codes : ndarray
        Where the results go.
    constants : ndarray of uint32
        The bits that are cut off; what is added first; 1 where the last kept bit is added too; infinity; the code of
        NaN.
    """
    cut, addend, even, inf, nan = constants[0], constants[1], constants[2], constants[3], constants[4]
    size_mask = np.uint32(0x7FFFFFFF)
    for i in range(bits.size):
        word = bits[i]
        kept = (word + addend + ((word >> cut) & even)) >> cut
        codes[i] = nan if (word & size_mask) > inf else kept


def round_words(bits: Integers, codes: Integers, constants: Integers) -> None:
    """Codes of fp32 or fp64 numbers, rounded by one addition to the significand and one shift.

    A significand m whose last s bits are to go is (m + addend) >> s, with the addend 0 to truncate, 2^s - 1 to round
    away from zero, 2^(s-1) for ties away, and 2^(s-1) - 1 plus the last kept bit for ties to even. Shifted by two bits
    more than its length it is below one half, and so it is however far it is shifted.

    Parameters
    ----------
    bits : ndarray of uint32 or uint64
        The numbers.
    codes : ndarray
        Where the results go.
    constants : ndarray of the type of ``bits``
        As :func:`.floating.rounding_constants` makes them.
    """
    word = bits.dtype.type
    zero, one = word(0), word(1)
    # Shift counts are within the type, as the mask tells the compiler.
    width = word(8 * bits.itemsize - 1)
    size_mask, frac_bits, cut, least, out_frac_bits = (
        constants[0],
        constants[1],
        constants[2],
        constants[3],
        constants[4],
    )
    away_positive, away_negative, nearest, ties_away = constants[5], constants[6], constants[7], constants[8]
    beyond_positive, beyond_negative, inf_positive, inf_negative = (
        constants[9],
        constants[10],
        constants[11],
        constants[12],
    )
    nan, sign, zero_sign, max_code = constants[13], constants[14], constants[15], constants[16]
    hidden = word(one << frac_bits)
    frac_mask = word(hidden - one)
    infinity = word(size_mask ^ frac_mask)
    longest = word(frac_bits + word(2))
    for i in range(bits.size):
        size = word(bits[i] & size_mask)
        negative = size != bits[i]
        field = word(size >> frac_bits)
        normal = word(field != zero)
        significand = word((size & frac_mask) | word(normal << frac_bits))
        exponent = word(field + word(one - normal))
        binade = max(exponent, least)
        shift = word(min(word(cut + word(binade - exponent)), longest) & width)
        ones = word(word(one << shift) - one)
        last = word(word(significand >> shift) | ties_away)
        addend = word((away_negative if negative else away_positive) & ones)
        addend = word(addend + word((ones >> one) & nearest))
        addend = word(addend + word(last & word(ones & word(nearest & one))))
        code = word(word(word(significand + addend) >> shift) + word(word(binade - least) << out_frac_bits))
        signed = word(code | (sign if negative and (code != zero or zero_sign != zero) else zero))
        signed = (beyond_negative if negative else beyond_positive) if code > max_code else signed
        signed = (inf_negative if negative else inf_positive) if size == infinity else signed
        codes[i] = nan if size > infinity else signed


def scale_blocks(
    x: NDArray[np.float32],
    scaled: NDArray[np.float32],
    codes: Integers,
    reciprocals: NDArray[np.float32],
    offset: int,
    largest_significand: int,
    least: int,
) -> bool:
    """Scales of blocks that are powers of two, and the numbers over them, see :func:`.block.encode_blocks`.

    Parameters
    ----------
    x : ndarray of float32
        The numbers, one block a row.
    scaled, codes : ndarray
        Where the numbers over their scales, and the codes of these, go.
    reciprocals : ndarray of float32
        One over the value of each code.
    offset : int
        The code less fp32's exponent field of the block's largest magnitude, before it is clamped.
    largest_significand : int
        The 24-bit significand up to which the next code is not needed.
    least : int
        Numbers below the one of this fp32 code are zeros; a block of them has the scale's code 0, and none else has. 0:
        none is.

    Returns
    -------
    bool
        Whether all numbers are finite; else nothing is right.
    """
    bits = x.view(np.uint32)
    size_mask, infinity, hidden = np.uint32(0x7FFFFFFF), np.uint32(0x7F800000), 1 << 23
    smallest, lowest = np.uint32(least), 1 if least else 0
    for row in range(len(x)):
        amax = np.uint32(0)
        for column in range(x.shape[1]):
            amax = max(amax, np.uint32(bits[row, column] & size_mask))
        if amax >= infinity:
            return False
        field, significand = np.int64(amax >> np.uint32(23)), np.int64(amax & np.uint32(hidden - 1))
        if field:
            significand |= hidden
        elif significand:
            field = 1
            while significand < hidden:
                significand <<= 1
                field -= 1
        code = min(max(field + offset + (significand > largest_significand), lowest), len(reciprocals) - 1)
        if not significand or amax < smallest:
            code = 0
        codes[row] = code
        reciprocal = reciprocals[code]
        for column in range(x.shape[1]):
            number = x[row, column]
            kept = np.float32(0) * number if (bits[row, column] & size_mask) < smallest else number
            scaled[row, column] = kept * reciprocal
    return True


def aligned_chain(
    left: NDArray[Any],
    right: NDArray[Any],
    left_exponents: NDArray[np.int32],
    right_exponents: NDArray[np.int32],
    result: NDArray[np.float64],
    scale: NDArray[Any],
    total: Integers,
    block: int,
    frac_bits: int,
    out_frac_bits: int,
    limits: NDArray[np.float64],
    min_exponent: int,
) -> bool:
    """Matrix product of finite numbers by the block fused multiply-add of :class:`.accumulation.Aligned`, in place.

    Parameters
    ----------
    left, right : ndarray of float32 or float64
        Operands, shapes (K, M) and (K, N).
    left_exponents, right_exponents : ndarray of int32
        Their exponents; ZERO_EXPONENT for zeros.
    result : ndarray of float64
        Shape (M, N): c, then the result.
    scale, total : ndarray
        Room for N numbers: unsigned integers of the operands' width, and integers that hold a block's sum.
    block, frac_bits, out_frac_bits : int
        The style's parameters.
    limits : ndarray of float64
        Of the output format: the largest and the least normal number, and one over the least one.
    min_exponent : int
        The output format's least exponent.

    Returns
    -------
    bool
        Whether ``result`` is right: no sum was beyond the output format's range.
    """
    depth, width = right.shape
    counter = total.dtype.type
    bits_word = scale.dtype.type
    powers = scale.view(left.dtype)
    power_frac_bits = 23 if scale.itemsize == 4 else 52
    power_bias = 127 if scale.itemsize == 4 else 1023
    largest = np.empty(width, np.int32)
    factor = np.empty(width, np.float64)
    fields, factor_bits = result.view(np.int64), factor.view(np.int64)
    kept = -(np.int64(1) << np.int64(52 - out_frac_bits))
    inside = True
    for m in range(left.shape[1]):
        for start in range(0, depth, block):
            stop = min(start + block, depth)
            for n in range(width):
                exponent = np.int32((fields[m, n] >> 52) & 0x7FF)
                largest[n] = max(exponent - 1023, min_exponent) if exponent else ZERO_EXPONENT
            for k in range(start, stop):
                exponent = left_exponents[k, m]
                for n in range(width):
                    largest[n] = max(largest[n], np.int32(exponent + right_exponents[k, n]))
            for n in range(width):
                total[n] = 0
                # Too large only for sums of zeros; too small, it becomes 0 and every term less than a unit.
                power = min(max(frac_bits - largest[n], -power_bias), power_bias)
                scale[n] = bits_word(np.int64(power + power_bias) << power_frac_bits)
                factor_bits[n] = np.int64(min(frac_bits - largest[n], 1023) + 1023) << 52
            for k in range(start, stop):
                x = left[k, m]
                for n in range(width):
                    # The conversion truncates toward zero.
                    total[n] += counter(x * right[k, n] * powers[n])
            for n in range(width):
                result[m, n] = np.trunc(result[m, n] * factor[n]) + total[n]
                # The fraction of a float64 without its low bits is the significand truncated toward zero.
                fields[m, n] &= kept
                value = result[m, n] / factor[n]
                size = abs(value)
                if size < limits[1]:
                    value = np.trunc(value * limits[2]) / limits[2] + 0.0
                inside &= size <= limits[0]
                result[m, n] = value
    return inside
