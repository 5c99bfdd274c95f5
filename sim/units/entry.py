"""What verification and the command line know of one kind of unit."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Generic, TypeVar

import numpy as np

from ... import hdl
from ...golden.formats import ParameterError
from ..expected.sums import bus_values
from .job import Job, Motion, VectorJob
from .operands import Codes, operand_names, ports_of, random_operands

AnyUnit = TypeVar("AnyUnit", bound=hdl.Unit)

Inputs = dict[str, Codes]
#: Codes by output port; a masked element may be anything.
Outputs = dict[str, Codes]


@dataclass(frozen=True)
class Option:
    """A command-line option: the parameter of the same name of a unit's constructor.

    Attributes
    ----------
    help : str
        What it means.
    metavar : str or None
        What stands for its value in the help text; N for integers.
    is_flag : bool
        Whether it takes no value.
    """

    help: str
    metavar: str | None = None
    is_flag: bool = False


@dataclass(frozen=True)
class UnitEntry(Generic[AnyUnit]):
    """One kind of unit: its component, its golden reference, its stimulus, and what campaigns and commands do with it.

    Parameters
    ----------
    component : type of Unit
        Its attribute ``kind`` names the entry.
    reference : callable or None
        ``reference(unit, inputs)``: codes by output port for codes by input port, one item each, latency apart. None for
        a unit with streams, whose ``job`` holds a model of every clock cycle: it is simulated under cocotb only.
    random_inputs : callable
        ``random_inputs(unit, total, seed)``: chunks of codes by input port. Default: each port by itself, biased to the
        corner values of its format.
    all_inputs : callable or None
        ``all_inputs(unit)``: every set of operands in chunks. None where that means nothing: results depend on the order,
        or some operands are not allowed.
    ordered : bool
        Whether an item's results depend on the items before it.
    operands_text : str or None
        What sets of operands are called. Default: pairs, where a and b are all there is; else operand sets.
    products : callable
        Products that the unit forms in a clock cycle.
    job : callable or None
        ``job(unit, cycles, seed, reproduce)``: what a cocotb bench is given. Default: one set of operands in a cycle.
    resets_show : callable
        Whether what a reset does shows in later results; of most units nothing comes out but what went in.
    accumulator : callable or None
        The unit's sum of products.
    partial_products : callable or None
        Partial products of a unit with a parameter ``architecture`` whose alternatives are compared.
    result_text : str
        What a result is called where formats are compared.
    options : dict of str to Option
        Options of this kind of unit alone; those that several kinds share are in :mod:`polymac.cli.options`.
    """

    component: type[AnyUnit]
    reference: Callable[[AnyUnit, Inputs], Outputs] | None = None
    random_inputs: Callable[[AnyUnit, int, int], Iterator[Inputs]] = random_operands
    all_inputs: Callable[[AnyUnit], Iterator[Inputs]] | None = None
    ordered: bool = False
    operands_text: str | None = None
    products: Callable[[AnyUnit], int] = lambda unit: 1
    job: Callable[[AnyUnit, int, int, str], Job] | None = None
    resets_show: Callable[[AnyUnit], bool] = lambda unit: False
    accumulator: Callable[[AnyUnit], hdl.Accumulator] | None = None
    partial_products: Callable[[AnyUnit], int] | None = None
    result_text: str = "product"
    options: Mapping[str, Option] = field(default_factory=dict)

    @property
    def kind(self) -> str:
        """The unit's name on the command line."""
        return self.component.kind

    @cached_property
    def parameters(self) -> frozenset[str]:
        """The names of the constructor's parameters."""
        return frozenset(inspect.signature(self.component).parameters)

    def describe_operands(self, unit: AnyUnit) -> str:
        """What sets of operands are called."""
        return self.operands_text or ("pairs" if operand_names(unit) == ["a", "b"] else "operand sets")

    def operand_sets(self, unit: AnyUnit, total: int | None, seed: int = 1) -> Iterator[Inputs]:
        """``total`` random sets of operands, or with None all of them, in chunks: codes by input port.

        Raises
        ------
        ParameterError
            All are asked for, and the entry has no ``all_inputs``.
        """
        if total is not None:
            return self.random_inputs(unit, total, seed)
        if self.all_inputs is None:
            raise ParameterError(f"total must be given for {self.kind}, not left out")
        return self.all_inputs(unit)

    def expected(self, unit: AnyUnit, inputs: Inputs) -> Outputs:
        """What the unit must answer.

        Raises
        ------
        ParameterError
            The entry has no reference.
        """
        if self.reference is None:
            raise ParameterError(f"the entry of {self.kind} must have a reference for that, not only a job")
        return self.reference(unit, inputs)

    def make_job(self, unit: AnyUnit, cycles: int, seed: int, reproduce: str) -> Job:
        """The job of a cocotb bench, made from the seed."""
        if self.job is not None:
            return self.job(unit, cycles, seed, reproduce)
        return self._vector_job(unit, cycles, seed, reproduce)

    def _vector_job(self, unit: AnyUnit, cycles: int, seed: int, reproduce: str) -> VectorJob:
        """One set of operands per cycle; with a clock, random stalls by ``en``, and resets where they show."""
        total = cycles + unit.latency
        parts = list(self.random_inputs(unit, total, seed))
        inputs = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
        expected = self.expected(unit, inputs)
        drive = {name: bus_values(values) for name, values in inputs.items()}
        motion = Motion(np.ones(total, bool), np.zeros(total, bool))
        if unit.clocked:
            motion = Motion.random(
                unit.latency, cycles, 0.7, np.random.default_rng(seed + 1), resets=self.resets_show(unit)
            )
            drive |= motion.ports
        cycle_of_step = motion.cycles.tolist()
        items = [cycle_of_step[step] if step >= 0 else None for step in motion.arrived(unit.latency).tolist()]
        ports = ports_of(unit)
        outputs: dict[str, list[int | None]] = {}
        for name, values in expected.items():
            undefined = np.any(np.ma.getmaskarray(values).reshape(total, -1), axis=1).tolist()
            # Only what is valid is defined before the first operands arrive.
            first = 0 if ports[name].role == "valid" else None
            wanted = bus_values(np.ma.getdata(values))
            outputs[name] = [first if item is None else None if undefined[item] else wanted[item] for item in items]
        coverage = f"{cycles:,} {self.describe_operands(unit)}, one a cycle, seed {seed}"
        return VectorJob(total, self.products(unit), coverage, reproduce, ports, drive, outputs, items)
