"""Runs synthesis jobs, each in a worker process of its own, here or on a cluster; results may be kept and used again."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, contextmanager
from functools import lru_cache
from pathlib import Path
from queue import SimpleQueue
from typing import Any, Protocol

from ...golden.formats import ParameterError, check_int
from ..store import ResultStore
from .job import NO_ABC_OUTPUT as NO_ABC_OUTPUT
from .job import Job, Limits, Outcome, Processes, SynthesisError, run_job, tool

#: Called after each job with the jobs done, the jobs in all and the label of the job; first with 0 jobs done.
Progress = Callable[[int, int, str], None]

#: Of what is kept, and of what its key is made of: a new number where either changes its meaning.
SCHEMA = 1


class Executor(Protocol):
    """Where jobs run: threads with a process each, or a cluster."""

    #: Jobs to hand over at a time.
    window: int

    @property
    def width(self) -> int:
        """Jobs that run at a time."""
        ...

    def submit(self, job: Job, limits: Limits) -> Future[Outcome | SynthesisError]:
        """Hand over a job."""
        ...

    def result(self, job: Job, future: Future[Outcome | SynthesisError]) -> Outcome | SynthesisError:
        """What a job's future holds, once it is done."""
        ...

    def stop(self) -> None:
        """End what runs, as far as that is possible, and take back what waits."""
        ...


class Workers:
    """Runs jobs, at most ``jobs`` at a time, each for at most ``timeout`` seconds.

    A result that is in the store is taken from there; with the seconds that it took when it ran. What fails is not kept:
    a time limit, or memory that was short, says nothing of the next run.

    Parameters
    ----------
    jobs : int
        Worker processes at a time, at least 1.
    timeout : float
        Seconds after which a job is ended, over 0.
    store : ResultStore, optional
        Where results are kept; nowhere unless given.
    memory_mb : int, optional
        Address space in MB (10^6 bytes) that each process of a job may take; no limit unless given.
    cluster : Executor, optional
        Where jobs run instead of this machine (:func:`~polymac.synth.yosys.cluster.connect`), as many at a time as it
        has threads.

    Raises
    ------
    ParameterError
        A parameter is out of range.
    """

    def __init__(
        self,
        jobs: int,
        timeout: float,
        *,
        store: ResultStore | None = None,
        memory_mb: int | None = None,
        cluster: Executor | None = None,
    ) -> None:
        self.jobs = check_int("jobs", jobs, 1)
        if isinstance(timeout, bool) or not isinstance(timeout, int | float):
            raise TypeError(f"timeout must be a number of seconds, not {timeout!r}")
        if not 0 < timeout < math.inf:
            raise ParameterError(f"timeout must be over 0 seconds and finite, not {timeout:g}")
        self.timeout = timeout
        self.store = store
        self.memory_mb = None if memory_mb is None else check_int("memory_mb", memory_mb, 1)
        self.cluster = cluster
        self._processes = Processes()

    @property
    def width(self) -> int:
        """Jobs that run at a time."""
        return self.jobs if self.cluster is None else self.cluster.width

    def run(self, jobs: Sequence[Job], progress: Progress | None = None) -> list[Outcome | SynthesisError]:
        """The outcome of every job, in the order of the jobs: what it left, or why it failed.

        Whatever interrupts the wait (Ctrl-C, an error of ``progress``) ends all workers before it goes on; what was done
        is kept.
        """
        outcomes: dict[int, Outcome | SynthesisError] = {}
        if progress is not None:
            progress(0, len(jobs), "")
        with closing(self._finished(jobs)) as finished:
            for index, outcome in finished:
                outcomes[index] = outcome
                if progress is not None:
                    progress(len(outcomes), len(jobs), jobs[index].label)
        return [outcomes[index] for index in range(len(jobs))]

    def _finished(self, jobs: Sequence[Job]) -> Generator[tuple[int, Outcome | SynthesisError]]:
        """The index and outcome of every job, in the order in which they are done."""
        limits = Limits(self.timeout, self.memory_mb)
        done: SimpleQueue[tuple[str, Future[Outcome | SynthesisError]]] = SimpleQueue()
        # Equal jobs run once: by key, the places of those that wait for one that runs.
        waiting: dict[str, list[int]] = {}

        def one_done() -> Iterator[tuple[int, Outcome | SynthesisError]]:
            key, future = done.get()
            first, *others = waiting.pop(key)
            outcome = executor.result(jobs[first], future)
            if self.store is not None and isinstance(outcome, Outcome):
                self.store.put(key, dataclasses.asdict(outcome))
            yield first, outcome
            for index in others:
                yield index, _relabelled(outcome, jobs[first], jobs[index])

        with self._executor() as executor:
            for index, job in enumerate(jobs):
                key = job_key(job) if self.store is not None else str(index)
                if key in waiting:
                    waiting[key].append(index)
                    continue
                if (kept := self._kept(key)) is not None:
                    yield index, kept
                    continue
                while len(waiting) >= executor.window:
                    yield from one_done()
                waiting[key] = [index]
                future = executor.submit(job, limits)
                future.add_done_callback(lambda future, key=key: done.put((key, future)))
            while waiting:
                yield from one_done()

    def _kept(self, key: str) -> Outcome | None:
        value = None if self.store is None else self.store.get(key)
        try:
            return None if value is None else Outcome(**value)
        except TypeError:  # not what SCHEMA says; it runs again, and is replaced
            return None

    @contextmanager
    def _executor(self) -> Iterator[Executor]:
        executor = self.cluster or _Threads(self.jobs, self._processes)
        try:
            yield executor
        except BaseException:
            executor.stop()
            raise
        finally:
            if isinstance(executor, _Threads):
                executor.threads.shutdown()
            if self.store is not None:
                self.store.close()


class _Threads:
    """Jobs on this machine: a thread waits for each process."""

    def __init__(self, jobs: int, processes: Processes) -> None:
        self.width = jobs
        self.window = 2 * jobs
        self.threads = ThreadPoolExecutor(jobs)
        self._processes = processes

    def submit(self, job: Job, limits: Limits) -> Future[Outcome | SynthesisError]:
        return self.threads.submit(run_job, job, limits, tool(), processes=self._processes)

    def result(self, job: Job, future: Future[Outcome | SynthesisError]) -> Outcome | SynthesisError:
        return future.result()

    def stop(self) -> None:
        self._processes.stop()
        self.threads.shutdown(wait=False, cancel_futures=True)


def job_key(job: Job) -> str:
    """The hash of all that a job's outcome depends on: commands, contents of files and links, and the Yosys.

    The label is not among them, nor are the limits: they decide whether there is an outcome, not which.
    """
    parts: dict[str, Any] = {
        "schema": SCHEMA,
        "tool": tool(),
        "commands": list(job.commands),
        "files": {name: hashlib.sha256(text.encode()).hexdigest() for name, text in sorted(job.files.items())},
        "links": {name: _content_hash(path) for name, path in sorted(job.links.items())},
    }
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def _content_hash(path: Path) -> str:
    status = path.stat()
    return _hash_of(path, status.st_mtime_ns, status.st_size, status.st_ino)


@lru_cache(maxsize=1024)
def _hash_of(path: Path, mtime_ns: int, size: int, inode: int) -> str:
    """A file's hash, read again where the file is no longer the same."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _relabelled(outcome: Outcome | SynthesisError, first: Job, job: Job) -> Outcome | SynthesisError:
    """An equal job's outcome under this job's label."""
    if isinstance(outcome, Outcome):
        return outcome
    return SynthesisError(job.label + str(outcome).removeprefix(first.label))
