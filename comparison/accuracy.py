"""Figures of accuracy for a row: quantization noise of the operand, error of a long sum, digits read rightly."""

from __future__ import annotations

from contextlib import suppress
from functools import lru_cache

from .. import golden, hdl, sim
from ..golden.formats import Accumulation, BlockFormat, FixedFormat, Format, ParameterError, any_format, style

#: Products of the sum whose error is measured.
SUM_LENGTH = 4096
_VECTORS = 32


def noise_figures(fmt: Format | BlockFormat) -> dict[str, float]:
    """Signal to quantization noise in dB by figure: the mean over three seeds for each of golden's distributions."""
    return dict(_noise(fmt))


@lru_cache(maxsize=256)
def _noise(fmt: Format | BlockFormat) -> tuple[tuple[str, float], ...]:
    return tuple((f"sqnr_{row.distribution}_db", round(row.sqnr_db, 3)) for row in golden.noise_table([fmt]))


def sum_error(unit: hdl.Unit) -> float | None:
    """Relative error of a dot product of :data:`SUM_LENGTH` as the unit accumulates, against the exact one of the same
    codes; None for a unit without accumulator, or where the operands have no such sum."""
    accumulation = getattr(unit, "accumulator", None)
    if accumulation is None:
        return None
    acc: str | Accumulation = str(unit.parameters["acc"])
    a, b = (any_format(unit.parameters[side]) for side in ("a", "b"))
    # Else it is a fixed-point format, in which sums wrap.
    with suppress(ParameterError):
        acc = style(acc)
    try:
        return golden.dot_error(a, b, k=SUM_LENGTH, acc=acc, vectors=_VECTORS, seeds=(0,)).error
    except ParameterError:
        return None


def digits_percent(fmt: Format | BlockFormat, acc: str | None = None) -> float:
    """Digits of scikit-learn's held-out half that a 64-64-10 network in this format reads rightly, in per cent: the mean
    of three seeds.

    Raises
    ------
    ParameterError
        scikit-learn is not installed, or the network cannot be computed in this format.
    """
    is_integer = isinstance(fmt, FixedFormat) and fmt.is_integral
    return round(sim.digits_accuracy(fmt, acc=None if is_integer else acc).percent, 3)
