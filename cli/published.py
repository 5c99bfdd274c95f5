"""The table of ``polymac compare --preset published``."""

from __future__ import annotations

from collections.abc import Sequence

from ..comparison import Row
from ..comparison.published import Claim, findings, show
from ..synth import Target
from .output import print_table

_COLUMNS = ("claim", "source", "published", "ours (least area)", "ours (fast)", "why they differ")


def print_claims(rows: Sequence[Row], target: Target, claims: Sequence[Claim]) -> None:
    """Each claim with its source, the published figure, ours of both netlists, and why they differ."""
    shown = [
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
    print_table(f"Published claims, and ours on {target.name}: {target.title}", _COLUMNS, shown, left=left)
