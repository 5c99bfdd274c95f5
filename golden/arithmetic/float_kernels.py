"""The kernels that compute in float32 or float64, where these hold every exact result, or all that a rounding can see."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..codec.codes import Bools, Integers
from ..codec.fast.floating import Reals, can_round, decoder, holding, is_cut_fp32, rounder, scale
from ..codec.fast.rounding_table import TABLE_SIZE
from ..codec.rounding import Target
from ..codec.stochastic import RandomWords
from ..formats import Flag, Format, RoundingMode, RoundingPolicy
from .exact_add import visible_bits
from .kernels import Kernel, general_kernel
from .result_table import table_kernel


def fastest_kernel(
    operation: str, operands: tuple[Format, ...], target: Target, random_bits: int, flags: bool, size: int
) -> Kernel:
    """The fastest kernel for ``size`` results: look-up table, floating point, or the general one."""
    found = None
    if size >= TABLE_SIZE:
        found = table_kernel(operation, operands, target, flags)
    return (
        found
        or _real_kernel(operation, operands, target, random_bits, flags)
        or general_kernel(operation, operands, target, random_bits)
    )


def _real_kernel(
    operation: str, operands: tuple[Format, ...], target: Target, random_bits: int, flags: bool
) -> Kernel | None:
    """The kernel in floating point; None where no type of NumPy's holds what is needed, or a result may be an error.

    A product is computed in a type that holds both operands and every exact product of their formats: the hardware's
    multiplication rounds nothing. A sum is computed in float64 and rounded to odd, of which no rounding to 51 bits or
    fewer can tell the exact sum. Either is then rounded once, by :func:`.floating.rounder`.
    """
    if not (can_round(target) and target.out.has_nan):
        return None
    work = _type(operation, operands, target, random_bits, flags)
    if work is None:
        return None
    decoders = [decoder(fmt, target.policy.subnormals) for fmt in operands]
    rounded = rounder(target, work, flags)

    def kernel(chunks: list[Integers], random: RandomWords | None, start: int) -> tuple[Integers, Integers | None]:
        terms = [decode(codes).astype(work, copy=False) for decode, codes in zip(decoders, chunks, strict=True)]
        result = terms[0] * terms[1] if operation != "add" else terms[0]
        if operation != "multiply":
            result = _sum(result, terms[-1], target.policy.rounding)
        codes, raised = rounded(result, random)
        if raised is not None:
            raised |= _invalid(chunks, operands, terms, result) * np.uint8(Flag.INVALID)
        return codes, raised

    return kernel


def _type(
    operation: str, operands: tuple[Format, ...], target: Target, random_bits: int, flags: bool
) -> type[np.floating] | None:
    """The type to compute in; None if there is none."""
    if not flags and _rounds_like_float32(operation, operands, target):
        return np.float32
    numbers = [scale(fmt) for fmt in operands]
    sums = operation != "multiply"
    if operation != "add":
        (bits_a, place_a, end_a), (bits_b, place_b, end_b), *_ = numbers
        numbers.append((bits_a + bits_b, place_a + place_b, end_a + end_b))
    types = [holding(*number) for number in numbers]
    seen = visible_bits(target.out, target.policy.overflow, random_bits)
    if None in types or (sums and (seen is None or seen > 53)):
        return None
    return np.float64 if sums or np.float64 in types else np.float32


def _rounds_like_float32(operation: str, operands: tuple[Format, ...], target: Target) -> bool:
    """Whether float32 arithmetic, rounded a second time, to nearest even, gives the correctly rounded result.

    Sums of formats with p <= 11 significant bits: float32's 24 are at least 2p + 1, with which rounding twice to nearest
    even is rounding once (Figueroa 1995), and sums in the format's subnormal range are exact, the last place of both
    terms being the least subnormal.

    Products of bf16, and of fp32 cut to still fewer bits. Let f <= 7 be the fraction bits and h half of the least
    subnormal, 2^-127-f. A product has at most 16 significant bits. Those not below h have their last bit at 2^-149 or
    higher, so that float32 holds them (beyond 2^128 both overflow). Those below h are rounded to h at most, which the
    second rounding takes to 0, its even neighbour, as it takes all below.
    """
    out = target.out
    if target.policy != RoundingPolicy(RoundingMode.RNE, "ieee", "full"):
        return False
    if operation == "add":
        float32 = is_cut_fp32(out) or holding(*scale(out)) == np.float32
        return float32 and out.significand_bits <= 11 and all(fmt == out for fmt in operands)
    return operation == "multiply" and all(is_cut_fp32(fmt) and fmt.frac_bits <= 7 for fmt in (*operands, out))


def _sum(x: Reals, y: Reals, rounding: str) -> Reals:
    """x + y; in float64 rounded to odd, with the sign of a zero sum that ``rounding`` asks for."""
    total = x + y
    if total.dtype == np.float64:
        # Knuth's two-sum: what the addition has rounded off, exactly. It is NaN where the sum is not finite.
        part = total - x
        error = (x - (total - part)) + (y - part)
        bits = total.view(np.int64)
        # An even result of an inexact addition moves to the odd neighbour on the other side of the exact sum.
        toward_zero = np.signbit(error) != np.signbit(total)
        step = np.where(toward_zero, np.int64(-1), np.int64(1))
        inexact = (np.abs(error) > 0) & ((bits & 1) == 0)
        bits += np.where(inexact, step, 0)
        total = bits.view(np.float64)
    if rounding == "rdn":
        cancelled = (total == 0) & (np.signbit(x) != np.signbit(y))
        total = np.where(cancelled, total.dtype.type(-0.0), total)
    return total


def _invalid(chunks: list[Integers], operands: tuple[Format, ...], terms: list[Reals], result: Reals) -> Bools:
    """Where an operand is a signaling NaN, or a NaN result came of operands of which none is NaN, or of ∞ · 0."""
    nan_operand: NDArray[np.bool_] = np.isnan(terms[0])
    for term in terms[1:]:
        nan_operand = nan_operand | np.isnan(term)
    invalid = np.isnan(result) & ~nan_operand
    if len(terms) == 3:
        product = terms[0] * terms[1]
        invalid |= np.isnan(product) & ~np.isnan(terms[0]) & ~np.isnan(terms[1])
    for codes, fmt in zip(chunks, operands, strict=True):
        if fmt.has_signaling_nan:
            magnitude = codes & codes.dtype.type(fmt.magnitude_mask)
            quiet = codes & codes.dtype.type(fmt.quiet_bit)
            invalid |= (magnitude >= fmt.nan_codes[0]) & (quiet == 0)
    return invalid
