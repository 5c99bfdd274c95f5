"""The one record of a synthesis measurement, with all that is needed to repeat it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from types import NoneType, UnionType
from typing import Any, get_args, get_origin, get_type_hints

from ...golden.formats import ParameterError


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
        """The record as plain values, by field name."""
        return asdict(self)

    def to_json(self) -> str:
        """The record as a JSON object; :meth:`from_json` gives an equal record back."""
        return json.dumps(self.to_dict(), indent=2, ensure_ascii=False)

    @classmethod
    def from_dict(cls, values: object) -> Record:
        """The record of these plain values.

        Raises
        ------
        ParameterError
            A field is missing, unknown, or of a wrong type.
        """
        if not isinstance(values, Mapping):
            raise ParameterError(f"record must be a JSON object, not {type(values).__name__}")
        names = [item.name for item in fields(cls)]
        if missing := [name for name in names if name not in values]:
            raise ParameterError(f"record must have the field {missing[0]}, not only {', '.join(map(str, values))}")
        if unknown := [name for name in values if name not in names]:
            raise ParameterError(f"record must have known fields only, not {unknown[0]!r}")
        hints = get_type_hints(cls)
        for name, value in values.items():
            if not _is_a(value, hints[name]):
                raise ParameterError(f"record field {name} must be {_type_name(hints[name])}, not {value!r}")
        return cls(**values)

    @classmethod
    def from_json(cls, text: str) -> Record:
        """The record that :meth:`to_json` wrote.

        Raises
        ------
        ParameterError
            The text is not JSON, or a field is missing, unknown, or of a wrong type.
        """
        try:
            values = json.loads(text)
        except ValueError as error:
            raise ParameterError(f"record must be JSON, not text with the error {error}") from None
        return cls.from_dict(values)


def _is_a(value: object, hint: Any) -> bool:
    """Whether a value read from JSON is of the type that an annotation says."""
    arguments = get_args(hint)
    if isinstance(hint, UnionType):
        return any(_is_a(value, choice) for choice in arguments)
    if get_origin(hint) is dict:
        return isinstance(value, dict) and all(
            _is_a(k, arguments[0]) and _is_a(v, arguments[1]) for k, v in value.items()
        )
    if get_origin(hint) is list:
        return isinstance(value, list) and all(_is_a(item, arguments[0]) for item in value)
    if hint is Any:
        return True
    # JSON has one kind of number: 289 stands for 289.0 too. True is no number.
    accepted = (int, float) if hint is float else hint
    return isinstance(value, accepted) and not isinstance(value, bool)


def _type_name(hint: Any) -> str:
    """An annotation as an error names it."""
    if isinstance(hint, UnionType):
        return " or ".join(_type_name(choice) for choice in get_args(hint))
    if hint is NoneType:
        return "null"
    return hint.__name__ if get_origin(hint) is None else str(hint)
