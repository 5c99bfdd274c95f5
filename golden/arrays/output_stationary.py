"""Cycle-accurate model of the output-stationary systolic array: streams in, beat by beat; streams out, and when."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..codec.codes import Bools, Integers, code_dtype
from ..formats import Format, ParameterError, check_int
from ..formats.accumulation import Accumulation
from ..formats.block import BlockFormat
from .beat_arithmetic import ArrayArithmetic, Operand

#: Beats that the output buffer holds.
BUFFER_BEATS = 2


@dataclass(frozen=True)
class Trace:
    """What the array drives in each clock cycle: arrays whose first axis is the cycle.

    ``c_last`` is False and ``c_data`` 0 in cycles without ``c_valid``, where the hardware leaves them unspecified.
    ``p_ready`` is None where there is no stream of partial sums.
    """

    a_ready: Bools
    b_ready: Bools
    c_valid: Bools
    c_last: Bools
    c_data: Integers
    p_ready: Bools | None = None


class SystolicArray:
    """What the models of both dataflows have in common: parameters, checks, and the arithmetic.

    Parameters
    ----------
    rows, cols, lanes : int
        Shape of the array and products per processing element and beat, at least 1.
    a, b : str, Format or BlockFormat
        Formats of the operands: fixed-point or binary for integers, any for a style.
    acc : str, Format, Exact, Rounded or Aligned
        Integers: fixed-point format of the accumulators, with as many fraction bits as the products. Else the accumulation.
    out : str or Format, optional
        Style: format of the results; default as in :func:`.dot.dot`.
    overflow : str
        Integers: "wrap" or "saturate".
    stages : int
        Pipeline registers between the operands and the accumulator of a processing element.

    Raises
    ------
    TypeError, ParameterError
        A parameter is of the wrong type, or out of range.
    """

    def __init__(
        self,
        rows: int,
        cols: int,
        lanes: int = 1,
        *,
        a: str | Format | BlockFormat,
        b: str | Format | BlockFormat,
        acc: str | Format | Accumulation | None = None,
        out: str | Format | None = None,
        overflow: str = "wrap",
        stages: int = 0,
    ) -> None:
        self.rows = check_int("rows", rows, 1)
        self.cols = check_int("cols", cols, 1)
        self.stages = check_int("stages", stages, 0)
        self.arithmetic = ArrayArithmetic.make(a, b, lanes, acc, out, overflow)
        self.lanes = lanes

    @property
    def out(self) -> Format:
        """Format of the results."""
        return self.arithmetic.out

    @property
    def latency(self) -> int:
        """Cycles from an operand beat to the result beat that it completes, where nothing stalls."""
        return self.rows + self.cols + self.stages + 1

    def _operands(
        self, cycles: int, a: tuple[ArrayLike, ArrayLike | None], b: tuple[ArrayLike, ArrayLike | None]
    ) -> tuple[Operand, Operand]:
        """The beats of a and b, checked: codes and scales."""
        arithmetic = self.arithmetic
        return arithmetic.beats("a", *a, arithmetic.a, (cycles, self.rows)), arithmetic.beats(
            "b", *b, arithmetic.b, (cycles, self.cols)
        )

    def _trace(self, log: Log, results: Integers, p_ready: Bools | None = None) -> Trace:
        """The trace of a run whose beats of C are the rows of ``results``."""
        shown = np.array(log.shown, np.intp)
        valid = shown >= 0
        data = np.zeros((len(shown), self.cols), code_dtype(self.out))
        data[valid] = results[shown[valid]]
        a_ready, b_ready, last = (np.array(bits, bool) for bits in (log.a_ready, log.b_ready, log.last))
        return Trace(a_ready, b_ready, valid, last, data, p_ready)


class Log:
    """What the control of an array does in every cycle, and the output buffer: beats of C by their number."""

    def __init__(self) -> None:
        self.a_ready: list[bool] = []
        self.b_ready: list[bool] = []
        #: The beat of C that is offered, -1 where none is, and whether it is the last one of a tile.
        self.shown: list[int] = []
        self.last: list[bool] = []

    def cycle(self, a_ready: bool, b_ready: bool, buffer: deque[tuple[int, bool]]) -> None:
        """The outputs of one cycle."""
        self.a_ready.append(a_ready)
        self.b_ready.append(b_ready)
        beat, last = buffer[0] if buffer else (-1, False)
        self.shown.append(beat)
        self.last.append(last)


class OutputStationary(SystolicArray):
    """C = A · B on rows × cols processing elements, one tile of C after another.

    A beat of `a` is column k of A (rows × lanes elements), a beat of `b` row k of B (cols × lanes); they are taken
    together, and ``a_last`` ends the inner dimension. Each accumulator starts empty and adds ``lanes`` products per
    beat as :class:`.beat_arithmetic.ArrayArithmetic` says. The tile leaves as ``rows`` beats of ``cols`` results, row 0
    first, ``c_last`` on the last.

    Cycles: everything but the output buffer (BUFFER_BEATS beats) moves only in cycles in which the buffer is not
    full. Counting those, a tile whose last beat is taken in cycle n enters the buffer in cycles n + rows + cols +
    stages + r, r = 0 … rows - 1: ``latency`` = rows + cols + stages + 1 cycles from the last operand beat to
    ``c_valid`` where nothing stalls. Since a tile takes ``rows`` such cycles to leave, ``a_last`` is not taken sooner
    than ``rows`` of them after the one before; with K >= rows the array never idles.

    Parameters and errors as in :class:`SystolicArray`.

    Examples
    --------
    >>> array = golden.OutputStationary(1, 1, a="int8", b="int8", acc="int32")
    >>> first, ready = [True] + [False] * 4, [True] * 5
    >>> trace = array.run(first, [[[3]]] * 5, first, first, [[[7]]] * 5, ready)
    >>> np.flatnonzero(trace.c_valid), trace.c_data[trace.c_valid]
    (array([3]), array([[21]], dtype=uint32))
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
    ) -> Trace:
        """The outputs of T clock cycles, starting from the state after a reset.

        A cycle's outputs follow from the state and that cycle's inputs, also while ``reset`` is set; at its end reset
        clears all state, and what was transferred in it is lost.

        Parameters
        ----------
        a_valid, a_last, b_valid, c_ready, reset : array_like of bool
            One for each cycle, shape (T,); no ``reset`` means never.
        a_data, b_data : array_like of int
            Codes of the elements, shapes (T, rows, lanes) and (T, cols, lanes).
        a_scale, b_scale : array_like of int
            For block formats, codes of the scales, shapes (T, rows, scales of a beat) and (T, cols, scales of a beat).

        Raises
        ------
        TypeError
            Data are not integers, or controls not boolean.
        ParameterError
            Shapes do not match, or a code is out of range.
        """
        valid, last, b_valid, ready, cleared = controls(
            a_valid=a_valid, a_last=a_last, b_valid=b_valid, c_ready=c_ready, reset=reset
        )
        a, b = self._operands(len(valid), (a_data, a_scale), (b_data, b_scale))
        log, tiles = self._control(valid, last, b_valid, ready, cleared)
        results = [self._tile(a, b, beats) for beats in tiles]
        return self._trace(log, np.concatenate(results or [np.zeros((0, self.cols), code_dtype(self.out))]))

    def _control(
        self, valid: list[bool], last: list[bool], b_valid: list[bool], ready: list[bool], cleared: list[bool]
    ) -> tuple[Log, list[list[int]]]:
        """The handshakes, and for each tile whose last beat was taken the cycles of its beats."""
        log, state = Log(), _State()
        tiles: list[list[int]] = []
        depth = self.rows + self.cols + self.stages
        inputs = zip(valid, last, b_valid, ready, cleared, strict=True)
        for cycle, (a_offered, ends, b_offered, c_taken, clear) in enumerate(inputs):
            advance = len(state.buffer) < BUFFER_BEATS
            accept = advance and not (ends and state.gap)
            log.cycle(accept and b_offered, accept and a_offered, state.buffer)
            if clear:
                state = _State()
                continue
            if state.buffer and c_taken:
                state.buffer.popleft()
            if not advance:
                continue
            state.gap = max(state.gap - 1, 0)
            if accept and a_offered and b_offered:
                state.beats.append(cycle)
                if ends:
                    state.gap = self.rows - 1
                    state.leaving.append((state.advances + depth, len(tiles)))
                    tiles.append(state.beats)
                    state.beats = []
            self._push(state)
            state.advances += 1
        return log, tiles

    def _tile(self, a: Operand, b: Operand, beats: list[int]) -> Integers:
        """The (rows, cols) results of the beats taken in those cycles."""

        def left(codes: Integers) -> Integers:
            return codes[beats].transpose(1, 0, 2).reshape(self.rows, -1)

        def right(codes: Integers) -> Integers:
            return codes[beats].transpose(0, 2, 1).reshape(-1, self.cols)

        return self.arithmetic.product(a.map(left), b.map(right))

    def _push(self, state: _State) -> None:
        """Move the row that is due in this cycle, if any, into the buffer."""
        if not state.leaving:
            return
        due, tile = state.leaving[0]
        row = state.advances - due
        if row >= 0:
            ends = row == self.rows - 1
            state.buffer.append((tile * self.rows + row, ends))
            if ends:
                state.leaving.popleft()


class _State:
    """The registers of the array."""

    def __init__(self) -> None:
        self.advances = 0
        self.gap = 0
        #: Cycles in which beats of the tile that has not ended were taken.
        self.beats: list[int] = []
        #: Tiles under way: the advance cycle in which row 0 enters the buffer, and the tile's number.
        self.leaving: deque[tuple[int, int]] = deque()
        self.buffer: deque[tuple[int, bool]] = deque()


def controls(**named: ArrayLike | None) -> list[list[bool]]:
    """Checked control bits of every cycle, as many as the first has; None means never.

    They are Python's own booleans: a NumPy scalar costs several times as much in each of the many tests.
    """
    cycles: int | None = None
    found = []
    for name, values in named.items():
        array: NDArray[np.bool_] = np.zeros(cycles or 0, bool) if values is None else np.asarray(values)
        if array.dtype != bool:
            raise TypeError(f"{name} must be an array of bool, not of {array.dtype}")
        if array.ndim != 1 or cycles not in (None, len(array)):
            raise ParameterError(f"{name} must be of shape ({'T' if cycles is None else cycles},), not {array.shape}")
        cycles = len(array)
        found.append(array.tolist())
    return found
