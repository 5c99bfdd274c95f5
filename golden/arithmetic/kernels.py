"""Kernels compute codes from checked codes. This one knows every format; the faster ones must equal it."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from ..codec.codes import FAST_BITS, Integers, Unpacked
from ..codec.kinds import pack, unpack
from ..codec.rounding import Target
from ..codec.stochastic import RandomWords
from ..formats import Flag, Format
from .exact_add import sum_unpacked, visible_bits

#: Arguments: the operands' codes, of one shape (n,); the random words, if any; the index of the first result, for error
#: messages. Returns codes of the result and exceptions; these are None where the kernel was made for codes alone.
Kernel = Callable[[list[Integers], RandomWords | None, int], tuple[Integers, Integers | None]]

#: The operations, and what error messages call their results.
OPERATIONS = {"multiply": "a * b", "add": "a + b", "fma": "a * b + c"}


def general_kernel(operation: str, operands: tuple[Format, ...], target: Target, random_bits: int = 0) -> Kernel:
    """The kernel for any formats: unpack, one exact operation, one rounding.

    Parameters
    ----------
    operation : str
        A key of OPERATIONS.
    operands : tuple of Format
        The operands' formats.
    target : Target
        Where results are rounded to.
    random_bits : int
        Bits of a random word; 0 where the rounding takes none.
    """
    factors = operands[: 1 if operation == "add" else 2]
    bound = math.prod(fmt.max_significand for fmt in factors)
    wide = bool(bound >> FAST_BITS)
    visible = visible_bits(target.out, target.policy.overflow, random_bits)

    def exact(*terms: Unpacked) -> Unpacked:
        first, *rest = terms
        if operation != "add":
            first, rest = _product(first, rest[0], wide), rest[1:]
        if not rest:
            return first
        return sum_unpacked(first, rest[0], (bound, operands[-1].max_significand), visible, target.policy.rounding)

    def kernel(chunks: list[Integers], random: RandomWords | None, start: int) -> tuple[Integers, Integers]:
        result = exact(
            *(unpack(codes, fmt, target.policy.subnormals) for codes, fmt in zip(chunks, operands, strict=True))
        )
        codes, raised = pack(OPERATIONS[operation], result, target, random, start)
        return codes, raised | result.signaling * np.uint8(Flag.INVALID)

    return kernel


def _product(a: Unpacked, b: Unpacked, wide: bool) -> Unpacked:
    """The exact product; where the operation is invalid, its NaN is marked as signaling."""
    invalid = a.signaling | b.signaling | (a.inf & b.zero) | (a.zero & b.inf)
    magnitude = a.magnitude.astype(object) if wide else a.magnitude
    return Unpacked(
        a.negative ^ b.negative,
        magnitude * b.magnitude,
        a.exponent + b.exponent,
        inf=a.inf | b.inf,
        nan=a.nan | b.nan | invalid,
        signaling=invalid,
    )
