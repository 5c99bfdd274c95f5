"""`polymac sweep`: what it writes, what it does again, and what it says of a file that is none."""

from __future__ import annotations

import csv
import io
from collections import Counter
from pathlib import Path

import pytest

from polymac.comparison import batches
from polymac.comparison.export import read_rows
from polymac.synth.yosys import runner

SPEC = """
[grid]
a = ["int2", "int3"]
target = ["ice40"]

[[jobs]]
a = "int2"
stages = 1000
target = "ice40"
"""


@pytest.fixture
def executed(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How often each job of Yosys was run, by its key."""
    counts: Counter[str] = Counter()
    plain = runner.run_job

    def count(job, *arguments, **options):
        counts[runner.job_key(job)] += 1
        return plain(job, *arguments, **options)

    monkeypatch.setattr(runner, "run_job", count)
    return counts


def test_rows_in_every_form_and_a_second_run_from_the_store(polymac, executed, tmp_path, monkeypatch):
    monkeypatch.setenv("POLYMAC_STORE", str(tmp_path / "store"))
    Path("spec.toml").write_text(SPEC)
    result = polymac("sweep", "spec.toml", "--output", "a.json", "--output", "a.csv", "--output", "a.parquet")
    assert (result.status, result.out) == (0, "3 rows in a.json and a.csv and a.parquet\n")
    assert result.err.startswith("no figure: ") and "stages must be" in result.err
    rows = read_rows("a.json")
    assert rows == read_rows("a.parquet")
    assert [row.figures for row in rows] == [row.figures for row in read_rows("a.csv")]
    assert [row.name for row in rows] == ["int2", "int3", "int2"]
    assert [bool(row.error) for row in rows] == [False, False, True]
    assert [row.figures.get("luts") for row in rows] == [4, 14, None]
    assert executed and set(executed.values()) == {1}
    executed.clear()
    # What was there is not run again, and what is printed is the CSV of before.
    again = polymac("sweep", "spec.toml")
    assert again.out == Path("a.csv").read_text() and not executed
    Path("spec.toml").write_text(SPEC.replace('"int3"]', '"int3", "int4"]'))
    more = polymac("sweep", "spec.toml", "--output", "a.csv", "--force")
    assert (more.status, more.out) == (0, "4 rows in a.csv\n")
    assert executed and set(executed.values()) == {1}
    assert len(list(csv.DictReader(io.StringIO(Path("a.csv").read_text())))) == 4


def test_jobs_over_their_limits_are_rows_that_say_so(polymac):
    Path("spec.toml").write_text('[grid]\na = ["int2", "int3"]\ntarget = "ice40"\n[limits]\nseconds = 0.01\n')
    result = polymac("sweep", "spec.toml", "--output", "a.json")
    assert result.status == 1
    assert result.err.splitlines()[-1] == "polymac: none of 2 units gave a figure"
    assert all("no result within the time limit of 0.01 s" in row.error for row in read_rows("a.json"))
    Path("spec.toml").write_text('[grid]\na = "int2"\ntarget = "ice40"\n[limits]\nmemory_mb = 60\n')
    result = polymac("sweep", "spec.toml", "--output", "a.json", "--force")
    assert result.status == 1 and ", with the memory limit of 60 MB" in read_rows("a.json")[0].error


@pytest.mark.parametrize(
    ("text", "arguments", "message"),
    [
        ("[grid]\nstage = 1", [], "a key of [grid] must be one of "),
        ("[grid]\na = []", [], "a of [grid] must have a value or several, not none"),
        (
            f'[grid]\nunit = "array"\nrows = {list(range(1, 1001))}\ncols = {list(range(1, 1001))}',
            [],
            "sweep must have at most 100,000 jobs unless --yes is given, not 1,000,000",
        ),
        ("[[jobs]]", ["--output", "a.xls"], "output must end with one of .parquet, .csv, .json, not 'a.xls'"),
        ("[[jobs]]", ["--output", "spec.json"], "--output must be a new file unless --force is given, not spec.json"),
        ("[[jobs]]", ["--jobs", "0"], "jobs must be at least 1, not 0"),
        ("[[jobs]]", ["--scheduler", "here"], "scheduler must be an address as tcp://HOST:PORT, not 'here'"),
    ],
)
def test_what_cannot_be_is_one_line_and_status_2(polymac, executed, text, arguments, message):
    Path("spec.toml").write_text(text)
    Path("spec.json").write_text("")
    result = polymac("sweep", "spec.toml", *arguments)
    assert (result.status, result.out) == (2, "")
    assert result.err.startswith(f"polymac: {message}") and result.err.count("\n") == 1
    assert not executed


def test_ctrl_c_writes_the_rows_that_are_done(polymac, capsys, monkeypatch: pytest.MonkeyPatch):
    Path("spec.toml").write_text('[grid]\na = ["int2", "int3", "int4"]\ntarget = ["ice40", "cmos"]\n')
    monkeypatch.setattr(batches, "_FOR_EACH_JOB", 1)
    plain = batches.measure_kept
    calls = 0

    def interrupted(*arguments, **options):
        nonlocal calls
        calls += 1
        if calls > 4:
            raise KeyboardInterrupt
        return plain(*arguments, **options)

    monkeypatch.setattr(batches, "measure_kept", interrupted)
    with pytest.raises(KeyboardInterrupt):
        polymac("sweep", "spec.toml", "--output", "a.json", "--output", "a.csv", "--jobs", "1")
    assert capsys.readouterr().err == "polymac: 4 of 6 rows are in a.json and a.csv\n"
    rows = read_rows("a.json")
    # All of a target before the next; in the file in the order that was asked for.
    assert [(row.name, row.request["target"]) for row in rows] == [
        ("int2", "ice40"),
        ("int2", "cmos"),
        ("int3", "cmos"),
        ("int4", "cmos"),
    ]
    assert len(read_rows("a.csv")) == 4


@pytest.mark.slow
def test_a_sweep_on_a_cluster_is_the_same(polymac, executed, dask_scheduler, dask_worker):
    pytest.importorskip("distributed", reason="distributed, of the extra 'cluster', is not installed")
    Path("spec.toml").write_text(
        '[grid]\na = ["int2", "int3"]\ntarget = ["ice40", "nangate45"]\n[measure]\nactivity = "none"'
    )
    here = polymac("sweep", "spec.toml", "--output", "here.json")
    assert (here.status, here.err) == (0, "") and executed
    executed.clear()
    address, _ = dask_scheduler()
    for _ in range(2):
        dask_worker(address)
    there = polymac("sweep", "spec.toml", "--output", "there.json", "--scheduler", address)
    assert (there.status, there.err) == (0, "") and not executed
    assert [row.figures for row in read_rows("there.json")] == [row.figures for row in read_rows("here.json")]
