"""Systolic arrays of both dataflows in every style, natively and under cocotb, cycle by cycle against golden."""

from __future__ import annotations

import dataclasses
import functools
import itertools
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from polymac import golden, hdl, sim
from polymac.golden import ParameterError
from polymac.golden.formats import BLOCK_FORMATS, FORMATS
from polymac.sim.apps.gemm import golden_gemm
from polymac.sim.campaigns.replay import replay

Options = dict[str, Any]


def built(unit: hdl.Array, design: hdl.Design | None = None) -> sim.Model:
    return sim.Model.build(design or hdl.generate(unit, "array_under_test"))


def check(unit: hdl.Array, tiles: int = 40, seed: int = 1, design: hdl.Design | None = None) -> list[str]:
    """What differs: tiles of critical sizes at full speed and with stalls, after runs that broke off in mid-tile."""
    model = built(unit, design)
    rows = unit.rows
    critical = [1, 2, max(rows - 1, 1), rows, rows + 1, 1, 3 * rows]
    sizes = (critical * tiles)[:tiles]
    found = replay(unit, model, sizes, seed=seed).mismatches
    for results in (1, rows + 1, 5):
        found += replay(unit, model, sizes, willing=0.7, seed=seed + results, results=results).mismatches
        found += replay(unit, model, sizes[:8], willing=0.5, seed=seed + results + 1).mismatches
    return found


#: Of each: pair of operands, style, dataflow, shape, lanes, stages.
QUICK: list[Options] = [
    {"a": "int4", "b": "int3", "rows": 3, "cols": 2, "dataflow": "ws", "stages": 1},
    {
        "a": "int3",
        "b": "uint2",
        "rows": 1,
        "cols": 3,
        "lanes": 2,
        "acc": "int6",
        "overflow": "saturate",
        "dataflow": "ws",
    },
    {
        "a": "fp8_e4m3",
        "b": "fp4_e2m1",
        "acc": "rounded:fp8_e5m2:rdn",
        "rows": 3,
        "cols": 2,
        "stages": 2,
        "dataflow": "ws",
    },
    {"a": "mxfp4", "b": "mxfp6_e2m3", "acc": "rounded:bf16", "rows": 2, "cols": 2, "lanes": 4, "dataflow": "ws"},
    {"a": "fp6_e3m2", "b": "fp4_e2m1", "acc": "aligned:2:8:7", "out": "bf16", "rows": 2, "cols": 3, "lanes": 2},
    {"a": "nvfp4", "b": "fp4_e2m1", "acc": "exact", "rows": 2, "cols": 2, "stages": 1, "max_k": 256},
    {"a": "fp4_e2m1", "b": "fp4_e2m1", "acc": "exact", "rows": 2, "cols": 2, "dataflow": "ws", "max_k": 4},
    # Partial sums of more than 64 bits.
    {"a": "uint32", "b": "int32", "rows": 1, "cols": 2, "dataflow": "ws"},
]


@pytest.mark.parametrize("options", QUICK, ids=lambda options: f"{options['a']}-{options.get('dataflow', 'os')}")
def test_table(options: Options) -> None:
    assert check(hdl.Array(**options)) == []


#: What each factor of the whole table may be.
FACTORS: dict[str, tuple[Any, ...]] = {
    "pair": (
        *((name, name) for name in (*FORMATS, *BLOCK_FORMATS) if name != "fp64"),
        ("fp8_e4m3", "fp8_e5m2"),
        ("bf16", "int8"),
        ("bin1", "fp16"),
        ("mxfp4", "fp8_e4m3"),
    ),
    "acc": (None, "exact", "fp32", "rounded:fp16:rup", "aligned:4:20"),
    "dataflow": ("os", "ws"),
    "shape": ((1, 1), (1, 3), (3, 1), (2, 2), (3, 2)),
    "lanes": (1, 2, 4),
    "stages": (0, 1, 3),
}


#: Of the whole table, for as many processes.
PARTS = 16


