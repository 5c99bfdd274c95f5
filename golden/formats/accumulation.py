"""How a sum of products is accumulated: the styles, as data."""

from __future__ import annotations

from dataclasses import dataclass

from ..checks import ParameterError, check_choice, check_int
from .floating import FloatFormat
from .policy import ROUNDINGS, SUBNORMALS, RoundingPolicy
from .registry import format
from .scalar import Format

#: Aligned terms stay below 2^(this + 2), so that sums of up to 512 of them are exact in a float64.
MAX_ALIGNED_FRAC_BITS = 40
MAX_ALIGNED_BLOCK = 512


@dataclass(frozen=True)
class Exact:
    """d = round(c + Σ a·b): the exact sum, rounded once; independent of the order of the products.

    Parameters
    ----------
    rounding, overflow, subnormals : str
        As in :func:`.operations.multiply`, for the output format.

    Examples
    --------
    >>> a, b = golden.encode([1024.0, 1.0], "fp16"), golden.encode([1024.0, 2.0**-4], "fp16")
    >>> golden.decode(golden.dot(a, b, "fp16", "fp16", acc=golden.Exact()), "fp32").item()
    1048576.0
    """

    rounding: str = "rne"
    overflow: str | None = None
    subnormals: str = "full"

    def __post_init__(self) -> None:
        check_choice("rounding", self.rounding, ROUNDINGS)
        check_choice("subnormals", self.subnormals, SUBNORMALS)

    def policy(self, out: Format) -> RoundingPolicy:
        """How results are rounded to ``out``.

        Raises
        ------
        ParameterError
            A value has no meaning in ``out``.
        """
        return out.policy(self.rounding, self.overflow, self.subnormals)


@dataclass(frozen=True)
class Rounded:
    """acc = round(acc + a·b) in k order, from acc = c: one rounding per product, as a fused multiply-add does it.

    Where products are exact in ``format``, as products of fp16, bf16 and fp8 are in fp32 (unless they leave its exponent
    range), that equals a multiplication followed by an addition.

    Parameters
    ----------
    format : str or Format
        Format of the accumulator, of c and of the result.
    rounding, overflow, subnormals : str
        As in :func:`.operations.multiply`, for ``format``.
    block : int
        Products that are summed exactly, with the accumulator, before each rounding; the last block may be short.

    Examples
    --------
    >>> a = golden.encode([2048.0, 1.0, 1.0], "fp16")
    >>> b = golden.encode([1.0, 1.0, 1.0], "fp16")
    >>> # 2049 is a tie in fp16 and goes to 2048, twice.
    >>> golden.decode(golden.dot(a, b, "fp16", "fp16", acc=golden.Rounded("fp16")), "fp16").item()
    2048.0
    """

    format: str | Format = "fp32"
    rounding: str = "rne"
    overflow: str | None = None
    subnormals: str = "full"
    block: int = 1

    def __post_init__(self) -> None:
        format(self.format)
        check_choice("rounding", self.rounding, ROUNDINGS)
        check_choice("subnormals", self.subnormals, SUBNORMALS)
        check_int("block", self.block, 1)

    def policy(self, out: Format) -> RoundingPolicy:
        """How results are rounded to ``out``.

        Raises
        ------
        ParameterError
            A value has no meaning in ``out``.
        """
        return out.policy(self.rounding, self.overflow, self.subnormals)


@dataclass(frozen=True)
class Aligned:
    """The block fused multiply-add of tensor cores: not the same as correct rounding.

    The products of a block are exact and left un-normalised, significand in [0, 4) and exponent ea + eb (subnormal
    operands have the least exponent of their format). They and the accumulator are aligned to the largest exponent
    among those that are not zero and truncated toward zero at ``frac_bits`` fraction bits; the terms are added exactly
    and the sum is truncated toward zero to a significand of 1 + ``out_frac_bits`` bits: the next block's accumulator.
    The last block may be short.

    Choices, where the published model and the recordings are silent: a zero sum is +0; a sum below the output's normals
    is truncated to a subnormal; one beyond its largest value is infinite (where there is no infinity NaN, else the
    largest value); NaN and infinities as in IEEE 754 additions.

    Source: Fasi, Higham, Mikaitis, Pranesh, "Numerical behavior of NVIDIA tensor cores", PeerJ CS 7:e330 (2021);
    Khattak and Mikaitis, arXiv 2512.07004.

    Parameters
    ----------
    block : int
        Products per block, 1 … 512.
    frac_bits : int
        Fraction bits of the aligned terms, 0 … 40.
    out_frac_bits : int
        Fraction bits of the truncated sum, at most as many as the output format has.

    Examples
    --------
    >>> h100 = golden.Aligned(block=32, frac_bits=13, out_frac_bits=13)
    >>> one, tiny = golden.encode([1.0, 2.0**-14], "fp16")
    >>> # The small term is cut off.
    >>> golden.decode(golden.dot([one, tiny], [one, one], "fp16", "fp16", acc=h100), "fp32").item()
    1.0
    """

    block: int
    frac_bits: int
    out_frac_bits: int = 23

    def __post_init__(self) -> None:
        check_int("block", self.block, 1, MAX_ALIGNED_BLOCK)
        check_int("frac_bits", self.frac_bits, 0, MAX_ALIGNED_FRAC_BITS)
        check_int("out_frac_bits", self.out_frac_bits, 0, 52)


