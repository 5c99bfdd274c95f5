"""2:4 structured sparsity, as in the A100: of every four operands along K two are kept, with their positions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..codec.codes import Bools, Integers, as_codes
from ..codec.kinds import unpack
from ..codec.rounding import bit_length
from ..formats import FloatFormat, Format, ParameterError, check_choice, format
from .gemm import gemm

GROUP, KEPT = 4, 2
#: Groups whose positions fill one word of metadata: 2 · 2 bits each of 32.
_GROUPS_PER_WORD = 8


@dataclass(frozen=True)
class Sparse:
    """A matrix (M, K) of codes of which two of four are kept.

    Attributes
    ----------
    codes : ndarray of shape (M, K/2)
        The kept codes, in order.
    metadata : ndarray of uint32, shape (M, ceil(K/32))
        Positions of the kept codes within their groups of four, two bits each, the lower position first, from the least
        significant bit on: group g of a row is in bits 4·(g mod 8) … of word g // 8. That is the order within a word of
        PTX's ``mma.sp`` ("sorted in an increasing order starting from LSB", PTX ISA 9) and, row by row, of
        PyTorch's and CUTLASS's metadata before they interleave it for the threads of a warp. Unused bits are zeros.
    fmt : Format
        Format of the codes.

    Examples
    --------
    >>> kept = golden.compress([[0, 7, 0, 9]], "int8")
    >>> kept.columns, kept.expand()
    (array([[1, 3]]), array([[0, 7, 0, 9]], dtype=uint8))
    """

    codes: Integers
    metadata: NDArray[np.uint32]
    fmt: Format

    @property
    def shape(self) -> tuple[int, int]:
        """M and K."""
        return self.codes.shape[0], self.codes.shape[1] * GROUP // KEPT

    @property
    def columns(self) -> NDArray[np.int64]:
        """The column of every kept code, shape (M, K/2).

        Raises
        ------
        ParameterError
            The metadata has another shape, or the two positions of a group are not in increasing order.
        """
        height, depth = self.shape
        words = -(-depth // GROUP // _GROUPS_PER_WORD)
        if self.metadata.shape != (height, words):
            raise ParameterError(f"metadata must be of shape {(height, words)}, not {self.metadata.shape}")
        shifts = np.arange(_GROUPS_PER_WORD, dtype=np.uint32) * np.uint32(2 * KEPT)
        fields = (self.metadata[:, :, None] >> shifts & np.uint32(0xF)).reshape(height, words * _GROUPS_PER_WORD)[
            :, : depth // GROUP
        ]
        first, second = fields & np.uint32(3), fields >> np.uint32(2)
        if (first >= second).any():
            row, group = (int(index[0]) for index in np.nonzero(first >= second))
            raise ParameterError(
                "metadata must hold two increasing positions for every group, "
                f"not {first[row, group]} and {second[row, group]} in group {group} of row {row}"
            )
        positions = np.stack([first, second], axis=-1).astype(np.int64)
        return (positions + GROUP * np.arange(depth // GROUP)[:, None]).reshape(height, self.codes.shape[1])

    def expand(self) -> Integers:
        """The matrix (M, K): kept codes in their columns, zeros elsewhere."""
        dense = np.full(self.shape, self.fmt.zero_code or 0, self.codes.dtype)
        np.put_along_axis(dense, self.columns, self.codes, axis=1)
        return dense


def compress(codes: ArrayLike, fmt: str | Format, keep: str | ArrayLike = "nonzero") -> Sparse:
    """Keep two of every four codes along the last axis.

    Parameters
    ----------
    codes : array_like of int
        Shape (M, K), K a multiple of four.
    fmt : str or Format
        Their format, which has a zero.
    keep : str or array_like of bool
        "nonzero": those that are not zero, of which no group may have more than two; where it has fewer, the first
        zeros too. "largest": the two largest magnitudes, of equal ones the first; NaN counts as larger than infinity.
        An array of the shape of ``codes``: those where it is true, two of each four.

    Raises
    ------
    TypeError
        ``codes`` are not integers, or ``keep`` is an array of another type than bool.
    ParameterError
        A shape does not fit, a group has more than two codes that are not zero, the format has no zero, or ``keep`` is
        none of these.

    Examples
    --------
    >>> golden.compress([[1, 7, 3, 9]], "int8", keep="largest").codes
    array([[7, 9]], dtype=uint8)
    """
    fmt = format(fmt)
    array = as_codes("codes", codes, fmt)
    if not fmt.has_zero:
        raise ParameterError(f"fmt must be a format with a zero, not {fmt}")
    if array.ndim != 2 or array.shape[1] % GROUP:
        raise ParameterError(f"codes must be (M, K) with K a multiple of {GROUP}, not of shape {array.shape}")
    groups = array.reshape(len(array), array.shape[1] // GROUP, GROUP)
    positions = _positions(groups, fmt, keep)
    kept = np.take_along_axis(groups, positions, axis=-1).reshape(len(array), array.shape[1] // GROUP * KEPT)
    return Sparse(kept, _packed(positions), fmt)


def _positions(groups: Integers, fmt: Format, keep: str | ArrayLike) -> NDArray[np.int64]:
    """The positions that are kept, shape (M, K/4, 2), increasing."""
    if isinstance(keep, str):
        check_choice("keep", keep, ("nonzero", "largest"), " or a mask")
        if keep == "largest":
            order = _magnitude_order(groups, fmt)
        else:
            nonzero = ~unpack(groups.reshape(-1), fmt).zero.reshape(groups.shape)
            _check_count(nonzero, "codes", "at most", lambda count: count <= KEPT, "codes that are not zero")
            order = ~nonzero
    else:
        mask = np.asarray(keep)
        if mask.dtype != bool:
            raise TypeError(f"keep must be an array of bool, not of {mask.dtype}")
        height, depth = groups.shape[0], groups.shape[1] * GROUP
        if mask.shape != (height, depth):
            raise ParameterError(f"keep must be of shape {(height, depth)}, not {mask.shape}")
        mask = mask.reshape(groups.shape)
        _check_count(mask, "keep", "exactly", lambda count: count == KEPT, "codes")
        order = ~mask
    # Stable: of equals the first.
    return np.sort(np.argsort(order, axis=-1, kind="stable")[..., :KEPT], axis=-1)


def _magnitude_order(groups: Integers, fmt: Format) -> Integers:
    """Numbers that are less the larger a code's magnitude is."""
    if isinstance(fmt, FloatFormat):
        # Magnitudes are in code order, infinity and NaN above them; a NaN in the place of -0 has magnitude code 0.
        magnitude = groups.astype(np.int64) & fmt.magnitude_mask
        if fmt.negative_zero == "nan":
            magnitude = np.where(groups == fmt.sign_mask, fmt.code_count, magnitude)
        return -magnitude
    value = unpack(groups.reshape(-1), fmt)
    if not fmt.is_integral:
        # By exponent, then by significand, of as many bits as the longest; zero is the least and NaN the largest.
        up = fmt.significand_bits - bit_length(value.magnitude)
        exponent, significand = value.exponent - up - fmt.lsb_exponent, value.magnitude << up.astype(np.uint64)
        place = (exponent + fmt.significand_bits << fmt.significand_bits) + significand.astype(np.int64)
        place = np.where(value.magnitude == 0, np.where(value.nan, np.iinfo(np.int64).max, 0), place)
        return -place.reshape(groups.shape)
    magnitude = value.magnitude.reshape(groups.shape)
    return -magnitude.astype(np.int64 if magnitude.dtype != object else object)


