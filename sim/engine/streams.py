"""Beats through a design's ready/valid streams in the native batch simulator: the handshake runs in compiled code."""

from __future__ import annotations

import ctypes
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...golden.formats import ParameterError, check_int
from .native import Model, in_steps, packed_values
from .ports import Stream
from .simulators import SimulationError

#: When a side of a stream is willing: in a fraction of the cycles at random, or as a row of bits says, over and over.
Pattern = float | NDArray[np.bool_]

#: Cycles before a random pattern repeats: a prime, so that it does not beat with the tiles.
_PATTERN_CYCLES = 65_521


@dataclass(frozen=True)
class Source:
    """Beats that a stream is given.

    Parameters
    ----------
    data : array of uint8, (n, bytes of a beat)
        Packed beats, as :func:`polymac.sim.engine.packing.pack` makes them; the fields of a stream side by side.
    last : array of bool, (n,), or None
        The ``last`` bit of each beat; needed if and only if the stream has one.
    valid : float or array of bool
        In which cycles an idle stream offers its next beat: a probability, or a row of bits used over and over, one per
        cycle. Once offered, a beat stays until it is taken.

    Examples
    --------
    >>> sim.Source(np.zeros((3, 1), np.uint8), valid=0.5).valid
    0.5
    """

    data: NDArray[np.uint8]
    last: NDArray[np.bool_] | None = None
    valid: Pattern = 1.0


@dataclass(frozen=True)
class Sink:
    """How many beats a stream is to deliver, and in which cycles it is ready to take one (see :class:`Source`).

    After that many beats the stream is not ready any more.

    Examples
    --------
    >>> sim.Sink(beats=3)
    Sink(beats=3, ready=1.0)
    """

    beats: int
    ready: Pattern = 1.0


@dataclass(frozen=True)
class Transfers:
    """The beats that crossed one stream: (n, bytes) uint8, their ``last`` bits, and the clock cycle of each, from 0."""

    data: NDArray[np.uint8]
    last: NDArray[np.bool_] | None
    cycles: NDArray[np.int64]


@dataclass(frozen=True)
class StreamRun:
    """What :func:`run_streams` saw: the cycles it took, and the transfers on every stream."""

    cycles: int
    streams: dict[str, Transfers] = field(repr=False)


class _Beats(ctypes.Structure):
    """The C++ structure of the same name."""

    _fields_ = (
        ("data", ctypes.c_void_p),
        ("last", ctypes.c_void_p),
        ("pattern", ctypes.c_void_p),
        ("cycles", ctypes.c_void_p),
        ("pattern_length", ctypes.c_int64),
        ("beats", ctypes.c_int64),
        ("done", ctypes.c_int64),
        ("offered", ctypes.c_int64),
    )


@dataclass
class _Side:
    """The arrays behind one _Beats."""

    stream: Stream
    data: NDArray[np.uint8]
    last: NDArray[np.uint8] | None
    pattern: NDArray[np.uint8]
    cycles: NDArray[np.int64]

    def fill(self, beats: Any) -> None:
        beats.data = self.data.ctypes.data
        beats.last = None if self.last is None else self.last.ctypes.data
        beats.pattern = self.pattern.ctypes.data
        beats.cycles = self.cycles.ctypes.data
        beats.pattern_length = len(self.pattern)
        beats.beats = len(self.cycles)
        beats.done = beats.offered = 0

    def transfers(self, done: int) -> Transfers:
        last = None if self.last is None else self.last[:done].astype(bool)
        return Transfers(self.data[:done], last, self.cycles[:done])


