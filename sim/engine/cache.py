"""Built things on disk: each in a folder that is there as a whole or not at all.

A folder gets its name by a rename once it is complete and on the disk, and loses it by a rename before it is removed. Both
are atomic: no process sees a part of a folder, even if another one was killed or the machine lost power. There are no
checksums: they would only detect damage by other programs, to which the installed package is just as open.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import platformdirs

from ...golden.formats import ParameterError

_LOCKS = ".locks"
_KEEP_SECONDS = 30 * 24 * 3600


def user_cache(kind: str) -> Path:
    """The folder of this user's cache for one kind of thing."""
    return platformdirs.user_cache_path("polymac") / kind


def digest(*parts: str | bytes) -> str:
    """A name for contents: 20 hexadecimal digits that depend on every part and on where each one ends."""
    state = hashlib.blake2b(digest_size=10)
    for part in parts:
        data = part.encode() if isinstance(part, str) else part
        state.update(len(data).to_bytes(8, "little"))
        state.update(data)
    return state.hexdigest()


def entry(folder: Path, name: str, build: Callable[[Path], None], prune: bool = False) -> Path:
    """The folder ``folder/name``, made by ``build(empty folder)`` if it is missing.

    ``build`` works in a temporary folder that is renamed at the end, under a lock of that name: any number of processes
    may ask for the same entry at once, and one of them builds it. With ``prune`` entries unused for 30 days go.

    Raises
    ------
    ParameterError
        The folder cannot be written.
    """
    final = folder / name
    if final.is_dir():
        _touch(final)
        return final
    with lock(folder, name):
        if final.is_dir():
            return final
        temporary = Path(tempfile.mkdtemp(prefix=f".{name}-", dir=folder))
        try:
            build(temporary)
            temporary.chmod(0o755)
            _sync(temporary)
            temporary.rename(final)
        except BaseException:
            shutil.rmtree(temporary, ignore_errors=True)
            raise
        if prune:
            _prune(folder)
    return final


@contextmanager
def lock(folder: Path, name: str) -> Iterator[None]:
    """Hold the lock ``name`` of a folder, against other processes and threads; it ends with the process that holds it.

    Raises
    ------
    ParameterError
        The folder cannot be written.
    """
    try:
        (folder / _LOCKS).mkdir(parents=True, exist_ok=True)
        file = (folder / _LOCKS / name).open("w")
    except OSError as error:
        raise ParameterError(
            f"the folder of built simulations must be writable, not {folder}: {error.strerror}"
        ) from None
    with file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _sync(folder: Path) -> None:
    """Have a folder's files on the disk: else a power failure may leave the rename done and the files empty."""
    for path in (*folder.rglob("*"), folder):
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _touch(folder: Path) -> None:
    try:
        os.utime(folder)
    except OSError:
        # A cache that this user may only read is still a cache.
        return


def _prune(folder: Path) -> None:
    """Remove what nobody has used for long: entries, and what killed processes left half-built."""
    oldest = time.time() - _KEEP_SECONDS
    for path in folder.iterdir():
        try:
            if path.name != _LOCKS and path.stat().st_mtime < oldest:
                # Renamed first: nobody finds an entry of which a part is gone.
                shutil.rmtree(path.rename(Path(tempfile.mkdtemp(prefix=".gone-", dir=folder))), ignore_errors=True)
        except OSError:
            # Another process was quicker, or the entry belongs to another user.
            continue


@contextmanager
def scratch(folder: Path) -> Iterator[Path]:
    """A folder below ``folder`` for what is needed while building, gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="scratch-", dir=folder) as name:
        yield Path(name)
