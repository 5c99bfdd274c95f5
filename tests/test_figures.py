"""The figures of README and docs: still those of today's hardware, or `make docs-figures` has to be run."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from polymac import comparison, hdl
from polymac.comparison.export import read_rows
from polymac.comparison.page import markdown
from polymac.comparison.plan import module_name

ROOT = Path(__file__).resolve().parents[1]
FIGURES = ROOT / "docs" / "figures"
ROWS = read_rows(FIGURES / "front.csv")


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_the_verilog_is_the_one_that_was_measured(row: comparison.Row) -> None:
    request = comparison.Request(
        options=row.request["options"], target=row.request["target"], preset=row.request["preset"]
    )
    assert row.least is not None
    unit = request.make(row.least["parameters"]["architecture"])
    verilog = hdl.generate(unit, module_name(request)).verilog
    found = hashlib.sha256(verilog.encode()).hexdigest()
    assert found == row.least["verilog_sha256"], "run make docs-figures"


def test_the_table_is_of_these_rows() -> None:
    assert (FIGURES / "front.md").read_text() == markdown(ROWS)


def test_the_plots_are_there_and_readme_shows_one() -> None:
    shown = "docs/figures/mac-fp32-nangate45-area-accuracy.svg"
    assert shown in (ROOT / "README.md").read_text()
    for name in ("area-delay", "area-accuracy", "energy-accuracy", "bits-accuracy"):
        assert (FIGURES / f"mac-fp32-nangate45-{name}.svg").read_text().startswith("<svg")


def test_rows_name_the_command_that_makes_them_again() -> None:
    for row in ROWS:
        assert row.command.startswith("polymac compare --preset mac-fp32 --a ") and json.dumps(row.figures)
