"""Area and delay of generated designs: every recipe of a target is run, the best area and the best delay are kept."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from os import PathLike
from typing import Any

from ..golden.formats import ParameterError
from .library import LibertyFile
from .measure import Design, check_design, nand_area, probe_job, record, synthesis_job
from .recipes import Recipe
from .record import Record
from .runner import Outcome, Progress, SynthesisError, Workers
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
    """

    design: str
    target: str
    best_area: Record
    best_delay: Record | None
    best_dsp: Record | None
    records: list[Record]
    failures: list[str]

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
    """
    if liberty is not None and target is not None:
        raise ParameterError(f"target must be left out where liberty is given, not {target!r}")
    chosen = find_target("nangate45" if target is None else target) if liberty is None else liberty_target(liberty)
    return compare([design], [chosen], recipes=recipes, timeout=timeout, jobs=jobs, progress=progress)[0]


def compare(
    designs: Sequence[Design | Sequence[Design]],
    targets: Sequence[str | Target],
    *,
    recipes: Sequence[str] | None = None,
    timeout: float = TIMEOUT,
    jobs: int = 2,
    progress: Progress | None = None,
) -> list[Result]:
    """Run every design through the recipes of every target: one Result each, all targets of the first design first.

    Instead of a design a sequence of them may stand, which compute the same in different architectures: their Result is
    the best of all, and a record's parameters say which one it is of. Other parameters and all errors are those of
    :func:`synthesize`; :func:`liberty_target` makes a target of a Liberty file.
    """
    workers = Workers(jobs, timeout)
    found = [_available(find_target(item)) for item in targets]
    chosen = {item.name: item.choose_recipes(recipes) for item in found}
    variants = [list(item) if isinstance(item, Sequence) else [item] for item in designs]
    for item in variants:
        for design in item:
            check_design(design)
    runs = [_suited(item, target, chosen[target.name]) for item in variants for target in found]
    nands = _nand_areas(workers, [item.liberty for item in found if item.liberty is not None])
    outcomes = iter(workers.run([synthesis_job(*run) for part in runs for run in part], progress))
    results = []
    for part in runs:
        _, target, _ = part[0]
        nand = None if target.liberty is None else nands[target.liberty.sha256]
        results.append(_result(target, [(design, recipe, next(outcomes)) for design, _, recipe in part], nand))
    return results


def _suited(
    designs: Sequence[Design], target: Target, recipes: Sequence[Recipe]
) -> list[tuple[Design, Target, Recipe]]:
    """Each design with the recipes that its architecture does well by; with all of them where none is for any."""
    every = [(design, target, recipe) for design in designs for recipe in recipes]

    def suits(design: Design, recipe: Recipe) -> bool:
        architecture = design.metadata["parameters"].get("architecture", "operator")
        return recipe.architectures is None or architecture in recipe.architectures

    return [run for run in every if suits(run[0], run[2])] or every


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
    target: Target, runs: Sequence[tuple[Design, Recipe, Outcome | SynthesisError]], nand_um2: float | None
) -> Result:
    records: list[tuple[Recipe, Record]] = []
    failures: list[SynthesisError] = []
    for design, recipe, outcome in runs:
        try:
            if isinstance(outcome, SynthesisError):
                raise outcome
            records.append((recipe, record(design, target, recipe, outcome, nand_um2)))
        except SynthesisError as error:
            failures.append(error)

    def area(item: Record) -> tuple[float, float]:
        return getattr(item, target.cost), item.delay_ns or 0.0

    def delay(item: Record) -> tuple[float, float]:
        return item.delay_ns or 0.0, getattr(item, target.cost)

    logic = [item for recipe, item in records if not recipe.uses_dsp]
    dsp = [item for recipe, item in records if recipe.uses_dsp]
    if not records:
        raise failures[0]
    return Result(
        design=runs[0][0].name,
        target=target.name,
        # Where only the recipe with hard multipliers was asked for, its figures are the best there are.
        best_area=min(logic or dsp, key=area),
        best_delay=min((item for item in logic if item.delay_ns is not None), key=delay, default=None),
        best_dsp=min(dsp, key=area) if dsp else None,
        records=[item for _, item in records],
        failures=[str(error) for error in failures],
    )
