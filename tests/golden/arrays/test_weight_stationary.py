"""The weight-stationary model against a simulation of every register of every processing element."""

from collections import deque
from typing import Any

import numpy as np
import pytest

from polymac import golden
from polymac.golden import ParameterError, WeightStationary


class Element:
    """A processing element: operand registers, weights and their shadow, pipeline, and the sum that passes."""

    def __init__(self, stages: int):
        self.west: Any = None
        self.north: Any = None
        self.shadow: Any = None
        self.weight: Any = None
        self.pipeline: deque[Any] = deque([None] * stages)
        self.sum: Any = None

    def step(self, row: int, west: Any, north: Any, total: Any, narrow: Any) -> None:
        """One clock edge: west is (operands, swap), north (row of B that they belong to, weights), total a sum or None."""
        self.pipeline.append(self.west and (self.west[0], self.weight))
        item = self.pipeline.popleft()
        assert (item is None) == (total is None)
        self.sum = None if item is None else narrow(total + sum(x * y for x, y in zip(*item, strict=True)))
        if west and west[1]:
            self.weight, self.shadow = self.shadow, None
        if north and north[0] == row:
            assert self.shadow is None
            self.shadow = north[1]
        self.west, self.north = west, north


class Registers:
    """The whole array, register by register, in plain Python integers."""

    def __init__(self, model: WeightStationary):
        self.model = model
        self.clear()

    def clear(self):
        rows, cols, stages = self.model.rows, self.model.cols, self.model.stages
        self.elements = [[Element(stages) for _ in range(cols)] for _ in range(rows)]
        self.a_skew: list[deque[Any]] = [deque([None] * row) for row in range(rows)]
        self.b_skew: list[deque[Any]] = [deque([None] * col) for col in range(cols)]
        self.p_skew: list[deque[Any]] = [deque([None] * (1 + stages + col)) for col in range(cols)]
        self.c_skew: list[deque[Any]] = [deque([None] * (cols - 1 - col)) for col in range(cols)]
        self.lasts: deque[bool] = deque()
        self.buffer: list[Any] = []
        self.loaded = 0  # beats of the shadow plane
        self.first = True

    def narrow(self, value: int) -> int:
        out = self.model.out
        if self.model.arithmetic.overflow == "saturate":
            return min(max(value, out.min_int), out.max_int)
        value %= 1 << out.width
        return value - (1 << out.width) if out.signed and value >> (out.width - 1) else value

    def cycle(self, a_valid, a, a_last, a_add, b_valid, b, p_valid, p, c_ready, reset):
        """One clock cycle; returns a_ready, b_ready, p_ready, c_valid, c_last and c_data."""
        rows = self.model.rows
        advance = len(self.buffer) < 2
        accept = advance and (not self.first or self.loaded == rows)
        a_ready = accept and (p_valid or not a_add)
        swap = a_ready and a_valid and self.first
        b_ready = advance and (self.loaded < rows or swap)
        row, last = self.buffer[0] if self.buffer else (None, False)
        outputs = (a_ready, b_ready, accept and a_valid and a_add, bool(self.buffer), last, row)
        if reset:
            self.clear()
            return outputs
        if self.buffer and c_ready:
            self.buffer.pop(0)
        if not advance:
            return outputs
        index = 0 if swap else self.loaded
        take = (a, swap, p if a_add else None) if a_ready and a_valid else None
        self.loaded = index + (b_ready and b_valid)
        if take:
            self.first = a_last
            self.lasts.append(a_last)
        self.advance(take, (index, b) if b_ready and b_valid else None)
        return outputs

    def advance(self, take: Any, weights: Any) -> None:
        cols = self.model.cols
        for row, skew in enumerate(self.a_skew):
            skew.append(take and (take[0][row], take[1]))
        for col in range(cols):
            self.b_skew[col].append(weights and (weights[0], weights[1][col]))
            self.p_skew[col].append(take and (take[2][col] if take[2] else 0))
        a_edge = [skew.popleft() for skew in self.a_skew]
        b_edge = [skew.popleft() for skew in self.b_skew]
        p_edge = [skew.popleft() for skew in self.p_skew]
        before = [[(element.west, element.north, element.sum) for element in row] for row in self.elements]
        for col, skew in enumerate(self.c_skew):
            skew.append(before[-1][col][2])
        leaving = [skew.popleft() for skew in self.c_skew]
        assert len({result is None for result in leaving}) == 1
        if leaving[0] is not None:
            self.buffer.append((leaving, self.lasts.popleft()))
        for r, row in enumerate(self.elements):
            for c, element in enumerate(row):
                west = before[r][c - 1][0] if c else a_edge[r]
                north = before[r - 1][c][1] if r else b_edge[c]
                total = before[r - 1][c][2] if r else p_edge[c]
                element.step(r, west, north, total, self.narrow)


