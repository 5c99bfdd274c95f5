"""One number: what every code of a scalar format means, as data.

A :class:`Format` says everything that the codec, the hardware, the test benches and the reports need to know of a
scalar format; nothing else in the project may test a format's name. Each kind of format is a subclass in a module of its
own. Formats hold no arithmetic and need only the standard library, so that hardware generation and the golden model share
them without sharing an implementation.
"""

from __future__ import annotations

import dataclasses
from abc import abstractmethod
from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from ..checks import ParameterError, check_choice, check_int, check_text
from .policy import SUBNORMALS, RoundingMode, RoundingPolicy

#: Bounds that keep every value of a format a number of a sensible size; the exact products and sums of fp64 are within.
MAX_WIDTH, MAX_EXP_BITS, MAX_BIAS = 1 << 14, 16, 1 << 16


@dataclass(frozen=True)
class Format:
    """A scalar number format.

    ``Format(name, kind, width, …)`` makes a format of the class of that kind, which documents the other parameters:
    :class:`.floating.FloatFormat`, :class:`.fixed.FixedFormat`, :class:`.binary.BinaryFormat`.

    Every finite value is ``(-1)**sign * significand * 2**(exponent - (significand_bits - 1))`` with an integer
    ``significand`` of at most :attr:`significand_bits` bits and an ``exponent`` in :attr:`min_exponent` …
    :attr:`max_exponent`, and a multiple of ``2**lsb_exponent``.

    Parameters
    ----------
    name : str
        The name by which :func:`.registry.format` finds it.
    kind : str
        What a code is made of: a key of :attr:`KINDS`.
    width : int
        Bits of a code.
    source : str
        Where the definition comes from.

    Raises
    ------
    TypeError
        A parameter is of a wrong type.
    ParameterError
        One is out of range, or they contradict each other.

    Examples
    --------
    >>> e4m3b11 = golden.Format("float8_e4m3b11", "float", 8, 3, bias=11, nan_codes=range(0x7F, 0x80))
    >>> e4m3b11.max, e4m3b11.min_positive
    (Fraction(28, 1), Fraction(1, 8192))
    """

    name: str
    kind: str
    width: int
    if TYPE_CHECKING:  # fields of some kinds; elsewhere they do not exist
        frac_bits: int = 0
        signed: bool = True
        bias: int = 0
        subnormals: bool = True
        inf_code: int | None = None
        nan_codes: range = range(0)
        negative_zero: Literal["zero", "nan"] = "zero"

        @property
        def exp_bits(self) -> int: ...
        @property
        def quiet_bit(self) -> int: ...

    source: str = field(default="user", kw_only=True)

    #: The classes of formats, by kind.
    KINDS: ClassVar[dict[str, type[Format]]] = {}

    def __init_subclass__(cls, kind: str) -> None:
        for name in dir(Format):
            if getattr(getattr(cls, name), "__isabstractmethod__", False):
                raise TypeError(f"{cls.__name__} must define {name}")
        Format.KINDS[kind] = cls

    def __new__(cls, *args: Any, **fields: Any) -> Format:
        if cls is Format:
            kind = args[1] if len(args) > 1 else fields.get("kind")
            cls = Format.KINDS[check_choice("kind", kind, tuple(sorted(Format.KINDS)))]
            known = {item.name for item in dataclasses.fields(cls)}
            for name, value in fields.items():
                if name not in known:
                    raise ParameterError(f"{name} must be left out in a {kind} format, not {value!r}")
        return object.__new__(cls)

    def __post_init__(self) -> None:
        check_text("name", self.name)
        check_text("source", self.source)
        check_int("width", self.width, 1, MAX_WIDTH)
        if Format.KINDS.get(self.kind) is not type(self):
            raise ParameterError(f"kind must be that of a {type(self).__name__}, not {self.kind!r}")

    def __str__(self) -> str:
        return self.name

    # What codes are made of.

    @property
    @abstractmethod
    def significand_bits(self) -> int:
        """The most bits of a significand, with the place of the hidden one."""

    @property
    def code_count(self) -> int:
        """The number of codes."""
        return 1 << self.width

    @property
    def code_mask(self) -> int:
        """All bits of a code."""
        return self.code_count - 1

    @property
    def sign_mask(self) -> int:
        """The bit that is set in exactly the codes of negative numbers (and of zeros of negative sign), or 0."""
        return 0

    @property
    def negates_in_twos_complement(self) -> bool:
        """Whether the code of -x is the two's complement of the code of x."""
        return self.twos_complement

    @property
    def magnitude_mask(self) -> int:
        """All bits but the sign bit."""
        return self.code_mask & ~self.sign_mask

    # Special codes.

    @property
    def has_inf(self) -> bool:
        """Whether a code is infinite."""
        return False

    @property
    def has_nan(self) -> bool:
        """Whether a code is NaN."""
        return self.nan_code is not None

    @property
    def has_specials(self) -> bool:
        """Whether a code is infinite or NaN."""
        return self.has_inf or self.has_nan

    @property
    @abstractmethod
    def has_zero(self) -> bool:
        """Whether a code is zero."""

    @property
    def zero_code(self) -> int | None:
        """The code of zero, of the positive one where there are two, or None."""
        return 0 if self.has_zero else None

    @property
    def has_negative_zero(self) -> bool:
        """Whether there are two zeros, of either sign."""
        return False

    @property
    def has_signaling_nan(self) -> bool:
        """Whether some NaNs raise the invalid exception when they are used."""
        return False

    @property
    def nan_code(self) -> int | None:
        """The NaN that operations deliver, or None."""
        return None

    @property
    def nan_becomes_zero(self) -> bool:
        """Whether zero stands for NaN where a format without one is to substitute it; elsewhere the largest value does."""
        return False

    # The range of finite values.

    @property
    @abstractmethod
    def max_code(self) -> int:
        """The code of the largest finite value."""

    @property
    @abstractmethod
    def min_exponent(self) -> int:
        """The exponent of the least normal value, which subnormals are scaled by too."""

    @property
    @abstractmethod
    def max_exponent(self) -> int:
        """The greatest exponent."""

    @property
    def exponent_bias(self) -> int:
        """What exponents are biased by where they must not be negative, as in hardware."""
        return -self.min_exponent

    @property
    def exponent_bits(self) -> int:
        """Bits of a number that counts the exponents from the least to the greatest."""
        return (self.max_exponent - self.min_exponent).bit_length()

    @property
    def is_normalized(self) -> bool:
        """Whether hardware has the significand of every number but zero with its first of ``significand_bits`` bits 1."""
        return False

    @property
    def lsb_exponent(self) -> int:
        """Every finite value is a multiple of ``2**lsb_exponent``."""
        return self.min_exponent - (self.significand_bits - 1)

    @property
    def max_significand(self) -> int:
        """A bound of the significands."""
        return (1 << self.significand_bits) - 1

    @property
    def max(self) -> Fraction:
        """The largest finite value."""
        return self.fraction(self.max_code)

    @property
    def max_magnitude(self) -> Fraction:
        """The largest magnitude of a finite value, except that the most negative integer may exceed it by one."""
        return self.max

    @property
    @abstractmethod
    def min_normal(self) -> Fraction:
        """The least positive value with full precision."""

    @property
    @abstractmethod
    def min_positive(self) -> Fraction:
        """The least positive value: the least subnormal where there are subnormals."""

    # What can be done with it.

    @property
    def is_integral(self) -> bool:
        """Whether every value is an integer of :attr:`min_int` … :attr:`max_int` times ``2**lsb_exponent``, and every code
        is one of these: two's complement, unsigned, or -1 and +1."""
        return False

    @property
    def multiplies_as_integer(self) -> bool:
        """Whether codes multiply as integers in units of ``2**lsb_exponent``: no exponent, no infinity, no NaN."""
        return self.is_integral

    @property
    def twos_complement(self) -> bool:
        """Whether a code is a signed integer in two's complement."""
        return False

    @property
    def min_int(self) -> int:
        """The least integer that a code stands for; of integral formats."""
        raise ParameterError(f"min_int must be asked of an integral format, not {self}")

    @property
    def max_int(self) -> int:
        """The greatest integer that a code stands for; of integral formats."""
        raise ParameterError(f"max_int must be asked of an integral format, not {self}")

    @property
    def is_for_operands_only(self) -> bool:
        """Whether no result is ever rounded to it."""
        return False

    @property
    @abstractmethod
    def is_result(self) -> bool:
        """Whether operations can deliver any result in it: it has a sign and a zero, or integers or signs alone."""

    @property
    @abstractmethod
    def roundings(self) -> tuple[RoundingMode, ...]:
        """The rounding modes that have a meaning, the default first."""

    @property
    @abstractmethod
    def overflows(self) -> tuple[str, ...]:
        """The overflow policies that have a meaning, the default first."""

    @property
    def has_subnormals(self) -> bool:
        """Whether subnormals can be flushed to zero."""
        return False

    @property
    def raises_flags(self) -> bool:
        """Whether hardware reports IEEE 754 exceptions for results."""
        return False

    def policy(
        self,
        rounding: str | None = None,
        overflow: str | None = None,
        subnormals: str | None = None,
    ) -> RoundingPolicy:
        """The policy for results in this format, checked; None is the format's default.

        Raises
        ------
        ParameterError
            A value is unknown or has no meaning in this format.
        """
        modes = self.roundings
        note = "" if set(modes) == set(RoundingMode) else f" for {self}"
        mode = check_choice("rounding", modes[0] if rounding is None else rounding, modes, note)
        chosen = check_choice("subnormals", "full" if subnormals is None else subnormals, SUBNORMALS)
        overflows = self.overflows
        limit = check_choice("overflow", overflows[0] if overflow is None else overflow, overflows, f" for {self}")
        return RoundingPolicy(RoundingMode(mode), limit, chosen)

    # How people write it.

    @property
    def fields(self) -> tuple[tuple[str, int], ...]:
        """Names and widths of a code's fields, from the most significant bit; fields may have no bits."""
        return (("sign", 1),)

    @property
    @abstractmethod
    def formula(self) -> str:
        """The value of a finite code as a formula: s, e and f are the fields, i the code as an integer."""

    @property
    @abstractmethod
    def landmarks(self) -> tuple[tuple[str, int], ...]:
        """Codes that mark the ends of the ranges, and all that are no finite numbers (runs by their ends), with names."""

    # One code.

    @abstractmethod
    def fraction(self, code: int) -> Fraction:
        """The exact value of one finite code.

        Raises
        ------
        ParameterError
            The code is out of range, infinite or NaN.
        """

    def text(self, code: int) -> str:
        """The value of one code for people: exact where it is finite, else ``inf``, ``-inf`` or ``nan``."""
        return decimal_text(self.fraction(code))


def decimal_text(value: Fraction) -> str:
    """A number as Python writes a float; to 17 digits where it is beyond the range of floats."""
    if not value or Fraction(1, 1 << 1074) <= abs(value) < 1 << 1024:
        return repr(float(value))
    return f"{Decimal(value.numerator) / Decimal(value.denominator):.17g}"
