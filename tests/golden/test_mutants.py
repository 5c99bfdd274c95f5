"""What `make faults` knows of golden's mutants is true of the source as it is."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def faults(script) -> ModuleType:
    return script("campaigns/faults_golden")


def test_every_module_has_its_tests(faults):
    paths = (path.relative_to(ROOT / "golden") for path in (ROOT / "golden").rglob("*.py"))
    # The packages themselves only name what their modules hold.
    modules = {path.with_suffix("").as_posix() for path in paths if path.name != "__init__.py"}
    assert set(faults.TESTS) == modules
    for tests in faults.TESTS.values():
        assert tests and len(set(tests)) == len(tests)
        for test in tests:
            assert (ROOT / faults.path_of(test)).exists()


def test_the_equivalent_mutants_are_mutants_and_compute_the_same(faults):
    found = faults.equivalents(list(faults.TESTS))
    assert all(found.values())


LINE = "step = max(1, _TILE_WORDS // max(len(right), 1))"
SAME = "xnor_gemm(np.ones((3, 1), np.uint64), np.ones((70_000, 1), np.uint64), 1).shape"


@pytest.mark.parametrize(
    ("change", "evidence", "message"),
    [
        ("2 → 3", {"same": "1"}, "must be a mutant, not number 0 of 0"),
        ("1 → 2", {"same": "1", "which": 2}, "must be a mutant, not number 2 of 2"),
        ("1 → 2", {}, "must have an expression or a test as evidence, not both or neither"),
        (
            "1 → 2",
            {"same": "1", "test": "sums/xnor::words"},
            "must have an expression or a test as evidence, not both or neither",
        ),
        ("1 → 2", {"test": "sums/xnor::nothing"}, "must name a test as evidence, not sums/xnor::nothing"),
        ("1 → 2", {"test": "nothing::words"}, "must name a test as evidence, not nothing::words"),
        ("1 → 2", {"same": "xnor_gemm.__code__.co_consts"}, "must not change xnor_gemm.__code__.co_consts"),
        ("1 → 0", {"same": SAME}, f"must not change {SAME}"),
    ],
)
def test_entries_that_are_wrong(faults, change, evidence, message):
    change = f"{change} in `{LINE}`"
    with pytest.raises(ValueError) as caught:
        faults.Equivalent("sums/xnor", change, "a reason", **evidence).mutant()
    assert str(caught.value) == f"sums/xnor.py: {change} {message}"


def test_entries_that_are_right(faults):
    change = f"1 → 2 in `{LINE}`"
    for which, evidence in enumerate(({"same": SAME}, {"test": "sums/xnor::several_tiles"})):
        mutant = faults.Equivalent("sums/xnor", change, "a reason", **evidence, which=which).mutant()
        assert (mutant.module, mutant.change) == ("sums/xnor", change)


@pytest.fixture
def run(faults, monkeypatch, capsys, tmp_path):
    """Six mutants of `sums/xnor`, tried by something else than its tests: exit status, what is printed, and the records."""

    def call(fails):
        sound = (ROOT / "golden" / "sums" / "xnor.py").read_text(encoding="utf-8")

        def tried(test, folder, *, numba):
            changed = (folder / "path" / "polymac" / "golden" / "sums" / "xnor.py").read_text(encoding="utf-8")
            return fails(changed != sound)

        file = tmp_path / "mutants.json"
        monkeypatch.setattr(faults, "_fails", tried)
        arguments = ["--module", "sums/xnor", "--count", "6", "--seed", "3", "--jobs", "2", "--json", str(file)]
        monkeypatch.setattr(sys, "argv", ["faults_golden.py", *arguments])
        return faults.main(), capsys.readouterr().out, json.loads(file.read_text(encoding="utf-8"))

    return call


def test_what_is_noticed_or_equivalent_leaves_no_survivor(run, faults):
    status, printed, records = run(lambda changed: changed)
    assert status == 0 and "survivor: " not in printed
    assert len(records) == 6
    equivalent = [record for record in records if record["equivalent"]]
    assert equivalent and not any(record["test"] for record in equivalent)
    for record in equivalent:
        assert f"equivalent: {record['mutant']}: {record['equivalent']}\n" in printed
    assert all(record["test"] == faults.TESTS["sums/xnor"][0] for record in records if record not in equivalent)
    assert printed.split("all ")[1].split("\n")[0].split() == [
        "6",
        str(6 - len(equivalent)),
        str(len(equivalent)),
        "0",
        "100.0%",
    ]


def test_what_no_test_notices_is_named(run):
    status, printed, records = run(lambda changed: False)
    survivors = [record["mutant"] for record in records if not record["equivalent"]]
    assert status == 1 and survivors
    for mutant in survivors:
        assert f"survivor: {mutant}\n" in printed
    assert printed.count("survivor: ") == len(survivors)


def test_the_sound_model_must_pass(run):
    with pytest.raises(SystemExit, match=r"^tests/golden/[\w/]+/test_\w+\.py must pass without a fault$"):
        run(lambda changed: True)
