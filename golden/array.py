"""Cycle-accurate model of the output-stationary systolic array: streams in, beat by beat; streams out, and when."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .codes import Bools, Integers, as_codes, check_integral, code_dtype
from .formats import FIXED_OVERFLOWS, Format, ParameterError, check_int, choose, format
from .gemm import check_accumulator, gemm

#: Beats that the output buffer holds.
BUFFER_BEATS = 2


@dataclass(frozen=True)
class Trace:
    """What the array drives in each clock cycle: arrays whose first axis is the cycle.

    ``c_last`` is False and ``c_data`` 0 in cycles without ``c_valid``, where the hardware leaves them unspecified.
    """

    a_ready: Bools
    b_ready: Bools
    c_valid: Bools
    c_last: Bools
    c_data: Integers


class OutputStationary:
    """C = A · B on rows × cols processing elements, one tile of C after another.

    A beat of `a` is column k of A (rows × lanes elements), a beat of `b` row k of B (cols × lanes); they are taken
    together, and ``a_last`` ends the inner dimension. Each accumulator starts at 0 and adds the exact sum of ``lanes``
    products per beat, then wraps or saturates. The tile leaves as ``rows`` beats of ``cols`` accumulators, row 0
    first, ``c_last`` on the last.

    Cycles: everything but the output buffer (BUFFER_BEATS beats) moves only in cycles in which the buffer is not
    full. Counting those, a tile whose last beat is taken in cycle n enters the buffer in cycles n + rows + cols +
    stages + r, r = 0 … rows - 1: ``latency`` = rows + cols + stages + 1 cycles from the last operand beat to
    ``c_valid`` where nothing stalls. Since a tile takes ``rows`` such cycles to leave, ``a_last`` is not taken sooner
    than ``rows`` of them after the one before; with K >= rows the array never idles.

    Parameters
    ----------
    rows, cols, lanes : int
        Shape of the array and products per processing element and beat, at least 1.
    a, b : str or Format
        Fixed-point or binary formats of the operands.
    acc : str or Format
        Fixed-point format of the accumulators, with as many fraction bits as the products.
    overflow : str
        "wrap" or "saturate".
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
        a: str | Format,
        b: str | Format,
        acc: str | Format,
        overflow: str = "wrap",
        stages: int = 0,
    ) -> None:
        self.rows = check_int("rows", rows, 1)
        self.cols = check_int("cols", cols, 1)
        self.lanes = check_int("lanes", lanes, 1)
        self.stages = check_int("stages", stages, 0)
        self.a, self.b = check_integral("a", format(a)), check_integral("b", format(b))
        self.acc = check_accumulator(acc, self.a, self.b)
        self.overflow = choose("overflow", overflow, FIXED_OVERFLOWS)

    @property
    def latency(self) -> int:
        """Cycles from the last operand beat of a tile to its first result beat, where nothing stalls."""
        return self.rows + self.cols + self.stages + 1

    def run(
        self,
        a_valid: ArrayLike,
        a_data: ArrayLike,
        a_last: ArrayLike,
        b_valid: ArrayLike,
        b_data: ArrayLike,
        c_ready: ArrayLike,
        reset: ArrayLike | None = None,
    ) -> Trace:
        """The outputs of T clock cycles, starting from the state after a reset.

        A cycle's outputs follow from the state and that cycle's inputs, also while ``reset`` is set; at its end reset
        clears all state, and what was transferred in it is lost.

        Parameters
        ----------
        a_valid, a_last, b_valid, c_ready, reset : array_like of bool
            One for each cycle, shape (T,); no ``reset`` means never.
        a_data : array_like of int
            Codes, shape (T, rows, lanes).
        b_data : array_like of int
            Codes, shape (T, cols, lanes).

        Raises
        ------
        TypeError
            Data are not integers, or controls not boolean.
        ParameterError
            Shapes do not match, or a code is out of range.
        """
        valid = _control("a_valid", a_valid, None)
        cycles = len(valid)
        controls = {"a_last": a_last, "b_valid": b_valid, "c_ready": c_ready}
        last, b_valid, ready = (_control(name, values, cycles) for name, values in controls.items())
        cleared = _control("reset", np.zeros(cycles, bool) if reset is None else reset, cycles)
        a_beats = self._beats("a_data", a_data, self.a, (cycles, self.rows, self.lanes))
        b_beats = self._beats("b_data", b_data, self.b, (cycles, self.cols, self.lanes))

        a_ready, b_ready, c_valid, c_last = np.zeros((4, cycles), bool)
        trace = Trace(a_ready, b_ready, c_valid, c_last, np.zeros((cycles, self.cols), code_dtype(self.acc)))
        state = _State()
        # Python's own booleans: a NumPy scalar costs several times as much in each of the many tests.
        inputs = zip(valid.tolist(), last.tolist(), b_valid.tolist(), ready.tolist(), cleared.tolist(), strict=True)
        for cycle, (a_offered, ends, b_offered, c_taken, clear) in enumerate(inputs):
            advance = len(state.buffer) < BUFFER_BEATS
            accept = advance and not (ends and state.gap)
            trace.a_ready[cycle] = accept and b_offered
            trace.b_ready[cycle] = accept and a_offered
            if state.buffer:
                trace.c_valid[cycle] = True
                trace.c_data[cycle], trace.c_last[cycle] = state.buffer[0]
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
                    due = state.advances + self.rows + self.cols + self.stages
                    state.leaving.append((due, self._tile(a_beats[state.beats], b_beats[state.beats])))
                    state.beats = []
            self._push(state)
            state.advances += 1
        return trace

    def _tile(self, a_beats: Integers, b_beats: Integers) -> Integers:
        """The (rows, cols) codes of the accumulators after the given beats."""
        left = a_beats.transpose(1, 0, 2).reshape(self.rows, -1)
        right = b_beats.transpose(0, 2, 1).reshape(-1, self.cols)
        return gemm(left, right, self.a, self.b, acc=self.acc, overflow=self.overflow, lanes=self.lanes)

    def _push(self, state: _State) -> None:
        """Move the row that is due in this cycle, if any, into the buffer."""
        if not state.leaving:
            return
        due, tile = state.leaving[0]
        row = state.advances - due
        if row >= 0:
            ends = row == self.rows - 1
            state.buffer.append((tile[row], ends))
            if ends:
                state.leaving.popleft()

    def _beats(self, argument: str, data: ArrayLike, fmt: Format, shape: tuple[int, ...]) -> Integers:
        beats = as_codes(argument, data, fmt)
        if beats.shape != shape:
            raise ParameterError(f"{argument} must be of shape {shape}, not {beats.shape}")
        return beats


class _State:
    """The registers of the array."""

    def __init__(self) -> None:
        self.advances = 0
        self.gap = 0
        #: Cycles in which beats of the tile that has not ended were taken.
        self.beats: list[int] = []
        #: Tiles under way: the advance cycle in which row 0 enters the buffer, and the accumulators' codes.
        self.leaving: deque[tuple[int, Integers]] = deque()
        self.buffer: deque[tuple[Integers, bool]] = deque()


def _control(argument: str, values: ArrayLike, cycles: int | None) -> NDArray[np.bool_]:
    array = np.asarray(values)
    if array.dtype != bool:
        raise TypeError(f"{argument} must be an array of bool, not of {array.dtype}")
    if array.ndim != 1 or cycles not in (None, len(array)):
        raise ParameterError(f"{argument} must be of shape ({'T' if cycles is None else cycles},), not {array.shape}")
    return array
