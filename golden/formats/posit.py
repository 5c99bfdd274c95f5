"""Posits as data."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from ..checks import ParameterError, check_int
from .policy import FLOAT_OVERFLOWS, RoundingMode
from .scalar import Format

#: Bounds of the widths and of the exponent bits.
MIN_POSIT_WIDTH, MAX_POSIT_WIDTH, MAX_POSIT_EXP_BITS = 3, 32, 4


@dataclass(frozen=True)
class PositFormat(Format, kind="posit"):
    """A posit of the 2022 standard, with any number of exponent bits.

    A code is an integer in two's complement that orders as its value does. Code 0 is zero, the code of the sign bit alone
    NaR (Not a Real), which counts as NaN here. Any other code has a sign bit s, a regime (a run of k equal bits, ended by
    the opposite bit or by the end of the code; r is k - 1 for ones and -k for zeros), ``es`` exponent bits e and a fraction
    f in [0, 1), and the value ``((1 - 3s) + f) * 2**((1 - 2s) * (2**es * r + e + s))``; bits beyond the end of the code
    are 0. ``Standard for Posit Arithmetic (2022)``, Posit Working Group, section 3.3.

    Parameters
    ----------
    width : int
        Bits of a code, 3 … 32.
    es : int
        Exponent bits, 0 … 4; 2 in the standard.
    """

    es: int = 2

    def __post_init__(self) -> None:
        super().__post_init__()
        check_int("width", self.width, MIN_POSIT_WIDTH, MAX_POSIT_WIDTH)
        check_int("es", self.es, 0, MAX_POSIT_EXP_BITS)

    @property
    def signed(self) -> bool:  # pyright: ignore[reportIncompatibleVariableOverride]
        """Values have a sign."""
        return True

    @property
    def significand_bits(self) -> int:
        return max(self.width - 3 - self.es, 0) + 1

    @property
    def sign_mask(self) -> int:
        return 1 << (self.width - 1)

    @property
    def negates_in_twos_complement(self) -> bool:
        return True

    @property
    def is_normalized(self) -> bool:
        return True

    @property
    def has_zero(self) -> bool:
        return True

    @property
    def nan_code(self) -> int:
        return 1 << (self.width - 1)

    @property
    def max_code(self) -> int:
        return (1 << (self.width - 1)) - 1

    @property
    def min_exponent(self) -> int:
        return -self.max_exponent

    @property
    def max_exponent(self) -> int:
        return (self.width - 2) << self.es

    @property
    def lsb_exponent(self) -> int:
        # Every posit is a multiple of the least one.
        return self.min_exponent

    @property
    def min_normal(self) -> Fraction:
        return self.min_positive

    @property
    def min_positive(self) -> Fraction:
        return Fraction(1, 1 << self.max_exponent)

    @property
    def is_result(self) -> bool:
        return True

    @property
    def roundings(self) -> tuple[RoundingMode, ...]:
        return (RoundingMode.RNE,)

    @property
    def overflows(self) -> tuple[str, ...]:
        return FLOAT_OVERFLOWS[1:]

    @property
    def fields(self) -> tuple[tuple[str, int], ...]:
        return ("sign", 1), ("regime, exponent, fraction", self.width - 1)

    @property
    def formula(self) -> str:
        scale = f"{1 << self.es}r + e + s" if self.es else "r + s"
        return f"(1 - 3s + f) · 2^((1 - 2s) · ({scale}))"

    @property
    def landmarks(self) -> tuple[tuple[str, int], ...]:
        nar = self.sign_mask
        return (
            *(("zero", 0), ("least positive", 1), ("one", nar >> 1), ("largest", nar - 1)),
            *(("NaN (NaR)", nar), ("least", nar + 1), ("largest negative", self.code_mask)),
        )

    def fraction(self, code: int) -> Fraction:
        check_int("code", code, 0, self.code_mask)
        if code == self.nan_code:
            raise ParameterError(f"code must be a finite number of {self}, not {code:#x}")
        if not code:
            return Fraction(0)
        bits = f"{code:0{self.width}b}"
        sign, rest = int(bits[0]), bits[1:]
        run = len(rest) - len(rest.lstrip(rest[0]))
        regime = run - 1 if rest[0] == "1" else -run
        tail = rest[run + 1 :]
        exponent = int(tail[: self.es].ljust(self.es, "0") or "0", 2)
        fraction = tail[self.es :]
        fractional = Fraction(int(fraction or "0", 2), 1 << len(fraction))
        scale = (1 - 2 * sign) * ((regime << self.es) + exponent + sign)
        return (1 - 3 * sign + fractional) * Fraction(2) ** scale

    def text(self, code: int) -> str:
        return "nan" if code == self.nan_code else super().text(code)


def posit(width: int, es: int = 2, name: str | None = None) -> PositFormat:
    """The posit of ``width`` bits with ``es`` exponent bits, called ``posit8`` or, where es is not 2, ``posit8_1``.

    Raises
    ------
    ParameterError
        There is none.
    """
    name = f"posit{width}" + f"_{es}" * (es != 2) if name is None else name
    return PositFormat(name, "posit", width, es, source="Standard for Posit Arithmetic (2022)")
