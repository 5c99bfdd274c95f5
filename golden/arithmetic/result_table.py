"""Look-up tables of operations on two codes of at most 8 bits, filled by the general kernel."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from ..codec.codes import Integers
from ..codec.fast.rounding_table import TABLES
from ..codec.rounding import Target
from ..codec.stochastic import RandomWords
from ..formats import Format, ParameterError
from .kernels import Kernel, general_kernel


def table_kernel(operation: str, operands: tuple[Format, ...], target: Target, flags: bool) -> Kernel | None:
    """The kernel that looks up results of two operands.

    None where a code is longer than 8 bits (64 for results), where rounding is stochastic, or where some operands'
    result is an error.
    """
    if (
        len(operands) != 2
        or max(fmt.width for fmt in operands) > 8
        or target.out.width > 64
        or target.policy.is_stochastic
    ):
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


@lru_cache(maxsize=TABLES)
def _operation_table(
    operation: str, operands: tuple[Format, ...], target: Target
) -> tuple[Integers, NDArray[np.uint8]] | None:
    """Codes and exceptions for a · 256 + b; numbers that are no codes have the entries of 0."""
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
