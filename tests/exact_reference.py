"""A scalar reference on exact fractions: what one code stands for, and to what code one result rounds.

Written from the docstrings of :class:`polymac.golden.Format`, of the operations and of the styles of accumulation, one
number at a time and by formulas; it takes only data of the formats and shares no arithmetic with the package.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import floor

from polymac.golden import Aligned, BlockFormat, Exact, Flag, Format, Rounded

#: A mode of ROUNDINGS, or the random word and the number of its bits.
Mode = str | tuple[int, int]
NONE = Flag(0)


class NoCodeError(Exception):
    """The result has no code in its format: the package must say so with a ParameterError."""


@dataclass(frozen=True)
class Number:
    """``kind`` is "finite", "inf", "nan" or "snan" (signaling, or the result of an invalid operation)."""

    kind: str
    negative: bool
    size: Fraction = Fraction(0)

    @property
    def is_nan(self) -> bool:
        return self.kind in ("nan", "snan")

    @property
    def is_zero(self) -> bool:
        return self.kind == "finite" and not self.size

    @property
    def value(self) -> Fraction:
        """The number itself, where it is finite."""
        assert self.kind == "finite"
        return -self.size if self.negative else self.size


INVALID = Number("snan", negative=False)


def power(exponent: int) -> Fraction:
    """2^exponent."""
    return Fraction(2) ** exponent


def exponent_of(size: Fraction) -> int:
    """floor(log2(size)) of a number above 0."""
    guess = size.numerator.bit_length() - size.denominator.bit_length()
    return guess if size >= power(guess) else guess - 1


# Codes to numbers.


def max_code(fmt: Format) -> int:
    """Code of the largest finite float: the last one before infinity and NaN."""
    specials = [*([] if fmt.inf_code is None else [fmt.inf_code]), *([fmt.nan_codes[0]] if fmt.nan_codes else [])]
    return min(specials) - 1 if specials else fmt.magnitude_mask


def finite_size(fmt: Format, magnitude: int) -> Fraction:
    """The value of a float's bits without the sign."""
    field, fraction = divmod(magnitude, 1 << fmt.frac_bits)
    if fmt.subnormals and not field:
        return fraction * power(1 - fmt.bias - fmt.frac_bits)
    return ((1 << fmt.frac_bits) + fraction) * power(field - fmt.bias - fmt.frac_bits)


def number(fmt: Format, code: int, subnormals: str = "full") -> Number:
    """What a code stands for; with "flush" a subnormal is a zero of its sign."""
    if fmt.kind == "binary":
        return Number("finite", not code, Fraction(1))
    if fmt.kind == "fixed":
        integer = code - (1 << fmt.width) if fmt.signed and code >> (fmt.width - 1) else code
        return Number("finite", integer < 0, abs(integer) * power(-fmt.frac_bits))
    magnitude_bits = fmt.width - fmt.signed
    negative, magnitude = bool(code >> magnitude_bits), code % (1 << magnitude_bits)
    if magnitude in fmt.nan_codes:
        quiet = 1 << fmt.frac_bits >> 1
        # The last code is all ones: where there is a fraction it is quiet, and another one may be signaling.
        return Number("nan" if not quiet or magnitude & quiet else "snan", negative)
    if fmt.negative_zero == "nan" and negative and not magnitude:
        return Number("nan", negative)
    if magnitude == fmt.inf_code:
        return Number("inf", negative)
    size = finite_size(fmt, magnitude)
    if subnormals == "flush" and fmt.subnormals and not magnitude >> fmt.frac_bits:
        size = Fraction(0)
    return Number("finite", negative, size)


# Numbers to codes.


def to_integer(steps: Fraction, negative: bool, mode: Mode) -> int:
    """A magnitude in units in the last place as a whole number of them."""
    low = floor(steps)
    rest = steps - low
    if not isinstance(mode, str):
        word, bits = mode
        return low + (floor(rest * (1 << bits)) + word >= 1 << bits)
    half = Fraction(1, 2)
    up = {
        "rne": rest > half or (rest == half and low % 2 == 1),
        "rna": rest >= half,
        "rtz": False,
        "rup": rest > 0 and not negative,
        "rdn": rest > 0 and negative,
    }[mode]
    return low + up


