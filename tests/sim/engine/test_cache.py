import os
import subprocess
import sys
from pathlib import Path

import pytest

from polymac.golden import ParameterError
from polymac.sim.engine import cache

_RACER = """
import pathlib, sys, time
from polymac.sim.engine import cache

folder = pathlib.Path(sys.argv[1])

def build(path):
    with (folder / "builds").open("a") as file:
        file.write("built\\n")
    time.sleep(1)
    (path / "part").write_text("whole")

print((cache.entry(folder, "name", build) / "part").read_text())
"""


def _build(folder: Path) -> None:
    with (folder.parent / "builds").open("a") as file:
        file.write(f"{os.getpid()}\n")
    (folder / "part").write_text("whole")


def _builds(folder: Path) -> int:
    return len((folder / "builds").read_text().splitlines())


def test_an_entry_is_built_once(tmp_path: Path) -> None:
    first = cache.entry(tmp_path, "name", _build)
    assert cache.entry(tmp_path, "name", _build) == first == tmp_path / "name"
    assert _builds(tmp_path) == 1


def test_a_failed_build_leaves_nothing(tmp_path: Path) -> None:
    def fail(folder: Path) -> None:
        _build(folder)
        raise RuntimeError("no")

    with pytest.raises(RuntimeError, match=r"^no$"):
        cache.entry(tmp_path, "name", fail)
    assert {path.name for path in tmp_path.iterdir()} == {".locks", "builds"}


_KILLED = """
import os, pathlib, signal, sys
from polymac.sim.engine import cache

def build(path):
    (path / "part").write_text("who")
    os.kill(os.getpid(), signal.SIGKILL)

cache.entry(pathlib.Path(sys.argv[1]), "name", build)
"""


def test_a_process_killed_while_it_builds_leaves_no_entry(tmp_path: Path) -> None:
    assert subprocess.run([sys.executable, "-c", _KILLED, tmp_path], check=False).returncode == -9
    assert not (tmp_path / "name").exists()
    assert (cache.entry(tmp_path, "name", _build) / "part").read_text() == "whole"


def test_files_are_on_the_disk_before_the_entry_has_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[str] = []
    fsync = os.fsync

    def record(descriptor: int) -> None:
        assert not (tmp_path / "name").exists()
        synced.append(Path(f"/proc/self/fd/{descriptor}").readlink().name)
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", record)
    cache.entry(tmp_path, "name", _build)
    assert synced[0] == "part" and synced[1].startswith(".name-")


def test_no_entry_is_seen_while_it_is_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    old = cache.entry(tmp_path, "old", _build)
    os.utime(old, (0, 0))
    removed: list[Path] = []

    def rmtree(path: Path, ignore_errors: bool) -> None:
        assert (path / "part").exists() and not old.exists()
        removed.append(path)

    monkeypatch.setattr(cache.shutil, "rmtree", rmtree)
    cache.entry(tmp_path, "new", _build, prune=True)
    assert len(removed) == 1


def test_processes_that_race_build_once(tmp_path: Path) -> None:
    racers = [
        subprocess.Popen([sys.executable, "-c", _RACER, tmp_path], stdout=subprocess.PIPE, text=True) for _ in range(3)
    ]
    assert [racer.communicate(timeout=30)[0] for racer in racers] == ["whole\n"] * 3
    assert _builds(tmp_path) == 1


def test_entries_unused_for_long_go(tmp_path: Path) -> None:
    old, kept = cache.entry(tmp_path, "old", _build), cache.entry(tmp_path, "kept", _build)
    os.utime(old, (0, 0))
    cache.entry(tmp_path, "new", _build, prune=True)
    assert not old.exists()
    assert kept.exists()


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ParameterError) as error:
        cache.entry(tmp_path / "file", "name", _build)
    text = f"the folder of built simulations must be writable, not {tmp_path / 'file'}: Not a directory"
    assert str(error.value) == text


def test_digest_depends_on_where_parts_end() -> None:
    assert cache.digest("ab", "c") != cache.digest("a", "bc")
