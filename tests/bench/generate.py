"""Seconds, megabytes and memory of generating an array in every format of the catalogue, by the user's command.

The goals are those of the largest arrays: 128 × 128 in 20 s and 5 MB, 256 × 256 in 40 s, both in 1 GB of memory. Run as
``python tests/bench/generate.py``, with ``--side 256`` for the second.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from history import History, add_option

from polymac import golden, hdl
from polymac.cli.output import json_text, print_table, progress

HISTORY = History("generate")


@dataclass(frozen=True)
class Generated:
    """What one command took: wall-clock and processor seconds, megabytes of Verilog, peak resident memory in megabytes."""

    fmt: str
    seconds: float
    processor_seconds: float
    verilog_mb: float
    memory_mb: float


def is_operand(fmt: str) -> bool:
    """Whether there are arrays of the format; formats of scales have no sum of their own."""
    try:
        hdl.Array(a=fmt, b=fmt, rows=1, cols=1)
    except golden.ParameterError:
        return False
    return True


def generate(fmt: str, side: int, dataflow: str) -> Generated:
    """Run the command in a process of its own.

    Raises
    ------
    RuntimeError
        It fails; with what it said.
    """
    with tempfile.TemporaryDirectory() as folder:
        arguments = ["--a", fmt, "--b", fmt, "--rows", str(side), "--cols", str(side), "--dataflow", dataflow]
        command = [str(Path(sys.executable).with_name("polymac")), "generate", "array", *arguments, "--output", folder]
        started = time.perf_counter()
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        assert process.stderr is not None
        said = process.stderr.read()
        # Of this process alone, and of what it has waited for.
        _, status, used = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - started
        if status:
            raise RuntimeError(f"{' '.join(command)}: {said}")
        size = sum(path.stat().st_size for path in Path(folder).glob("*.v"))
    return Generated(fmt, seconds, used.ru_utime + used.ru_stime, size / 1e6, used.ru_maxrss / 1e3)


def main() -> None:
    """Print a row for each format and the worst of all."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--side", type=int, default=128, help="rows and columns")
    parser.add_argument("--dataflow", choices=("os", "ws"), default="os")
    parser.add_argument("--only", metavar="TEXT", default="", help="only the formats whose name contains this")
    parser.add_argument("--json", metavar="FILE", type=Path, help="write the figures there")
    add_option(parser)
    given = parser.parse_args()
    HISTORY.file = given.history
    names = [name for name in (*golden.FORMATS, *golden.BLOCK_FORMATS) if given.only in name and is_operand(name)]
    rows: list[Generated] = []
    with progress("generating") as report:
        for name in names:
            rows.append(generate(name, given.side, given.dataflow))
            work = f"{name} {given.side} × {given.side} {given.dataflow}"
            HISTORY.add(work, rows[-1].processor_seconds, "s")
            HISTORY.add(f"{work}, Verilog", rows[-1].verilog_mb, "MB")
            HISTORY.add(f"{work}, memory", rows[-1].memory_mb, "MB")
            if report is not None:
                report(len(rows), len(names), name)
    figures = [[r.seconds, r.processor_seconds, r.verilog_mb, r.memory_mb] for r in rows]
    worst = [max(column) for column in zip(*figures, strict=True)]
    lines = [[r.fmt, *each] for r, each in zip(rows, figures, strict=True)] + [["most", *worst]]
    cells = [[line[0], *(f"{x:.2f}" for x in line[1:4]), f"{line[4]:.0f}"] for line in lines]
    print_table(
        f"{given.side} × {given.side} {given.dataflow}",
        ["format", "s", "CPU s", "MB", "memory MB"],
        cells,
        left=("format",),
    )
    if given.json is not None:
        given.json.write_text(json_text([asdict(row) for row in rows]), encoding="utf-8")


if __name__ == "__main__":
    main()
