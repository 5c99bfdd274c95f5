"""`make faults`: generated Verilog broken in hundreds of ways, each of which the regression has to notice.

For every unit: a sample of faults (see :mod:`polymac.synth.faults`), each simulated with the stimulus that `polymac verify`
uses until a result differs from the golden model. What goes unnoticed is proven to be no fault, by having tried every
operand or by SAT; or it is a survivor, which is named, and the exit status is 1.
"""

from __future__ import annotations

import argparse
import itertools
import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np

from polymac import hdl, sim
from polymac.cli.output import Report, json_text, print_table, progress
from polymac.sim.campaigns import regression
from polymac.sim.units import entry_of
from polymac.synth.faults import seeded
from polymac.synth.proofs import netlists
from polymac.synth.yosys.netlist import Netlist

#: Units by name; what they are made of stands in no module, so that a broken generator is not asked.
UNITS: dict[str, Callable[[], hdl.Unit]] = {
    "int8": lambda: hdl.Multiplier(a="int8", b="int8"),
    "int8_booth": lambda: hdl.Multiplier(a="int8", b="int8", architecture="booth"),
    "int8_tree": lambda: hdl.Multiplier(a="int8", b="int8", architecture="tree"),
    "int8_rows": lambda: hdl.Multiplier(a="int8", b="int8", architecture="row_adders"),
    "int8_baugh_wooley": lambda: hdl.Multiplier(a="int8", b="int8", architecture="baugh_wooley"),
    "fixed": lambda: hdl.Multiplier(a="uq1.3", b="q2.6", out="q2.4", overflow="saturate"),
    "fp8_e4m3": lambda: hdl.Multiplier(a="fp8_e4m3", b="fp8_e4m3"),
    "fp8_e5m2_port": lambda: hdl.Multiplier(a="fp8_e5m2", b="fp8_e5m2", rounding="port"),
    "fp16": lambda: hdl.Multiplier(a="fp16", b="fp16"),
    "bf16_flush": lambda: hdl.Multiplier(a="bf16", b="bf16", subnormals="flush"),
    "fp16_to_fp8": lambda: hdl.Multiplier(a="fp16", b="fp16", out="fp8_e5m2"),
    "fp8_e4m3_stages": lambda: hdl.Multiplier(a="fp8_e4m3", b="fp8_e4m3", stages=2),
    "fp16_stages": lambda: hdl.Multiplier(a="fp16", b="fp16", stages=3),
    "fp8_e5m2_valid": lambda: hdl.Multiplier(a="fp8_e5m2", b="fp8_e5m2", stages=3, valid=True),
    "adder_fixed": lambda: hdl.Adder(a="q2.6", b="int8", out="q6.2", rounding="rna"),
    "adder_fp8_e4m3": lambda: hdl.Adder(a="fp8_e4m3"),
    "adder_fp16": lambda: hdl.Adder(a="fp16", rounding="port", stages=2),
    "adder_mixed": lambda: hdl.Adder(a="bf16", b="fp8_e5m2", out="fp16", subnormals="flush"),
    "dot": lambda: hdl.Dot(a="int4", b="int4", lanes=4, acc="int9", overflow="saturate"),
    "dot_aligned": lambda: hdl.Dot(a="fp8_e4m3", b="fp8_e4m3", lanes=4, acc="aligned:4:13"),
    "mac": lambda: hdl.Mac(a="int8", b="int8", acc="int18", overflow="saturate", stages=1),
    "mac_rounded": lambda: hdl.Mac(a="fp8_e4m3", b="fp8_e4m3", acc="rounded:fp16"),
    "mac_interleaved": lambda: hdl.Mac(a="fp8_e5m2", b="fp8_e5m2", acc="rounded:fp16", stages=1, interleave=3),
    "mac_exact": lambda: hdl.Mac(a="fp4_e2m1", b="fp4_e2m1", acc="exact", out="fp8_e4m3", max_k=16),
    "array": lambda: hdl.Array(a="int4", b="int4", rows=3, cols=2, acc="int8", overflow="saturate", stages=1),
    "array_ws": lambda: hdl.Array(a="int4", b="int4", rows=3, cols=2, acc="int8", dataflow="ws"),
}
#: Seconds for the proof that a mutation is no fault: at first, and where it is still undecided at the end.
QUICK, THOROUGH = 10.0, 300.0


@dataclass
class Result:
    """What became of a unit's faults: by kind how many there are and how many were noticed, and the others in words."""

    unit: str
    command: str
    sites: int
    faults: int
    killed: int = 0
    kinds: dict[str, list[int]] = field(default_factory=dict)
    equivalent: list[str] = field(default_factory=list)
    survivors: list[str] = field(default_factory=list)
    seconds: float = 0.0


