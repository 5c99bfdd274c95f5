"""Fixed-point and integer formats as data."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from ..checks import check_bool, check_int
from .policy import FIXED_OVERFLOWS, RoundingMode
from .scalar import MAX_WIDTH, Format


@dataclass(frozen=True)
class FixedFormat(Format, kind="fixed"):
    """A fixed-point format: a code is an integer i, in two's complement where ``signed``, of value ``i * 2**-frac_bits``.

    Parameters
    ----------
    frac_bits : int
        Bits after the binary point.
    signed : bool
        Two's complement.
    """

    frac_bits: int = 0
    signed: bool = True

    def __post_init__(self) -> None:
        super().__post_init__()
        check_int("frac_bits", self.frac_bits, 0, MAX_WIDTH)
        check_bool("signed", self.signed)

    @property
    def significand_bits(self) -> int:
        """Bits of a magnitude, which in two's complement may be a power of two as long as the code."""
        return self.width

    @property
    def sign_mask(self) -> int:
        return 1 << (self.width - 1) if self.signed else 0

    @property
    def has_zero(self) -> bool:
        return True

    @property
    def nan_becomes_zero(self) -> bool:
        return True

    @property
    def max_code(self) -> int:
        return self.magnitude_mask

    @property
    def min_exponent(self) -> int:
        return self.width - 1 - self.frac_bits

    @property
    def max_exponent(self) -> int:
        return self.min_exponent

    @property
    def max_significand(self) -> int:
        return max(-self.min_int, self.max_int)

    @property
    def min_normal(self) -> Fraction:
        return Fraction(1, 1 << self.frac_bits)

    @property
    def min_positive(self) -> Fraction:
        return self.fraction(1)

    @property
    def is_integral(self) -> bool:
        return True

    @property
    def twos_complement(self) -> bool:
        return self.signed

    @property
    def min_int(self) -> int:
        return -self.sign_mask

    @property
    def max_int(self) -> int:
        return self.magnitude_mask

    @property
    def is_result(self) -> bool:
        return True

    @property
    def roundings(self) -> tuple[RoundingMode, ...]:
        return tuple(RoundingMode)

    @property
    def overflows(self) -> tuple[str, ...]:
        return FIXED_OVERFLOWS

    @property
    def fields(self) -> tuple[tuple[str, int], ...]:
        integer = "two's complement integer part" if self.signed else "integer part"
        return (integer, max(self.width - self.frac_bits, 0)), ("fraction", min(self.frac_bits, self.width))

    @property
    def formula(self) -> str:
        return f"i · 2^-{self.frac_bits}" if self.frac_bits else "i"

    @property
    def landmarks(self) -> tuple[tuple[str, int], ...]:
        least = self.min_int & self.code_mask
        return ("zero", 0), ("least positive", 1), ("greatest", self.max_int), ("least", least)

    def fraction(self, code: int) -> Fraction:
        check_int("code", code, 0, self.code_mask)
        return Fraction(code - (self.code_count if code & self.sign_mask else 0), 1 << self.frac_bits)

    def text(self, code: int) -> str:
        value = self.fraction(code)
        return str(value) if value.denominator == 1 else super().text(code)