@functools.cache
def table() -> list[hdl.Array]:
    """Arrays such that every two values of two factors that go together are together in one of them."""
    pool: list[tuple[hdl.Array, set[Any]]] = []
    generator = np.random.default_rng(1)
    for pair, acc, dataflow in itertools.product(FACTORS["pair"], FACTORS["acc"], FACTORS["dataflow"]):
        options: Options = {"pair": pair, "acc": acc, "dataflow": dataflow}
        options |= {
            name: values[generator.integers(len(values))] for name, values in FACTORS.items() if name not in options
        }
        given = {name: options[name] for name in ("acc", "dataflow", "lanes", "stages") if options[name] is not None}
        try:
            unit = hdl.Array(a=pair[0], b=pair[1], rows=options["shape"][0], cols=options["shape"][1], **given)
        except ParameterError:
            continue
        pool.append((unit, set(itertools.combinations(options.items(), 2))))
    missing = set().union(*(pairs for _, pairs in pool))
    chosen = []
    while missing:
        unit, pairs = max(pool, key=lambda item: len(item[1] & missing))
        missing -= pairs
        chosen.append(unit)
    return chosen


@pytest.mark.slow
@pytest.mark.parametrize("part", range(PARTS))
def test_whole_table(part: int) -> None:
    for unit in table()[part::PARTS]:
        assert check(unit, 20) == [], unit.parameters
        assert replay(unit, built(unit), [1, 1000, 2], willing=0.9).mismatches == [], unit.parameters


@pytest.mark.slow
@pytest.mark.parametrize("part", range(PARTS))
def test_whole_table_under_cocotb(part: int, tmp_path: Path) -> None:
    """With resets in mid-tile besides."""
    for number, unit in enumerate(table()[part::PARTS]):
        result = sim.verify(unit, vectors=1_500, seed=part, folder=tmp_path / str(number))
        assert result.passed, (unit.parameters, result.details)
        assert result.checked == 1_500


@pytest.mark.slow
def test_whole_table_has_every_format() -> None:
    assert {(unit.accumulator.a.name, unit.accumulator.b.name) for unit in table()} == set(FACTORS["pair"])


@pytest.mark.slow
@pytest.mark.parametrize("dataflow", ["os", "ws"])
def test_a_million_cycles(dataflow: str) -> None:
    """No tile is lost or taken twice, whatever the stalls: also tiles of 1000 beats."""
    unit = hdl.Array(a="int4", b="int4", rows=4, cols=3, stages=1, dataflow=dataflow)
    model = built(unit)
    cycles = 0
    for seed in itertools.count():
        sizes = [*np.random.default_rng(seed).integers(1, 13, 400).tolist(), 1000, 1, 1000]
        run = replay(unit, model, sizes, willing=(1.0, 0.9, 0.5, 0.2)[seed % 4], seed=seed)
        assert run.mismatches == [], seed
        cycles += run.cycles
        if cycles >= 1_000_000:
            break


@pytest.mark.parametrize("dataflow", ["os", "ws"])
def test_utilization_and_single_tile(dataflow: str) -> None:
    """Fill and drain are what the docstring says, and many tiles of K, or M, as small as rows take no cycle more."""
    unit = hdl.Array(a="int2", b="int2", rows=4, cols=3, stages=1, dataflow=dataflow)
    model = built(unit)
    fill_and_drain = 2 * unit.rows + unit.cols + unit.stages + (dataflow == "ws")
    for beats in (1, 4, 9):
        assert replay(unit, model, [beats]).cycles == beats + fill_and_drain
    run = replay(unit, model, [unit.rows] * 500)
    assert run.mismatches == []
    assert run.cycles == 2000 + fill_and_drain
    assert run.beats / run.cycles > 0.99
    a = np.ones((4 * 100, 12), np.uint8)
    b = np.ones((12, 3), np.uint8)
    done = sim.gemm(unit, a, b, model=model)
    useful = 400 * 12 * 3 / (4 * 3)
    planes = 3 if dataflow == "ws" else 1
    assert done.cycles == useful + planes * fill_and_drain
    assert done.utilization == pytest.approx(useful / done.cycles)


def _replaced(verilog: str, before: str, after: str) -> str:
    assert len(re.findall(before, verilog)) >= 1, before
    return re.sub(before, after, verilog, count=1)


