"""One row of a comparison: what a unit costs in one format on one target, with all that is needed to repeat it."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

#: Of the plain form of a row; a new number where a field changes its meaning.
SCHEMA = 1


@dataclass(frozen=True)
class Row:
    """What was asked for, and what came of it. All values are plain: a row is equal to the one read back from JSON.

    Members
    -------
    name : str
        The operands' formats.
    request : dict
        Unit, options, target, preset: :meth:`.Request.plain`.
    command : str
        The command that makes the row again.
    figures : dict of str to float, int, str or None
        By the names in :data:`.figures.FIGURES`, which says the unit of each. What a target does not give is left out.
    computes : str
        The unit's formula.
    differs : str
        In what the row is unlike the others of its comparison, besides the format; empty where it is not.
    least, fast, within, dsp : dict or None
        The records (:class:`polymac.synth.Record`) of the least area, of the shortest delay, of the least area within the
        delay asked for, and of the least area with hard multipliers.
    pareto : list of dict
        Records that pay for a longer delay with less area.
    parts : list of dict
        Arrays: what each part takes.
    notes : list of str
        What is missing and why, a line each.
    error : str
        Why there are no figures; empty where there are.
    verilog : str
        The Verilog of the least area.
    """

    name: str
    request: dict[str, Any]
    command: str
    figures: dict[str, float | int | str | None] = field(default_factory=dict)
    computes: str = ""
    differs: str = ""
    least: dict[str, Any] | None = None
    fast: dict[str, Any] | None = None
    within: dict[str, Any] | None = None
    dsp: dict[str, Any] | None = None
    pareto: list[dict[str, Any]] = field(default_factory=list)
    parts: list[dict[str, Any]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    error: str = ""
    verilog: str = ""

    def plain(self) -> dict[str, Any]:
        """As JSON holds it."""
        return asdict(self)
