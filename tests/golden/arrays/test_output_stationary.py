"""The cycle-accurate array against a simulation of every register of every processing element."""

from collections import deque
from typing import Any

import numpy as np
import pytest

from polymac import golden
from polymac.golden import OutputStationary, ParameterError, Trace


class Element:
    """A processing element: operand registers, pipeline, accumulator, and the way its results take to the buffer."""

    def __init__(self, array: "Registers", row: int, col: int):
        self.array = array
        self.operands: Any = None
        self.pipeline: deque[Any] = deque([None] * array.model.stages)
        self.acc = 0
        # Row r's results wait for the last column's, and then for the rows before to have left.
        self.results: deque[Any] = deque([None] * (array.model.rows + array.model.cols - 1 - col))

    def step(self, operands):
        """One clock edge: take what the neighbours' registers hold, return the result that leaves, if any."""
        self.pipeline.append(self.operands)
        self.operands = operands
        done = None
        if (item := self.pipeline.popleft()) is not None:
            a, b, last = item
            self.acc = self.array.narrow(self.acc + sum(x * y for x, y in zip(a, b, strict=True)))
            if last:
                done, self.acc = self.acc, 0
        self.results.append(done)
        return self.results.popleft()


class Registers:
    """The whole array, register by register, in plain Python integers."""

    def __init__(self, model: OutputStationary):
        self.model = model
        self.clear()

    def clear(self):
        rows, cols = self.model.rows, self.model.cols
        self.elements = [[Element(self, row, col) for col in range(cols)] for row in range(rows)]
        # The skew at the edges: row r of a, and column c of b, enter r and c cycles late.
        self.a_skew: list[deque[Any]] = [deque([None] * row) for row in range(rows)]
        self.b_skew: list[deque[Any]] = [deque([None] * col) for col in range(cols)]
        self.buffer = []
        self.since_last = rows

    def narrow(self, value):
        acc = self.model.out
        if self.model.arithmetic.overflow == "saturate":
            return min(max(value, acc.min_int), acc.max_int)
        value %= 1 << acc.width
        return value - (1 << acc.width) if acc.signed and value >> (acc.width - 1) else value

    def cycle(self, a_valid, a, a_last, b_valid, b, c_ready, reset):
        """One clock cycle; returns a_ready, b_ready, c_valid, c_last and c_data."""
        advance = len(self.buffer) < 2
        accept = advance and (not a_last or self.since_last >= self.model.rows)
        row, last = self.buffer[0] if self.buffer else (None, False)
        outputs = (accept and b_valid, accept and a_valid, bool(self.buffer), last, row)
        if reset:
            self.clear()
            return outputs
        if self.buffer and c_ready:
            self.buffer.pop(0)
        if advance:
            self.advance((a, b, a_last) if accept and a_valid and b_valid else None)
        return outputs

    def advance(self, beat):
        self.since_last = 1 if beat and beat[2] else self.since_last + 1
        for row, skew in enumerate(self.a_skew):
            skew.append(beat and (beat[0][row], beat[2]))
        for col, skew in enumerate(self.b_skew):
            skew.append(beat and beat[1][col])
        a_edge = [skew.popleft() for skew in self.a_skew]
        b_edge = [skew.popleft() for skew in self.b_skew]
        before = [[element.operands for element in row] for row in self.elements]
        leaving = []
        for r, row in enumerate(self.elements):
            found = []
            for c, element in enumerate(row):
                west = before[r][c - 1] if c else (a_edge[r] and (a_edge[r][0], None, a_edge[r][1]))
                north = before[r - 1][c] if r else (b_edge[c] and (None, b_edge[c], None))
                assert (west is None) == (north is None)
                found.append(element.step(west and north and (west[0], north[1], west[2])))
            assert len({result is None for result in found}) == 1
            if found[0] is not None:
                leaving.append((found, r == self.model.rows - 1))
        assert len(leaving) <= 1
        self.buffer += leaving


def run_both(model: OutputStationary, inputs: dict[str, np.ndarray]) -> tuple[Trace, list]:
    trace = model.run(**inputs)
    registers = Registers(model)
    arithmetic: Any = model.arithmetic
    a, b = (
        golden.to_int(inputs[name], fmt).tolist() for name, fmt in (("a_data", arithmetic.a), ("b_data", arithmetic.b))
    )
    controls = {name: values.tolist() for name, values in inputs.items() if not name.endswith("data")}
    never = [False] * len(a)
    expected = [
        registers.cycle(a_valid, a_beat, a_last, b_valid, b_beat, c_ready, reset)
        for a_valid, a_beat, a_last, b_valid, b_beat, c_ready, reset in zip(
            controls["a_valid"],
            a,
            controls["a_last"],
            controls["b_valid"],
            b,
            controls["c_ready"],
            controls.get("reset", never),
            strict=True,
        )
    ]
    return trace, expected


