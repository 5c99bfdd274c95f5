from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from polymac.golden.formats import ParameterError
from polymac.synth.yosys.runner import Job, Outcome, SynthesisError, Workers

#: Yosys' child outlives any test here; its parent is the worker.
SLEEP = Job("sleeper", ("exec -- sleep 300",), {})

INTERRUPTED = """
import sys, tempfile
tempfile.tempdir = sys.argv[1]
from polymac.synth.yosys.runner import Job, Workers
Workers(2, 300.0).run([Job("sleeper", ("exec -- sleep 300",), {})] * 3)
"""


def test_outcomes_come_in_the_order_of_the_jobs_and_progress_counts_them(left_behind):
    jobs = [
        Job(
            name,
            (f"read_verilog {name}.v", "tee -q -o cells.json stat -json"),
            {f"{name}.v": f"module {name} (output y); assign y = 1; endmodule"},
        )
        for name in ("first", "second")
    ]
    calls: list[tuple[int, int, str]] = []
    outcomes = Workers(2, 60.0).run(jobs, lambda *call: calls.append(call))
    for job, outcome in zip(jobs, outcomes, strict=True):
        assert isinstance(outcome, Outcome)
        assert list(outcome.reports["cells.json"]["modules"]) == [f"\\{job.label}"]
        assert f"Parsing Verilog input from `{job.label}.v'" in outcome.log
        assert 0 < outcome.seconds < 60
    assert calls[0] == (0, 2, "")
    assert [call[:2] for call in calls[1:]] == [(1, 2), (2, 2)]
    assert {call[2] for call in calls[1:]} == {"first", "second"}
    assert left_behind() == []


def test_the_time_limit_ends_the_worker_and_its_children(left_behind):
    start = time.monotonic()
    (outcome,) = Workers(1, 1.0).run([SLEEP])
    assert time.monotonic() - start < 30
    assert isinstance(outcome, SynthesisError)
    assert str(outcome) == "sleeper: no result within the time limit of 1 s"
    assert _gone(left_behind)


def test_an_error_of_yosys_is_its_first_line(left_behind):
    (outcome,) = Workers(1, 60.0).run([Job("wrong", ("read_verilog none.v",), {})])
    assert str(outcome) == "wrong: File `none.v' not found or is a directory"
    assert left_behind() == []


def test_an_end_without_an_error_line_is_reported():
    (outcome,) = Workers(1, 60.0).run([Job("crash", ("exec -- kill -SEGV $PPID",), {})])
    assert str(outcome) == "crash: the worker was ended by SIGSEGV"


def test_an_error_of_the_progress_callback_ends_all(left_behind):
    quick = Job("quick", ("design -reset",), {})

    def progress(done: int, total: int, label: str) -> None:
        if done:
            raise OSError("the terminal is gone")

    start = time.monotonic()
    with pytest.raises(OSError, match="the terminal is gone"):
        Workers(2, 300.0).run([SLEEP, quick, SLEEP], progress)
    assert time.monotonic() - start < 30
    assert _gone(left_behind)


def test_ctrl_c_ends_all_workers(tmp_path: Path, left_behind):
    process = subprocess.Popen(
        [sys.executable, "-c", INTERRUPTED, str(tmp_path)],
        stderr=subprocess.PIPE,
        text=True,
        # A parent that ignores SIGINT, as a shell's background job does, would hand that down.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    try:
        deadline = time.monotonic() + 30
        while sum("sleep 300" in command for command in left_behind()) < 2:
            assert time.monotonic() < deadline, left_behind()
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=30)
    finally:
        process.kill()
    assert process.returncode == -signal.SIGINT
    assert errors.splitlines()[-1] == "KeyboardInterrupt"
    assert _gone(left_behind)


@pytest.mark.parametrize(
    ("jobs", "timeout", "kind", "message"),
    [
        (0, 1.0, ParameterError, "jobs must be at least 1, not 0"),
        ("2", 1.0, TypeError, "jobs must be an integer, not '2'"),
        (1, 0, ParameterError, "timeout must be over 0 seconds and finite, not 0"),
        (1, float("inf"), ParameterError, "timeout must be over 0 seconds and finite, not inf"),
        (1, float("nan"), ParameterError, "timeout must be over 0 seconds and finite, not nan"),
        (1, "10", TypeError, "timeout must be a number of seconds, not '10'"),
    ],
)
def test_wrong_parameters(jobs, timeout, kind, message):
    with pytest.raises(kind) as error:
        Workers(jobs, timeout)
    assert str(error.value) == message


def _gone(left_behind) -> bool:
    """Whether nothing runs and nothing lies there; killed processes may need a moment until they are gone."""
    deadline = time.monotonic() + 10
    while left_behind() and time.monotonic() < deadline:
        time.sleep(0.05)
    return left_behind() == []
