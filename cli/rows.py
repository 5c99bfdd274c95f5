"""What the commands that measure do with rows: their files, and their figures in a table."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import click

from ..comparison import FIGURES, Row
from ..comparison.export import check_suffix, write_rows
from .output import check_new_file

Function = TypeVar("Function", bound=Callable[..., Any])
#: What a column shows of a row.
Show = Callable[[Row], str]


def outputs_option(more: str) -> Callable[[Function], Function]:
    """Decorator: ``--output``; ``more`` is the rest of the sentence in its help text."""
    return click.option(
        "--output",
        "outputs",
        metavar="FILE",
        multiple=True,
        type=click.Path(path_type=Path),
        help=f"Write the rows to FILE.parquet, FILE.csv or FILE.json{more}",
    )


def check_outputs(outputs: Sequence[Path], *, force: bool) -> None:
    """Raise before the work, and not after it, where :func:`write_outputs` would not write.

    Raises
    ------
    ParameterError
        A suffix is unknown, or a file is there and ``force`` is False.
    """
    for path in outputs:
        check_suffix(path)
        check_new_file("--output", path, force=force)


def write_outputs(outputs: Sequence[Path], rows: Sequence[Row], *, force: bool) -> None:
    """Write the rows to each file."""
    for path in outputs:
        write_rows(path, rows, force=force)


def shown(name: str) -> Show:
    """Shows the figure of that name, or a dash."""

    def show(row: Row) -> str:
        value = row.figures.get(name)
        return "–" if value is None else f"{value:{FIGURES[name].style}}"

    return show
