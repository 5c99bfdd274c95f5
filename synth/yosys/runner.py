"""Runs synthesis jobs, each in a worker process of its own, on a bounded number of threads."""

from __future__ import annotations

import json
import math
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from ...golden.formats import ParameterError, check_int

#: The line of the log that says that there will be none of ABC's: the WebAssembly build loses what ABC prints.
NO_ABC_OUTPUT = "polymac: this Yosys gives no output of ABC's"

#: Called after each job with the jobs done, the jobs in all and the label of the job; first with 0 jobs done.
Progress = Callable[[int, int, str], None]

_COMMAND = (sys.executable, "-P", str(Path(__file__).with_name("worker.py").resolve()))
_LOG = "yosys.log"
_TEMPORARY = re.compile(r"[^\s\"'`]*\bpolymac-synth-\w+/(yosys-abc-\w+/)?")


class SynthesisError(RuntimeError):
    """A job that gave no figures; the message names the design, target and recipe and the reason, in one line."""


@dataclass(frozen=True)
class Job:
    """One run of Yosys.

    Parameters
    ----------
    label : str
        What is run, for progress and errors.
    commands : tuple of str
        Yosys commands.
    files : mapping of str to str
        Names and texts of the files that the commands read.
    links : mapping of str to Path
        Names and places of files that are read where they are.
    """

    label: str
    commands: tuple[str, ...]
    files: Mapping[str, str]
    links: Mapping[str, Path] = field(default_factory=dict)


@dataclass(frozen=True)
class Outcome:
    """What a job left: Yosys' log, its JSON reports by file name, and the seconds it took."""

    log: str
    reports: dict[str, dict[str, Any]]
    seconds: float


class Workers:
    """Runs jobs, at most ``jobs`` at a time, each for at most ``timeout`` seconds.

    Parameters
    ----------
    jobs : int
        Worker processes at a time, at least 1.
    timeout : float
        Seconds after which a job is ended, over 0.

    Raises
    ------
    ParameterError
        A parameter is out of range.
    """

    def __init__(self, jobs: int, timeout: float) -> None:
        self.jobs = check_int("jobs", jobs, 1)
        if isinstance(timeout, bool) or not isinstance(timeout, int | float):
            raise TypeError(f"timeout must be a number of seconds, not {timeout!r}")
        if not 0 < timeout < math.inf:
            raise ParameterError(f"timeout must be over 0 seconds and finite, not {timeout:g}")
        self.timeout = timeout
        self._lock = threading.Lock()
        self._running: set[subprocess.Popen[str]] = set()
        self._stopped = False

    def run(self, jobs: Sequence[Job], progress: Progress | None = None) -> list[Outcome | SynthesisError]:
        """The outcome of every job, in the order of the jobs: what it left, or why it failed.

        Whatever interrupts the wait (Ctrl-C, an error of ``progress``) ends all workers before it goes on.
        """
        outcomes: dict[int, Outcome | SynthesisError] = {}
        with ThreadPoolExecutor(self.jobs) as threads:
            try:
                if progress is not None:
                    progress(0, len(jobs), "")
                futures = {threads.submit(self._outcome, job): index for index, job in enumerate(jobs)}
                for future in as_completed(futures):
                    index = futures[future]
                    outcomes[index] = future.result()
                    if progress is not None:
                        progress(len(outcomes), len(jobs), jobs[index].label)
            except BaseException:
                self._stop()
                threads.shutdown(wait=False, cancel_futures=True)
                raise
        return [outcomes[index] for index in range(len(jobs))]

    def _outcome(self, job: Job) -> Outcome | SynthesisError:
        try:
            return self._run(job)
        except SynthesisError as error:
            return error

    def _run(self, job: Job) -> Outcome:
        # A worker killed in mid-write may still be dying when its folder goes.
        with TemporaryDirectory(prefix="polymac-synth-", ignore_cleanup_errors=True) as name:
            folder = Path(name)
            _fill(folder, job)
            start = time.monotonic()
            status = self._wait(job, folder)
            seconds = time.monotonic() - start
            log = (folder / _LOG).read_text(encoding="utf-8", errors="replace")
            if status:
                # The folder's random names say nothing to anyone.
                raise SynthesisError(f"{job.label}: {_reason(status, _TEMPORARY.sub('', log))}")
            reports = {path.name: json.loads(path.read_text(encoding="utf-8")) for path in folder.glob("*.json")}
            return Outcome(log, reports, round(seconds, 3))

    def _wait(self, job: Job, folder: Path) -> int:
        """Run the worker in ``folder`` and return its exit status."""
        seconds = math.ceil(self.timeout) + 1
        order = json.dumps({"commands": job.commands, "cpu_seconds": seconds, "webassembly_note": NO_ABC_OUTPUT})
        with (folder / _LOG).open("w", encoding="utf-8") as log:
            process = self._start(folder, log.fileno())
            try:
                process.communicate(order, timeout=self.timeout)
            except subprocess.TimeoutExpired:
                raise SynthesisError(f"{job.label}: no result within the time limit of {self.timeout:g} s") from None
            finally:
                with self._lock:
                    self._running.discard(process)
                    if process.poll() is None or process.returncode:
                        _kill(process)
                process.wait()
        return process.returncode

    def _start(self, folder: Path, log: int) -> subprocess.Popen[str]:
        # A session of its own: its ABC is ended with it, and Ctrl-C reaches the parent alone, which ends all in order.
        # A TMPDIR of its own: Yosys leaves a converted copy of the library there, to be found by name and date.
        environment = {**os.environ, "TMPDIR": str(folder)}
        with self._lock:
            if self._stopped:
                raise SynthesisError("synthesis was interrupted")
            process = subprocess.Popen(
                _COMMAND,
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=folder,
                env=environment,
                text=True,
                start_new_session=True,
            )
            self._running.add(process)
            return process

    def _stop(self) -> None:
        """End all workers and start no more."""
        with self._lock:
            self._stopped = True
            for process in self._running:
                _kill(process)


def _fill(folder: Path, job: Job) -> None:
    for name, text in job.files.items():
        (folder / name).write_text(text, encoding="utf-8")
    for name, path in job.links.items():
        if find_spec("pyosys") is not None:
            (folder / name).symlink_to(path)
        else:  # WebAssembly sees nothing outside its folder
            shutil.copyfile(path, folder / name)


def _kill(process: subprocess.Popen[str]) -> None:
    """End the worker and all that it started (its process group)."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        return


def _reason(status: int, log: str) -> str:
    """Why a worker failed, in one line."""
    if status < 0:
        return f"the worker was ended by {signal.Signals(-status).name}"
    # Anywhere in the log, in which what goes to standard error may come before what was printed earlier.
    if found := re.search(r"^(.*)\bERROR: ?(.+)", log, re.MULTILINE):
        return (found[1] + found[2]).strip()
    lines = [line.strip() for line in log.splitlines() if line.strip()]
    return f"the worker ended with status {status}: {lines[-1] if lines else 'no output'}"
