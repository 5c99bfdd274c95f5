"""The search of ``tests/bench/timing.py``: the least depth for each goal, confirmed with all seeds."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from polymac import hdl


@pytest.fixture(scope="module")
def bench(script: Callable[[str], ModuleType]) -> ModuleType:
    return script("bench/timing")


def searched(bench: ModuleType, one: list[float], median: list[float]) -> tuple[Any, list[tuple[int, int]]]:
    """A row whose depths have these frequencies with one and with five seeds, and what was measured."""
    runs: list[tuple[int, int]] = []

    def measure(depth: int, seeds: int) -> SimpleNamespace:
        runs.append((depth, seeds))
        return SimpleNamespace(fmax_mhz=(one if seeds == 1 else median)[depth])

    measured = bench.Measured(bench.Row("unit", "stages", 0, len(one) - 1, hdl.Dot))
    measured.search(measure, 5)
    return measured, runs


def test_every_goal_is_reached(bench: ModuleType) -> None:
    speeds = [50.0, 90.0, 120.0, 160.0, 190.0, 205.0, 210.0]
    measured, runs = searched(bench, speeds, speeds)
    assert measured.reached == {100: 2, 150: 3, 200: 5}
    assert [run for run in runs if run[1] == 5] == [(6, 5), (2, 5), (3, 5), (5, 5)]
    assert len(runs) == len(set(runs))
    assert measured.summary() == "100 MHz at stages=2, 150 MHz at stages=3, 200 MHz at stages=5"


def test_a_median_below_the_goal_goes_one_deeper(bench: ModuleType) -> None:
    measured, _ = searched(bench, [90.0, 101.0, 120.0, 130.0], [90.0, 99.0, 115.0, 140.0])
    assert measured.reached == {100: 2}
    assert measured.summary() == "100 MHz at stages=2, 140.0 MHz at most, at stages=3"


def test_a_median_that_never_reaches_the_goal(bench: ModuleType) -> None:
    measured, runs = searched(bench, [90.0, 101.0], [90.0, 99.0])
    assert measured.reached == {}
    assert measured.summary() == "99.0 MHz at most, at stages=1"
    assert runs == [(1, 5)]


def test_one_seed_does_not_decide_that_a_goal_is_out_of_reach(bench: ModuleType) -> None:
    measured, _ = searched(bench, [90.0, 120.0, 148.0], [90.0, 120.0, 155.0])
    assert measured.reached == {100: 1, 150: 2}
    assert measured.summary() == "100 MHz at stages=1, 150 MHz at stages=2, 155.0 MHz at most, at stages=2"


def test_the_full_depth_has_a_register_at_every_place(bench: ModuleType) -> None:
    for row in bench.rows():
        unit, deeper = row.make(row.most), row.make(row.most + 1)
        assert unit.latency + 1 == deeper.latency
        accumulator, registers = unit.accumulator, (unit.stages if row.knob == "stages" else unit.interleave)
        assert registers == row.most
        assert row.most >= len(accumulator.add_delays)
