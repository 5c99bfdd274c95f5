"""Where registers go, and what is counted and shifted with one halfway."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from amaranth.hdl import Module, Shape, Signal
from amaranth.sim import Simulator

from polymac import hdl
from polymac.hdl.core.delays import balanced, segments
from polymac.hdl.core.pipeline import Pipeline
from polymac.hdl.integer.product_in_steps import product_delays, product_in_steps, sum_delays, sum_in_steps
from polymac.hdl.integer.shifter import count_zeros, shift_window


def test_registers_are_balanced() -> None:
    """Against every way to place them."""
    generator = np.random.default_rng(1)
    for _ in range(200):
        delays = tuple(generator.integers(1, 10, int(generator.integers(2, 8))).astype(float))
        places = len(delays) - 1
        for stages in range(places + 1):
            found = balanced(delays, stages)
            best = min(
                max(segments(delays, [int(i in chosen) for i in range(places)]))
                for chosen in itertools.combinations(range(places), stages)
            )
            assert len(found) == places and sum(found) == stages and max(found, default=0) <= 1
            assert max(segments(delays, found)) == pytest.approx(best)


def test_registers_beyond_one_for_every_place_are_shared_out() -> None:
    assert balanced((1, 2, 3, 4), 3) == (1, 1, 1)
    assert balanced((1, 2, 3, 4), 5) == (2, 2, 1)
    assert balanced((4, 1), 6) == (6,)


def test_segments_end_behind_the_steps_with_registers() -> None:
    assert segments((1, 2, 3, 4), (0, 1, 0)) == [3, 7]
    assert segments((1, 2, 3), (2, 0)) == [1, 5]


def test_dots_and_macs_have_their_registers_where_the_delays_say() -> None:
    accumulator = hdl.Dot(a="fp16", b="fp16").accumulator
    feed = accumulator.feed(2)
    assert len(feed) == len(accumulator.feed_delays) + 1 and sum(feed) == 2
    verilog = hdl.generate(hdl.Mac(a="fp4_e2m1", b="fp4_e2m1", acc="exact", stages=8), "exact_mac").verilog
    # In the exact style some are behind the sum, in its rounding.
    assert "sum_magnitude_1" in verilog


def run(m: Module, inputs: list[tuple[Signal, list[int]]], outputs: list[Signal], latency: int) -> list[list[int]]:
    """The outputs for each set of inputs, one of them in each cycle."""
    m.d.sync += Signal(name="keeps_the_clock").eq(1)
    found: list[list[int]] = []

    async def bench(ctx) -> None:
        count = len(inputs[0][1])
        for cycle in range(count + latency):
            for signal, values in inputs:
                ctx.set(signal, values[min(cycle, count - 1)])
            await ctx.delay(1e-7)
            if cycle >= latency:
                found.append([ctx.get(output) for output in outputs])
            await ctx.tick()

    simulator = Simulator(m)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
    return found


@pytest.mark.parametrize("latency", [0, 1, 3])
@pytest.mark.parametrize("bits", [1, 2, 3, 5, 8, 9])
def test_count_zeros(bits: int, latency: int) -> None:
    m = Module()
    value = Signal(bits)
    pipeline = Pipeline.at(m, (latency,), Signal(init=1))
    count = count_zeros(m, value, "zeros", (lambda *values: pipeline.cut(0, *values)) if latency else None)
    values = list(range(1 << bits))
    expected = [[bits - max(x.bit_length(), 1)] for x in values]
    assert run(m, [(value, values)], [count], latency if bits > 1 else 0) == expected


@pytest.mark.parametrize("latency", [0, 1, 2])
@pytest.mark.parametrize(("bits", "steps"), [(3, 0), (3, 1), (4, 2), (4, 3), (3, 4)])
def test_shift_window(bits: int, steps: int, latency: int) -> None:
    m = Module()
    value, amount = Signal(bits), Signal(steps)
    pipeline = Pipeline.at(m, (latency,), Signal(init=1))
    top, width = bits + (1 << steps) - 2, 4
    halfway = (lambda *values: pipeline.cut(0, *values)) if latency else None
    window, below = shift_window(m, value, amount, top, width, halfway)
    kept, lost = Signal(width), Signal()
    m.d.comb += [kept.eq(window), lost.eq(below)]
    pairs = list(itertools.product(range(1 << bits), range(1 << steps)))
    inputs = [(value, [x for x, _ in pairs]), *([(amount, [n for _, n in pairs])] if steps else [])]
    expected = []
    for x, n in pairs:
        wide = (x << n) << width  # so that no window ends below the first bit
        low = top + 1
        expected.append([wide >> low, int(wide & ((1 << low) - 1) != 0)])
    assert run(m, inputs, [kept, lost], latency) == expected


@pytest.mark.parametrize("architecture", ["operator", "row_adders", "booth", "tree", "baugh_wooley"])
@pytest.mark.parametrize(
    ("a", "b"), [((4, True), (3, True)), ((3, False), (5, True)), ((4, False), (4, False)), ((2, True), (5, False))]
)
def test_product_in_steps(a: tuple[int, bool], b: tuple[int, bool], architecture: str) -> None:
    m = Module()
    x, y = Signal(Shape(*a)), Signal(Shape(*b))
    steps = len(product_delays(a[0], b[0], architecture))
    product = product_in_steps(m, x, y, architecture, (1,) * steps, Signal(init=1))
    first, second = (range(-(1 << n >> 1), 1 << n >> 1) if is_signed else range(1 << n) for n, is_signed in (a, b))
    pairs = list(itertools.product(first, second))
    found = run(m, [(x, [p for p, _ in pairs]), (y, [q for _, q in pairs])], [product], steps)
    assert found == [[p * q] for p, q in pairs]


@pytest.mark.parametrize("count", [1, 2, 3, 5])
def test_sum_in_steps(count: int) -> None:
    m = Module()
    values = [Signal(range(-4, 4), name=f"value_{i}") for i in range(count)]
    latency = len(sum_delays(3, count))
    total = sum_in_steps(m, values, Pipeline.at(m, (5, *(1,) * latency), Signal(init=1)), 1, "sum")
    generator = np.random.default_rng(1)
    rows = generator.integers(-4, 4, (50, count)).tolist()
    inputs = [(value, [row[i] for row in rows]) for i, value in enumerate(values)]
    assert run(m, inputs, [total], latency) == [[sum(row)] for row in rows]
