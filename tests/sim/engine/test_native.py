import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from polymac.golden import ParameterError
from polymac.sim import Model, SimulationError
from polymac.sim.engine import cache, native
from polymac.sim.engine.packing import operand_pairs

SEED = 20_240_501
_PIPELINED = """
module delayed(input clk, input rst, input en, input [7:0] a, input [7:0] b, output reg [15:0] y);
  reg [15:0] first;
  always @(posedge clk)
    if (rst) begin first <= 0; y <= 0; end
    else if (en) begin first <= a * b; y <= first; end
endmodule
"""
_WIDE = """
module wide(input [99:0] a, input [64:0] b, input [63:0] c, output [128:0] y, output [63:0] z);
  assign y = a * b;
  assign z = ~c;
endmodule
"""


@pytest.fixture
def fresh_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty cache of models; Verilator's run-time stays where it is."""
    real = cache.user_cache
    monkeypatch.setattr(cache, "user_cache", lambda kind: tmp_path / kind if kind == "native" else real(kind))
    yield tmp_path / "native"


def test_every_pair_of_a_combinational_unit(designs: Any) -> None:
    model = Model.build(designs.multiplier("narrow", 8, 5))
    assert model.designs == ("narrow",)
    checked = 0
    for a, b in operand_pairs(8, 5, 1000):
        y = model.evaluate({"a": a, "b": b})["y"]
        assert y.dtype == np.uint16
        assert y.tolist() == [int(p) * int(q) for p, q in zip(a, b, strict=True)]
        checked += len(y)
    assert checked == 1 << 13


def test_a_pipelined_unit_is_aligned(designs: Any) -> None:
    model = Model.build(designs.hand_written(_PIPELINED, latency=2))
    a, b = np.random.default_rng(SEED).integers(0, 256, (2, 5000), dtype=np.uint8)
    expected = [int(p) * int(q) for p, q in zip(a, b, strict=True)]
    assert model.evaluate({"a": a, "b": b})["y"].tolist() == expected
    # The run before leaves nothing behind, and one item is enough.
    assert model.evaluate({"a": a[:1], "b": b[:1]})["y"].tolist() == expected[:1]
    assert model.evaluate({"a": a[:0], "b": b[:0]})["y"].tolist() == []


def test_enable_and_reset_as_inputs(designs: Any) -> None:
    model = Model.build(designs.hand_written(_PIPELINED, latency=2))
    ones = np.ones(6, np.uint8)
    frozen = model.evaluate({"a": np.arange(1, 7), "b": ones, "en": [1, 1, 0, 0, 1, 1]})["y"]
    # Output i is read two cycles after input i. The last inputs stay while the pipeline empties, en with them.
    assert frozen.tolist() == [1, 1, 1, 2, 5, 6]
    reset = model.evaluate({"a": np.arange(1, 7), "b": ones, "rst": [0, 0, 1, 0, 0, 0]})["y"]
    assert reset.tolist() == [1, 0, 0, 4, 5, 6]


def test_wide_ports_are_bytes(designs: Any) -> None:
    model = Model.build(designs.hand_written(_WIDE))
    rng = np.random.default_rng(SEED)
    a, b = rng.integers(0, 256, (300, 13), dtype=np.uint8), rng.integers(0, 256, (300, 9), dtype=np.uint8)
    a[:, -1] &= 0xF
    b[:, -1] &= 1
    c = rng.integers(0, 1 << 64, 300, dtype=np.uint64)
    outputs = model.evaluate({"a": a, "b": b, "c": c})
    assert outputs["y"].shape == (300, 17)
    for row in range(300):
        product = int.from_bytes(a[row].tobytes(), "little") * int.from_bytes(b[row].tobytes(), "little")
        assert int.from_bytes(outputs["y"][row].tobytes(), "little") == product % (1 << 129)
    assert np.array_equal(outputs["z"], ~c)


def test_many_designs_in_one_model(designs: Any) -> None:
    widths = [(a, b) for a in range(2, 7) for b in range(2, 7)]
    pipelined = designs.hand_written(_PIPELINED, latency=2)
    model = Model.build([*(designs.multiplier(f"mul{a}x{b}", a, b) for a, b in widths), pipelined])
    inputs = {f"mul{a}x{b}": dict(zip("ab", next(operand_pairs(a, b)), strict=True)) for a, b in widths}
    inputs["delayed"] = {"a": np.arange(256), "b": np.arange(256)}
    outputs = model.evaluate_all(inputs)
    assert outputs.keys() == inputs.keys()
    for name, given in inputs.items():
        products = [int(p) * int(q) for p, q in zip(given["a"], given["b"], strict=True)]
        assert outputs[name]["y"].tolist() == products, name
    some = model.evaluate_all({"mul3x2": inputs["mul3x2"]})
    assert some.keys() == {"mul3x2"}
    assert np.array_equal(some["mul3x2"]["y"], outputs["mul3x2"]["y"])


def test_ten_million_a_second(designs: Any) -> None:
    model = Model.build(designs.multiplier("fast", 16, 16))
    a, b = np.random.default_rng(SEED).integers(0, 1 << 16, (2, 1 << 20), dtype=np.uint16)
    best, y = 0.0, np.empty(0)
    for _ in range(5):
        # The time of this process on the processor: other processes do not count.
        started = time.process_time()
        y = model.evaluate({"a": a, "b": b})["y"]
        best = max(best, len(y) / (time.process_time() - started))
    assert np.array_equal(y, a.astype(np.uint32) * b)
    assert best > 10e6


