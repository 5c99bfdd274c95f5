"""Packed vectors: many codes in one wide word, element 0 in the least significant bits, as little-endian bytes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ...golden.codec.codes import as_codes, code_dtype
from ...golden.formats import Format, ParameterError, check_int, fixed_point

Bytes = NDArray[np.uint8]


def port_format(width: int) -> Format:
    """The bits of a port as a format: an unsigned integer of its width."""
    return fixed_point(width, signed=False)


def packed_bytes(elements: int, width: int) -> int:
    """How many bytes hold ``elements`` codes of ``width`` bits each."""
    return (elements * width + 7) // 8


def byte_rows(values: Iterable[int], size: int) -> Bytes:
    """Integers as rows of ``size`` bytes, (n, size)."""
    return np.frombuffer(b"".join(int(value).to_bytes(size, "little") for value in values), np.uint8).reshape(-1, size)


def pack(codes: ArrayLike, width: int) -> Bytes:
    """Pack rows of codes of ``width`` bits without gaps.

    Parameters
    ----------
    codes : array of integers, (n, elements)
        Unsigned codes.
    width : int
        Bits of each code.

    Returns
    -------
    array of uint8, (n, ceil(elements * width / 8))
        Bit i of a row is bit ``i % width`` of element ``i // width``; bits beyond the last element are 0.

    Raises
    ------
    TypeError
        The codes are not integers.
    ParameterError
        One of them is out of range, or the array has not two dimensions.
    """
    check_int("width", width, 1)
    array = as_codes("codes", codes, port_format(width))
    if array.ndim != 2:
        raise ParameterError(f"codes must be an array of 2 dimensions, not {array.ndim}")
    rows, elements = array.shape
    if array.dtype.kind == "O":
        words = (sum(code << (place * width) for place, code in enumerate(row)) for row in array.tolist())
        return byte_rows(words, packed_bytes(elements, width))
    array = np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("<"))
    as_bytes = array.view(np.uint8).reshape(rows, elements, array.dtype.itemsize)
    if width % 8 == 0:
        return np.ascontiguousarray(as_bytes[:, :, : width // 8]).reshape(rows, elements * width // 8)
    bits = np.unpackbits(as_bytes, axis=2, bitorder="little", count=width)
    return np.packbits(bits.reshape(rows, elements * width), axis=1, bitorder="little")


def unpack(beats: NDArray[Any], width: int, elements: int) -> NDArray[Any]:
    """The codes in packed rows, the inverse of :func:`pack`.

    Parameters
    ----------
    beats : array of uint8, (n, ceil(elements * width / 8))
        Packed rows.
    width : int
        Bits of each code.
    elements : int
        Codes in each row.

    Returns
    -------
    array of the least unsigned dtype that holds ``width`` bits (Python integers above 64), (n, elements)

    Raises
    ------
    ParameterError
        The rows are not bytes, or not as many as the elements need.
    """
    check_int("width", width, 1)
    check_int("elements", elements, 1)
    size = packed_bytes(elements, width)
    if beats.dtype != np.uint8 or beats.ndim != 2 or beats.shape[1] != size:
        raise ParameterError(f"beats must be uint8 of shape (n, {size}), not {beats.dtype} of shape {beats.shape}")
    rows = beats.shape[0]
    dtype = code_dtype(port_format(width))
    if dtype.kind == "O":
        words = [int.from_bytes(row.tobytes(), "little") for row in beats]
        codes = [[word >> (place * width) & ((1 << width) - 1) for place in range(elements)] for word in words]
        return np.array(codes, object).reshape(rows, elements)
    as_bytes = np.zeros((rows, elements, dtype.itemsize), np.uint8)
    if width % 8 == 0:
        as_bytes[:, :, : width // 8] = beats.reshape(rows, elements, width // 8)
    else:
        bits = np.unpackbits(beats, axis=1, bitorder="little", count=elements * width)
        packed = np.packbits(bits.reshape(rows, elements, width), axis=2, bitorder="little")
        as_bytes[:, :, : packed.shape[2]] = packed
    return as_bytes.view(dtype.newbyteorder("<")).reshape(rows, elements).astype(dtype, copy=False)


def operand_pairs(a_width: int, b_width: int, chunk: int = 1 << 20) -> Iterator[tuple[NDArray[Any], NDArray[Any]]]:
    """Every pair of codes of two widths, in chunks: b counts fastest.

    Parameters
    ----------
    a_width, b_width : int
        Bits of the codes, 1 … 32.
    chunk : int
        The most pairs in a chunk.

    Yields
    ------
    a, b : arrays of the least unsigned dtypes, of the same length
    """
    check_int("a_width", a_width, 1, 32)
    check_int("b_width", b_width, 1, 32)
    check_int("chunk", chunk, 1)
    a_dtype, b_dtype = code_dtype(port_format(a_width)), code_dtype(port_format(b_width))
    pairs = 1 << (a_width + b_width)
    for start in range(0, pairs, chunk):
        index = np.arange(start, min(start + chunk, pairs), dtype=np.uint64)
        yield (
            (index >> np.uint64(b_width)).astype(a_dtype),
            (index & np.uint64((1 << b_width) - 1)).astype(b_dtype),
        )
