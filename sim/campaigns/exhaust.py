"""Multipliers on very many operands, in several processes, with a record from which a stopped run resumes."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import signal
import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from dataclasses import asdict, dataclass, field
from importlib.metadata import version
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ... import golden, hdl
from ...golden.codec.codes import code_dtype
from ...golden.formats import ROUNDINGS, ParameterError, RoundingMode, check_int
from ...hdl.emit.design import write_files
from ..engine.mismatch import SHOWN, ports_text, results_text
from ..engine.native import Model
from ..engine.packing import port_format
from ..stimulus.boundary import boundary_operands
from ..units.operands import ports_of

#: Pairs that a process takes at a time; a run that is stopped loses the chunks that are under way.
CHUNK = 1 << 20
#: Up to this many operand bits all pairs are simulated; above, DEFAULT_VECTORS pairs next to rounding boundaries.
MOST_BITS = 36
DEFAULT_VECTORS = 100_000_000
#: Seconds between two writings of the record.
_RECORD_SECONDS = 1.0

Progress = Callable[[int, int], None]


@dataclass
class Exhaustion:
    """What was compared so far, and the outcome.

    Attributes
    ----------
    parameters : dict
        The multiplier's.
    modes : list of str
        Rounding modes; each pair was multiplied in every one. Empty for an exact product.
    operands : str
        Which pairs: all of them, or how many next to rounding boundaries, with their seed.
    pairs, total_pairs : int
        Compared so far, and in all.
    mismatches : int
        Products that differ in code or flags.
    examples : list of str
        The first of them: operands and both results.
    seconds : float
        Time that the runs took together.
    verilog_sha256, versions, machine
        What was simulated, with what, on how many processors by how many processes.
    """

    parameters: dict[str, Any]
    modes: list[str]
    operands: str
    total_pairs: int
    verilog_sha256: str
    versions: dict[str, str]
    machine: str
    pairs: int = 0
    mismatches: int = 0
    examples: list[str] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def complete(self) -> bool:
        """Whether every pair was compared."""
        return self.pairs == self.total_pairs


@dataclass(frozen=True)
class _Plan:
    """What a worker has to know."""

    options: Mapping[str, Any]
    design: hdl.Design
    modes: tuple[str, ...]
    total: int
    seed: int | None

    def chunks(self, limit: int | None) -> list[int]:
        """The numbers of the chunks; with a limit as many as it asks for, evenly spread."""
        every = -(-self.total // CHUNK)
        wanted = every if limit is None else min(every, -(-limit // CHUNK))
        return [number * every // wanted for number in range(wanted)]

    def size(self, number: int) -> int:
        """Pairs in a chunk."""
        return min(CHUNK, self.total - number * CHUNK)


def exhaust(
    options: Mapping[str, Any],
    *,
    modes: Iterable[str] | None = None,
    vectors: int | None = None,
    seed: int = 1,
    limit: int | None = None,
    jobs: int | None = None,
    folder: Path | str = Path("build/exhaustive"),
    progress: Progress | None = None,
    design: hdl.Design | None = None,
) -> Exhaustion:
    """Compare a combinational multiplier's Verilog with the golden model, on all operands or next to rounding boundaries.

    One model with a rounding port serves all modes. What is done is kept in a file of ``folder`` named by the hash of the
    Verilog and of what is to be done with it: the same call goes on where the last one ended, by Ctrl-C or otherwise.

    Parameters
    ----------
    options : mapping
        Arguments of :class:`hdl.Multiplier` except ``rounding`` and ``stages``.
    modes : iterable of str, optional
        Of :data:`formats.ROUNDINGS`; default all, where the product is rounded.
    vectors : int, optional
        Number of pairs of :func:`.boundary.boundary_operands`; default all pairs up to ``MOST_BITS`` bits, else
        ``DEFAULT_VECTORS``.
    seed : int
        Of those.
    limit : int, optional
        Maximum number of pairs simulated, evenly spread, rounded up to whole chunks of ``CHUNK``.
    jobs : int, optional
        Processes; default one for each processor.
    folder : Path
        Where the records are.
    progress : callable, optional
        Called with products compared and in all.
    design : Design, optional
        What to simulate instead of the unit's own Verilog.

    Raises
    ------
    ParameterError
        A parameter is out of range, or the multiplier has none of these options.
    KeyboardInterrupt
        After what is done was written.

    Examples
    --------
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     done = sim.exhaust({"a": "fp4_e2m1", "b": "fp4_e2m1"}, jobs=1, folder=folder)
    >>> done.complete, done.mismatches
    (True, 0)
    """
    unit, chosen = _unit(options, modes)
    bits = unit.a_format.width + unit.b_format.width
    if vectors is None and bits > MOST_BITS:
        vectors = DEFAULT_VECTORS
    total = 1 << bits if vectors is None else check_int("vectors", vectors, 1)
    check_int("seed", seed, 0)
    if limit is not None:
        check_int("limit", limit, 1)
    workers = check_int("jobs", len(os.sched_getaffinity(0)) if jobs is None else jobs, 1)
    design = hdl.generate(unit, "exhausted") if design is None else design
    plan = _Plan(dict(options), design, chosen, total, None if vectors is None else seed)
    chunks = plan.chunks(limit)
    wanted = sum(map(plan.size, chunks))
    operands = f"all {total:,} pairs" if vectors is None else f"{total:,} pairs at rounding boundaries, seed {seed}"
    if wanted < total:
        operands = f"{wanted:,} of {operands}, evenly spread"
    model = Model.build(design)
    result = Exhaustion(
        parameters=dict(unit.parameters),
        modes=list(chosen),
        operands=operands,
        total_pairs=wanted,
        verilog_sha256=hashlib.sha256(design.verilog.encode()).hexdigest(),
        versions={
            "polymac": version("polymac"),
            "python": platform.python_version(),
            "numpy": np.__version__,
            "simulator": f"{model.simulator}, native",
        },
        machine=f"{os.cpu_count()} processors, {workers} processes",
    )
    record = _Record(Path(folder), result, plan.seed)
    _run(plan, [number for number in chunks if number not in record.done], workers, record, progress)
    return result


def _unit(options: Mapping[str, Any], modes: Iterable[str] | None) -> tuple[hdl.Multiplier, tuple[str, ...]]:
    """The multiplier, with a rounding port where it rounds, and the modes."""
    for name in ("rounding", "stages"):
        if name in options:
            raise ParameterError(f"{name} must be left out of the options, not {options[name]!r}")
    unit = hdl.Multiplier(**options)
    if unit.rounding is None:
        if modes is not None:
            raise ParameterError(f"modes must be left out for an exact product, not {', '.join(modes)}")
        return unit, ()
    chosen = tuple(ROUNDINGS if modes is None else modes)
    for mode in chosen:
        if mode not in ROUNDINGS:
            raise ParameterError(f"modes must be of {', '.join(ROUNDINGS)}, not {mode!r}")
    return hdl.Multiplier(**options, rounding="port"), chosen


class _Record:
    """The file of what is done, and the result it belongs to."""

    def __init__(self, folder: Path, result: Exhaustion, seed: int | None) -> None:
        self.result = result
        self.folder = folder
        asked = [result.verilog_sha256, result.modes, result.operands, seed, CHUNK]
        key = hashlib.sha256(json.dumps(asked).encode()).hexdigest()[:16]
        self.name = f"{result.parameters['a']}-{key}.json"
        self.done: set[int] = set()
        self._written = self._started = time.perf_counter()
        self._before = 0.0
        try:
            saved = json.loads((folder / self.name).read_text(encoding="utf-8"))
        except FileNotFoundError:
            return
        except (OSError, ValueError) as error:
            raise ParameterError(f"the record must be readable JSON, not {folder / self.name}: {error}") from None
        self.done = set(saved["done"])
        result.mismatches, result.examples, self._before = saved["mismatches"], saved["examples"], saved["seconds"]
        result.pairs, result.seconds = saved["pairs"], self._before

    def add(self, number: int, pairs: int, mismatches: int, examples: list[str]) -> None:
        """Note a finished chunk."""
        self.done.add(number)
        self.result.pairs += pairs
        self.result.mismatches += mismatches
        self.result.examples = [*self.result.examples, *examples][:SHOWN]
        if time.perf_counter() - self._written > _RECORD_SECONDS:
            self.write()

    def write(self) -> None:
        """Write the file, whole or not at all."""
        self._written = time.perf_counter()
        self.result.seconds = round(self._before + self._written - self._started, 3)
        saved = asdict(self.result) | {"done": sorted(self.done)}
        write_files(self.folder, {self.name: json.dumps(saved) + "\n"}, force=True)


def _run(plan: _Plan, todo: list[int], workers: int, record: _Record, progress: Progress | None) -> None:
    each = max(1, len(plan.modes))
    result = record.result

    def report_progress() -> None:
        if progress is not None:
            progress(result.pairs * each, result.total_pairs * each)

    report_progress()
    if not todo:
        return
    # Children of `spawn` share no lock or thread with this process; Ctrl-C is this process's alone.
    with ProcessPoolExecutor(workers, get_context("spawn"), _start, (plan,)) as pool:
        waiting = iter(todo)
        running: dict[Future[tuple[int, list[str]]], int] = {}
        try:
            while True:
                while len(running) < 2 * workers and (number := next(waiting, None)) is not None:
                    running[pool.submit(_chunk, number)] = number
                if not running:
                    break
                finished, _ = wait(running, return_when=FIRST_COMPLETED)
                for future in finished:
                    number = running.pop(future)
                    record.add(number, plan.size(number), *future.result())
                report_progress()
        finally:
            pool.shutdown(wait=False, cancel_futures=True)
            record.write()


class _Worker:
    """A process's plan, unit and model."""

    def __init__(self, plan: _Plan) -> None:
        self.plan = plan
        self.unit, _ = _unit(plan.options, plan.modes or None)
        self.model = Model.build(plan.design)

    def operands(self, number: int) -> tuple[NDArray[Any], NDArray[Any]]:
        """The pairs of a chunk."""
        size = self.plan.size(number)
        a, b = self.unit.a_format, self.unit.b_format
        if self.plan.seed is not None:
            return boundary_operands(a, size, np.random.default_rng([self.plan.seed, number]))
        index = np.arange(number * CHUNK, number * CHUNK + size, dtype=np.uint64)
        dtypes = code_dtype(port_format(a.width)), code_dtype(port_format(b.width))
        return (index >> np.uint64(b.width)).astype(dtypes[0]), (index & np.uint64(b.code_mask)).astype(dtypes[1])

    def compare(self, number: int) -> tuple[int, list[str]]:
        """Mismatches of a chunk in all modes, and the first of them in words."""
        a, b = self.operands(number)
        unit, count, examples = self.unit, 0, []
        for mode in self.plan.modes or (None,):
            inputs = {"a": a, "b": b}
            if mode is not None:
                inputs["rounding_mode"] = np.full(len(a), RoundingMode(mode).port_code, np.uint8)
            outputs = self.model.evaluate(inputs)
            policies = {"rounding": mode or "rne", "overflow": unit.overflow, "subnormals": unit.subnormals or "full"}
            formats = (unit.a_format, unit.b_format)
            if unit.with_flags:
                y, flags = golden.multiply(a, b, *formats, out=unit.out_format, flags=True, **policies)
                expected = {"y": y, "flags": flags}
                wrong = (outputs["y"] != y) | (outputs["flags"] != flags)
            else:
                expected = {"y": golden.multiply(a, b, *formats, out=unit.out_format, **policies)}
                wrong = outputs["y"] != expected["y"]
            count += int(np.count_nonzero(wrong))
            for index in np.flatnonzero(wrong)[: SHOWN - len(examples)]:
                given = {name: values[index] for name, values in inputs.items()}
                got, want = ({name: values[index] for name, values in side.items()} for side in (outputs, expected))
                ports = ports_of(unit)
                examples.append(f"{ports_text(ports, given)}: {results_text(ports, got, want)}")
        return count, examples


_worker: _Worker


def _start(plan: _Plan) -> None:
    global _worker
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _worker = _Worker(plan)


def _chunk(number: int) -> tuple[int, list[str]]:
    return _worker.compare(number)
