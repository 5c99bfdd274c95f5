"""A GEMM of any size through a generated array, on the native simulator."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import golden, hdl
from ..golden.formats import ParameterError
from .native import Model
from .packing import pack, unpack
from .streams import Sink, Source, run_streams


@dataclass(frozen=True)
class GemmRun:
    """The result of :func:`gemm`: C (M, N) as integers, clock cycles, and useful products over products possible."""

    c: NDArray[np.int64]
    cycles: int
    utilization: float


def gemm(unit: hdl.Array, model: Model, a: NDArray[Any], b: NDArray[Any]) -> GemmRun:
    """C = A · B of codes (M, K) and (K, N), in tiles of rows × cols over the whole inner dimension.

    Missing rows and columns of the last tiles are filled with zeros, as is K up to a multiple of ``lanes``.

    Parameters
    ----------
    unit, model : Array, Model
        The array, and the model built of its design.
    a, b : arrays of int
        Codes of the array's operand formats.

    Raises
    ------
    ParameterError
        The inner dimensions differ.
    """
    if a.ndim != 2 or b.ndim != 2 or a.shape[1] != b.shape[0]:
        raise ParameterError(f"a and b must be of shapes (M, K) and (K, N), not {a.shape} and {b.shape}")
    how, rows, cols = unit.accumulation, unit.rows, unit.cols
    (m, k), n = a.shape, b.shape[1]
    down, across, beats = -(-m // rows), -(-n // cols), -(-k // how.lanes)
    padded_a = np.zeros((down * rows, beats * how.lanes), a.dtype)
    padded_b = np.zeros((beats * how.lanes, across * cols), b.dtype)
    padded_a[:m, :k], padded_b[:k, :n] = a, b
    # One beat for each step of the inner dimension of each tile: (down, across, beats, elements of the bus).
    tiles_a = padded_a.reshape(down, rows, beats, how.lanes).transpose(0, 2, 1, 3).reshape(down, 1, beats, -1)
    tiles_b = padded_b.reshape(beats, how.lanes, across, cols).transpose(2, 0, 3, 1).reshape(1, across, beats, -1)
    stream_a = np.broadcast_to(tiles_a, (down, across, *tiles_a.shape[2:])).reshape(-1, rows * how.lanes)
    stream_b = np.broadcast_to(tiles_b, (down, across, *tiles_b.shape[2:])).reshape(-1, cols * how.lanes)
    last = np.zeros((down * across, beats), bool)
    last[:, -1] = True
    run = run_streams(
        model,
        {"a": Source(pack(stream_a, how.a.width), last.ravel()), "b": Source(pack(stream_b, how.b.width))},
        {"c": Sink(down * across * rows)},
    )
    codes = unpack(run.streams["c"].data, how.acc.width, cols).reshape(down, across, rows, cols)
    c = codes.transpose(0, 2, 1, 3).reshape(down * rows, across * cols)[:m, :n]
    used = m * k * n / (run.cycles * rows * cols * how.lanes)
    return GemmRun(np.asarray(golden.to_int(c, how.acc)), run.cycles, used)
