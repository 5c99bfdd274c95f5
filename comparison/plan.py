"""A request on its way to a row: what is measured of it, its units, and what is synthesized."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from .. import hdl
from ..hdl.arrays.processing_element import ProcessingElement
from ..synth import Design, Record, Target
from ..synth.area.parts import Frame, measure_frame
from ..synth.area.synthesize import is_of
from ..synth.yosys.runner import Workers
from .request import Request

#: Processing elements up to which an array is synthesized as a whole.
WHOLE_ARRAY = 4


@dataclass(frozen=True)
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


@dataclass
class Plan:
    """A request with its units, one for each architecture that is tried, and their designs.

    Members
    -------
    parts : list of Design
        What is synthesized: the designs, or the processing element of each.
    frame : Frame or None
        What is around the processing elements of an array that is measured by its parts.
    """

    request: Request
    target: Target
    units: list[hdl.Unit]
    designs: list[hdl.Design]
    parts: list[Design] = field(default_factory=list)
    frame: Frame | None = None

    @classmethod
    def of(cls, request: Request) -> Plan:
        """The plan of a request, its designs generated.

        Raises
        ------
        ParameterError, TypeError
            The request describes no unit.
        """
        units = request.variants()
        name = module_name(request)
        return cls(request, request.find_target(), units, [hdl.generate(unit, name) for unit in units])

    @property
    def unit(self) -> hdl.Unit:
        """The first of the units, which all compute the same."""
        return self.units[0]

    def divide(self, workers: Workers) -> None:
        """Choose what is synthesized: of a large array for a cell library the processing element, the frame being
        measured at once."""
        self.parts = list(self.designs)
        unit = self.unit
        if isinstance(unit, hdl.Array) and unit.rows * unit.cols > WHOLE_ARRAY and self.target.liberty is not None:
            module = f"{self.designs[0].name}_{ProcessingElement.kind}"
            self.frame = frame = measure_frame(self.designs[0], module, self.target, workers)
            self.parts = [frame.designs(design)[0] for design in self.designs]

    def index_of(self, record: Record) -> int:
        """Which of the units a record is of."""
        return next(index for index, part in enumerate(self.parts) if is_of(record, part))


def module_name(request: Request) -> str:
    """The module's name, the same for equal requests: it is in the Verilog, and so in the key of what is kept."""
    return f"{request.kind}_{request.name}".replace(" × ", "_").replace(".", "_")
