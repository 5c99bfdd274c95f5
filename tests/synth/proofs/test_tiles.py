"""Arrays hand every tile over once, whole and in order; arrays that do not are seen, each by the property that says so."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest

from polymac import hdl
from polymac.golden.formats import ParameterError
from polymac.synth.proofs.tiles import prove_tiles

OS_CONTROL = [
    "every result is of a tile",
    "at most 3 tiles are in flight",
    "row 1 alone is last",
    "a result comes within 4 cycles",
    "operands are taken within 3 cycles",
]
WS_CONTROL = [
    "every result is of a vector",
    "at most 5 vectors are in flight",
    "no tile starts without a plane",
    "at most one plane waits",
    "partial sums are taken with their vectors",
    "a result comes within 4 cycles",
    "operands are taken within 3 cycles",
]
OS_VALUES = [f"C[{row}][0] is that of its tile" for row in range(2)]
WS_VALUE = "column 0 of a result is that of its vector and plane"


def small(dataflow: str, **options: Any) -> hdl.Array:
    """Two elements one above the other: tiles follow each other down the rows, and the drain chain has a link."""
    given: dict[str, Any] = {"a": "int2", "b": "int2", "acc": "int4", "rows": 2, "cols": 1}
    return hdl.Array(**(given | options), dataflow=dataflow)


def test_output_stationary_tiles() -> None:
    """In every run, with any stalls, tiles of any length and resets in mid-tile."""
    verdicts = prove_tiles(small("os"))
    assert all(verdict.proven for verdict in verdicts), [str(verdict) for verdict in verdicts]
    assert [verdict.claim for verdict in verdicts] == [*OS_CONTROL, *OS_VALUES]


def test_weight_stationary_tiles() -> None:
    verdicts = prove_tiles(small("ws"))
    assert all(verdict.proven for verdict in verdicts), [str(verdict) for verdict in verdicts]
    assert [verdict.claim for verdict in verdicts] == [*WS_CONTROL, WS_VALUE]


@pytest.mark.parametrize(
    ("dataflow", "pattern", "replacement", "results", "broken"),
    [
        # A tile does not wait for the drain chain of the one before.
        ("os", r"(wire free = advance) & .*(?=;)", r"\1", False, OS_CONTROL[2]),
        # The array goes on while two beats wait: one is lost.
        ("os", r"assign advance = ~holds_two", "assign advance = 1'h1", False, OS_CONTROL[1]),
        # A tile is added to the one before.
        ("os", r"first_rows = \{first, ", "first_rows = {1'h0, ", True, OS_VALUES[1]),
        # The planes change with every vector, whichever is complete.
        ("ws", r"(swap_rows = \{swap_rows_line), swap", r"\1, take", True, WS_VALUE),
        # Vectors do not wait for their plane.
        ("ws", r"(wire accept = advance) & .*(?=;)", r"\1", False, WS_CONTROL[2]),
        *(
            pytest.param(*case, marks=pytest.mark.slow)
            for case in (
                # A plane is overwritten before it is put to work.
                ("ws", r"(assign b_ready = advance) & .*(?=;)", r"\1", False, WS_CONTROL[3]),
                # One operand is taken without the other.
                ("os", r"assign a_ready = free & b_valid", "assign a_ready = free", False, OS_CONTROL[0]),
                # Every beat ends a tile at the bottom row; no beat does.
                ("os", r"(finished = \{finished_line, valid_rows\[0\]) & last_rows\[0\]", r"\1", False, OS_CONTROL[0]),
                ("os", r"(finished = \{finished_line), .*;", r"\1, 1'h0};", False, OS_CONTROL[3]),
                # A reset leaves rows to be given, or the array in mid-tile.
                ("os", r"if \(rst\) rows_left <= 2'd0;\n +else ", "", False, OS_CONTROL[0]),
                ("ws", r"if \(rst\) first <= 1'b1;\n +else ", "", False, WS_CONTROL[2]),
                # The drain chain does not move: row 0 comes twice.
                (
                    "os",
                    r"\.shift\(shift\),\n    \.b\(b_data",
                    ".shift(2'h0),\n    .b(b_data",
                    True,
                    OS_VALUES[1],
                ),
                ("ws", r"(wire push = advance) & .*;", r"\1;", False, WS_CONTROL[0]),
                ("ws", r"assign p_ready = .* & a_add", "assign p_ready = a_add", False, WS_CONTROL[4]),
                ("ws", r"assign advance = ~holds_two", "assign advance = 1'h1", False, WS_CONTROL[1]),
                # No plane ever works; the shadow plane is shown to the products.
                ("ws", r"(swap_rows = \{swap_rows_line), swap", r"\1, 1'h0", True, WS_VALUE),
                ("ws", r"(\.load\()capture(\))", r"\g<1>2'h3\2", True, WS_VALUE),
            )
        ),
    ],
)
def test_a_broken_array_is_seen(dataflow: str, pattern: str, replacement: str, results: bool, broken: str) -> None:
    array = small(dataflow)
    design = hdl.generate(array, "array")
    text, count = re.subn(pattern, replacement, design.verilog)
    assert count == 1 and text != design.verilog
    verdicts = prove_tiles(array, replace(design, verilog=text), results=results, timeout=60)
    failed = {verdict.claim: verdict for verdict in verdicts if not verdict.holds}
    assert broken in failed, [str(verdict) for verdict in verdicts]
    # What is seen is a run, of which the last cycle is the one that fails.
    assert len(failed[broken].trace) == failed[broken].depth


@pytest.mark.parametrize(
    ("dataflow", "fewer", "reached"),
    [
        ("os", 2, ["at most 2 tiles are in flight", "a result comes within 2 cycles"]),
        ("ws", 1, ["at most 4 vectors are in flight", "a result comes within 3 cycles"]),
    ],
)
def test_the_bounds_are_reached(dataflow: str, fewer: int, reached: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """With the latency of an array that is faster, as many tiles are too many, and the results come too late."""
    array = small(dataflow)
    design = hdl.generate(array, "array")
    monkeypatch.setattr(array, "latency", array.latency - fewer)
    assert [v.claim for v in prove_tiles(array, design, results=False) if not v.holds] == reached


def test_errors() -> None:
    for array, bits, message in (
        (
            small("os", overflow="saturate"),
            1,
            "array must be of fixed-point operands with a sum that wraps, not of int2 × int2: "
            "exact, then saturated in int4",
        ),
        (
            small("os", a="fp8_e4m3", b="fp8_e4m3", acc="rounded:fp16"),
            1,
            "array must be of fixed-point operands with a sum that wraps, not of fp8_e4m3 × fp8_e4m3: "
            "rounded to fp16 after every product in order (rne)",
        ),
        (small("os"), 5, "bits must be in 1 … 4, not 5"),
    ):
        with pytest.raises(ParameterError) as error:
            prove_tiles(array, bits=bits)
        assert str(error.value) == message


@pytest.mark.slow
@pytest.mark.parametrize(
    "options",
    [
        {"dataflow": "os", "cols": 2},
        {"dataflow": "os", "stages": 2},
        {"dataflow": "os", "rows": 3},
        {"dataflow": "os", "rows": 1},
        {"dataflow": "os", "lanes": 2, "acc": "int5"},
        {"dataflow": "os", "a": "uint2", "b": "int3", "acc": "int6"},
        {"dataflow": "ws", "cols": 2},
        {"dataflow": "ws", "stages": 1},
        {"dataflow": "ws", "rows": 1},
    ],
    ids=lambda options: "-".join(map(str, options.values())),
)
def test_more_arrays(options: dict[str, Any]) -> None:
    """Larger arrays are not proven in minutes: their state is that of more tiles at a time."""
    verdicts = prove_tiles(small(**options), timeout=1200, jobs=2)
    assert all(verdict.proven for verdict in verdicts), [str(verdict) for verdict in verdicts]


@pytest.mark.slow
@pytest.mark.parametrize("dataflow", ["os", "ws"])
def test_whole_results_in_the_first_cycles(dataflow: str) -> None:
    """All bits of the results: an invariant is found for some, others hold for as many cycles as three tiles take."""
    verdicts = prove_tiles(small(dataflow), bits=4, timeout=60, depth=14)
    assert all(verdict.holds and (verdict.depth is None or verdict.depth >= 14) for verdict in verdicts)
