from __future__ import annotations

import dataclasses
import hashlib
import itertools
import json
import os
import re
from pathlib import Path

import pytest

from polymac import synth
from polymac.golden.formats import ParameterError
from polymac.synth import Record
from polymac.synth.yosys.runner import NO_ABC_OUTPUT, Job, SynthesisError, Workers

INVERTER = "module inverter (input a, output y); assign y = ~a; endmodule"


def _cell_areas(text: str) -> dict[str, float]:
    """Areas by cell name, as the Liberty's own lines say them."""
    found = re.findall(r"\bcell \((\w+)\) \{.*?\barea\s*:\s*([\d.]+);", text, re.DOTALL)
    return {name: float(area) for name, area in found}


def _figures(record: Record) -> Record:
    return dataclasses.replace(record, seconds=0.0)


def test_nangate45_areas_are_the_sums_of_the_librarys_cells(mul4):
    result = synth.synthesize(mul4, "nangate45")
    library = synth.target("nangate45").liberty
    assert library is not None
    areas = _cell_areas(library.locate().read_text())
    assert len(result.records) == 8
    assert result.failures == []
    for record in result.records:
        assert record.area_um2 == pytest.approx(sum(areas[cell] * count for cell, count in record.cells.items()))
        assert record.area_um2 is not None
        assert record.area_ge == pytest.approx(record.area_um2 / areas["NAND2_X1"], abs=1e-3)
        assert record.ffs == 8
        assert record.sequential_area_um2 == pytest.approx(8 * areas["DFF_X1"])
        assert record.delay_ns is not None
        assert 0.1 < record.delay_ns < 2
        assert (record.transistors, record.area_luts, record.dsps) == (None, None, None)
        assert record.library == "NangateOpenCellLibrary"
        assert record.library_sha256 == hashlib.sha256(library.locate().read_bytes()).hexdigest()
        assert record.verilog_sha256 == hashlib.sha256(mul4.verilog.encode()).hexdigest()
        assert (record.design, record.unit, record.parameters) == ("mul4", "multiplier", {"a": "int4"})
        assert list(record.versions) == ["polymac", "python", "yosys"]
        assert re.match(r"\d+\.\d+", record.versions["yosys"])
        assert Record(**json.loads(json.dumps(record.to_dict()))) == record
    assert result.best_area.area_um2 == min(record.area_um2 or 0 for record in result.records)
    assert result.best_delay is not None
    assert result.best_delay.delay_ns == min(record.delay_ns or 0 for record in result.records)
    assert result.best_delay.recipe != result.best_area.recipe
    assert result.best_dsp is None
    assert (result.area_um2, result.delay_ns, result.cells, result.recipe) == (
        result.best_area.area_um2,
        result.best_area.delay_ns,
        result.best_area.cells,
        result.best_area.recipe,
    )


def test_cmos_counts_transistors(design):
    verilog = """module gate (input clk, input a, input b, output y, output reg q);
      assign y = ~(a & b);
      always @(posedge clk) q <= y;
    endmodule
    """
    result = synth.synthesize(design("gate", verilog), "cmos", recipes=["plain"])
    assert result.cells == {"$_NAND_": 1, "$_DFF_P_": 1}
    assert (result.gates, result.ffs) == (1, 1)
    assert result.transistors == 4 + 16  # static NAND2; flip-flop
    assert (result.area_um2, result.delay_ns, result.best_delay) == (None, None, None)


def test_cmos_multiplier_is_its_gates_and_registers(mul4):
    result = synth.synthesize(mul4, "cmos")
    assert result.ffs == 8
    assert result.gates == sum(count for cell, count in result.cells.items() if cell != "$_DFF_P_")
    assert result.transistors == min(record.transistors or 0 for record in result.records)
    # Sixteen partial products need an AND each; every gate takes from 2 to 12 transistors.
    assert result.gates is not None
    assert result.gates >= 16
    assert 8 * 16 + 2 * result.gates <= (result.transistors or 0) <= 8 * 16 + 12 * result.gates


