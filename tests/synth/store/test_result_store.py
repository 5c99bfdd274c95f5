from __future__ import annotations

import errno
import logging
import os
import pickle
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import diskcache
import pytest

from polymac.synth.store import ResultStore, user_store
from polymac.synth.store import result_store as module


@pytest.fixture
def warnings_of_store() -> list[str]:
    return []


@pytest.fixture
def store(tmp_path: Path, warnings_of_store) -> ResultStore:
    return ResultStore(tmp_path / "store", warn=warnings_of_store.append)


VALUE = {"log": "a µ\n" * 50, "reports": {"cells.json": {"area": 1.5}}, "seconds": 0.25}


def execute(store: ResultStore, command: str, *values: object) -> None:
    store.close()
    with sqlite3.connect(store.folder / "cache.db") as database:
        assert database.execute(command, values).rowcount > 0
    database.close()


def test_a_value_is_what_it_was_and_a_missing_one_is_none(store, warnings_of_store):
    assert store.get("a") is None
    assert store.put("a", VALUE)
    store.close()
    assert ResultStore(store.folder).get("a") == VALUE
    assert len(store) == 1
    assert store.put("a", {"other": 1}) and store.get("a") == {"other": 1}
    assert warnings_of_store == []


def test_an_entry_of_which_a_bit_has_changed_is_missing_and_told(store, warnings_of_store):
    store.put("a", VALUE)
    ((entry,),) = sqlite3.connect(store.folder / "cache.db").execute("SELECT value FROM Cache").fetchall()
    for place in (0, 31, 32, 40, len(entry) - 1):
        damaged = bytearray(entry)
        damaged[place] ^= 1
        execute(store, "UPDATE Cache SET value = ?", bytes(damaged))
        assert store.get("a") is None
        expected = f"an entry of the result store {store.folder} is damaged; its job is run again"
        assert warnings_of_store == [expected]
        warnings_of_store.clear()
    for wrong in (entry[:50], b"", "text", 5):
        execute(store, "UPDATE Cache SET value = ?", wrong)
        assert store.get("a") is None and len(warnings_of_store) == 1
        warnings_of_store.clear()
    assert store.put("a", VALUE) and store.get("a") == VALUE


def test_an_entry_in_anothers_place_is_damage(store, warnings_of_store):
    store.put("a", VALUE)
    store.put("b", {"other": 1})
    execute(store, "UPDATE Cache SET value = (SELECT value FROM Cache WHERE key = 'b') WHERE key = 'a'")
    assert store.get("a") is None and len(warnings_of_store) == 1


def test_nothing_is_unpickled(store, warnings_of_store, tmp_path: Path):
    class Attack:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "attacked"),)

    store.put("a", VALUE)
    execute(store, "UPDATE Cache SET value = ?, mode = 4", pickle.dumps(Attack()))
    assert diskcache.Cache(str(store.folder)).get("a") is None
    assert (tmp_path / "attacked").exists()  # it would be code to diskcache itself
    (tmp_path / "attacked").rmdir()
    assert store.get("a") is None and len(warnings_of_store) == 1
    assert not (tmp_path / "attacked").exists()


@pytest.mark.parametrize("content", [b"no database" * 1000, None])
def test_a_damaged_database_begins_empty(store, warnings_of_store, content):
    for index in range(100):
        store.put(f"key {index}", VALUE | {"log": str(os.urandom(500))})
    store.close()
    path = store.folder / "cache.db"
    path.write_bytes(content or path.read_bytes()[:8192] + bytes(path.stat().st_size - 8192))
    again = ResultStore(store.folder, warn=warnings_of_store.append)
    assert again.get("key 50") is None
    assert len(warnings_of_store) == 1
    assert warnings_of_store[0].startswith(f"the result store {store.folder} is damaged and begins empty: ")
    assert again.put("a", VALUE) and again.get("a") == VALUE


def test_what_was_unused_longest_goes_when_the_store_is_full(tmp_path: Path):
    store = ResultStore(tmp_path, size_limit=2_000_000)
    for index in range(100):
        store.put(f"key {index}", os.urandom(20_000).hex())
        assert store.get("key 0") is not None  # used again and again
        time.sleep(0.001)
    assert 20 < len(store) < 90
    assert store.get("key 1") is None and store.get("key 99") is not None
    store.close()
    assert sum(path.stat().st_size for path in tmp_path.rglob("*") if path.is_file()) < 3_000_000


