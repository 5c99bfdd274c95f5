"""``polymac report``: files that it writes, and what it says of those that it cannot read."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

ROWS = Path(__file__).parents[1] / "comparison" / "page" / "rows.json"


def test_page_and_tables(polymac, tmp_path):
    done = polymac("report", ROWS, "--html", "page.html", "--latex", "t.tex", "--markdown", "t.md", "--title", "A & B")
    assert done == (0, "", "")
    text = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert "<title>A &amp; B</title>" in text and text.endswith("</html>\n")
    assert (tmp_path / "t.tex").read_text().startswith("% array, nangate45: ")
    assert polymac("report", ROWS, "--markdown", "-").out == (tmp_path / "t.md").read_text()


def test_plots(polymac, tmp_path):
    done = polymac("report", ROWS, "--svg", "plots", "--png", "plots")
    assert done.status == 0
    assert "no plot multiplier-xc7-area-delay: no row has area and delay" in done.err.splitlines()
    names = ["array", "mac-fp32", "multiplier", "tensor-core"]
    expected = [f"{name}-nangate45-area-delay.{suffix}" for name in names for suffix in ("png", "svg")]
    assert sorted(path.name for path in (tmp_path / "plots").iterdir()) == expected
    first = {path: path.read_bytes() for path in (tmp_path / "plots").iterdir()}
    assert polymac("report", ROWS, "--svg", "plots", "--png", "plots", "--force").status == 0
    assert {path: path.read_bytes() for path in (tmp_path / "plots").iterdir()} == first


def test_later_files_replace_rows_of_earlier_ones(polymac, tmp_path):
    document = json.loads(ROWS.read_text())
    row = document["rows"][0] | {"figures": {"area_um2": 12345.0}}
    (tmp_path / "later.json").write_text(json.dumps(document | {"rows": [row]}))
    lines = polymac("report", ROWS, "later.json", "--markdown", "-").out.splitlines()
    assert sum("12,345.00" in line for line in lines) == 1
    assert not any("12,345.00" in line for line in polymac("report", "later.json", ROWS, "--markdown", "-").out.split())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["rows.json"], "report must be given at least one of --html, --svg, --png, --latex and --markdown"),
        (["none.json", "--html", "x"], "results must be a file that can be read, not none.json: No such file or"),
        (["text.json", "--html", "x"], "results must be a file that polymac wrote, not text.json: "),
        (["other.json", "--html", "x"], "results must be of schema 1, not 99: other.json, written by polymac 9"),
        (["empty.json", "--html", "x"], "results must have at least one row, not none as in empty.json"),
        (["rows.json", "--html", "text.json"], "--html must be a new file unless --force is given, not text.json"),
        (["rows.json", "--html", "."], "--html must be a file, not the folder ."),
        (["rows.json", "--svg", "text.json"], "--svg must be a folder, not the file text.json"),
        (["rows.json", "--png", "old"], "--png must be a new file unless --force is given, not old/array"),
    ],
)
def test_bad_input(polymac, tmp_path, arguments, message):
    (tmp_path / "rows.json").write_bytes(ROWS.read_bytes())
    (tmp_path / "text.json").write_text("hello")
    (tmp_path / "other.json").write_text('{"schema": 99, "polymac": "9", "rows": []}')
    (tmp_path / "empty.json").write_text('{"schema": 1, "polymac": "0.2.0", "rows": []}')
    (tmp_path / "old").mkdir()
    (tmp_path / "old" / "array-nangate45-area-delay.png").write_text("mine")
    before = sorted(tmp_path.rglob("*"))
    done = polymac("report", *arguments)
    assert (done.status, done.out) == (2, "")
    errors = [line for line in done.err.splitlines() if not line.startswith("no plot ")]
    assert len(errors) == 1 and errors[0].startswith(f"polymac: {message}")
    assert sorted(tmp_path.rglob("*")) == before
    assert (tmp_path / "old" / "array-nangate45-area-delay.png").read_text() == "mine"


def test_without_the_extra(polymac, monkeypatch):
    monkeypatch.setitem(sys.modules, "jinja2", None)
    done = polymac("report", ROWS, "--html", "page.html")
    assert done == (
        2,
        "",
        "polymac: --html must be left out where Jinja2 is not installed (pip install 'polymac[page]')\n",
    )
    assert polymac("report", ROWS, "--markdown", "-").status == 0
