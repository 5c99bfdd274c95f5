"""Operand streams as bits of ports, and uniform codes; other streams are made by whoever calls."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ...golden.formats import ParameterError, check_int

_SHORT = 63


def uniform_codes(width: int, count: int, seed: int = 0) -> NDArray[np.object_] | NDArray[np.int64]:
    """Codes of a port, each of the 2^width equally likely and independent of the others.

    Parameters
    ----------
    width : int
        The port's, at least 1.
    count : int
        How many codes, at least 1.
    seed : int
        The same seed gives the same codes.

    Returns
    -------
    array of shape (count,)
        int64 for up to 63 bits, else Python integers.

    Examples
    --------
    >>> uniform_codes(4, 3, seed=1)
    array([ 7,  8, 12])
    """
    check_int("width", width, 1)
    check_int("count", count, 1)
    generator = np.random.default_rng(seed)
    if width <= _SHORT:
        return generator.integers(0, 1 << width, count, dtype=np.int64, endpoint=False)
    data = generator.bytes(count * ((width + 7) // 8))
    size = len(data) // count
    mask = (1 << width) - 1
    return np.array([int.from_bytes(data[i * size : (i + 1) * size], "little") & mask for i in range(count)], object)


def port_bits(streams: Mapping[str, ArrayLike], widths: Mapping[str, int]) -> NDArray[np.uint8]:
    """The bits of all ports, in the order of ``widths``, least significant first: (cycles, bits).

    Values are codes, or negative numbers in two's complement. A stream of one value holds for all cycles.

    Raises
    ------
    ParameterError
        A stream is missing, not of a port, not of integers that fit, or of another length.
    """
    missing = [name for name in widths if name not in streams]
    if missing:
        raise ParameterError(f"streams must hold a value of each input for each cycle, not leave out {missing[0]!r}")
    for name in streams:
        if name not in widths:
            raise ParameterError(f"streams must be of inputs ({', '.join(widths)}), not of {name!r}")
    values = {name: np.atleast_1d(np.asarray(streams[name])) for name in widths}
    cycles = max((len(item) for item in values.values()), default=0)
    if not cycles:
        raise ParameterError("streams must hold at least one cycle, not none")
    parts = [np.zeros((cycles, 0), np.uint8)]
    for name, width in widths.items():
        if values[name].ndim != 1 or len(values[name]) not in (1, cycles):
            raise ParameterError(
                f"stream {name!r} must be of one dimension and {cycles} cycles as the others, not of shape "
                f"{values[name].shape}"
            )
        parts.append(np.broadcast_to(_bits(name, values[name], width), (cycles, width)))
    return np.concatenate(parts, axis=1)


def _bits(name: str, values: NDArray[np.generic], width: int) -> NDArray[np.uint8]:
    if values.dtype.kind not in "iubO" or not all(isinstance(item, int | np.integer) for item in values[:1]):
        raise ParameterError(f"stream {name!r} must be integers, not {values.dtype}")
    least, most = int(min(values)), int(max(values))
    if least < -(1 << (width - 1)) or most >= 1 << width:
        bad = least if least < -(1 << (width - 1)) else most
        raise ParameterError(f"stream {name!r} must be codes of {width} bits, not {bad}")
    if width <= _SHORT:
        short = values.astype(np.int64)
        return (short[:, None] >> np.arange(width) & 1).astype(np.uint8)
    size = (width + 7) // 8
    mask = (1 << width) - 1
    data = b"".join((int(item) & mask).to_bytes(size, "little") for item in values)
    packed = np.frombuffer(data, np.uint8).reshape(len(values), size)
    return np.unpackbits(packed, axis=1, bitorder="little")[:, :width]
