"""Blocks of numbers with a shared scale, as data.

Like :mod:`.scalar` this module needs only the standard library; :mod:`polymac.golden.codec.block` computes.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

from ..checks import ParameterError, check_bool, check_choice, check_int, check_text
from .floating import FloatFormat
from .policy import ROUNDINGS
from .scalar import Format

#: How a block's scale comes from its largest magnitude, amax. "floor": the power of two with which amax gets the
#: exponent of the largest element (OCP MX; the shared exponent of MSFP). "ceil": the least power of two with which amax
#: is no larger than the largest element (RCEIL). "amax": amax over the largest element, rounded to a code.
SCALE_RULES = ("floor", "ceil", "amax")


@dataclass(frozen=True)
class BlockFormat:
    """A format of blocks: ``value = element * scale`` (``* tensor scale``), the scale shared by ``block_size`` elements.

    Parameters
    ----------
    name : str
        The name by which :func:`.registry.block_format` finds it.
    element : Format
        Format of the elements; it has a zero.
    scale : Format
        Format of the shared scale: of powers of two alone (a float without fraction bits and subnormals) under the
        rules "floor" and "ceil", a float with a zero under "amax".
    block_size : int
        Elements that share a scale.
    tensor_scale : Format or None
        Format of a second scale for the whole tensor; rule "amax" only.
    scale_rule : "floor", "ceil" or "amax"
        One of SCALE_RULES: the standard's.
    rounding : str
        The standard's rounding of elements, one of ROUNDINGS.
    symmetric : bool
        Two's complement elements: the most negative code is not used.
    zero_scale : bool
        The scale's code 0 says that the block is zero: numbers below ``2**(1 - scale.bias)`` are zeros (those that are
        subnormal in fp32, where the scale is fp32's exponent).
    source : str
        Where the definition comes from.

    Raises
    ------
    TypeError
        A parameter is of a wrong kind.
    ParameterError
        One is out of range, or they contradict each other.

    Examples
    --------
    >>> mine = golden.BlockFormat("mine", golden.format("int4"), golden.format("e8m0"), block_size=16)
    >>> float(mine.bits_per_element)
    4.5
    """

    name: str
    element: Format
    scale: Format
    block_size: int
    tensor_scale: Format | None = None
    scale_rule: Literal["floor", "ceil", "amax"] = "floor"
    rounding: str = "rne"
    symmetric: bool = False
    zero_scale: bool = False
    source: str = "user"

    def __post_init__(self) -> None:
        check_text("name", self.name)
        check_text("source", self.source)
        for argument, fmt in (("element", self.element), ("scale", self.scale)):
            if not isinstance(fmt, Format):
                raise TypeError(f"{argument} must be a Format, not {fmt!r}")
        if not isinstance(self.tensor_scale, Format | None):
            raise TypeError(f"tensor_scale must be a Format or None, not {self.tensor_scale!r}")
        check_int("block_size", self.block_size, 1, 1 << 20)
        check_choice("scale_rule", self.scale_rule, SCALE_RULES)
        check_choice("rounding", self.rounding, ROUNDINGS)
        check_bool("symmetric", self.symmetric)
        check_bool("zero_scale", self.zero_scale)
        if not self.element.has_zero:
            raise ParameterError(f"element must be a format with a zero, not {self.element}")
        if self.symmetric and not self.twos_complement:
            raise ParameterError(
                f"symmetric must be False unless element is two's complement, not True with {self.element}"
            )
        self._check_scales()
        self._check_exactness()

    def _check_scales(self) -> None:
        scale, tensor_scale = self.scale, self.tensor_scale
        if self.power_of_two:
            if not isinstance(scale, FloatFormat) or scale.frac_bits or scale.subnormals:
                raise ParameterError(f"scale must be a format of powers of two under {self.scale_rule}, not {scale}")
            if tensor_scale is not None:
                raise ParameterError(f"tensor_scale must be None under {self.scale_rule}, not {tensor_scale}")
            return
        for argument, fmt in (("scale", scale), ("tensor_scale", tensor_scale)):
            if fmt is not None and not (isinstance(fmt, FloatFormat) and fmt.has_zero):
                raise ParameterError(f"{argument} must be a float format with a zero under amax, not {fmt}")
        if self.zero_scale:
            raise ParameterError("zero_scale must be False under amax, not True")

    def _check_exactness(self) -> None:
        """Every value is a float64, or the golden model could not say it."""
        bits = sum(fmt.significand_bits for fmt in self.factors)
        if bits > 53 or self.max >= 1 << 1024 or self.min_positive < Fraction(1, 1 << 1074):
            names = " · ".join(map(str, self.factors))
            raise ParameterError(f"element and scales must have products that are float64 numbers, not {names}")

    def __str__(self) -> str:
        return self.name

    @property
    def factors(self) -> tuple[Format, ...]:
        """The formats whose numbers are multiplied: element, scale, and the tensor's scale where there is one."""
        return (self.element, self.scale, *([] if self.tensor_scale is None else [self.tensor_scale]))

    @property
    def power_of_two(self) -> bool:
        """Whether scales are powers of two."""
        return self.scale_rule != "amax"

    @property
    def twos_complement(self) -> bool:
        """Whether elements are two's complement integers times a power of two."""
        return self.element.twos_complement

    @property
    def bits_per_element(self) -> Fraction:
        """Stored bits for each element, its share of the block's scale included."""
        return self.element.width + Fraction(self.scale.width, self.block_size)

    @property
    def max(self) -> Fraction:
        """The largest finite value."""
        return self._product([fmt.max for fmt in self.factors])

    @property
    def min_positive(self) -> Fraction:
        """The least positive value."""
        return self._product([fmt.min_positive for fmt in self.factors])

    @staticmethod
    def _product(factors: list[Fraction]) -> Fraction:
        product = Fraction(1)
        for factor in factors:
            product *= factor
        return product
