from typing import Any

import numpy as np
import pytest

from polymac.golden import ParameterError
from polymac.sim import Model, SimulationError, Sink, Source, run_streams
from polymac.sim.engine.packing import pack, unpack

SEED = 77
# Takes beats of both streams together, registers their sum, holds it until it is taken.
_JOIN = """
module joiner(input clk, input rst,
            input [99:0] a_data, input a_last, input a_valid, output a_ready,
            input [6:0] b_data, input b_valid, output b_ready,
            output reg [99:0] c_data, output reg c_last, output reg c_valid, input c_ready);
  wire advance = !c_valid | c_ready;
  assign a_ready = b_valid & advance;
  assign b_ready = a_valid & advance;
  always @(posedge clk)
    if (rst) c_valid <= 0;
    else if (advance) begin
      c_valid <= a_valid & b_valid;
      c_data <= a_data + b_data;
      c_last <= a_last;
    end
endmodule
"""


@pytest.fixture
def model(designs: Any) -> Model:
    return Model.build(designs.hand_written(_JOIN, latency=1))


def _beats(count: int) -> tuple[Any, Any, Any]:
    rng = np.random.default_rng(SEED)
    return rng.integers(0, 1 << 10, (count, 10)), rng.integers(0, 128, (count, 1)), rng.random(count) < 0.3


def _expected(a: Any, b: Any) -> list[int]:
    words = [int.from_bytes(row.tobytes(), "little") for row in pack(a, 10)]
    return [(word + int(term)) % (1 << 100) for word, term in zip(words, b[:, 0], strict=True)]


@pytest.mark.parametrize(("valid", "ready"), [(1.0, 1.0), (0.5, 1.0), (1.0, 0.4), (0.6, 0.5), (0.05, 0.95)])
def test_every_beat_arrives_once_and_in_order(model: Model, valid: float, ready: float) -> None:
    a, b, last = _beats(500)
    inputs = {"a": Source(pack(a, 10), last, valid), "b": Source(pack(b, 7), None, valid)}
    run = run_streams(model, inputs, {"c": Sink(500, ready)}, seed=SEED)
    c = run.streams["c"]
    assert [int.from_bytes(row.tobytes(), "little") for row in c.data] == _expected(a, b)
    assert c.last is not None
    assert np.array_equal(c.last, last)
    taken_a, taken_b = run.streams["a"].cycles, run.streams["b"].cycles
    assert np.array_equal(taken_a, taken_b)
    assert np.all(np.diff(c.cycles) > 0)
    assert np.all(c.cycles > taken_a)
    assert run.cycles == c.cycles[-1] + 1
    if valid == ready == 1.0:
        assert np.array_equal(c.cycles, np.arange(1, 501))
    else:
        assert run.cycles > 550


def test_patterns_say_the_cycles(model: Model) -> None:
    a, b, last = _beats(4)
    offer, take = np.array([False, True, False]), np.array([False, False, False, False, True])
    inputs = {"a": Source(pack(a, 10), last, offer), "b": Source(pack(b, 7))}
    run = run_streams(model, inputs, {"c": Sink(2, take)})
    # a offers in cycles 1, 4, 7 …; c is ready in 4, 9 …, and a held beat is taken when the register is free again.
    assert run.streams["a"].cycles.tolist() == [1, 4, 9]
    assert run.streams["c"].cycles.tolist() == [4, 9]
    assert run.cycles == 10


def test_a_seed_repeats_and_another_differs(model: Model) -> None:
    a, b, last = _beats(50)
    inputs = {"a": Source(pack(a, 10), last, 0.5), "b": Source(pack(b, 7), None, 0.5)}
    first, same, other = (run_streams(model, inputs, {"c": Sink(50, 0.5)}, seed=seed) for seed in (1, 1, 2))
    assert np.array_equal(first.streams["c"].cycles, same.streams["c"].cycles)
    assert not np.array_equal(first.streams["c"].cycles, other.streams["c"].cycles)
    assert np.array_equal(first.streams["c"].data, other.streams["c"].data)


def test_without_reset_a_run_goes_on(model: Model) -> None:
    a, b, last = _beats(3)
    inputs = {"a": Source(pack(a, 10), last), "b": Source(pack(b, 7))}
    run_streams(model, inputs, {"c": Sink(1)})
    # The second beat is in the register already.
    nothing = {"a": Source(np.empty((0, 13), np.uint8), np.empty(0, bool)), "b": Source(np.empty((0, 1), np.uint8))}
    rest = run_streams(model, nothing, {"c": Sink(1)}, reset=False)
    assert unpack(rest.streams["c"].data, 50, 2)[0].tolist() == [
        _expected(a, b)[1] % (1 << 50),
        _expected(a, b)[1] >> 50,
    ]
    with pytest.raises(SimulationError):
        run_streams(model, nothing, {"c": Sink(1)}, max_cycles=20)


def test_too_few_beats(model: Model) -> None:
    a, b, last = _beats(5)
    inputs = {"a": Source(pack(a, 10), last), "b": Source(pack(b, 7))}
    with pytest.raises(SimulationError) as error:
        run_streams(model, inputs, {"c": Sink(6)}, max_cycles=1000)
    text = "joiner must deliver its beats in 1000 cycles, not more (beats: a 5 of 5, b 5 of 5, c 5 of 6)"
    assert str(error.value) == text


def test_bad_streams(model: Model, designs: Any) -> None:
    a, b, last = _beats(2)
    good = {"a": Source(pack(a, 10), last), "b": Source(pack(b, 7))}

    def text(inputs: Any, outputs: Any, **options: Any) -> str:
        with pytest.raises(ParameterError) as error:
            run_streams(model, inputs, outputs, **options)
        return str(error.value)

    sink = {"c": Sink(2)}
    assert text({"a": good["a"]}, sink) == "inputs must be for streams a, b, not a"
    assert text(good, {}) == "outputs must be for streams c, not none"
    assert text(good | {"a": Source(pack(a, 10))}, sink) == "last of stream a must be given, not the reverse"
    assert text(good | {"b": Source(pack(b, 7), last)}, sink) == "last of stream b must be None, not the reverse"
    assert text(good | {"a": Source(pack(a, 10), last[:1])}, sink) == "last of stream a must have shape (2,), not (1,)"
    short = Source(pack(a[:, :9], 10), last)
    assert text(good | {"a": short}, sink) == "a_data must be uint8 of shape (n, 13), not uint8 of shape (2, 12)"
    assert text(good, {"c": Sink(-1)}) == "beats of stream c must be at least 0, not -1"
    assert text(good, {"c": Sink(2, 0.0)}) == "ready of stream c must be more than 0 and at most 1, not 0.0"
    never = np.array([False])
    assert text(good, {"c": Sink(2, never)}) == (
        "ready of stream c must have one dimension and a true element, not [False]"
    )
    assert text(good, sink, max_cycles=0) == "max_cycles must be at least 1, not 0"
    with pytest.raises(ParameterError) as error:
        run_streams(Model.build(designs.multiplier("streamless", 3, 3)), {}, {})
    assert str(error.value) == "streamless must have a clock and streams, not only a, b, y"
