"""M. Horowitz' table of energy and area (ISSCC 2014, "Computing's Energy Problem", 45 nm, 0.9 V) beside ours."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..synth import Target
from .request import Request


@dataclass(frozen=True)
class Published:
    """A row of his table.

    Members
    -------
    unit, fmt : str
        The operation and its format.
    area_um2, energy_pj : float
        His figures.
    """

    unit: str
    fmt: str
    area_um2: float
    energy_pj: float

    @property
    def title(self) -> str:
        """As the table calls it."""
        return f"{self.unit.removesuffix('er').replace('multipli', 'multiply')} {self.fmt}"

    def request(self, target: str | Target) -> Request:
        """The same operation of ours: results of the operands' format for sums, exact products of integers."""
        options = {"a": self.fmt}
        if self.unit == "adder" and self.fmt.startswith("int"):
            options |= {"out": self.fmt, "overflow": "wrap"}
        return Request(self.unit, options, target)


TABLE = (
    Published("adder", "int8", 36, 0.03),
    Published("adder", "int32", 137, 0.1),
    Published("adder", "fp16", 1360, 0.4),
    Published("adder", "fp32", 4184, 0.9),
    Published("multiplier", "int8", 282, 0.2),
    Published("multiplier", "int32", 3495, 3.1),
    Published("multiplier", "fp16", 1640, 1.1),
    Published("multiplier", "fp32", 7700, 3.7),
)

SENTENCE = (
    "Energies are scaled to 0.9 V. His integers are near our least area, his floats near our fast netlists; his table does "
    "not say for which delay it is."
)


def requests(target: str | Target = "nangate45") -> Sequence[Request]:
    """Our side of the table."""
    return [row.request(target) for row in TABLE]
