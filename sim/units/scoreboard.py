"""The scoreboard of a streaming array: the golden model on what the input buses carried, against the output buses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ... import golden
from ...golden.arrays.output_stationary import Trace
from ..engine.mismatch import SHOWN, code_text, vector_text
from ..engine.packing import byte_rows, packed_bytes, unpack
from .array import StreamJob
from .job import BenchResult

Bools = NDArray[np.bool_]


class Scoreboard:
    """The model on the recorded inputs against the recorded outputs.

    Parameters
    ----------
    job : StreamJob
        What was driven, and the model.
    streams : dict of str to (dict of str to list)
        By stream and field, what the bus carried in each cycle.
    resets : ndarray of bool
        Whether each cycle had a reset.

    Attributes
    ----------
    expected : Trace
        What the model gives for the recorded inputs.
    """

    def __init__(self, job: StreamJob, streams: Mapping[str, Mapping[str, list[int]]], resets: Bools) -> None:
        self.model, self.resets = job.model, resets
        seen = {f"{name}_{field}": values for name, fields in streams.items() for field, values in fields.items()}
        places = {"a": self.model.rows, "b": self.model.cols, "p": self.model.cols, "c": self.model.cols}
        self.signals: dict[str, NDArray[Any]] = {}
        for name, values in seen.items():
            if name not in job.formats:
                self.signals[name] = np.array(values, bool)
                continue
            fmt, count = job.formats[name]
            codes = unpack(byte_rows(values, packed_bytes(count, fmt.width)), fmt.width, count)
            shape = (len(values), places[name[0]]) if name[0] in "pc" else (len(values), places[name[0]], -1)
            self.signals[name] = codes.reshape(shape)
        outputs = ("a_ready", "b_ready", "p_ready", "c_valid", "c_last", "c_data")
        inputs = {name: values for name, values in self.signals.items() if name not in outputs}
        self.expected: Trace = self.model.run(**inputs, reset=resets)

    def result(self, unknown: Sequence[tuple[int, str, str]] = ()) -> BenchResult:
        """What differs; ``unknown`` are cycle, name and bits of signals that had a bit without a value."""
        cycles = len(self.resets)
        if unknown:
            details = [
                f"cycle {cycle}: hardware {name}=0b{bits}, golden has no bit without a value"
                for cycle, name, bits in unknown[:SHOWN]
            ]
            return BenchResult(cycles, len({cycle for cycle, _, _ in unknown}), details)
        valid = self.expected.c_valid
        wrong: dict[str, Bools] = {}
        for name in ("a_ready", "b_ready", "p_ready", "c_valid"):
            if name in self.signals:
                wrong[name] = self.signals[name] != getattr(self.expected, name)
        wrong["c_last"] = valid & (self.signals["c_last"] != self.expected.c_last)
        wrong["c_data"] = valid & (self.signals["c_data"] != self.expected.c_data).any(axis=1)
        bad = np.flatnonzero(np.logical_or.reduce(list(wrong.values())))
        details = [self._describe(int(cycle), wrong) for cycle in bad[:SHOWN]]
        return BenchResult(cycles, len(bad), details)

    def _describe(self, cycle: int, wrong: dict[str, Bools]) -> str:
        """The control bits that differ in a cycle; where they agree, the first element of C that does not."""
        names = [name for name, where in wrong.items() if where[cycle] and name != "c_data"]
        if names:
            got = ", ".join(f"{name}={int(self.signals[name][cycle])}" for name in names)
            want = ", ".join(f"{name}={int(getattr(self.expected, name)[cycle])}" for name in names)
            return f"cycle {cycle}: hardware {got}, golden {want}"
        both = self.signals["c_data"][cycle], self.expected.c_data[cycle]
        column = int(np.argmax(both[0] != both[1]))
        got, want = (code_text(self.model.out, int(row[column])) for row in both)
        where, given = self._origin(cycle, column)
        return f"cycle {cycle}, {where} since reset: {given}: hardware c_data={got}, golden c_data={want}"

    def _origin(self, cycle: int, column: int) -> tuple[str, str]:
        """Of an element of the beat of C in a cycle: where it comes from, and the operands behind it."""
        begin = int(np.flatnonzero(self.resets[:cycle])[-1]) + 1 if self.resets[:cycle].any() else 0
        past = slice(begin, cycle)
        number = int((self.expected.c_valid[past] & self.signals["c_ready"][past]).sum())
        a_taken, b_taken = (
            begin + np.flatnonzero(self.signals[f"{name}_valid"][past] & getattr(self.expected, f"{name}_ready")[past])
            for name in "ab"
        )
        rows = self.model.rows
        ends = np.flatnonzero(self.signals["a_last"][a_taken])
        if isinstance(self.model, golden.WeightStationary):
            beat = a_taken[number]
            tile = int((ends < number).sum())
            given = self._given([beat], slice(None), b_taken[tile * rows : (tile + 1) * rows], column)
            if "p_data" in self.signals and self.signals["a_add"][beat]:
                given += f", p={code_text(self.model.out, int(self.signals['p_data'][beat, column]))}"
            return f"vector {number} (tile {tile}) and column {column}", given
        tile, row = divmod(number, rows)
        taken = a_taken[int(ends[tile - 1]) + 1 if tile else 0 : int(ends[tile]) + 1]
        return f"row {row} and column {column} of tile {tile}", self._given(taken, row, taken, column)

    def _given(self, a_beats: Any, row: Any, b_beats: Any, column: int) -> str:
        """The operands of these beats, with the scales of block formats."""
        arithmetic = self.model.arithmetic
        texts = []
        for name, fmt, beats, place in (("a", arithmetic.a, a_beats, row), ("b", arithmetic.b, b_beats, column)):
            data = self.signals[f"{name}_data"][beats, place]
            texts.append(f"{name}={vector_text(arithmetic.element(fmt), data.ravel().tolist())}")
            if isinstance(fmt, golden.BlockFormat):
                scales = self.signals[f"{name}_scale"][beats, place]
                texts.append(f"{name}_scale={vector_text(fmt.scale, scales.ravel().tolist())}")
        return ", ".join(texts)