def run_streams(
    model: Model,
    inputs: Mapping[str, Source],
    outputs: Mapping[str, Sink],
    *,
    max_cycles: int = 10_000_000,
    seed: int = 0,
    reset: bool = True,
) -> StreamRun:
    """Run a design from its input beats to its output beats, every other input at 0 and every enable at 1.

    Per clock cycle: valid and ready are set, combinational logic settles, transfers are noted, the clock rises. The run
    ends after the cycle in which the last expected output beat is taken; input beats may be left over then.

    Parameters
    ----------
    model : Model
        Of one design with streams.
    inputs, outputs : mappings of stream name to Source and Sink
        For every stream of the design.
    max_cycles : int
        The cycles after which the run has failed.
    seed : int
        Of the random patterns, each stream's its own.
    reset : bool
        Whether the design is reset first; without, it goes on from where the last run left it.

    Raises
    ------
    ParameterError
        The streams, or the shapes of their arrays, do not fit the design.
    SimulationError
        The output beats did not come within ``max_cycles``; the message says what every stream transferred.

    Examples
    --------
    >>> array = hdl.Array(a="int4", b="int4", rows=1, cols=1)
    >>> model = sim.Model.build(hdl.generate(array, name="one"))
    >>> one = np.ones((1, 1), np.uint8)
    >>> beats = {"a": sim.Source(3 * one, last=np.array([True])), "b": sim.Source(2 * one)}
    >>> sim.run_streams(model, beats, {"c": sim.Sink(1)}).streams["c"].data[0, 0].item()
    6
    """
    member = model.stream_member()
    check_int("max_cycles", max_cycles, 1)
    _check_names("inputs", inputs, [stream.name for stream in member.streams if stream.is_input])
    _check_names("outputs", outputs, [stream.name for stream in member.streams if not stream.is_input])
    spawned = np.random.default_rng(seed).spawn(len(member.streams))
    generators = {stream.name: generator for stream, generator in zip(member.streams, spawned, strict=True)}
    sources = [_source(s, inputs[s.name], generators[s.name]) for s in member.streams if s.is_input]
    sinks = [_sink(s, outputs[s.name], generators[s.name]) for s in member.streams if not s.is_input]
    c_sources, c_sinks = (_Beats * len(sources))(), (_Beats * len(sinks))()
    sides = (*zip(sources, c_sources, strict=True), *zip(sinks, c_sinks, strict=True))
    for side, beats in sides:
        side.fill(beats)
    call = model.library.polymac_streams
    call.restype = ctypes.c_int64

    def step(begin: int, end: int) -> int:
        return call(model.handle, c_sources, c_sinks, ctypes.c_int64(begin), ctypes.c_int64(end))

    if reset:
        model.clear()
    cycles = in_steps(step, max_cycles)
    progress = [(side, beats.done) for side, beats in sides]
    if any(done < len(side.cycles) for side, done in progress[len(sources) :]):
        counts = ", ".join(f"{side.stream.name} {done} of {len(side.cycles)}" for side, done in progress)
        raise SimulationError(
            f"{member.name} must deliver its beats in {max_cycles} cycles, not more (beats: {counts})"
        )
    return StreamRun(cycles, {side.stream.name: side.transfers(done) for side, done in progress})


def _check_names(argument: str, given: Mapping[str, object], streams: list[str]) -> None:
    if sorted(given) != sorted(streams):
        raise ParameterError(f"{argument} must be for streams {', '.join(streams)}, not {', '.join(given) or 'none'}")


def _source(stream: Stream, source: Source, generator: np.random.Generator) -> _Side:
    data = _packed_beats(stream, source.data)
    last = None if source.last is None else np.array(source.last, np.uint8)
    if (last is None) != (stream.last is None):
        raise ParameterError(
            f"last of stream {stream.name} must be {'given' if stream.last else 'None'}, not the reverse"
        )
    if last is not None and last.shape != data.shape[:1]:
        raise ParameterError(f"last of stream {stream.name} must have shape ({len(data)},), not {last.shape}")
    pattern = _pattern(f"valid of stream {stream.name}", source.valid, generator)
    return _Side(stream, data, last, pattern, np.zeros(len(data), np.int64))


def _packed_beats(stream: Stream, values: NDArray[np.uint8]) -> NDArray[np.uint8]:
    if len(stream.fields) == 1:
        return packed_values(stream.fields[0], values)
    data = np.ascontiguousarray(values)
    if data.dtype != np.uint8 or data.ndim != 2 or data.shape[1] != stream.bytes:
        raise ParameterError(
            f"beats of stream {stream.name} must be uint8 of shape (n, {stream.bytes}), "
            f"not {data.dtype} of shape {data.shape}"
        )
    start = 0
    for port in stream.fields:
        packed_values(port, data[:, start : start + port.bytes])
        start += port.bytes
    return data


def _sink(stream: Stream, sink: Sink, generator: np.random.Generator) -> _Side:
    beats = check_int(f"beats of stream {stream.name}", sink.beats, 0)
    last = None if stream.last is None else np.zeros(beats, np.uint8)
    pattern = _pattern(f"ready of stream {stream.name}", sink.ready, generator)
    return _Side(stream, np.zeros((beats, stream.bytes), np.uint8), last, pattern, np.zeros(beats, np.int64))


def _pattern(argument: str, pattern: Pattern, generator: np.random.Generator) -> NDArray[np.uint8]:
    if isinstance(pattern, np.ndarray):
        if pattern.ndim != 1 or not pattern.any():
            raise ParameterError(f"{argument} must have one dimension and a true element, not {pattern.tolist()}")
        return pattern.astype(bool).astype(np.uint8)
    if not 0 < pattern <= 1:
        raise ParameterError(f"{argument} must be more than 0 and at most 1, not {pattern}")
    return (generator.random(1 if pattern == 1 else _PATTERN_CYCLES) < pattern).astype(np.uint8)
