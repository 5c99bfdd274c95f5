"""Units as plain Amaranth components, in Amaranth's own simulator, against golden: no Verilog and no hierarchy of ours.

What the generated Verilog does is checked in ``tests/sim/campaigns/test_verify.py``.
"""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
from amaranth.hdl import Module
from amaranth.sim import Simulator

from polymac import golden, hdl
from polymac.hdl.arrays import skew
from polymac.hdl.arrays.skew import DIRECT_DEPTH, Delay, Skew


def run(unit: hdl.Unit, bench: Any) -> None:
    """Run a testbench ``async def bench(ctx)`` on a unit."""
    m = Module()
    m.submodules.unit = unit
    simulator = Simulator(m)
    if unit.clocked:
        simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()


def multiply_all(unit: hdl.Multiplier) -> dict[str, np.ndarray[Any, Any]]:
    """The outputs for all operand pairs, a varying fastest, the latency taken into account."""
    pairs = list(itertools.product(range(unit.b_format.code_count), range(unit.a_format.code_count)))
    outputs: dict[str, list[int]] = {"y": [], "flags": []}

    async def bench(ctx: Any) -> None:
        for b, a in pairs + [(0, 0)] * unit.latency:
            ctx.set(unit.a, a)
            ctx.set(unit.b, b)
            if unit.clocked:
                await ctx.tick()
            for name in outputs:
                if hasattr(unit, name):
                    outputs[name].append(ctx.get(getattr(unit, name)))

    run(unit, bench)
    # After its tick, a stage shows what was set before it.
    skipped = max(unit.latency - 1, 0)
    return {name: np.array(values[skipped : skipped + len(pairs)]) for name, values in outputs.items() if values}


OPTIONS = [
    *itertools.product(("rne", "rtz", "rdn", "rup", "rna"), ("ieee", "saturate"), ("full", "flush")),
]


@pytest.mark.parametrize(("rounding", "overflow", "subnormals"), OPTIONS)
def test_all_pairs_of_small_floats_under_every_policy(rounding: str, overflow: str, subnormals: str) -> None:
    for a, b, out in (("e2m2", "e3m1", "e3m2"), ("fp4_e2m1", "e2m1", "e2m1")):
        options: Any = {"rounding": rounding, "overflow": overflow, "subnormals": subnormals}
        got = multiply_all(hdl.Multiplier(a=a, b=b, out=out, **options))
        fa, fb = golden.format(a), golden.format(b)
        x, y = np.tile(np.arange(fa.code_count), fb.code_count), np.repeat(np.arange(fb.code_count), fa.code_count)
        codes, flags = golden.multiply(x, y, fa, fb, out=out, flags=True, **options)
        assert np.array_equal(got["y"], codes)
        assert np.array_equal(got["flags"], flags)


@pytest.mark.parametrize("rounding", ["rne", "rtz", "rdn", "rup", "rna"])
@pytest.mark.parametrize("overflow", ["saturate", "wrap"])
@pytest.mark.parametrize("out", ["q2.1", "uq2.3", "q6.6", "int3"])
def test_all_pairs_of_small_fixed_point_formats(rounding: str, overflow: str, out: str) -> None:
    for a, b in (("q2.2", "uq1.2"), ("int3", "q1.3")):
        got = multiply_all(hdl.Multiplier(a=a, b=b, out=out, rounding=rounding, overflow=overflow))
        fa, fb = golden.format(a), golden.format(b)
        x, y = np.tile(np.arange(fa.code_count), fb.code_count), np.repeat(np.arange(fb.code_count), fa.code_count)
        assert np.array_equal(got["y"], golden.multiply(x, y, fa, fb, out=out, rounding=rounding, overflow=overflow))


