"""The command as a process: pipes, a full disk, Ctrl-C and SIGTERM."""

from __future__ import annotations

import contextlib
import os
import pty
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import IO

import pytest

COMMAND = (sys.executable, "-c", "from polymac.cli.main import main; main()")


def start(*arguments: str, folder: Path, stdout: int | IO[str] = subprocess.PIPE) -> subprocess.Popen[str]:
    # A parent that ignores SIGINT, as a shell's background job does, would hand that down.
    return subprocess.Popen(
        [*COMMAND, *arguments],
        cwd=folder,
        env={**os.environ, "TMPDIR": str(folder)},
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
        stdout=stdout,
    )


def workers(folder: Path) -> list[str]:
    """The command lines of all processes that run in a folder below ``folder``."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            place = (process / "cwd").readlink()
            if place != folder and place.is_relative_to(folder):
                found.append((process / "cmdline").read_text().replace("\0", " "))
        except OSError:  # it has ended meanwhile, or is another user's
            continue
    return found


def wait_for(what: Callable[[], object], seconds: float = 20) -> None:
    end = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < end, "nothing happened"
        time.sleep(0.02)


@pytest.mark.parametrize(
    ("number", "status", "message"),
    [(signal.SIGINT, 130, "polymac: interrupted\n"), (signal.SIGTERM, 143, "")],
)
def test_interrupt_ends_the_workers_and_writes_nothing(tmp_path, number, status, message):
    process = start("compare", "--formats", "int64", "--jobs", "2", "--json", "areas.json", folder=tmp_path)
    # Two at a time are recipes of the synthesis: generation and the library's probe have one process each.
    wait_for(lambda: sum("worker.py" in line for line in workers(tmp_path)) == 2)
    process.send_signal(number)
    try:
        out, err = process.communicate(timeout=4)  # each recipe takes longer than that, unless it is ended
    finally:
        process.kill()
    assert (process.returncode, out, err) == (status, "", message)
    wait_for(lambda: not workers(tmp_path), 5)
    assert list(tmp_path.iterdir()) == []


def test_interrupted_generation_leaves_no_file(tmp_path):
    process = start(
        "generate", "dot", "--a", "int32", "--b", "int32", "--lanes", "32", "--architecture", "tree", folder=tmp_path
    )
    # Importing is done soon after NumPy is mapped; generating takes some twenty times as long.
    wait_for(lambda: "_multiarray_umath" in Path(f"/proc/{process.pid}/maps").read_text())
    time.sleep(3)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=20)
    assert (process.returncode, out, err) == (130, "", "polymac: interrupted\n")
    wait_for(lambda: not workers(tmp_path), 5)
    assert list(tmp_path.iterdir()) == []


def test_a_reader_that_leaves_is_no_error(tmp_path):
    read, write = os.pipe()
    os.close(read)
    process = start("formats", folder=tmp_path, stdout=write)
    os.close(write)
    _, err = process.communicate(timeout=20)
    assert (process.returncode, err) == (128 + signal.SIGPIPE, "")


def test_stdout_that_is_full(tmp_path):
    with Path("/dev/full").open("w") as full:
        process = start("formats", "--json", folder=tmp_path, stdout=full)
        _, err = process.communicate(timeout=20)
    message = "polymac: output must be where there is room, not standard output or a temporary file: "
    message += "No space left on device\n"
    assert (process.returncode, err) == (2, message)


def test_progress_on_a_terminal_only(tmp_path):
    """Standard error on a pseudo-terminal gets a bar, which is gone at the end; standard output stays plain."""
    reader, terminal = pty.openpty()
    process = subprocess.Popen(
        [*COMMAND, "compare", "--formats", "int2", "--target", "cmos"],
        cwd=tmp_path,
        env={**os.environ, "TERM": "xterm"},
        stdout=subprocess.PIPE,
        stderr=terminal,
        text=True,
    )
    os.close(terminal)
    shown = b""
    with contextlib.suppress(OSError):  # the terminal's other end has gone
        while part := os.read(reader, 65536):
            shown += part
    os.close(reader)
    out, _ = process.communicate(timeout=20)
    assert process.returncode == 0
    assert b"comparing 1 units" in shown and b"5/5" in shown
    assert "\x1b" not in out and "multiplier on cmos" in out