def to_float(fmt: Format, x: Number, mode: Mode, overflow: str, subnormals: str) -> tuple[int, Flag]:
    """Code and exceptions of a finite number in a float format."""
    sign = (1 << (fmt.width - 1)) if fmt.signed and x.negative else 0
    nan = (fmt.nan_code or 0) if overflow == "ieee" and fmt.has_nan else None
    if (not fmt.subnormals and not x.size) or (not fmt.signed and x.negative and x.size):
        return (sign * (fmt.negative_zero == "zero") if nan is None else nan), NONE
    least_exponent = (1 if fmt.subnormals else 0) - fmt.bias
    magnitude, flags = 0, NONE
    if x.size:
        exponent = exponent_of(x.size)
        own = to_integer(x.size / power(exponent - fmt.frac_bits), x.negative, mode) * power(exponent - fmt.frac_bits)
        tiny = own < power(least_exponent)
        quantum = power(max(exponent, least_exponent) - fmt.frac_bits)
        value = to_integer(x.size / quantum, x.negative, mode) * quantum
        inexact = value != x.size
        if tiny and (subnormals == "flush" or not fmt.subnormals):
            flags = Flag.UNDERFLOW | Flag.INEXACT
        elif value > finite_size(fmt, max_code(fmt)):
            stays = mode == "rtz" or mode == ("rup" if x.negative else "rdn")
            magnitude, flags = max_code(fmt), Flag.OVERFLOW | Flag.INEXACT
            if overflow == "ieee" and not stays:
                if fmt.inf_code is None and nan is not None:
                    return nan, flags
                magnitude = magnitude if fmt.inf_code is None else fmt.inf_code
        else:
            flags = (Flag.INEXACT if inexact else NONE) | (Flag.UNDERFLOW if tiny and inexact else NONE)
            magnitude = _magnitude_code(fmt, value, least_exponent)
    if not magnitude and fmt.negative_zero == "nan":
        sign = 0
    return magnitude | sign, flags


def _magnitude_code(fmt: Format, value: Fraction, least_exponent: int) -> int:
    """The code of a magnitude that a float has."""
    if not value:
        return 0
    exponent = max(exponent_of(value), least_exponent)
    significand = value / power(exponent - fmt.frac_bits)
    assert significand.denominator == 1
    if value < power(least_exponent):
        return int(significand)
    field = exponent + fmt.bias
    return (field << fmt.frac_bits) + int(significand) - (1 << fmt.frac_bits)


def to_fixed(fmt: Format, x: Number, mode: Mode, overflow: str) -> tuple[int, Flag]:
    """Code and exceptions of a finite number in a fixed-point format."""
    steps = x.size * power(fmt.frac_bits)
    size = to_integer(steps, x.negative, mode)
    flags = NONE if size == steps else Flag.INEXACT
    integer = -size if x.negative else size
    least = -(1 << (fmt.width - 1)) if fmt.signed else 0
    greatest = least + (1 << fmt.width) - 1
    if not least <= integer <= greatest:
        flags = Flag.OVERFLOW | Flag.INEXACT
        if overflow == "saturate":
            integer = min(max(integer, least), greatest)
    return integer % (1 << fmt.width), flags


def to_code(fmt: Format, x: Number, mode: Mode, overflow: str | None, subnormals: str = "full") -> tuple[int, Flag]:
    """Code and exceptions of any number in any format, as :func:`polymac.golden.rounding.pack` says.

    Raises
    ------
    NoCodeError
        NaN where there is none, or an infinity that would wrap.
    """
    if overflow is None:
        overflow = "ieee" if fmt.kind == "float" else "saturate"
    if x.is_nan:
        if fmt.nan_code is None:
            raise NoCodeError
        return fmt.nan_code, Flag.INVALID if x.kind == "snan" else NONE
    if x.kind == "inf" and overflow == "wrap":
        raise NoCodeError
    if fmt.kind == "binary":
        negative = x.negative and not x.is_zero
        return int(not negative), NONE if x.kind == "inf" or x.size == 1 else Flag.INEXACT
    if fmt.kind == "fixed":
        if x.kind == "inf":
            least = 1 << (fmt.width - 1) if fmt.signed else 0
            return least if x.negative else (1 << (fmt.width - fmt.signed)) - 1, NONE
        return to_fixed(fmt, x, mode, overflow)
    if x.kind == "finite":
        return to_float(fmt, x, mode, overflow, subnormals)
    if overflow == "ieee" and fmt.nan_code is not None and (fmt.inf_code is None or (x.negative and not fmt.signed)):
        return fmt.nan_code, NONE
    if x.negative and not fmt.signed:
        return 0, NONE
    largest = fmt.inf_code if overflow == "ieee" and fmt.inf_code is not None else max_code(fmt)
    signed = x.negative and (largest > 0 or fmt.negative_zero == "zero")
    return largest | (1 << (fmt.width - 1) if signed else 0), NONE


# Operations.


