"""Rows: what they hold for libraries, FPGAs and arrays, and what is missing is a note."""

from __future__ import annotations

from typing import Any

import pytest

from polymac import comparison, golden, synth
from polymac.comparison import horowitz
from polymac.comparison.bandwidth import bytes_per_mac
from polymac.comparison.plan import module_name
from polymac.golden.accuracy.noise import bits_per_element
from polymac.synth.yosys.runner import Workers

WORKERS = Workers(2, 300.0)


def row(measured: comparison.Options | None = None, /, **request) -> comparison.Row:
    (found,) = comparison.measure([comparison.Request(**request)], WORKERS, measured)
    return found


def test_a_registered_unit_has_a_period_and_its_parts_of_energy():
    found = row(comparison.Options(recipes=["plain area"]), unit="mac", options={"a": "int2", "acc": "int8"})
    figures: dict[str, Any] = found.figures
    assert found.notes == [] and found.error == ""
    # A path from a register begins with its clock-to-output delay and ends with a setup time.
    assert figures["period_ns"] > figures["delay_ns"] * 0.95
    assert figures["energy_pj"] > figures["register_pj"] + figures["clock_pj"] > figures["clock_pj"] > 0
    assert figures["ffs"] == figures["accumulator_bits"] == 8
    assert found.verilog.count(f"module {module_name(comparison.Request('mac', {'a': 'int2'}))} ") == 1
    assert set(figures) <= set(comparison.FIGURES)


def test_rows_are_in_the_order_of_their_requests_whatever_their_targets():
    requests = [
        comparison.Request(options={"a": name, "architecture": "operator"}, target=target)
        for name, target in (("int3", "ice40"), ("int2", "cmos"), ("int2", "ice40"))
    ]
    rows = comparison.measure(requests, WORKERS)
    assert [(item.name, item.request["target"]) for item in rows] == [
        ("int3", "ice40"),
        ("int2", "cmos"),
        ("int2", "ice40"),
    ]
    assert "transistors" in rows[1].figures and "energy_pj" not in rows[1].figures
    luts: list[Any] = [item.figures.get("area_luts") for item in rows]
    assert luts[2] < luts[0]
    again = comparison.measure(requests, WORKERS)
    assert [item.figures for item in again] == [item.figures for item in rows]


def test_an_array_has_its_parts():
    options = {"a": "int2", "rows": 4, "cols": 8, "architecture": "operator"}
    found = row(comparison.Options(recipes=["plain area"]), unit="array", options=options)
    figures: dict[str, Any] = found.figures
    assert figures["products"] == 32 and found.parts[0]["instances"] == 32
    assert figures["area_um2"] == pytest.approx(sum(part["area_um2"] for part in found.parts), abs=0.1)
    assert figures["ffs"] > 32 * figures["accumulator_bits"]
    assert found.notes == ["no energy: not measured for arrays (compare a mac or a dot)"]


def test_every_area_of_an_array_is_of_the_whole():
    options = {"a": "int2", "rows": 4, "cols": 2, "architecture": "operator"}
    recipes = ["plain area", "timed tree"]
    found = row(comparison.Options(recipes=recipes, max_delay_ns=5.0), unit="array", options=options)
    figures: dict[str, Any] = found.figures
    assert found.within is not None and found.fast is not None
    for prefix, record in (("fast_", found.fast), ("within_", found.within)):
        # Eight processing elements and more; some at an edge are a little smaller.
        assert figures[f"{prefix}area_um2"] > 7 * record["area_um2"]


def test_what_fails_is_a_row_that_says_so():
    (found,) = comparison.measure([comparison.Request(options={"a": "int8"}, target="cmos")], Workers(1, 0.01))
    assert found.figures == {} and found.error.endswith("no result within the time limit of 0.01 s")


def test_frequencies_are_of_one_target():
    found = row(comparison.Options(fmax=True), options={"a": "int2"}, target="ice40")
    assert found.notes == ["no fmax: nextpnr is run for target ecp5 only"]


def test_delays_mean_nothing_without_a_library():
    message = r"^--delays must be left out with a target without delays, not given with cmos$"
    with pytest.raises(golden.ParameterError, match=message):
        row(comparison.Options(delays_ns=[0.5]), options={"a": "int2"}, target="cmos")


def test_bits_count_their_scales():
    mxfp4, int8, fp32 = golden.formats.any_format("mxfp4"), golden.format("int8"), golden.format("fp32")
    assert (bits_per_element(mxfp4), bits_per_element(int8)) == (4.25, 8)
    # (2 · 64² · 8 bits + 64² · 32 bits) / 8 / 64³
    assert bytes_per_mac(int8, int8, fp32) == (2 * 8 + 32) / 8 / 64


def test_horowitz_asks_for_his_operations():
    found = {(item.unit, item.fmt): item.request("nangate45").make() for item in horowitz.TABLE}
    assert found["adder", "int32"].parameters["out"] == "int32"
    assert found["multiplier", "int8"].parameters["out"] == "int16"
    assert found["multiplier", "fp32"].parameters["out"] == "fp32"
    assert [item.energy_pj for item in horowitz.TABLE] == [0.03, 0.1, 0.4, 0.9, 0.2, 3.1, 1.1, 3.7]
    assert [item.area_um2 for item in horowitz.TABLE] == [36, 137, 1360, 4184, 282, 3495, 1640, 7700]
    assert synth.target("nangate45").name == horowitz.TABLE[0].request("nangate45").find_target().name
