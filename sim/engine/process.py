"""One program with everything that it starts: ended together, so that none of them is left behind."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

#: Seconds between two looks at the program.
_PERIOD = 0.02


def run_group(
    command: Sequence[str | Path],
    *,
    folder: Path,
    log: Path,
    environment: Mapping[str, str],
    limit: float | None = None,
    watch: Callable[[], None] | None = None,
) -> int:
    """Run a program in a process group of its own; returns its exit status, or minus the signal that ended it.

    What is left of the group is killed when the program ends, at the time limit, and on any exception, Ctrl-C
    included.

    Parameters
    ----------
    command : sequence of str or Path
        The program and its arguments.
    folder : Path
        Where it runs.
    log : Path
        The file that takes what it prints.
    environment : mapping
        All of its environment variables.
    limit : float, optional
        Seconds that it may take.
    watch : callable, optional
        Called many times a second while it runs.

    Raises
    ------
    subprocess.TimeoutExpired
        It took longer than ``limit``.
    """
    started = time.monotonic()
    with log.open("wb") as output:
        process = subprocess.Popen(
            command,
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            # Not by poll(), which would free the process's number before the group of that number is ended.
            while os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
                if limit is not None and time.monotonic() - started > limit:
                    raise subprocess.TimeoutExpired(process.args, limit)
                if watch is not None:
                    watch()
                time.sleep(_PERIOD)
        finally:
            kill_group(process)
            process.wait()
    return process.returncode


def kill_group(process: subprocess.Popen[Any]) -> None:
    """Kill a program that was started in a session of its own, with all that it started; nothing if it is gone."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
