"""What the regression of a unit drives and expects, item by item or cycle by cycle, for the native simulator.

The stimulus is the same as in :func:`polymac.sim.verify` and the cocotb benches; here a design may be run through it many
times, for example once for each fault that was put into it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ... import hdl
from ..engine.native import Model
from ..engine.packing import byte_rows, packed_bytes
from ..engine.streams import Sink, Source, run_streams
from ..expected.sums import to_bus
from ..units import entry_of
from ..units.array import StreamJob, array_job
from ..units.job import VectorJob
from ..units.operands import operand_bits, ports_of
from ..units.scoreboard import Scoreboard
from .verify import EXHAUSTIVE_BITS

Codes = NDArray[Any]
Bools = NDArray[np.bool_]

#: Products to form where there are too many operands to try all; cycles of a unit with an enable.
PRODUCTS = 4_000_000
CYCLES = 6_000
#: The first trace of many operands has this many; they show most of what is wrong.
_FEW = 1 << 14
#: Cycles of an array between two resets, at first and in the end; and how often it is reset.
_ARRAY_CYCLES, _RESET_CYCLES, _RESETS = 4000, 150, 20


@dataclass(frozen=True)
class Trace:
    """Inputs of a run from reset on, one set per item or cycle, what each output must be, and where that counts."""

    inputs: dict[str, Codes]
    outputs: dict[str, Codes]
    counts: dict[str, Bools]

    @property
    def length(self) -> int:
        """How many items or cycles."""
        return len(next(iter(self.inputs.values())))

    def differs(self, model: Model, more: Mapping[str, Codes]) -> bool:
        """Whether a design, whose latency is given as 0, answers anything else; ``more`` are inputs of its own."""
        outputs = model.evaluate({**self.inputs, **more})
        for name, want in self.outputs.items():
            wrong = (outputs[name] != want).reshape(self.length, -1).any(axis=1)
            if bool((wrong & self.counts[name]).any()):
                return True
        return False


def traces(unit: hdl.Unit, model: Model, seed: int) -> Iterator[Trace]:
    """The regression of a unit, the quickest traces first.

    Parameters
    ----------
    unit : Unit
        Of a kind in :data:`polymac.sim.UNITS`; of those with streams, an array.
    model : Model
        Of the design before anything else has run: an array's own handshakes say when its beats are taken.
    seed : int
        Of all that is random.
    """
    if isinstance(unit, hdl.Array):
        yield _array_trace(unit, model, seed)
        return
    if unit.clocked:
        yield _job_trace(unit, seed)
    entry = entry_of(unit)
    few = entry.all_inputs is not None and operand_bits(unit) <= EXHAUSTIVE_BITS
    total = None if few else PRODUCTS // entry.products(unit)
    for number, inputs in enumerate(entry.operand_sets(unit, total, seed)):
        trace = _items(unit, inputs)
        if not number and trace.length > 2 * _FEW:
            step = 1 if entry.ordered else trace.length // _FEW
            yield _items(unit, {name: values[step // 2 :: step][:_FEW] for name, values in inputs.items()})
        yield trace


def _items(unit: hdl.Unit, inputs: dict[str, Codes]) -> Trace:
    """Operands one after another, each result as many cycles later as the unit takes."""
    ports, wait = ports_of(unit), unit.latency
    count = len(next(iter(inputs.values())))
    outputs, counts = {}, {}
    for name, want in entry_of(unit).expected(unit, inputs).items():
        values = _column(np.ma.getdata(want), ports[name].width)
        outputs[name] = np.concatenate([values[:wait], values[: count - wait]])
        defined = np.logical_not(np.ma.getmaskarray(want).reshape(count, -1).any(axis=1))
        counts[name] = np.concatenate([np.zeros(wait, bool), defined[: count - wait]])
    return Trace({name: _column(values, ports[name].width) for name, values in inputs.items()}, outputs, counts)


def _job_trace(unit: hdl.Unit, seed: int) -> Trace:
    """What the cocotb bench drives and compares, behind a cycle of reset."""
    job = entry_of(unit).make_job(unit, CYCLES, seed, "")
    assert isinstance(job, VectorJob)
    inputs = {name: _column([0, *values], job.ports[name].width) for name, values in job.inputs.items()}
    inputs["rst"][0] = 1
    outputs = {
        name: _column([0, *(value or 0 for value in want)], job.ports[name].width) for name, want in job.outputs.items()
    }
    counts = {name: np.array([False, *(v is not None for v in want)]) for name, want in job.outputs.items()}
    return Trace(inputs, outputs, counts)


def _column(values: Any, width: int) -> Codes:
    """Codes as the native simulator takes them: bytes where a port is wider than 64 bits."""
    if isinstance(values, np.ndarray) and (width <= 64 or values.ndim == 2):
        return values
    if width <= 64:
        return np.array(values, np.uint64).astype(f"u{next(size for size in (1, 2, 4, 8) if width <= 8 * size)}")
    return byte_rows(values, packed_bytes(1, width))


def _array_trace(unit: hdl.Array, model: Model, seed: int) -> Trace:
    """Runs without stalls, with stalls, and many with stalls that a reset breaks off anywhere."""
    generator = np.random.default_rng(seed)
    runs: list[dict[str, list[int]]] = []
    for number in range(_RESETS + 1):
        cycles = _RESET_CYCLES if number else _ARRAY_CYCLES
        job = array_job(unit, cycles, seed + number, "")
        signals = _signals(unit, job, model)
        length = len(signals["rst"])
        end = int(generator.integers(1, length)) if number else length
        cut = {name: values[:end] for name, values in signals.items()}
        cut["rst"][-1] = 1
        runs.append(cut)
    job = array_job(unit, _ARRAY_CYCLES, seed, "")
    joined = {name: [value for run in runs for value in run[name]] for name in runs[0]}
    resets = np.array(joined["rst"], bool)
    empty = [0] * len(resets)
    streams = {}
    for stream in (*job.streams, "c"):
        seen = {name.split("_", 1)[1]: values for name, values in joined.items() if name.startswith(f"{stream}_")}
        seen |= {"valid": empty, "last": empty, "data": empty} if stream == "c" else {"ready": empty}
        streams[stream] = seen
    expected = Scoreboard(job, streams, resets).expected
    ports = ports_of(unit)
    inputs = {name: _column(values, ports[name].width) for name, values in joined.items()}
    outputs: dict[str, Codes] = {"c_data": to_bus(expected.c_data, unit.accumulator.out)}
    for name in ("a_ready", "b_ready", "p_ready", "c_valid", "c_last"):
        if name in ports:
            outputs[name] = getattr(expected, name).astype(np.uint8)
    shown = {"c_data": expected.c_valid, "c_last": expected.c_valid}
    return Trace(inputs, outputs, {name: shown.get(name, np.ones(len(resets), bool)) for name in outputs})


def _signals(unit: hdl.Array, job: StreamJob, model: Model) -> dict[str, list[int]]:
    """The inputs of an array in every cycle of a run, from when its streams took their beats."""
    streams = {stream.name: stream for stream in model.stream_member().streams}
    sizes = np.diff(np.flatnonzero([1, *job.streams["a"].fields["last"]]))
    # Two cycles or so for each beat.
    tiles = 1 + int(np.searchsorted(np.cumsum(np.maximum(sizes, unit.rows)), job.cycles // 2))
    beats = unit.rows * tiles if unit.dataflow == "os" else int(sizes[:tiles].sum())
    sources = {}
    for name, given in job.streams.items():
        columns = [byte_rows(given.fields[port.name.split("_", 1)[1]], port.bytes) for port in streams[name].fields]
        last = np.array(given.fields["last"], bool) if "last" in given.fields else None
        sources[name] = Source(np.concatenate(columns, axis=1), last, np.array(given.offer))
    run = run_streams(model, sources, {"c": Sink(beats, np.array(job.c_ready))})
    signals = {"rst": [0] * run.cycles, "c_ready": _repeated(job.c_ready, run.cycles)}
    for name, given in job.streams.items():
        position, offered = 0, False
        taken = set(run.streams[name].cycles.tolist())
        offer = _repeated(given.offer, run.cycles)
        signals |= {f"{name}_{field}": [] for field in (*given.fields, "valid")}
        for cycle in range(run.cycles):
            offered = offered or bool(offer[cycle])
            signals[f"{name}_valid"].append(int(offered))
            for field, values in given.fields.items():
                signals[f"{name}_{field}"].append(values[position])
            if cycle in taken:
                position, offered = position + 1, False
    return signals


def _repeated(pattern: list[bool], cycles: int) -> list[int]:
    return np.resize(np.array(pattern, np.uint8), cycles).tolist()
