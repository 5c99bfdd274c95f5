"""Products of one-bit matrices: XNOR and popcount on packed bits."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..codec.codes import Integers, as_codes, as_integers
from ..formats import FORMATS, ParameterError, check_int

_WORD_BITS = 64
#: Words of a tile of results that stays in the cache.
_TILE_WORDS = 1 << 14


def pack_bits(codes: ArrayLike) -> NDArray[np.uint64]:
    """Codes of bin1 along the last axis, 64 to a word: code k is bit k mod 64 of word k // 64; the rest are zeros.

    Raises
    ------
    TypeError
        ``codes`` are not integers.
    ParameterError
        A code is neither 0 nor 1, or there is no axis.

    Examples
    --------
    >>> golden.pack_bits([1, 0, 1, 1])
    array([13], dtype=uint64)
    """
    array = as_codes("codes", codes, FORMATS["bin1"])
    if not array.ndim:
        raise ParameterError("codes must have at least one dimension, not shape ()")
    words = -(-array.shape[-1] // _WORD_BITS)
    packed = np.packbits(array, axis=-1, bitorder="little")
    octets = np.zeros((*array.shape[:-1], words * _WORD_BITS // 8), np.uint8)
    octets[..., : packed.shape[-1]] = packed
    return octets.view("<u8").astype(np.uint64, copy=False)


def xnor_gemm(a: ArrayLike, b: ArrayLike, depth: int) -> NDArray[np.int64]:
    """C[m, n] = Σ_k a[m, k] · b[n, k] for factors of -1 and +1, as K - 2 · popcount(a xor b).

    The same as ``gemm`` for two bin1 operands.

    Parameters
    ----------
    a, b : array_like of int
        Words of :func:`pack_bits`, shapes (M, W) and (N, W): both operands run along their last axis.
    depth : int
        K, the number of factors in W words.

    Raises
    ------
    TypeError
        The words or ``depth`` are not integers.
    ParameterError
        The shapes do not match, ``depth`` needs another number of words, or bits beyond it are not zero.

    Examples
    --------
    >>> a, b = golden.pack_bits([[1, 1, 0]]), golden.pack_bits([[1, 0, 0], [0, 0, 1]])
    >>> golden.xnor_gemm(a, b, depth=3)
    array([[ 1, -3]])
    """
    left, right = _words("a", a), _words("b", b)
    depth = check_int("depth", depth, 0)
    words = -(-depth // _WORD_BITS)
    if left.shape[1] != words or right.shape[1] != words:
        raise ParameterError(
            f"a and b must be (M, {words}) and (N, {words}) for depth {depth}, not {left.shape} and {right.shape}"
        )
    unused = np.uint64((1 << _WORD_BITS) - (1 << (depth % _WORD_BITS or _WORD_BITS)))
    for argument, array in (("a", left), ("b", right)):
        if words and (array[:, -1] & unused).any():
            raise ParameterError(f"{argument} must be zero in the bits beyond depth {depth}")
    columns = np.ascontiguousarray(right.T)
    result = np.empty((len(left), len(right)), np.int64)
    step = max(1, _TILE_WORDS // max(len(right), 1))
    for start in range(0, len(left), step):
        rows = left[start : start + step]
        different = np.empty((len(rows), len(right)), np.uint64)
        bits, total = np.empty(different.shape, np.uint8), np.zeros(different.shape, np.uint32)
        for word in range(words):
            np.bitwise_xor(rows[:, word, None], columns[word], out=different)
            np.bitwise_count(different, out=bits)
            total += bits
        result[start : start + step] = depth - 2 * total.astype(np.int64)
    return result


def _words(argument: str, words: ArrayLike) -> Integers:
    array = as_integers(argument, words)
    if array.dtype != np.uint64:
        raise TypeError(f"{argument} must be words of uint64, not of {array.dtype}")
    if array.ndim != 2:
        raise ParameterError(f"{argument} must be a matrix, not of shape {array.shape}")
    return array
