"""What `polymac compare --preset published` prints."""

from __future__ import annotations

import json
from pathlib import Path

from polymac import synth
from polymac.cli.published import print_claims
from polymac.comparison import Row, published
from polymac.comparison.published import Claim

_UNIT, _BASE = ({"a": a, "acc": "int8", "architecture": "operator"} for a in ("int3", "int2"))
_CLAIMS = (
    Claim("a paper, table 1", "int3 over int2", "more", 50, 180, _UNIT, _BASE, "Ours is smaller."),
    Claim("a book", "noise of int3 over int2", "sqnr", 0, None, _UNIT, _BASE, "Ours is Gaussian."),
)


def _lines(text: str) -> list[str]:
    return [" ".join(line.split()) for line in text.splitlines()]


def test_a_row_for_each_claim(polymac, monkeypatch):
    monkeypatch.setattr(published, "CLAIMS", _CLAIMS)
    result = polymac("compare", "--preset", "published", "--target", "cmos,ice40", "--json", "rows.json")
    assert (result.status, result.err) == (0, "")
    rows = json.loads(Path("rows.json").read_text())["rows"]
    figures = {(row["name"], row["request"]["target"]): row["figures"] for row in rows}
    assert len(figures) == len(rows) == 4
    lines = _lines(result.out)
    for target, cost in (("cmos", "transistors"), ("ice40", "area_luts")):
        more = 100 * (figures["int3", target][cost] / figures["int2", target][cost] - 1)
        assert more > 0
        assert f"int3 over int2 a paper, table 1 +50 % … +180 % {more:+.0f} % – Ours is smaller." in lines
    noise = [line for line in lines if line.startswith("noise of int3 over int2 a book > +0.0 dB +")]
    assert len(noise) == 2
    assert result.out.count(published.SENTENCE) == 2


def test_both_netlists_of_a_library(capsys):
    rows = [
        Row("int3", {}, "", {"area_um2": 30.0, "fast_area_um2": 90.0, "products": 1}),
        Row("int2", {}, "", {"area_um2": 20.0, "fast_area_um2": 40.0, "products": 1}),
    ]
    print_claims(rows, synth.target("nangate45"), _CLAIMS[:1])
    assert "int3 over int2 a paper, table 1 +50 % … +180 % +50 % +125 % Ours is smaller." in _lines(
        capsys.readouterr().out
    )
