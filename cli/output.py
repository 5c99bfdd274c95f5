"""What the commands print: tables and progress for people, JSON for programs."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click
from rich import box
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table

from ..golden.formats import ParameterError
from ..hdl.emit.design import write_files

# Wide enough that a table that is piped is never cut.
_PIPED_WIDTH = 10_000

#: What long calls report: done, in all, and what is being done.
Report = Callable[..., None]


class _Pipe(Console):
    def on_broken_pipe(self) -> None:
        raise BrokenPipeError  # Rich would exit with status 1, which says that a check failed


def print_table(title: str, columns: Sequence[str], rows: Sequence[Sequence[str]], *, left: Sequence[str] = ()) -> None:
    """Print a table; columns are right-aligned except those named in ``left``."""
    if title:
        click.echo(title)  # as a table's title it would be wrapped to the table's width
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for column in columns:
        table.add_column(column, justify="left" if column in left else "right")
    for row in rows:
        table.add_row(*row)
    width = None if sys.stdout.isatty() else _PIPED_WIDTH
    _Pipe(width=width, markup=False, emoji=False, highlight=False).print(table)


def print_json(value: object) -> None:
    """Print a value as JSON; paths become text."""
    click.echo(json_text(value), nl=False)


def json_text(value: object) -> str:
    """JSON of plain values and paths, ending with a newline."""
    return json.dumps(value, indent=2, ensure_ascii=False, default=_plain) + "\n"


def _plain(value: object) -> str:
    if isinstance(value, Path):
        return str(value)
    raise TypeError(f"JSON must be made of plain values and paths, not {value!r}")


def check_new_file(option: str, path: Path, *, force: bool) -> None:
    """Raise before the work, and not after it, where :func:`write_file` would not write.

    Raises
    ------
    ParameterError
        ``path`` is a folder, or is a file and ``force`` is False.
    """
    if path.is_dir():
        raise ParameterError(f"{option} must be a file, not the folder {path}")
    if path.exists() and not force:
        raise ParameterError(f"{option} must be a new file unless force is True, not {path}")


def write_file(path: Path, text: str, *, force: bool) -> None:
    """Write a text file whole or not at all."""
    write_files(path.parent, {path.name: text}, force=force)


@contextmanager
def progress(title: str) -> Iterator[Report | None]:
    """A progress bar on stderr, gone when the work is done, and the function that moves it.

    None where stderr is no terminal.
    """
    if not sys.stderr.isatty():
        yield None
        return
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(title, total=None)

        def report(done: int, total: int, label: str = "") -> None:
            bar.update(task, completed=done, total=total, description=label or title)

        yield report


def lines(**items: Any) -> None:
    """Print ``key: value`` lines, the values aligned; None is left out."""
    shown = {key.replace("_", " "): value for key, value in items.items() if value is not None}
    width = max(map(len, shown), default=0) + 1
    for key, value in shown.items():
        click.echo(f"{key + ':':{width}} {value}")
