"""From requests to rows: generate, synthesize, time, and simulate the netlists for energy."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from .. import hdl, synth
from ..golden.formats import ParameterError, any_format
from ..hdl.arrays.processing_element import ProcessingElement
from ..sim.units import UNITS
from ..synth import Design, Energy, Progress, Record, Result, SynthesisError, Target
from ..synth.area.cell_delay import longest_path
from ..synth.area.measure import library_cells, mapped_netlist, synthesis_job
from ..synth.area.parts import Frame, measure_frame
from ..synth.area.place_and_route import place_and_route
from ..synth.area.synthesize import try_all
from ..synth.energy.cells import read_power_library
from ..synth.yosys.runner import Outcome, Workers
from .accuracy import digits_percent, noise_figures, sum_error
from .activity import CYCLES, streams
from .bandwidth import bits_per_element, bytes_per_mac
from .request import Request
from .row import Row

#: Processing elements up to which an array is synthesized as a whole.
WHOLE_ARRAY = 4
#: The target that nextpnr places and routes for.
PLACED = "ecp5"
#: The figures of a record that a row shows of its least area.
_OF_LEAST = ("area_um2", "area_ge", "transistors", "gates", "area_luts", "luts", "carries", "ffs", "delay_ns")
#: The note of every array.
NO_ENERGY_OF_ARRAYS = "no energy: not measured for arrays (compare a mac or a dot)"


@dataclasses.dataclass(frozen=True)
class Options:
    """What is measured of every row.

    Parameters
    ----------
    max_delay_ns : float, optional
        A delay that is short enough (cell libraries only).
    activity : str, optional
        Source of the operands for the energy, one of :data:`.activity.SOURCES`; no energy unless given.
    wire_cap_ff : float
        Capacitance in fF that the wire to each sink adds, for energy and period; 0 or more.
    recipes : sequence of str, optional
        Recipes to run; all of the target's unless given.
    delays_ns : sequence of float
        Delays for each of which the least area is looked for as well; they join the Pareto front (libraries only).
    accuracy : bool
        Quantization noise of the operand, and error of a long sum.
    digits : bool
        Digits that a network in the format reads rightly; scikit-learn trains it.
    fmax : bool
        Place and route for the ECP5 with five seeds (target ecp5 only).
    """

    max_delay_ns: float | None = None
    activity: str | None = "gaussian"
    wire_cap_ff: float = 0.0
    recipes: Sequence[str] | None = None
    delays_ns: Sequence[float] = ()
    accuracy: bool = False
    digits: bool = False
    fmax: bool = False


@dataclasses.dataclass
class _Plan:
    """A request on its way: its units, one for each architecture that is tried, and their designs."""

    request: Request
    target: Target
    units: list[hdl.Unit]
    designs: list[hdl.Design]
    #: What is synthesized: the designs, or the processing element of each.
    parts: list[Design] = dataclasses.field(default_factory=list)
    frame: Frame | None = None
    error: str = ""

    @property
    def unit(self) -> hdl.Unit:
        return self.units[0]


def measure(
    requests: Sequence[Request],
    workers: Workers,
    options: Options | None = None,
    progress: Progress | None = None,
) -> list[Row]:
    """A row for each request, in their order; one whose synthesis fails has the reason in place of figures.

    Raises
    ------
    ParameterError, TypeError
        A request describes no unit, or an option is out of range or means nothing for a target.
    """
    chosen = options or Options()
    plans = [_plan(request) for request in requests]
    for plan in plans:
        for name, given in (("--max-delay", chosen.max_delay_ns), ("--delays", chosen.delays_ns or None)):
            if given is not None and plan.target.liberty is None:
                raise ParameterError(
                    f"{name} must be left out with a target without delays, not given with {plan.target.name}"
                )
    groups: dict[str, list[_Plan]] = {}
    for plan in plans:
        liberty = plan.target.liberty
        groups.setdefault(plan.target.name + (liberty.sha256 if liberty else ""), []).append(plan)
    rows: dict[int, Row] = {}
    for group in groups.values():
        for plan, row in zip(group, _rows(group, workers, chosen, progress), strict=True):
            rows[id(plan)] = row
    return [rows[id(plan)] for plan in plans]


def module_name(request: Request) -> str:
    """The module's name, the same for equal requests: it is in the Verilog, and so in the key of what is kept."""
    return f"{request.kind}_{request.name}".replace(" × ", "_").replace(".", "_")


