from __future__ import annotations

import dataclasses
import itertools
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from polymac.golden.formats import ParameterError
from polymac.synth.store import ResultStore
from polymac.synth.yosys import job as job_module
from polymac.synth.yosys.job import Limits, Outcome, SynthesisError, run_job
from polymac.synth.yosys.runner import Job, Workers, job_key


@pytest.fixture
def store(tmp_path: Path) -> ResultStore:
    return ResultStore(tmp_path / "store", warn=pytest.fail)


@pytest.fixture
def counted(tmp_path: Path):
    """Makes a job that leaves a line in a file each time it runs, and a function that gives the lines."""
    path = tmp_path / "executed"

    def make(name: str, *commands: str) -> Job:
        text = f"module {name} (output y); assign y = 1; endmodule"
        reading = (f"exec -- echo {name} >> {path}", "read_verilog design.v", "tee -q -o cells.json stat -json")
        return Job(name, (*reading, *commands), {"design.v": text})

    return make, lambda: path.read_text().split() if path.exists() else []


def test_a_kept_result_is_the_same_and_nothing_runs(store, counted):
    make, executed = counted
    jobs = [make(name) for name in ("first", "second", "third")]
    calls: list[tuple[int, int, str]] = []
    before = Workers(2, 60.0, store=store).run(jobs[:2])
    after = Workers(2, 60.0, store=ResultStore(store.folder)).run(jobs, lambda *call: calls.append(call))
    assert after[:2] == before and all(isinstance(outcome, Outcome) for outcome in after)
    assert sorted(executed()) == ["first", "second", "third"]
    assert calls == [(0, 3, ""), (1, 3, "first"), (2, 3, "second"), (3, 3, "third")]
    # Without a store all run.
    Workers(2, 60.0).run(jobs)
    assert len(executed()) == 6


def test_what_a_result_depends_on_is_in_its_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    library, other = tmp_path / "library.lib", tmp_path / "other.lib"
    library.write_text("one")
    other.write_text("two")
    job = Job("label", ("a", "b"), {"design.v": "text", "more.v": ""}, {"library.lib": library})
    changed = [
        {"commands": ("a b",)},
        {"commands": ("b", "a")},
        {"files": {"design.v": "texs", "more.v": ""}},
        {"files": {"design.v": "", "more.v": "text"}},
        {"files": {"design.w": "text", "more.v": ""}},
        {"links": {}},
        {"links": {"library.lib": other}},
        {"links": {"other.lib": library}},
    ]
    keys = [job_key(dataclasses.replace(job, **change)) for change in changed]
    key = job_key(job)
    assert len({key, *keys}) == 1 + len(changed)
    # The label says nothing, and neither do the library's place and name.
    other.write_text("one")
    same = {"label": "another", "files": {"more.v": "", "design.v": "text"}, "links": {"library.lib": other}}
    assert job_key(dataclasses.replace(job, **same)) == key
    library.write_text("three")
    assert job_key(job) != key
    library.write_text("one")
    assert job_key(job) == key
    monkeypatch.setattr("polymac.synth.yosys.runner.tool", lambda: "pyosys 0.1")
    assert job_key(job) != key


def test_failures_are_not_kept(store, counted):
    make, executed = counted
    slow, wrong = make("slow", "exec -- sleep 300"), make("wrong", "read_verilog none.v")
    for _ in range(2):
        late, failed = Workers(2, 1.5, store=store).run([slow, wrong])
        assert str(late) == "slow: no result within the time limit of 1.5 s"
        assert str(failed) == "wrong: File `none.v' not found or is a directory"
    assert sorted(executed()) == ["slow", "slow", "wrong", "wrong"]
    assert len(store) == 0


def test_equal_jobs_run_once_and_fail_each_under_its_label(store, counted):
    make, executed = counted
    job, wrong = make("one"), make("wrong", "read_verilog none.v")
    jobs = [job, wrong, dataclasses.replace(job, label="two"), dataclasses.replace(wrong, label="other")]
    outcomes = Workers(2, 60.0, store=store).run(jobs)
    assert sorted(executed()) == ["one", "wrong"]
    assert outcomes[0] == outcomes[2] and isinstance(outcomes[0], Outcome)
    assert [str(outcome).partition(":")[0] for outcome in (outcomes[1], outcomes[3])] == ["wrong", "other"]


def test_a_damaged_entry_runs_again_and_is_told(tmp_path: Path, counted):
    make, executed = counted
    told: list[str] = []
    store = ResultStore(tmp_path / "store", warn=told.append)
    job = make("one")
    Workers(1, 60.0, store=store).run([job])
    assert store.put(job_key(job), {"log": "of another form"})
    (outcome,) = Workers(1, 60.0, store=store).run([job])
    assert isinstance(outcome, Outcome) and executed() == ["one", "one"] and told == []
    store._cache().set(job_key(job), b"damage")
    (outcome,) = Workers(1, 60.0, store=store).run([job])
    assert isinstance(outcome, Outcome) and len(executed()) == 3
    assert told == [f"an entry of the result store {store.folder} is damaged; its job is run again"]
    Workers(1, 60.0, store=store).run([job])
    assert len(executed()) == 3


