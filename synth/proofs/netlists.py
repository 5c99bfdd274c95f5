"""Whether two netlists of the same ports compute the same, by ABC over time and by Yosys' solver on logic."""

from __future__ import annotations

import re

from ..yosys.netlist import Netlist, run
from ..yosys.prover import STATUS, abc_job
from ..yosys.runner import Job, SynthesisError

SAME, DIFFERENT, UNKNOWN = "equivalent", "different", "unknown"

#: Makes both sides of a comparison one and-inverter graph and merges what is equal; what is left goes to the solver.
_MERGE = ("opt -full", "techmap", "opt -full", "abc -g AND -script +strash;ifraig;dc2;ifraig", "opt -full")
#: The same over time: ABC merges registers that are always equal or constant, asks whether logic alone is left that
#: decides it, and else looks for an invariant by property directed reachability.
_SWEEP = ("opt -full", "techmap", "opt -full", "dffunmap", "aigmap", "opt_clean", "write_aiger -zinit miter.aig")
_SEARCH = "read miter.aig; strash; scorr; dc2; scorr -F 4; dc2; sat; pdr -rmf -T {}; print_status\n"
#: The whole job may take this many times the limit of one question, on a busy machine.
_PATIENCE = 10
#: The cycle in which both differ.
_ASSERTED = re.compile(r"asserted in frame (\d+)")


def compare(gold: Netlist, gate: Netlist, label: str, *, timeout: float = 20.0) -> tuple[str, str]:
    """Whether two netlists have the same outputs for all inputs, in all runs from the initial state.

    Where ABC does not decide that in time, the logic between ports and registers is compared for any content of the
    registers, which both must have by the same names; if that differs, the answer stays open. Unlike :func:`.formal.prove`,
    which looks for an invariant of any property, this merges equal registers of both sides first, and so decides about
    designs that are alike except for a few cells.

    Parameters
    ----------
    gold, gate : Netlist
        What is compared.
    label : str
        The job's name in errors.
    timeout : float
        Seconds that the search for a proof may take.

    Returns
    -------
    verdict : str
        "equivalent", "different" or "unknown".
    method : str
        What gave it; with "different" the inputs at which they are, as hexadecimal codes, or in which cycle from 0 on.
    """
    files = {"gold.json": gold.text("gold"), "gate.json": gate.text("gate")}
    read = ("read_json gold.json", "read_json gate.json", "proc")
    miter = ("miter -equiv -flatten gold gate miter", "hierarchy -top miter")
    limit = max(1, int(timeout))
    clocked = any(cell["type"] == "$dff" for cell in gold.cells.values())
    if clocked:
        log = _log(abc_job(label, (*read, *miter, *_SWEEP), files, _SEARCH.format(limit)), timeout)
        status = STATUS.findall(log)
        if status == ["0"]:
            # If only logic is left, there is one cycle.
            return DIFFERENT, f"ABC, in cycle {(_ASSERTED.findall(log) or [0])[-1]}"
        if status == ["1"]:
            return SAME, "ABC, in all runs"
    cut = ("expose -evert-dff -shared gold gate",) if clocked else ()
    solve = f"sat -prove trigger 0 -timeout {limit} miter"
    log = _log(Job(label, (*read, *cut, *miter, *_MERGE, solve), files), timeout)
    if clocked:
        return SAME if "SUCCESS!" in log else UNKNOWN, "SAT, between registers"
    return _decided(log)


def _log(job: Job, timeout: float) -> str:
    """What Yosys and ABC say; nothing where they come to no end."""
    try:
        return run(job, _PATIENCE * timeout).log
    except SynthesisError:
        return ""


def _decided(log: str) -> tuple[str, str]:
    """The verdict of Yosys' solver on logic without registers."""
    if "SUCCESS!" in log:
        return SAME, "SAT"
    if "model found: FAIL!" not in log:
        return UNKNOWN, "SAT"
    inputs = re.findall(r"^ +\\in_(\S+).*? (\w+) +[01]+$", log, re.MULTILINE)
    return DIFFERENT, f"SAT: {', '.join(f'{name}=0x{code}' for name, code in inputs) or 'any inputs'}"
