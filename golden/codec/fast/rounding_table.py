"""Look-up tables of the roundings of float32, filled by the general path."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from ...formats import FORMATS
from ..codes import Integers
from ..kinds import pack, unpack
from ..rounding import Target

#: The least count of results for which a table is worth making, which takes as long as 2^16 results of the general path.
TABLE_SIZE = 1 << 12
#: Tables of each kind that are kept; the least recently used is dropped. A table has 2^16 entries of a code, at most 8
#: bytes, and a byte of exceptions: the two kinds together stay below 38 MB.
TABLES = 32

_FP32 = FORMATS["fp32"]


def rounds_by_table(target: Target) -> bool:
    """Whether the upper 16 bits of a float32 number decide how it is rounded.

    The last of them is set if any of the lower bits is (rounding to odd). That leaves 6 fraction bits and a bit that
    tells whether there is more: enough for a significand of 6 bits, the bit that makes a half, and that bit. Below
    2^-126 the last bit counts 2^-133, enough for a format whose last place counts 2^-130 or more, also to see whether a
    number next to the least normal is tiny, which is decided one place further down.
    """
    out = target.out
    return (
        not target.policy.is_stochastic
        and target.policy.overflow != "wrap"
        and out.significand_bits <= 6
        and out.lsb_exponent >= -130
    )


def rounded_by_table(x: NDArray[np.float32], target: Target, flags: bool) -> tuple[Integers, Integers | None]:
    """Codes and exceptions of float32 numbers for a target of :func:`rounds_by_table`; no NaN where it has none."""
    table_codes, table_flags = _rounding_table(target)
    bits = x.view(np.uint32)
    # Adding 0xFFFF carries into bit 16 exactly where a lower bit is set.
    index = ((((bits + np.uint32(0xFFFF)) & np.uint32(0x10000)) | bits) >> np.uint32(16)).astype(np.intp)
    return table_codes.take(index, mode="wrap"), table_flags.take(index, mode="wrap") if flags else None


@lru_cache(maxsize=TABLES)
def _rounding_table(target: Target) -> tuple[Integers, NDArray[np.uint8]]:
    bits = np.arange(1 << 16, dtype=np.uint32) << np.uint32(16)
    if not target.out.has_nan:
        bits[(bits & np.uint32(_FP32.magnitude_mask)) >= np.uint32(_FP32.nan_codes[0])] = 0
    return pack("x", unpack(bits, _FP32), target)
