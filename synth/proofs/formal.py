"""Properties that hold in every clock cycle: a design beside a monitor that watches its ports, and the proof by ABC.

Yosys turns both into one and-inverter graph with registers. ABC first tries whether the property follows from itself one
cycle before (``bmc3`` for the base, ``ind`` for the step), then looks for an invariant that implies it (``pdr``, property
directed reachability, which checks the invariant that it found once more). Either holds for every number of cycles. Where
none is found in time, all runs of a number of cycles are searched (``bmc3``).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ...golden.formats import ParameterError, check_int
from ..yosys.design import Design, check_design
from ..yosys.prover import STATUS, abc_job
from ..yosys.runner import Job, Outcome, SynthesisError, Workers

#: Seconds for each attempt at a property.
TIMEOUT = 300.0
#: Cycles that are searched where there is no proof.
DEPTH = 40

_GRAPH = ("proc -norom", "flatten", "opt_clean", "techmap", "opt -full", "dffunmap", "aigmap", "opt_clean")
_MARK, _STEP_MARK = "of property", "step and what follows"
#: Cycles of the base of an induction, and of its step, the one before included.
_INDUCTION = 2
_STEP = re.compile(r"^Networks are equivalent", re.MULTILINE)
_SEARCHED = re.compile(r"^No output asserted in (\d+) frames", re.MULTILINE)
_SECONDS = re.compile(r"^(?:Networks |Property |Output |No output ).*Time = +([\d.]+) sec", re.MULTILINE)
#: A bit of a port in a run that fails, as ABC lists it: ``a_data[2]@7=1``.
_BIT = re.compile(r"^(\w+)(?:\[(\d+)\])?@(\d+)=([01])$", re.MULTILINE)


@dataclass(frozen=True)
class Monitor:
    """A design, and the properties that are watched.

    Parameters
    ----------
    design : Design
        With a clock and a synchronous reset, or neither.
    body : str
        Verilog that sees all ports of the design by their names, each of its registers with an initial value.
    properties : mapping of str to str
        Names, and expressions that are to be 1 in every cycle.
    free : mapping of str to int
        Names and widths of further inputs, on which the design does not depend: choices that the proof makes for all.
    """

    design: Design
    body: str
    properties: Mapping[str, str]
    free: Mapping[str, int] = field(default_factory=dict)

    @property
    def inputs(self) -> dict[str, int]:
        """Widths of all inputs but the clock."""
        ports = self.design.metadata["ports"]
        return {
            port["name"]: port["width"] for port in ports if port["direction"] == "input" and port["role"] != "clock"
        } | dict(self.free)

    @property
    def verilog(self) -> str:
        """The design, and a module ``monitor`` with one output for each property, which is 1 where it does not hold."""
        ports = self.design.metadata["ports"]
        inputs = "".join(f", input wire {_range(width)}{name}" for name, width in self.inputs.items())
        outputs = "".join(f", output wire fails_{index}" for index in range(len(self.properties)))
        lines = [f"module monitor(input wire clk{inputs}{outputs});"]
        lines += [f"  wire {_range(port['width'])}{port['name']};" for port in ports if port["direction"] == "output"]
        pins = ", ".join(f".{port['name']}({port['name']})" for port in ports)
        lines += [f"  {self.design.name} dut({pins});", self.body]
        lines += [f"  assign fails_{index} = !({holds});" for index, holds in enumerate(self.properties.values())]
        # A name that does not exist would be a wire that may have any value.
        return f"{self.design.verilog}`default_nettype none\n" + "\n".join(lines) + "\nendmodule\n"


@dataclass(frozen=True)
class Verdict:
    """What is known of one property.

    Attributes
    ----------
    claim : str
        The property's name.
    holds : bool
        Whether it does.
    method : str
        "induction", "invariant", "search" or "structure".
    depth : int or None
        None: the verdict is for every cycle of every run, or follows from the design's structure. Else the property holds
        in the first ``depth`` cycles, and nothing is known of later ones; or it fails in the last of ``depth`` cycles.
    seconds : float
        Time of the proof itself.
    trace : tuple of dict
        Where it fails: the inputs from the first cycle to the one in which it does not hold.
    reason : str
        Further explanation, where there is any.
    """

    claim: str
    holds: bool
    method: str
    depth: int | None
    seconds: float
    trace: tuple[dict[str, int], ...] = ()
    reason: str = ""

    @property
    def proven(self) -> bool:
        """Whether it holds in every cycle of every run."""
        return self.holds and self.depth is None

    def __str__(self) -> str:
        if self.proven:
            return f"{self.claim}: proven ({self.method})"
        cycles = "" if self.depth is None else f" in {self.depth} cycles"
        return f"{self.claim}: {'holds' if self.holds else 'fails'}{cycles}{f': {self.reason}' if self.reason else ''}"


def prove(
    monitors: Monitor | Sequence[Monitor], *, timeout: float = TIMEOUT, depth: int = DEPTH, jobs: int = 1
) -> list[Verdict]:
    """Whether the properties of monitors hold from the initial state, for all inputs in all cycles, resets included.

    Parameters
    ----------
    monitors : Monitor, or sequence of Monitor
        What is to be proven.
    timeout : float
        Seconds for each of the attempts at one property.
    depth : int
        Cycles of that search.
    jobs : int
        Monitors at a time.

    Raises
    ------
    ParameterError
        A parameter is out of range, or Yosys is the WebAssembly build.
    SynthesisError
        Yosys does not read the Verilog, or ABC gave no answer.
    """
    given = [monitors] if isinstance(monitors, Monitor) else list(monitors)
    check_int("depth", depth, 1)
    questions = sum(len(monitor.properties) for monitor in given)
    workers = Workers(jobs, timeout)
    # The process's limit is for the worst case; ABC keeps each question's limit itself.
    workers.timeout = 4 * questions * timeout + 60
    verdicts = []
    for monitor, outcome in zip(given, workers.run([_job(m, timeout, depth) for m in given]), strict=True):
        if isinstance(outcome, SynthesisError):
            raise outcome
        verdicts += _verdicts(monitor, outcome)
    return verdicts


def _range(width: int) -> str:
    return f"[{width - 1}:0] " if width > 1 else ""


def _job(monitor: Monitor, timeout: float, depth: int) -> Job:
    check_design(monitor.design)
    if not monitor.properties:
        raise ParameterError(f"properties must be at least one of {monitor.design.name}, not none")
    graph = (
        "read_verilog monitor.v",
        "hierarchy -check -top monitor",
        *_GRAPH,
        "write_aiger -zinit -symbols model.aig",
    )
    limit = max(1, round(timeout))
    # Where the base fails, what follows does not matter. ``sat`` decides outputs that are 0 for all inputs, and changes
    # nothing else.
    script = "".join(
        f"echo {_MARK} {index}; read model.aig; cone -O {index} -R 1; scleanup; "
        f"bmc3 -F {_INDUCTION} -T {limit}; print_status; write_cex -n /dev/stdout; echo {_STEP_MARK}; "
        f"ind -F {_INDUCTION} -T {limit}; pdr -r -T {limit}; bmc3 -F {depth} -T {limit}; sat -C 1000; "
        f"print_status; write_cex -n /dev/stdout\n"
        for index in range(len(monitor.properties))
    )
    label = f"properties of {monitor.design.name}"
    return abc_job(label, graph, {"monitor.v": monitor.verilog}, script)


def _verdicts(monitor: Monitor, outcome: Outcome) -> Iterator[Verdict]:
    # ABC shows its script once before it runs it.
    answers = re.split(rf"^{_MARK} \d+ *$", outcome.log, flags=re.MULTILINE)[1:]
    for name, answer in zip(monitor.properties, answers, strict=True):
        seconds = round(sum(map(float, _SECONDS.findall(answer))), 3)
        base, _, rest = answer.partition(_STEP_MARK)
        failing = next((part for part in (base, rest) if STATUS.findall(part) == ["0"]), None)
        # Nothing fails in this many cycles; the last search goes furthest.
        searched = [int(cycles) for cycles in _SEARCHED.findall(answer)]
        if failing is not None:
            trace = _trace(monitor, failing)
            yield Verdict(name, False, "search", len(trace), seconds, trace)
        elif STATUS.findall(rest) == ["1"] and not _STEP.search(rest):
            yield Verdict(name, True, "invariant", None, seconds)
        elif _STEP.search(rest) and searched[:1] == [_INDUCTION]:
            yield Verdict(name, True, "induction", None, seconds)
        elif searched:
            yield Verdict(name, True, "search", max(searched), seconds)
        else:
            raise SynthesisError(f"{monitor.design.name}: {name}: ABC gave no answer")


def _trace(monitor: Monitor, answer: str) -> tuple[dict[str, int], ...]:
    """The inputs of a run that fails, cycle by cycle."""
    inputs = monitor.inputs
    cycles: list[dict[str, Any]] = []
    for name, bit, cycle, value in _BIT.findall(answer):
        if name in inputs:
            while len(cycles) <= int(cycle):
                cycles.append(dict.fromkeys(inputs, 0))
            cycles[int(cycle)][name] |= int(value) << int(bit or 0)
    return tuple(cycles)
