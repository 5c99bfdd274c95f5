from __future__ import annotations

import csv
import dataclasses
import json
import math
import sys
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from polymac.comparison import FIGURES, SCHEMA, Options, Request, Row, measure
from polymac.comparison.export import read_rows, rows_as_csv, write_rows
from polymac.golden.formats import ParameterError
from polymac.sim.units import UNITS
from polymac.sim.units.make import accepted_options
from polymac.synth.yosys.runner import Workers

SUFFIXES = ("json", "csv", "parquet")


def row(options: dict, figures: dict, **members) -> Row:
    request = {"unit": "mac", "options": options, "target": "nangate45", "preset": members.pop("preset", "")}
    return Row(options["a"], request, f"polymac compare --a {options['a']}", figures, **members)


RECORD = {"recipe": "plain", "commands": ["synth -top m", "stat"], "versions": {"yosys": "0.70"}, "seconds": 1.5}
ROWS = [
    row({"a": "int8", "stages": 0}, {"area_um2": 82.5, "luts": 3}, least=RECORD, verilog="module m;\nendmodule\n"),
    row(
        {"a": "fp8"},
        {"area_um2": 7, "sqnr_gaussian_db": math.inf, "activity": "uniform"},
        pareto=[{"x": 1}],
        preset="p",
    ),
    row({"a": "12", "flags": True}, {}, error="no result, in 60 s", notes=["one", "two"]),
]


@pytest.fixture(autouse=True)
def _in_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("pyarrow", reason="pyarrow, of the extra 'parquet', is not installed")
    monkeypatch.chdir(tmp_path)


def without_verilog(rows: list[Row]) -> list[Row]:
    return [dataclasses.replace(item, verilog="") for item in rows]


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_what_is_written_is_read(suffix):
    write_rows(f"rows.{suffix}", ROWS)
    assert read_rows(f"rows.{suffix}") == (without_verilog(ROWS) if suffix == "csv" else ROWS)
    write_rows(f"none.{suffix}", [])
    assert read_rows(f"none.{suffix}") == []
    assert sorted(path.name for path in Path().iterdir()) == [f"none.{suffix}", f"rows.{suffix}"]


def test_a_measured_row_is_read():
    request = Request("multiplier", {"a": "int2", "architecture": "operator"}, "ice40")
    rows = measure([request], Workers(2, 60.0), Options(recipes=["plain"]))
    assert rows[0].figures["luts"] and set(rows[0].figures) <= set(FIGURES)
    for suffix in SUFFIXES:
        write_rows(f"rows.{suffix}", rows)
        assert read_rows(f"rows.{suffix}") == (without_verilog(rows) if suffix == "csv" else rows)


def test_figures_options_and_members_have_names_of_their_own():
    names = [*FIGURES, *(field.name for field in dataclasses.fields(Row)), "unit", "target", "preset", "schema"]
    names += set().union(*map(accepted_options, UNITS)) - {"preset", "target"}
    assert len(set(names)) == len(names)


_SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False)
    | st.text(st.characters(exclude_categories=["Cs"])).filter(lambda text: text not in ("inf", "-inf", "nan"))
)
_VALUES = _SCALARS | st.lists(_SCALARS, max_size=3) | st.dictionaries(st.text("ab", max_size=2), _SCALARS, max_size=2)
_FIGURES = st.dictionaries(st.sampled_from(["x", "y", "a column", 'q"']), _SCALARS.filter(lambda x: x is not None))
_ROWS = st.lists(
    st.builds(
        lambda a, figures, least, notes: row({"a": a}, figures, least=least, notes=notes),
        st.text('ab1"\n,', min_size=1),
        _FIGURES,
        st.none() | st.dictionaries(st.text("ab"), _VALUES, max_size=2),
        st.lists(st.text(max_size=3), max_size=2),
    ),
    max_size=4,
)
_HARD = ("1", '"1"', "true", "null", "", "[1]", "1e5", "NaN", "Infinity", " 1", "a\r\nb", "1_0", "{")


@given(_ROWS)
@example([row({"a": text or "none"}, {"x": text}) for text in _HARD])
@settings(max_examples=60, deadline=None, database=None)
def test_any_plain_values_come_back(rows):
    for suffix in SUFFIXES:
        write_rows(f"any.{suffix}", rows, force=True)
        assert read_rows(f"any.{suffix}") == rows, suffix


