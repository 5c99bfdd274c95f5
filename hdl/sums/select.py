"""From what a user says of a sum to the summation that forms it."""

from __future__ import annotations

from collections.abc import Mapping
from math import lcm
from typing import Any

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
    style_name,
)
from ..rounding.modes import PORT
from .accumulator import GROUP, KEPT, MAX_LANES, Summation, check_lanes
from .aligned import AlignedSum
from .exact import ExactSum
from .integer import IntegerSum
from .one_shot import BeatSum
from .rounded import RoundedSum

#: The accumulator of all that is no integer, where nothing is said.
DEFAULT_ACC = "fp32"


def summation(
    *,
    a: str | Format | BlockFormat,
    b: str | Format | BlockFormat,
    lanes: int | None = None,
    acc: str | None = None,
    out: str | Format | None = None,
    overflow: str | None = None,
    max_k: int | None = None,
    sparse: bool = False,
    architecture: str | None = None,
    force_wide: bool = False,
    one_beat: bool = False,
    rounding: str | None = None,
    flags: bool = False,
) -> Summation:
    """The summation of those operands in that style.

    Parameters
    ----------
    a, b : str, Format or BlockFormat
        Formats of the operands, of any mix.
    lanes : int, optional
        Elements of the inner dimension in a beat, 1 … 128; of a block format it divides the size of a block. Default: the
        block of an aligned style, else 1; sparse, the least that has as many products.
    acc : str, optional
        A fixed-point format (fixed-point operands: exact in each beat, then it wraps or saturates), or a style as
        :func:`polymac.golden.accumulate.style` reads it. Default: fixed point for ``max_k`` products, else fp32.
    out : str or Format, optional
        Format of the result in the exact and aligned styles, fp32 unless given; the accumulator's else.
    overflow : str, optional
        Fixed-point accumulators: "wrap" (default) or "saturate". Others: "ieee" (default) or "saturate".
    max_k : int, optional
        Products that the accumulator must add without overflow: the default one, that of the exact style (both 65536
        unless given, with ``one_beat`` an exact style ``lanes``), and a given fixed-point one.
    sparse : bool
        2:4 structured sparsity of a.
    architecture : str, optional
        How products are formed, one of :data:`product.ARCHITECTURES`; default "operator".
    force_wide : bool
        Accept an exact sum of more than 256 bits.
    one_beat : bool
        No sum goes on from one beat to the next: an exact one is rounded at once, and scales need no bits in it.
    rounding : "port", optional
        Rounded styles: each beat brings its rounding mode, in place of the style's.
    flags : bool
        Rounded styles, one product each: the state holds the IEEE exceptions of all operations.

    Raises
    ------
    TypeError
        A parameter is of a wrong kind.
    ParameterError
        The parameters contradict each other.
    """
    fa, fb = any_format(a), any_format(b)
    check_bool("sparse", sparse)
    fixed = _fixed(acc)
    lanes = _least_lanes(None if fixed else acc, sparse) if lanes is None else check_int("lanes", lanes, 1, MAX_LANES)
    check_bool("flags", flags)
    if rounding is not None:
        check_choice("rounding", rounding, (PORT,))
    check_lanes(fa, fb, lanes, sparse)
    integers = not any(isinstance(fmt, BlockFormat) or fmt.kind == "float" for fmt in (fa, fb))
    if integers and (acc is None or fixed is not None):
        for name, value in (("out", out), ("force_wide", force_wide or None)):
            if value is not None:
                raise ParameterError(f"{name} must be left out for a fixed-point accumulator, not {value}")
        _only_rounded(acc, rounding, flags)
        return IntegerSum.make(fa, fb, lanes, sparse, fixed, overflow, max_k, architecture)
    if fixed is not None:
        raise ParameterError(f"acc must be exact, rounded or aligned for {fa} × {fb}, not the fixed-point format {acc}")
    how = style(DEFAULT_ACC if acc is None else acc)
    if max_k is not None and not isinstance(how, Exact):
        raise ParameterError(f"max_k must be left out with acc={acc or DEFAULT_ACC}, not {max_k}: it has no bound")
    if force_wide and not isinstance(how, Exact):
        raise ParameterError(f"force_wide must be left out with acc={acc or DEFAULT_ACC}: only exact sums are wide")
    how, result = check_accumulation(how, out)
    if not isinstance(how, Rounded):
        _only_rounded(acc, rounding, flags)
    if isinstance(how, Exact):
        kind, most = (BeatSum, lanes if max_k is None else max_k) if one_beat else (ExactSum, max_k)
        return kind.make(fa, fb, lanes, sparse, how, result, overflow, most, architecture, force_wide)
    if isinstance(how, Rounded):
        port = rounding is not None
        return RoundedSum.make(fa, fb, lanes, sparse, how, result, overflow, architecture, port, flags)
    return AlignedSum.make(fa, fb, lanes, sparse, how, result, overflow, architecture)


def _least_lanes(acc: str | None, sparse: bool) -> int:
    """The fewest lanes that an accumulator takes, in a style or, without one, in fixed point."""
    how = None if acc is None else style(acc)
    block = how.block if isinstance(how, Aligned) else 1
    lanes = lcm(block * GROUP // KEPT, GROUP) if sparse else block
    if lanes > MAX_LANES:
        raise ParameterError(f"acc must have blocks that {MAX_LANES} lanes can fill, not {block} products ({acc})")
    return lanes


def _only_rounded(acc: str | None, rounding: str | None, flags: bool) -> None:
    """Raise a ParameterError if there is what only rounded sums have."""
    how = "a fixed-point accumulator" if acc is None else f"acc={acc}"
    for name, value in (("rounding", rounding), ("flags", "on" if flags else None)):
        if value is not None:
            raise ParameterError(
                f"{name} must be left out with {how}, which is not rounded product by product, not {value}"
            )


def _fixed(acc: str | None) -> Format | None:
    """The fixed-point format that ``acc`` names, if it does."""
    try:
        fmt = format(acc) if acc is not None else None
    except ParameterError:
        return None
    return fmt if fmt is not None and fmt.kind == "fixed" else None


def with_preset(name: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters that are given, and those of a preset.

    Raises
    ------
    TypeError
        As :func:`preset_parameters`.
    ParameterError
        There is no such preset, or a parameter is given that it has otherwise.
    """
    fixed = preset_parameters(name)
    for key, value in fixed.items():
        if given.get(key, value) != value:
            raise ParameterError(f"{key} must be left out or {value} with preset={name}, not {given[key]}")
    return fixed | dict(given)


def preset_parameters(name: str) -> dict[str, Any]:
    """The parameters of :func:`summation` that make the inner product of a known accelerator.

    Raises
    ------
    TypeError, ParameterError
        As :func:`polymac.golden.preset`.
    """
    known = preset(name)
    given: dict[str, Any] = {"a": known.a, "b": known.b, "lanes": known.lanes}
    how = known.accumulate
    if format(known.out).kind == "fixed":
        assert isinstance(how, Exact)
        return given | {"acc": known.out, "overflow": how.overflow}
    return given | {"acc": style_name(how)} | ({} if isinstance(how, Rounded) else {"out": known.out})
