"""Area and delay of generated designs: every recipe of a target is run, the best area and the best delay are kept."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from os import PathLike
from typing import Any, TypedDict, Unpack

from ...golden.formats import ParameterError
from ..store import user_store
from ..yosys.design import Design, check_design
from ..yosys.runner import Job, Outcome, Progress, SynthesisError, Workers
from .library import LibertyFile
from .measure import nand_area, probe_job, record, synthesis_job
from .recipes import Recipe
from .record import Record
from .targets import Target, liberty_target
from .targets import target as find_target

#: Seconds that one recipe may take.
TIMEOUT = 120.0


@dataclass(frozen=True)
class Result:
    """What a target's recipes made of one design.

    The figures of the Result itself (``area_um2``, ``delay_ns``, ``luts``, …) are those of :attr:`best_area`: area and
    delay of one and the same netlist.

    Members
    -------
    design, target : str
        Their names.
    best_area : Record
        The least area, hard multipliers not allowed: µm², transistors, or LUTs; ties go to the shorter delay.
    best_delay : Record or None
        The shortest delay, ties going to the lesser area; None where the target gives no delays.
    best_dsp : Record or None
        FPGA: the least area with hard multipliers allowed; None where there are none, or their recipe was left out.
    records : list of Record
        All measurements, in the order of the recipes.
    failures : list of str
        One line for every recipe that gave none, such as one over the time limit.
    best_within : Record or None
        The least area whose delay is at most the one asked for, hard multipliers not allowed; None where none was asked
        for, or no recipe keeps it.
    """

    design: str
    target: str
    best_area: Record
    best_delay: Record | None
    best_dsp: Record | None
    records: list[Record]
    failures: list[str]
    best_within: Record | None = None

    @property
    def pareto(self) -> list[Record]:
        """The netlists that pay for a longer delay with less area, from the least area to the shortest delay.

        Empty where the target gives no delays.
        """
        timed = [item for item in self.records if item.area_um2 is not None and item.delay_ns is not None]
        front: list[Record] = []
        for item in sorted(timed, key=lambda item: (item.area_um2, item.delay_ns)):
            if not front or (item.delay_ns or 0.0) < (front[-1].delay_ns or 0.0):
                front.append(item)
        return front

    @property
    def recipe(self) -> str:
        return self.best_area.recipe

    @property
    def area_um2(self) -> float | None:
        return self.best_area.area_um2

    @property
    def sequential_area_um2(self) -> float | None:
        return self.best_area.sequential_area_um2

    @property
    def area_ge(self) -> float | None:
        return self.best_area.area_ge

    @property
    def delay_ns(self) -> float | None:
        return self.best_area.delay_ns

    @property
    def transistors(self) -> int | None:
        return self.best_area.transistors

    @property
    def gates(self) -> int | None:
        return self.best_area.gates

    @property
    def area_luts(self) -> int | None:
        return self.best_area.area_luts

    @property
    def luts(self) -> int | None:
        return self.best_area.luts

    @property
    def carries(self) -> int | None:
        return self.best_area.carries

    @property
    def ffs(self) -> int:
        return self.best_area.ffs

    @property
    def dsps(self) -> int | None:
        return self.best_area.dsps

    @property
    def cells(self) -> dict[str, int]:
        return self.best_area.cells

    @property
    def parameters(self) -> dict[str, Any]:
        return self.best_area.parameters

    @property
    def versions(self) -> dict[str, str]:
        return self.best_area.versions


def synthesize(
    design: Design,
    target: str | Target | None = None,
    *,
    liberty: str | PathLike[str] | None = None,
    recipes: Sequence[str] | None = None,
    max_delay_ns: float | None = None,
    timeout: float = TIMEOUT,
    jobs: int = 2,
    progress: Progress | None = None,
) -> Result:
    """Run a design through a target's recipes.

    Parameters
    ----------
    design : Design
        What :func:`hdl.generate` gives, or anything with its ``name``, ``verilog`` and ``metadata``.
    target : str or Target, optional
        One of :data:`TARGETS`; nangate45 unless given.
    liberty : path, optional
        A Liberty file of your own, instead of ``target``.
    recipes : sequence of str, optional
        Names of the recipes to run; all of the target's unless given.
    max_delay_ns : float, optional
        A delay that is short enough: the timed recipes of a Liberty library, which are left out otherwise, make the least
        area for it (:attr:`Result.best_within`).
    timeout : float
        Seconds that one recipe may take.
    jobs : int
        Worker processes at a time.
    progress : callable, optional
        Called with the jobs done, the jobs in all and the label of the last.

    Raises
    ------
    TypeError, ParameterError
        A parameter is of the wrong kind, unknown or out of range; the target is not available; the Liberty is none.
    SynthesisError
        No recipe gave a figure.

    Examples
    --------
    >>> design = hdl.generate(hdl.Multiplier(a="int4", b="int4"), name="mul4")
    >>> synth.synthesize(design, "nangate45", recipes=["resubstituted area"]).area_um2
    82.992
    """
    if liberty is not None and target is not None:
        raise ParameterError(f"target must be left out where liberty is given, not {target!r}")
    chosen = find_target("nangate45" if target is None else target) if liberty is None else liberty_target(liberty)
    return compare(
        [design],
        [chosen],
        recipes=recipes,
        max_delay_ns=max_delay_ns,
        timeout=timeout,
        jobs=jobs,
        progress=progress,
    )[0]


@dataclass(frozen=True)
class _Run:
    """A design on its way through a recipe."""

    design: Design
    target: Target
    recipe: Recipe
    job: Job


_Finished = tuple[_Run, Outcome | SynthesisError]


class Settings(TypedDict, total=False):
    """The settings of :func:`try_all` as keywords."""

    recipes: Sequence[str] | None
    max_delay_ns: float | None
    timeout: float
    jobs: int
    progress: Progress | None
    workers: Workers | None


def compare(
    designs: Sequence[Design | Sequence[Design]], targets: Sequence[str | Target], **settings: Unpack[Settings]
) -> list[Result]:
    """:func:`try_all`, where a design without any figure is an error.

    Examples
    --------
    >>> designs = [hdl.generate(hdl.Multiplier(a=name, b=name), name=name) for name in ("int2", "int3")]
    >>> [result.luts for result in synth.compare(designs, ["ice40"], recipes=["plain"])]
    [6, 18]
    """
    return [_checked(item) for item in try_all(designs, targets, **settings)]


def _checked(result: Result | SynthesisError) -> Result:
    if isinstance(result, SynthesisError):
        raise result
    return result


def try_all(
    designs: Sequence[Design | Sequence[Design]],
    targets: Sequence[str | Target],
    *,
    recipes: Sequence[str] | None = None,
    max_delay_ns: float | None = None,
    timeout: float = TIMEOUT,
    jobs: int = 2,
    progress: Progress | None = None,
    workers: Workers | None = None,
) -> list[Result | SynthesisError]:
    """Run every design through the recipes of every target: one Result each, all targets of the first design first.

    Instead of a design a sequence of them may stand, which compute the same in different architectures: their Result is
    the best of all, and a record's parameters say which one it is of. Recipes for small designs only come last, with the
    design of the least area. Other parameters and all errors are those of :func:`synthesize`; :func:`liberty_target`
    makes a target of a Liberty file. Results are kept in the user's store (:func:`~polymac.synth.store.user_store`);
    with ``workers``, in place of ``timeout`` and ``jobs``, they are kept and jobs run as those say. A design without any
    figure has the error of its first recipe in place of a Result.
    """
    workers = workers or Workers(jobs, timeout, store=user_store())
    limit = _check_delay(max_delay_ns)
    found = [_available(find_target(item)) for item in targets]
    chosen = {item.name: _choose_recipes(item, recipes, limit) for item in found}
    variants = [list(item) if isinstance(item, Sequence) else [item] for item in designs]
    for item in variants:
        for design in item:
            check_design(design)

    def start(designs: Sequence[Design], target: Target, recipes: Sequence[Recipe]) -> list[_Run]:
        pairs = _suited(designs, recipes)
        return [_Run(design, target, recipe, synthesis_job(design, target, recipe, limit)) for design, recipe in pairs]

    nands = _nand_areas(workers, [item.liberty for item in found if item.liberty is not None])
    # Where nothing else was asked for, a recipe for small designs is run on any.
    first = {name: [item for item in every if item.most_cells is None] or every for name, every in chosen.items()}
    parts = [start(item, target, first[target.name]) for item in variants for target in found]
    finished = _run(workers, parts, progress)
    results = [_result(part, nands, limit) for part in finished]
    small = []
    for result, part in zip(results, parts, strict=True):
        if isinstance(result, SynthesisError):
            small.append([])
            continue
        best = next(run.design for run in part if is_of(result.best_area, run.design))
        cells = sum(result.best_area.cells.values())
        rest = [item for item in chosen[part[0].target.name] if item not in first[part[0].target.name]]
        fitting = [item for item in rest if item.most_cells is not None and cells <= item.most_cells]
        small.append(start([best], part[0].target, fitting))
    if any(small):
        more = _run(workers, small, progress, done=sum(map(len, parts)))
        results = [_result([*part, *rest], nands, limit) for part, rest in zip(finished, more, strict=True)]
    return results


def _run(
    workers: Workers, parts: Sequence[Sequence[_Run]], progress: Progress | None, done: int = 0
) -> list[list[_Finished]]:
    """The runs with what came out of them; ``done`` jobs are counted as done before."""

    def report(now: int, total: int, label: str) -> None:
        if progress is not None:
            progress(done + now, done + total, label)

    outcomes = iter(workers.run([run.job for part in parts for run in part], report))
    return [[(run, next(outcomes)) for run in part] for part in parts]


def is_of(record: Record, design: Design) -> bool:
    """Whether the record is of the design."""
    return record.verilog_sha256 == hashlib.sha256(design.verilog.encode()).hexdigest()


def _check_delay(max_delay_ns: float | None) -> float | None:
    if max_delay_ns is None:
        return None
    if isinstance(max_delay_ns, bool) or not isinstance(max_delay_ns, int | float):
        raise TypeError(f"max_delay_ns must be a number of nanoseconds, not {max_delay_ns!r}")
    if not 0 < max_delay_ns < math.inf:
        raise ParameterError(f"max_delay_ns must be over 0 ns and finite, not {max_delay_ns:g}")
    return max_delay_ns


def _choose_recipes(target: Target, names: Sequence[str] | None, max_delay_ns: float | None) -> Sequence[Recipe]:
    """The target's recipes of those names; timed ones only where there is a delay to keep."""
    chosen = target.choose_recipes(names)
    if max_delay_ns is not None:
        return chosen
    untimed = [recipe for recipe in chosen if not recipe.timed]
    if names is not None and len(untimed) < len(chosen):
        name = next(recipe.name for recipe in chosen if recipe.timed)
        raise ParameterError(f"max_delay_ns must be given with the recipe {name!r}, not left out")
    return untimed