def test_a_full_disk_is_told_once(store, warnings_of_store, monkeypatch: pytest.MonkeyPatch):
    store.put("a", VALUE)

    def full(*arguments: object, **options: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(diskcache.Cache, "set", full)
    assert not store.put("b", VALUE) and not store.put("c", VALUE)
    reason = f"results are not kept: the result store {store.folder} cannot be written: No space left on device"
    assert warnings_of_store == [reason]
    assert store.get("a") == VALUE and store.get("b") is None


def test_a_database_without_room_is_told_and_keeps_what_it_has(store, warnings_of_store):
    store.put("a", VALUE)
    # SQLite's own limit gives the error of a full disk: it takes no page more.
    sql = store._cache()._sql
    pages = sql("PRAGMA page_count").fetchall()[0][0]
    sql(f"PRAGMA max_page_count = {pages}")
    assert not store.put("b", os.urandom(100_000).hex())
    assert warnings_of_store == [
        f"results are not kept: the result store {store.folder} cannot be written: database or disk is full"
    ]
    assert store.get("a") == VALUE


def test_a_folder_that_cannot_be_is_told_once(tmp_path: Path, warnings_of_store):
    (tmp_path / "file").write_text("")
    store = ResultStore(tmp_path / "file" / "store", warn=warnings_of_store.append)
    assert store.get("a") is None and store.get("b") is None
    assert not store.put("a", VALUE) and not store.put("b", VALUE)
    assert len(warnings_of_store) == 1
    assert warnings_of_store[0].startswith(f"results are not kept: the result store {store.folder} cannot be used: ")


def test_without_a_listener_the_line_is_logged(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    (tmp_path / "file").write_text("")
    ResultStore(tmp_path / "file" / "store").put("a", VALUE)
    assert [(record.levelno, record.name) for record in caplog.records] == [(logging.WARNING, module.__name__)]


# Of the module alone, which starts sooner than the package.
WRITER = (
    f"""
import importlib.util, sys
from pathlib import Path
spec = importlib.util.spec_from_file_location("result_store", {str(module.__file__)!r})
module = importlib.util.module_from_spec(spec)
spec.loader.exec_module(module)
"""
    + """
store = module.ResultStore(Path(sys.argv[1]))
for index in range(int(sys.argv[2])):
    assert store.put(f"{sys.argv[3]} {index}", [index, "x" * 200_000]), index
    print(index, flush=True)
"""
)


def test_killed_in_the_middle_of_writing_it_has_all_that_was_written(tmp_path: Path, warnings_of_store):
    folder = tmp_path / "store"
    told = 0
    for attempt in range(20):
        writer = subprocess.Popen(
            [sys.executable, "-c", WRITER, str(folder), "100000", str(attempt)], stdout=subprocess.PIPE, text=True
        )
        assert writer.stdout is not None
        written = -1
        # The first attempts are killed while the store is made.
        if attempt >= 3:
            written = int(writer.stdout.readline())
        time.sleep((0.2 if attempt < 3 else 0.0) + 0.003 * attempt)
        writer.kill()
        for line in writer.communicate()[0].splitlines():
            written = int(line)
        told += written + 1
        store = ResultStore(folder, warn=warnings_of_store.append)
        for index in range(written + 1):
            assert store.get(f"{attempt} {index}") == [index, "x" * 200_000]
        assert store.put("last", attempt) and store.get("last") == attempt
        store.close()
    assert told > 100
    assert warnings_of_store == []


def test_two_processes_write_at_once(tmp_path: Path):
    command = [sys.executable, "-c", WRITER, str(tmp_path / "store"), "200"]
    writers = [subprocess.Popen([*command, name], stdout=subprocess.DEVNULL) for name in ("a", "b")]
    assert [writer.wait(60) for writer in writers] == [0, 0]
    store = ResultStore(tmp_path / "store")
    assert len(store) == 400
    assert [store.get(f"{name} 199") for name in "ab"] == [[199, "x" * 200_000]] * 2


def test_where_the_users_store_is(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    assert user_store() is None  # what tests/conftest.py says
    monkeypatch.setenv("POLYMAC_STORE", str(tmp_path / "own"))
    own = user_store()
    assert own is not None and own.folder == tmp_path / "own"
    assert user_store() is own
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("POLYMAC_STORE")
    users = user_store()
    assert users is not None and users.folder == tmp_path / "cache" / "polymac" / "results"
