"""Cycle-accurate model of the weight-stationary systolic array."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike

from ..codec.codes import Bools, Integers, code_dtype
from ..formats import ParameterError
from .beat_arithmetic import Operand
from .output_stationary import BUFFER_BEATS, Log, SystolicArray, Trace, controls


class WeightStationary(SystolicArray):
    """c = a · B (+ p) for one vector a after another, on rows × cols processing elements that hold B.

    ``rows`` beats of `b` are a plane of weights, of rows × lanes by cols: beat r holds row r (cols × lanes elements).
    They load the shadow plane while the plane before works. A beat of `a` is a vector of rows × lanes elements; the
    first one of a tile moves the shadow plane in, ``a_last`` ends the tile. Every beat of `a` gives one beat of `c`, the
    vector's ``cols`` products with the plane as :class:`.beat_arithmetic.ArrayArithmetic` adds them up, row 0 first;
    ``c_last`` marks the result of the beat that had ``a_last``. The sums start empty or, in a beat with ``a_add``, from
    the beat of `p` that is taken with it: that is how more than rows × lanes products are added up, plane by plane. Exact
    sums have no `p`: until they are rounded they are not codes.

    Cycles: everything but the output buffer (BUFFER_BEATS beats) moves only in cycles in which the buffer is not
    full. Counting those, a beat of `a` taken in cycle n enters the buffer in cycle n + rows + cols + stages: ``latency``
    = rows + cols + stages + 1 cycles to ``c_valid`` where nothing stalls. The first beat of a tile is taken after the
    last beat of its plane, and the first beat of the next plane not before it, but possibly in the same cycle: with
    tiles of M >= rows beats the array never idles.

    Parameters and errors as in :class:`SystolicArray`.

    Examples
    --------
    >>> array = golden.WeightStationary(4, 4, a="fp16", b="fp16", acc=golden.Rounded("fp32"))
    >>> array.out.name
    'fp32'
    """

    def run(
        self,
        a_valid: ArrayLike,
        a_data: ArrayLike,
        a_last: ArrayLike,
        b_valid: ArrayLike,
        b_data: ArrayLike,
        c_ready: ArrayLike,
        reset: ArrayLike | None = None,
        *,
        a_scale: ArrayLike | None = None,
        b_scale: ArrayLike | None = None,
        a_add: ArrayLike | None = None,
        p_valid: ArrayLike | None = None,
        p_data: ArrayLike | None = None,
    ) -> Trace:
        """The outputs of T clock cycles from the state after a reset, as :meth:`.output_stationary.OutputStationary.run`.

        Parameters
        ----------
        a_valid, a_last, b_valid, c_ready, reset : array_like of bool
            One for each cycle, shape (T,); no ``reset`` means never.
        a_data, b_data : array_like of int
            Codes of the elements, shapes (T, rows, lanes) and (T, cols, lanes).
        a_scale, b_scale : array_like of int
            For block formats, codes of the scales, shapes (T, rows, scales of a beat) and (T, cols, scales of a beat).
        a_add, p_valid : array_like of bool
            Shape (T,): whether the beat of a takes partial sums, and whether some are offered; None means never.
        p_data : array_like of int
            Codes of the partial sums, shape (T, cols).

        Raises
        ------
        TypeError
            Data are not integers, or controls not boolean.
        ParameterError
            Shapes do not match, a code is out of range, or partial sums are given for exact ones.
        """
        takes_sums = self.arithmetic.takes_partial_sums
        for name, values in (("a_add", a_add), ("p_valid", p_valid), ("p_data", p_data)):
            if values is not None and not takes_sums:
                raise ParameterError(
                    f"{name} must be None for exact sums, which are no codes while they grow, not given"
                )
        valid, last, b_valid, ready, cleared, add, p_valid = controls(
            a_valid=a_valid, a_last=a_last, b_valid=b_valid, c_ready=c_ready, reset=reset, a_add=a_add, p_valid=p_valid
        )
        cycles = len(valid)
        a, b = self._operands(cycles, (a_data, a_scale), (b_data, b_scale))
        shape = (cycles, self.cols)
        sums = self.arithmetic.partial_sums(np.zeros(shape, np.uint8) if p_data is None else p_data, shape)
        log, tiles, p_ready = self._control(valid, last, add, b_valid, p_valid, ready, cleared)
        results = np.zeros((sum(len(tile.vectors) for tile in tiles), self.cols), code_dtype(self.out))
        start = 0
        for tile in tiles:
            end = start + len(tile.vectors)
            results[start:end] = self._tile(a, b, sums, tile, np.array(add))
            start = end
        return self._trace(log, results, p_ready if takes_sums else None)

    def _control(
        self,
        valid: list[bool],
        last: list[bool],
        add: list[bool],
        b_valid: list[bool],
        p_valid: list[bool],
        ready: list[bool],
        cleared: list[bool],
    ) -> tuple[Log, list[_Tile], Bools]:
        """The handshakes, and the tiles: cycles in which their planes and vectors were taken."""
        log, state = Log(), _State()
        tiles: list[_Tile] = []
        p_ready = np.zeros(len(valid), bool)
        vectors = 0
        depth = self.rows + self.cols + self.stages
        inputs = zip(valid, last, add, b_valid, p_valid, ready, cleared, strict=True)
        for cycle, (a_offered, ends, adds, b_offered, p_offered, c_taken, clear) in enumerate(inputs):
            advance = len(state.buffer) < BUFFER_BEATS
            accept = advance and (state.inside or len(state.plane) == self.rows)
            a_ready = accept and (p_offered or not adds)
            p_ready[cycle] = accept and a_offered and adds
            swap = a_ready and a_offered and not state.inside
            b_ready = advance and (len(state.plane) < self.rows or swap)
            log.cycle(a_ready, b_ready, state.buffer)
            if clear:
                state = _State()
                continue
            if state.buffer and c_taken:
                state.buffer.popleft()
            if not advance:
                continue
            if swap:
                tiles.append(_Tile(state.plane))
                state.plane = []
            if a_ready and a_offered:
                tiles[-1].vectors.append(cycle)
                state.leaving.append((state.advances + depth, vectors, ends))
                state.inside = not ends
                vectors += 1
            if b_ready and b_offered:
                state.plane.append(cycle)
            if state.leaving and state.leaving[0][0] == state.advances:
                _, vector, ended = state.leaving.popleft()
                state.buffer.append((vector, ended))
            state.advances += 1
        return log, tiles, p_ready

    def _tile(self, a: Operand, b: Operand, sums: Integers, tile: _Tile, add: Bools) -> Integers:
        """The results of a tile's vectors, one in each row."""
        height = len(tile.vectors)
        left = a.map(lambda codes: codes[tile.vectors].reshape(height, -1))
        right = b.map(lambda codes: codes[tile.plane].transpose(0, 2, 1).reshape(-1, self.cols))
        results = self.arithmetic.product(left, right)
        going_on = np.flatnonzero(add[tile.vectors])
        if len(going_on):
            part = left.map(lambda codes: codes[going_on])
            results[going_on] = self.arithmetic.product(part, right, sums[tile.vectors][going_on])
        return results


@dataclass
class _Tile:
    """The cycles in which the beats of a plane, and the vectors that meet it, were taken."""

    plane: list[int]
    vectors: list[int] = field(default_factory=list)


class _State:
    """The registers of the array."""

    def __init__(self) -> None:
        self.advances = 0
        #: Cycles in which beats of the shadow plane were taken.
        self.plane: list[int] = []
        #: Whether a tile has begun and not ended.
        self.inside = False
        #: Vectors under way: the advance cycle in which each one's result enters the buffer, its number, and ``last``.
        self.leaving: deque[tuple[int, int, bool]] = deque()
        self.buffer: deque[tuple[int, bool]] = deque()
