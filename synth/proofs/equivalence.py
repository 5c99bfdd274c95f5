"""Proofs for all inputs: designs that are equal, products that are a · b, pipelines that are their combinational unit.

Yosys turns both sides into and-inverter graphs; ABC, which comes with it, proves them equal by finding pairs of inner
nodes that are (``&cec``) or gives inputs at which they differ.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from amaranth.hdl import Shape

from ...golden.formats import ParameterError, check_int
from ..yosys.design import Design, check_design
from ..yosys.prover import abc_job
from ..yosys.runner import Job, Outcome, SynthesisError, Workers

#: Seconds for each question that ABC is asked.
TIMEOUT = 300.0

_EQUAL = re.compile(r"^Networks are equivalent", re.MULTILINE)
_DIFFERENT = re.compile(r"^INPUT: \w+ = \d+'h([0-9A-F]+)", re.MULTILINE)
_GRAPH = ("proc", "flatten", "opt_clean", "techmap", "opt -full", "dffunmap", "aigmap", "opt_clean")
#: Ports of a pipeline that are no operands.
_CONTROL = ("clk", "rst", "en")


@dataclass(frozen=True)
class Proof:
    """The outcome of a proof.

    Attributes
    ----------
    proven : bool
        Whether it holds for all inputs. A proof that does not end in time is a SynthesisError.
    method : str
        How, in words.
    questions : int
        How many questions ABC was asked.
    seconds : float
        Time of all of them, added up.
    counterexample : dict or None
        Input ports and their values for which it does not hold, where ABC gives them.
    """

    proven: bool
    method: str
    questions: int
    seconds: float
    counterexample: dict[str, int] | None = None


def prove_equal(a: Design, b: Design, *, timeout: float = TIMEOUT) -> Proof:
    """Whether two combinational designs of the same ports have the same outputs for all inputs.

    Raises
    ------
    ParameterError
        The names are the same, the ports differ, or there is a clock.
    SynthesisError
        No answer within ``timeout`` seconds.

    Examples
    --------
    >>> units = {name: hdl.Multiplier(a="int4", b="int4", architecture=name) for name in ("tree", "booth")}
    >>> a, b = (hdl.generate(unit, name=name) for name, unit in units.items())
    >>> synth.prove_equal(a, b).proven
    True
    """
    inputs, outputs = _common_ports(a, b)
    for design in (a, b):
        if latency := design.metadata["latency"]:
            raise ParameterError(f"designs must be combinational, not with a latency of {latency} as {design.name}")
    sides = [_side(design, inputs, outputs) for design in (a, b)]
    return _ask([_comparison(f"{a.name} = {b.name}", *sides)], inputs, "equivalence of both graphs", timeout, 1)


def prove_product(design: Design, a: Shape, b: Shape, *, timeout: float = TIMEOUT, jobs: int = 2) -> Proof:
    """Whether ``y`` is the product of ``a`` and ``b``, by induction over the bits of b.

    Proven are a · 0 = 0 and, for each bit j of b and all numbers b below 2**j, that setting the bit adds a · 2**j to y (the
    sign bit: subtracts it). Every b is reached from 0 in this way. Each question is about one addition, whose operands both
    sides compute alike, and is therefore much easier than whether two multipliers are equal.

    Parameters
    ----------
    design : Design
        A combinational design with inputs a and b and an output y as wide as both.
    a, b : Shape
        Width and sign of the operands.
    timeout : float
        Seconds for each question.
    jobs : int
        Questions at a time.

    Raises
    ------
    ParameterError
        A parameter is out of range, or the design has other ports.
    SynthesisError
        No answer to a question within ``timeout`` seconds.

    Examples
    --------
    >>> design = hdl.generate(hdl.Multiplier(a="int4", b="int4"), name="mul4")
    >>> synth.prove_product(design, signed(4), signed(4)).proven
    True
    """
    check_design(design)
    check_int("jobs", jobs, 1)
    found = {port["name"]: port["width"] for port in design.metadata["ports"]}
    wanted = {"a": a.width, "b": b.width, "y": a.width + b.width}
    if found != wanted:
        raise ParameterError(f"ports must be {_listed(wanted)}, not {_listed(found)}")
    steps = [_step(design, a, b, bit) for bit in range(b.width)]
    widths = {"a": a.width, "b": b.width}
    return _ask([_zero(design, a, b), *steps], widths, "induction over the bits of b", timeout, jobs)


def prove_pipeline(pipelined: Design, combinational: Design, *, timeout: float = TIMEOUT) -> Proof:
    """Whether a pipeline gives, ``latency`` enabled cycles later, what its combinational unit gives; from any state.

    Proven are that with en = 0 no register changes, and that for any contents of the registers ``latency`` cycles with
    en = 1 give the combinational result of the inputs of the first, for any inputs of the others. By the first, cycles
    with en = 0 change nothing, so that the second holds for every pattern of stalls. Reset is 0 in both.

    Raises
    ------
    ParameterError
        The ports differ other than by clock, reset and enable, or there is no latency.
    SynthesisError
        No answer within ``timeout`` seconds.

    Examples
    --------
    >>> plain, staged = (hdl.generate(hdl.Multiplier(a="int3", b="int3", stages=n), name=f"mul{n}") for n in (0, 1))
    >>> synth.prove_pipeline(staged, plain).proven
    True
    """
    inputs, outputs = _common_ports(pipelined, combinational)
    latency = pipelined.metadata["latency"]
    if not latency or combinational.metadata["latency"]:
        raise ParameterError(
            f"latencies must be at least 1 and 0, not {latency} and {combinational.metadata['latency']}"
        )
    hold = _hold_job(pipelined, inputs, outputs)
    flow = _flow_job(pipelined, combinational, inputs, outputs, latency)
    method = f"registers hold with en = 0; {latency} cycles from any state"
    held, flowed = _outcomes([hold, flow], timeout, 2)
    seconds = held.seconds + flowed.seconds
    if not _holds(held.reports["hold.json"]):
        return Proof(False, method, 2, seconds)
    return Proof(_verdict(flow, flowed) is None, method, 2, seconds)


def _common_ports(a: Design, b: Design) -> tuple[dict[str, int], dict[str, int]]:
    """The widths of the operands and results that both designs have."""
    for design in (a, b):
        check_design(design)
    if a.name == b.name:
        raise ParameterError(f"designs must have names of their own, not both {a.name}")
    directions = []
    for direction in ("input", "output"):
        mine, other = (
            {
                port["name"]: port["width"]
                for port in design.metadata["ports"]
                if port["direction"] == direction and (not design.metadata["latency"] or port["name"] not in _CONTROL)
            }
            for design in (a, b)
        )
        if mine != other:
            raise ParameterError(
                f"designs must have the same {direction}s, not {_listed(mine)} in {a.name} and {_listed(other)} in {b.name}"
            )
        directions.append(mine)
    return directions[0], directions[1]


def _listed(ports: Mapping[str, int]) -> str:
    return ", ".join(f"{name}[{width}]" for name, width in ports.items()) or "none"


def _slices(ports: Mapping[str, int]) -> dict[str, str]:
    """Where each port lies in one vector of all, the first in the least significant bits."""
    places, low = {}, 0
    for name, width in ports.items():
        places[name] = f"[{low + width - 1}:{low}]"
        low += width
    return places


def _instance(design: Design, pins: Mapping[str, str]) -> str:
    listed = ", ".join(f".{name}({wire})" for name, wire in pins.items())
    return f"  {design.name} u_{design.name}({listed});\n"


def _module(name: str, inputs: int, outputs: int, body: str, clock: str = "") -> str:
    return f"module {name}({clock}input [{inputs - 1}:0] i, output [{outputs - 1}:0] o);\n{body}endmodule\n"


def _side(design: Design, inputs: Mapping[str, int], outputs: Mapping[str, int]) -> str:
    """The design's Verilog in a module ``side``, whose only ports are all inputs and all outputs."""
    pins = {name: f"i{place}" for name, place in _slices(inputs).items()}
    pins |= {name: f"o{place}" for name, place in _slices(outputs).items()}
    body = _instance(design, pins)
    return design.verilog + _module("side", sum(inputs.values()), sum(outputs.values()), body)


