"""Thousands of requests, a batch at a time: rows come while the rest is measured, and one that cannot be stands alone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from .. import hdl
from ..golden.formats import ParameterError
from ..synth import Progress, SynthesisError
from ..synth.yosys.job import ClusterLostError
from ..synth.yosys.runner import Workers
from .kept import measure_kept
from .measure import failed_row
from .plan import Options
from .request import Request
from .row import Row

#: Requests in a batch for each job that runs at a time: so many that the wait for a batch's last job counts for little.
_FOR_EACH_JOB = 16


def measure_batches(
    requests: Sequence[Request],
    workers: Workers,
    options: Options | None = None,
    progress: Progress | None = None,
) -> Iterator[tuple[int, Row]]:
    """The place and row of every request, a target after the other; a request that cannot be measured has the reason.

    Parameters
    ----------
    requests : sequence of Request
        What is measured.
    workers : Workers
        What runs the jobs.
    options : Options, optional
        What is measured of each.
    progress : callable, optional
        Called with the rows done, the rows in all, and what is being done.

    Raises
    ------
    ClusterLostError
        The workers' scheduler has gone; the rows before are good.
    """
    order = sorted(range(len(requests)), key=lambda place: requests[place].find_target().name)
    size = _FOR_EACH_JOB * workers.width
    for start in range(0, len(order), size):
        places = order[start : start + size]
        batch = [requests[place] for place in places]

        def report(done: int, total: int, label: str, start: int = start, count: int = len(batch)) -> None:
            if progress is not None:
                progress(start + count * done // max(total, 1), len(order), label)

        yield from zip(places, _rows(batch, workers, options, report), strict=True)
        report(1, 1, "")


def _rows(batch: Sequence[Request], workers: Workers, options: Options | None, progress: Progress) -> list[Row]:
    """The rows of a batch, in which one request may spoil the others."""
    try:
        return measure_kept(batch, workers, options, progress)
    except ClusterLostError:
        raise
    except (ParameterError, TypeError, SynthesisError):
        faults = [_fault(request) for request in batch]
    # Those that can be generated go on together, so that their jobs run at the same time.
    good = [request for request, fault in zip(batch, faults, strict=True) if fault is None]
    try:
        rows = iter(measure_kept(good, workers, options, progress))
    except ClusterLostError:
        raise
    except (ParameterError, TypeError, SynthesisError):
        rows = (_alone(request, workers, options, progress) for request in good)
    return [failed_row(request, fault) if fault else next(rows) for request, fault in zip(batch, faults, strict=True)]


def _fault(request: Request) -> Exception | None:
    """Why a request describes no hardware; None where it does."""
    try:
        for unit in request.variants():
            hdl.generate(unit)
    except (ParameterError, TypeError) as error:
        return error
    return None


def _alone(request: Request, workers: Workers, options: Options | None, progress: Progress) -> Row:
    try:
        return measure_kept([request], workers, options, progress)[0]
    except ClusterLostError:
        raise
    except (ParameterError, TypeError, SynthesisError) as error:
        return failed_row(request, error)