def noticed(trace: regression.Trace, model: sim.Model, fault: int) -> bool:
    """Whether the design with a fault gives other results than the golden model."""
    return trace.differs(model, {seeded.PORT: np.full(trace.length, fault, np.uint16)})


def run(name: str, count: int, seed: int, report: Report | None = None) -> Result:
    """Break a unit ``count`` times and see what is noticed.

    Raises
    ------
    AssertionError
        The sound design differs from the golden model.
    """
    started = time.perf_counter()
    unit = UNITS[name]()
    design = hdl.generate(unit, name)
    netlist = Netlist.of(design)
    every = seeded.faults_of(design, netlist)
    faults = seeded.sample(every, count, seed)
    model = sim.Model.build(seeded.break_design(design, netlist, faults))
    result = Result(name, design.metadata["command"], len(every), len(faults))
    alive = set(range(1, len(faults) + 1))
    verdicts: dict[int, tuple[str, str]] = {}
    done = 0
    reset = not unit.clocked or entry_of(unit).resets_show(unit)
    # Results that are not valid mean nothing.
    shown = netlist.masked("y_valid") if isinstance(unit, hdl.Multiplier) and unit.with_valid else netlist
    for trace in regression.traces(unit, model, seed):
        assert not noticed(trace, model, 0), f"{name} must equal the golden model without a fault"
        for fault in sorted(alive):
            if noticed(trace, model, fault):
                alive.remove(fault)
            elif fault not in verdicts:  # most that the first trace does not show are no faults
                verdicts[fault] = seeded.classify(shown, faults[fault - 1], reset=reset, timeout=QUICK)
                alive -= {fault} if verdicts[fault][0] == netlists.SAME else set()
            done += fault not in alive
            if report is not None:
                report(done, len(faults), name)
    for fault in sorted(alive):
        if verdicts[fault][0] == netlists.UNKNOWN:
            verdicts[fault] = seeded.classify(shown, faults[fault - 1], reset=reset, timeout=THOROUGH)
    kinds = {kind: [total, 0, 0] for kind, total in sorted(Counter(fault.kind for fault in faults).items())}
    for number, fault in enumerate(faults, 1):
        verdict, how = verdicts.get(number, ("", ""))
        if verdict == netlists.SAME:
            result.equivalent.append(f"{fault} ({how})")
        elif number in alive:
            result.survivors.append(f"{fault} ({verdict}, {how})")
        kinds[fault.kind][1] += verdict != netlists.SAME and number not in alive
        kinds[fault.kind][2] += verdict == netlists.SAME
    result.kinds = kinds
    result.killed = sum(killed for _, killed, _ in kinds.values())
    result.seconds = round(time.perf_counter() - started, 1)
    return result


def main() -> int:
    """Break the units asked for, print a table of what was noticed, and name the survivors."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--unit", choices=[*UNITS, "all"], default="all")
    parser.add_argument("--count", type=int, default=300, help="faults per unit")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument(
        "--json", type=Path, metavar="FILE", help="the results, every fault that went unnoticed in words"
    )
    arguments = parser.parse_args()
    names = list(UNITS) if arguments.unit == "all" else [arguments.unit]
    results = []
    for name in names:
        with progress(name) as report:
            results.append(run(name, arguments.count, arguments.seed, report))
    rows = [_row(r.unit, [r.faults, r.killed, len(r.equivalent)], r.seconds) for r in results]
    totals = [sum(column) for column in zip(*([r.faults, r.killed, len(r.equivalent)] for r in results), strict=True)]
    columns = ("unit", "faults", "killed", "equivalent", "survivors", "kill rate", "s")
    print_table("", columns, [*rows, _row("all", totals, sum(r.seconds for r in results))], left=("unit",))
    for text in itertools.chain.from_iterable((f"{r.unit}: {text}" for text in r.survivors) for r in results):
        print(text)
    if arguments.json:
        arguments.json.write_text(json_text([asdict(result) for result in results]), encoding="utf-8")
    return any(result.survivors for result in results)


def _row(name: str, counts: list[int], seconds: float) -> tuple[str, ...]:
    faults, killed, same = counts
    rate = f"{killed / (faults - same):.1%}" if faults > same else "–"
    return (name, str(faults), str(killed), str(same), str(faults - killed - same), rate, f"{seconds:.1f}")


if __name__ == "__main__":
    sys.exit(main())
