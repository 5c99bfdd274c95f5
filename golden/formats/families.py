"""Families of formats: constructors from a few numbers, and the formats of exact products and sums."""

from __future__ import annotations

from ..checks import ParameterError, check_bool, check_int
from .fixed import FixedFormat
from .floating import FloatFormat
from .scalar import Format


def fixed_point(width: int, frac_bits: int = 0, signed: bool = True, source: str = "parametric") -> FixedFormat:
    """The fixed-point format of that shape, named intN or uintN, or with fraction bits qM.N or uqM.N.

    M counts the integer bits, the sign included (the ARM reading of Q notation).
    """
    unsigned = "" if signed else "u"
    name = f"{unsigned}q{width - frac_bits}.{frac_bits}" if frac_bits else f"{unsigned}int{width}"
    return FixedFormat(name, "fixed", width, frac_bits, signed, source=source)


def ieee_float(
    exp_bits: int, frac_bits: int, name: str | None = None, source: str = "parametric, IEEE-like"
) -> FloatFormat:
    """The IEEE-like float ``e<exp_bits>m<frac_bits>``: bias 2**(exp_bits-1)-1, subnormals, infinities and NaNs.

    Without fraction bits the all-ones exponent has room for one special only: it is NaN, since an invalid operation
    must be distinguishable from an overflow (a choice; there is no standard for such formats).
    """
    inf = ((1 << exp_bits) - 1) << frac_bits
    end = 1 << (exp_bits + frac_bits)
    return FloatFormat(
        name or f"e{exp_bits}m{frac_bits}",
        "float",
        1 + exp_bits + frac_bits,
        frac_bits,
        bias=(1 << (exp_bits - 1)) - 1,
        inf_code=inf if frac_bits else None,
        nan_codes=range(inf + 1 if frac_bits else inf, end),
        source=source,
    )


def sign_magnitude(
    magnitude_bits: int, name: str | None = None, source: str = "parametric, no exponent"
) -> FloatFormat:
    """Sign and magnitude ``e0m<magnitude_bits>``: value ``±f * 2**-(magnitude_bits - 1)``, one bit before the point.

    It is a float without exponent bits, so what holds for floats (two zeros, symmetric saturation, products of
    significands) holds for it; its significand has no hidden bit. The name is a choice, there is no standard.
    """
    check_int("magnitude_bits", magnitude_bits, 1)
    return FloatFormat(
        name or f"e0m{magnitude_bits}", "float", 1 + magnitude_bits, frac_bits=magnitude_bits, source=source
    )


def p3109(precision: int, signed: bool = True, extended: bool = True, width: int = 8) -> FloatFormat:
    """The binary format of IEEE P3109 of that width, with ``precision`` significant bits, the hidden one included.

    Extended formats have infinities, finite ones none. There is one NaN: in the place of a negative zero, or the last code
    of a format without sign; the infinity of an extended format is the code before that, in signed ones the last code of
    each sign. The bias is half of the exponent codes. P3109's saturation is ``overflow="saturate"``, its OvfInf "ieee".
    Names as in gfloat: ``p3109_k<width>p<precision>``, s or u (signed or not), e or f (extended or finite).

    Raises
    ------
    TypeError
        ``precision`` or ``width`` is not an integer.
    ParameterError
        ``precision`` is not below ``width``, the exponent having no bit then, or one of them is out of range.
    """
    check_int("width", width, 3, 15)
    check_int("precision", precision, 1, width - 1)
    check_bool("signed", signed)
    check_bool("extended", extended)
    last = (1 << (width - signed)) - 1
    return FloatFormat(
        f"p3109_k{width}p{precision}{'s' if signed else 'u'}{'e' if extended else 'f'}",
        "float",
        width,
        precision - 1,
        signed,
        bias=1 << (width - precision - signed),
        inf_code=(last if signed else last - 1) if extended else None,
        nan_codes=range(0) if signed else range(last, last + 1),
        negative_zero="nan" if signed else "zero",
        source=f"IEEE P3109 interim report: binary{width}",
    )


def product_format(a: Format, b: Format) -> Format:
    """The least fixed-point format that holds every product of two fixed-point formats exactly.

    Raises
    ------
    ParameterError
        ``a`` or ``b`` is no fixed-point or binary format.
    """
    for argument, fmt in (("a", a), ("b", b)):
        if not fmt.is_integral:
            raise ParameterError(f"{argument} must be a fixed-point or binary format, not {fmt}")
    return fixed_point(a.width + b.width, a.frac_bits + b.frac_bits, a.signed or b.signed)


def sum_format(term: Format, count: int) -> Format:
    """The fixed-point format that holds every sum of ``count`` terms exactly: ceil(log2 count) bits wider."""
    return fixed_point(term.width + (check_int("count", count, 1) - 1).bit_length(), term.frac_bits, term.signed)
