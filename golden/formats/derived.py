"""The formats of exact results: every product, or every sum, of two formats is one of their numbers."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from ..checks import ParameterError, check_choice
from .binary import BinaryFormat
from .families import fixed_point, ieee_float, product_format
from .policy import SUBNORMALS
from .registry import format
from .scalar import Format


@dataclass(frozen=True)
class UnpackedFormat:
    """An exact product as the significands' multiplier leaves it, neither normalised nor rounded.

    A finite product is ``(-1)**sign * significand * 2**(exponent - bias)``: significand is the product of both operands'
    significands (hidden bits included, as integers), exponent the sum of both exponent fields (1 for a subnormal's, 0
    for a fixed-point operand's), so that a product's leading ones may be anywhere.

    Attributes
    ----------
    significand_bits, exp_bits : int
        Widths; the exponent is not negative.
    bias : int
        ``exponent`` less the exponent of the significand's last bit.
    has_zero, has_inf, has_nan : bool
        Whether there is a bit for that class, where sign alone means anything. Without has_zero the significand of a zero
        is 0; subnormals that are flushed are zeros with a significand.
    """

    significand_bits: int
    exp_bits: int
    bias: int
    has_zero: bool
    has_inf: bool
    has_nan: bool


def unpacked_product(fa: str | Format, fb: str | Format, subnormals: str = "full") -> UnpackedFormat:
    """The un-normalised exact product of two formats, of which at least one is a float.

    Raises
    ------
    TypeError
        ``fa`` or ``fb`` is neither a name nor a Format.
    ParameterError
        Neither is a float, whose product is an integer as it is; or ``subnormals`` is unknown.

    Examples
    --------
    >>> golden.unpacked_product("fp8_e4m3", "fp8_e4m3").significand_bits
    8
    """
    fa, fb = format(fa), format(fb)
    check_choice("subnormals", subnormals, SUBNORMALS)
    if fa.is_integral and fb.is_integral:
        raise ParameterError(f"fa or fb must be a float format, not {fa} and {fb}")
    # A significand of one bit only gates the other one.
    widths = fa.significand_bits, fb.significand_bits
    greatest = sum(fmt.max_exponent + fmt.exponent_bias for fmt in (fa, fb))
    has_inf = fa.has_inf or fb.has_inf
    return UnpackedFormat(
        significand_bits=sum(widths) - (1 in widths),
        exp_bits=max(greatest.bit_length(), 1),
        bias=sum(fmt.exponent_bias + fmt.significand_bits - 1 for fmt in (fa, fb)),
        has_zero=subnormals == "flush" and any(fmt.has_subnormals for fmt in (fa, fb)),
        has_inf=has_inf,
        # Infinity times zero is one where the other operand has a zero.
        has_nan=fa.has_nan or fb.has_nan or (has_inf and (fa.has_zero or fb.has_zero)),
    )


def exact_product(fa: str | Format, fb: str | Format) -> Format:
    """A format that holds every product of ``fa`` and ``fb``: multiplication into it never rounds.

    Two fixed-point formats: :func:`.formats.product_format` (a binary one counts as one bit of fixed point). Two binary
    formats: binary, the product being XNOR. With a float operand: the IEEE-like float ``eXmY`` whose significand, 1 + Y
    bits, has the length of both operands' together (an intN has N - 1 significant bits), and whose X is the least with
    which the largest product and the last bit of the least one are in range. Products below the least normal are
    subnormals of it, the others are normalised; infinities, NaNs and signed zeros as in IEEE 754.
    fp16 · fp16 is e6m21, bf16 · bf16 is e9m15, fp8_e4m3 · fp8_e4m3 is e6m7.

    Raises
    ------
    TypeError, ParameterError
        ``fa`` or ``fb`` is no format.

    Examples
    --------
    >>> golden.exact_product("fp8_e4m3", "fp8_e4m3").name, golden.exact_product("int8", "uint4").name
    ('e6m7', 'int12')
    """
    fa, fb = format(fa), format(fb)
    if isinstance(fa, BinaryFormat) and isinstance(fb, BinaryFormat):
        return fa
    if fa.is_integral and fb.is_integral:
        return product_format(fa, fb)
    (bits_a, quantum_a, max_a), (bits_b, quantum_b, max_b) = _scale(fa), _scale(fb)
    frac_bits, quantum, largest = bits_a + bits_b - 1, quantum_a + quantum_b, max_a * max_b
    # The denominator is a power of two.
    exponent = largest.numerator.bit_length() - largest.denominator.bit_length()
    exp_bits = 2
    while (bias := (1 << (exp_bits - 1)) - 1) < exponent or 1 - bias - frac_bits > quantum:
        exp_bits += 1
    return ieee_float(exp_bits, frac_bits)


def exact_sum(fa: str | Format, fb: str | Format) -> Format:
    """The least fixed-point format that holds every sum of two fixed-point or binary formats.

    Raises
    ------
    TypeError
        ``fa`` or ``fb`` is neither a name nor a Format.
    ParameterError
        One is a float, whose exact sums would be as wide as its whole range.

    Examples
    --------
    >>> golden.exact_sum("q4.4", "int8").name
    'q9.4'
    """
    fa, fb = format(fa), format(fb)
    for argument, fmt in (("fa", fa), ("fb", fb)):
        if not fmt.is_integral:
            raise ParameterError(f"{argument} must be a fixed-point or binary format, not {fmt}")
    frac_bits = max(fa.frac_bits, fb.frac_bits)
    ranges = [[extreme << (frac_bits - fmt.frac_bits) for extreme in (fmt.min_int, fmt.max_int)] for fmt in (fa, fb)]
    least, greatest = (sum(extremes) for extremes in zip(*ranges, strict=True))
    signed = least < 0
    width = max(greatest.bit_length(), (-least - 1).bit_length() if signed else 0) + signed
    return fixed_point(width, frac_bits, signed)


def _scale(fmt: Format) -> tuple[int, int, Fraction]:
    """Significant bits of a value, exponent of the least one's last bit, and the largest magnitude."""
    if fmt.is_integral:
        # A largest integer that is a power of two has a single significant bit; all others are below it.
        largest = fmt.max_significand
        return max((largest - 1).bit_length(), 1), fmt.lsb_exponent, Fraction(largest, 1 << fmt.frac_bits)
    return fmt.max_significand.bit_length(), fmt.lsb_exponent, fmt.max_magnitude