@pytest.mark.parametrize(
    ("target", "lut", "luts_per_carry", "dsp"),
    [("xc7", r"LUT\d", 0, "DSP48E1"), ("ice40", "SB_LUT4", 0, "SB_MAC16"), ("ecp5", "LUT4", 2, "MULT18X18D")],
)
def test_fpga_with_and_without_hard_multipliers(design, target, lut, luts_per_carry, dsp):
    verilog = """module mul8 (input clk, input rst, input signed [7:0] a, input signed [7:0] b, output reg [15:0] y);
      always @(posedge clk) if (rst) y <= 0; else y <= a * b;
    endmodule
    """
    result = synth.synthesize(design("mul8", verilog), target, recipes=["dsp", "booth"])
    logic, hard = result.best_area, result.best_dsp
    assert (logic.recipe, logic.dsps, logic.ffs) == ("booth", 0, 16)
    assert logic.luts == sum(count for cell, count in logic.cells.items() if re.fullmatch(lut, cell))
    assert logic.luts is not None
    assert 80 < logic.luts < 180
    assert logic.carries is not None
    assert logic.carries > 0
    assert logic.area_luts == logic.luts + luts_per_carry * logic.carries
    assert hard is not None
    assert (hard.recipe, hard.dsps, hard.cells[dsp]) == ("dsp", 1, 1)
    assert hard.luts is not None
    assert hard.luts < 20
    assert result.best_delay is None


def test_a_small_liberty_counted_by_hand(design, write_liberty):
    verilog = "module chain (input a, input b, input c, output y); assign y = ~(~(a & b) & c); endmodule"
    result = synth.synthesize(design("chain", verilog), liberty=write_liberty(), recipes=["plain area"])
    assert result.target == "small"
    assert result.cells == {"NAND2_X1": 2}
    assert (result.area_um2, result.area_ge, result.ffs) == (pytest.approx(2 * 0.798), 2, 0)


def test_delays_follow_the_librarys_unit_of_time(design, write_liberty):
    delays = []
    for unit in ("1ns", "100ps"):
        liberty = write_liberty(time_unit=unit)
        result = synth.synthesize(design("inverter", INVERTER), liberty=liberty, recipes=["plain area"])
        assert result.cells == {"INV_X1": 1}
        delays.append(result.delay_ns)
    # An unloaded inverter of a 45 nm process takes a few picoseconds.
    assert 0.001 < delays[0] < 0.02
    assert delays[1] == pytest.approx(delays[0] / 10, abs=1e-5)


def test_a_changed_library_of_the_same_name_and_date_is_read_again(design, write_liberty, tmp_path, monkeypatch):
    shared = tmp_path / "shared"
    shared.mkdir()
    monkeypatch.setenv("TMPDIR", str(shared))  # where Yosys would keep its copies
    delays = []
    for unit in ("1ns", "100ps"):
        path = write_liberty(time_unit=unit)
        os.utime(path, (1_000_000_000, 1_000_000_000))
        delays.append(synth.synthesize(design("inverter", INVERTER), liberty=path, recipes=["plain area"]).delay_ns)
    assert delays[1] < delays[0] / 5
    assert list(shared.iterdir()) == []


def test_a_design_without_logic_has_no_delay(design, write_liberty):
    verilog = "module delay (input clk, input d, output reg q = 1); always @(posedge clk) q <= d; endmodule"
    result = synth.synthesize(design("delay", verilog), liberty=write_liberty(), recipes=["plain area"])
    assert result.cells == {"DFF_X1": 1}
    assert (result.area_um2, result.sequential_area_um2) == (4.522, 4.522)
    assert (result.ffs, result.delay_ns) == (1, 0)