def product(x: Number, y: Number) -> Number:
    """IEEE 754's product."""
    if "snan" in (x.kind, y.kind) or (x.kind == "inf" and y.is_zero) or (x.is_zero and y.kind == "inf"):
        return INVALID
    if x.is_nan or y.is_nan:
        return Number("nan", negative=False)
    kind = "inf" if "inf" in (x.kind, y.kind) else "finite"
    return Number(kind, x.negative != y.negative, x.size * y.size if kind == "finite" else Fraction(0))


def total(terms: Sequence[Number], mode: Mode) -> Number:
    """The sum of all terms at once; a zero sum is -0 where all are negative, or under "rdn" where one is."""
    infinite = {x.negative for x in terms if x.kind == "inf"}
    if any(x.kind == "snan" for x in terms):
        return INVALID
    if any(x.is_nan for x in terms):
        return Number("nan", negative=False)
    if len(infinite) == 2:
        return INVALID
    if infinite:
        return Number("inf", infinite.pop())
    value = sum((x.value for x in terms), start=Fraction(0))
    negative = value < 0
    if not value:
        negative = all(x.negative for x in terms) or (mode == "rdn" and any(x.negative for x in terms))
    return Number("finite", negative, abs(value))


def operation(
    name: str,
    codes: Sequence[int],
    formats: Sequence[Format],
    out: Format,
    mode: Mode,
    overflow: str | None,
    subnormals: str,
) -> tuple[int, Flag]:
    """Code and exceptions of "multiply", "add" or "fma"."""
    first, second, *third = [number(fmt, code, subnormals) for fmt, code in zip(formats, codes, strict=True)]
    result = total([first, second], mode) if name == "add" else product(first, second)
    if name == "fma":
        result = total([result, third[0]], mode)
    return to_code(out, result, mode, overflow, subnormals)


def dot(
    a: Sequence[Number], b: Sequence[Number], c: int, out: Format, style: Exact | Rounded | Aligned
) -> tuple[int, Flag]:
    """Code, and exceptions of all roundings, of c plus the products of finite or special numbers in a style."""
    products = [product(x, y) for x, y in zip(a, b, strict=True)]
    if isinstance(style, Aligned):
        raise TypeError("aligned sums need exponents: use aligned_dot")
    block = style.block if isinstance(style, Rounded) else len(products)
    flags = NONE
    for start in range(0, len(products), block):
        terms = [number(out, c, style.subnormals), *products[start : start + block]]
        c, raised = to_code(out, total(terms, style.rounding), style.rounding, style.overflow, style.subnormals)
        flags |= raised
    return c, flags


def _scaled_exponent(fmt: Format, x: Number) -> int:
    """The exponent of a number of a float format; that of a subnormal is the least one of its format."""
    return max(exponent_of(x.size), (1 if fmt.subnormals else 0) - fmt.bias)


def _toward_zero(value: Fraction, quantum: Fraction) -> Fraction:
    size = floor(abs(value) / quantum) * quantum
    return -size if value < 0 else size


def aligned_dot(a: Sequence[int], b: Sequence[int], c: int, fa: Format, fb: Format, out: Format, style: Aligned) -> int:
    """Code of c plus the products in the style of tensor cores, by the docstring of :class:`polymac.golden.Aligned`."""
    pairs = [(number(fa, x), number(fb, y)) for x, y in zip(a, b, strict=True)]
    for start in range(0, len(pairs), style.block):
        acc = number(out, c)
        block = pairs[start : start + style.block]
        terms = [acc, *(product(x, y) for x, y in block)]
        if any(term.kind != "finite" for term in terms):
            special = total([term for term in terms if term.kind != "finite"], "rtz")
            c, _ = to_code(out, special, "rtz", "ieee")
            continue
        exponents = [_scaled_exponent(out, acc)] if acc.size else []
        exponents += [_scaled_exponent(fa, x) + _scaled_exponent(fb, y) for x, y in block if x.size and y.size]
        if not exponents:
            c = 0
            continue
        unit = power(max(exponents) - style.frac_bits)
        value = sum((_toward_zero(term.value, unit) for term in terms), start=Fraction(0))
        if value:
            value = _toward_zero(value, power(exponent_of(abs(value)) - style.out_frac_bits))
        result = Number("finite", value < 0, abs(value))
        if result.size > finite_size(out, max_code(out)):
            result = Number("inf", result.negative)
        code, _ = to_code(out, result, "rtz", "ieee")
        # A zero sum is +0, also one truncated to it.
        c = 0 if number(out, code).is_zero else code
    return c


def block_value(fmt: BlockFormat, scale: int, element: int) -> Number:
    """The value of an element with its scale."""
    return product(number(fmt.scale, scale), number(fmt.element, element))
