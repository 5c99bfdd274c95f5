"""Where the commands that synthesize run their jobs, and where they keep the results."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, TypeVar

import click

from ..synth import TIMEOUT
from ..synth.store import user_store
from ..synth.yosys.cluster import connect
from ..synth.yosys.runner import Workers

Function = TypeVar("Function", bound=Callable[..., Any])


def workers_options(function: Function) -> Function:
    """Decorator: ``--jobs`` and ``--scheduler``."""
    click.option(
        "--scheduler",
        metavar="ADDRESS",
        help="Run on the Dask cluster of the scheduler at tcp://HOST:PORT, instead of here.",
    )(function)
    click.option(
        "--jobs", metavar="N", type=int, default=os.cpu_count() or 1, help="Worker processes.  [default: all cores]"
    )(function)
    return function


@contextmanager
def open_workers(
    jobs: int, scheduler: str | None, *, seconds: float = TIMEOUT, memory_mb: int | None = None
) -> Iterator[Workers]:
    """Workers that keep their results in the user's store.

    Raises
    ------
    ParameterError
        A limit is out of range, or there is no such scheduler.
    """
    with ExitStack() as stack:
        # Before the network: a wrong limit is said at once.
        workers = Workers(jobs, seconds, store=user_store(), memory_mb=memory_mb)
        if scheduler is not None:
            workers.cluster = stack.enter_context(connect(scheduler))
        yield workers