def test_a_delay_that_abc_did_not_print(design, write_liberty):
    target = synth.liberty_target(write_liberty())
    silent = tuple(command.replace(";stime,-p", "") for command in target.recipes[0].commands)
    recipe = dataclasses.replace(target.recipes[0], commands=silent)
    with pytest.raises(SynthesisError) as error:
        synth.synthesize(design("inverter", INVERTER), dataclasses.replace(target, recipes=(recipe,)))
    assert str(error.value) == "inverter on small by recipe 'plain area': ABC printed no delay"
    # As the WebAssembly worker says it.
    recipe = dataclasses.replace(recipe, commands=(f"log {NO_ABC_OUTPUT}", *silent))
    result = synth.synthesize(design("inverter", INVERTER), dataclasses.replace(target, recipes=(recipe,)))
    assert (result.area_um2, result.delay_ns, result.best_delay) == (0.532, None, None)


def test_the_same_design_gives_the_same_figures(mul4):
    recipes = ["booth tree speed"]
    first, second = (synth.synthesize(mul4, recipes=recipes, jobs=jobs) for jobs in (1, 2))
    assert [_figures(record) for record in first.records] == [_figures(record) for record in second.records]


def test_compare_gives_a_result_per_design_and_target(mul4, design, write_liberty):
    other = design("other", "module other (input a, input b, output y); assign y = ~(a & b); endmodule")
    targets = ["cmos", synth.liberty_target(write_liberty())]
    chosen = {"cmos": "plain", "small": "plain area"}
    targets = [
        dataclasses.replace(target, recipes=target.choose_recipes([chosen[target.name]]))
        for target in map(synth.target, targets)
    ]
    calls: list[tuple[int, int, str]] = []
    results = synth.compare([mul4, other], targets, jobs=2, progress=lambda *call: calls.append(call))
    assert [(result.design, result.target) for result in results] == [
        ("mul4", "cmos"),
        ("mul4", "small"),
        ("other", "cmos"),
        ("other", "small"),
    ]
    assert results[3].cells == {"NAND2_X1": 1}
    assert [call[:2] for call in calls] == [(done, 4) for done in range(5)]
    assert {call[2] for call in calls[1:]} >= {
        "mul4 on cmos by recipe 'plain'",
        "other on small by recipe 'plain area'",
    }


def test_broken_verilog_is_one_line(design):
    with pytest.raises(SynthesisError) as error:
        synth.synthesize(design("top", "module top (input a, output y);\n  assign y = ;\nendmodule\n"), "cmos")
    assert str(error.value) == "top on cmos by recipe 'plain': design.v:2: syntax error, unexpected ';'"


def test_another_top_module_is_one_line(design):
    with pytest.raises(SynthesisError) as error:
        synth.synthesize(design("top", "module other (input a, output y); assign y = a; endmodule\n"), "cmos")
    assert str(error.value) == "top on cmos by recipe 'plain': Module `top' not found!"


def test_a_cell_that_the_target_cannot_count_is_an_error(design, mul4):
    ecp5 = synth.target("ecp5")
    blind = dataclasses.replace(ecp5, counts={key: count for key, count in ecp5.counts.items() if key != "carries"})
    verilog = "module add (input [7:0] a, input [7:0] b, output [7:0] y); assign y = a + b; endmodule"
    with pytest.raises(SynthesisError) as error:
        synth.synthesize(design("add", verilog), blind, recipes=["plain"])
    assert str(error.value) == (
        "add on ecp5 by recipe 'plain': the netlist holds cells CCU2C, which the target cannot count"
    )


def test_a_recipe_that_fails_leaves_the_others(mul4):
    cmos = synth.target("cmos")
    broken = dataclasses.replace(cmos.recipes[1], commands=("read_verilog none.v",))
    result = synth.synthesize(mul4, dataclasses.replace(cmos, recipes=(cmos.recipes[0], broken)))
    assert [record.recipe for record in result.records] == ["plain"]
    assert result.failures == ["mul4 on cmos by recipe 'booth': File `none.v' not found or is a directory"]


