"""docs/decisions/: every page is in the index, has the same parts, and its example gives what it shows."""

from __future__ import annotations

import doctest
import re
from pathlib import Path

import pytest

from polymac import golden, hdl, synth

FOLDER = Path(__file__).resolve().parents[1] / "docs" / "decisions"
PAGES = sorted(path for path in FOLDER.glob("*.md") if path.name != "README.md")


def test_the_index_holds_every_page_by_its_question():
    questions = [(path.read_text().splitlines()[0].removeprefix("# "), path.name) for path in PAGES]
    assert re.findall(r"^\| \[(.*)\]\((.*)\) \| .+ \|$", (FOLDER / "README.md").read_text(), re.MULTILINE) == questions


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.stem)
def test_page(path):
    text = path.read_text()
    assert re.findall(r"^\*\*(.*?):\*\*", text, re.MULTILINE) == ["Open", "polymac", "Why", "In the code"]
    named = re.findall(
        r"`(golden|hdl|synth)\.(\w+)(?:\.(\w+))?", text.partition("**In the code:**")[2].partition("```")[0]
    )
    assert named
    for package, name, member in named:
        assert name in {"golden": golden, "hdl": hdl, "synth": synth}[package].__all__
        assert not member or hasattr(getattr(golden, name), member)
    (code,) = re.findall(r"^```python\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    example = doctest.DocTestParser().get_doctest(code, {}, path.name, str(path), 0)
    report: list[str] = []
    outcome = doctest.DocTestRunner().run(example, out=report.append)
    assert outcome.attempted > 1 and not outcome.failed, "".join(report)
