"""A GEMM of any size through a generated array, on the native simulator."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ... import hdl
from ...golden.arrays.beat_arithmetic import Operand
from ...golden.codec.codes import as_codes, code_dtype
from ...golden.formats import BlockFormat, Format, ParameterError, Rounded
from ...hdl.sums.accumulator import Accumulator
from ...hdl.sums.exact import ExactSum
from ..engine.native import Model
from ..engine.packing import Bytes, pack, unpack
from ..engine.streams import Sink, Source, run_streams
from ..units.array import model_of

Codes = NDArray[Any]

#: Beats of an operand that are simulated in one go; between two the array runs empty.
CHUNK_BEATS = 1 << 17
#: Cycles after which a chunk that has not come to its end has failed: for each beat, and for all.
_PATIENCE = (4, 100_000)

_models: dict[tuple[object, ...], Model] = {}


@dataclass(frozen=True)
class GemmRun:
    """The result of :func:`gemm`.

    Attributes
    ----------
    c : ndarray (M, N)
        Codes of the array's results.
    cycles : int
        Simulated clock cycles.
    utilization : float
        Useful products over those that the array could have formed in these cycles.
    """

    c: Codes
    cycles: int
    utilization: float


def gemm(
    unit: hdl.Array,
    a: ArrayLike | Sequence[ArrayLike],
    b: ArrayLike | Sequence[ArrayLike],
    *,
    model: Model | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> GemmRun:
    """C = A · B of codes (M, K) and (K, N), tile by tile, as the golden GEMM of the whole matrices gives it.

    Output stationary: tiles of rows × cols results, each over the whole of K. Weight stationary: for each rows × lanes
    of K all columns, M vectors each; the results are the partial sums of the next. Partial tiles and beats are
    zero-padded.

    Parameters
    ----------
    unit : Array
        The array.
    a, b : arrays of int; for a block format (scales, elements)
        Codes as :func:`polymac.golden.encode_blocks` gives them along K; the tensor's scale is left to the caller.
    model : Model, optional
        Built of the array's design; by default it is built here, and kept for the next call.
    progress : callable, optional
        Called with the beats of a that are done and that there are.

    Raises
    ------
    ParameterError
        Shapes that do not fit, a code out of range, more products than an exact sum holds, or a sum that goes on in a
        second plane where that is not possible, or needs zeros where the format has none.

    Examples
    --------
    >>> array = hdl.Array(a="int4", b="int4", rows=2, cols=2)
    >>> run = sim.gemm(array, [[1, 2, 3]], [[4], [5], [6]])
    >>> run.c
    array([[32]], dtype=uint32)
    """
    accumulator = unit.accumulator
    zeros = _zeros(accumulator)
    left, right = _Matrix.of("a", a, accumulator, 1, zeros[0]), _Matrix.of("b", b, accumulator, 0, zeros[1])
    if left.depth != right.depth:
        raise ParameterError(f"a and b must be (M, K) and (K, N) with one K, not {left.shape} and {right.shape}")
    _check_depth(unit, left.depth)
    if model is None:
        if unit.key not in _models:
            _models[unit.key] = Model.build(hdl.generate(unit, "gemm_array"))
        model = _models[unit.key]
    run = _output_stationary if unit.dataflow == "os" else _weight_stationary
    c, cycles = run(unit, model, left, right, progress or (lambda done, total: None))
    (m, k), n = left.shape, right.shape[1]
    return GemmRun(c[:m, :n], cycles, m * k * n / max(cycles * unit.rows * unit.cols * accumulator.lanes, 1))


def golden_gemm(unit: hdl.Array, a: ArrayLike | Sequence[ArrayLike], b: ArrayLike | Sequence[ArrayLike]) -> Codes:
    """What :func:`gemm` must give, by the arithmetic of the golden array."""
    operands = []
    for argument, given, axis in (("a", a, 1), ("b", b, 0)):
        fields = _Matrix.of(argument, given, unit.accumulator, axis, 0).fields
        operands.append(Operand(*(field.codes for field in fields)))
    return model_of(unit).arithmetic.product(*operands)


@dataclass(frozen=True)
class _Field:
    """Codes along K of one field of a beat, ``group`` of them for each row or column."""

    codes: Codes
    group: int
    fmt: Format
    zero: int


@dataclass(frozen=True)
class _Matrix:
    """An operand: its elements and, in a block format, a scale for each part of a block that is in one beat."""

    shape: tuple[int, int]
    depth: int
    fields: tuple[_Field, ...]

    @classmethod
    def of(cls, argument: str, given: Any, accumulator: Accumulator, axis: int, zero: int) -> _Matrix:
        """Checked codes, with scales repeated for every beat of their block."""
        fmt, lanes = accumulator.a if argument == "a" else accumulator.b, accumulator.lanes
        if not isinstance(fmt, BlockFormat):
            codes = _matrix(argument, given, fmt)
            return cls(codes.shape, codes.shape[axis], (_Field(codes, lanes, fmt, zero),))
        if not isinstance(given, Sequence) or len(given) != 2:
            raise ParameterError(f"{argument} must be (scales, elements) for {fmt}, not {type(given).__name__}")
        scales, codes = _matrix(argument, given[0], fmt.scale), _matrix(argument, given[1], fmt.element)
        blocks = list(codes.shape)
        blocks[axis] //= fmt.block_size
        if codes.shape[axis] % fmt.block_size or scales.shape != tuple(blocks):
            raise ParameterError(
                f"{argument} must be whole blocks of {fmt.block_size} along K with a scale each, "
                f"not {scales.shape} scales and {codes.shape} elements"
            )
        scale = _Field(np.repeat(scales, fmt.block_size // lanes, axis=axis), 1, fmt.scale, 0)
        return cls(codes.shape, codes.shape[axis], (_Field(codes, lanes, fmt.element, zero), scale))

    def beats(self, size: Callable[[int], tuple[int, int]], arrange: Callable[[Codes, int], Codes]) -> Bytes:
        """Packed beats, all fields side by side.

        Of a field with ``group`` codes in a beat for each row or column, ``size(group)`` is the shape to be filled up
        with zeros, and ``arrange(codes, group)`` an array whose last axis is a beat.
        """
        parts = []
        for field in self.fields:
            (height, width), (rows, columns) = field.codes.shape, size(field.group)
            missing = ((0, rows - height), (0, columns - width))
            codes = arrange(np.pad(field.codes, missing, constant_values=field.zero), field.group)
            packed = pack(codes.reshape(-1, codes.shape[-1]), field.fmt.width)
            parts.append(packed.reshape(*codes.shape[:-1], -1))
        return np.concatenate(parts, axis=-1)


def _matrix(argument: str, given: Any, fmt: Format) -> Codes:
    codes = as_codes(argument, given, fmt)
    if codes.ndim != 2 or 0 in codes.shape:
        raise ParameterError(f"{argument} must be a matrix that is not empty, not of shape {codes.shape}")
    return codes


def _check_depth(unit: hdl.Array, depth: int) -> None:
    """Whether the array can add up that many products, zero-padded to whole beats or planes."""
    accumulator = unit.accumulator
    plane = unit.rows * accumulator.lanes
    if unit.dataflow == "ws" and depth > plane and not accumulator.state_is_encoded:
        raise ParameterError(
            f"a and b must have a K of at most rows × lanes = {plane} for exact weight-stationary sums, not {depth}"
        )
    step = plane if unit.dataflow == "ws" else accumulator.lanes
    for fmt in (accumulator.a_element, accumulator.b_element):
        if depth % step and not fmt.has_zero:
            raise ParameterError(
                f"a and b must have a K that is a multiple of {step} for {fmt}, not {depth}: it has no zero"
            )
    if isinstance(accumulator, ExactSum) and depth > accumulator.max_k:
        raise ParameterError(
            f"a and b must have a K of at most {accumulator.max_k}, the products that the sums hold, not {depth}"
        )


def _zeros(accumulator: Accumulator) -> tuple[int, int]:
    """Codes of a and b whose product changes no sum, not even the sign of a zero: -0 unless sums round downwards.

    The sums of other styles never are -0 before their last beat.
    """
    formats = accumulator.a_element, accumulator.b_element
    zeros = [fmt.zero_code or 0 for fmt in formats]
    signed = [fmt.sign_mask if fmt.has_negative_zero else zero for fmt, zero in zip(formats, zeros, strict=True)]
    if not isinstance(accumulator.style, Rounded) or accumulator.style.rounding == "rdn":
        return zeros[0], zeros[1]
    return (signed[0], zeros[1]) if signed[0] != zeros[0] else (zeros[0], signed[1])


def _output_stationary(
    unit: hdl.Array, model: Model, left: _Matrix, right: _Matrix, progress: Callable[[int, int], None]
) -> tuple[Codes, int]:
    accumulator, rows, cols = unit.accumulator, unit.rows, unit.cols
    down, across, beats = -(-left.shape[0] // rows), -(-right.shape[1] // cols), -(-left.depth // accumulator.lanes)
    a = left.beats(
        lambda group: (down * rows, beats * group),
        lambda x, group: x.reshape(down, rows, beats, group).transpose(0, 2, 1, 3).reshape(down, beats, -1),
    )
    b = right.beats(
        lambda group: (beats * group, across * cols),
        lambda x, group: x.reshape(beats, group, across, cols).transpose(2, 0, 3, 1).reshape(across, beats, -1),
    )
    tiles, cycles = [], 0
    for part in _chunks(down * across, beats):
        last = np.tile(np.arange(beats) == beats - 1, len(part))
        streams = {"a": Source(_flat(a[part // across]), last), "b": Source(_flat(b[part % across]))}
        c, spent = _run(unit, model, streams, len(part) * rows, first=cycles == 0)
        tiles.append(c.reshape(len(part), rows, cols))
        cycles += spent
        progress(int(part[-1] + 1) * beats, down * across * beats)
    c = np.concatenate(tiles).reshape(down, across, rows, cols)
    return c.transpose(0, 2, 1, 3).reshape(down * rows, across * cols), cycles


def _weight_stationary(
    unit: hdl.Array, model: Model, left: _Matrix, right: _Matrix, progress: Callable[[int, int], None]
) -> tuple[Codes, int]:
    accumulator, rows, cols = unit.accumulator, unit.rows, unit.cols
    vectors, across, planes = left.shape[0], -(-right.shape[1] // cols), -(-left.depth // (rows * accumulator.lanes))
    a = left.beats(
        lambda group: (vectors, planes * rows * group),
        lambda x, group: x.reshape(vectors, planes, rows * group).transpose(1, 0, 2),
    )
    b = right.beats(
        lambda group: (planes * rows * group, across * cols),
        lambda x, group: (
            x.reshape(planes, rows, group, across, cols).transpose(0, 3, 1, 4, 2).reshape(planes, across, rows, -1)
        ),
    )
    c = np.zeros((across, vectors, cols), code_dtype(accumulator.out))
    cycles = done = 0
    for plane in range(planes):
        for part in _chunks(across, vectors):
            last = np.tile(np.arange(vectors) == vectors - 1, len(part))
            vector_beats = np.tile(a[plane], (len(part), 1))
            streams = {"b": Source(_flat(b[plane, part]))}
            if unit.takes_partial_sums:
                add = np.full((len(vector_beats), 1), plane > 0, np.uint8)
                vector_beats = np.concatenate([vector_beats, add], axis=1)
                sums = pack(c[part].reshape(-1, cols), accumulator.out.width)
                streams["p"] = Source(sums if plane else sums[:0])
            streams["a"] = Source(vector_beats, last)
            codes, spent = _run(unit, model, streams, len(last), first=cycles == 0)
            c[part] = codes.reshape(len(part), vectors, cols)
            cycles += spent
            done += len(last)
            progress(done, planes * across * vectors)
    return c.transpose(1, 0, 2).reshape(vectors, across * cols), cycles


def _chunks(tiles: int, beats: int) -> Iterator[NDArray[np.intp]]:
    """The tiles, whose beats are given, in runs of about CHUNK_BEATS beats."""
    step = max(1, CHUNK_BEATS // beats)
    return (np.arange(start, min(start + step, tiles)) for start in range(0, tiles, step))


def _flat(beats: Bytes) -> Bytes:
    return beats.reshape(-1, beats.shape[-1])


def _run(unit: hdl.Array, model: Model, streams: dict[str, Source], results: int, *, first: bool) -> tuple[Codes, int]:
    """The codes of the ``results`` beats of C, and the cycles they took; only the first run begins with a reset."""
    per_beat, least = _PATIENCE
    beats = results + sum(len(source.data) for source in streams.values())
    run = run_streams(model, streams, {"c": Sink(results)}, max_cycles=least + per_beat * beats, reset=first)
    return unpack(run.streams["c"].data, unit.accumulator.out.width, unit.cols), run.cycles
