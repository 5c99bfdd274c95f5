"""Built things on disk: each in a folder that is there as a whole or not at all, checked before it is used again."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import tempfile
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import platformdirs

from ...golden.formats import ParameterError

_MANIFEST = "manifest.json"
_LOCKS = ".locks"
_KEEP_SECONDS = 30 * 24 * 3600
#: Entries whose every byte this process has checked already.
_checked: set[tuple[Path, int]] = set()


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
    """The folder ``folder/name``, made by ``build(empty folder)`` if it is missing or damaged.

    ``build`` works in a temporary folder that is renamed at the end, under a lock of that name: any number of processes
    may ask for the same entry at once, and one of them builds it. With ``prune`` entries unused for 30 days go.

    Raises
    ------
    ParameterError
        The folder cannot be written.
    """
    final = folder / name
    if _intact(final):
        _touch(final)
        return final
    with lock(folder, name):
        if _intact(final):
            return final
        shutil.rmtree(final, ignore_errors=True)
        temporary = Path(tempfile.mkdtemp(prefix=f".{name}-", dir=folder))
        try:
            build(temporary)
            _write_manifest(temporary)
            temporary.chmod(0o755)
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


def _files(folder: Path) -> dict[str, list[int]]:
    """Size and CRC-32 of every file below a folder."""
    return {
        str(path.relative_to(folder)): [path.stat().st_size, _crc(path)]
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != _MANIFEST
    }


def _crc(path: Path) -> int:
    value = 0
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            value = zlib.crc32(block, value)
    return value


def _write_manifest(folder: Path) -> None:
    (folder / _MANIFEST).write_text(json.dumps(_files(folder), indent=1))


def _intact(folder: Path) -> bool:
    """Whether every file is as the manifest says; the bytes are read once per process, the sizes always."""
    try:
        manifest: dict[str, list[int]] = json.loads((folder / _MANIFEST).read_text())
        if any((folder / name).stat().st_size != size for name, (size, _) in manifest.items()):
            return False
        identity = (folder.resolve(), (folder / _MANIFEST).stat().st_mtime_ns)
        if identity not in _checked:
            if any(_crc(folder / name) != crc for name, (_, crc) in manifest.items()):
                return False
            _checked.add(identity)
    except (OSError, ValueError, TypeError, AttributeError):
        return False
    return True


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
                shutil.rmtree(path, ignore_errors=True)
        except FileNotFoundError:
            # Another process was quicker.
            continue


@contextmanager
def scratch(folder: Path) -> Iterator[Path]:
    """A folder below ``folder`` for what is needed while building, gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="scratch-", dir=folder) as name:
        yield Path(name)