#: Faults in the hand-over of planes and tiles, and in what passes the processing elements.
FAULTS = {
    "ws": [
        (r"assign b_ready = .*;", "assign b_ready = advance;"),
        (r"wire accept = .*;", "wire accept = advance;"),
        (r"else if \(take_b & .*\) loaded <= 1'b1;", "else if (take_b) loaded <= 1'b1;"),
        (r"capture = .*;", "capture = b_rows;"),
        (r"(?<=wire swap = ).*;", "take;"),
        (r"\.sum\(p_skewed\)", ".sum(96'd0)"),
    ],
    "os": [
        (r"(?<=wire free = ).*;", "advance;"),
        (r"(?<=first <= )a_last;", "1'b0;"),
    ],
}


@pytest.mark.slow
@pytest.mark.parametrize("dataflow", ["os", "ws"])
def test_faults_are_seen(dataflow: str) -> None:
    unit = hdl.Array(a="int4", b="int4", rows=4, cols=3, acc="int32", dataflow=dataflow)
    design = hdl.generate(unit, "faulty")
    assert check(unit, 14, design=design) == []
    for before, after in FAULTS[dataflow]:
        broken = dataclasses.replace(design, verilog=_replaced(design.verilog, before, after))
        try:
            assert check(unit, 14, design=broken), before
        except sim.SimulationError as error:
            assert "must deliver its beats" in str(error)


def test_cocotb_weight_stationary(simulator: sim.Simulator, tmp_path: Path) -> None:
    unit = hdl.Array(a="mxfp4", b="int4", rows=2, cols=2, lanes=2, acc="rounded:fp16", dataflow="ws")
    result = sim.verify(unit, vectors=400, simulator=simulator.name, folder=tmp_path)
    assert result.passed, result.details
    assert result.checked == 400


def test_cocotb_tells_of_a_broken_sum(tmp_path: Path) -> None:
    unit = hdl.Array(a="int8", b="int8", rows=2, cols=2, acc="int32", dataflow="ws")
    design = hdl.generate(unit, "broken")
    before = "$signed(a_out) * $signed(weight)"
    assert design.verilog.count(before) == 1
    verilog = design.verilog.replace(before, f"{before} + $signed({{15'h0, a_out == 8'h80}})")
    broken = dataclasses.replace(design, verilog=verilog)
    result = sim.verify(unit, vectors=200, folder=tmp_path, design=broken)
    assert not result.passed
    parts = re.fullmatch(
        r"cycle \d+, vector \d+ \(tile \d+\) and column [01] since reset: a=(\[.*\]), b=(\[.*\])(?:, p=(.*))?: "
        r"hardware c_data=(.*), golden c_data=(.*)",
        result.details[0],
    )
    assert parts is not None, result.details[0]
    a, b, p, got, want = ([int(x) for x in re.findall(r"\((-?\d+)\)", part or "")] for part in parts.groups())
    total = sum(x * y for x, y in zip(a, b, strict=True)) + sum(p)
    assert want == [_wrapped(total)]
    assert got == [_wrapped(total + a.count(-128))]
    assert a.count(-128)


def _wrapped(total: int) -> int:
    return (total + (1 << 31)) % (1 << 32) - (1 << 31)


GEMMS: list[Options] = [
    {"a": "int4", "b": "int4", "rows": 2, "cols": 3, "lanes": 2},
    {
        "a": "int4",
        "b": "int4",
        "rows": 2,
        "cols": 3,
        "lanes": 2,
        "acc": "int9",
        "overflow": "saturate",
        "dataflow": "ws",
    },
    {"a": "fp8_e5m2", "b": "fp8_e5m2", "rows": 2, "cols": 2, "acc": "rounded:fp8_e5m2", "lanes": 2, "dataflow": "ws"},
    {"a": "nvfp4", "b": "nvfp4", "rows": 2, "cols": 2, "acc": "exact", "lanes": 4, "max_k": 64},
]


