"""The claims of publications: their figures as text, our figures from rows, and our units."""

from __future__ import annotations

import pytest

from polymac import synth
from polymac.comparison import Request, Row
from polymac.comparison.published import CLAIMS, Claim, findings, requests

_ONE, _OTHER = {"a": "int4", "acc": "int16"}, {"a": "int3", "acc": "int16"}


def _claim(kind, low=None, high=None, unit=_ONE, base=_OTHER):
    return Claim("a paper", "one over the other", kind, low, high, unit, base, "they differ")


def _row(**figures):
    return Row("fake", {}, "", figures)


@pytest.mark.parametrize(
    ("kind", "low", "high", "text"),
    [
        ("more", 53, 53, "+53 %"),
        ("more", 50, 180, "+50 % … +180 %"),
        ("more", None, 0, "< +0 %"),
        ("density", 31.9, 31.9, "31.9 ×"),
        ("sqnr", 0, None, "> +0.0 dB"),
    ],
)
def test_the_published_figure_as_text(kind, low, high, text):
    assert _claim(kind, low, high).published == text


def test_areas_are_compared_per_product():
    unit, base = _row(area_um2=1200.0, products=16), _row(area_um2=50.0, products=1)
    assert _claim("more").ours(unit, base, "area_um2") == pytest.approx(50)
    assert _claim("more").ours(base, unit, "area_um2") == pytest.approx(-100 / 3)
    assert _claim("density").ours(unit, base, "area_um2") == pytest.approx(2 / 3)
    assert _claim("density").ours(unit, base, "fast_area_um2") is None
    assert _claim("more").ours(unit, Row("failed", {}, "", error="no"), "area_um2") is None


def test_noise_is_compared_by_difference():
    claim = _claim("sqnr", unit={"a": "mxint8"}, base={"a": "mxfp8_e4m3"})
    assert claim.ours(_row(), _row(), "") == pytest.approx(41.643 - 30.484, abs=0.01)


def test_each_unit_is_asked_for_once_and_found_again():
    target = synth.target("nangate45")
    claims = [_claim("more"), _claim("density", unit=_OTHER, base=_ONE), _claim("density", base=_ONE)]
    asked = requests(target, claims)
    assert [request.name for request in asked] == ["int4", "int3"]
    rows = [_row(area_um2=30.0, fast_area_um2=80.0, products=1), _row(area_um2=20.0, fast_area_um2=40.0, products=1)]
    found = [(item.least, item.fast) for item in findings(rows, target, claims)]
    assert found == [(pytest.approx(50), pytest.approx(100)), (pytest.approx(1.5), pytest.approx(2)), (1, 1)]


def test_fpgas_are_compared_by_their_own_cost():
    target = synth.target("ice40")
    rows = [_row(area_luts=30, products=1), _row(area_luts=20, products=1)]
    (found,) = findings(rows, target, [_claim("more")])
    assert (found.least, found.fast) == (pytest.approx(50), None)


@pytest.mark.parametrize("claim", CLAIMS, ids=lambda claim: f"{claim.claim}, {claim.published}")
def test_our_units_exist(claim):
    for request in claim.requests("nangate45"):
        unit = request.make()
        assert unit.parameters["a"] == request.options["a"]
        assert unit.parameters["lanes"] == request.options["lanes"]
    low, high = claim.low, claim.high
    assert low is not None or high is not None
    assert low is None or high is None or low <= high
    assert claim.why.endswith(".")
    assert "{" not in claim.why


def test_the_register_that_a_reason_names_is_the_units():
    """The widths in the sentences on FP8 are those of the units."""
    for claim in CLAIMS:
        if claim.unit["acc"] in ("fp16", "fp32") and "van Baalen" in claim.source:
            (width,) = (
                port.width
                for port in Request("mac", claim.unit).make().ports
                if port.direction == "output" and port.role == "data"
            )
            assert f" {width}-bit register" in claim.why or f" {claim.unit['acc']} {width}," in claim.why