def _operand(shape: Shape, value: str) -> str:
    sign = "signed " if shape.signed else ""
    return f"  wire {sign}[{shape.width - 1}:0] a = {value};\n"


def _zero(design: Design, a: Shape, b: Shape) -> Job:
    width = a.width + b.width
    body = _instance(design, {"a": "i", "b": f"{b.width}'d0", "y": "o"})
    left = design.verilog + _module("side", a.width, width, body)
    return _comparison(f"{design.name}: a * 0", left, _module("side", a.width, width, f"  assign o = {width}'d0;\n"))


def _step(design: Design, a: Shape, b: Shape, bit: int) -> Job:
    """y of b with the bit set, and y without it plus or minus a · 2**bit, for all b of lower bits alone."""
    width, below = a.width + b.width, a.width + bit
    lower = [f"i[{below - 1}:{a.width}]"] if bit else []
    above = [f"{b.width - bit - 1}'d0"] if b.width - bit - 1 else []
    high, low = (f"{{{', '.join([*above, value, *lower])}}}" for value in ("1'b1", "1'b0"))
    left = _instance(design, {"a": f"i[{a.width - 1}:0]", "b": high, "y": "o"})
    sign = "-" if b.signed and bit == b.width - 1 else "+"
    right = f"  wire [{width - 1}:0] y;\n" + _operand(a, f"i[{a.width - 1}:0]")
    right += f"  wire {'signed ' if a.signed else ''}[{width - 1}:0] wide = a;\n"
    right += _instance(design, {"a": f"i[{a.width - 1}:0]", "b": low, "y": "y"})
    right += f"  assign o = y {sign} (wide << {bit});\n"
    sides = (design.verilog + _module("side", below, width, body) for body in (left, right))
    return _comparison(f"{design.name}: bit {bit} of b", *sides)


