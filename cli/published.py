"""The tables of ``polymac compare`` that hold others' figures: ``--preset published`` and ``horowitz``."""

from __future__ import annotations

from collections.abc import Sequence

from ..comparison import Row, horowitz
from ..comparison.published import Claim, findings, show
from ..synth import Target
from ..synth.energy.measure import REFERENCE_VOLTAGE
from .output import print_table
from .rows import shown

_COLUMNS = ("claim", "source", "published", "ours (least area)", "ours (fast)", "why they differ")


def print_claims(rows: Sequence[Row], target: Target, claims: Sequence[Claim]) -> None:
    """Each claim with its source, the published figure, ours of both netlists, and why they differ."""
    table = [
        (
            item.claim.claim,
            item.claim.source,
            item.claim.published,
            show(item.least, item.claim.kind),
            show(item.fast, item.claim.kind),
            item.claim.why,
        )
        for item in findings(rows, target, claims)
    ]
    left = [name for name in _COLUMNS if name in ("claim", "source", "why they differ")]
    print_table(f"Published claims, and ours on {target.name}: {target.title}", _COLUMNS, table, left=left)


def print_horowitz(rows: Sequence[Row]) -> None:
    """His figures, and ours of both netlists."""
    columns = (
        "operation",
        "his µm²",
        "ours least",
        "ours fast",
        "his pJ",
        "ours least",
        "glitches",
        "ours fast",
        "glitches",
    )

    def energy(row: Row, name: str) -> str:
        value, volt = row.figures.get(name), row.figures.get("voltage_v")
        if not isinstance(value, float) or not isinstance(volt, float):
            return "–"
        return f"{value * (REFERENCE_VOLTAGE / volt) ** 2:.3f}"

    table = [
        [
            item.title,
            f"{item.area_um2:,.0f}",
            shown("area_um2")(row),
            shown("fast_area_um2")(row),
            f"{item.energy_pj:g}",
            energy(row, "energy_pj"),
            energy(row, "energy_glitch_pj"),
            energy(row, "fast_energy_pj"),
            energy(row, "fast_energy_glitch_pj"),
        ]
        for item, row in zip(horowitz.TABLE, rows, strict=True)
    ]
    print_table("Energy and area of operations, 45 nm, 0.9 V", columns, table, left=["operation"])
