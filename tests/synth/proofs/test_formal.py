"""Properties are proven, or refuted by a run; every unit with streams keeps their rules, and broken ones do not."""

from __future__ import annotations

import re
from dataclasses import replace
from functools import cache
from typing import Any

import pytest

from polymac import hdl
from polymac.golden.formats import ParameterError
from polymac.synth import SynthesisError
from polymac.synth.proofs.formal import Monitor, Verdict, prove
from polymac.synth.proofs.stream_rules import combinational_paths, prove_streams

#: Up to 5 and then round again; ``up`` counts.
_COUNTER = """module counter(input clk, input rst, input up, input [2:0] step, output [2:0] count);
  reg [2:0] value = 0;
  assign count = value;
  always @(posedge clk) if (rst) value <= 0; else if (up) value <= value == 5 ? 0 : value + 1;
endmodule
"""
#: A stream through one register.
_REGISTER = """module register(input clk, input rst, input [1:0] i_data, input i_valid, output i_ready,
  output [1:0] o_data, output o_valid, input o_ready);
  reg full = 0;
  reg [1:0] data = 0;
  assign i_ready = !full;
  assign o_valid = full;
  assign o_data = data;
  always @(posedge clk) begin
    if (i_valid & i_ready) data <= i_data;
    if (rst) full <= 0; else full <= full ? !o_ready : i_valid;
  end
endmodule
"""
_WIRES = """module wires(input clk, input rst, input [1:0] i_data, input i_valid, output i_ready,
  output [1:0] o_data, output o_valid, input o_ready);
  assign {o_data, o_valid, i_ready} = {i_data, i_valid, o_ready};
endmodule
"""
_ROLES = {"clk": "clock", "rst": "reset"}


def hand_written(verilog: str) -> hdl.Design:
    """A design from Verilog whose header lists every port as ``input [7:0] a``; ``i_valid`` is of a stream ``i``."""
    header = re.search(r"module (\w+)\((.*?)\);", verilog, re.DOTALL)
    assert header is not None
    ports: list[dict[str, Any]] = []
    for direction, most, name in re.findall(r"(input|output) (?:\[(\d+):0\] )?(\w+)", header[2]):
        stream, _, role = name.rpartition("_")
        port = {"name": name, "direction": direction, "width": int(most or 0) + 1, "stream": stream or None}
        ports.append(port | {"role": role if stream else _ROLES.get(name, "data")})
    return hdl.Design(header[1], verilog, {"ports": ports})


@cache
def array(**options: Any) -> hdl.Design:
    given: dict[str, Any] = {"a": "int2", "b": "int2", "rows": 2, "cols": 2}
    return hdl.generate(hdl.Array(**(given | options)), "array")


def edited(design: hdl.Design, pattern: str, replacement: str) -> hdl.Design:
    """A copy in which the one match of a pattern is replaced."""
    text, count = re.subn(pattern, replacement, design.verilog)
    assert count == 1 and text != design.verilog
    return replace(design, verilog=text)


def outcomes(verdicts: list[Verdict]) -> dict[str, bool]:
    return {verdict.claim: verdict.holds for verdict in verdicts}


def test_proofs_by_induction_and_by_an_invariant() -> None:
    monitor = Monitor(
        hand_written(_COUNTER),
        "  reg [2:0] seen = 0;\n  always @(posedge clk) if (count > seen) seen <= count;",
        # The second is no consequence of itself: a count of 6 would make it 7. The last two need no register.
        {"up to 5": "count <= 5", "not 7": "count != 7", "seen": "seen <= 5", "square": "step * step != 5", "one": "1"},
    )
    verdicts = prove(monitor)
    assert [(v.claim, v.holds, v.method, v.depth, v.trace) for v in verdicts] == [
        ("up to 5", True, "induction", None, ()),
        ("not 7", True, "invariant", None, ()),
        ("seen", True, "invariant", None, ()),
        ("square", True, "invariant", None, ()),
        ("one", True, "invariant", None, ()),
    ]
    assert all(verdict.proven for verdict in verdicts)
    assert str(verdicts[0]) == "up to 5: proven (induction)"


def test_a_run_that_fails() -> None:
    """The count is 3 in the fourth cycle at the earliest, and nothing but three times ``up`` gets it there."""
    (verdict,) = prove(Monitor(hand_written(_COUNTER), "", {"below 3": "count < 3"}))
    assert (verdict.holds, verdict.method, verdict.depth, verdict.proven) == (False, "search", 4, False)
    assert [cycle["up"] for cycle in verdict.trace[:3]] == [1, 1, 1]
    assert not any(cycle["rst"] for cycle in verdict.trace[:3])
    assert set(verdict.trace[0]) == {"rst", "up", "step"}
    assert str(verdict) == "below 3: fails in 4 cycles"


