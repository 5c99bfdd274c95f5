"""Mutations of netlists, and the proofs which of them are faults."""

from __future__ import annotations

import pytest

from polymac.golden.formats import ParameterError
from polymac.synth.faults.seeded import break_design, classify, faults_of, sample
from polymac.synth.proofs.netlists import DIFFERENT, SAME, UNKNOWN
from polymac.synth.yosys.netlist import Netlist

MAJORITY = """module votes (input [2:0] a, output y, output [3:0] sum);
  wire both = a[0] & a[1];
  wire one = a[0] ^ a[1];
  assign y = both | (one & a[2]);
  assign sum = {1'b0, a} + 4'd5;
endmodule
"""

COUNTER = """module counter (input clk, input rst, input en, output [1:0] y);
  reg [1:0] count = 2'd0;
  wire [1:0] following = en ? count + 2'd1 : count;
  always @(posedge clk)
    if (rst) count <= 2'd0; else count <= following;
  assign y = count;
endmodule
"""

#: What is held is not seen before it is written; no number of cycles bounds how long that takes.
HELD = """module held (input clk, input rst, input en, input show, input a, output y, output z);
  reg full = 1'd0;
  reg value = 1'd0;
  wire following = en ? a : value;
  always @(posedge clk)
    if (rst) full <= 1'd0; else full <= full | en;
  always @(posedge clk)
    if (rst) value <= 1'd0; else value <= following;
  assign y = full & (show & value);
  assign z = a & show;
endmodule
"""


def named(faults, change, verilog):
    """The only fault of that change in that line."""
    (fault,) = (fault for fault in faults if fault.change == change and verilog in fault.verilog)
    return fault


@pytest.fixture
def votes(design):
    made = design("votes", MAJORITY)
    netlist = Netlist.of(made)
    return netlist, faults_of(made, netlist)


@pytest.fixture
def counter(design):
    made = design("counter", COUNTER)
    netlist = Netlist.of(made)
    return netlist, faults_of(made, netlist)


def test_faults_are_described_by_the_line_of_verilog(votes):
    _, faults = votes
    fault = named(faults, "or in place of and", "wire both")
    assert str(fault) == "line 2: wire both = a[0] & a[1] [or in place of and]"
    assert {fault.kind for fault in faults} == {
        *("operation", "bit lost", "bit set", "constant", "carry", "inversion", "sign", "exchange")
    }


def test_no_fault_is_one_that_nothing_could_show(votes):
    _, faults = votes
    # The least set bit of the constant is bit 0; there is a carry into each bit above.
    assert sorted(f.change for f in faults if f.kind == "carry") == [f"no carry into bit {bit}" for bit in (1, 2, 3)]


@pytest.mark.parametrize(
    ("change", "verilog", "verdict", "method"),
    [
        ("xor in place of or", "y =", SAME, "SAT"),
        ("or in place of xor", "wire one", SAME, "SAT"),
        ("and in place of or", "y =", DIFFERENT, "SAT: a=0x"),
        ("no carry into bit 1", "sum =", DIFFERENT, "SAT: a=0x"),
        ("constant B is 4 in place of 5", "sum =", DIFFERENT, "SAT: any inputs"),
        ("operands are signed", "sum =", SAME, "SAT"),
    ],
)
def test_proofs_of_logic(votes, change, verilog, verdict, method):
    netlist, faults = votes
    found = classify(netlist, named(faults, change, verilog))
    assert found[0] == verdict
    assert found[1].startswith(method)


def test_proofs_over_time(counter):
    netlist, faults = counter
    late = named(faults, "is a cycle late", "count")
    assert classify(netlist, late) == (DIFFERENT, "ABC, in cycle 1")
    inverted = named(faults, "select is inverted", "following =")
    assert classify(netlist, inverted)[0] == DIFFERENT


def test_what_a_reset_does_counts_or_not(counter):
    netlist, faults = counter
    never = named(faults, "select is always 0", "if (rst)")
    assert classify(netlist, never) == (DIFFERENT, "ABC, in cycle 1")
    assert classify(netlist, never, reset=False) == (SAME, "ABC, in all runs")


def test_outputs_count_only_where_they_are_valid(design):
    text = """module valid (input clk, input rst, input v, input a, output y, output y_valid);
  reg held = 1'd0;
  reg full = 1'd0;
  always @(posedge clk)
    if (rst) held <= 1'd0; else held <= a;
  always @(posedge clk)
    if (rst) full <= 1'd0; else full <= v;
  assign y = held;
  assign y_valid = full;
endmodule
"""
    made = design("valid", text)
    netlist = Netlist.of(made)
    faults = faults_of(made, netlist)
    left = named(faults, "constant B is 1 in place of 0", "held <=")
    assert classify(netlist, left) == (DIFFERENT, "ABC, in cycle 1")
    assert classify(netlist.masked("y_valid"), left) == (SAME, "ABC, in all runs")
    lost = named(faults, "constant B is 1 in place of 0", "full <=")
    assert classify(netlist.masked("y_valid"), lost) == (DIFFERENT, "ABC, in cycle 1")
    late = named(faults, "is a cycle late", "held <=")
    assert classify(netlist.masked("y_valid"), late)[0] == DIFFERENT


def test_proofs_of_what_is_never_seen(design):
    made = design("held", HELD)
    netlist = Netlist.of(made)
    faults = faults_of(made, netlist)
    hidden = named(faults, "constant B is 1 in place of 0", "value <=")
    assert classify(netlist, hidden) == (SAME, "ABC, in all runs")
    seen = named(faults, "select is always 1", "following =")
    assert classify(netlist, seen) == (DIFFERENT, "ABC, in cycle 2")
    assert classify(netlist, named(faults, "or in place of and", "z =")) == (DIFFERENT, "ABC, in cycle 0")


def test_a_proof_that_does_not_end_proves_nothing(votes):
    netlist, faults = votes
    assert classify(netlist, named(faults, "xor in place of or", "y ="), timeout=1e-3)[0] == UNKNOWN


def test_a_broken_design_has_one_input_more_and_the_faults_asked_for(design, votes):
    netlist, faults = votes
    made = design("votes", MAJORITY)
    made.metadata["ports"] = []
    before = netlist.text("votes")
    broken = break_design(made, netlist, faults[:5])
    assert netlist.text("votes") == before
    assert broken.metadata["latency"] == 0
    assert [port["name"] for port in broken.metadata["ports"]] == ["fault"]
    assert broken.metadata["ports"][0]["width"] == 3
    assert "input [2:0] fault;" in broken.verilog
    assert broken.verilog.count("fault ==") == 5
    assert made.metadata["ports"] == []


def test_samples_are_the_same_for_a_seed_and_of_every_kind(votes):
    _, faults = votes
    kinds = {fault.kind for fault in faults}
    chosen = sample(faults, len(kinds), 3)
    assert {fault.kind for fault in chosen} == kinds
    assert chosen == sample(faults, len(kinds), 3) != sample(faults, len(kinds), 4)
    assert sorted(map(str, sample(faults, 10_000, 3))) == sorted(map(str, faults))
    with pytest.raises(ParameterError, match=r"^count must be at least 1, not 0$"):
        sample(faults, 0, 3)