def _plan(request: Request) -> _Plan:
    units = request.variants()
    name = module_name(request)
    return _Plan(request, request.find_target(), units, [hdl.generate(unit, name) for unit in units])


def _rows(plans: Sequence[_Plan], workers: Workers, options: Options, progress: Progress | None) -> list[Row]:
    """The rows of plans that share a target."""
    target = plans[0].target
    for plan in plans:
        plan.parts = list(plan.designs)
        unit = plan.unit
        if isinstance(unit, hdl.Array) and unit.rows * unit.cols > WHOLE_ARRAY and target.liberty is not None:
            module = f"{plan.designs[0].name}_{ProcessingElement.kind}"
            plan.frame = measure_frame(plan.designs[0], module, target, workers)
            plan.parts = [plan.frame.designs(design)[0] for design in plan.designs]
    found = try_all(
        [plan.parts for plan in plans],
        [target],
        recipes=options.recipes,
        max_delay_ns=options.max_delay_ns,
        workers=workers,
        progress=progress,
    )
    timed = _within(plans, target, workers, options, progress)
    rows = []
    for plan, result, more in zip(plans, found, timed, strict=True):
        if isinstance(result, SynthesisError):
            rows.append(_failed(plan, result))
        else:
            joined = dataclasses.replace(result, records=[*result.records, *more])
            rows.append(_with_accuracy(_row(plan, joined), plan.unit, options))
    if options.fmax:
        rows = [row if row.error else _with_fmax(row, plan, workers) for row, plan in zip(rows, plans, strict=True)]
    return _with_energy(plans, found, rows, workers, options)


def _with_fmax(row: Row, plan: _Plan, workers: Workers) -> Row:
    if plan.target.name != PLACED:
        return dataclasses.replace(row, notes=[*row.notes, f"no fmax: nextpnr is run for target {PLACED} only"])
    try:
        found = place_and_route(plan.designs[0], jobs=workers.jobs)
    except (ParameterError, SynthesisError) as error:
        return dataclasses.replace(row, notes=[*row.notes, f"no fmax: {error}"])
    spread = max(found.seed_mhz) - min(found.seed_mhz)
    return dataclasses.replace(row, figures=row.figures | {"fmax_mhz": found.fmax_mhz, "fmax_spread_mhz": spread})


def _within(
    plans: Sequence[_Plan], target: Target, workers: Workers, options: Options, progress: Progress | None
) -> list[list[Record]]:
    """For each plan, what the timed recipes make for each of the delays asked for."""
    found: list[list[Record]] = [[] for _ in plans]
    timed = [recipe.name for recipe in target.recipes if recipe.timed]
    for delay in options.delays_ns:
        results = try_all(
            [plan.parts for plan in plans],
            [target],
            recipes=timed,
            max_delay_ns=delay,
            workers=workers,
            progress=progress,
        )
        for records, result in zip(found, results, strict=True):
            if not isinstance(result, SynthesisError):
                records += result.records
    return found


def _with_accuracy(row: Row, unit: hdl.Unit, options: Options) -> Row:
    if not (options.accuracy or options.digits):
        return row
    fmt = any_format(unit.parameters["a"])
    figures, notes = dict(row.figures), list(row.notes)
    if options.accuracy:
        figures |= noise_figures(fmt)
        error = sum_error(unit)
        figures |= {} if error is None else {"sum_error_4096": error}
    if options.digits:
        try:
            figures["digits_percent"] = digits_percent(fmt)
        except ParameterError as error:
            notes.append(f"no digits: {error}")
    return dataclasses.replace(row, figures=figures, notes=notes)


def _failed(plan: _Plan, error: SynthesisError) -> Row:
    return Row(plan.request.name, plan.request.plain(), plan.request.command(), error=str(error))


