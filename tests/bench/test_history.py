"""The history of benchmark figures: what is appended, and what is shown of it."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from datetime import UTC, datetime
from pathlib import Path

import pytest

SCRIPTS = ("simulator", "golden", "gemm", "area", "area_sums", "generate", "timing", "qor")
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def history(script):
    return script("bench/history")


@pytest.fixture
def file(history, tmp_path):
    """Two figures of three runs, one of them on two machines; not in order of time."""
    path = tmp_path / "history.jsonl"
    lines = [
        ("2026-03-01T00:00:00+00:00", "old", "golden", "multiply fp16", 20.0, "M/s"),
        ("2026-01-01T00:00:00+00:00", "old", "golden", "multiply fp16", 10.0, "M/s"),
        ("2026-02-01T00:00:00+00:00", "old", "golden", "multiply fp16", 16.0, "M/s"),
        ("2026-03-01T00:00:00+00:00", "new", "golden", "multiply fp16", 40.0, "M/s"),
        ("2026-03-01T00:00:00+00:00", "new", "area", "int8, least", 250.5, "µm²"),
    ]
    names = ("date", "machine", "bench", "name", "value", "unit")
    records = [dict(zip(names, line, strict=True)) | {"versions": {"python": "3.11.7"}} for line in lines]
    path.write_text("".join(json.dumps(record) + "\n" for record in records))
    return path


def test_figures_are_appended_with_date_machine_and_versions(history, tmp_path):
    path = tmp_path / "new folder" / "history.jsonl"
    bench = history.History("golden")
    bench.add("lost", 1, "s")
    bench.file = path
    before = datetime.now(UTC).replace(microsecond=0)
    bench.add("multiply fp16", 12, "M/s")
    first = path.read_text()
    bench.add("encode µ", 0.5, "ratio")
    assert path.read_text().startswith(first) and path.read_text().count("\n") == 2
    one, two = history.read(path)
    assert (one.bench, one.name, one.value, one.unit) == ("golden", "multiply fp16", 12.0, "M/s")
    assert (two.name, two.value) == ("encode µ", 0.5)
    assert before <= datetime.fromisoformat(one.date) <= datetime.now(UTC)
    assert re.fullmatch(r".+, \d+ cores", one.machine)
    assert one.versions["python"] == ".".join(map(str, sys.version_info[:3]))
    assert one.versions["numpy"]


@pytest.mark.parametrize("name", SCRIPTS)
def test_every_script_has_the_option(name):
    command = [sys.executable, ROOT / "tests" / "bench" / f"{name}.py", "--help"]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert re.search(r"--history FILE\s+append every figure there, as JSON lines", said)


def test_figures_are_grouped_in_order_of_time(history, file):
    found = history.series(history.read(file))
    assert set(found) == {("golden", "multiply fp16", "M/s"), ("area", "int8, least", "µm²")}
    machines = found["golden", "multiply fp16", "M/s"]
    assert {where: [figure.value for figure in group] for where, group in machines.items()} == {
        "old": [10.0, 16.0, 20.0],
        "new": [40.0],
    }


def test_the_table(history, file, capsys):
    assert history.main([str(file), "--table"]) == 0
    rows = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    assert "golden multiply fp16 10 16 20 M/s +100.0 % +25.0 % 3 2026-03-01 old" in rows
    assert "golden multiply fp16 40 40 40 M/s +0.0 % +0.0 % 1 2026-03-01 new" in rows
    assert "area int8, least 250.5 250.5 250.5 µm² +0.0 % +0.0 % 1 2026-03-01 new" in rows
    assert history.main([str(file), "--table", "--only", "area: int8"]) == 0
    assert "multiply" not in capsys.readouterr().out


def test_the_plot(history, file, tmp_path):
    out = tmp_path / "out.svg"
    assert history.main([str(file), "--plot", str(out)]) == 0
    texts = [
        "".join(node.itertext()).strip() for node in ElementTree.parse(out).iter("{http://www.w3.org/2000/svg}text")
    ]
    for text in ("golden: multiply fp16", "area: int8, least", "M/s", "µm²", "old", "new"):
        assert text in texts
    first = out.read_text()
    assert history.main([str(file), "--plot", str(out)]) == 0
    assert out.read_text() == first


def test_without_matplotlib(history, file, tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    assert history.main([str(file), "--plot", str(tmp_path / "out.svg")]) == 2
    assert capsys.readouterr().err == (
        "error: --plot must be left out where matplotlib is not installed (pip install 'polymac[plot]')\n"
    )


@pytest.mark.parametrize("line", ["{", "[1]", '{"name": "x"}', '{"date": 1, "other": 2}'])
def test_a_line_that_is_no_figure(history, file, line, capsys):
    with file.open("a") as out:
        out.write(line + "\n")
    assert history.main([str(file), "--table"]) == 2
    assert capsys.readouterr().err == f"error: {file}:6 must be a figure of a benchmark, not {line!r}\n"


def test_nothing_to_show(history, file, tmp_path, capsys):
    assert history.main([str(file), "--table", "--only", "sqrt"]) == 2
    assert capsys.readouterr().err == f"error: {file} must hold a figure that contains 'sqrt', not none\n"
    assert history.main([str(tmp_path / "none"), "--table"]) == 2
    assert capsys.readouterr().err.startswith("error: [Errno 2] No such file or directory: ")
