"""From what a user says of a sum to the accumulator that forms it."""

from __future__ import annotations

from collections.abc import Mapping
from math import lcm
from typing import Any, Unpack

from ...golden.formats import (
    Aligned,
    BlockFormat,
    Exact,
    Format,
    ParameterError,
    Rounded,
    any_format,
    check_accumulation,
    check_bool,
    check_choice,
    check_int,
    format,
    preset,
    style,
)
from ..rounding.encoders import Path, has_path
from ..rounding.modes import PORT
from .accumulator import GROUP, KEPT, MAX_LANES, Accumulator, check_lanes
from .aligned import AlignedSum
from .exact import ExactSum
from .integer import IntegerSum
from .one_shot import OneShotSum
from .options import AccumulatorKeywords, AccumulatorOptions, Request
from .rounded import RoundedSum

#: The accumulator of all that is no integer, where nothing is said.
DEFAULT_ACC = "fp32"


#: The accumulator of each kind of accumulation; of None, fixed point. A new accumulation needs an entry here.
ACCUMULATORS: dict[type, type[Accumulator]] = {
    type(None): IntegerSum,
    Exact: ExactSum,
    Rounded: RoundedSum,
    Aligned: AlignedSum,
}
#: Those that serve where no sum goes on from one beat to the next.
ONE_BEAT: dict[type, type[Accumulator]] = {Exact: OneShotSum}


def accumulator(
    options: AccumulatorOptions | None = None,
    *,
    one_beat: bool = False,
    rounding: str | None = None,
    flags: bool = False,
    **keywords: Unpack[AccumulatorKeywords],
) -> Accumulator:
    """The accumulator that the options describe.

    Parameters
    ----------
    options, **keywords
        :class:`AccumulatorOptions`, its fields as keywords, or some of them in place of those of ``options``.
    one_beat : bool
        No sum goes on from one beat to the next: an exact one is rounded at once, and scales need no bits in it.
    rounding : "port", optional
        Rounded accumulations: each beat brings its rounding mode, in place of the accumulation's.
    flags : bool
        Rounded accumulations, one product each: the state holds the IEEE exceptions of all operations.

    Raises
    ------
    TypeError
        A parameter is of a wrong kind.
    ParameterError
        The parameters contradict each other.

    Examples
    --------
    >>> hdl.accumulator(a="fp16", b="fp16", acc="fp32").description
    'rounded to fp32 after every product in order (rne)'
    """
    options = AccumulatorOptions.of(options, keywords)
    acc, out, sparse, lanes = options.acc, options.out, options.sparse, options.lanes
    a, b = any_format(options.a), any_format(options.b)
    check_bool("sparse", sparse)
    fixed = _fixed(acc)
    lanes = _min_lanes(None if fixed else acc, sparse) if lanes is None else check_int("lanes", lanes, 1, MAX_LANES)
    check_bool("flags", flags)
    if rounding is not None:
        check_choice("rounding", rounding, (PORT,))
    check_lanes(a, b, lanes, sparse)
    integers = not any(isinstance(fmt, BlockFormat) or not fmt.is_integral for fmt in (a, b))
    if integers and (acc is None or fixed is not None):
        for name, value in (("out", out), ("force_wide", options.force_wide or None)):
            if value is not None:
                raise ParameterError(f"{name} must be left out for a fixed-point accumulator, not {value}")
        accumulation, result = None, fixed
        _check_rounding(IntegerSum, acc, rounding, flags)
    elif fixed is not None:
        raise ParameterError(f"acc must be exact, rounded or aligned for {a} × {b}, not the fixed-point format {acc}")
    else:
        accumulation = style(DEFAULT_ACC if acc is None else acc)
        chosen = ACCUMULATORS[type(accumulation)]
        if options.max_k is not None and "max_k" not in chosen.takes:
            raise ParameterError(
                f"max_k must be left out with acc={acc or DEFAULT_ACC}, not {options.max_k}: it has no bound"
            )
        if options.force_wide and "force_wide" not in chosen.takes:
            raise ParameterError(f"force_wide must be left out with acc={acc or DEFAULT_ACC}: only exact sums are wide")
        accumulation, result = check_accumulation(accumulation, out)
        _check_rounding(chosen, acc, rounding, flags)
    registered = ACCUMULATORS | (ONE_BEAT if one_beat else {})
    request = Request(options, a, b, lanes, accumulation, result, one_beat, rounding is not None, flags)
    return registered[type(accumulation)].make(request)


def _min_lanes(acc: str | None, sparse: bool) -> int:
    """The fewest lanes that an accumulator takes, in a style or, without one, in fixed point."""
    accumulation = None if acc is None else style(acc)
    block = ACCUMULATORS[type(accumulation)].block_of(accumulation)
    lanes = lcm(block * GROUP // KEPT, GROUP) if sparse else block
    if lanes > MAX_LANES:
        raise ParameterError(f"acc must have blocks that {MAX_LANES} lanes can fill, not {block} products ({acc})")
    return lanes


def _check_rounding(chosen: type[Accumulator], acc: str | None, rounding: str | None, flags: bool) -> None:
    """Raise a ParameterError if a mode or flags are asked for that the accumulator does not have."""
    given = "a fixed-point accumulator" if acc is None else f"acc={acc}"
    for name, value in (("rounding", rounding), ("flags", "on" if flags else None)):
        if value is not None and name not in chosen.takes:
            raise ParameterError(
                f"{name} must be left out with {given}, which is not rounded product by product, not {value}"
            )


def _fixed(acc: str | None) -> Format | None:
    """The fixed-point format that ``acc`` names, if it does."""
    try:
        fmt = format(acc) if acc is not None else None
    except ParameterError:
        return None
    return fmt if fmt is not None and has_path(fmt, Path.FIXED_POINT) else None


def with_preset(name: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters that are given, and those of a preset.

    Raises
    ------
    TypeError
        As :func:`preset_parameters`.
    ParameterError
        There is no such preset, or a parameter is given that it has otherwise.

    Examples
    --------
    >>> hdl.with_preset("v100_fp16", {"stages": 2})["stages"]
    2
    """
    fixed = preset_parameters(name)
    for key, value in fixed.items():
        if given.get(key, value) != value:
            raise ParameterError(f"{key} must be left out or {value} with preset={name}, not {given[key]}")
    return fixed | dict(given)


def preset_parameters(name: str) -> dict[str, Any]:
    """The parameters of :func:`accumulator` that make the inner product of a known accelerator.

    Raises
    ------
    TypeError, ParameterError
        As :func:`polymac.golden.preset`.

    Examples
    --------
    >>> hdl.preset_parameters("v100_fp16")
    {'a': 'fp16', 'b': 'fp16', 'lanes': 4, 'acc': 'aligned:4:23', 'out': 'fp32'}
    """
    known = preset(name)
    in_fixed_point = has_path(format(known.out), Path.FIXED_POINT)
    chosen = ACCUMULATORS[type(None if in_fixed_point else known.acc)]
    return {"a": known.a, "b": known.b, "lanes": known.lanes} | chosen.keywords(known.acc, known.out)
