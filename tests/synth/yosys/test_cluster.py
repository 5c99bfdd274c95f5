"""A scheduler and two workers, processes of their own, over TCP on the loopback address."""

from __future__ import annotations

import signal
import socket
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib.metadata import version
from pathlib import Path

import pytest

from polymac.golden.formats import ParameterError
from polymac.synth.store import ResultStore
from polymac.synth.yosys.cluster import connect, unlike
from polymac.synth.yosys.job import Job, Outcome, SynthesisError
from polymac.synth.yosys.runner import Workers

pytest.importorskip("distributed", reason="distributed, of the extra 'cluster', is not installed")

#: A scheduler that says that it is of another version.
_OTHER = (
    "import distributed.versions as v; plain = v.get_package_info; v.get_package_info = "
    "lambda packages: plain(packages) | {'distributed': '2000.1'}; "
)


def jobs_that_count(folder: Path, number: int, seconds: float = 0.0) -> list[Job]:
    """Jobs that leave a line in a file when they begin and one when they end."""
    library = folder / "linked.v"
    library.write_text("module linked (output y); assign y = 1; endmodule")
    return [
        Job(
            str(index),
            (
                f"exec -- echo {index} >> {folder}/begun",
                "read_verilog linked.v",
                "tee -q -o cells.json stat -json",
                f"exec -- sleep {seconds}",
                f"exec -- echo {index} >> {folder}/ended",
            ),
            {},
            {"linked.v": library},
        )
        for index in range(number)
    ]


def counts(path: Path) -> Counter[str]:
    return Counter(path.read_text().split())


@pytest.mark.slow
def test_a_worker_that_is_killed_costs_nothing_and_nothing_is_done_twice(tmp_path: Path, dask_scheduler, dask_worker):
    address, _ = dask_scheduler()
    workers = [dask_worker(address) for _ in range(2)]
    store = ResultStore(tmp_path / "store", warn=pytest.fail)
    jobs = jobs_that_count(tmp_path, 24, 0.1)
    done: list[str] = []
    finished_before: list[str] = []

    def progress(now: int, total: int, label: str) -> None:
        done.append(label)
        if now == 8:
            workers[0].send_signal(signal.SIGKILL)
            finished_before.extend(done[1:])

    with connect(address) as cluster:
        outcomes = Workers(1, 60.0, store=store, cluster=cluster).run(jobs, progress)
    assert workers[0].poll() == -signal.SIGKILL and workers[1].poll() is None
    for outcome in outcomes:
        assert isinstance(outcome, Outcome), outcome
        assert list(outcome.reports["cells.json"]["modules"]) == ["\\linked"]
    assert Counter(done) == Counter(["", *(job.label for job in jobs)])
    assert len(store) == 24
    begun = counts(tmp_path / "begun")
    # What was at hand runs once; only what the killed worker had in work, or not yet handed over, runs again.
    assert {begun[label] for label in finished_before} == {1}
    assert set(begun) == {job.label for job in jobs} and sum(begun.values()) <= 24 + 2
    with connect(address) as cluster:
        assert Workers(1, 60.0, store=store, cluster=cluster).run(jobs) == outcomes
    assert counts(tmp_path / "begun") == begun