def test_the_time_limit_is_one_line(design):
    verilog = "module wide (input [63:0] a, input [63:0] b, output [127:0] y); assign y = a * b; endmodule"
    with pytest.raises(SynthesisError) as error:
        synth.synthesize(design("wide", verilog), "cmos", recipes=["plain"], timeout=0.5)
    assert str(error.value) == "wide on cmos by recipe 'plain': no result within the time limit of 0.5 s"


def test_a_name_that_is_no_identifier(mul4):
    with pytest.raises(ParameterError) as error:
        synth.synthesize(dataclasses.replace(mul4, name="a; shell"), "cmos")
    assert str(error.value) == "design name must be a Verilog identifier, not 'a; shell'"


def test_a_target_and_a_liberty_are_one_too_many(mul4, write_liberty):
    with pytest.raises(ParameterError) as error:
        synth.synthesize(mul4, "xc7", liberty=write_liberty())
    assert str(error.value) == "target must be left out where liberty is given, not 'xc7'"


@pytest.mark.parametrize(
    ("cells", "reason"),
    [
        (["BUF_X1", "INV_X1", "AND2_X1", "DFF_X1"], "it holds no two-input NAND"),
        (["BUF_X1", "INV_X1", "DFF_X1"], "it holds no two-input NAND"),
        (["INV_X1", "NAND2_X1", "NOR2_X1", "DFF_X1"], "it holds no buffer"),
        (["BUF_X1", "INV_X1", "NAND2_X1"], "it holds no D flip-flop"),
    ],
)
def test_a_liberty_that_lacks_what_every_design_needs(mul4, write_liberty, cells, reason):
    path = write_liberty(cells)
    calls: list[object] = []
    with pytest.raises(ParameterError) as error:
        synth.synthesize(mul4, liberty=path, progress=lambda *call: calls.append(call))
    message = str(error.value)
    assert message.startswith(
        f"liberty must be a Liberty file with buffer, inverter, two-input NAND and D flip-flop, not '{path}': "
    )
    assert message.endswith(reason)
    assert calls == []


def test_a_liberty_that_yosys_cannot_read(mul4, tmp_path: Path):
    path = tmp_path / "cells.lib"
    path.write_text("library (x) { cell (NAND) { area : 2;\n")
    with pytest.raises(ParameterError) as error:
        synth.synthesize(mul4, liberty=path)
    assert str(error.value) == f"liberty must be a whole Liberty file, not '{path}': unreadable from line 2"


# What reads the functions of each target's cells, for the proof below. (Those of iCE40 take half a minute to read.)
MODELS: dict[str, tuple[str, ...]] = {
    "nangate45": ("read_liberty -ignore_miss_func library.lib",),
    "cmos": (),
    "xc7": ("read_verilog +/xilinx/cells_sim.v",),
    "ecp5": ("read_verilog -D NO_INCLUDES +/ecp5/cells_sim.v",),
}
NETLIST = ("write_verilog -noattr netlist.v", "design -reset", "read_verilog netlist.v")
PROOF = (
    "hierarchy -top mapped",
    "proc",
    "flatten -wb",
    "rename mapped gate",
    "read_verilog design.v",
    "rename mapped gold",
    "proc gold",
    "miter -equiv -flatten -make_outputs gold gate both",
    "hierarchy -top both",
    "techmap",
    "opt",
    "sat -verify -prove trigger 0 both",
)


@pytest.mark.parametrize(("target", "sign"), [*((name, "signed") for name in MODELS), ("nangate45", ""), ("cmos", "")])
def test_every_recipes_netlist_still_multiplies(target, sign):
    ports = f"input {sign} [3:0] a, input {sign} [3:0] b, output [7:0] y"
    verilog = f"module mapped ({ports}); assign y = a * b; endmodule"
    chosen = synth.target(target)
    links = {} if chosen.liberty is None else {"library.lib": chosen.liberty.locate()}
    jobs = [
        Job(
            recipe.name,
            (*recipe.script("mapped", 0.5), *NETLIST, *MODELS[target], *PROOF),
            {"design.v": verilog},
            links,
        )
        for recipe in chosen.recipes
        if not recipe.uses_dsp
    ]
    for outcome in Workers(2, 60.0).run(jobs):
        assert not isinstance(outcome, SynthesisError), outcome
        assert "SAT proof finished - no model found: SUCCESS!" in outcome.log


