"""What the options of a multiplier, or an adder, may be together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ...golden.formats import (
    BLOCK_FORMATS,
    SUBNORMALS,
    BlockFormat,
    FloatFormat,
    Format,
    ParameterError,
    check_choice,
    check_int,
    exact_product,
    exact_sum,
    format,
    load_environment,
)
from ..core.pipeline import MAX_STAGES
from ..integer.architecture import AUTO, choose_architecture
from ..integer.product import ARCHITECTURES
from ..rounding.encoders import Path, encoder, has_path
from ..rounding.modes import PORT, STOCHASTIC

#: Values of ``out`` that ask for the exact product: as a number of its format, or as the significands' multiplier leaves
#: it.
EXACT, UNPACKED = "exact", "unpacked"
#: Stages beyond one for each bit of both operands: behind the operands, before and after the rounder, and before the
#: output.
_OTHER_STAGES = 4
#: Bounds of the default number of random bits.
_RANDOM_BITS = (8, 32)


@dataclass(frozen=True)
class Formats:
    """The formats of a multiplier or an adder: of each of its choices the operands' and the result's.

    Attributes
    ----------
    a, b, out : tuple of Format
        One of each, or with ``selected`` one for each code of ``select``; ``out`` with is_exact that of the exact product.
    selected : bool
        Whether a port chooses.
    is_exact, is_unpacked : bool
        Whether the product is exact, and whether it is not even normalised.
    operation : str
        What the result is called: product or sum.
    """

    a: tuple[Format, ...]
    b: tuple[Format, ...]
    out: tuple[Format, ...]
    selected: bool
    is_exact: bool
    is_unpacked: bool
    operation: str = "product"

    @classmethod
    def of_sum(cls, a: str | Format, b: str | Format | None, out: str | Format | None) -> Formats:
        """Those of an adder, ``out`` completed as :func:`polymac.golden.add` does.

        Raises
        ------
        TypeError, ParameterError
            As :class:`.adder.Adder` does.
        """
        fa = _scalar("a", a)
        fb = fa if b is None else _scalar("b", b)
        if out == EXACT or (out is None and fa.is_integral and fb.is_integral):
            return cls((fa,), (fb,), (exact_sum(fa, fb),), False, True, False, "sum")
        if out is None and fa != fb:
            raise ParameterError(f"out must be given where a and b differ, not left out with a={fa} and b={fb}")
        result = fa if out is None else _scalar("out", out)
        _check_result(result, fa, fb)
        return cls((fa,), (fb,), (result,), False, False, False, "sum")

    @classmethod
    def make(
        cls,
        a: str | Format | None,
        b: str | Format | None,
        formats: Sequence[str | Format] | None,
        out: str | Format | None,
    ) -> Formats:
        """Check them, and complete ``out``.

        Raises
        ------
        TypeError, ParameterError
            As :class:`.multiplier.Multiplier` does.
        """
        if formats is not None:
            return cls._selected(a, b, formats, out)
        if a is None or b is None:
            name, given = ("a", a) if a is None else ("b", b)
            raise ParameterError(f"{name} must be given without formats, not {given}")
        fa, fb = _scalar("a", a), _scalar("b", b)
        unpacked = out == UNPACKED
        fixed = all(has_path(fmt, Path.FIXED_POINT) for fmt in (fa, fb))
        if unpacked and fa.is_integral and fb.is_integral:
            raise ParameterError(
                f"out must be exact or a format without a float operand, not unpacked with a={fa} and b={fb}"
            )
        if unpacked or out == EXACT or (out is None and fixed):
            return cls((fa,), (fb,), (exact_product(fa, fb),), False, True, unpacked)
        if out is None and fa != fb:
            raise ParameterError(f"out must be given where a and b differ, not left out with a={fa} and b={fb}")
        result = fa if out is None else _scalar("out", out)
        _check_result(result, fa, fb)
        return cls((fa,), (fb,), (result,), False, False, False)

    @classmethod
    def _selected(
        cls,
        a: str | Format | None,
        b: str | Format | None,
        formats: Sequence[str | Format],
        out: str | Format | None,
    ) -> Formats:
        for name, given in (("a", a), ("b", b)):
            if given is not None:
                raise ParameterError(f"{name} must be left out with formats, not {given}")
        if isinstance(formats, str) or not isinstance(formats, Sequence):
            raise TypeError(f"formats must be a sequence of formats, not {formats!r}")
        found = tuple(_scalar("formats", item) for item in formats)
        if not 2 <= len(set(found)) == len(found):
            raise ParameterError(f"formats must be at least two different formats, not {', '.join(map(str, found))}")
        for item in found:
            if not isinstance(item, FloatFormat):
                raise ParameterError(f"formats must be float formats, not {item}")
        if out in (EXACT, UNPACKED):
            raise ParameterError(f"out must be a float format or left out with formats, not {out}")
        results = found if out is None else (_scalar("out", out),) * len(found)
        for item, result in zip(found, results, strict=True):
            if not isinstance(result, FloatFormat):
                raise ParameterError(f"out must be a float format or left out with formats, not {result}")
            _check_result(result, item, item)
        return cls(found, found, results, True, False, False)

    @property
    def has_float(self) -> bool:
        """Whether a format is a float."""
        return any(isinstance(item, FloatFormat) for item in (*self.a, *self.b, *self.out))


def _scalar(argument: str, name: str | Format) -> Format:
    """The scalar format of that name; a block format's name is told what it is made of."""
    load_environment()
    if isinstance(name, BlockFormat) or (isinstance(name, str) and name in BLOCK_FORMATS):
        block = name if isinstance(name, BlockFormat) else BLOCK_FORMATS[name]
        raise ParameterError(
            f"{argument} must be a scalar format, such as the element {block.element} or the scale {block.scale}, or the "
            f"unit dot, not the block format {block.name}"
        )
    return format(name)


