"""An array on the native simulator against its golden model, cycle by cycle: thousands of tiles in a second."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ... import hdl
from ..engine.native import Model
from ..engine.packing import pack, unpack
from ..engine.streams import Sink, Source, Transfers, run_streams
from ..units.array import model_of, stimulus

Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class Replay:
    """What :func:`replay` saw.

    Attributes
    ----------
    cycles, beats : int
        Clock cycles, and beats of a that were taken in them.
    mismatches : list of str
        How the array differs from its model; empty where it does not.
    """

    cycles: int
    beats: int
    mismatches: list[str]


def replay(
    unit: hdl.Array,
    model: Model,
    sizes: Sequence[int],
    *,
    willing: float = 1.0,
    seed: int = 1,
    results: int | None = None,
) -> Replay:
    """Random operands through an array, then the same streams through its model.

    The model gets what crossed the buses and when it was offered. It must take and deliver the same beats in the same
    cycles.

    Parameters
    ----------
    unit, model : Array, Model
        The array, and the native model of its design.
    sizes : sequence of int
        Beats of a in each tile.
    willing : float
        In which share of the cycles a source offers a beat and the sink takes one, at random.
    seed : int
        Of operands and patterns.
    results : int, optional
        Beats of C after which the run stops, possibly in the middle of a tile; default: all of them.
    """
    generator = np.random.default_rng(seed)
    fields = stimulus(unit, sizes, generator)
    whole = (unit.rows * len(sizes)) if unit.dataflow == "os" else sum(sizes)
    if unit.dataflow == "ws":
        # No more planes than tiles, and no more partial sums than beats that take some.
        fields["b"] = {
            name: np.resize(values, (unit.rows * len(sizes), values.shape[1])) for name, values in fields["b"].items()
        }
    patterns = {name: generator.random(65_521) < willing for name in (*fields, "c")}
    sources = {}
    for name, parts in fields.items():
        packed = [
            pack(values, unit.formats[f"{name}_{field}"][0].width) if values.ndim == 2 else values[:, None]
            for field, values in parts.items()
            if field != "last"
        ]
        last = parts["last"].astype(bool) if "last" in parts else None
        sources[name] = Source(np.concatenate(packed, axis=1), last, patterns[name])
    sink = Sink(whole if results is None else results, patterns["c"])
    run = run_streams(model, sources, {"c": sink}, max_cycles=100_000 + 400 * sum(sizes), seed=seed)
    inputs: dict[str, Any] = {}
    for name, parts in fields.items():
        taken = run.streams[name].cycles
        count = len(next(iter(parts.values())))
        valid, index = _offered(taken, count, patterns[name], run.cycles)
        inputs[f"{name}_valid"] = valid
        for field, values in parts.items():
            shape = (run.cycles, -1) if name == "p" else (run.cycles, unit.rows if name == "a" else unit.cols, -1)
            inputs[f"{name}_{field}"] = values[index].reshape(shape) if values.ndim == 2 else values[index].astype(bool)
    ready = np.resize(patterns["c"], run.cycles)
    trace = model_of(unit).run(**inputs, c_ready=ready)
    wrong = [
        f"{name} is taken in other cycles than by the model"
        for name in fields
        if not np.array_equal(np.flatnonzero(inputs[f"{name}_valid"] & _bits(trace, name)), run.streams[name].cycles)
    ]
    crossing = np.flatnonzero(trace.c_valid & ready)
    wrong += _differences(unit, run.streams["c"], crossing, trace)
    return Replay(run.cycles, len(run.streams["a"].cycles), wrong)


def _bits(trace: Any, name: str) -> Bools:
    return getattr(trace, f"{name}_ready")


def _differences(unit: hdl.Array, got: Transfers, crossing: NDArray[np.intp], trace: Any) -> list[str]:
    """How the beats of C differ from the model's."""
    if not np.array_equal(crossing, got.cycles):
        return ["c is delivered in other cycles than by the model"]
    codes = unpack(got.data, unit.accumulator.out.width, unit.cols)
    wrong = (codes != trace.c_data[crossing]).any(axis=1)
    found = (
        [f"{int(wrong.sum())} beats of c differ, the first in cycle {int(got.cycles[wrong][0])}"] if wrong.any() else []
    )
    assert got.last is not None
    return found + ["c_last differs"] * (not np.array_equal(got.last, trace.c_last[crossing]))


def _offered(taken: NDArray[np.int64], count: int, pattern: Bools, cycles: int) -> tuple[Bools, NDArray[np.intp]]:
    """The cycles in which a source of ``count`` beats offers one, and its index: the next that has not been taken."""
    index = np.searchsorted(taken, np.arange(cycles))
    allowed = np.resize(pattern, cycles)
    # The first cycle, from each on, in which the source may begin to offer.
    after = np.where(allowed, np.arange(cycles), cycles)
    after = np.append(np.minimum.accumulate(after[::-1])[::-1], cycles)
    begin = after[np.minimum(np.append(0, taken + 1), cycles)]
    return (index < count) & (np.arange(cycles) >= begin[index]), np.minimum(index, count - 1)