def test_an_architecture_that_no_recipe_is_for_runs_through_all(mul4):
    """Asked for by name, it has figures all the same; the recipes that suit another are left out where one does."""
    parameters = {"a": "int4", "architecture": "row_adders"}
    rows = dataclasses.replace(mul4, metadata={"unit": "multiplier", "parameters": parameters})
    assert len(synth.synthesize(rows, "cmos").records) == 3
    booth = dataclasses.replace(
        rows, metadata={"unit": "multiplier", "parameters": parameters | {"architecture": "booth"}}
    )
    (result,) = synth.compare([[rows, booth]], ["cmos"])
    assert [record.parameters["architecture"] for record in result.records] == ["booth"]
    assert [record.recipe for record in result.records] == ["plain"]


def test_the_area_within_a_delay_and_the_pareto_set(design):
    ports = "input signed [3:0] a, input signed [3:0] b, output signed [7:0] y"
    chosen = design("product", f"module product ({ports}); assign y = a * b; endmodule")
    names = ["plain area", "tree speed", "timed tree", "timed rewritten tree"]
    result = synth.synthesize(chosen, recipes=names, max_delay_ns=0.5)
    assert [record.recipe for record in result.records] == names
    for record in result.records[2:]:
        assert sum("-D,500" in command for command in record.commands) == 1
    within = result.best_within
    assert within is not None
    assert within.area_um2 == min(item.area_um2 or 0 for item in result.records if (item.delay_ns or 0) <= 0.5)
    front = result.pareto
    assert (front[0], front[-1].delay_ns) == (result.best_area, min(item.delay_ns or 0 for item in result.records))
    for small, fast in itertools.pairwise(front):
        assert (small.area_um2 or 0) < (fast.area_um2 or 0)
        assert (small.delay_ns or 0) > (fast.delay_ns or 0)
    for item in result.records:  # nothing is better in both than a member
        assert any(
            (best.area_um2 or 0, best.delay_ns or 0) <= (item.area_um2 or 0, item.delay_ns or 0) for best in front
        )
    assert synth.synthesize(chosen, recipes=names[:2], max_delay_ns=0.001).best_within is None


def test_recipes_for_small_designs_come_last_and_only_with_them(mul4):
    target = synth.target("cmos")
    plain, booth, _ = target.recipes
    for most_cells, recipes in ((1000, ["booth", "plain"]), (10, ["booth"])):
        small = dataclasses.replace(plain, most_cells=most_cells)
        calls: list[tuple[int, int, str]] = []
        fitting = dataclasses.replace(target, recipes=(small, booth))
        result = synth.synthesize(mul4, fitting, progress=lambda *call, calls=calls: calls.append(call))
        assert [record.recipe for record in result.records] == recipes
        assert calls[-1][:2] == (len(recipes), len(recipes))
        # Asked for by name it is run on any.
        assert synth.synthesize(mul4, fitting, recipes=["plain"]).recipe == "plain"


@pytest.mark.parametrize(
    ("given", "kind", "message"),
    [
        ({"max_delay_ns": 0}, ParameterError, "max_delay_ns must be over 0 ns and finite, not 0"),
        ({"max_delay_ns": float("nan")}, ParameterError, "max_delay_ns must be over 0 ns and finite, not nan"),
        ({"max_delay_ns": "1"}, TypeError, "max_delay_ns must be a number of nanoseconds, not '1'"),
        (
            {"recipes": ["timed tree"]},
            ParameterError,
            "max_delay_ns must be given with the recipe 'timed tree', not left out",
        ),
    ],
)
def test_a_wrong_delay(mul4, given, kind, message):
    with pytest.raises(kind) as error:
        synth.synthesize(mul4, **given)
    assert str(error.value) == message