@pytest.mark.parametrize("stages", range(6))
@pytest.mark.parametrize("formats", [("int3", "uint4", None), ("q2.2", "q2.2", "q3.1"), ("e2m1", "e2m1", "e2m1")])
def test_latency_is_the_number_of_stages(stages: int, formats: tuple[str, str, str | None]) -> None:
    a, b, out = formats
    unit = hdl.Multiplier(a=a, b=b, out=out, stages=stages)
    assert (unit.latency, unit.clocked) == (stages, stages > 0)
    fa, fb = golden.format(a), golden.format(b)
    x, y = np.tile(np.arange(fa.code_count), fb.code_count), np.repeat(np.arange(fb.code_count), fa.code_count)
    assert np.array_equal(multiply_all(unit)["y"], golden.multiply(x, y, fa, fb, out=out))


def test_enable_stalls_the_whole_pipeline() -> None:
    unit = hdl.Multiplier(a="int4", b="int4", stages=2)
    seen: list[int] = []

    async def bench(ctx: Any) -> None:
        for a, enable in ((1, 1), (2, 1), (3, 0), (4, 0), (5, 1), (6, 1)):
            ctx.set(unit.a, a)
            ctx.set(unit.b, 1)
            ctx.set(unit.en, enable)
            await ctx.tick()
            seen.append(ctx.get(unit.y))

    run(unit, bench)
    assert seen == [0, 1, 1, 1, 2, 5]


def test_mac_clears_holds_and_saturates() -> None:
    unit = hdl.Mac(a="int4", b="int4", acc="int9", overflow="saturate", lanes=2, stages=1)
    steps = [  # a0, b0, a1, b1, valid, clear, en
        (7, 7, 7, 7, 1, 1, 1),
        (7, 7, 7, 7, 1, 0, 1),
        (7, 7, 7, 7, 0, 0, 1),
        (7, 7, 7, 7, 1, 0, 0),
        (7, 7, 7, 7, 1, 0, 1),
        (-8, 7, -8, 7, 1, 0, 1),
        (1, 1, 0, 0, 1, 1, 1),
        (0, 0, 0, 0, 0, 1, 1),
        (0, 0, 0, 0, 0, 0, 1),
    ]
    seen: list[int] = []

    async def bench(ctx: Any) -> None:
        for a0, b0, a1, b1, valid, clear, enable in steps:
            ctx.set(unit.a, [a0, a1])
            ctx.set(unit.b, [b0, b1])
            for name, value in (("valid", valid), ("clear", clear), ("en", enable)):
                ctx.set(getattr(unit, name), value)
            await ctx.tick()
            seen.append(ctx.get(unit.acc))

    run(unit, bench)
    # Two cycles of latency; 98, 196, (not valid), (stalled), 255 of 294, 255 - 112, 1 after a clear, and 1 kept.
    assert seen == [0, 98, 196, 196, 196, 255, 143, 1, 1]


@pytest.mark.parametrize(
    ("width", "depth"), [(1, 1), (3, 2), (2, DIRECT_DEPTH), (2, DIRECT_DEPTH + 1), (1, 3 * DIRECT_DEPTH)]
)
def test_delay(width: int, depth: int) -> None:
    unit = Delay(width=width, depth=depth)
    words = np.random.default_rng(1).integers(0, 1 << width, 3 * depth).tolist()
    seen: list[int] = []

    async def bench(ctx: Any) -> None:
        for position, word in enumerate(words):
            # A stalled cycle with another word must change nothing.
            ctx.set(unit.i, ~word)
            ctx.set(unit.en, 0)
            await ctx.tick()
            ctx.set(unit.i, word)
            ctx.set(unit.en, 1)
            await ctx.tick()
            if position >= depth - 1:
                seen.append(ctx.get(unit.o))

    run(unit, bench)
    assert seen == words[: len(seen)]
    assert len(seen) == 2 * depth + 1


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("count", [1, 2, 5, DIRECT_DEPTH, DIRECT_DEPTH + 1, 2 * DIRECT_DEPTH + 3])
def test_skew(count: int, reverse: bool) -> None:
    unit = Skew(width=4, count=count, reverse=reverse)
    words = np.random.default_rng(count).integers(0, 16, (2 * count, count))
    seen = []

    async def bench(ctx: Any) -> None:
        ctx.set(unit.en, 1)
        for row in words:
            ctx.set(unit.i, int(sum(int(word) << 4 * element for element, word in enumerate(row))))
            value = ctx.get(unit.o)
            seen.append([value >> 4 * element & 15 for element in range(count)])
            if unit.clocked:
                await ctx.tick()

    run(unit, bench)
    for element in range(count):
        wait = count - 1 - element if reverse else element
        column = [row[element] for row in seen]
        assert column[wait:] == words[: len(words) - wait, element].tolist()
        assert column[:wait] == [0] * wait


