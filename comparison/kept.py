"""Rows that are kept beside the jobs' results: a second run of the same code asks for nothing but the rows."""

from __future__ import annotations

import hashlib
import json
import platform
from collections.abc import Sequence
from dataclasses import asdict
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path

from ..golden.formats import BLOCK_FORMATS, FORMATS
from ..synth import Progress
from ..synth.yosys.job import tool
from ..synth.yosys.runner import Workers
from .measure import measure
from .netlists import NO_ENERGY_OF_ARRAYS
from .plan import Options
from .request import Request
from .row import SCHEMA, Row

_ROOT = Path(__file__).resolve().parents[1]


def measure_kept(
    requests: Sequence[Request],
    workers: Workers,
    options: Options | None = None,
    progress: Progress | None = None,
) -> list[Row]:
    """As :func:`.measure.measure`; rows that the workers' store holds are taken from there.

    A row depends on its request, on what is measured, on the formats that are known, on the code of this package and on
    the versions of Python, NumPy and Yosys: its key is a hash of these. A row in which something is missing is not kept,
    since what was missing (time, a compiler) may be there the next time.
    """
    chosen = options or Options()
    store = workers.store
    if store is None:
        return measure(requests, workers, chosen, progress)
    keys = [row_key(request, chosen) for request in requests]
    found: dict[str, Row] = {}
    for key in keys:
        value = store.get(key)
        if isinstance(value, dict):
            try:
                found[key] = Row(**value)
            except TypeError:  # not what SCHEMA says; it is measured again, and replaced
                continue
    missing = {key: request for key, request in zip(keys, requests, strict=True) if key not in found}
    if missing:
        rows = measure(list(missing.values()), workers, chosen, progress)
        for key, row in zip(missing, rows, strict=True):
            found[key] = row
            if is_complete(row):
                store.put(key, row.plain())
    store.close()
    return [found[key] for key in keys]


def is_complete(row: Row) -> bool:
    """Whether nothing of a row is missing that another run might have."""
    missing = (note for note in row.notes if note.startswith("no ") and note != NO_ENERGY_OF_ARRAYS)
    return not row.error and next(missing, None) is None


def row_key(request: Request, options: Options) -> str:
    """The hash of all that a row depends on."""
    parts = [request.key(), json.dumps(asdict(options)), _formats(), code_hash(), tool(), *_versions()]
    return hashlib.sha256(json.dumps(["row", SCHEMA, *parts]).encode()).hexdigest()


def _formats() -> str:
    """All formats that are known; a user's file may define one of the same name in another way."""
    known = sorted({**FORMATS, **BLOCK_FORMATS}.items())
    return hashlib.sha256(repr(known).encode()).hexdigest()


@lru_cache
def _versions() -> tuple[str, ...]:
    return platform.python_version(), version("numpy"), version("polymac")


@lru_cache
def code_hash(root: Path = _ROOT) -> str:
    """The hash of the sources of this package: rows of other code are other rows."""
    state = hashlib.sha256()
    for folder in ("golden", "hdl", "sim", "synth", "comparison"):
        for path in sorted((root / folder).rglob("*")):
            if path.suffix in (".py", ".cpp"):
                content = path.read_bytes()
                state.update(f"{path.relative_to(root)} {len(content)}\n".encode())
                state.update(content)
    return state.hexdigest()
