"""Files of results: Parquet, CSV and JSON, with everything that a row holds, and read again."""

from __future__ import annotations

import csv
import io
import json
import math
import os
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import fields
from importlib.metadata import version
from os import PathLike
from pathlib import Path
from typing import Any

from ..golden.formats import ParameterError
from .row import SCHEMA, Row

SUFFIXES = (".parquet", ".csv", ".json")

#: A row with one value a column.
_Flat = dict[str, Any]
#: What a row holds besides figures and the options that were asked for.
_FIELDS = tuple(item.name for item in fields(Row) if item.name != "figures")
_ASKED = ("unit", "target", "preset")
_TEXTS = ("computes", "differs", "error", "verilog")

#: JSON has no such numbers, of which a perfect accuracy is one: they are written as these texts.
_NOT_FINITE = {"inf": math.inf, "-inf": -math.inf, "nan": math.nan}
_SCHEMA_COLUMN = "schema"
_METADATA = b"polymac"
_AS_JSON = {_METADATA: b"json"}


def check_suffix(path: str | PathLike[str]) -> str:
    """The suffix of a file of results, which says what it is.

    Raises
    ------
    ParameterError
        It is none of :data:`SUFFIXES`, or the package that writes it is not installed.
    """
    suffix = Path(path).suffix
    if suffix not in SUFFIXES:
        raise ParameterError(f"output must end with one of {', '.join(SUFFIXES)}, not {str(path)!r}")
    if suffix == ".parquet":
        _pyarrow()
    return suffix


def write_rows(path: str | PathLike[str], rows: Sequence[Row], *, force: bool = False) -> None:
    """Write rows to a file, whole or not at all.

    JSON holds them as they are. Tables have a column for each figure (:data:`.figures.FIGURES` says its unit) and each
    option, and one for each other member of the row; lists, objects and columns of mixed kinds are JSON in their cells.
    In CSV nothing is an empty cell, a text that would read as another value is a JSON string, and the Verilog is left
    out. Where JSON is written, infinities and NaN are the texts inf, -inf and nan.

    Parameters
    ----------
    path : path
        The file; its suffix says which kind it is.
    rows : sequence of Row
        What is written.
    force : bool
        Whether a file that exists is replaced.

    Raises
    ------
    ParameterError
        The suffix is unknown, pyarrow is not installed, the file exists, or cannot be written.
    """
    path = Path(path)
    suffix = check_suffix(path)
    if path.exists() and not force:
        raise ParameterError(f"output must be a new file unless force is True, not {path}")
    _write(path, {".json": _to_json, ".csv": _to_csv, ".parquet": _to_parquet}[suffix](rows))


def read_rows(path: str | PathLike[str]) -> list[Row]:
    """The rows that :func:`write_rows` wrote.

    Raises
    ------
    ParameterError
        The file cannot be read, is none of ours, or of another schema.
    """
    path = Path(path)
    suffix = check_suffix(path)
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ParameterError(f"results must be a file that can be read, not {path}: {error.strerror}") from None
    try:
        return {".json": _from_json, ".csv": _from_csv, ".parquet": _from_parquet}[suffix](path, content)
    except KeyError as error:
        raise _none_of_ours(path, f"there is no {error}") from None


def rows_as_csv(rows: Sequence[Row]) -> str:
    """The text of a CSV file of these rows."""
    return _to_csv(rows).decode()


def _flat(row: Row, leave_out: Sequence[str] = ()) -> _Flat:
    """One value a column: name, what was asked for, figures, and the rest of the row."""
    request = row.request
    asked = {name: request[name] or None for name in _ASKED}
    asked |= {name: value for name, value in request["options"].items() if name not in asked}
    others = {name: getattr(row, name) for name in _FIELDS} | {name: getattr(row, name) or None for name in _TEXTS}
    found = {"name": row.name} | asked | row.figures | others
    return {name: value for name, value in found.items() if name not in leave_out}


def _from_flat(flat: Mapping[str, Any]) -> Row:
    request = flat["request"]
    others = {*_FIELDS, *_ASKED, *request["options"]}
    figures = {name: value for name, value in flat.items() if name not in others and value is not None}
    members: dict[str, Any] = {item.name: flat.get(item.name) for item in fields(Row) if item.name in _FIELDS}
    # An empty text is an empty cell.
    texts: dict[str, Any] = {name: "" for name, value in members.items() if value is None and name in _TEXTS}
    return Row(**members | texts, figures=figures)


def _table(rows: Sequence[Row], leave_out: Sequence[str] = ()) -> tuple[list[str], list[_Flat]]:
    """The columns in the order in which they first appear, and rows that have them all."""
    flat = [_flat(row, leave_out) for row in rows]
    # What is long comes last, wherever the figures of a row end.
    columns = dict.fromkeys(name for row in flat for name in row if name not in _FIELDS)
    names = [name for name in ("name", *columns, *_FIELDS[1:]) if name not in leave_out]
    return names, [{name: row.get(name) for name in names} for row in flat]


def _write(path: Path, content: bytes) -> None:
    """The content under a temporary name, which is replaced when it is complete."""
    temporary = None
    try:
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=".polymac-")
        with os.fdopen(handle, "wb") as stream:
            stream.write(content)
        Path(temporary).chmod(0o644)
        Path(temporary).replace(path)
    except OSError as error:
        raise ParameterError(f"output must be a file that can be written, not {path}: {error.strerror}") from None
    finally:
        if temporary is not None:
            Path(temporary).unlink(missing_ok=True)


def _check_schema(path: Path, found: object, by: str = "") -> None:
    if found != SCHEMA:
        raise ParameterError(f"results must be of schema {SCHEMA}, not {found}: {path}{by}")


