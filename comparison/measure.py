"""From requests to rows: generate, synthesize, and gather the figures."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

from .. import hdl
from ..golden.accuracy.noise import bits_per_element
from ..golden.formats import ParameterError, any_format
from ..sim.units import UNITS
from ..synth import Progress, Record, Result, SynthesisError, Target
from ..synth.area.place_and_route import place_and_route
from ..synth.area.synthesize import try_all
from ..synth.yosys.runner import Workers
from .accuracy import digits_percent, noise_figures, sum_error
from .bandwidth import bytes_per_mac
from .netlists import with_arrays, with_netlists
from .plan import Options, Plan
from .request import Request
from .row import Row

#: The target that nextpnr places and routes for.
PLACED = "ecp5"
#: The figures of a record that a row shows of its least area.
_OF_LEAST = ("area_um2", "area_ge", "transistors", "gates", "area_luts", "luts", "carries", "ffs", "delay_ns")


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
    plans = [Plan.of(request) for request in requests]
    for plan in plans:
        for name, given in (("--max-delay", chosen.max_delay_ns), ("--delays", chosen.delays_ns or None)):
            if given is not None and plan.target.liberty is None:
                raise ParameterError(
                    f"{name} must be left out with a target without delays, not given with {plan.target.name}"
                )
    groups: dict[str, list[Plan]] = {}
    for plan in plans:
        liberty = plan.target.liberty
        groups.setdefault(plan.target.name + (liberty.sha256 if liberty else ""), []).append(plan)
    rows: dict[int, Row] = {}
    for group in groups.values():
        for plan, row in zip(group, _rows(group, workers, chosen, progress), strict=True):
            rows[id(plan)] = row
    return [rows[id(plan)] for plan in plans]


def _rows(plans: Sequence[Plan], workers: Workers, options: Options, progress: Progress | None) -> list[Row]:
    """The rows of plans that share a target."""
    target = plans[0].target
    for plan in plans:
        plan.divide(workers)
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
            rows.append(failed_row(plan.request, result))
        else:
            joined = dataclasses.replace(result, records=[*result.records, *more])
            rows.append(_with_accuracy(_row(plan, joined), plan.unit, options))
    if options.fmax:
        rows = [row if row.error else _with_fmax(row, plan, workers) for row, plan in zip(rows, plans, strict=True)]
    rows = with_netlists(plans, found, rows, workers, options)
    return [_per_product(row) for row in with_arrays(plans, found, rows, workers, options)]


def _with_fmax(row: Row, plan: Plan, workers: Workers) -> Row:
    if plan.target.name != PLACED:
        return dataclasses.replace(row, notes=[*row.notes, f"no fmax: nextpnr is run for target {PLACED} only"])
    try:
        found = place_and_route(plan.designs[0], jobs=workers.jobs)
    except (ParameterError, SynthesisError) as error:
        return dataclasses.replace(row, notes=[*row.notes, f"no fmax: {error}"])
    spread = max(found.seed_mhz) - min(found.seed_mhz)
    return dataclasses.replace(row, figures=row.figures | {"fmax_mhz": found.fmax_mhz, "fmax_spread_mhz": spread})


def _within(
    plans: Sequence[Plan], target: Target, workers: Workers, options: Options, progress: Progress | None
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


def failed_row(request: Request, error: Exception) -> Row:
    """The row of a request that has no figures, with the reason."""
    return Row(request.name, request.plain(), request.command(), error=str(error))


def _row(plan: Plan, result: Result) -> Row:
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
    figures |= {"bits_a": bits_per_element(a), "bits_b": bits_per_element(b)}
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
        verilog=plan.designs[plan.index_of(least)].verilog,
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


def _per_product(row: Row) -> Row:
    figures = dict(row.figures)
    area, products = figures.get("area_um2"), figures.get("products")
    if isinstance(area, float) and isinstance(products, int) and products > 1:
        figures["area_per_product_um2"] = round(area / products, 3)
    return dataclasses.replace(row, figures=figures)
