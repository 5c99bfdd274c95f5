"""Arrays under verification: beats of all input streams, when they are offered, and the golden model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from ... import golden, hdl
from ...golden.formats import Format
from ..engine.packing import pack
from ..stimulus.operands import operands, tiles
from .entry import Option, UnitEntry
from .job import Job

#: Cycles for which a stream keeps its rate.
_SPELL = 10
#: Average distance between two resets, in latencies: many tiles come through, and many do not.
_RESET_LATENCIES = 4
#: Of operands that make a whole sum infinite or NaN, this share stays: else few sums would be numbers.
_WILD_SHARE = 0.01
#: Operands beyond this magnitude are of that kind: products of two, with two scales as large, are in range of fp32.
_WILD = 2.0**30

ArrayModel = golden.OutputStationary | golden.WeightStationary


@dataclass(frozen=True)
class Beats:
    """Of one input stream, the fields of its beats as the buses carry them, and the cycles in which one may be offered."""

    fields: dict[str, list[int]]
    offer: list[bool]


@dataclass(frozen=True)
class StreamJob(Job):
    """A job of streams: beats, the cycles in which each may be offered, and the model that must agree.

    Attributes
    ----------
    model : OutputStationary or WeightStationary
        What the array must do, cycle by cycle.
    formats : dict of str to (Format, int)
        Format and number of elements of each port that carries numbers.
    streams : dict of str to Beats
        By the name of an input stream.
    c_ready, reset : list of bool
        For every cycle.
    """

    model: ArrayModel
    formats: dict[str, tuple[Format, int]]
    streams: dict[str, Beats]
    c_ready: list[bool]
    reset: list[bool]

    bench: ClassVar[str] = "polymac.sim.benches.array"


def model_of(unit: hdl.Array) -> ArrayModel:
    """The golden model that an array must match cycle by cycle."""
    accumulator = unit.accumulator
    arithmetic: dict[str, Any] = {"acc": accumulator.style, "out": accumulator.out}
    if accumulator.style is None:
        arithmetic = {"acc": accumulator.out, "overflow": unit.parameters["overflow"]}
    model = golden.OutputStationary if unit.dataflow == "os" else golden.WeightStationary
    return model(
        unit.rows, unit.cols, accumulator.lanes, a=accumulator.a, b=accumulator.b, stages=unit.stages, **arithmetic
    )


def array_job(unit: hdl.Array, cycles: int, seed: int, reproduce: str, sizes: list[int] | None = None) -> StreamJob:
    """Tiles of many sizes; thirds of the run without stalls, with random stalls, and with resets as well.

    Parameters
    ----------
    unit, cycles, seed, reproduce
        The unit, the clock cycles, the seed, and the command that repeats the run.
    sizes : list of int, optional
        Beats of a in each tile instead of random ones, over and over.
    """
    generator = np.random.default_rng(seed)
    model = model_of(unit)
    # At most one beat a cycle is taken: the streams never run dry.
    sizes = tiles(unit.rows, cycles, generator) if sizes is None else sizes * -(-cycles // sum(sizes))
    fields = {
        stream: {
            name: buses(values, unit.formats[f"{stream}_{name}"][0]) if values.ndim == 2 else values.tolist()
            for name, values in beats.items()
        }
        for stream, beats in stimulus(unit, sizes, generator).items()
    }
    third = cycles // 3
    # Each stream is slow for a while, then quick: its neighbours fill up and run dry in turn.
    names = [*fields, "c"]
    duty = generator.choice([0.3, 0.7, 1.0], (len(names), cycles // _SPELL + 1)).repeat(_SPELL, axis=1)[:, :cycles]
    duty[:, :third] = 1
    willing = dict(zip(names, (generator.random((len(names), cycles)) < duty).tolist(), strict=True))
    reset = generator.random(cycles) < 1 / (_RESET_LATENCIES * model.latency)
    reset[: cycles - third] = False
    return StreamJob(
        cycles=cycles,
        products=unit.rows * unit.cols * unit.accumulator.lanes,
        coverage=f"{cycles:,} cycles with tiles of {min(sizes)} to {max(sizes)} beats, seed {seed}",
        reproduce=reproduce,
        model=model,
        formats=unit.formats,
        streams={name: Beats(parts, willing[name]) for name, parts in fields.items()},
        c_ready=willing["c"],
        reset=reset.tolist(),
    )


def stimulus(
    unit: hdl.Array, sizes: Sequence[int], generator: np.random.Generator
) -> dict[str, dict[str, NDArray[Any]]]:
    """Random beats of every input stream for tiles of ``sizes`` beats of a: fields in the order of the ports, ``last`` at
    the end; codes (beats, elements) and bits (beats,). The other streams get as many beats as a, though they need fewer.
    """
    beats = sum(sizes)
    fields: dict[str, dict[str, NDArray[Any]]] = {}
    for port in unit.ports:
        if port.stream is None or port.direction == "output" or port.role in ("valid", "ready"):
            continue
        name = port.name.removeprefix(f"{port.stream}_")
        if port.format is not None:
            codes = operands(port.format, port.format.width, beats * port.elements, generator)
            values = _tamed(port.format, codes, generator).reshape(beats, port.elements)
        elif name == "last":
            values = np.zeros(beats, np.uint8)
            values[np.cumsum(sizes) - 1] = 1
        else:
            values = generator.integers(0, 2, beats, np.uint8)
        fields.setdefault(port.stream, {})[name] = values
    return {stream: fields[stream] for stream in fields if "data" in fields[stream]}


def _tamed(fmt: Format, codes: NDArray[Any], generator: np.random.Generator) -> NDArray[Any]:
    """The codes, most of those that would decide a whole sum replaced by others."""
    if fmt.kind != "float" and not fmt.has_specials:
        return codes
    wild = ~(np.abs(golden.decode(codes, fmt)) <= _WILD)
    change = wild & (generator.random(len(codes)) >= _WILD_SHARE)
    tame = codes[~wild]
    return np.where(change, tame[generator.integers(0, len(tame), len(codes))], codes) if len(tame) else codes


def buses(codes: NDArray[Any], fmt: Format) -> list[int]:
    """Rows of codes as the integers that a packed bus carries."""
    return [int.from_bytes(row.tobytes(), "little") for row in pack(codes, fmt.width)]


ARRAY = UnitEntry(
    hdl.Array,
    products=lambda unit: unit.rows * unit.cols * unit.accumulator.lanes,
    job=array_job,
    resets_show=lambda unit: True,
    accumulator=lambda unit: unit.accumulator,
    options={
        "rows": Option("Rows of processing elements.", "N"),
        "cols": Option("Columns of processing elements.", "N"),
        "dataflow": Option("Output stationary (os) or weight stationary (ws).  [default: os]", "os|ws"),
    },
)
