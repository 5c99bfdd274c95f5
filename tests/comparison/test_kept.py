from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from polymac import golden
from polymac.comparison import Options, Request, Row, kept
from polymac.comparison.kept import is_complete, measure_kept, row_key
from polymac.comparison.netlists import NO_ENERGY_OF_ARRAYS
from polymac.golden.formats import FORMATS
from polymac.synth.store import ResultStore
from polymac.synth.yosys.runner import Workers

PLAIN = Options(recipes=["plain"])


def request(name: str = "int2", target: str = "ice40", **options: object) -> Request:
    return Request("multiplier", {"a": name, "architecture": "operator"} | options, target)


@pytest.fixture
def store(tmp_path: Path) -> ResultStore:
    return ResultStore(tmp_path / "store", warn=pytest.fail)


@pytest.fixture
def measured(monkeypatch: pytest.MonkeyPatch) -> list[Request]:
    """The requests that were measured."""
    found: list[Request] = []
    plain = kept.measure

    def count(requests, *arguments):
        found.extend(requests)
        return plain(requests, *arguments)

    monkeypatch.setattr(kept, "measure", count)
    return found


def test_a_second_run_measures_what_is_missing(store, measured):
    workers = Workers(2, 60.0, store=store)
    first = measure_kept([request("int2"), request("int3"), request("int2")], workers, PLAIN)
    assert [item.options["a"] for item in measured] == ["int2", "int3"]
    assert [row.name for row in first] == ["int2", "int3", "int2"] and first[0] == first[2]
    measured.clear()
    again = measure_kept([request("int3"), request("int4"), request("int2")], workers, PLAIN)
    assert [item.options["a"] for item in measured] == ["int4"]
    assert [again[0], again[2]] == [first[1], first[0]]
    assert measure_kept([request("int2")], Workers(2, 60.0), PLAIN)[0].figures == first[0].figures
    assert len(measured) == 2  # without a store it is measured


def test_a_row_of_another_form_is_measured_again(store, measured):
    key = row_key(request(), PLAIN)
    store.put(key, {"nome": 1})
    (row,) = measure_kept([request()], Workers(2, 60.0, store=store), PLAIN)
    assert row.figures["luts"] and len(measured) == 1 and store.get(key) == row.plain()


def test_what_failed_is_not_kept(store, measured):
    workers = Workers(2, 0.01, store=store)
    for _ in range(2):
        (row,) = measure_kept([request()], workers, PLAIN)
        assert "time limit of 0.01 s" in row.error
    assert len(measured) == 2 and len(store) == 0


def test_what_is_complete():
    def made(*notes: str, error: str = "") -> Row:
        return Row("int8", {}, "", notes=list(notes), error=error)

    assert is_complete(made()) and is_complete(made("cells without power tables: X", NO_ENERGY_OF_ARRAYS))
    assert not is_complete(made(error="late"))
    for note in ("no figure: late", "no netlist: late", "no energy: no compiler", "no area of the array: late"):
        assert not is_complete(made("a note", note))


def test_what_a_row_depends_on_is_in_its_key(monkeypatch: pytest.MonkeyPatch):
    key = row_key(request(), PLAIN)
    assert row_key(request(), Options(recipes=["plain"])) == key
    others = [
        row_key(request("int3"), PLAIN),
        row_key(request(target="ecp5"), PLAIN),
        row_key(request(stages=1), PLAIN),
        row_key(request(), Options()),
        row_key(request(), Options(recipes=["plain"], activity="uniform")),
        row_key(request(), Options(recipes=["plain"], wire_cap_ff=1.0)),
    ]
    with monkeypatch.context() as patch:
        patch.setattr(kept, "tool", lambda: "pyosys 0.1")
        others.append(row_key(request(), PLAIN))
    with monkeypatch.context() as patch:
        patch.setattr(kept, "code_hash", lambda: "other code")
        others.append(row_key(request(), PLAIN))
    with monkeypatch.context() as patch:
        # A format of a user's, then another one of the same name.
        for name in ("fp8_e4m3", "fp8_e5m2"):
            patch.setattr(kept, "FORMATS", {**FORMATS, "mine": golden.format(name)})
            others.append(row_key(request(), PLAIN))
    assert len({key, *others}) == 1 + len(others)
    # The same in every process.
    script = "from polymac.comparison import *; from polymac.comparison.kept import row_key; print(row_key("
    script += "Request('multiplier', {'a': 'int2', 'architecture': 'operator'}, 'ice40'), Options(recipes=['plain'])))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == key


def test_other_code_has_another_hash(tmp_path: Path):
    assert kept.code_hash() == kept.code_hash.__wrapped__()
    seen = set()
    for place, content in (
        ("golden/formats/x.py", "a = 1"),
        ("golden/formats/x.py", "a = 2"),
        ("hdl/y.py", "a = 1"),
        ("synth/energy/simulate.cpp", "int a;"),
        ("comparison/z.py", ""),
    ):
        (tmp_path / place).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / place).write_text(content)
        (tmp_path / place).with_suffix(".pyc").write_text(content)
        seen.add(kept.code_hash.__wrapped__(tmp_path))
    assert len(seen) == 5
    (tmp_path / "hdl" / "y.pyc").write_text("other")
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests" / "test.py").write_text("")
    assert kept.code_hash.__wrapped__(tmp_path) in seen