@pytest.mark.parametrize("options", GEMMS, ids=lambda options: f"{options['a']}-{options.get('dataflow', 'os')}")
def test_gemm(options: Options) -> None:
    """Whatever the size: the golden GEMM of the whole matrices."""
    rng = np.random.default_rng(1)
    unit = hdl.Array(**options)
    model = built(unit)
    accumulator = unit.accumulator
    seen: list[tuple[int, int]] = []
    for m, k, n in ((1, 1, 1), (5, 7, 8), (3, 64, 2), (9, 32, 4)):
        if isinstance(accumulator.a, golden.BlockFormat) and isinstance(accumulator.b, golden.BlockFormat):
            depth = -(-k // 16) * 16
            a, b = (
                golden.encode_blocks(rng.standard_normal((m, depth)), accumulator.a, axis=1),
                golden.encode_blocks(rng.standard_normal((depth, n)), accumulator.b, axis=0),
            )
            operands = a[:2], b[:2]
            one = golden.encode(1.0, "fp32")
            want = golden.block_gemm((*operands[0], one), (*operands[1], one), accumulator.a, accumulator.b)
        else:
            a, b = (
                rng.integers(0, 1 << fmt.width, shape)
                for fmt, shape in ((accumulator.a_element, (m, k)), (accumulator.b_element, (k, n)))
            )
            operands = a, b
            style: Options = {"acc": accumulator.style, "out": accumulator.out}
            if accumulator.style is None:
                style = {"acc": accumulator.out, "overflow": unit.parameters["overflow"], "lanes": accumulator.lanes}
            want = golden.gemm(a, b, accumulator.a_element, accumulator.b_element, **style)
        done = sim.gemm(unit, *operands, model=model, progress=lambda *call: seen.append(call))
        np.testing.assert_array_equal(done.c, want)
        np.testing.assert_array_equal(golden_gemm(unit, *operands), want)
        assert 0 < done.utilization < 1
        assert seen[-1][0] == seen[-1][1]


def test_gemm_builds_its_model_once(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[Any] = []
    build = sim.Model.build
    monkeypatch.setattr(sim.Model, "build", lambda *args, **options: calls.append(args) or build(*args, **options))
    for _ in range(2):
        unit = hdl.Array(a="int2", b="int2", rows=1, cols=1, acc="int7")
        assert sim.gemm(unit, np.array([[1]]), np.array([[3]])).c.tolist() == [[127]]
    assert len(calls) == 1


@pytest.mark.parametrize(
    ("options", "shapes", "message"),
    [
        ({}, ((2, 3), (4, 2)), "a and b must be (M, K) and (K, N) with one K, not (2, 3) and (4, 2)"),
        ({}, ((0, 3), (3, 2)), "a must be a matrix that is not empty, not of shape (0, 3)"),
        ({}, ((2, 3), (3,)), "b must be a matrix that is not empty, not of shape (3,)"),
        (
            {"a": "bin1", "b": "bin1", "lanes": 2},
            ((2, 3), (3, 2)),
            "a and b must have a K that is a multiple of 2 for bin1, not 3: it has no zero",
        ),
        (
            {"a": "fp4_e2m1", "b": "fp4_e2m1", "acc": "exact", "max_k": 8, "dataflow": "ws"},
            ((2, 3), (3, 2)),
            "a and b must have a K of at most rows × lanes = 2 for exact weight-stationary sums, not 3",
        ),
        (
            {"a": "fp4_e2m1", "b": "fp4_e2m1", "acc": "exact", "max_k": 8},
            ((2, 9), (9, 2)),
            "a and b must have a K of at most 8, the products that the sums hold, not 9",
        ),
        ({"a": "mxfp4", "b": "mxfp4"}, ((2, 3), (3, 2)), "a must be (scales, elements) for mxfp4, not ndarray"),
    ],
)
def test_gemm_errors(options: Options, shapes: Any, message: str) -> None:
    unit = hdl.Array(**{"a": "int8", "b": "int8", "rows": 2, "cols": 2} | options)
    with pytest.raises(ParameterError) as error:
        sim.gemm(unit, *(np.zeros(shape, np.uint8) for shape in shapes))
    assert str(error.value) == message


def test_gemm_wants_whole_blocks() -> None:
    unit = hdl.Array(a="mxfp4", b="mxfp4", rows=2, cols=2)
    a, b = (np.zeros((1, 1), int), np.zeros((1, 16), int)), (np.zeros((1, 1), int), np.zeros((32, 1), int))
    with pytest.raises(ParameterError) as error:
        sim.gemm(unit, a, b)
    message = "a must be whole blocks of 32 along K with a scale each, not (1, 1) scales and (1, 16) elements"
    assert str(error.value) == message
