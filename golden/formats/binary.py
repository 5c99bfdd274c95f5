"""The format of one bit as data."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from ..checks import ParameterError, check_int
from .policy import FIXED_OVERFLOWS, RoundingMode
from .scalar import Format


@dataclass(frozen=True)
class BinaryFormat(Format, kind="binary"):
    """Signs alone: the codes 0 and 1 are -1 and +1. ``width`` is 1."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.width != 1:
            raise ParameterError(f"width must be 1 in a binary format, not {self.width}")

    @property
    def frac_bits(self) -> int:  # pyright: ignore[reportIncompatibleVariableOverride]
        """Bits after the binary point."""
        return 0

    @property
    def signed(self) -> bool:  # pyright: ignore[reportIncompatibleVariableOverride]
        """Values have a sign."""
        return True

    @property
    def significand_bits(self) -> int:
        return 1

    @property
    def has_zero(self) -> bool:
        return False

    @property
    def max_code(self) -> int:
        return 1

    @property
    def min_exponent(self) -> int:
        return 0

    @property
    def max_exponent(self) -> int:
        return 0

    @property
    def min_normal(self) -> Fraction:
        return Fraction(1)

    @property
    def min_positive(self) -> Fraction:
        return Fraction(1)

    @property
    def is_integral(self) -> bool:
        return True

    @property
    def min_int(self) -> int:
        return -1

    @property
    def max_int(self) -> int:
        return 1

    @property
    def is_result(self) -> bool:
        return True

    @property
    def roundings(self) -> tuple[RoundingMode, ...]:
        return (RoundingMode.RNE,)

    @property
    def overflows(self) -> tuple[str, ...]:
        return FIXED_OVERFLOWS[:1]

    @property
    def formula(self) -> str:
        return "-1 for code 0, +1 for code 1"

    @property
    def landmarks(self) -> tuple[tuple[str, int], ...]:
        return ("greatest", 1), ("least", 0)

    def fraction(self, code: int) -> Fraction:
        check_int("code", code, 0, self.code_mask)
        return Fraction(2 * code - 1)

    def text(self, code: int) -> str:
        return str(self.fraction(code))