def test_a_built_model_is_used_again(designs: Any, fresh_cache: Path) -> None:
    design = designs.multiplier("kept", 4, 4)

    def product() -> int:
        return int(Model.build(design, opt="fast-compile").evaluate({"a": [7], "b": [9]})["y"][0])

    assert product() == 63
    (library,) = fresh_cache.glob("*/model.so")
    built = library.stat().st_mtime_ns
    assert product() == 63
    assert library.stat().st_mtime_ns == built


def test_two_processes_race_for_one_model(tmp_path: Path) -> None:
    script = f"""
import numpy as np, pathlib
from types import SimpleNamespace
from polymac.sim import Model
from polymac.sim.engine import cache

real = cache.user_cache
cache.user_cache = lambda kind: pathlib.Path({str(tmp_path)!r}) / kind if kind == "native" else real(kind)
ports = [dict(name=n, direction=d, width=w, role="data") for n, d, w in
         (("a", "input", 6), ("b", "input", 6), ("y", "output", 12))]
verilog = "module raced(input [5:0] a, input [5:0] b, output [11:0] y);\\nassign y = a * b;\\nendmodule\\n"
design = SimpleNamespace(name="raced", verilog=verilog, metadata=dict(ports=ports, latency=0))
print(Model.build(design).evaluate(dict(a=[60], b=[61]))["y"][0])
"""
    racers = [subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True) for _ in range(2)]
    assert [racer.communicate(timeout=120)[0] for racer in racers] == ["3660\n"] * 2
    assert len(list((tmp_path / "native").glob("raced-*"))) == 1


def test_long_runs_are_cut_into_short_calls() -> None:
    calls: list[tuple[int, int]] = []

    def call(begin: int, end: int) -> int:
        calls.append((begin, end))
        time.sleep((end - begin) * 20e-6)
        return end

    assert native.in_steps(call, 20_000) == 20_000
    assert [begin for begin, _ in calls[1:]] == [end for _, end in calls[:-1]]
    assert len(calls) > 4
    assert max(end - begin for begin, end in calls) * 20e-6 < 2 * native._CALL_SECONDS


@pytest.mark.parametrize(
    ("inputs", "text"),
    [
        ({"a": [1]}, "inputs of errs must be a, b, not a"),
        ({}, "inputs of errs must be a, b, not none"),
        ({"a": [1], "b": [1], "c": [1]}, "inputs of errs must be a, b, not a, b, c"),
        ({"a": [1, 2], "b": [1]}, "inputs of errs must be of one length, not a: 2, b: 1"),
        ({"a": [16], "b": [1]}, "a must hold codes of uint4, 0 … 0xf, not 16"),
        ({"a": [-1], "b": [1]}, "a must hold codes of uint4, 0 … 0xf, not -1"),
        ({"a": [[1]], "b": [1]}, "a must be an array of 1 dimension, not 2"),
    ],
)
def test_bad_inputs(designs: Any, inputs: dict[str, Any], text: str) -> None:
    model = Model.build(designs.multiplier("errs", 4, 4))
    with pytest.raises(ParameterError) as error:
        model.evaluate(inputs)
    assert str(error.value) == text


def test_bad_wide_inputs(designs: Any) -> None:
    model = Model.build(designs.hand_written(_WIDE))
    good = {"a": np.zeros((2, 13), np.uint8), "b": np.zeros((2, 9), np.uint8), "c": [0, 0]}
    with pytest.raises(ParameterError) as error:
        model.evaluate(good | {"b": np.full((2, 9), 2, np.uint8)})
    assert str(error.value) == "b must have no bits beyond its 65, not ones set"
    with pytest.raises(ParameterError) as error:
        model.evaluate(good | {"a": np.zeros((2, 12), np.uint8)})
    assert str(error.value) == "a must be uint8 of shape (n, 13), not uint8 of shape (2, 12)"
    with pytest.raises(TypeError) as type_error:
        model.evaluate(good | {"c": [0.5, 0]})
    assert str(type_error.value) == "c must be an array of integers, not of float64"


def test_bad_designs(designs: Any) -> None:
    one, other = designs.multiplier("twice", 4, 4), designs.multiplier("twice", 5, 5)
    with pytest.raises(ParameterError) as error:
        Model.build([one, other])
    assert str(error.value) == "designs must have distinct module names, not twice in both twice and twice"
    with pytest.raises(ParameterError) as error:
        Model.build([])
    assert str(error.value) == "designs must be at least one, not none"
    with pytest.raises(ParameterError) as error:
        Model.build(one, opt="slow")
    assert str(error.value) == "opt must be one of auto, fast-run, fast-compile, not 'slow'"
    model = Model.build([one, designs.multiplier("once", 4, 4)])
    with pytest.raises(ParameterError) as error:
        model.evaluate({})
    assert str(error.value) == "the model must be of one design, not of 2"
    with pytest.raises(ParameterError) as error:
        model.evaluate_all({"never": {}})
    assert str(error.value) == "inputs must be for designs among twice, once, not for never"


def test_verilog_that_is_none(designs: Any) -> None:
    design = designs.hand_written("module broken(input a, output y);\n  assign y = nowhere(a);\nendmodule\n")
    with pytest.raises(SimulationError, match=r"^Verilator on polymac_model failed: .*nowhere.*$"):
        Model.build(design)