def _check_count(kept: Bools, argument: str, quantity: str, allowed: Any, what: str) -> None:
    counts = kept.sum(axis=-1)
    wrong = ~allowed(counts)
    if wrong.any():
        row, group = (int(index[0]) for index in np.nonzero(wrong))
        raise ParameterError(
            f"{argument} must have {quantity} {KEPT} {what} of each {GROUP}, "
            f"not {int(counts[row, group])} in group {group} of row {row}"
        )


def _packed(positions: NDArray[np.int64]) -> NDArray[np.uint32]:
    height, count = positions.shape[:2]
    words = -(-count // _GROUPS_PER_WORD)
    fields = np.zeros((height, words * _GROUPS_PER_WORD), np.uint32)
    fields[:, :count] = positions[..., 0] | positions[..., 1] << 2
    shifts = np.arange(_GROUPS_PER_WORD, dtype=np.uint32) * np.uint32(2 * KEPT)
    return np.bitwise_or.reduce(fields.reshape(height, words, _GROUPS_PER_WORD) << shifts, axis=-1)


def sparse_gemm(a: Sparse, b: ArrayLike, fb: str | Format, c: ArrayLike | None = None, **options: Any) -> Integers:
    """C = a @ b over the kept operands: a row's kept codes with the rows of b that they meet.

    Every result equals :func:`.gemm.gemm` with the same options on the K/2 kept products, in k order: beats and
    blocks count kept products only, and what b holds in the other rows, NaN included, does not matter. Where beats and
    blocks do not matter, and b is finite, that is ``gemm(a.expand(), b, …)``, the signs of zero sums apart.

    Parameters
    ----------
    a : Sparse
        Shape (M, K).
    b : array_like of int
        Codes of ``fb``, shape (K, N).
    c : array_like of int or None
        As in :func:`.gemm.gemm`.
    options
        Other options of :func:`.gemm.gemm`, except zero points: operands that were left out would not stand for zero.

    Raises
    ------
    TypeError, ParameterError
        ``a`` is not Sparse, its metadata is wrong, a zero point is given, or what :func:`.gemm.gemm` raises.

    Examples
    --------
    >>> kept = golden.compress([[0, 7, 0, 9]], "int8")
    >>> golden.sparse_gemm(kept, [[1], [2], [3], [4]], "int8")
    array([[50]])
    """
    if not isinstance(a, Sparse):
        raise TypeError(f"a must be Sparse, not {type(a).__name__}")
    for name in ("zero_a", "zero_b"):
        if options.get(name):
            raise ParameterError(f"{name} must be 0 for sparse operands, not {options[name]!r}")
    codes = as_codes("b", b, format(fb))
    if codes.ndim != 2 or codes.shape[0] != a.shape[1]:
        raise ParameterError(f"b must be ({a.shape[1]}, N) for an a of shape {a.shape}, not of shape {codes.shape}")
    addend = None if c is None else np.broadcast_to(np.asarray(c), (a.shape[0], codes.shape[1]))
    rows = [
        gemm(a.codes[m : m + 1], codes[columns], a.fmt, fb, None if addend is None else addend[m : m + 1], **options)
        for m, columns in enumerate(a.columns)
    ]
    # Without rows: the dtype of a product that has none.
    return np.concatenate(rows) if rows else gemm(a.codes, codes[: a.codes.shape[1]], a.fmt, fb, addend, **options)
