"""Look-up tables, filled by the general path: operations on two codes of at most 8 bits, and roundings of float32."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from .codes import Integers, unpack
from .formats import FORMATS, Format, ParameterError
from .kernels import Kernel, general_kernel
from .rounding import Target, pack
from .stochastic import RandomWords

#: Results from which on a table is worth its making, which takes as long as 2^16 results of the general path.
TABLE_SIZE = 1 << 12
#: Tables of each kind that are kept; the least recently used is dropped. A table has 2^16 entries of a code, at most 8
#: bytes, and a byte of exceptions: the two kinds together stay below 38 MB.
_TABLES = 32

_FP32 = FORMATS["fp32"]


def table_kernel(operation: str, operands: tuple[Format, ...], target: Target, flags: bool) -> Kernel | None:
    """The kernel that looks up results of two operands.

    None where a code is longer than 8 bits (64 for results), where rounding is stochastic, or where some operands'
    result is an error.
    """
    if len(operands) != 2 or max(fmt.width for fmt in operands) > 8 or target.out.width > 64 or target.stochastic:
        return None
    table = _operation_table(operation, operands, target)
    if table is None:
        return None
    table_codes, table_flags = table

    def kernel(chunks: list[Integers], random: RandomWords | None, start: int) -> tuple[Integers, Integers | None]:
        # Two bytes read as one number, a in the upper one; take() is fastest with indices of NumPy's own type.
        pairs = np.empty((len(chunks[0]), 2), np.uint8)
        pairs[:, 1], pairs[:, 0] = chunks
        index = pairs.view("<u2")[:, 0].astype(np.intp)
        # Every index is in range, so that "wrap" changes none and spares a second look at them.
        return table_codes.take(index, mode="wrap"), table_flags.take(index, mode="wrap") if flags else None

    return kernel


@lru_cache(maxsize=_TABLES)
def _operation_table(
    operation: str, operands: tuple[Format, ...], target: Target
) -> tuple[Integers, NDArray[np.uint8]] | None:
    """Codes and exceptions for a · 256 + b; entries of numbers that are no codes are those of 0."""
    codes = np.arange(1 << 8, dtype=np.uint8)
    a, b = (np.where(codes <= fmt.code_mask, codes, np.uint8(0)) for fmt in operands)
    chunks = [np.repeat(a, 1 << 8), np.tile(b, 1 << 8)]
    try:
        table = general_kernel(operation, operands, target)(chunks, None, 0)
    except ParameterError:
        # A NaN or an infinity that the format of the result has no code for: an error only where it is in the data.
        return None
    assert table[1] is not None
    return table[0], table[1]


def rounds_by_table(target: Target) -> bool:
    """Whether the upper 16 bits of a float32 number decide how it is rounded.

    The last of them is set if any of the lower bits is (rounding to odd). That leaves 6 fraction bits and a bit that
    tells whether there is more: enough for a significand of 6 bits, the bit that makes a half, and that bit. Below
    2^-126 the last bit counts 2^-133, enough for a format whose last place counts 2^-130 or more, also to see whether a
    number next to the least normal is tiny, which is decided one place further down.
    """
    out = target.out
    last_place = (out.min_exponent if out.kind == "float" else 0) - out.frac_bits
    return not target.stochastic and target.overflow != "wrap" and out.significand_bits <= 6 and last_place >= -130


def rounded_by_table(x: NDArray[np.float32], target: Target, flags: bool) -> tuple[Integers, Integers | None]:
    """Codes and exceptions of float32 numbers for a target of :func:`rounds_by_table`; no NaN where it has none."""
    table_codes, table_flags = _rounding_table(target)
    bits = x.view(np.uint32)
    # Adding 0xFFFF carries into bit 16 exactly where a lower bit is set.
    index = ((((bits + np.uint32(0xFFFF)) & np.uint32(0x10000)) | bits) >> np.uint32(16)).astype(np.intp)
    return table_codes.take(index, mode="wrap"), table_flags.take(index, mode="wrap") if flags else None


@lru_cache(maxsize=_TABLES)
def _rounding_table(target: Target) -> tuple[Integers, NDArray[np.uint8]]:
    bits = np.arange(1 << 16, dtype=np.uint32) << np.uint32(16)
    if not target.out.has_nan:
        bits[(bits & np.uint32(_FP32.magnitude_mask)) >= np.uint32(_FP32.nan_codes[0])] = 0
    return pack("x", unpack(bits, _FP32), target.out, target.rounding, target.overflow, target.subnormals)