def _suited(designs: Sequence[Design], recipes: Sequence[Recipe]) -> list[tuple[Design, Recipe]]:
    """Each design with the recipes that its architecture does well by; with all of them where none is for any."""
    every = [(design, recipe) for design in designs for recipe in recipes]

    def suits(design: Design, recipe: Recipe) -> bool:
        architecture = design.metadata["parameters"].get("architecture", "operator")
        return recipe.architectures is None or architecture in recipe.architectures

    return [run for run in every if suits(*run)] or every


def _available(target: Target) -> Target:
    if reason := target.missing():
        raise ParameterError(f"target must be available, not {target.name!r}: {reason}")
    return target


def _nand_areas(workers: Workers, libraries: Sequence[LibertyFile]) -> dict[str, float]:
    """The area of a gate equivalent by the hash of the library; a file that is no library ends all before any job."""
    distinct = {library.sha256: library for library in libraries}
    outcomes = workers.run([probe_job(library) for library in distinct.values()])
    return {
        key: nand_area(library, outcome) for (key, library), outcome in zip(distinct.items(), outcomes, strict=True)
    }


def _result(
    finished: Sequence[_Finished], nands: Mapping[str, float], max_delay_ns: float | None
) -> Result | SynthesisError:
    first = finished[0][0]
    target = first.target
    nand_um2 = None if target.liberty is None else nands[target.liberty.sha256]
    records: list[tuple[Recipe, Record]] = []
    failures: list[SynthesisError] = []
    for run, outcome in finished:
        try:
            if isinstance(outcome, SynthesisError):
                raise outcome
            records.append((run.recipe, record(run.design, target, run.recipe, run.job, outcome, nand_um2)))
        except SynthesisError as error:
            failures.append(error)

    def area(item: Record) -> tuple[float, float]:
        return getattr(item, target.cost), item.delay_ns or 0.0

    def delay(item: Record) -> tuple[float, float]:
        return item.delay_ns or 0.0, getattr(item, target.cost)

    logic = [item for recipe, item in records if not recipe.uses_dsp]
    dsp = [item for recipe, item in records if recipe.uses_dsp]
    if not records:
        return failures[0]
    limit = -1.0 if max_delay_ns is None else max_delay_ns
    within = [item for item in logic if item.delay_ns is not None and item.delay_ns <= limit]
    return Result(
        design=first.design.name,
        target=target.name,
        # Where only the recipe with hard multipliers was asked for, its figures are the best there are.
        best_area=min(logic or dsp, key=area),
        best_delay=min((item for item in logic if item.delay_ns is not None), key=delay, default=None),
        best_dsp=min(dsp, key=area) if dsp else None,
        records=[item for _, item in records],
        failures=[str(error) for error in failures],
        best_within=min(within, key=area, default=None),
    )