def test_a_store_that_cannot_be_written_costs_no_result(tmp_path: Path, counted):
    make, _ = counted
    told: list[str] = []
    (tmp_path / "file").write_text("")
    store = ResultStore(tmp_path / "file" / "store", warn=told.append)
    outcomes = Workers(2, 60.0, store=store).run([make(f"n{index}") for index in range(3)])
    assert all(isinstance(outcome, Outcome) for outcome in outcomes)
    assert [line.partition(":")[0] for line in told] == ["results are not kept"]


SWEEP = """
import sys
from pathlib import Path
from polymac.synth.store import ResultStore
from polymac.synth.yosys.runner import Job, Workers
store, executed = Path(sys.argv[1]), sys.argv[2]
jobs = [Job(str(n), (f"exec -- echo {n} >> {executed}", f"read_verilog d.v"), {"d.v": ""}) for n in range(24)]
Workers(2, 60.0, store=ResultStore(store)).run(jobs, lambda done, total, label: print(label, flush=True))
"""


def test_a_run_after_a_killed_one_does_what_is_missing(tmp_path: Path):
    executed, store = tmp_path / "executed", tmp_path / "store"
    command = [sys.executable, "-c", SWEEP, str(store), str(executed)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as first:
        assert first.stdout is not None
        done = set(itertools.islice(first.stdout, 9))
        first.send_signal(signal.SIGKILL)
        done |= set(first.stdout)
    done = {line.strip() for line in done} - {""}
    assert 8 <= len(done) < 24
    time.sleep(1.0)  # the two that ran have ended too
    before = executed.read_text().split()
    second = subprocess.run(command, capture_output=True, text=True, check=True)
    # The empty line is that of no job done.
    assert sorted(second.stdout.split(), key=int) == [str(index) for index in range(24)]
    again = executed.read_text().split()[len(before) :]
    assert done.isdisjoint(again) and len(again) >= 24 - len(before)
    assert set(before) | set(again) == {str(index) for index in range(24)}


def test_two_processes_share_a_store(tmp_path: Path):
    executed, store = tmp_path / "executed", tmp_path / "store"
    command = [sys.executable, "-c", SWEEP, str(store), str(executed)]
    runs = [subprocess.Popen(command, stdout=subprocess.DEVNULL) for _ in range(2)]
    assert [run.wait(120) for run in runs] == [0, 0]
    assert len(ResultStore(store)) == 24
    assert set(executed.read_text().split()) == {str(index) for index in range(24)}


def test_a_job_over_its_memory_limit_fails_and_says_so():
    hungry = Job("hungry", ("read_verilog d.v", "hierarchy -top m", "proc", "memory_map", "techmap"), {"d.v": LARGE})
    (outcome,) = Workers(1, 60.0, memory_mb=400).run([hungry])
    assert isinstance(outcome, SynthesisError)
    assert str(outcome).startswith("hungry: ") and str(outcome).endswith(", with the memory limit of 400 MB")
    (outcome,) = Workers(1, 60.0, memory_mb=4000).run([Job("modest", ("design -reset",), {})])
    assert isinstance(outcome, Outcome)
    with pytest.raises(ParameterError, match=r"^memory_mb must be at least 1, not 0$"):
        Workers(1, 60.0, memory_mb=0)


#: Some 2 million cells of a memory.
LARGE = """module m (input clk, input we, input [19:0] a, input [7:0] d, output reg [7:0] q);
  reg [7:0] memory [0:1048575];
  always @(posedge clk) begin if (we) memory[a] <= d; q <= memory[a]; end
endmodule
"""


def test_a_worker_with_another_yosys_refuses(monkeypatch: pytest.MonkeyPatch):
    job = Job("one", ("design -reset",), {})
    outcome = run_job(job, Limits(60.0), "pyosys 0.1")
    assert str(outcome) == f"one: the worker must have pyosys 0.1, not {job_module.tool()}"


def test_contents_stand_for_links(tmp_path: Path):
    job = Job("one", ("read_verilog linked.v", "tee -q -o c.json stat -json"), {}, {"linked.v": Path(os.devnull)})
    outcome = run_job(job, Limits(60.0), job_module.tool(), b"module from_bytes (output y); assign y = 1; endmodule")
    assert isinstance(outcome, Outcome) and "\\from_bytes" in outcome.reports["c.json"]["modules"]
