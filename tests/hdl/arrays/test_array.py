"""Arrays as components: members, hierarchy, metadata, errors, and Amaranth's own simulator."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest
from amaranth.sim import Simulator

from polymac import golden, hdl
from polymac.hdl.arrays.grid import Grid
from polymac.hdl.arrays.weight_stationary import WeightElement

INT8: dict[str, Any] = {"a": "int8", "b": "int8", "rows": 3, "cols": 2}
EXACT = {"a": "fp8_e4m3", "b": "fp8_e4m3", "acc": "exact"}


def test_ports_of_streams() -> None:
    unit = hdl.Array(a="mxfp4", b="int4", rows=3, cols=2, lanes=4, dataflow="ws")
    ports = {
        port.name: (port.stream, port.width, port.elements, port.format and port.format.name) for port in unit.ports
    }
    assert ports == {
        "clk": (None, 1, 1, None),
        "rst": (None, 1, 1, None),
        "a_data": ("a", 48, 12, "fp4_e2m1"),
        "a_scale": ("a", 24, 3, "e8m0"),
        "a_add": ("a", 1, 1, None),
        "a_last": ("a", 1, 1, None),
        "a_valid": ("a", 1, 1, None),
        "a_ready": ("a", 1, 1, None),
        "b_data": ("b", 32, 8, "int4"),
        "b_valid": ("b", 1, 1, None),
        "b_ready": ("b", 1, 1, None),
        "p_data": ("p", 64, 2, "fp32"),
        "p_valid": ("p", 1, 1, None),
        "p_ready": ("p", 1, 1, None),
        "c_data": ("c", 64, 2, "fp32"),
        "c_last": ("c", 1, 1, None),
        "c_valid": ("c", 1, 1, None),
        "c_ready": ("c", 1, 1, None),
    }
    assert (unit.latency, unit.parameters["dataflow"]) == (6, "ws")


def test_only_weight_stationary_codes_take_partial_sums() -> None:
    streams = {
        (dataflow, acc): {port.stream for port in hdl.Array(**INT8 | EXACT | {"acc": acc, "dataflow": dataflow}).ports}
        for dataflow in ("os", "ws")
        for acc in ("exact", "fp32")
    }
    assert [key for key, names in streams.items() if "p" in names] == [("ws", "fp32")]


@pytest.mark.parametrize("dataflow", ["os", "ws"])
def test_one_module_for_all_elements(dataflow: str) -> None:
    """Also of the rounder at the exit: one definition, once per column."""
    verilog = hdl.generate(hdl.Array(**INT8 | EXACT | {"dataflow": dataflow}), "arr").verilog
    modules = re.findall(r"(?m)^module (\w+) \(", verilog)
    assert modules.count("arr_pe") == modules.count("arr_row") == modules.count("arr_grid") == 1
    assert len(re.findall(r"(?m)^  arr_pe pe_\d+ \(", verilog)) == 2
    assert len(re.findall(r"(?m)^  arr_row row_\d+ \(", verilog)) == 3
    assert len(re.findall(r"(?m)^  arr_result result_\d+ \(", verilog)) == 2


def test_bytes_grow_slower_than_elements() -> None:
    units = [hdl.Array(a="int2", b="int2", rows=n, cols=n, dataflow="ws") for n in (17, 34)]
    small, large = (
        len(design.verilog) for design in hdl.generate_all(dict(zip(("array_17", "array_34"), units, strict=True)))
    )
    assert large < 2 * small


def test_grid_counts_rows_from_either_end() -> None:
    accumulator = hdl.Array(**INT8).accumulator
    for upward, order in ((False, "012"), (True, "210")):
        grid = Grid(element=WeightElement, accumulator=accumulator, rows=3, columns=1, stages=0, upward=upward)
        verilog = hdl.generate(grid, "g").verilog
        # The first row gets the grid's own b.
        assert re.findall(r"g_row row_(\d) \((?:[^;]*?)\.b\(b\)", verilog) == [order[0]]


@pytest.mark.parametrize("options", [{}, EXACT | {"max_k": 8}])
def test_weight_stationary_in_amaranth(options: dict[str, Any]) -> None:
    """Two tiles without a stall: values, and one result per cycle with the docstring's latency."""
    rows, cols = 3, 2
    unit = hdl.Array(**INT8 | options | {"dataflow": "ws", "stages": 1})
    accumulator = unit.accumulator
    generator = np.random.default_rng(1)
    a = generator.integers(0, 100, (6, rows))
    b = generator.integers(0, 100, (2 * rows, cols))
    taken: list[int] = []
    found: list[tuple[int, list[int], int]] = []

    async def bench(ctx: Any) -> None:
        position = {"a": 0, "b": 0}
        ctx.set(unit.c.ready, 1)
        for cycle in range(40):
            for name, stream, beats in (("a", unit.a, a), ("b", unit.b, b)):
                offered = position[name] < len(beats)
                ctx.set(stream.valid, offered)
                if offered:
                    beat: dict[str, Any] = {"data": beats[position[name]].tolist()}
                    ctx.set(stream.payload, beat | ({"last": position[name] % 3 == 2} if name == "a" else {}))
            if ctx.get(unit.c.valid):
                row = ctx.get(unit.c.payload)
                found.append((cycle, [row.data[column] for column in range(cols)], row.last))
            for name, stream, beats in (("a", unit.a, a), ("b", unit.b, b)):
                if position[name] < len(beats) and ctx.get(stream.ready):
                    position[name] += 1
                    taken.extend([cycle] * (name == "a"))
            await ctx.tick()

    simulator = Simulator(unit)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
    assert taken == list(range(rows, rows + 6))
    if accumulator.style is None:
        want = [golden.gemm(a[i : i + 3], b[i : i + 3], "int8", "int8").tolist() for i in (0, 3)]
    else:
        pairs = ((a[i : i + 3], b[i : i + 3]) for i in (0, 3))
        want = [
            golden.gemm(x, y, accumulator.a_element, accumulator.b_element, acc=accumulator.style).tolist()
            for x, y in pairs
        ]
    latency = rows + cols + 1 + 1
    assert [cycle for cycle, _, _ in found] == [cycle + latency for cycle in taken]
    assert [row for _, row, _ in found] == want[0] + want[1]
    assert [last for _, _, last in found] == [0, 0, 1] * 2


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"dataflow": "rs"}, "dataflow must be one of os, ws, not 'rs'"),
        ({"rows": 0}, "rows must be in 1 … 1024, not 0"),
        ({"cols": 1025}, "cols must be in 1 … 1024, not 1025"),
        ({"stages": -1}, "stages must be in 0 … 64, not -1"),
        (
            EXACT | {"max_k": 4, "lanes": 2, "dataflow": "ws"},
            "max_k must be at least rows × lanes = 6 for weight-stationary exact sums, not 4",
        ),
        (EXACT | {"b": "mxfp4", "lanes": 5}, "lanes must divide the block size of b=mxfp4, 32, not 5"),
        (
            {"rows": 1024, "cols": 1024, "lanes": 4},
            "rows × 32 bits of a and cols × 64 bits of b and sums must be at most 65535 bits with their control, "
            "Amaranth's limit for a module, not 106504",
        ),
        ({"acc": "int15"}, "acc must hold one product, at least 16 bits for int8 × int8, not int15 (15 bits)"),
    ],
)
def test_errors(options: dict[str, Any], message: str) -> None:
    with pytest.raises(golden.ParameterError) as error:
        hdl.Array(**INT8 | options)
    assert str(error.value) == message