NAMES = ("a_ready", "b_ready", "p_ready", "c_valid", "c_last")


def run_both(model: WeightStationary, inputs: dict[str, np.ndarray]):
    trace = model.run(**inputs)
    registers = Registers(model)
    arithmetic: Any = model.arithmetic
    values = {name: array.tolist() for name, array in inputs.items()}
    for name, fmt in (("a_data", arithmetic.a), ("b_data", arithmetic.b), ("p_data", arithmetic.out)):
        values[name] = golden.to_int(inputs[name], fmt).tolist()
    order = ["a_valid", "a_data", "a_last", "a_add", "b_valid", "b_data", "p_valid", "p_data", "c_ready", "reset"]
    expected = [registers.cycle(*cycle) for cycle in zip(*(values[name] for name in order), strict=True)]
    for index, name in enumerate(NAMES):
        np.testing.assert_array_equal(getattr(trace, name), [bool(cycle[index]) for cycle in expected], name)
    data = golden.to_int(trace.c_data, model.out).tolist()
    for found, cycle in zip(data, expected, strict=True):
        assert found == (cycle[5] or [0] * model.cols)
    return trace


def random_inputs(model: WeightStationary, rng: np.random.Generator, cycles: int, reset: float):
    """Streams that are idle, or full, for stretches; each stretch has its own probabilities."""

    def control() -> np.ndarray:
        likely = np.repeat(rng.choice([0.0, 0.3, 0.8, 1.0, 1.0], cycles // 20 + 1), 20)[:cycles]
        return rng.random(cycles) < likely

    arithmetic: Any = model.arithmetic

    def codes(fmt: Any, *shape: int) -> np.ndarray:
        return rng.integers(0, fmt.code_count, (cycles, *shape), dtype=np.uint64)

    return {
        "a_valid": control(),
        "a_data": codes(arithmetic.a, model.rows, model.lanes),
        "a_last": rng.random(cycles) < rng.choice([0.1, 0.3, 1.0]),
        "a_add": rng.random(cycles) < rng.choice([0.0, 0.3, 1.0]),
        "b_valid": control(),
        "b_data": codes(arithmetic.b, model.cols, model.lanes),
        "p_valid": control(),
        "p_data": codes(arithmetic.out, model.cols),
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
    model = WeightStationary(rows, cols, lanes, a=a, b=b, acc=acc, overflow=overflow, stages=stages)
    seen = 0
    for reset in (0.0, 0.02):
        seen += run_both(model, random_inputs(model, rng, 600, reset)).c_valid.sum()
    assert seen > 20


def full_speed(model: WeightStationary, sizes: list[int], rng: np.random.Generator, cycles: int):
    """Vectors of tiles of these sizes and planes without a gap, from the cycle in which the first plane is loaded."""
    inputs = random_inputs(model, rng, cycles, 0.0)
    for name in ("a_valid", "b_valid", "p_valid", "c_ready"):
        inputs[name] = np.ones(cycles, bool)
    inputs["a_valid"][: model.rows] = False
    inputs["a_valid"][model.rows + sum(sizes) :] = False
    inputs["a_last"] = np.zeros(cycles, bool)
    inputs["a_last"][model.rows + np.cumsum(sizes) - 1] = True
    return inputs


@pytest.mark.parametrize("stages", [0, 3])
@pytest.mark.parametrize(("rows", "cols", "lanes"), [(1, 1, 1), (4, 3, 1), (2, 5, 2)])
def test_tiles_without_a_gap(rows, cols, lanes, stages, rng):
    model = WeightStationary(rows, cols, lanes, a="int8", b="int8", acc="int32", stages=stages)
    sizes = [rows, rows + 2, rows, rows]
    inputs = full_speed(model, sizes, rng, rows + sum(sizes) + 40)
    trace = model.run(**inputs)
    # A result per cycle, rows + cols + stages + 1 cycles after its vector; the planes load behind one another.
    begin = rows + rows + cols + stages + 1
    assert np.flatnonzero(trace.c_valid).tolist() == list(range(begin, begin + sum(sizes)))
    assert np.flatnonzero(trace.c_last).tolist() == (begin + np.cumsum(sizes) - 1).tolist()
    planes = np.flatnonzero(trace.b_ready)[: rows * len(sizes)].reshape(len(sizes), rows)
    assert planes[0].tolist() == list(range(rows))
    a = golden.to_int(inputs["a_data"], "int8").reshape(len(trace.c_valid), -1)
    p = np.where(inputs["a_add"][:, None], golden.to_int(inputs["p_data"], "int32"), 0)
    start = rows
    for plane, size in zip(planes, sizes, strict=True):
        b = golden.to_int(inputs["b_data"], "int8")[plane].transpose(0, 2, 1).reshape(-1, cols)
        vectors = slice(start, start + size)
        found = trace.c_data[start + model.latency : start + size + model.latency]
        np.testing.assert_array_equal(found, (a[vectors] @ b + p[vectors]).astype(np.uint32))
        start += size


def test_a_short_tile_waits_for_its_plane(rng):
    model = WeightStationary(4, 2, a="int8", b="int8", acc="int32")
    inputs = full_speed(model, [1] * 5, rng, 40)
    inputs["a_valid"][:] = inputs["a_last"][:] = True
    trace = model.run(**inputs)
    assert np.flatnonzero(trace.a_ready).tolist() == list(range(4, 40, 4))
    assert trace.b_ready.all()


def test_reset_drops_everything(rng):
    model = WeightStationary(2, 2, a="int8", b="int8", acc="int32")
    inputs = full_speed(model, [3], rng, 40)
    inputs["a_add"][:] = False
    # One of two beats of the next plane has come when everything is dropped.
    inputs["b_valid"] = np.isin(np.arange(40), [0, 1, 3, 20, 21])
    inputs["reset"] = np.arange(40) == 6
    inputs["a_valid"][22:24] = True
    trace = model.run(**inputs)
    assert not trace.c_valid[7:22].any()
    assert trace.a_ready[22:24].all()
    a = golden.to_int(inputs["a_data"][22:24, :, 0], "int8")
    b = golden.to_int(inputs["b_data"][20:22, :, 0], "int8")
    found = trace.c_data[22 + model.latency : 24 + model.latency]
    np.testing.assert_array_equal(golden.to_int(found, "int32"), a @ b)


@pytest.mark.parametrize("flow", [golden.OutputStationary, WeightStationary])
@pytest.mark.parametrize(
    ("a", "b", "lanes", "acc"),
    [
        ("fp8_e4m3", "fp8_e5m2", 1, golden.Rounded("fp32")),
        ("fp16", "fp16", 2, golden.Exact()),
        ("bf16", "bf16", 4, golden.Aligned(4, 24)),
        ("mxfp4", "mxfp8_e4m3", 4, golden.Rounded("fp32", block=4)),
        ("nvfp4", "nvfp4", 16, golden.Exact()),
        ("msfp12", "fp16", 32, golden.Exact()),
    ],
)
def test_styles_and_block_formats(flow, a, b, lanes, acc, rng):
    """One tile at full speed: the golden GEMM of the matrices that its beats make up."""
    rows, cols, beats = 3, 2, 3
    model = flow(rows, cols, lanes, a=a, b=b, acc=acc)
    arithmetic: Any = model.arithmetic
    cycles = 30
    every = np.ones(cycles, bool)
    streams = {"a_valid": every, "b_valid": every, "c_ready": every, "a_last": np.arange(cycles) == 2}
    reals = {}
    for name, fmt, places in (("a", arithmetic.a, rows), ("b", arithmetic.b, cols)):
        shape = (cycles, places, lanes)
        streams[f"{name}_data"] = golden.encode(rng.standard_normal(shape), arithmetic.element(fmt))
        reals[name] = golden.decode(streams[f"{name}_data"], arithmetic.element(fmt))
        if arithmetic.scales(fmt):
            one = int(golden.encode(1.0, fmt.scale))
            scales = rng.integers(one - 2, one + 3, (cycles, places, arithmetic.scales(fmt)))
            streams[f"{name}_scale"] = scales
            scale = golden.decode(scales, fmt.scale)
            reals[name] = reals[name] * np.repeat(scale, lanes // arithmetic.scales(fmt), axis=2)
    ws = flow is WeightStationary
    if ws:
        streams["a_valid"] = (np.arange(cycles) >= rows) & (np.arange(cycles) < rows + beats)
        streams["a_last"] = np.arange(cycles) == rows + beats - 1
    trace = model.run(**streams)
    if ws:
        left = reals["a"][rows : rows + beats].reshape(beats, -1)
        right = reals["b"][:rows].transpose(0, 2, 1).reshape(-1, cols)
    else:
        left = reals["a"][:beats].transpose(1, 0, 2).reshape(rows, -1)
        right = reals["b"][:beats].transpose(0, 2, 1).reshape(-1, cols)
    # A float64 holds all operands exactly; tensor cores' sums depend on the operands' own format.
    fmt = a if isinstance(acc, golden.Aligned) else "fp64"
    x, y = golden.encode(left, fmt), golden.encode(right, fmt)
    want = golden.gemm(x, y, fmt, fmt, acc=acc)
    np.testing.assert_array_equal(trace.c_data[trace.c_valid], want)
    assert golden.decode(want, "fp32").any()


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
        ({"p_data": np.ones((5, 2), np.uint8)}, ParameterError, "p_data must be of shape (5, 3), not (5, 2)"),
        ({"a_add": np.ones(4, bool)}, ParameterError, "a_add must be of shape (5,), not (4,)"),
        ({"p_valid": np.ones(5)}, TypeError, "p_valid must be an array of bool, not of float64"),
        (
            {"a_scale": np.ones((5, 2, 1), int)},
            ParameterError,
            "a_scale must be None for int8, which has no scales, not given",
        ),
    ],
)
def test_bad_streams(change, error, message):
    model = WeightStationary(2, 3, a="int8", b="int4", acc="int32")
    assert len(model.run(**GOOD).c_valid) == 5
    with pytest.raises(error) as caught:
        model.run(**GOOD | change)
    assert str(caught.value) == message


def test_bad_scales_and_partial_sums():
    model = WeightStationary(2, 3, a="mxfp4", b="fp8_e4m3", acc=golden.Exact())
    message = "a_scale must be given for the block format mxfp4, not None"
    with pytest.raises(ParameterError) as caught:
        model.run(**GOOD)
    assert str(caught.value) == message
    scales = np.ones((5, 2, 1), int)
    for name, value in (("a_add", np.zeros(5, bool)), ("p_valid", np.zeros(5, bool)), ("p_data", np.zeros((5, 3)))):
        with pytest.raises(ParameterError) as caught:
            model.run(**GOOD, a_scale=scales, **{name: value})
        assert str(caught.value) == f"{name} must be None for exact sums, which are no codes while they grow, not given"
    assert model.run(**GOOD, a_scale=scales).p_ready is None


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"out": "fp32"}, "out must be None without an accumulation, not fp32"),
        ({"acc": None}, "acc must be given, not None"),
        (
            {"acc": golden.Rounded("int32"), "out": "int16"},
            "out must be int32, the accumulator's format, or None, not int16",
        ),
        ({"b": "mxfp4"}, "acc must be an accumulation for int8 and mxfp4, not int32: a block format is no integer"),
    ],
)
def test_bad_parameters(change, message):
    parameters = {"rows": 2, "cols": 2, "a": "int8", "b": "int8", "acc": "int32"}
    with pytest.raises(ParameterError) as caught:
        WeightStationary(**parameters | change)
    assert str(caught.value) == message
