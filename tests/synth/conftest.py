"""Small designs and a small Liberty whose figures can be counted by hand."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest


@dataclass(frozen=True)
class StandIn:
    """What synthesis needs of a generated design."""

    name: str
    verilog: str
    metadata: dict[str, Any] = field(default_factory=lambda: {"unit": "multiplier", "parameters": {"a": "int4"}})


_REGISTERED = """module mul4 (input clk, input rst, input signed [3:0] a, input signed [3:0] b, output signed [7:0] y);
  (* init = 8'h00 *) reg [7:0] product = 8'h00;
  always @(posedge clk) if (rst) product <= 8'h00; else product <= a * b;
  assign y = product;
endmodule
"""

# Areas 1, 2, 2 and 10; every arc takes 10 time units whatever its input slew and load.
_TABLE = '{ index_1 ("1, 100"); index_2 ("0, 100"); values ("VALUE, VALUE", "VALUE, VALUE"); }'
_ARC = f"""timing () {{ related_pin : "PIN"; timing_sense : negative_unate;
        cell_rise (grid) {_TABLE.replace("VALUE", "10")} cell_fall (grid) {_TABLE.replace("VALUE", "10")}
        rise_transition (grid) {_TABLE.replace("VALUE", "1")} fall_transition (grid) {_TABLE.replace("VALUE", "1")} }}"""
_TEMPLATE = """  lu_table_template (grid) { variable_1 : input_net_transition; variable_2 : total_output_net_capacitance;
    index_1 ("1, 100"); index_2 ("0, 100"); }
"""


def _gate(name: str, area: float, inputs: str, function: str) -> str:
    pins = "".join(f"    pin ({pin}) {{ direction : input; capacitance : 1; }}\n" for pin in inputs)
    arcs = "\n      ".join(_ARC.replace("PIN", pin) for pin in inputs)
    output = f'    pin (Y) {{ direction : output; function : "{function}"; max_capacitance : 100;\n      {arcs} }}\n'
    return f"  cell ({name}) {{\n    area : {area};\n{pins}{output}  }}\n"


INVERTER = _gate("INV", 1, "A", "!A")
NAND = _gate("NAND", 2, "AB", "!(A & B)")
NOR = _gate("NOR", 2, "AB", "!(A | B)")
FLIP_FLOP = """  cell (DFF) {
    area : 10;
    ff (IQ, IQN) { clocked_on : "C"; next_state : "D"; }
    pin (C) { direction : input; clock : true; capacitance : 1; }
    pin (D) { direction : input; capacitance : 1; }
    pin (Q) { direction : output; function : "IQ"; }
  }
"""
CELLS = {"INV": INVERTER, "NAND": NAND, "NOR": NOR, "DFF": FLIP_FLOP}


@pytest.fixture
def design() -> Callable[[str, str], StandIn]:
    """Makes a design of a name and the Verilog text of its top module."""
    return StandIn


@pytest.fixture
def mul4() -> StandIn:
    """A signed 4 × 4 multiplier with an output register of 8 bits, reset and initial value."""
    return StandIn("mul4", _REGISTERED)


@pytest.fixture
def write_liberty(tmp_path: Path) -> Callable[..., Path]:
    """Writes a Liberty of the named cells of INV, NAND, NOR and DFF; the least four that make a library by default."""

    def write(*cells: str, time_unit: str = "1ps") -> Path:
        path = tmp_path / "small library.lib"
        units = f'  time_unit : "{time_unit}";\n  capacitive_load_unit (1, ff);\n'
        head = f"library (small) {{\n  delay_model : table_lookup;\n{units}{_TEMPLATE}"
        path.write_text(head + "".join(CELLS[cell] for cell in cells or CELLS) + "}\n")
        return path

    return write


@pytest.fixture
def left_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], list[str]]]:
    """Puts the jobs' folders below ``tmp_path``; the function gives the commands of the processes that still run there,
    and the folders that are still there."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))

    def find() -> list[str]:
        found = [path.name for path in tmp_path.glob("polymac-synth-*")]
        for process in Path("/proc").glob("[0-9]*"):
            try:
                if (process / "cwd").readlink().is_relative_to(tmp_path):
                    found.append((process / "cmdline").read_text().replace("\0", " "))
            except OSError:  # it has ended meanwhile, or is another user's
                continue
        return found

    yield find
