"""Number formats as data: what every code of a scalar format means.

A :class:`Format` says everything that the codec, the hardware, the test benches and the reports need to know of a
scalar format; nothing else in the project may test a format's name. This module holds no arithmetic and needs only
the standard library, so that hardware generation and the golden model share it without sharing an implementation.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable
from dataclasses import dataclass
from enum import IntFlag
from fractions import Fraction
from typing import TYPE_CHECKING, Any, Literal

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


class ParameterError(ValueError):
    """A parameter that cannot be used; the message names it, what is allowed and what was given, in one line."""


class Flag(IntFlag):
    """IEEE 754 exceptions as bits of a flags word (RISC-V's ``fflags`` order; nothing here divides by zero)."""

    INEXACT = 1
    UNDERFLOW = 2
    OVERFLOW = 4
    INVALID = 16


def choose(argument: str, value: object, allowed: tuple[str, ...], note: str = "") -> str:
    """Return ``value`` if it is one of ``allowed``; else raise a ParameterError that names ``argument``."""
    if isinstance(value, str) and value in allowed:
        return value
    raise ParameterError(f"{argument} must be one of {', '.join(allowed)}{note}, not {value!r}")


def check_int(argument: str, value: object, least: int, greatest: int | None = None) -> int:
    """Return ``value`` if it is an integer in ``least … greatest``.

    Raises
    ------
    TypeError
        ``value`` is not an integer.
    ParameterError
        It is out of range.
    """
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"{argument} must be an integer, not {value!r}")
    if value < least or (greatest is not None and value > greatest):
        allowed = f"at least {least}" if greatest is None else f"in {least} … {greatest}"
        raise ParameterError(f"{argument} must be {allowed}, not {value}")
    return value


@dataclass(frozen=True)
class Format:
    """A scalar number format.

    A *fixed* code is an integer i (two's complement where ``signed``) of value ``i * 2**-frac_bits``. A *float* code is
    sign (where ``signed``), exponent field e and fraction field f, from the most significant bit; with ``subnormals``
    its value is ``±2**(e-bias) * (1 + f/2**frac_bits)`` for e > 0 and ``±2**(1-bias) * f/2**frac_bits`` for e = 0;
    without, e = 0 is an exponent like any other and the format has no zero. The *binary* codes 0 and 1 are -1 and +1.

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
    ParameterError
        The parameters contradict each other.
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
        choose("kind", self.kind, ("float", "fixed", "binary"))
        check_int("width", self.width, 1)
        check_int("frac_bits", self.frac_bits, 0)
        choose("negative_zero", self.negative_zero, ("zero", "nan"))
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
        if self.exp_bits < 1:
            raise ParameterError(
                f"width must leave at least one exponent bit, not {self.width} with frac_bits={self.frac_bits}"
            )
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
        """Bits of a significand, the hidden one included; for fixed and binary formats, of a code."""
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
    def has_zero(self) -> bool:
        """Whether a code is zero."""
        return self.kind == "fixed" or (self.kind == "float" and self.subnormals)

    @property
    def has_signaling_nan(self) -> bool:
        """Whether a NaN's most significant fraction bit tells quiet (1) from signaling (0), as in IEEE 754-2008."""
        quiet = 1 << (self.frac_bits - 1) if self.frac_bits else 0
        return quiet > 0 and bool(self.nan_codes[1:]) and not self.nan_codes[0] & quiet

    @property
    def nan_code(self) -> int | None:
        """The quiet NaN that operations deliver: positive, only the quiet bit set in the fraction (RISC-V's choice)."""
        if self.nan_codes:
            first = self.nan_codes[0]
            return (
                (first | 1 << (self.frac_bits - 1)) & ~((1 << (self.frac_bits - 1)) - 1)
                if self.has_signaling_nan
                else first
            )
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
        """Exponent of the least normal value, 2**min_exponent."""
        return (1 if self.subnormals else 0) - self.bias

    @property
    def max_exponent(self) -> int:
        """Exponent of the largest finite value."""
        return (self.max_code >> self.frac_bits) - self.bias

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

    def encode(
        self, x: ArrayLike, *, rounding: str = "rne", overflow: str | None = None, subnormals: str = "full"
    ) -> NDArray[Any]:
        """Codes of real numbers, rounded once: :func:`polymac.golden.codec.encode` in this format."""
        from .codec import encode

        return encode(x, self, rounding=rounding, overflow=overflow, subnormals=subnormals)

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
        return str(value) if self.kind != "float" and value.denominator == 1 else repr(float(value))


def fixed_point(width: int, frac_bits: int = 0, signed: bool = True, source: str = "parametric") -> Format:
    """The fixed-point format of that shape, named intN or uintN, or with fraction bits qM.N or uqM.N.

    M counts the integer bits, the sign included (the ARM reading of Q notation).
    """
    unsigned = "" if signed else "u"
    name = f"{unsigned}q{width - frac_bits}.{frac_bits}" if frac_bits else f"{unsigned}int{width}"
    return Format(name, "fixed", width, frac_bits, signed, source=source)


def ieee_float(exp_bits: int, frac_bits: int, name: str | None = None, source: str = "parametric, IEEE-like") -> Format:
    """The IEEE-like float ``e<exp_bits>m<frac_bits>``: bias 2**(exp_bits-1)-1, subnormals, infinities and NaNs.

    Without fraction bits the all-ones exponent has room for one special only: it is NaN, since an invalid operation
    must be told from an overflow (a choice; there is no standard for such formats).
    """
    inf = ((1 << exp_bits) - 1) << frac_bits
    end = 1 << (exp_bits + frac_bits)
    return Format(
        name or f"e{exp_bits}m{frac_bits}",
        "float",
        1 + exp_bits + frac_bits,
        frac_bits,
        bias=(1 << (exp_bits - 1)) - 1,
        inf_code=inf if frac_bits else None,
        nan_codes=range(inf + 1 if frac_bits else inf, end),
        source=source,
    )


