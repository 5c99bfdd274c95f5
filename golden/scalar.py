"""One number: what every code of a scalar format means, as data.

A :class:`Format` says everything that the codec, the hardware, the test benches and the reports need to know of a
scalar format; nothing else in the project may test a format's name. This module holds no arithmetic and needs only
the standard library, so that hardware generation and the golden model share it without sharing an implementation.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from enum import IntFlag
from fractions import Fraction
from typing import TYPE_CHECKING, Any, Literal

from .parameters import ParameterError, check_bool, check_int, check_text, choose

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import ArrayLike, NDArray

Kind = Literal["float", "fixed", "binary"]

#: Rounding modes: to nearest with ties to even, toward zero, toward +inf, toward -inf, to nearest with ties away from
#: zero. The position in this tuple is the code of the mode on a hardware port (and that of RISC-V's ``frm``).
ROUNDINGS = ("rne", "rtz", "rdn", "rup", "rna")
#: What becomes of a result beyond the largest value. "ieee" is for floats: infinity where the format has one, else NaN
#: where it has one, else the largest value; a mode that rounds toward zero on that side always gives the largest value.
FLOAT_OVERFLOWS = ("ieee", "saturate")
#: The same for integers and fixed point.
FIXED_OVERFLOWS = ("saturate", "wrap")
#: Subnormal operands and results: kept, or flushed to a zero of the same sign.
SUBNORMALS = ("full", "flush")

#: Bounds that keep every value of a format a number of a sensible size; the exact products and sums of fp64 are within.
MAX_WIDTH, MAX_EXP_BITS, MAX_BIAS = 1 << 14, 16, 1 << 16


class Flag(IntFlag):
    """IEEE 754 exceptions as bits of a flags word (RISC-V's ``fflags`` order; nothing here divides by zero)."""

    INEXACT = 1
    UNDERFLOW = 2
    OVERFLOW = 4
    INVALID = 16


@dataclass(frozen=True)
class Format:
    """A scalar number format.

    A *fixed* code is an integer i (two's complement where ``signed``) of value ``i * 2**-frac_bits``. A *float* code is
    sign (where ``signed``), exponent field e and fraction field f, from the most significant bit; with ``subnormals``
    its value is ``±2**(e-bias) * (1 + f/2**frac_bits)`` for e > 0 and ``±2**(1-bias) * f/2**frac_bits`` for e = 0;
    without, e = 0 is an exponent like any other and the format has no zero. A float without exponent bits is all
    subnormals: sign and magnitude, fixed point without a hidden one. The *binary* codes 0 and 1 are -1 and +1.

    Parameters
    ----------
    name : str
        The name by which :func:`format` finds it.
    kind : "float", "fixed" or "binary"
        What a code is made of.
    width : int
        Bits of a code, sign included.
    frac_bits : int
        Float: stored fraction bits, without the hidden one. Fixed: bits after the binary point.
    signed : bool
        Float: has a sign bit. Fixed: two's complement.
    bias : int
        Float: the exponent bias.
    subnormals : bool
        Float: exponent field 0 holds zero and the subnormals.
    inf_code : int or None
        Float: the code of +infinity.
    nan_codes : range
        Float: the codes that are NaN, sign bit apart.
    negative_zero : "zero" or "nan"
        Float: what the code of sign 1 and all else 0 is ("nan" in the formats named fnuz).
    source : str
        Where the definition comes from.

    Raises
    ------
    TypeError
        A parameter is of a wrong kind.
    ParameterError
        One is out of range, or they contradict each other.
    """

    name: str
    kind: Kind
    width: int
    frac_bits: int = 0
    signed: bool = True
    bias: int = 0
    subnormals: bool = True
    inf_code: int | None = None
    nan_codes: range = range(0)
    negative_zero: Literal["zero", "nan"] = "zero"
    source: str = "user"

    def __post_init__(self) -> None:
        check_text("name", self.name)
        check_text("source", self.source)
        choose("kind", self.kind, ("float", "fixed", "binary"))
        check_int("width", self.width, 1, MAX_WIDTH)
        check_int("frac_bits", self.frac_bits, 0, MAX_WIDTH)
        check_int("bias", self.bias, -MAX_BIAS, MAX_BIAS)
        check_bool("signed", self.signed)
        check_bool("subnormals", self.subnormals)
        choose("negative_zero", self.negative_zero, ("zero", "nan"))
        if self.inf_code is not None:
            check_int("inf_code", self.inf_code, 1)
        if not isinstance(self.nan_codes, range):
            raise TypeError(f"nan_codes must be a range, not {self.nan_codes!r}")
        if self.kind == "float":
            self._check_float()
        elif self.inf_code is not None or self.nan_codes or self.negative_zero != "zero" or self.bias:
            raise ParameterError(
                f"bias, inf_code, nan_codes and negative_zero belong to float formats, not {self.kind}"
            )
        elif self.kind == "binary" and (self.width != 1 or self.frac_bits):
            raise ParameterError(
                f"width must be 1 and frac_bits 0 in a binary format, not {self.width} and {self.frac_bits}"
            )

    def _check_float(self) -> None:
        if not 0 <= self.exp_bits <= MAX_EXP_BITS or not self.magnitude_mask:
            raise ParameterError(
                f"width must leave 0 … {MAX_EXP_BITS} exponent bits, and at least one bit beside the sign, "
                f"not {self.width} with frac_bits={self.frac_bits}"
            )
        if not self.exp_bits and not self.subnormals:
            raise ParameterError("subnormals must be True in a float without exponent bits, not False")
        specials = [*([] if self.inf_code is None else [self.inf_code]), *self.nan_codes[:1], *self.nan_codes[-1:]]
        for code in specials:
            if not 0 < code <= self.magnitude_mask:
                raise ParameterError(f"inf_code and nan_codes must be in 1 … {self.magnitude_mask:#x}, not {code:#x}")
        if self.inf_code is not None and self.inf_code in self.nan_codes:
            raise ParameterError(f"inf_code must not be in nan_codes, not {self.inf_code:#x}")
        if specials and max(specials) != self.magnitude_mask:
            raise ParameterError(f"inf_code and nan_codes must end at {self.magnitude_mask:#x}, not {max(specials):#x}")
        # Not by len(), which fails beyond 2^63 codes.
        run = range(self.max_code + 1 + self.has_inf, self.codes >> self.signed)
        if self.nan_codes != run and specials:
            raise ParameterError("inf_code and nan_codes must be one run of codes, inf_code first")
        if self.negative_zero == "nan" and not self.signed:
            raise ParameterError("negative_zero must be 'zero' in a format without sign, not 'nan'")

    def __str__(self) -> str:
        return self.name

    # What codes are made of.

    @property
    def exp_bits(self) -> int:
        """Bits of the exponent field (0 where there is none)."""
        return self.width - self.signed - self.frac_bits if self.kind == "float" else 0

    @property
    def significand_bits(self) -> int:
        """Bits of a significand, with the place of the hidden one; for fixed and binary formats, of a code."""
        return self.frac_bits + 1 if self.kind == "float" else self.width

    @property
    def codes(self) -> int:
        """How many codes there are."""
        return 1 << self.width

    @property
    def code_mask(self) -> int:
        """All bits of a code."""
        return self.codes - 1

    @property
    def sign_mask(self) -> int:
        """The sign bit, or 0 where there is none."""
        return 1 << (self.width - 1) if self.signed and self.kind != "binary" else 0

    @property
    def magnitude_mask(self) -> int:
        """All bits but the sign bit."""
        return self.code_mask & ~self.sign_mask

    # Special codes.

    @property
    def has_inf(self) -> bool:
        """Whether a code is infinite."""
        return self.inf_code is not None

    @property
    def has_nan(self) -> bool:
        """Whether a code is NaN."""
        return bool(self.nan_codes) or self.negative_zero == "nan"

    @property
    def has_specials(self) -> bool:
        """Whether a code is infinite or NaN."""
        return self.has_inf or self.has_nan

    @property
    def has_zero(self) -> bool:
        """Whether a code is zero."""
        return self.kind == "fixed" or (self.kind == "float" and self.subnormals)

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
        """Float: the most significant fraction bit, which is 1 in a quiet NaN; 0 where there is no fraction."""
        return 1 << self.frac_bits >> 1

    @property
    def nan_code(self) -> int | None:
        """The quiet NaN that operations deliver, positive: the first of ``nan_codes``; where that is signaling, with the
        quiet bit as the only one set in its fraction (RISC-V's choice)."""
        if self.nan_codes:
            first = self.nan_codes[0]
            return first if first & self.quiet_bit or not self.frac_bits else (first | self.quiet_bit) & -self.quiet_bit
        return self.sign_mask if self.negative_zero == "nan" else None

    # The range of finite values.

    @property
    def max_code(self) -> int:
        """The code of the largest finite value."""
        if self.kind == "fixed":
            return self.magnitude_mask
        specials = [*([] if self.inf_code is None else [self.inf_code]), *self.nan_codes[:1]]
        return min(specials) - 1 if specials else self.magnitude_mask

    @property
    def min_exponent(self) -> int:
        """Exponent of the least normal value, 2**min_exponent; subnormals are scaled by it too."""
        return (1 if self.subnormals else 0) - self.bias

    @property
    def max_exponent(self) -> int:
        """Exponent that the largest finite value is scaled by: its own, unless all values are subnormals."""
        return max(self.max_code >> self.frac_bits, int(self.subnormals)) - self.bias

    @property
    def min_int(self) -> int:
        """Fixed: the least integer that a code stands for."""
        return -self.sign_mask

    @property
    def max_int(self) -> int:
        """Fixed: the greatest integer that a code stands for."""
        return self.magnitude_mask

    @property
    def max(self) -> Fraction:
        """The largest finite value."""
        return self.fraction(self.max_code)

    @property
    def min_normal(self) -> Fraction:
        """The least positive value with full precision."""
        if self.kind == "float" and not self.exp_bits:
            return self.fraction(1 << (self.frac_bits - 1))
        if self.kind == "float":
            return self.fraction(1 << self.frac_bits if self.subnormals else 0)
        return Fraction(1, 1 << self.frac_bits)

    @property
    def min_positive(self) -> Fraction:
        """The least positive value: the least subnormal where there are subnormals."""
        return self.fraction(1 if self.has_zero or self.kind == "binary" else 0)

    def fraction(self, code: int) -> Fraction:
        """The exact value of one finite code.

        Raises
        ------
        ParameterError
            The code is out of range, infinite or NaN.
        """
        check_int("code", code, 0, self.code_mask)
        if self.kind == "binary":
            return Fraction(2 * code - 1)
        if self.kind == "fixed":
            return Fraction(code - (self.codes if code & self.sign_mask else 0), 1 << self.frac_bits)
        magnitude = code & self.magnitude_mask
        if magnitude > self.max_code or (self.negative_zero == "nan" and code == self.sign_mask):
            raise ParameterError(f"code must be that of a finite value of {self.name}, not {code:#x}")
        exponent, significand = magnitude >> self.frac_bits, magnitude & ((1 << self.frac_bits) - 1)
        if exponent or not self.subnormals:
            significand |= 1 << self.frac_bits
        shift = (exponent if exponent or not self.subnormals else 1) - self.bias - self.frac_bits
        value = Fraction(significand << shift) if shift >= 0 else Fraction(significand, 1 << -shift)
        return -value if code & self.sign_mask else value

    def encode(self, x: ArrayLike, **options: Any) -> NDArray[Any]:
        """Codes of real numbers, rounded once: :func:`polymac.golden.codec.encode` in this format, with its options."""
        from .codec import encode

        return encode(x, self, **options)

    def decode(self, codes: ArrayLike) -> NDArray[np.float64]:
        """The real numbers that codes stand for: :func:`polymac.golden.codec.decode` in this format."""
        from .codec import decode

        return decode(codes, self)

    def text(self, code: int) -> str:
        """One code's value for people: exact where it is finite, else ``inf``, ``-inf`` or ``nan``."""
        magnitude = code & self.magnitude_mask
        if self.kind == "float":
            if magnitude in self.nan_codes or (self.negative_zero == "nan" and code == self.sign_mask):
                return "nan"
            if magnitude == self.inf_code:
                return "-inf" if code & self.sign_mask else "inf"
            if magnitude == 0 and self.has_zero:
                return "-0.0" if code & self.sign_mask else "0.0"
        value = self.fraction(code)
        return str(value) if self.kind != "float" and value.denominator == 1 else decimal_text(value)


def decimal_text(value: Fraction) -> str:
    """A number as Python writes a float; to 17 digits where it is beyond the range of floats."""
    if not value or Fraction(1, 1 << 1074) <= abs(value) < 1 << 1024:
        return repr(float(value))
    return f"{Decimal(value.numerator) / Decimal(value.denominator):.17g}"