@pytest.mark.slow
def test_the_cluster_gives_what_this_machine_gives(tmp_path: Path, dask_scheduler, dask_worker):
    address, process = dask_scheduler()
    dask_worker(address)
    good, *_ = jobs_that_count(tmp_path, 1)
    jobs = [good, Job("wrong", ("read_verilog none.v",), {}), Job("slow", ("exec -- sleep 300",), {})]
    here = Workers(2, 2.0).run(jobs)
    with connect(address) as cluster:
        there = Workers(2, 2.0, cluster=cluster).run(jobs)
        assert isinstance(here[0], Outcome) and isinstance(there[0], Outcome)
        assert there[0].reports == here[0].reports
        assert list(map(str, there[1:])) == list(map(str, here[1:]))
        assert str(there[2]) == "slow: no result within the time limit of 2 s"

        def interrupt(now: int, total: int, label: str) -> None:
            if now:
                raise KeyboardInterrupt

        # What waits is taken back, and the cluster goes on serving.
        with pytest.raises(KeyboardInterrupt):
            Workers(2, 60.0, cluster=cluster).run(jobs_that_count(tmp_path, 40, 0.3), interrupt)
        time.sleep(1.0)
        assert len(counts(tmp_path / "begun")) < 6
        assert isinstance(Workers(2, 60.0, cluster=cluster).run([good])[0], Outcome)

        def end_scheduler(now: int, total: int, label: str) -> None:
            if now == 1:
                process.kill()

        with pytest.raises(SynthesisError, match=f"^the scheduler at {address} has gone; what was done is kept$"):
            Workers(2, 60.0, cluster=cluster).run(jobs_that_count(tmp_path, 10, 0.3), end_scheduler)


def _refused(address: str) -> str:
    with pytest.raises(ParameterError) as error, connect(address, 3.0):
        pass
    assert "\n" not in str(error.value)
    return str(error.value)


@contextmanager
def _port(greeting: bytes = b"") -> Iterator[str]:
    """The address of a server that greets the first to come, and says nothing more."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()

        def greet() -> None:
            connection, _ = server.accept()
            with connection, suppress(ConnectionError):
                connection.sendall(greeting)
                connection.recv(100)

        thread = threading.Thread(target=greet, daemon=True)
        thread.start()
        yield f"tcp://127.0.0.1:{server.getsockname()[1]}"
        thread.join(10)


def test_no_scheduler_there():
    for wrong in ("", "localhost", "nonsense://x:1", "tcp://127.0.0.1:0:0", "tcp://a b:1", "127.0.0.1:70000"):
        assert _refused(wrong) == f"scheduler must be an address as tcp://HOST:PORT, not {wrong!r}"
    wanted = "scheduler must be the address of a running dask scheduler, not"
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"tcp://127.0.0.1:{free.getsockname()[1]}"
        assert _refused(address) == f"{wanted} {address!r}: Connection refused"
    with _port() as address:
        assert _refused(address) == f"{wanted} {address!r}: nothing answers within 3 s"
    with _port(b"SSH-2.0-OpenSSH_9.2") as address:
        assert _refused(address) == f"{wanted} {address!r}: something else answers"


def test_a_scheduler_without_workers(dask_scheduler):
    address, _ = dask_scheduler()
    assert _refused(address) == f"scheduler must have workers, not none as {address!r} has"


def test_a_scheduler_of_another_version(dask_scheduler, dask_worker):
    address, _ = dask_scheduler(_OTHER)
    dask_worker(address)
    reason = f"the scheduler has distributed 2000.1, and here is {version('distributed')}"
    assert _refused(address) == f"scheduler must have a cluster of the versions here, not {address!r}: {reason}"


def test_which_versions_must_be_alike():
    package = {"python": "3.12.1.final.0", "dask": "1", "distributed": "2"}
    package |= {"numpy": "3", "polymac": "4", "pyosys": "5"}

    def differs(scheduler: dict[str, str | None], worker: dict[str, str | None]) -> str:
        return unlike(
            {
                "client": {"packages": package},
                "scheduler": {"packages": package | scheduler},
                "workers": {"tcp://a": {"packages": package}, "tcp://b": {"packages": package | worker}},
            }
        )

    assert differs({}, {}) == ""
    assert differs({"polymac": None, "pyosys": None, "numpy": "4"}, {"python": "3.12.9.final.0", "numpy": "4"}) == ""
    assert differs({"python": "3.13.1.final.0"}, {}) == "the scheduler has python 3.13, and here is 3.12"
    assert differs({"dask": "0"}, {}) == "the scheduler has dask 0, and here is 1"
    assert differs({}, {"polymac": None}) == "the worker tcp://b has polymac none, and here is 4"
    assert differs({}, {"pyosys": "0.1"}) == "the worker tcp://b has pyosys 0.1, and here is 5"
