"""What needs the mapped netlists of a row: clock period, energy, and the whole of an array from its parts."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from typing import Any

from .. import synth
from ..golden.formats import ParameterError
from ..sim.units import UNITS
from ..synth import Energy, Record, Result, SynthesisError, Target
from ..synth.area.cell_delay import longest_path
from ..synth.area.measure import library_cells, mapped_netlist, synthesis_job
from ..synth.area.parts import Part
from ..synth.area.synthesize import compare
from ..synth.energy.cells import read_power_library
from ..synth.yosys.runner import Outcome, Workers
from .activity import CYCLES, streams
from .plan import Options, Plan
from .row import Row

#: The note of every array.
NO_ENERGY_OF_ARRAYS = "no energy: not measured for arrays (compare a mac or a dot)"


@dataclass(frozen=True)
class _Netlist:
    """One of the two netlists of a row that are looked into: ``prefix`` is that of its figures."""

    place: int
    plan: Plan
    record: Record
    prefix: str

    @property
    def index(self) -> int:
        """Which of the plan's units it is of."""
        return self.plan.index_of(self.record)

    def module(self, outcome: Outcome) -> dict[str, Any]:
        """The mapped module."""
        return mapped_netlist(self.plan.parts[self.index].name, outcome)


_Measured = tuple[Energy | None, list[str]]


def with_netlists(
    plans: Sequence[Plan],
    results: Sequence[Result | SynthesisError],
    rows: Sequence[Row],
    workers: Workers,
    options: Options,
) -> list[Row]:
    """The rows of plans that share a target, with the figures of their netlists of least area and shortest delay.

    A large array has the clock period of its processing element; its areas are in :func:`with_arrays`.
    """
    target = plans[0].target
    if target.liberty is None:
        return list(rows)
    recipes = {recipe.name: recipe for recipe in target.recipes}
    wanted = [
        _Netlist(place, plan, record, prefix)
        for place, (plan, result) in enumerate(zip(plans, results, strict=True))
        if not isinstance(result, SynthesisError) and _is_needed(plan, options)
        for prefix, record in (("", result.best_area), ("fast_", result.best_delay))
        if record is not None
    ]
    outcomes = workers.run(
        [
            synthesis_job(
                item.plan.parts[item.index], target, recipes[item.record.recipe], options.max_delay_ns, netlist=True
            )
            for item in wanted
        ]
    )

    def energy(item: _Netlist, outcome: Outcome | SynthesisError) -> _Measured:
        if isinstance(outcome, SynthesisError) or options.activity is None or item.plan.frame is not None:
            return None, []
        return _energy(item, item.module(outcome), target, options)

    # The simulator is C++, during which other threads go on.
    with ThreadPoolExecutor(workers.jobs) as threads:
        energies = list(threads.map(energy, wanted, outcomes))
    found = list(rows)
    for item, outcome, (measured, more) in zip(wanted, outcomes, energies, strict=True):
        row = found[item.place]
        if isinstance(outcome, SynthesisError):
            found[item.place] = replace(row, notes=[*row.notes, f"no netlist: {outcome}"])
            continue
        figures = dict(row.figures)
        if item.plan.unit.clocked:
            try:
                figures[f"{item.prefix}period_ns"] = _period(item.module(outcome), target, options)
            except (ParameterError, SynthesisError) as error:
                more = [*more, f"no period: {error}"]
        if measured is not None and options.activity is not None:
            figures |= _energy_figures(measured, item.prefix, options.activity)
        notes = [*row.notes, *(note for note in more if note not in row.notes)]
        found[item.place] = replace(row, figures=figures, notes=notes)
    return found


def with_arrays(
    plans: Sequence[Plan],
    results: Sequence[Result | SynthesisError],
    rows: Sequence[Row],
    workers: Workers,
    options: Options,
) -> list[Row]:
    """The rows with the areas of whole arrays in place of those of the processing elements that were synthesized."""
    found = list(rows)
    for place, (plan, result) in enumerate(zip(plans, results, strict=True)):
        if plan.frame is None or isinstance(result, SynthesisError):
            continue
        row = found[place]
        figures, parts, notes = dict(row.figures), row.parts, [*row.notes, NO_ENERGY_OF_ARRAYS]
        for prefix, record in (("", result.best_area), ("fast_", result.best_delay), ("within_", result.best_within)):
            if record is None:
                continue
            try:
                total, ffs = _array(plan, record, workers, options)
            except SynthesisError as error:
                notes.append(f"no area of the array: {error}")
                del figures[f"{prefix}area_um2"]
                continue
            area = figures[f"{prefix}area_um2"] = round(sum(part.area_um2 for part in total), 3)
            if not prefix:
                parts = [asdict(part) for part in total]
                figures["ffs"] = ffs
                if record.area_ge and record.area_um2:
                    figures["area_ge"] = round(area * record.area_ge / record.area_um2, 1)
        found[place] = replace(row, figures=figures, parts=parts, notes=notes)
    return found


def _is_needed(plan: Plan, options: Options) -> bool:
    return plan.unit.clocked or options.activity is not None or plan.frame is not None


def _period(netlist: dict[str, Any], target: Target, options: Options) -> float:
    assert target.liberty is not None
    # The library's unit of capacitance in fF.
    unit = read_power_library(target.liberty, ()).capacitance / 1e-15
    return longest_path(netlist, library_cells(target.liberty), registers=True, wire_cap=options.wire_cap_ff / unit)


def _energy(item: _Netlist, netlist: dict[str, Any], target: Target, options: Options) -> _Measured:
    """The energy of a netlist, or why there is none."""
    assert target.liberty is not None and options.activity is not None
    unit = item.plan.units[item.index]
    try:
        found = synth.measure_energy(
            netlist,
            target.liberty,
            streams(unit, options.activity, CYCLES),
            operations=UNITS[unit.kind].products(unit),
            wire_cap_ff=options.wire_cap_ff,
        )
    except (ParameterError, SynthesisError) as error:
        return None, [f"no energy: {error}"]
    return found, list(found.notes)


def _energy_figures(energy: Energy, prefix: str, activity: str) -> dict[str, float | str]:
    names = ["energy_pj", "energy_glitch_pj"]
    if not prefix:
        names += ["energy_09v_pj", "energy_glitch_09v_pj", "register_pj", "clock_pj", "leakage_nw", "voltage_v"]
    found = {f"{prefix}{name}": getattr(energy, name) for name in names}
    return {name: round(value, 6) for name, value in found.items() if value is not None} | {"activity": activity}


def _array(plan: Plan, record: Record, workers: Workers, options: Options) -> tuple[list[Part], int]:
    """The parts of an array with its processing elements as in the record, and its flip-flops.

    Raises
    ------
    SynthesisError
        The recipe makes nothing of a processing element at an edge.
    """
    frame = plan.frame
    assert frame is not None
    (recipe,) = plan.target.choose_recipes([record.recipe])
    results = compare(
        frame.designs(plan.designs[plan.index_of(record)]),
        [plan.target],
        recipes=[record.recipe],
        max_delay_ns=options.max_delay_ns if recipe.timed else None,
        workers=workers,
    )
    best = [result.best_area for result in results]
    ffs = sum(element.instances * item.ffs for element, item in zip(frame.elements, best, strict=True))
    parts = frame.parts([(item.area_um2 or 0.0, item.sequential_area_um2 or 0.0) for item in best])
    return parts, frame.ffs + ffs
