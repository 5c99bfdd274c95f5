"""The options by which a user describes how products are added up."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from typing import TypedDict, TypeVar

from ...golden.formats import Accumulation, BlockFormat, Format


class AccumulatorKeywords(TypedDict, total=False):
    """The fields of :class:`AccumulatorOptions` as keywords of a unit."""

    a: str | Format | BlockFormat
    b: str | Format | BlockFormat
    lanes: int | None
    acc: str | None
    out: str | Format | None
    overflow: str | None
    max_k: int | None
    sparse: bool
    architecture: str | None
    force_wide: bool


@dataclass(frozen=True, kw_only=True)
class AccumulatorOptions:
    """What a user may say of a sum of products; :func:`.select.accumulator` checks it and makes the accumulator.

    Parameters
    ----------
    a, b : str, Format or BlockFormat
        Formats of the operands, of any mix.
    lanes : int, optional
        Elements of the inner dimension in a beat, 1 … 128; of a block format it divides the size of a block. Default: the
        block of an aligned accumulation, else 1; sparse, the least that has as many products.
    acc : str, optional
        A fixed-point format (fixed-point operands: exact in each beat, then it wraps or saturates), or an accumulation as
        :func:`polymac.golden.formats.style` reads it. Default: fixed point for ``max_k`` products, else fp32.
    out : str or Format, optional
        Format of the result of exact and aligned accumulations, fp32 unless given; the accumulator's else.
    overflow : str, optional
        Fixed-point accumulators: "wrap" (default) or "saturate". Others: "ieee" (default) or "saturate".
    max_k : int, optional
        Products that the accumulator must add without overflow: the default one, the exact one (both 65536 unless given,
        for a single beat ``lanes``), and a given fixed-point one.
    sparse : bool
        2:4 structured sparsity of a.
    architecture : str, optional
        How products are formed, one of :data:`product.ARCHITECTURES`; default "operator".
    force_wide : bool
        Accept an exact sum of more than 256 bits.

    Examples
    --------
    >>> options = hdl.AccumulatorOptions(a="fp16", b="fp16", lanes=4, acc="exact")
    >>> hdl.Dot(**dataclasses.asdict(options)).formula
    'd = the sum of 4 products a * b, exact in 83 bits, rounded once to fp32 (rne)'
    """

    a: str | Format | BlockFormat
    b: str | Format | BlockFormat
    lanes: int | None = None
    acc: str | None = None
    out: str | Format | None = None
    overflow: str | None = None
    max_k: int | None = None
    sparse: bool = False
    architecture: str | None = None
    force_wide: bool = False

    @classmethod
    def of(cls, options: AccumulatorOptions | None, keywords: AccumulatorKeywords) -> AccumulatorOptions:
        """The options with those replaced that keywords give, or those that keywords give.

        Raises
        ------
        TypeError
            There is no option of that name, or one is missing that has no default.
        """
        return cls(**keywords) if options is None else replace(options, **keywords)


@dataclass(frozen=True)
class Request:
    """Options with their formats, lanes and accumulation found, as every accumulator's ``make`` takes them.

    Attributes
    ----------
    options : AccumulatorOptions
        As given.
    a, b : Format or BlockFormat
        Formats of the operands.
    lanes : int
        Elements of the inner dimension in a beat.
    accumulation : Accumulation or None
        None: fixed point.
    out : Format or None
        Format of the result; None: fixed point for ``max_k`` products.
    one_beat : bool
        No sum goes on from one beat to the next.
    port, flags : bool
        Rounded accumulations: each beat brings its rounding mode; the state holds the IEEE exceptions.
    """

    options: AccumulatorOptions
    a: Format | BlockFormat
    b: Format | BlockFormat
    lanes: int
    accumulation: Accumulation | None
    out: Format | None
    one_beat: bool = False
    port: bool = False
    flags: bool = False


UnitClass = TypeVar("UnitClass", bound=type)


def takes_accumulator_options(*without: str) -> Callable[[UnitClass], UnitClass]:
    """Class decorator: the signature of a unit whose ``**keywords`` are the fields of :class:`AccumulatorOptions`,
    ``without`` some of them, shows each by its name and default. The command line reads its options there."""

    def decorate(unit: UnitClass) -> UnitClass:
        own = list(inspect.signature(unit.__init__).parameters.values())[1:]
        named = [item for item in own if item.kind is not inspect.Parameter.VAR_KEYWORD and item.name != "options"]
        options = inspect.signature(AccumulatorOptions).parameters.values()
        shown = [*(item for item in options if item.name not in without), *named]
        unit.__signature__ = inspect.Signature(shown)  # type: ignore[attr-defined]
        return unit

    return decorate


def check_without(unit: str, options: AccumulatorOptions, *without: str) -> None:
    """Raise a TypeError if options are given that a unit does not have."""
    for item in fields(options):
        if item.name in without and getattr(options, item.name) != item.default:
            raise TypeError(
                f"{item.name} must be left out of the options of {unit}, not {getattr(options, item.name)!r}"
            )
