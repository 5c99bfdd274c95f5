"""Verification of a unit: its generated Verilog in a simulator, bit for bit against the golden model."""

from __future__ import annotations

import pickle
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ... import hdl
from ...golden.formats import ParameterError, check_int
from ..engine import cocotb_run
from ..engine.mismatch import SHOWN, ports_text, results_text
from ..engine.native import Model
from ..engine.packing import byte_rows, packed_bytes
from ..engine.simulators import find
from ..units import UNITS, entry_of
from ..units.entry import UnitEntry
from ..units.job import BenchResult, Job
from ..units.operands import operand_bits, operand_names, ports_of

Progress = Callable[[int, int], None]

#: Operands of at most this many bits together are checked exhaustively, unless a number of vectors is given.
EXHAUSTIVE_BITS = 20
#: The most that ``exhaustive`` is meant for: 2^36 pairs take the better part of an hour.
MOST_EXHAUSTIVE_BITS = 36
DEFAULT_VECTORS = 1_000_000
#: cocotb runs some ten thousand cycles a second.
DEFAULT_CYCLES = 6_000


@dataclass(frozen=True)
class Verification:
    """What was checked, and the outcome.

    Attributes
    ----------
    passed : bool
        Whether there is no mismatch.
    checked : int
        Results, or for an array clock cycles, that were compared.
    mismatches : int
        How many of them differ; 1 where a cocotb bench ended without comparing.
    coverage : str
        What was checked: which operands, how many, from which seed.
    seed, seconds, simulator
        The seed, the time it took, the simulator with its version.
    cycles : int or None
        Simulated clock cycles, where there is a clock.
    details : list of str
        The first mismatches: operands and both results, as codes and values, under cocotb with the clock cycle.
    reproduce : str
        The command that repeats the run.
    log, junit, waves : Path or None
        Files that a cocotb bench left.
    """

    passed: bool
    checked: int
    mismatches: int
    coverage: str
    seed: int
    seconds: float
    simulator: str
    cycles: int | None = None
    details: list[str] = field(default_factory=list)
    reproduce: str = ""
    log: Path | None = None
    junit: Path | None = None
    waves: Path | None = None


def verify(
    unit: hdl.Unit,
    *,
    vectors: int | None = None,
    seed: int = 1,
    exhaustive: bool = False,
    simulator: str | None = None,
    waves: bool = False,
    folder: Path | str = Path("build/verify"),
    progress: Progress | None = None,
    limit: float | None = None,
    design: hdl.Design | None = None,
) -> Verification:
    """Simulate a unit and compare it with the golden model.

    Units with a golden reference run in the native batch simulator: with all operands where the unit's entry in
    :data:`polymac.sim.UNITS` has them and they total at most ``EXHAUSTIVE_BITS`` bits, else with seeded random ones biased
    to corner values. With ``simulator`` or ``waves`` they, and arrays always, run under cocotb with random stalls, every
    cycle compared.

    Parameters
    ----------
    unit : Unit
        Made by :class:`hdl.Multiplier` and so on.
    vectors : int, optional
        Operand sets, or cycles under cocotb. Default: fewer the more products a unit forms.
    seed : int
        Of operands, stalls and tile sizes.
    exhaustive : bool
        Simulate all operands, however many (units whose entry has ``all_inputs``).
    simulator : str, optional
        "icarus" or "verilator": run under cocotb there.
    waves : bool
        Record waves (cocotb).
    folder : Path
        Where logs, JUnit results and waves go: for each run under cocotb into a folder of its own there.
    progress : callable, optional
        Called with what is done and what there is to do: operand sets, or clock cycles under cocotb.
    limit : float, optional
        Seconds that a simulation under cocotb may take; by default as its cycles and its products need.
    design : Design, optional
        What to simulate instead of the unit's own Verilog: to see a check fail on a broken copy.

    Raises
    ------
    TypeError, ParameterError
        An option that has no meaning for the unit, or no simulator.
    SimulationError
        The simulator fails, or exceeds the limit.

    Examples
    --------
    >>> result = sim.verify(hdl.Multiplier(a="fp4_e2m1", b="fp4_e2m1"))
    >>> result.passed, result.coverage
    (True, 'all 256 pairs')
    """
    started = time.perf_counter()
    check_int("seed", seed, 0)
    if vectors is not None:
        check_int("vectors", vectors, 1)
    if exhaustive and vectors is not None:
        raise ParameterError(f"vectors must be left out with exhaustive, not {vectors}")
    entry = entry_of(unit)
    cocotb = simulator is not None or waves or entry.reference is None
    if exhaustive and (cocotb or entry.all_inputs is None):
        kinds = " and ".join(kind for kind, other in UNITS.items() if other.all_inputs is not None)
        raise ParameterError(
            f"exhaustive must be left out for {unit.kind}{' under cocotb' * cocotb}, it is for {kinds} natively"
        )
    if limit is not None and not cocotb:
        raise ParameterError(f"limit must be left out for {unit.kind} natively, not {limit}: it is for cocotb")
    design = hdl.generate(unit, f"{unit.kind}_under_test") if design is None else design
    options = {"seed": seed, "vectors": vectors, "simulator": simulator, "exhaustive": exhaustive, "waves": waves}
    reproduce = hdl.command_line("verify", unit, **options)
    if not cocotb:
        return _native(entry, unit, design, vectors, seed, exhaustive, progress, reproduce, started)
    job = entry.make_job(unit, vectors or DEFAULT_CYCLES, seed, reproduce)
    return _cocotb(job, design, seed, simulator, waves, Path(folder), progress, limit, started)