def _row(plan: _Plan, result: Result) -> Row:
    """The row without energy."""
    unit, request = plan.unit, plan.request
    figures: dict[str, float | int | str | None] = {
        "products": UNITS[unit.kind].products(unit),
        "accumulator_bits": _accumulator_bits(unit),
    }
    least, fast, dsp = result.best_area, result.best_delay, result.best_dsp
    figures |= {name: value for name in _OF_LEAST if (value := getattr(least, name)) is not None}
    if fast is not None:
        figures |= {"fast_area_um2": fast.area_um2, "fast_delay_ns": fast.delay_ns}
    if dsp is not None:
        figures |= {"dsps": dsp.dsps, "dsp_luts": dsp.luts}
    if result.best_within is not None:
        figures["within_area_um2"] = result.best_within.area_um2
    a, b = (any_format(unit.parameters[side]) for side in ("a", "b"))
    out = _result_format(unit)
    figures |= {"bits_a": float(bits_per_element(a)), "bits_b": float(bits_per_element(b))}
    if out is not None:
        figures["bytes_per_mac"] = round(bytes_per_mac(a, b, out), 6)
    matched = request.matched
    return Row(
        name=request.name,
        request=request.plain(),
        command=request.command(),
        figures={name: value for name, value in figures.items() if value is not None},
        computes=unit.formula,
        differs="" if matched is None else matched.difference(request.options),
        least=least.to_dict(),
        fast=None if fast is None else fast.to_dict(),
        within=None if result.best_within is None else result.best_within.to_dict(),
        dsp=None if dsp is None else dsp.to_dict(),
        pareto=[_point(record) for record in result.pareto],
        notes=[f"no figure: {failure}" for failure in result.failures],
        verilog=_design_of(plan, least).verilog,
    )


def _accumulator_bits(unit: hdl.Unit) -> int | None:
    accumulator = UNITS[unit.kind].accumulator
    return None if accumulator is None else accumulator(unit).state_bits


def _result_format(unit: hdl.Unit) -> Any:
    """The format of the results; None where they have none."""
    outputs = [port for port in unit.ports if port.direction == "output" and port.role == "data"]
    return outputs[0].format if outputs else None


def _point(record: Record) -> dict[str, Any]:
    """A netlist of the Pareto front; its record can be made again by its recipe."""
    architecture = record.parameters.get("architecture", "operator")
    names = ("recipe", "area_um2", "delay_ns")
    return {"architecture": architecture} | {name: getattr(record, name) for name in names}


def _place(plan: _Plan, record: Record) -> int:
    """Which of the plan's designs a record is of."""
    for place, design in enumerate(plan.parts):
        if design.metadata["parameters"].get("architecture") == record.parameters.get("architecture"):
            return place
    return 0


def _design_of(plan: _Plan, record: Record) -> Design:
    return plan.designs[_place(plan, record)]


_Found = tuple[Energy | None, list[str]]


def _with_energy(
    plans: Sequence[_Plan],
    results: Sequence[Result | SynthesisError],
    rows: Sequence[Row],
    workers: Workers,
    options: Options,
) -> list[Row]:
    """The rows with what needs the mapped netlists: clock period, energy, and the parts of arrays."""
    target = plans[0].target
    if target.liberty is None:
        return list(rows)
    recipes = {recipe.name: recipe for recipe in target.recipes}
    wanted: list[tuple[int, str, int, Record]] = []
    for place, result in enumerate(results):
        unit = plans[place].unit
        needed = unit.clocked or options.activity is not None or plans[place].frame is not None
        if isinstance(result, SynthesisError) or not needed:
            continue
        for prefix, record in (("", result.best_area), ("fast_", result.best_delay)):
            if record is not None:
                wanted.append((place, prefix, _place(plans[place], record), record))
    jobs = [
        synthesis_job(plans[place].parts[which], target, recipes[record.recipe], options.max_delay_ns, netlist=True)
        for place, _, which, record in wanted
    ]
    outcomes = workers.run(jobs)

    def energy(item: tuple[tuple[int, str, int, Record], Outcome | SynthesisError]) -> _Found:
        (place, _, which, _), outcome = item
        plan = plans[place]
        if isinstance(outcome, SynthesisError) or options.activity is None or plan.frame is not None:
            return None, []
        return _energy(plan.units[which], mapped_netlist(plan.parts[which].name, outcome), target, options)

    # The simulator is C++, during which other threads go on.
    with ThreadPoolExecutor(workers.jobs) as threads:
        energies = list(threads.map(energy, zip(wanted, outcomes, strict=True)))
    found = list(rows)
    for (place, prefix, which, record), outcome, (measured, more) in zip(wanted, outcomes, energies, strict=True):
        plan, row = plans[place], found[place]
        if isinstance(outcome, SynthesisError):
            found[place] = dataclasses.replace(row, notes=[*row.notes, f"no netlist: {outcome}"])
            continue
        figures, parts = dict(row.figures), row.parts
        if plan.unit.clocked:
            netlist = mapped_netlist(plan.parts[which].name, outcome)
            try:
                wire_cap = options.wire_cap_ff / _femtofarads(target)
                cells = library_cells(target.liberty)
                figures[f"{prefix}period_ns"] = longest_path(netlist, cells, registers=True, wire_cap=wire_cap)
            except (ParameterError, SynthesisError) as error:
                more = [*more, f"no period: {error}"]
        if plan.frame is not None:
            total, parts, others = _array(plan, record, which, workers, options, fast=bool(prefix))
            more = [*more, *others]
            figures |= {f"{prefix}{name}": value for name, value in total.items()}
            parts = row.parts or parts
        elif options.activity is not None:
            figures |= _energy_figures(measured, prefix, options.activity)
        notes = [*row.notes, *(note for note in more if note not in row.notes)]
        found[place] = dataclasses.replace(row, figures=figures, notes=notes, parts=parts)
    return [_per_product(row) for row in found]


