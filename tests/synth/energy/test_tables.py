"""Lookup tables, against planes and by hand."""

from __future__ import annotations

import numpy as np
import pytest

from polymac.golden.formats import ParameterError
from polymac.synth.energy.tables import Table, look_up, read_table
from polymac.synth.liberty.groups import Group, read_library

TEMPLATES = """library (x) {
  lu_table_template (slew_load) { variable_1 : input_net_transition; variable_2 : total_output_net_capacitance;
    index_1 ("0, 1, 4"); index_2 ("0, 10"); }
  power_lut_template (load_slew) { variable_1 : total_output_net_capacitance; variable_2 : input_transition_time;
    index_1 ("0, 10"); index_2 ("0, 1, 4"); }
  power_lut_template (slew) { variable_1 : input_transition_time; index_1 ("0, 1, 4"); }
  power_lut_template (odd) { variable_1 : temperature; index_1 ("0, 1"); }
  TABLE
}
"""


def table(text: str) -> Table:
    library = read_library(TEMPLATES.replace("TABLE", text), "x")
    return read_table(library.groups[-1], {item.name: item for item in library.groups if "template" in item.kind})


def at(found: Table, slew: float, load: float) -> float:
    return float(look_up([found], np.array([[slew]]), np.array([load]))[0, 0])


def test_a_plane_is_met_everywhere():
    """3 + 2·slew + load, the load first or second, between the points and beyond them on all sides."""
    rows = [[3 + 2 * slew + load for load in (0, 10)] for slew in (0, 1, 4)]
    first = table(f'x (slew_load) {{ values ("{", ".join(str(item) for row in rows for item in row)}"); }}')
    turned = [rows[i][j] for j in range(2) for i in range(3)]
    second = table(f'x (load_slew) {{ values ("{", ".join(map(str, turned))}"); }}')
    for slew in (-1, 0, 0.5, 1, 2.5, 4, 6):
        for load in (-5, 0, 3, 10, 25):
            for found in (first, second):
                assert at(found, slew, load) == pytest.approx(3 + 2 * slew + load)


def test_between_points_and_with_an_index_of_its_own():
    found = table('x (slew_load) { index_1 ("0, 2"); index_2 ("0, 1"); values ("0, 10", "20, 50"); }')
    assert at(found, 1, 0.5) == pytest.approx((0 + 10 + 20 + 50) / 4)
    assert at(found, 0.5, 0) == pytest.approx(5)
    assert at(found, 2, 2) == pytest.approx(80)


def test_one_axis_and_none():
    found = table('x (slew) { values ("1, 3, 9"); }')
    assert at(found, 0.5, 99) == pytest.approx(2) and at(found, 3, 99) == pytest.approx(7)
    assert at(table('x (scalar) { values ("5"); }'), 7, 7) == 5
    assert at(table('x (slew_load) { index_1 ("3"); index_2 ("0, 10"); values ("1, 2"); }'), 99, 5) == pytest.approx(
        1.5
    )


def test_tables_of_many_gates_at_once():
    one, two = table('x (slew) { values ("1, 3, 9"); }'), table('x (slew) { values ("0, 1, 4"); }')
    constant = table('x (scalar) { values ("5"); }')
    slews = np.array([[0.5, 1.0, 4.0, 0.0], [1.0, 2.5, 0.0, 0.0]])
    found = look_up([one, None, two, constant], slews, np.zeros(2))
    assert found == pytest.approx(np.array([[2, 0, 4, 5], [3, 0, 0, 5]]))


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ('x (slew) { values ("1, 3"); }', "slew"),
        ('x (none) { values ("1, 3"); }', "none"),
        ('x (odd) { values ("1, 3"); }', "odd"),
        ("x (slew) { }", "slew"),
        ('x (slew) { values ("1, b, 3"); }', "slew"),
    ],
)
def test_errors(text, name):
    with pytest.raises(ParameterError) as error:
        table(text)
    assert str(error.value) == f"liberty must hold tables of slew and load, not x ({name}) of other values"
    assert Group("x", name).kind == "x"