def test_registers_of_more_bits_than_amaranth_allows_are_several(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(skew, "MOST_BITS", 9)
    for reverse in (False, True):
        for count in (2, 3, 4, 7):
            test_skew(count, reverse)
    for depth in (1, 2, 3, 5):
        test_delay(4, depth)
    texts = [hdl.generate(Delay(width=4, depth=depth), "line").verilog for depth in (2, 3)]
    assert [text.count("endmodule") for text in texts] == [1, 3]


@pytest.mark.parametrize(("rows", "cols", "lanes", "stages"), [(1, 1, 1, 0), (2, 3, 1, 1), (3, 2, 2, 2)])
def test_array(rows: int, cols: int, lanes: int, stages: int) -> None:
    """Three tiles without a stall: values, the docstring's latency, and one row of C per cycle from then on."""
    unit = hdl.Array(a="int4", b="int3", rows=rows, cols=cols, lanes=lanes, stages=stages)
    generator = np.random.default_rng(rows)
    beats = [rows + 2, rows, 1]
    a = [generator.integers(0, 16, (rows, count * lanes)) for count in beats]
    b = [generator.integers(0, 8, (count * lanes, cols)) for count in beats]
    a_beats = [
        tile.reshape(rows, -1, lanes)[:, beat].reshape(-1) for tile in a for beat in range(tile.shape[1] // lanes)
    ]
    b_beats = [tile.reshape(-1, lanes, cols)[beat].T.reshape(-1) for tile in b for beat in range(len(tile) // lanes)]
    last = [beat == count - 1 for count in beats for beat in range(count)]
    taken: list[int] = []
    rows_out: list[tuple[int, list[int], int]] = []

    async def bench(ctx: Any) -> None:
        position = 0
        ctx.set(unit.c.ready, 1)
        for cycle in range(100):
            offered = position < len(last)
            for stream in (unit.a, unit.b):
                ctx.set(stream.valid, offered)
            if offered:
                ctx.set(unit.a.payload, {"data": a_beats[position].tolist(), "last": last[position]})
                ctx.set(unit.b.payload, {"data": b_beats[position].tolist()})
            if ctx.get(unit.c.valid):
                row = ctx.get(unit.c.payload)
                rows_out.append((cycle, [row.data[column] for column in range(cols)], row.last))
            if offered and ctx.get(unit.a.ready):
                taken.append(cycle)
                position += 1
            await ctx.tick()

    run(unit, bench)
    expected = [golden.gemm(x, y, "int4", "int3") for x, y in zip(a, b, strict=True)]
    assert [row for _, row, _ in rows_out] == np.concatenate(expected).tolist()
    assert [mark for _, _, mark in rows_out] == [row == rows - 1 for _ in beats for row in range(rows)]
    ends = [taken[end - 1] for end in np.cumsum(beats)]
    for tile, end in enumerate(ends):
        starts = end + unit.latency
        assert [cycle for cycle, _, _ in rows_out[tile * rows : (tile + 1) * rows]] == list(
            range(starts, starts + rows)
        )
    # A tile of K >= rows follows without a gap; the one of K = 1 waits until the drain chain is free.
    assert taken[: sum(beats[:2])] == list(range(sum(beats[:2])))
    assert ends[2] == ends[1] + rows
