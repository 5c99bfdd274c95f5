"""The README: its commands and its Python example run as they are written, and print what it shows."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

README = (Path(__file__).resolve().parents[1] / "README.md").read_text()
#: The language, often none, and the text of each block of code.
BLOCKS = re.findall(r"^```(\w*)\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)
#: The continuous integration itself runs these.
MAKE = ("make", "make test")
#: Lines of `polymac run digits` that are of the machine: its speed, its simulator, its Python.
OF_THE_MACHINE = ("time:", "simulator:", "versions:")


def commands() -> list[str]:
    """The lines of the blocks that have no language and show no output."""
    lines = [line for language, text in BLOCKS if not language and "$ " not in text for line in text.splitlines()]
    return [line for line in lines if line.partition("#")[0].strip() not in MAKE]


def sessions() -> list[tuple[str, str]]:
    """The commands behind a `$`, each with the output that is shown under it."""
    return [(line, shown) for _, text in BLOCKS for line, shown in re.findall(r"^\$ (.*)\n([^$]*)", text, re.MULTILINE)]


def run(line: str, folder: Path) -> str:
    """Run a line in a shell that finds this environment's commands first, and return what it prints."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        ["sh", "-c", line], cwd=folder, env={**os.environ, "PATH": path}, capture_output=True, text=True
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def plain(text: str) -> list[str]:
    """The lines that are the same on every machine, without empty ones and trailing spaces."""
    return [line.rstrip() for line in text.splitlines() if line.strip() and not line.startswith(OF_THE_MACHINE)]


def test_every_block_is_of_a_known_kind():
    assert {language for language, _ in BLOCKS} == {"", "python"}
    assert all(line.startswith("polymac ") for line in commands())
    assert len(commands()) >= 4
    assert [line for line, _ in sessions()] == ["polymac run digits"]


@pytest.mark.parametrize("line", commands())
def test_command(line, tmp_path):
    """A comment behind a command says what it prints."""
    _, _, comment = line.partition("#")
    assert comment.strip() in run(line, tmp_path)


def test_generate_writes_the_files_that_are_named(tmp_path):
    line = next(line for line in commands() if line.startswith("polymac generate"))
    run(line, tmp_path)
    assert sorted(path.name for path in (tmp_path / "build").iterdir()) == ["gemm.core", "gemm.json", "gemm.v"]
    assert "`build/gemm.v`" in README and "`gemm.json`" in README


@pytest.mark.parametrize(("line", "shown"), sessions())
def test_shown_output(line, shown, tmp_path):
    printed = run(line, tmp_path)
    assert plain(printed) == plain(shown)
    for start in OF_THE_MACHINE:
        assert f"\n{start}" in shown and f"\n{start}" in printed


def test_python_example(tmp_path):
    """The comments of the example are what it prints."""
    (text,) = [text for language, text in BLOCKS if language == "python"]
    (tmp_path / "example.py").write_text(text)
    assert run("python example.py", tmp_path).splitlines() == re.findall(r"  # (.*)$", text, re.MULTILINE)