def assert_same(model: OutputStationary, trace: Trace, expected: list) -> None:
    for index, name in enumerate(("a_ready", "b_ready", "c_valid", "c_last")):
        np.testing.assert_array_equal(getattr(trace, name), [bool(cycle[index]) for cycle in expected], name)
    data = golden.to_int(trace.c_data, model.out).tolist()
    for found, cycle in zip(data, expected, strict=True):
        assert found == (cycle[4] or [0] * model.cols)


def random_inputs(
    model: OutputStationary, rng: np.random.Generator, cycles: int, reset: float
) -> dict[str, np.ndarray]:
    """Streams that are idle, or full, for stretches; each stretch has its own probabilities."""
    arithmetic: Any = model.arithmetic

    def control() -> np.ndarray:
        likely = np.repeat(rng.choice([0.0, 0.3, 0.8, 1.0, 1.0], cycles // 20 + 1), 20)[:cycles]
        return rng.random(cycles) < likely

    return {
        "a_valid": control(),
        "a_data": rng.integers(0, arithmetic.a.code_count, (cycles, model.rows, model.lanes), dtype=np.uint64),
        "a_last": rng.random(cycles) < rng.choice([0.1, 0.3, 1.0]),
        "b_valid": control(),
        "b_data": rng.integers(0, arithmetic.b.code_count, (cycles, model.cols, model.lanes), dtype=np.uint64),
        "c_ready": control(),
        "reset": rng.random(cycles) < reset,
    }


@pytest.mark.parametrize("overflow", ["wrap", "saturate"])
@pytest.mark.parametrize(
    ("a", "b", "acc"),
    [("int8", "int8", "int32"), ("int4", "uint3", "int8"), ("q1.3", "uq2.2", "q4.5"), ("bin1", "bin1", "int3")],
)
@pytest.mark.parametrize(
    ("rows", "cols", "lanes", "stages"),
    [(1, 1, 1, 0), (2, 3, 1, 1), (3, 2, 2, 0), (4, 4, 1, 2), (1, 4, 3, 1), (4, 1, 1, 0)],
)
def test_every_cycle_like_registers(rows, cols, lanes, stages, a, b, acc, overflow, rng):
    model = OutputStationary(rows, cols, lanes, a=a, b=b, acc=acc, overflow=overflow, stages=stages)
    for reset in (0.0, 0.02):
        trace, expected = run_both(model, random_inputs(model, rng, 600, reset))
        assert_same(model, trace, expected)
        assert trace.c_valid.any()


def full_speed(
    model: OutputStationary, depths: list[int], rng: np.random.Generator, cycles: int
) -> dict[str, np.ndarray]:
    """Tiles of the given depths without a gap; what the array does not take is offered again by nobody."""
    inputs = random_inputs(model, rng, cycles, 0.0)
    del inputs["reset"]
    for name in ("a_valid", "b_valid", "c_ready"):
        inputs[name] = np.ones(cycles, bool)
    inputs["a_valid"][sum(depths) :] = False
    inputs["a_last"] = np.zeros(cycles, bool)
    inputs["a_last"][np.cumsum(depths) - 1] = True
    return inputs


@pytest.mark.parametrize("stages", [0, 3])
@pytest.mark.parametrize(("rows", "cols", "lanes"), [(1, 1, 1), (4, 3, 1), (2, 5, 2)])
def test_tiles_without_a_gap(rows, cols, lanes, stages, rng):
    model = OutputStationary(rows, cols, lanes, a="int8", b="int8", acc="int32", stages=stages)
    depths = [rows, rows + 2, rows, rows]
    inputs = full_speed(model, depths, rng, sum(depths) + 40)
    trace = model.run(**inputs)
    # Never a stall; a tile's rows leave one after the other, rows + cols + stages + 1 cycles after its last beat.
    assert trace.a_ready.all()
    ends = np.cumsum(depths)
    starts = ends - 1 + rows + cols + stages + 1
    assert np.flatnonzero(trace.c_valid).tolist() == [start + row for start in starts for row in range(rows)]
    assert np.flatnonzero(trace.c_last).tolist() == (starts + rows - 1).tolist()
    for start, end, first in zip(ends - depths, ends, starts, strict=True):
        a, b = (golden.to_int(inputs[name][start:end], "int8") for name in ("a_data", "b_data"))
        product = np.einsum("krl,kcl->rc", a, b)
        np.testing.assert_array_equal(golden.to_int(trace.c_data[first : first + rows], "int32"), product)


def test_a_short_tile_waits_for_the_one_before(rng):
    model = OutputStationary(4, 2, a="int8", b="int8", acc="int32")
    inputs = full_speed(model, [1, 1], rng, 30)
    inputs["a_valid"][:] = True
    inputs["a_last"][:] = True
    trace = model.run(**inputs)
    # Tiles of one beat: the array takes one in four cycles, as many as rows leave.
    assert np.flatnonzero(trace.a_ready).tolist() == list(range(0, 30, 4))
    assert trace.c_valid[7:].all()


def test_latency_is_what_the_trace_shows(rng):
    for rows, cols, stages in ((1, 1, 0), (3, 2, 1), (2, 6, 4)):
        model = OutputStationary(rows, cols, a="int8", b="int8", acc="int32", stages=stages)
        trace = model.run(**full_speed(model, [2], rng, 40))
        assert int(trace.c_valid.argmax()) - 1 == model.latency


def test_back_pressure_stops_the_array(rng):
    model = OutputStationary(2, 2, a="int8", b="int8", acc="int32")
    inputs = full_speed(model, [2] * 20, rng, 40)
    inputs["c_ready"][:] = False
    trace = model.run(**inputs)
    # Two beats fill the buffer; from then on nothing is taken and the oldest beat stays.
    full = 1 + model.latency + 1
    assert trace.a_ready[:full].all()
    assert not trace.a_ready[full:].any()
    assert trace.c_valid[full:].all()
    assert (trace.c_data[full:] == trace.c_data[full]).all()


def test_reset_drops_everything(rng):
    model = OutputStationary(2, 2, a="int8", b="int8", acc="int32")
    inputs = full_speed(model, [3, 3], rng, 60)
    inputs["reset"] = np.arange(60) == 8
    # A tile begun before the reset must not leak into the one after.
    for name in ("a_valid", "b_valid"):
        inputs[name][20:23] = True
    inputs["a_last"][22] = True
    trace = model.run(**inputs)
    assert np.flatnonzero(trace.c_valid[:9]).tolist() == [7, 8]
    assert np.flatnonzero(trace.c_valid[9:]).tolist() == [18, 19]
    a, b = (golden.to_int(inputs[name][20:23, :, 0], "int8") for name in ("a_data", "b_data"))
    np.testing.assert_array_equal(golden.to_int(trace.c_data[27:29], "int32"), a.T @ b)


GOOD = {
    "a_valid": np.ones(5, bool),
    "a_data": np.ones((5, 2, 1), np.uint8),
    "a_last": np.ones(5, bool),
    "b_valid": np.ones(5, bool),
    "b_data": np.ones((5, 3, 1), np.uint8),
    "c_ready": np.ones(5, bool),
}


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"a_data": np.ones((5, 3, 1), np.uint8)}, ParameterError, "a_data must be of shape (5, 2, 1), not (5, 3, 1)"),
        ({"b_data": np.ones((4, 3, 1), np.uint8)}, ParameterError, "b_data must be of shape (5, 3, 1), not (4, 3, 1)"),
        ({"b_data": np.full((5, 3, 1), 99)}, ParameterError, "b_data must hold codes of int4, 0 … 0xf, not 99"),
        ({"a_data": np.ones((5, 2, 1))}, TypeError, "a_data must be an array of integers, not of float64"),
        ({"c_ready": np.ones(4, bool)}, ParameterError, "c_ready must be of shape (5,), not (4,)"),
        ({"a_valid": np.ones((5, 1), bool)}, ParameterError, "a_valid must be of shape (T,), not (5, 1)"),
        ({"reset": np.ones(5, int)}, TypeError, "reset must be an array of bool, not of int64"),
    ],
)
def test_bad_streams(change, error, message):
    model = OutputStationary(2, 3, a="int8", b="int4", acc="int32")
    assert len(model.run(**GOOD).c_valid) == 5
    with pytest.raises(error) as caught:
        model.run(**GOOD | change)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"rows": 0}, ParameterError, "rows must be at least 1, not 0"),
        ({"cols": -1}, ParameterError, "cols must be at least 1, not -1"),
        ({"lanes": 1.0}, TypeError, "lanes must be an integer, not 1.0"),
        ({"stages": -1}, ParameterError, "stages must be at least 0, not -1"),
        ({"a": "fp16"}, ParameterError, "a must be a fixed-point or binary format, not fp16"),
        ({"acc": "q30.2"}, ParameterError, "acc must have 0 fraction bits, those of the products, not q30.2"),
        ({"overflow": "ieee"}, ParameterError, "overflow must be one of saturate, wrap, not 'ieee'"),
    ],
)
def test_bad_parameters(change, error, message):
    parameters = {"rows": 2, "cols": 2, "a": "int8", "b": "int8", "acc": "int32"}
    with pytest.raises(error) as caught:
        OutputStationary(**parameters | change)
    assert str(caught.value) == message
