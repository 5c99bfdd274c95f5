"""Floating-point formats as data."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

from ..checks import ParameterError, check_bool, check_choice, check_int
from .policy import FLOAT_OVERFLOWS, RoundingMode
from .scalar import MAX_BIAS, MAX_EXP_BITS, MAX_WIDTH, Format


@dataclass(frozen=True)
class FloatFormat(Format, kind="float"):
    """A floating-point format.

    A code is sign (where ``signed``), exponent field e and fraction field f, from the most significant bit. With
    ``subnormals`` its value is ``±2**(e-bias) * (1 + f/2**frac_bits)`` for e > 0 and ``±2**(1-bias) * f/2**frac_bits``
    for e = 0; without, e = 0 is an exponent like any other and the format has no zero. A float without exponent bits
    has only subnormals: sign and magnitude, fixed point without a hidden one.

    Parameters
    ----------
    frac_bits : int
        Stored fraction bits, without the hidden one.
    signed : bool
        There is a sign bit.
    bias : int
        The exponent bias.
    subnormals : bool
        Exponent field 0 holds zero and the subnormals.
    inf_code : int or None
        The code of +infinity.
    nan_codes : range
        The codes that are NaN, sign bit apart.
    negative_zero : "zero" or "nan"
        What the code of sign 1 and all else 0 is ("nan" in the formats named fnuz).
    """

    frac_bits: int = 0
    signed: bool = True
    bias: int = 0
    subnormals: bool = True
    inf_code: int | None = None
    nan_codes: range = range(0)
    negative_zero: Literal["zero", "nan"] = "zero"

    def __post_init__(self) -> None:
        super().__post_init__()
        check_int("frac_bits", self.frac_bits, 0, MAX_WIDTH)
        check_int("bias", self.bias, -MAX_BIAS, MAX_BIAS)
        check_bool("signed", self.signed)
        check_bool("subnormals", self.subnormals)
        check_choice("negative_zero", self.negative_zero, ("zero", "nan"))
        if self.inf_code is not None:
            check_int("inf_code", self.inf_code, 1)
        if not isinstance(self.nan_codes, range):
            raise TypeError(f"nan_codes must be a range, not {self.nan_codes!r}")
        if not 0 <= self.exp_bits <= MAX_EXP_BITS or not self.magnitude_mask:
            raise ParameterError(
                f"width must leave 0 … {MAX_EXP_BITS} exponent bits, and at least one bit beside the sign, "
                f"not {self.width} with frac_bits={self.frac_bits}"
            )
        if not self.exp_bits and not self.subnormals:
            raise ParameterError("subnormals must be True in a float without exponent bits, not False")
        self._check_specials()

    def _check_specials(self) -> None:
        specials = [*([] if self.inf_code is None else [self.inf_code]), *self.nan_codes[:1], *self.nan_codes[-1:]]
        for code in specials:
            if not 0 < code <= self.magnitude_mask:
                raise ParameterError(f"inf_code and nan_codes must be in 1 … {self.magnitude_mask:#x}, not {code:#x}")
        if self.inf_code is not None and self.inf_code in self.nan_codes:
            raise ParameterError(f"inf_code must not be in nan_codes, not {self.inf_code:#x}")
        if specials and max(specials) != self.magnitude_mask:
            raise ParameterError(f"inf_code and nan_codes must end at {self.magnitude_mask:#x}, not {max(specials):#x}")
        # Not by len(), which fails beyond 2^63 codes.
        run = range(self.max_code + 1 + self.has_inf, self.code_count >> self.signed)
        if self.nan_codes != run and specials:
            raise ParameterError("inf_code and nan_codes must be one run of codes, inf_code first")
        if self.negative_zero == "nan" and not self.signed:
            raise ParameterError("negative_zero must be 'zero' in a format without sign, not 'nan'")

    @property
    def exp_bits(self) -> int:
        """Bits of the exponent field."""
        return self.width - self.signed - self.frac_bits

    @property
    def exponent_bits(self) -> int:
        return self.exp_bits

    @property
    def significand_bits(self) -> int:
        return self.frac_bits + 1

    @property
    def sign_mask(self) -> int:
        return 1 << (self.width - 1) if self.signed else 0

    @property
    def has_inf(self) -> bool:
        return self.inf_code is not None

    @property
    def has_zero(self) -> bool:
        return self.subnormals

    @property
    def has_negative_zero(self) -> bool:
        return self.signed and self.subnormals and self.negative_zero == "zero"

    @property
    def has_signaling_nan(self) -> bool:
        """Whether a NaN's most significant fraction bit tells quiet (1) from signaling (0), as in IEEE 754-2008.

        It does where that bit is 0 in one of ``nan_codes``; the last of them always is quiet.
        """
        if not (self.frac_bits and self.nan_codes):
            return False
        first, last = self.nan_codes[0], self.nan_codes[-1]
        return not first & self.quiet_bit or first >> self.frac_bits < last >> self.frac_bits

    @property
    def quiet_bit(self) -> int:
        """The most significant fraction bit, which is 1 in a quiet NaN; 0 where there is no fraction."""
        return 1 << self.frac_bits >> 1

    @property
    def nan_code(self) -> int | None:
        """The quiet NaN that operations deliver, positive: the first of ``nan_codes``; where that is signaling, with the
        quiet bit as the only one set in its fraction (RISC-V's choice)."""
        if self.nan_codes:
            first = self.nan_codes[0]
            return first if first & self.quiet_bit or not self.frac_bits else (first | self.quiet_bit) & -self.quiet_bit
        return self.sign_mask if self.negative_zero == "nan" else None

    @property
    def max_code(self) -> int:
        specials = [*([] if self.inf_code is None else [self.inf_code]), *self.nan_codes[:1]]
        return min(specials) - 1 if specials else self.magnitude_mask

    @property
    def min_exponent(self) -> int:
        return (1 if self.subnormals else 0) - self.bias

    @property
    def max_exponent(self) -> int:
        """Exponent that the largest finite value is scaled by: its own, unless all values are subnormals."""
        return max(self.max_code >> self.frac_bits, int(self.subnormals)) - self.bias

    @property
    def exponent_bias(self) -> int:
        return self.bias

    @property
    def max_significand(self) -> int:
        return (1 << (self.significand_bits - (not self.exp_bits))) - 1

    @property
    def min_normal(self) -> Fraction:
        if not self.exp_bits:
            return self.fraction(1 << (self.frac_bits - 1))
        return self.fraction(1 << self.frac_bits if self.subnormals else 0)

    @property
    def min_positive(self) -> Fraction:
        return self.fraction(int(self.has_zero))

    @property
    def multiplies_as_integer(self) -> bool:
        return not (self.exp_bits or self.has_specials)

    @property
    def is_result(self) -> bool:
        return self.signed and self.has_zero

    @property
    def roundings(self) -> tuple[RoundingMode, ...]:
        return tuple(RoundingMode)

    @property
    def overflows(self) -> tuple[str, ...]:
        return FLOAT_OVERFLOWS

    @property
    def has_subnormals(self) -> bool:
        return self.subnormals

    @property
    def raises_flags(self) -> bool:
        return True

    @property
    def fields(self) -> tuple[tuple[str, int], ...]:
        magnitude = "fraction" if self.exp_bits else "magnitude"
        return ("sign", int(self.signed)), ("exponent", self.exp_bits), (magnitude, self.frac_bits)

    @property
    def formula(self) -> str:
        sign = "(-1)^s · " if self.signed else ""
        normal = f"{sign}2^(e - {self.bias})" + (f" · (1 + f/2^{self.frac_bits})" if self.frac_bits else "")
        if not self.subnormals:
            return normal
        if not self.exp_bits:
            return f"{sign}f · 2^{self.min_exponent - self.frac_bits}"
        subnormal = f"{sign}2^{self.min_exponent} · f/2^{self.frac_bits}" if self.frac_bits else f"{sign}0"
        return f"{normal}; where e = 0 {subnormal}"

    @property
    def landmarks(self) -> tuple[tuple[str, int], ...]:
        found: list[tuple[str, int | None]] = [("zero", self.zero_code)]
        if self.has_negative_zero:
            found.append(("negative zero", self.sign_mask))
        if self.exp_bits and self.subnormals and self.frac_bits:
            found += [("least subnormal", 1), ("largest subnormal", (1 << self.frac_bits) - 1)]
        normal = (1 << self.frac_bits if self.subnormals else 0) if self.exp_bits else 1
        found += [("least normal" if self.exp_bits else "least positive", normal), ("largest", self.max_code)]
        found.append(("least", self.max_code | self.sign_mask if self.signed else None))
        found.append(("infinity", self.inf_code))
        if self.inf_code is not None and self.signed:
            found.append(("negative infinity", self.inf_code | self.sign_mask))
        for sign in (0, self.sign_mask) if self.signed else (0,):
            if self.nan_codes:
                found.append(("NaN" if not self.nan_codes[1:] else "first NaN", self.nan_codes[0] | sign))
            if self.nan_codes[1:]:
                found.append(("last NaN", self.nan_codes[-1] | sign))
        if self.negative_zero == "nan":
            found.append(("NaN", self.sign_mask))
        if self.nan_codes[1:]:
            found.append(("NaN of operations", self.nan_code))
        return tuple((name, code) for name, code in found if code is not None)

    def fraction(self, code: int) -> Fraction:
        check_int("code", code, 0, self.code_mask)
        magnitude = code & self.magnitude_mask
        if magnitude > self.max_code or (self.negative_zero == "nan" and code == self.sign_mask):
            raise ParameterError(f"code must be that of a finite value of {self.name}, not {code:#x}")
        exponent, significand = magnitude >> self.frac_bits, magnitude & ((1 << self.frac_bits) - 1)
        if exponent or not self.subnormals:
            significand |= 1 << self.frac_bits
        shift = (exponent if exponent or not self.subnormals else 1) - self.bias - self.frac_bits
        value = Fraction(significand << shift) if shift >= 0 else Fraction(significand, 1 << -shift)
        return -value if code & self.sign_mask else value

    def text(self, code: int) -> str:
        magnitude = code & self.magnitude_mask
        if magnitude in self.nan_codes or (self.negative_zero == "nan" and code == self.sign_mask):
            return "nan"
        if magnitude == self.inf_code:
            return "-inf" if code & self.sign_mask else "inf"
        if magnitude == 0 and self.has_zero:
            return "-0.0" if code & self.sign_mask else "0.0"
        return super().text(code)