def test_what_follows_from_itself_but_is_not_so_at_first() -> None:
    """Each is kept once it holds; the third cycle is the first of which the base of an induction knows nothing."""
    body = "  reg [3:0] late = 1;\n  always @(posedge clk) late <= late << 1;\n"
    verdicts = prove(Monitor(hand_written(_COUNTER), body, {f"{bit}": f"!late[{bit}]" for bit in range(4)}))
    assert [(v.holds, v.depth, len(v.trace)) for v in verdicts] == [(False, n, n) for n in range(1, 5)]


def test_bits_of_a_trace_and_free_choices() -> None:
    """In the cycle that fails, the inputs of several bits are as the property says."""
    text = "!(step == 5 && choice == 6)"
    (verdict,) = prove(Monitor(hand_written(_COUNTER), "", {"neither": text}, {"choice": 3}))
    assert verdict.depth == 1
    assert (verdict.trace[0]["step"], verdict.trace[0]["choice"]) == (5, 6)


def test_a_property_that_is_not_proven_in_time() -> None:
    """Whether a sequence of squares meets a number is not for an invariant to say."""
    body = "  reg [23:0] x = 3;\n  always @(posedge clk) x <= x * x + {up, 3'b0};\n"
    (verdict,) = prove(Monitor(hand_written(_COUNTER), body, {"never": "x != 24'habcde9"}), timeout=2, depth=2)
    assert (verdict.holds, verdict.method, verdict.depth, verdict.proven) == (True, "search", 2, False)
    assert str(verdict) == "never: holds in 2 cycles"


def test_errors_of_proofs() -> None:
    counter = hand_written(_COUNTER)
    for call, message in (
        (lambda: prove(Monitor(counter, "", {})), "properties must be at least one of counter, not none"),
        (lambda: prove(Monitor(counter, "", {"x": "1"}), depth=0), "depth must be at least 1, not 0"),
        (
            lambda: prove(Monitor(counter, "", {"x": "1"}), timeout=0),
            "timeout must be over 0 seconds and finite, not 0",
        ),
        (lambda: prove_streams(counter), "design must have an output stream, not none as counter"),
    ):
        with pytest.raises(ParameterError) as error:
            call()
        assert str(error.value) == message
    with pytest.raises(SynthesisError) as failure:
        prove(Monitor(counter, "", {"x": "absent[1]"}))
    assert re.fullmatch(
        r"properties of counter: monitor\.v:\d+: Identifier `\\absent' is implicitly declared and `default_nettype is set "
        r"to none\.",
        str(failure.value),
    )


def test_a_register_keeps_the_rules() -> None:
    verdicts = prove_streams(hand_written(_REGISTER))
    assert [str(verdict) for verdict in verdicts] == [
        "o_valid stays until o_ready: proven (induction)",
        "payload of o stays until o_ready: proven (induction)",
        "o waits for no ready: proven (structure)",
    ]


def test_wires_keep_the_rules_if_their_inputs_do() -> None:
    wires = hand_written(_WIRES)
    assert not any(verdict.holds for verdict in prove_streams(wires)[:2])
    assert all(verdict.proven for verdict in prove_streams(wires, lawful_inputs=True))


@pytest.mark.parametrize(
    ("pattern", "replacement", "broken"),
    [
        # valid goes away by itself, or with the other side's.
        (r"full \? !o_ready", "full ? 0", "o_valid stays until o_ready"),
        (r"o_valid = full", "o_valid = full & i_valid", "o_valid stays until o_ready"),
        # The next beat overwrites the one that waits.
        (r"i_valid & i_ready", "i_valid", "payload of o stays until o_ready"),
        # valid waits for ready; so does the payload.
        (r"o_valid = full", "o_valid = full & o_ready", "o waits for no ready"),
        (r"o_data = data", "o_data = data & {2{o_ready}}", "o waits for no ready"),
    ],
)
def test_a_broken_register_is_seen(pattern: str, replacement: str, broken: str) -> None:
    found = outcomes(prove_streams(edited(hand_written(_REGISTER), pattern, replacement)))
    assert [name for name, holds in found.items() if not holds][-1] == broken


def test_the_path_from_ready_is_named() -> None:
    (*_, verdict) = prove_streams(edited(hand_written(_REGISTER), "o_valid = full", "o_valid = full & o_ready"))
    assert str(verdict) == "o waits for no ready: fails: o_ready → o_valid"


