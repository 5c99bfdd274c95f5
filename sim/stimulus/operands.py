"""Operands and tile sizes for verification: random, with many of the values at which arithmetic goes wrong."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...golden import code_dtype
from ...golden.formats import Format
from ..engine.packing import packed_bytes, port_format, unpack

_WORD = 64
#: Of all operands, this share are corner values or next to one.
CORNER_SHARE = 0.3


def corners(fmt: Format | None, width: int) -> list[int]:
    """Codes at which a format's arithmetic behaves differently, and their neighbours."""
    ends = {0, (1 << width) - 1, (1 << (width - 1)) - 1, 1 << (width - 1), 1}
    if fmt is not None and fmt.kind == "float":
        least = 1 << fmt.frac_bits
        special = {least, fmt.max_code, fmt.bias << fmt.frac_bits, least >> 1}
        special |= {code for code in (fmt.inf_code, fmt.nan_code, *fmt.nan_codes[:1], *fmt.nan_codes[-1:]) if code}
        ends |= special | {code | fmt.sign_mask for code in special}
    elif fmt is not None:
        ends |= {code for _, code in fmt.landmarks}
    near = {code + step for code in ends for step in (-1, 0, 1)}
    return sorted(code for code in near if 0 <= code < 1 << width)


def port_dtype(width: int) -> np.dtype[Any]:
    """The least unsigned dtype that holds what a port carries."""
    return code_dtype(port_format(width))


def operands(fmt: Format | None, width: int, count: int, generator: np.random.Generator) -> NDArray[Any]:
    """``count`` codes of ``width`` bits; above 64 bits Python integers."""
    dtype = port_dtype(width) if fmt is None else code_dtype(fmt)
    if width <= _WORD:
        codes = generator.integers(0, (1 << width) - 1, count, dtype=np.uint64, endpoint=True)
    else:
        codes = unpack(generator.integers(0, 1 << 8, (count, packed_bytes(1, width)), np.uint8), width, 1)[:, 0]
    if fmt is not None and fmt.kind == "float" and width > 10:
        # Exponents near the bias, so that products stay in range: uniform codes overflow or vanish half of the time.
        codes = np.where(generator.random(count) < 0.5, _moderate(fmt, codes, generator), codes)
    chosen = np.array(corners(fmt, width), code_dtype(port_format(width)))
    chosen = chosen[generator.integers(0, len(chosen), count)]
    return np.where(generator.random(count) < CORNER_SHARE, chosen, codes).astype(dtype)


def _moderate(fmt: Format, codes: NDArray[np.uint64], generator: np.random.Generator) -> NDArray[np.uint64]:
    spread = max(2, fmt.bias // 2)
    field = np.clip(fmt.bias + generator.integers(-spread, spread + 1, len(codes)), 0, (1 << fmt.exp_bits) - 1)
    mask = np.uint64(((1 << fmt.exp_bits) - 1) << fmt.frac_bits)
    return (codes & ~mask) | (field.astype(np.uint64) << np.uint64(fmt.frac_bits))


def tiles(rows: int, beats: int, generator: np.random.Generator) -> list[int]:
    """Inner dimensions of tiles, in all at least ``beats``: those at which hand-over goes wrong, then random ones."""
    critical = [1, 2, 1, max(1, rows - 1), rows, rows, rows + 1, 1, 3 * rows]
    sizes = list(critical)
    while sum(sizes) < beats:
        if generator.random() < CORNER_SHARE:
            sizes.append(critical[generator.integers(len(critical))])
        else:
            sizes.append(int(generator.integers(1, 3 * rows + 2)))
    return sizes
