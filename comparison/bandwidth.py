"""Bytes that move for each product of a tile."""

from __future__ import annotations

from ..golden.accuracy.noise import bits_per_element
from ..golden.formats import BlockFormat, Format

#: M = N = K of the tile that bytes are counted for.
TILE = 64


def bytes_per_mac(a: Format | BlockFormat, b: Format | BlockFormat, out: Format) -> float:
    """Bytes for each product of C = A · B with M = N = K = :data:`TILE`: A and B are read once, C is written once.

    (M·K·bits_a + K·N·bits_b + M·N·bits_out) / 8 / (M·N·K)
    """
    bits = bits_per_element(a) + bits_per_element(b) + out.width
    return bits * TILE**2 / 8 / TILE**3
