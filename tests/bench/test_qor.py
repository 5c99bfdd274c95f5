"""`make qor`: a unit that has grown, or is new, fails; one that is as it was does not."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from types import ModuleType, SimpleNamespace

import pytest

from polymac import hdl


@pytest.fixture(scope="module")
def qor(script) -> ModuleType:
    return script("bench/qor")


@pytest.fixture(autouse=True)
def history(qor, tmp_path, monkeypatch):
    """Where the figures of these tests go, and not to those of the benchmarks."""
    file = tmp_path / "history.jsonl"
    monkeypatch.setattr(sys.modules["history"], "DEFAULT", file)
    return file


def test_no_quick_unit_has_grown(qor, capsys):
    """What `make qor` says; it takes as long as what has changed takes to synthesize."""
    assert qor.main([]) == 0, capsys.readouterr().err


def test_only_what_has_changed_is_synthesized(qor, monkeypatch):
    cases = [qor.CASES["fp4_e2m1 exact, area"], qor.CASES["int8, area"]]
    baseline = json.loads(qor.BASELINE.read_text())
    done = []

    def compare(designs, targets, **options):
        done.extend(designs)
        return [SimpleNamespace(records=[SimpleNamespace(**(baseline["int8, area"] | {"area_um2": 7.0}))])] * len(
            designs
        )

    monkeypatch.setattr(qor.synth, "compare", compare)
    for name in ("area_luts", "luts", "carries", "dsps"):
        baseline["int8, area"][name] = None
    assert qor.measure(cases, 1, baseline) == {case.name: baseline[case.name] for case in cases}
    assert not done
    # What was made from something else is made again.
    baseline["int8, area"]["inputs_sha256"] = "0" * 64
    measured = qor.measure(cases, 1, baseline)
    assert [design.metadata["parameters"]["a"] for design in done] == ["int8"]
    assert measured["int8, area"]["area_um2"] == 7.0
    design = hdl.generate(cases[1].make(), "unit")
    assert qor.inputs_sha256(design, qor.CASES["int8, speed"]) != measured["int8, area"]["inputs_sha256"]
    commented = replace(design, verilog="// Another comment.\n" + design.verilog)
    assert qor.inputs_sha256(commented, cases[1]) == measured["int8, area"]["inputs_sha256"]
    inside = replace(design, verilog=design.verilog.replace("endmodule", "  // Another one.\nendmodule"))
    assert qor.inputs_sha256(inside, cases[1]) == measured["int8, area"]["inputs_sha256"]
    changed = replace(design, verilog=design.verilog + "\n")
    assert qor.inputs_sha256(changed, cases[1]) != measured["int8, area"]["inputs_sha256"]


def test_two_units_against_the_committed_baseline(qor, history, capsys, tmp_path):
    name = "fp4_e2m1 exact, area"
    assert qor.main(["--only", name, "--fresh"]) == 0
    (figure,) = map(json.loads, history.read_text().splitlines())
    assert (figure["bench"], figure["name"], figure["unit"]) == ("qor", name, "µm²")
    assert figure["value"] == json.loads(qor.BASELINE.read_text())[name]["area_um2"]
    out, err = capsys.readouterr()
    assert (out.count("fp4_e2m1"), err) == (1, "")
    # The same unit against a baseline in which it was smaller.
    baseline = json.loads(qor.BASELINE.read_text())
    area = baseline[name]["area_um2"]
    baseline[name]["area_um2"] = round(area / 1.04, 3)
    other = tmp_path / "baseline.json"
    other.write_text(json.dumps(baseline))
    assert qor.main(["--only", name, "--baseline", str(other), "--fresh"]) == 1
    assert capsys.readouterr().err == (
        f"{name}: {baseline[name]['area_um2']:g} µm² before, {area:g} µm² now, +4.0 %: more than 3 % larger\n"
    )
    # The update makes it the new baseline, and leaves the other units' figures alone.
    assert qor.main(["--only", name, "--baseline", str(other), "--fresh", "--update"]) == 0
    updated = json.loads(other.read_text())
    assert updated[name]["area_um2"] == area
    assert updated["int8, area"] == baseline["int8, area"]


@pytest.mark.parametrize(
    ("figure", "before", "after", "line"),
    [
        ("area_um2", 100.0, 103.0, ""),
        ("area_um2", 100.0, 90.0, ""),
        ("area_um2", 100.0, 103.1, "u: 100 µm² before, 103.1 µm² now, +3.1 %: more than 3 % larger"),
        ("area_luts", 100, 103, ""),
        ("area_luts", 100, 104, "u: 100 LUT before, 104 LUT now, +4.0 %: more than 3 % larger"),
    ],
)
def test_three_percent(qor, figure, before, after, line):
    assert qor.grown({"u": {figure: after}}, {"u": {figure: before}}) == ([line] if line else [])


def test_a_unit_that_the_baseline_does_not_hold(qor):
    assert qor.grown({"u": {"area_um2": 1.0}}, {}) == [
        "u: not in the baseline; python tests/bench/qor.py --all --update writes it"
    ]


def test_the_baseline_holds_every_unit_with_all_that_repeats_it(qor):
    baseline = json.loads(qor.BASELINE.read_text())
    assert sorted(baseline) == list(baseline)
    assert set(baseline) == set(qor.CASES)
    for name, case in qor.CASES.items():
        item = baseline[name]
        assert (item["target"], item["recipe"]) == (case.target, case.recipe)
        assert list(item["versions"]) == ["polymac", "python", "yosys"]
        assert len(item["inputs_sha256"]) == 64
    assert isinstance(qor.CASES["int8 MAC, area"].make(), hdl.Mac)