def product_format(a: Format, b: Format) -> Format:
    """The least fixed-point format that holds every product of two fixed-point formats exactly."""
    return fixed_point(a.width + b.width, a.frac_bits + b.frac_bits, a.signed or b.signed)


def sum_format(term: Format, count: int) -> Format:
    """The fixed-point format that holds every sum of ``count`` terms exactly: ceil(log2 count) bits wider."""
    return fixed_point(term.width + (check_int("count", count, 1) - 1).bit_length(), term.frac_bits, term.signed)


def _ofp8(name: str, width: int, frac_bits: int, bias: int, nan_codes: range, source: str) -> Format:
    return Format(name, "float", width, frac_bits, bias=bias, nan_codes=nan_codes, source=source)


def _catalogue() -> dict[str, Format]:
    ofp8 = "OCP 8-bit Floating Point (OFP8) 1.0"
    mx = "OCP Microscaling Formats (MX) 1.0"
    brainwave = "Brainwave (ISCA 2018): fp16 with a trimmed fraction; the scalar reading is a choice"
    formats = [
        ieee_float(11, 52, "fp64", "IEEE 754 binary64"),
        ieee_float(8, 23, "fp32", "IEEE 754 binary32"),
        ieee_float(8, 10, "tf32", "NVIDIA A100 white paper: 19 bits"),
        ieee_float(5, 10, "fp16", "IEEE 754 binary16"),
        ieee_float(8, 7, "bf16", "fp32 cut to 16 bits"),
        ieee_float(5, 2, "fp8_e5m2", ofp8),
        _ofp8("fp8_e4m3", 8, 3, 7, range(0x7F, 0x80), ofp8),
        _ofp8("fp6_e3m2", 6, 2, 3, range(0), mx),
        _ofp8("fp6_e2m3", 6, 3, 1, range(0), mx),
        _ofp8("fp4_e2m1", 4, 1, 1, range(0), mx),
        Format(
            "e8m0", "float", 8, 0, signed=False, bias=127, subnormals=False, nan_codes=range(0xFF, 0x100), source=mx
        ),
        ieee_float(5, 2, "msfp8", brainwave),
        ieee_float(5, 3, "msfp9", brainwave),
        *(
            fixed_point(bits, signed=signed, source="two's complement" if signed else "binary integer")
            for signed in (True, False)
            for bits in (4, 8, 16, 32)
        ),
        Format("bin1", "binary", 1, source="XNOR networks: codes 0 and 1 are -1 and +1"),
    ]
    return {item.name: item for item in formats}


#: The catalogue: every named scalar format. The parametric ones (intN, uintN, qM.N, uqM.N, eXmY) are found by name too.
FORMATS: dict[str, Format] = _catalogue()


def _bounded(argument: str, least: int, greatest: int, value: str) -> int:
    return check_int(argument, int(value), least, greatest)


def _parse_int(match: re.Match[str]) -> Format:
    width = _bounded(f"the width of {match[0]}", 2, 64, match["width"])
    return fixed_point(width, signed=not match["unsigned"])


def _parse_q(match: re.Match[str]) -> Format:
    signed = not match["unsigned"]
    int_bits = _bounded(f"the integer bits of {match[0]}", int(signed), 64, match["int_bits"])
    frac_bits = _bounded(f"the fraction bits of {match[0]}", 0, 64, match["frac_bits"])
    _bounded(f"the width of {match[0]}", 2, 64, str(int_bits + frac_bits))
    return fixed_point(int_bits + frac_bits, frac_bits, signed)


def _parse_float(match: re.Match[str]) -> Format:
    exp_bits = _bounded(f"the exponent bits of {match[0]}", 2, 11, match["exp_bits"])
    return ieee_float(exp_bits, _bounded(f"the fraction bits of {match[0]}", 0, 52, match["frac_bits"]))


_PARAMETRIC: dict[str, Callable[[re.Match[str]], Format]] = {
    r"(?P<unsigned>u?)int(?P<width>\d{1,6})": _parse_int,
    r"(?P<unsigned>u?)q(?P<int_bits>\d{1,6})\.(?P<frac_bits>\d{1,6})": _parse_q,
    r"e(?P<exp_bits>\d{1,6})m(?P<frac_bits>\d{1,6})": _parse_float,
}


def format(name: str | Format) -> Format:
    """The format of that name; a :class:`Format` is returned as it is.

    Raises
    ------
    TypeError
        ``name`` is neither a string nor a Format.
    ParameterError
        There is no such format; the message suggests the nearest names.
    """
    if isinstance(name, Format):
        return name
    if not isinstance(name, str):
        raise TypeError(f"format must be a name or a Format, not {name!r}")
    if name in FORMATS:
        return FORMATS[name]
    for pattern, build in _PARAMETRIC.items():
        if match := re.fullmatch(pattern, name):
            return build(match)
    near = difflib.get_close_matches(name, FORMATS, n=3, cutoff=0.5)
    hint = f"; did you mean {' or '.join(near)}?" if near else ""
    raise ParameterError(
        f"format must be one of {', '.join(FORMATS)}, or intN, uintN, qM.N, uqM.N, eXmY, not {name!r}{hint}"
    )