def test_others_can_read_them():
    from pyarrow import parquet

    write_rows("rows.csv", ROWS)
    with Path("rows.csv").open(newline="") as file:
        table = list(csv.DictReader(file))
    assert Path("rows.csv").read_text() == rows_as_csv(ROWS)
    assert [item["area_um2"] for item in table] == ["82.5", "7", ""]
    assert [item["a"] for item in table] == ["int8", "fp8", '"12"']
    assert table[2]["error"] == "no result, in 60 s" and json.loads(table[0]["least"]) == RECORD
    write_rows("rows.json", ROWS)
    document = json.loads(Path("rows.json").read_text())
    assert document["schema"] == SCHEMA and document["rows"][0]["least"] == RECORD
    write_rows("rows.parquet", ROWS)
    columns = {field.name: str(field.type) for field in parquet.read_schema("rows.parquet")}
    assert columns["area_um2"] == "double" and columns["stages"] == "int64" and columns["flags"] == "bool"
    assert columns["unit"] == columns["least"] == "string"


def test_a_file_of_another_schema_is_one_line(monkeypatch: pytest.MonkeyPatch):
    with monkeypatch.context() as patch:
        patch.setattr("polymac.comparison.export.SCHEMA", SCHEMA + 1)
        for suffix in SUFFIXES:
            write_rows(f"later.{suffix}", ROWS)
    for suffix in SUFFIXES:
        with pytest.raises(
            ParameterError, match=rf"^results must be of schema {SCHEMA}, not {SCHEMA + 1}: .*later.\w+"
        ):
            read_rows(Path.cwd() / f"later.{suffix}")


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("a.json", b"{", "Expecting property name"),
        ("a.json", b"[]", "list indices must be"),
        ("a.json", b'{"schema": 1, "rows": [{"names": 1}]}', "unexpected keyword argument 'names'"),
        ("a.csv", b"schema,y\n1,2\n", "there is no 'request'"),
        ("a.json", b'{"rows": []}', "there is no 'schema'"),
        ("a.json", b"\xff", "'utf-8' codec can't decode"),
        ("a.csv", b"", "not enough values"),
        ("a.csv", b"x,y\n1,2\n", "its first column is not schema"),
        ("a.csv", b"schema,y\n1,2,3\n", "a line has 3 cells of 2"),
        ("a.csv", b'schema,"y\n1', "unexpected end of data"),
        ("a.parquet", b"PAR1", "Parquet"),
    ],
)
def test_a_file_that_is_none_of_ours(name, content, reason):
    Path(name).write_bytes(content)
    with pytest.raises(ParameterError) as error:
        read_rows(name)
    text = str(error.value)
    assert text.startswith(f"results must be a file that polymac wrote, not {name}: ") and reason in text
    assert "\n" not in text


def test_a_parquet_file_of_others():
    import pyarrow
    from pyarrow import parquet

    parquet.write_table(pyarrow.table({"x": [1]}), "other.parquet")
    with pytest.raises(ParameterError, match=r"not other.parquet: it does not say its schema$"):
        read_rows("other.parquet")


def test_wrong_paths(monkeypatch: pytest.MonkeyPatch):
    Path("rows.json").write_text("mine")
    for call, message in (
        (lambda: write_rows("rows.json", ROWS), "output must be a new file unless force is True, not rows.json"),
        (lambda: write_rows("rows.xls", ROWS), "output must end with one of .parquet, .csv, .json, not 'rows.xls'"),
        (
            lambda: write_rows("none/rows.csv", ROWS),
            "output must be a file that can be written, not none/rows.csv: No such file or directory",
        ),
        (
            lambda: read_rows("none.csv"),
            "results must be a file that can be read, not none.csv: No such file or directory",
        ),
    ):
        with pytest.raises(ParameterError) as error:
            call()
        assert str(error.value) == message
    assert Path("rows.json").read_text() == "mine"
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(
        ParameterError, match=r"^output must be no Parquet where pyarrow is not installed \(pip install "
    ):
        write_rows("rows.parquet", ROWS)
