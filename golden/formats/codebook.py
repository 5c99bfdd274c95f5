"""Codebooks as data: formats whose codes are positions in a table of values, such as QLoRA's NF4."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from itertools import pairwise

from ..checks import ParameterError, check_int
from .policy import FLOAT_OVERFLOWS, RoundingMode
from .scalar import Format

MAX_CODEBOOK_WIDTH = 8


@dataclass(frozen=True)
class CodebookFormat(Format, kind="codebook"):
    """Values by code: code i is ``values[i]``. For operands; only :func:`.scalar.encode` makes codes of it.

    Parameters
    ----------
    width : int
        Bits of a code, 1 … 8.
    values : sequence of Fraction, float or int
        ``2**width`` numbers of fp32, in any order; several codes may have the same one. Kept as Fractions.

    Raises
    ------
    TypeError
        A value is no number.
    ParameterError
        The table is not ``2**width`` long, or has a value that is no number of fp32.
    """

    values: tuple[Fraction, ...] = ()

    def __post_init__(self) -> None:
        super().__post_init__()
        check_int("width", self.width, 1, MAX_CODEBOOK_WIDTH)
        if not isinstance(self.values, list | tuple):
            raise TypeError(f"values must be a sequence of numbers, not {self.values!r}")
        for value in self.values:
            if isinstance(value, bool) or not isinstance(value, Fraction | float | int):
                raise TypeError(f"values must be numbers, not {value!r}")
        if len(self.values) != self.code_count:
            raise ParameterError(
                f"values must be {self.code_count} numbers for {self.width} bits, not {len(self.values)}"
            )
        for value in self.values:
            # Neither infinity nor NaN equals its difference to itself.
            if value - value != 0 or not _in_fp32(Fraction(value)):
                raise ParameterError(f"values must be numbers of fp32, not {value}")
        object.__setattr__(self, "values", tuple(map(Fraction, self.values)))

    @property
    def signed(self) -> bool:  # pyright: ignore[reportIncompatibleVariableOverride]
        """Some values are negative."""
        return min(self.values) < 0

    @cached_property
    def parts(self) -> tuple[tuple[bool, int, int], ...]:
        """Sign, odd significand and exponent of each value: ``(-1)**sign * significand * 2**exponent``; 0, 0, 0 of zero."""
        return tuple(_parts(value) for value in self.values)

    @property
    def significand_bits(self) -> int:
        return max(max(significand.bit_length() for _, significand, _ in self.parts), 1)

    @property
    def is_normalized(self) -> bool:
        return True

    @property
    def has_zero(self) -> bool:
        return Fraction(0) in self.values

    @property
    def zero_code(self) -> int | None:
        return self.values.index(Fraction(0)) if self.has_zero else None

    @property
    def max_code(self) -> int:
        return self.values.index(max(self.values))

    @property
    def max_magnitude(self) -> Fraction:
        return max(map(abs, self.values))

    @cached_property
    def _exponents(self) -> tuple[int, ...]:
        """The exponents of the values' first bits; 0 if all values are zero."""
        return tuple(place + size.bit_length() - 1 for _, size, place in self.parts if size) or (0,)

    @property
    def min_exponent(self) -> int:
        return min(self._exponents)

    @property
    def max_exponent(self) -> int:
        return max(self._exponents)

    @property
    def lsb_exponent(self) -> int:
        return min((place for _, size, place in self.parts if size), default=0)

    @property
    def min_normal(self) -> Fraction:
        return self.min_positive

    @property
    def min_positive(self) -> Fraction:
        return min((value for value in self.values if value > 0), default=Fraction(0))

    @property
    def is_for_operands_only(self) -> bool:
        return True

    @property
    def is_result(self) -> bool:
        return False

    @property
    def roundings(self) -> tuple[RoundingMode, ...]:
        return (RoundingMode.RNE,)

    @property
    def overflows(self) -> tuple[str, ...]:
        return FLOAT_OVERFLOWS[1:]

    @property
    def fields(self) -> tuple[tuple[str, int], ...]:
        return (("position in the table", self.width),)

    @property
    def formula(self) -> str:
        return "the value at that position"

    @property
    def landmarks(self) -> tuple[tuple[str, int], ...]:
        zero = self.zero_code
        least = self.min_positive
        return (
            *((("zero", zero),) if zero is not None else ()),
            *((("least positive", self.values.index(least)),) if least else ()),
            ("largest", self.max_code),
            ("least", self.values.index(min(self.values))),
        )

    @cached_property
    def order(self) -> tuple[int, ...]:
        """The codes of different values in the order of these; of codes with the same value the least."""
        least = {value: code for code, value in reversed(list(enumerate(self.values)))}
        return tuple(least[value] for value in sorted(least))

    @cached_property
    def midpoints(self) -> tuple[Fraction, ...]:
        """The numbers halfway between neighbours, in order."""
        values = [self.values[code] for code in self.order]
        return tuple((low + high) / 2 for low, high in pairwise(values))

    def fraction(self, code: int) -> Fraction:
        return self.values[check_int("code", code, 0, self.code_mask)]


def _in_fp32(value: Fraction) -> bool:
    """Whether an fp32 number has this value."""
    if value.denominator & (value.denominator - 1):
        return False
    _, significand, exponent = _parts(value)
    length = significand.bit_length()
    return length <= 24 and (not significand or (exponent >= -149 and exponent + length <= 128))


def _parts(value: Fraction) -> tuple[bool, int, int]:
    significand = abs(value.numerator)
    zeros = max((significand & -significand).bit_length() - 1, 0)
    return value < 0, significand >> zeros, zeros - (value.denominator.bit_length() - 1)


def nf4() -> CodebookFormat:
    """QLoRA's 4-bit NormalFloat: quantiles of the normal distribution, with a zero."""
    # The published decimals are fp32 numbers, written as float64.
    values = (
        *(-1.0, -0.6961928009986877, -0.5250730514526367, -0.39491748809814453),
        *(-0.28444138169288635, -0.18477343022823334, -0.09105003625154495, 0.0),
        *(0.07958029955625534, 0.16093020141124725, 0.24611230194568634, 0.33791524171829224),
        *(0.44070982933044434, 0.5626170039176941, 0.7229568362236023, 1.0),
    )
    return CodebookFormat(
        "nf4",
        "codebook",
        4,
        values=tuple(map(Fraction, values)),
        source="QLoRA (Dettmers et al. 2023), appendix E: 4-bit NormalFloat",
    )
