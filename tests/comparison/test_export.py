from __future__ import annotations

import csv
import json
import math
import sys
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from polymac.comparison.export import SCHEMA, read_rows, rows_as_csv, write_rows
from polymac.golden.formats import ParameterError

SUFFIXES = ("json", "csv", "parquet")
ROWS = [
    {"unit": "mac", "a": "int8", "stages": 0, "area_um2": 82.5, "commands": ["synth -top m", "stat"], "error": None},
    {"unit": "mac", "a": "fp8", "stages": 1, "area_um2": None, "sqnr_db": math.inf, "error": "no result, in 60 s"},
    {"unit": "array", "flags": True, "versions": {"yosys": "0.70"}, "seconds": 3, "text": "12", "seed": 2**70},
]


@pytest.fixture(autouse=True)
def _in_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("pyarrow", reason="pyarrow, of the extra 'parquet', is not installed")
    monkeypatch.chdir(tmp_path)


def full(rows: list[dict]) -> list[dict]:
    columns = dict.fromkeys(name for row in rows for name in row)
    return [{name: row.get(name) for name in columns} for row in rows]


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_what_is_written_is_read(suffix):
    write_rows(f"rows.{suffix}", ROWS)
    found = read_rows(f"rows.{suffix}")
    assert found == full(ROWS)
    assert [list(row) for row in found] == [list(row) for row in full(ROWS)]
    write_rows(f"none.{suffix}", [])
    assert read_rows(f"none.{suffix}") == []
    assert sorted(path.name for path in Path().iterdir()) == [f"none.{suffix}", f"rows.{suffix}"]


_SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False)
    | st.text(st.characters(exclude_categories=["Cs"])).filter(lambda text: text not in ("inf", "-inf", "nan"))
)
_VALUES = _SCALARS | st.lists(_SCALARS, max_size=3) | st.dictionaries(st.text("ab", max_size=2), _SCALARS, max_size=2)


@given(st.lists(st.dictionaries(st.sampled_from(["x", "y", "a column", 'q"']), _VALUES, min_size=1), max_size=4))
@example(
    [{"x": text} for text in ("1", '"1"', "true", "null", "", "[1]", "1e5", "NaN", "Infinity", " 1", "a\r\nb", "1_0")]
)
@settings(max_examples=60, deadline=None, database=None)
def test_any_plain_values_come_back(rows):
    for suffix in SUFFIXES:
        write_rows(f"any.{suffix}", rows, force=True)
        assert read_rows(f"any.{suffix}") == full(rows), suffix


def test_others_can_read_them():
    from pyarrow import parquet

    write_rows("rows.csv", ROWS)
    with Path("rows.csv").open(newline="") as file:
        table = list(csv.DictReader(file))
    assert Path("rows.csv").read_text() == rows_as_csv(ROWS)
    assert [row["area_um2"] for row in table] == ["82.5", "", ""]
    assert [row["unit"] for row in table] == ["mac", "mac", "array"]
    write_rows("rows.json", ROWS)
    assert json.loads(Path("rows.json").read_text())["rows"][1]["error"] == "no result, in 60 s"
    write_rows("rows.parquet", ROWS)
    columns = {field.name: str(field.type) for field in parquet.read_schema("rows.parquet")}
    assert columns["area_um2"] == "double" and columns["stages"] == "int64" and columns["flags"] == "bool"
    assert columns["unit"] == columns["commands"] == columns["seed"] == "string"


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
        (lambda: write_rows("rows.csv", [{"schema": 1}]), "a column must have another name than schema"),
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