def _per_product(row: Row) -> Row:
    figures = dict(row.figures)
    area, products = figures.get("area_um2"), figures.get("products")
    if isinstance(area, float) and isinstance(products, int) and products > 1:
        figures["area_per_product_um2"] = round(area / products, 3)
    return dataclasses.replace(row, figures=figures)


def _femtofarads(target: Target) -> float:
    """The library's unit of capacitance in fF."""
    assert target.liberty is not None
    return read_power_library(target.liberty, ()).capacitance / 1e-15


def _energy(
    unit: hdl.Unit, netlist: dict[str, Any], target: Target, options: Options
) -> tuple[Energy | None, list[str]]:
    """The energy of a netlist, or why there is none."""
    assert target.liberty is not None and options.activity is not None
    operations = UNITS[unit.kind].products(unit)
    try:
        found = synth.measure_energy(
            netlist,
            target.liberty,
            streams(unit, options.activity, CYCLES),
            operations=operations,
            wire_cap_ff=options.wire_cap_ff,
        )
    except (ParameterError, SynthesisError) as error:
        return None, [f"no energy: {error}"]
    return found, list(found.notes)


def _energy_figures(energy: Energy | None, prefix: str, activity: str) -> dict[str, float | str]:
    if energy is None:
        return {}
    names = ["energy_pj", "energy_glitch_pj"]
    if not prefix:
        names += ["energy_09v_pj", "energy_glitch_09v_pj", "register_pj", "clock_pj", "leakage_nw", "voltage_v"]
    found = {f"{prefix}{name}": getattr(energy, name) for name in names}
    return {name: round(value, 6) for name, value in found.items() if value is not None} | {"activity": activity}


def _array(
    plan: _Plan, record: Record, which: int, workers: Workers, options: Options, *, fast: bool
) -> tuple[dict[str, Any], list[dict[str, Any]], list[str]]:
    """Area and flip-flops of the whole array with its processing elements as in the record; and its parts."""
    assert plan.frame is not None
    designs = plan.frame.designs(plan.designs[which])
    results = try_all(
        designs,
        [plan.target],
        recipes=[record.recipe],
        max_delay_ns=options.max_delay_ns if "timed" in record.recipe else None,
        workers=workers,
    )
    areas, ffs = [], plan.frame.ffs
    for element, result in zip(plan.frame.elements, results, strict=True):
        if isinstance(result, SynthesisError):
            return {}, [], [f"no area of the array: {result}"]
        best = result.best_area
        areas.append((best.area_um2 or 0.0, best.sequential_area_um2 or 0.0))
        ffs += element.instances * best.ffs
    parts = plan.frame.parts(areas)
    area = round(sum(part.area_um2 for part in parts), 3)
    figures: dict[str, Any] = {"area_um2": area}
    if not fast:
        figures["ffs"] = ffs
        if record.area_ge and record.area_um2:
            figures["area_ge"] = round(area * record.area_ge / record.area_um2, 1)
    return figures, [dataclasses.asdict(part) for part in parts], [NO_ENERGY_OF_ARRAYS]
