"""Figures of accuracy for a row: quantization noise of the operand, error of a long sum, digits read rightly."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from types import MappingProxyType

from .. import golden, hdl, sim
from ..golden.formats import BlockFormat, FixedFormat, Format, ParameterError, any_format
from ..sim.units import UNITS

#: Products of the sum whose error is measured.
SUM_LENGTH = 4096
_VECTORS = 32


@lru_cache(maxsize=256)
def noise_figures(fmt: Format | BlockFormat) -> Mapping[str, float]:
    """Signal to quantization noise in dB by figure: the mean over three seeds for each of golden's distributions."""
    found = {f"sqnr_{row.distribution}_db": round(row.sqnr_db, 3) for row in golden.noise_table([fmt])}
    return MappingProxyType(found)


def sum_error(unit: hdl.Unit) -> float | None:
    """Relative error of a dot product of :data:`SUM_LENGTH` as the unit accumulates, against the exact one of the same
    codes; None for a unit without accumulator, or where the operands have no such sum."""
    if UNITS[unit.kind].accumulator is None:
        return None
    a, b = (any_format(unit.parameters[side]) for side in ("a", "b"))
    acc = str(unit.parameters["acc"])
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
