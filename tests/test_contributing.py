"""CONTRIBUTING is the map: what it names is there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
TEXT = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
FOLDERS = ("golden", "hdl", "sim", "synth", "cli", "tests", "docs")
PATHS = sorted(set(re.findall(rf"`((?:{'|'.join(FOLDERS)})/[\w./]*)`", TEXT)))


def test_the_map_names_files() -> None:
    rows = [line for line in TEXT.split("## Which way")[0].splitlines() if line.startswith("| ")]
    assert len(rows) > 20
    assert all(re.search(r"`[a-z]+/", row) for row in rows[2:])


@pytest.mark.parametrize("path", PATHS)
def test_what_is_named_is_there(path: str) -> None:
    assert (ROOT / path).exists()