def test_a_reset_may_end_a_beat_but_what_follows_counts() -> None:
    """Without its reset the register holds the beat on, which no rule forbids; a reset of the payload alone breaks one."""
    held = edited(hand_written(_REGISTER), r"if \(rst\) full <= 0; else ", "")
    assert all(outcomes(prove_streams(held)).values())
    cleared = edited(hand_written(_REGISTER), r"data <= i_data;", "data <= i_data; else if (i_data == 3) data <= 0;")
    assert not outcomes(prove_streams(cleared))["payload of o stays until o_ready"]


@pytest.mark.parametrize("dataflow", ["os", "ws"])
def test_an_array_keeps_the_rules_whatever_its_inputs_do(dataflow: str) -> None:
    verdicts = prove_streams(array(dataflow=dataflow))
    assert len(verdicts) == 3
    assert all(verdict.proven for verdict in verdicts)


def test_paths_end_at_registers_and_not_at_latches() -> None:
    design = hand_written(
        "module paths(input clk, input rst, input a, input b, input c, output x, output y, output z);\n"
        "  reg held = 0, open = 0;\n  always @(posedge clk) held <= a;\n  always @* if (b) open = c;\n"
        "  assign {x, y, z} = {held, open, a ? held : c};\nendmodule\n"
    )
    assert combinational_paths(design) == {"x": frozenset(), "y": {"b", "c"}, "z": {"a", "c"}}


def test_combinational_paths_of_arrays() -> None:
    """Operands that are taken together wait for each other's valid; what is given depends on registers alone."""
    registers = dict.fromkeys(("c_data", "c_last", "c_valid"), frozenset())
    assert combinational_paths(array()) == registers | {
        "a_ready": {"a_last", "b_valid"},
        "b_ready": {"a_last", "a_valid"},
    }
    assert combinational_paths(array(dataflow="ws")) == registers | {
        "a_ready": {"a_add", "p_valid"},
        "b_ready": {"a_add", "a_valid", "p_valid"},
        "p_ready": {"a_add", "a_valid"},
    }


@pytest.mark.parametrize(
    ("pattern", "replacement", "broken"),
    [
        (r"assign c_valid = holds_one", "assign c_valid = a_valid & holds_one", "c_valid stays until c_ready"),
        (r"assign c_data = head", "assign c_data = tail", "payload of c stays until c_ready"),
        (r"assign c_valid = holds_one", "assign c_valid = c_ready & holds_one", "c waits for no ready"),
    ],
)
def test_a_broken_array_is_seen(pattern: str, replacement: str, broken: str) -> None:
    found = outcomes(prove_streams(edited(array(rows=1, cols=1), pattern, replacement)))
    assert not found[broken]


def test_every_unit_with_streams_is_an_array() -> None:
    """A new one must get a proof in this file."""
    options: dict[str, dict[str, Any]] = {
        "Adder": {"a": "int4", "b": "int4", "stages": 1, "valid": True},
        "Array": {"a": "int4", "b": "int4", "rows": 2, "cols": 2},
        "Dot": {"a": "int4", "b": "int4"},
        "Mac": {"a": "int4", "b": "int4"},
        "Multiplier": {"a": "int4", "b": "int4", "stages": 1, "valid": True},
        "Requantizer": {},
    }
    units = {
        name: unit
        for name, unit in vars(hdl).items()
        if isinstance(unit, type) and issubclass(unit, hdl.Unit) and unit is not hdl.Unit
    }
    assert units.keys() == options.keys()
    streams = {name: {port.stream for port in units[name](**given).ports} - {None} for name, given in options.items()}
    assert streams == {name: set() for name in options} | {"Array": {"a", "b", "c"}}


@pytest.mark.slow
@pytest.mark.parametrize("dataflow", ["os", "ws"])
@pytest.mark.parametrize(
    "options",
    [
        {"a": "int8", "b": "int8", "stages": 2},
        {"a": "int8", "b": "int8", "rows": 4, "cols": 4, "lanes": 2},
        {"a": "bin1", "b": "bin1", "lanes": 8, "rows": 3},
        {"a": "fp8_e4m3", "b": "fp8_e4m3", "acc": "exact"},
        {"a": "fp8_e5m2", "b": "fp8_e5m2", "acc": "rounded:fp16", "stages": 3},
        {"a": "fp8_e4m3", "b": "fp8_e4m3", "acc": "aligned:2:13", "lanes": 2},
        {"a": "mxfp4", "b": "mxfp4", "acc": "fp32", "rows": 1},
    ],
    ids=lambda options: "-".join(map(str, options.values())),
)
def test_arrays_of_every_style_keep_the_rules(options: dict[str, Any], dataflow: str) -> None:
    assert all(verdict.proven for verdict in prove_streams(array(**options, dataflow=dataflow)))