Accumulation = Exact | Rounded | Aligned

#: What :func:`style` reads.
STYLES = (
    "exact[:ROUNDING], rounded:FORMAT[:ROUNDING[:BLOCK]], a float format, or aligned:BLOCK:FRAC_BITS[:OUT_FRAC_BITS]"
)


def style(text: str | Accumulation) -> Accumulation:
    """The style of that name, as command lines and metadata have it; a style is returned as it is.

    ``exact[:ROUNDING]``, ``rounded:FORMAT[:ROUNDING[:BLOCK]]``, the name of a float format for ``rounded:FORMAT``,
    ``aligned:BLOCK:FRAC_BITS[:OUT_FRAC_BITS]``. :func:`style_name` is the inverse.

    Raises
    ------
    TypeError
        ``text`` is neither a string nor a style.
    ParameterError
        It has another form, or a number or a name in it is not allowed.
    """
    if isinstance(text, Accumulation):
        return text
    if not isinstance(text, str):
        raise TypeError(f"acc must be a style or its name, not {text!r}")
    kind, *parts = text.split(":")
    numbers = [int(part) for part in parts if part.isdecimal()]
    if kind == "exact" and len(parts) <= 1:
        return Exact(*parts)
    if kind == "rounded" and len(parts) in (1, 2, 3) and len(numbers) == (len(parts) == 3):
        rounding = parts[1] if len(parts) > 1 else Rounded.rounding
        return Rounded(format(parts[0]).name, rounding, block=numbers[0] if numbers else Rounded.block)
    if kind == "aligned" and len(parts) in (2, 3) and len(numbers) == len(parts):
        return Aligned(*numbers)
    try:
        fmt = format(text)
    except ParameterError:
        fmt = None
    if fmt is None or fmt.is_integral:
        raise ParameterError(f"acc must be {STYLES}, not {text!r}")
    return Rounded(fmt.name)


def style_name(accumulation: Accumulation) -> str:
    """The shortest text that :func:`style` reads as this style; policies of overflow and subnormals are not in it."""
    if isinstance(accumulation, Aligned):
        parts = ["aligned", accumulation.block, accumulation.frac_bits, accumulation.out_frac_bits]
        return ":".join(map(str, parts[:-1] if accumulation.out_frac_bits == Aligned.out_frac_bits else parts))
    if isinstance(accumulation, Exact):
        return "exact" if accumulation.rounding == Exact.rounding else f"exact:{accumulation.rounding}"
    name = str(accumulation.format)
    if accumulation.block > 1:
        return f"rounded:{name}:{accumulation.rounding}:{accumulation.block}"
    return name if accumulation.rounding == Rounded.rounding else f"rounded:{name}:{accumulation.rounding}"


def check_accumulation(accumulation: object, out: str | Format | None) -> tuple[Accumulation, Format]:
    """The style, and the format of c and of the result; if ``out`` is None, the rounded accumulator's, else fp32.

    Raises
    ------
    TypeError
        ``accumulation`` is no style.
    ParameterError
        ``out`` contradicts it.
    """
    if not isinstance(accumulation, Accumulation):
        raise TypeError(f"acc must be Exact, Rounded or Aligned, not {accumulation!r}")
    if isinstance(accumulation, Rounded):
        own = format(accumulation.format)
        if out is not None and format(out) != own:
            raise ParameterError(f"out must be {own}, the accumulator's format, or None, not {format(out)}")
        return accumulation, own
    out = format("fp32" if out is None else out)
    if isinstance(accumulation, Aligned) and not (
        isinstance(out, FloatFormat) and out.frac_bits >= accumulation.out_frac_bits
    ):
        least = accumulation.out_frac_bits
        raise ParameterError(f"out must be a float format with at least {least} fraction bits, not {out}")
    return accumulation, out