def _native(
    entry: UnitEntry[Any],
    unit: hdl.Unit,
    design: hdl.Design,
    vectors: int | None,
    seed: int,
    exhaustive: bool,
    progress: Progress | None,
    reproduce: str,
    started: float,
) -> Verification:
    ports, bits = ports_of(unit), operand_bits(unit)
    if exhaustive and bits > MOST_EXHAUSTIVE_BITS:
        raise ParameterError(f"exhaustive must be for at most {MOST_EXHAUSTIVE_BITS} operand bits, not {bits}")
    operands = entry.describe_operands(unit)
    total = None
    if not exhaustive and (entry.all_inputs is None or vectors is not None or bits > EXHAUSTIVE_BITS):
        total = vectors or DEFAULT_VECTORS // entry.products(unit)
    space = "" if entry.ordered else f"of 2^{bits} "
    coverage = f"all {1 << bits:,} {operands}" if total is None else f"{total:,} {space}{operands}, seed {seed}"
    model = Model.build(design)
    checked = mismatches = 0
    details: list[str] = []
    for inputs in entry.operand_sets(unit, total, seed):
        outputs = model.evaluate({name: _to_port(values, ports[name].width) for name, values in inputs.items()})
        expected = entry.expected(unit, inputs)
        wrong = np.zeros(len(inputs[operand_names(unit)[0]]), bool)
        for name, want in expected.items():
            differs = outputs[name] != _to_port(np.ma.getdata(want), ports[name].width)
            wrong |= differs.reshape(len(wrong), -1).any(axis=1) & ~np.ma.getmaskarray(want)
        mismatches += int(wrong.sum())
        for index in np.flatnonzero(wrong)[: SHOWN - len(details)]:
            given = {name: values[index] for name, values in inputs.items()}
            defined = {name: values for name, values in expected.items() if not np.ma.getmaskarray(values)[index]}
            got = {name: outputs[name][index] for name in defined}
            want = {name: np.ma.getdata(values)[index] for name, values in defined.items()}
            details.append(f"{ports_text(ports, given)}: {results_text(ports, got, want)}")
        checked += len(wrong)
        if progress is not None:
            progress(checked, 1 << bits if total is None else total)
    return Verification(
        passed=mismatches == 0,
        checked=checked,
        mismatches=mismatches,
        coverage=coverage,
        seed=seed,
        seconds=time.perf_counter() - started,
        simulator=f"{model.simulator}, native",
        cycles=checked + unit.latency if unit.clocked else None,
        details=details,
        reproduce=reproduce,
    )


def _to_port(codes: NDArray[Any], width: int) -> NDArray[Any]:
    """Codes as the native simulator wants them: bytes where a port is wider than 64 bits."""
    if width <= 64 or codes.ndim == 2:
        return np.asarray(codes)
    return byte_rows(codes, packed_bytes(1, width))


def _cocotb(
    job: Job,
    design: hdl.Design,
    seed: int,
    simulator: str | None,
    waves: bool,
    folder: Path,
    progress: Progress | None,
    limit: float | None,
    started: float,
) -> Verification:
    chosen = find(simulator)
    run = cocotb_run.run(
        design,
        job.bench,
        simulator=chosen,
        job=pickle.dumps(job),
        folder=folder,
        seed=seed,
        cycles=job.cycles,
        limit=cocotb_run.time_limit(job.cycles, job.products) if limit is None else limit,
        waves=waves,
        progress=progress,
    )
    # A bench that broke off has no results, and one that has none did not pass.
    result = pickle.loads(run.results) if run.results else BenchResult(0, 1, [run.failure])
    details = result.details or ([run.failure] if run.failure else [])
    return Verification(
        passed=run.passed and not result.mismatches,
        checked=result.checked,
        mismatches=result.mismatches,
        coverage=job.coverage,
        seed=seed,
        seconds=time.perf_counter() - started,
        simulator=str(chosen),
        cycles=job.cycles,
        details=details,
        reproduce=job.reproduce,
        log=run.log,
        junit=run.junit,
        waves=run.waves,
    )
