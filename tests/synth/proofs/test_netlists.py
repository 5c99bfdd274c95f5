"""Equal netlists: logic and registers written in different ways, and the cycle or the inputs where they differ."""

from __future__ import annotations

import pytest

from polymac.synth.proofs.netlists import DIFFERENT, SAME, UNKNOWN, compare
from polymac.synth.yosys.netlist import Netlist

XOR = "module one (input a, input b, output y);\n  assign y = a ^ b;\nendmodule\n"
SUM_OF_PRODUCTS = "module two (input a, input b, output y);\n  assign y = (a & ~b) | (~a & b);\nendmodule\n"
OR = "module three (input a, input b, output y);\n  assign y = a | b;\nendmodule\n"
TOGGLES = """module four (input clk, input en, output y);
  reg q = 1'd0;
  always @(posedge clk) q <= q ^ en;
  assign y = q;
endmodule
"""
#: The complement of the same state, which starts as 1: no pair of registers is equal.
INVERTED = TOGGLES.replace("four", "five").replace("1'd0", "1'd1").replace("y = q", "y = ~q")
STICKS = TOGGLES.replace("four", "six").replace("q ^ en", "q | en")


@pytest.mark.parametrize(
    ("gold", "gate", "verdict", "method"),
    [
        (XOR, SUM_OF_PRODUCTS, SAME, "SAT"),
        (XOR, OR, DIFFERENT, "SAT: a=0x1, b=0x1"),
        (TOGGLES, INVERTED, SAME, "ABC, in all runs"),
        (TOGGLES, STICKS, DIFFERENT, "ABC, in cycle 2"),
    ],
)
def test_netlists(design, gold, gate, verdict, method):
    one, two = (Netlist.of(design(text.split()[1], text)) for text in (gold, gate))
    assert compare(one, two, "test") == (verdict, method)


def test_no_answer_in_time(design):
    one, two = (Netlist.of(design(text.split()[1], text)) for text in (XOR, SUM_OF_PRODUCTS))
    assert compare(one, two, "test", timeout=1e-3)[0] == UNKNOWN
