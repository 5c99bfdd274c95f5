"""The one record of a synthesis measurement, with all that is needed to repeat it."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class Record:
    """What one recipe made of one design for one target. Figures that a target does not give are None.

    Members
    -------
    design, unit : str
        The design's name and the kind of unit it is.
    parameters : dict
        The unit's parameters, as in the design's metadata.
    target, recipe : str
        Their names.
    commands : list of str
        The recipe's exact Yosys commands; the design is ``design.v``, the library ``library.lib``.
    area_um2 : float or None
        Area of all cells, in the library's unit (µm² in every library known here), without wiring.
    sequential_area_um2 : float or None
        The flip-flops' part of ``area_um2``.
    area_ge : float or None
        ``area_um2`` in gate equivalents: over the area of the library's least two-input NAND.
    delay_ns : float or None
        The longest combinational path, from a port or register to a port or register, by ABC's static timing: no
        wires, ideal input slew, no load on outputs, without the flip-flops' clock-to-output and set-up times. None
        too where Yosys is the WebAssembly build (no wheel of pyosys), which loses what ABC prints.
    transistors, gates : int or None
        Target cmos: transistors (flip-flops included, 16 each) and combinational gates.
    area_luts : int or None
        FPGA: LUTs plus the LUTs that carry cells take up (target ecp5: LUT4 + 2·CCU2C).
    luts, carries, dsps : int or None
        FPGA: LUTs, carry cells, hard multipliers.
    ffs : int
        Flip-flops outside of hard multipliers.
    cells : dict of str to int
        How many of every cell.
    library, library_sha256 : str or None
        The cell library's own name, and the hash of its file.
    verilog_sha256 : str
        The hash of the Verilog that was synthesized.
    versions : dict of str to str
        Versions of polymac, Python and Yosys (its commit fixes ABC's).
    seconds : float
        Wall-clock time of the job.
    """

    design: str
    unit: str
    parameters: dict[str, Any]
    target: str
    recipe: str
    commands: list[str]
    area_um2: float | None
    sequential_area_um2: float | None
    area_ge: float | None
    delay_ns: float | None
    transistors: int | None
    gates: int | None
    area_luts: int | None
    luts: int | None
    carries: int | None
    ffs: int
    dsps: int | None
    cells: dict[str, int]
    library: str | None
    library_sha256: str | None
    verilog_sha256: str
    versions: dict[str, str]
    seconds: float

    def to_dict(self) -> dict[str, Any]:
        """The record as plain values by field name, ready for JSON: ``Record(**values)`` gives an equal one back."""
        return asdict(self)