def _comparison(label: str, left: str, right: str) -> Job:
    """The job that asks whether the modules ``side`` of two texts are equal."""
    commands: list[str] = []
    for name in ("left", "right"):
        graph = (f"read_verilog {name}.v", "hierarchy -check -top side", *_GRAPH, f"write_aiger -zinit {name}.aig")
        commands += [*graph, "design -reset"]
    files = {"left.v": left, "right.v": right}
    return abc_job(f"proof of {label}", commands, files, "&cec left.aig right.aig\n")


def _pipeline_pins(pipelined: Design, inputs: Mapping[str, int], outputs: Mapping[str, int], en: int) -> dict[str, str]:
    pins = {"clk": "clk", "rst": "1'b0", "en": f"1'b{en}"}
    pins |= {name: f"i{place}" for name, place in _slices(inputs).items()}
    return pins | {name: f"y{place}" for name, place in _slices(outputs).items()}


def _hold_job(pipelined: Design, inputs: Mapping[str, int], outputs: Mapping[str, int]) -> Job:
    """The pipeline's netlist with reset and enable at 0."""
    bits = sum(outputs.values())
    body = f"  wire [{bits - 1}:0] y;\n  assign o = y;\n"
    body += _instance(pipelined, _pipeline_pins(pipelined, inputs, outputs, 0))
    text = pipelined.verilog + _module("hold", sum(inputs.values()), bits, body, "input clk, ")
    # Not opt_dff: it removes registers that keep their initial value, whether they hold any other or not.
    commands = ("read_verilog hold.v", "hierarchy -check -top hold", "proc -noopt", "flatten", "simplemap")
    commands += ("dffunmap", "opt_expr", "clean", "write_json hold.json")
    return Job(f"proof of {pipelined.name}: hold", commands, {"hold.v": text})


def _holds(netlist: Mapping[str, Any]) -> bool:
    """Whether there are registers, and each of them is fed by itself."""
    cells = netlist["modules"]["hold"]["cells"].values()
    registers = [cell for cell in cells if "Q" in cell["connections"]]
    return bool(registers) and all(
        cell["type"] == "$_DFF_P_" and cell["connections"]["D"] == cell["connections"]["Q"] for cell in registers
    )


def _flow_job(
    pipelined: Design, combinational: Design, inputs: Mapping[str, int], outputs: Mapping[str, int], latency: int
) -> Job:
    """Whether the pipeline and the combinational unit behind as many registers differ in cycle ``latency``, counted
    from 0 and from any state."""
    taken, bits = sum(inputs.values()), sum(outputs.values())
    body = f"  wire [{bits - 1}:0] y, z;\n" + _instance(pipelined, _pipeline_pins(pipelined, inputs, outputs, 1))
    body += f"  reg [{taken * latency - 1}:0] delay = 0;\n"
    later = f"{{delay[{taken * (latency - 1) - 1}:0], i}}" if latency > 1 else "i"
    body += f"  always @(posedge clk) delay <= {later};\n"
    body += f"  wire [{taken - 1}:0] first = delay[{taken * latency - 1}:{taken * (latency - 1)}];\n"
    pins = {name: f"first{place}" for name, place in _slices(inputs).items()}
    pins |= {name: f"z{place}" for name, place in _slices(outputs).items()}
    body += _instance(combinational, pins) + "  assign o = y != z;\n"
    text = pipelined.verilog + combinational.verilog + _module("flow", taken, 1, body, "input clk, ")
    graph = ("read_verilog flow.v", "hierarchy -check -top flow", *_GRAPH, "write_aiger -zinit flow.aig")
    # Without -i the first frame's registers hold anything; `comb` makes them inputs. One output: -m wants a single one.
    script = f"read flow.aig; frames -F {latency + 1}; comb; cone -O {latency} -R 1; strash; &get; &cec -m\n"
    return abc_job(f"proof of {pipelined.name}: flow", graph, {"flow.v": text}, script)


def _outcomes(jobs: Sequence[Job], timeout: float, workers: int) -> list[Outcome]:
    outcomes = []
    for outcome in Workers(workers, timeout).run(jobs):
        if isinstance(outcome, SynthesisError):
            raise outcome
        outcomes.append(outcome)
    return outcomes


def _ask(jobs: Sequence[Job], inputs: Mapping[str, int], method: str, timeout: float, workers: int) -> Proof:
    outcomes = _outcomes(jobs, timeout, workers)
    seconds = round(sum(outcome.seconds for outcome in outcomes), 3)
    for job, outcome in zip(jobs, outcomes, strict=True):
        if (code := _verdict(job, outcome)) is not None:
            values, low = {}, 0
            for name, width in inputs.items():
                values[name] = code >> low & ((1 << width) - 1)
                low += width
            return Proof(False, method, len(jobs), seconds, values)
    return Proof(True, method, len(jobs), seconds)


def _verdict(job: Job, outcome: Outcome) -> int | None:
    """None where ABC finds both equal, else the inputs at which they differ.

    Raises
    ------
    SynthesisError
        ABC gave neither answer.
    """
    if different := _DIFFERENT.search(outcome.log):
        return int(different[1], 16)
    if _EQUAL.search(outcome.log):
        return None
    raise SynthesisError(f"{job.label}: ABC gave no answer")
