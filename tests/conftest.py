"""The scripts of campaigns/ and bench/, which are no modules of a package, and Dask clusters, for tests."""

from __future__ import annotations

import functools
import importlib.util
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

# No result of an earlier run, or of the user's, may stand in for one that is tested; tests of the store make their own.
os.environ["POLYMAC_STORE"] = "off"


@functools.cache
def load_script(name: str) -> ModuleType:
    """A script, by its path in tests/ without suffix, as a module: the same one each time."""
    path = Path(__file__).parent / f"{name}.py"
    module = name.replace("/", "_")
    spec = importlib.util.spec_from_file_location(module, path)
    assert spec is not None and spec.loader is not None
    script = importlib.util.module_from_spec(spec)
    sys.modules[module] = script  # where dataclasses look for the names of annotations
    sys.path.insert(0, str(path.parent))  # as where it is run: it may import the scripts beside it
    try:
        spec.loader.exec_module(script)
    finally:
        sys.path.remove(str(path.parent))
    return script


@pytest.fixture(scope="session")
def script() -> Callable[[str], ModuleType]:
    """:func:`load_script`, for tests that need it when they run."""
    return load_script


@pytest.fixture
def explore(capsys: pytest.CaptureFixture[str], record_property: Callable[[str, object], None]) -> Callable[..., int]:
    """What runs a function of Hypothesis' ``data`` again and again, and says how many configurations that were.

    The seed is that of POLYMAC_SEED, 1 unless set; it is printed, and those that follow while there is time.
    """
    hypothesis = pytest.importorskip("hypothesis", reason="hypothesis, of the extra 'test', is not installed")

    def run(body: Callable[[Any], int], *, examples: int, seconds: float = 0.0, shrink: bool = True) -> int:
        """``body`` returns how many configurations it has tried; ``examples`` are drawn at a time."""
        first = seed = int(os.environ.get("POLYMAC_SEED", "1"))
        started, count = time.monotonic(), 0

        def counted(data: Any) -> None:
            nonlocal count
            count += body(data)

        phases = [hypothesis.Phase.generate, *([hypothesis.Phase.shrink] if shrink else [])]
        settings = hypothesis.settings(
            max_examples=examples,
            deadline=None,
            database=None,
            phases=phases,
            suppress_health_check=list(hypothesis.HealthCheck),
        )
        while True:
            print(f"POLYMAC_SEED={seed}")
            hypothesis.seed(seed)(settings(hypothesis.given(hypothesis.strategies.data())(counted)))()
            if time.monotonic() - started >= seconds:
                break
            seed += 1
        record_property("configurations", count)
        if seconds:
            with capsys.disabled():
                print(f"\n{body.__name__}: {count} configurations, POLYMAC_SEED={first} to {seed}")
        return count

    return run


_DASK_SCHEDULER = "from distributed.cli.dask_scheduler import main; main()"
_DASK_WORKER = "from distributed.cli.dask_worker import main; main()"


@pytest.fixture
def dask_process(tmp_path: Path) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Starts a process of Dask; all are ended afterwards."""
    started: list[subprocess.Popen[str]] = []

    def run(script: str, *arguments: str) -> subprocess.Popen[str]:
        environment = {**os.environ, "DASK_DISTRIBUTED__DASK_WORKER__MEMORY__TERMINATE": "False"}
        process = subprocess.Popen(
            [sys.executable, "-W", "ignore", "-c", script, *arguments],
            stderr=subprocess.PIPE,
            text=True,
            cwd=tmp_path,
            env=environment,
            start_new_session=True,
        )
        started.append(process)
        return process

    yield run
    for process in started:
        process.kill()
        process.communicate()


@pytest.fixture
def dask_scheduler(dask_process) -> Callable[[str], tuple[str, subprocess.Popen[str]]]:
    """Starts a scheduler and gives its address."""

    def run(before: str = "") -> tuple[str, subprocess.Popen[str]]:
        process = dask_process(before + _DASK_SCHEDULER, "--host", "127.0.0.1", "--port", "0", "--no-dashboard")
        return _dask_says(process, r"Scheduler at: +(tcp://[\d.:]+)"), process

    return run


@pytest.fixture
def dask_worker(dask_process) -> Callable[..., subprocess.Popen[str]]:
    """Starts a worker of one thread, without a nanny that would start it again."""

    def run(address: str) -> subprocess.Popen[str]:
        process = dask_process(
            _DASK_WORKER, address, "--nthreads", "1", "--no-nanny", "--no-dashboard", "--host", "127.0.0.1"
        )
        _dask_says(process, r"Registered to: +(tcp://)")
        return process

    return run


def _dask_says(process: subprocess.Popen[str], pattern: str) -> str:
    assert process.stderr is not None
    seen = []
    for line in process.stderr:
        seen.append(line)
        if found := re.search(pattern, line):
            return found[1]
    raise AssertionError("".join(seen))