def _check_result(result: Format, fa: Format, fb: Format) -> None:
    if result.is_for_operands_only:
        raise ParameterError(f"out must be a format that results can be rounded to, not {result}")
    if not result.is_result:
        raise ParameterError(f"out must be a format with sign and zero, not {result}")
    if (fa.has_specials or fb.has_specials) and not result.has_nan:
        raise ParameterError(f"out must be a format with NaN where a or b has one, not {result} with a={fa} and b={fb}")


def choose_rounding(
    formats: Formats, rounding: str | None, random_bits: int | None, overflow: str | None
) -> tuple[str | None, int, str | None]:
    """Rounding, random bits (0 without) and overflow, checked and completed; None where nothing rounds."""
    out = formats.out[0]
    if formats.is_exact or has_path(out, Path.SIGN):
        what = f"an exact {formats.operation}" if formats.is_exact else f"out={out}"
        for argument, value in (("rounding", rounding), ("random_bits", random_bits), ("overflow", overflow)):
            if value is not None:
                raise ParameterError(f"{argument} must be left out with {what}, not {value!r}")
        return None, 0, None
    modes = out.roundings
    choices, note = ((*modes, PORT), "") if len(modes) > 1 else (modes, f" for {out}")
    mode = check_choice("rounding", modes[0].value if rounding is None else rounding, choices, note)
    if mode not in (STOCHASTIC, PORT) and random_bits is not None:
        raise ParameterError(f"random_bits must be left out with rounding={mode}, not {random_bits!r}")
    if mode == STOCHASTIC and random_bits is None:
        random_bits = _default_random_bits(formats)
    bits = 0 if random_bits is None else check_int("random_bits", random_bits, 1, 63)
    allowed, note = out.overflows, f" for {encoder(out).family} formats"
    return mode, bits, check_choice("overflow", allowed[0] if overflow is None else overflow, allowed, note)


def _default_random_bits(formats: Formats) -> int:
    """As many as a product has below the last place of a (normal) result, within bounds: all of them decide then."""
    cut = 0
    for a, b, out in zip(formats.a, formats.b, formats.out, strict=True):
        if has_path(out, Path.NORMALIZED):
            cut = max(cut, a.significand_bits + b.significand_bits - out.significand_bits)
        else:
            cut = max(cut, out.lsb_exponent - a.lsb_exponent - b.lsb_exponent)
    min_bits, max_bits = _RANDOM_BITS
    return min(max(cut, min_bits), max_bits)


def choose_float_options(formats: Formats, subnormals: str | None, flags: bool | None) -> tuple[str, bool]:
    """Subnormals (empty without a float) and whether there are flags, checked and completed."""
    out = formats.out[0]
    if not formats.has_float and subnormals is not None:
        raise ParameterError(
            f"subnormals must be left out without a float format, not {subnormals!r} with a={formats.a[0]}"
        )
    if formats.is_unpacked and flags:
        raise ParameterError(f"flags must be left out with out={UNPACKED}, not {flags!r}")
    if not out.raises_flags and flags:
        raise ParameterError(f"flags must be left out where out is no float, not {flags!r} with {out}")
    chosen = check_choice("subnormals", "full" if subnormals is None else subnormals, SUBNORMALS)
    has_flags = out.raises_flags and (not formats.is_exact if flags is None else bool(flags))
    return chosen if formats.has_float else "", has_flags


def choose_stages(formats: Formats, stages: int, valid: bool) -> int:
    """Pipeline stages, no more than a datapath of those operands can spread over its gates."""
    check_int("stages", stages, 0, MAX_STAGES)
    a, b = (max(items, key=lambda fmt: fmt.width) for items in (formats.a, formats.b))
    max_bits = a.width + b.width + _OTHER_STAGES
    if stages > max_bits:
        raise ParameterError(
            f"stages must be at most {max_bits}, as many as can be balanced with a={a} and b={b}, not {stages}"
        )
    if valid and not stages:
        raise ParameterError("valid must be left out with stages=0, not True")
    return stages


def choose_product(formats: Formats, architecture: str | None, target: str | None) -> str:
    """The architecture, which a target chooses with "auto"."""
    if architecture != AUTO:
        chosen = check_choice("architecture", architecture or "operator", (*ARCHITECTURES, AUTO))
        if target is not None:
            raise ParameterError(f"target must be left out unless architecture is auto, not {target!r} with {chosen}")
        return chosen
    widths = (max(item.significand_bits for item in items) for items in (formats.a, formats.b))
    signed = all(item.twos_complement for item in (*formats.a, *formats.b))
    return choose_architecture("nangate45" if target is None else target, *widths, signed=signed)