def _none_of_ours(path: Path, reason: object) -> ParameterError:
    return ParameterError(f"results must be a file that polymac wrote, not {path}: {reason}")


def json_text(rows: Sequence[Row]) -> str:
    """The text of a JSON file of these rows."""
    document = {_SCHEMA_COLUMN: SCHEMA, "polymac": version("polymac"), "rows": [row.plain() for row in rows]}
    return json.dumps(_finite(document), indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def _to_json(rows: Sequence[Row]) -> bytes:
    return json_text(rows).encode()


def _from_json(path: Path, content: bytes) -> list[Row]:
    try:
        document = json.loads(content)
        found, rows = document[_SCHEMA_COLUMN], document["rows"]
        _check_schema(path, found, f", written by polymac {document.get('polymac')}")
        return [Row(**_from_finite(row)) for row in rows]
    except ParameterError:
        raise
    except (ValueError, TypeError) as error:
        raise _none_of_ours(path, error) from None


def _finite(value: Any) -> Any:
    """The value with texts in place of infinities and NaN."""
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, Mapping):
        return {key: _finite(item) for key, item in value.items()}
    return [_finite(item) for item in value] if isinstance(value, list | tuple) else value


def _from_finite(value: Any) -> Any:
    if isinstance(value, str):
        return _NOT_FINITE.get(value, value)
    if isinstance(value, dict):
        return {key: _from_finite(item) for key, item in value.items()}
    return [_from_finite(item) for item in value] if isinstance(value, list) else value


def _to_csv(rows: Sequence[Row]) -> bytes:
    columns, table = _table(rows, leave_out=("verilog",))
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([_SCHEMA_COLUMN, *columns])
    writer.writerows([SCHEMA, *map(_to_cell, row.values())] for row in table)
    return text.getvalue().encode()


def _from_csv(path: Path, content: bytes) -> list[Row]:
    try:
        header, *lines = csv.reader(io.StringIO(content.decode(), newline=""), strict=True)
    except (ValueError, csv.Error) as error:
        raise _none_of_ours(path, error) from None
    if header[:1] != [_SCHEMA_COLUMN]:
        raise _none_of_ours(path, f"its first column is not {_SCHEMA_COLUMN}")
    rows = []
    for line in lines:
        _check_schema(path, _from_cell(line[0]) if line else None)
        if len(line) != len(header):
            raise _none_of_ours(path, f"a line has {len(line)} cells of {len(header)}")
        rows.append(_from_flat(dict(zip(header[1:], map(_from_cell, line[1:]), strict=True))))
    return rows


def _to_cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, str):
        # As it is, unless it would read as something else, or would not be one line.
        return value if _from_cell(value) == value and value.isprintable() else json.dumps(value)
    value = _finite(value)
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _from_cell(cell: str) -> Any:
    if not cell:
        return None
    if cell in _NOT_FINITE:
        return _NOT_FINITE[cell]
    try:
        value = json.loads(cell, parse_constant=_no_constant)
    except ValueError:
        return cell
    return value if isinstance(value, str) else _from_finite(value)


def _no_constant(name: str) -> Any:
    raise ValueError(name)  # NaN and Infinity are texts as any other


def _to_parquet(rows: Sequence[Row]) -> bytes:
    arrow, parquet = _pyarrow()
    columns, table = _table(rows)
    fields, arrays = [], []
    for name in columns:
        values = [row[name] for row in table]
        kind = _kind(arrow, values)
        as_json = kind is None
        if as_json:
            values = [None if value is None else json.dumps(_finite(value), ensure_ascii=False) for value in values]
        fields.append(arrow.field(name, kind or arrow.string(), metadata=_AS_JSON if as_json else None))
        arrays.append(arrow.array(values, kind or arrow.string()))
    metadata = {_METADATA: json.dumps({_SCHEMA_COLUMN: SCHEMA, "polymac": version("polymac")}).encode()}
    made = arrow.Table.from_arrays(arrays, schema=arrow.schema(fields, metadata=metadata))
    sink = io.BytesIO()
    parquet.write_table(made, sink)
    return sink.getvalue()


def _from_parquet(path: Path, content: bytes) -> list[Row]:
    arrow, parquet = _pyarrow()
    try:
        table = parquet.read_table(io.BytesIO(content))
        written = json.loads((table.schema.metadata or {})[_METADATA])
        found = written[_SCHEMA_COLUMN]
    except (arrow.ArrowException, OSError, ValueError) as error:
        raise _none_of_ours(path, str(error).splitlines()[0]) from None
    except (KeyError, TypeError):
        raise _none_of_ours(path, "it does not say its schema") from None
    _check_schema(path, found, f", written by polymac {written.get('polymac')}")
    rows: list[_Flat] = table.to_pylist()
    for field in table.schema:
        if (field.metadata or {}).get(_METADATA) == b"json":
            for row in rows:
                text = row[field.name]
                row[field.name] = None if text is None else _from_finite(json.loads(text))
    return [_from_flat(row) for row in rows]


def _kind(arrow: Any, values: list[Any]) -> Any:
    """The Arrow type that holds all values; None where that is JSON."""
    kinds = {type(value) for value in values if value is not None}
    if kinds <= {str}:
        return arrow.string()
    if kinds == {bool}:
        return arrow.bool_()
    if kinds == {int} and all(value is None or -(2**63) <= value < 2**63 for value in values):
        return arrow.int64()
    # Whole numbers among others: those that a double holds exactly.
    if kinds <= {int, float} and all(not isinstance(value, int) or abs(value) <= 2**53 for value in values):
        return arrow.float64()
    return None


def _pyarrow() -> tuple[Any, Any]:
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError:
        raise ParameterError(
            "output must be no Parquet where pyarrow is not installed (pip install 'polymac[parquet]')"
        ) from None
    return pyarrow, parquet
