"""Values under content hashes, kept in a folder from run to run; a fault of the folder costs time, never a result."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import sqlite3
import zlib
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

import diskcache
import platformdirs
from diskcache.core import DBNAME, MODE_BINARY, MODE_RAW

#: The environment's variable that names another folder, or says that nothing is kept.
VARIABLE, OFF = "POLYMAC_STORE", "off"
#: Bytes that a store may take up; what was unused longest goes first.
SIZE_LIMIT = 2 << 30
#: Entries smaller than this lie in the database, whose transactions leave nothing half-written.
_LARGEST_IN_DATABASE = 64 << 20
#: Seconds that another process may hold the database.
_WAIT = 10
_FAULTS = (sqlite3.Error, diskcache.Timeout, OSError)

_log = logging.getLogger(__name__)


class ResultStore:
    """A folder of JSON values, each under the hash of what it was computed from.

    Any number of processes and threads may use one folder at once. Each value has a hash of its own; one that does not
    fit is as good as missing. No method raises for what is wrong with the folder: ``warn`` is told in one line.

    Parameters
    ----------
    folder : Path
        Where the values lie; made at the first use.
    size_limit : int
        Bytes that they may take up; beyond it the values that were unused longest go.
    warn : callable, optional
        Called with one line about a damaged entry, and about a folder that cannot be used; logged unless given.
    """

    def __init__(
        self, folder: Path, *, size_limit: int = SIZE_LIMIT, warn: Callable[[str], None] | None = None
    ) -> None:
        self.folder = folder
        self.size_limit = size_limit
        self.warn = warn or _log.warning
        self._opened: diskcache.Cache | None = None
        self._said = False

    def get(self, key: str) -> Any | None:
        """The value kept under a key, or None."""
        try:
            entry = self._cache().get(key)
        except _FAULTS as error:
            self._cannot("used", error)
            return None
        except _DamagedError:
            entry = b""
        if entry is None:
            return None
        try:
            return _unpack(key, entry)
        except _DamagedError:
            self.warn(f"an entry of the result store {self.folder} is damaged; its job is run again")
            return None

    def put(self, key: str, value: Any) -> bool:
        """Keep a value, in place of what the key had; whether that succeeded."""
        try:
            self._cache().set(key, _pack(key, value))
        except _FAULTS as error:
            self._cannot("written", error)
            return False
        return True

    def __len__(self) -> int:
        """How many values there are."""
        return len(self._cache())  # pyright: ignore[reportArgumentType]  # its annotation says less than it gives

    def close(self) -> None:
        """Close this thread's connection; the next use opens it again."""
        if self._opened is not None:
            self._opened.close()

    def _cache(self) -> diskcache.Cache:
        if self._opened is None:
            self._opened = self._open()
        return self._opened

    def _open(self) -> diskcache.Cache:
        return diskcache.Cache(
            str(self.folder),
            timeout=_WAIT,
            disk=_Bytes,
            size_limit=self.size_limit,
            eviction_policy="least-recently-used",
            disk_min_file_size=_LARGEST_IN_DATABASE,
        )

    def _cannot(self, what: str, error: Exception) -> None:
        # An operational error is the folder's fault, not the file's.
        if isinstance(error, sqlite3.DatabaseError) and not isinstance(error, sqlite3.OperationalError):
            self._discard(error)
            return
        # Once is enough: a sweep would say it a thousand times.
        if not self._said:
            self._said = True
            reason = "another process holds it" if isinstance(error, diskcache.Timeout) else _reason(error)
            self.warn(f"results are not kept: the result store {self.folder} cannot be {what}: {reason}")

    def _discard(self, error: Exception) -> None:
        """Begin with an empty database in place of one that SQLite cannot read."""
        self.warn(f"the result store {self.folder} is damaged and begins empty: {_reason(error)}")
        self.close()
        self._opened = None
        for suffix in ("", "-wal", "-shm"):
            try:
                (self.folder / f"{DBNAME}{suffix}").unlink(missing_ok=True)
            except OSError as fault:
                self._cannot("written", fault)


def user_store() -> ResultStore | None:
    """The store of this user: POLYMAC_STORE's folder, or one in the user's cache; None if POLYMAC_STORE is "off"."""
    named = os.environ.get(VARIABLE)
    if named == OFF:
        return None
    return _store_of(Path(named) if named else platformdirs.user_cache_path("polymac") / "results")


@lru_cache
def _store_of(folder: Path) -> ResultStore:
    return ResultStore(folder)


class _DamagedError(Exception):
    """An entry is not as it was written."""


class _Bytes(diskcache.Disk):
    """Entries that are bytes and stay bytes: where diskcache would unpickle, which can run code, it is damage."""

    def get(self, key: Any, raw: bool) -> Any:
        if not raw:
            raise _DamagedError
        return super().get(key, raw)

    def fetch(self, mode: int, filename: str | None, value: Any, read: bool) -> Any:
        if mode not in (MODE_RAW, MODE_BINARY):
            raise _DamagedError
        return super().fetch(mode, filename, value, read)


def _pack(key: str, value: Any) -> bytes:
    body = zlib.compress(json.dumps(value, ensure_ascii=False).encode(), level=1)
    return _digest(key, body) + body


def _unpack(key: str, entry: Any) -> Any:
    size = hashlib.sha256().digest_size
    if not isinstance(entry, bytes) or entry[:size] != _digest(key, entry[size:]):
        raise _DamagedError
    return json.loads(zlib.decompress(entry[size:]))


def _digest(key: str, body: bytes) -> bytes:
    # With the key: an entry that stands in another's place is damage too.
    return hashlib.sha256(key.encode() + b"\0" + body).digest()


def _reason(error: Exception) -> str:
    return (error.strerror if isinstance(error, OSError) else None) or str(error)
