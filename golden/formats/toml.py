"""A user's formats from a TOML file: each table is a format, its name the table's.

A scalar format's keys are the parameters of :class:`.scalar.Format`, a block format's (``kind = "block"``) those of
:class:`.block.BlockFormat`; ``nan_codes`` is the first and the last code, formats are given by name, of the catalogue
or of the same file, in any order::

    [float8_e4m3b11]
    kind = "float"
    width = 8
    frac_bits = 3
    bias = 11
    nan_codes = [0x7f, 0x7f]

    [mxfp8_e4m3b11]
    kind = "block"
    element = "float8_e4m3b11"
    scale = "e8m0"
    block_size = 32
"""

from __future__ import annotations

import dataclasses
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ..checks import ParameterError, check_choice
from .block import BlockFormat
from .scalar import Format

_FORMAT_KEYS = ("element", "scale", "tensor_scale")


def read_formats(path: Path, find: Callable[[str], Format | None]) -> list[Format | BlockFormat]:
    """The formats of a TOML file, in its order; ``find`` gives a format that is known by its name.

    Raises
    ------
    ParameterError
        The file cannot be read, or says something that is no format: the message has file, format and key.
    """
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ParameterError(f"formats file must be a file that can be read, not {path}: {error.strerror}") from None
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ParameterError(f"{path}: formats file must be TOML, not this: {error}") from None
    for name, table in tables.items():
        if not isinstance(table, dict):
            raise ParameterError(f"{path}: {name} must be the table of a format, not {table!r}")
    scalars = {
        name: _build(path, name, table, Format.KINDS[table["kind"]])
        for name, table in tables.items()
        if _kind(path, name, table) in Format.KINDS
    }

    def named(key: str, value: object) -> Format:
        found = (scalars.get(value) or find(value)) if isinstance(value, str) else None
        if found is None:
            raise ParameterError(f"{key} must be the name of a scalar format, not {value!r}")
        return found

    return [
        scalars.get(name) or _build(path, name, _without_kind(table), BlockFormat, named)
        for name, table in tables.items()
    ]


def _kind(path: Path, name: str, table: dict[str, Any]) -> str:
    try:
        return check_choice("kind", table.get("kind"), (*sorted(Format.KINDS), "block"))
    except ParameterError as error:
        raise ParameterError(f"{path}: in [{name}], {error}") from None


def _without_kind(table: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in table.items() if key != "kind"}


def _build(
    path: Path,
    name: str,
    table: dict[str, Any],
    build: Callable[..., Any],
    named: Callable[[str, object], Format] | None = None,
) -> Any:
    """The format of one table; all that is wrong with it says where."""
    fields = {item.name: item for item in dataclasses.fields(build) if item.name != "name"}  # pyright: ignore[reportArgumentType]
    try:
        for key in table:
            check_choice("key", key, tuple(fields))
        for key, item in fields.items():
            if item.default is dataclasses.MISSING and key not in table:
                raise ParameterError(f"{key} must be given, not left out")
        values = dict(table)
        if "nan_codes" in values:
            values["nan_codes"] = _code_range(values["nan_codes"])
        for key in _FORMAT_KEYS if named else ():
            if key in values:
                values[key] = named(key, values[key])  # pyright: ignore[reportOptionalCall]
        return build(name=name, **values)
    except (ParameterError, TypeError) as error:
        raise ParameterError(f"{path}: in [{name}], {error}") from None


def _code_range(value: object) -> range:
    """``[first, last]`` as a range."""
    if isinstance(value, list) and len(value) == 2 and all(type(code) is int for code in value):
        return range(value[0], value[1] + 1)
    raise ParameterError(f"nan_codes must be the first and the last code, not {value!r}")
