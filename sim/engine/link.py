"""What :func:`.cocotb_run.run` and the bench in the simulator's process exchange: job, progress and results, as files."""

from __future__ import annotations

import ctypes
import os
import pickle
import signal
import time
from pathlib import Path
from typing import Any

#: The environment variable that names the folder of the run, and files there.
FOLDER = "POLYMAC_BENCH"
JOB, PROGRESS, RESULTS = "job", "progress", "results"

#: Seconds between two reports of progress.
_PERIOD = 0.1
#: Of Linux's <sys/prctl.h>: the signal that this process gets when the one that started it ends.
_PR_SET_PDEATHSIG = 1


class Link:
    """The folder of the run in which this process is the simulator."""

    def __init__(self) -> None:
        self.folder = Path(os.environ[FOLDER])
        self.job: Any = pickle.loads((self.folder / JOB).read_bytes())
        # Killed outright, the process that waits for this one could not end it.
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL))
        self.file = (self.folder / PROGRESS).open("wb", buffering=0)
        self.next = 0.0

    def done(self, cycles: int) -> None:
        """Report that ``cycles`` cycles are done. Called in every cycle; it writes ten times a second."""
        now = time.monotonic()
        if now >= self.next:
            self.next = now + _PERIOD
            self._write(cycles)

    def finish(self, cycles: int, results: object) -> None:
        """The bench is at its end; ``results`` go to the process that started it."""
        self._write(cycles)
        self.file.close()
        (self.folder / RESULTS).write_bytes(pickle.dumps(results))

    def _write(self, cycles: int) -> None:
        # Always as many bytes, in one call: a reader sees one number or the other.
        os.pwrite(self.file.fileno(), b"%20d" % cycles, 0)


def progress_of(folder: Path) -> int:
    """The cycles that the bench of that run has done, 0 before it says."""
    try:
        return int((folder / PROGRESS).read_bytes() or 0)
    except FileNotFoundError:
        return 0
