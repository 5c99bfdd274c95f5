"""Between real numbers and codes: the only place where the golden model meets floating point."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .codes import Integers, Unpacked, as_array, as_codes, as_integers, to_int, unpack
from .formats import FORMATS, Format, format
from .rounding import check_policies, pack

_FP64 = FORMATS["fp64"]


def encode(
    x: ArrayLike,
    fmt: str | Format,
    *,
    rounding: str = "rne",
    overflow: str | None = None,
    subnormals: str = "full",
) -> Integers:
    """The codes of real numbers: rounded once, from their exact values.

    Parameters
    ----------
    x : array_like
        float64, float32, float16 or integers (of any size, dtype object for those beyond 64 bits); any shape.
    fmt : str or Format
        The codes' format.
    rounding : str
        One of ROUNDINGS; "rne" alone for binary formats, where numbers from 0 up are +1 and those below -1.
    overflow : str or None
        "ieee" (None) or "saturate" for floats, "saturate" (None) or "wrap" for fixed point. Infinities become infinity
        under "ieee", else NaN, else the largest value where the format has neither; the largest under "saturate".
    subnormals : str
        "full", or "flush": a result that is tiny after rounding is zero.

    Returns
    -------
    ndarray
        Codes, in the least unsigned dtype that holds them (Python integers above 64 bits); the shape of ``x``.

    Raises
    ------
    TypeError
        ``x`` is neither floating point nor integer.
    ParameterError
        NaN where the format has none, infinity that would wrap, or a policy that the format has no meaning for.
    """
    fmt = format(fmt)
    overflow = check_policies(fmt, rounding, overflow, subnormals)
    array = as_array(x)
    if array.dtype.kind == "f" and array.dtype.itemsize <= 8:
        # A float64 holds every narrower float exactly.
        value = unpack(array.astype(np.float64).reshape(-1).view(np.uint64), _FP64)
    elif array.dtype == object or array.dtype.kind in "iu":
        value = _unpack_integers(as_integers("x", array).reshape(-1))
    else:
        raise TypeError(f"x must be an array of float64, float32, float16 or integers, not of {array.dtype}")
    codes, _ = pack("x", value, fmt, rounding, overflow, subnormals)
    return codes.reshape(array.shape)


def _unpack_integers(integers: Integers) -> Unpacked:
    # int64's least value, and uint64, have magnitudes of 64 bits.
    if integers.dtype.itemsize == 8 and np.any((integers > 2**62) | (integers < -(2**62))):
        integers = integers.astype(object)
    fast = integers.dtype != object
    magnitude = np.abs(integers.astype(np.int64)).view(np.uint64) if fast else np.abs(integers)
    never = np.zeros(1, bool)
    return Unpacked(integers < 0, magnitude, np.zeros(1, np.int64), never, never, never)


def decode(codes: ArrayLike, fmt: str | Format) -> NDArray[np.float64]:
    """The real numbers that codes stand for, as float64: exact.

    Formats that say more than a float64 can (integers and fixed point beyond 53 bits, floats with more precision or
    range than binary64) are rounded to the nearest float64, ties to even.

    Parameters
    ----------
    codes : array_like of int
        Codes of ``fmt``, any shape.
    fmt : str or Format
        Their format.

    Raises
    ------
    TypeError
        ``codes`` are not integers.
    ParameterError
        One of them is no code of the format.
    """
    fmt = format(fmt)
    array = as_codes("codes", codes, fmt)
    if fmt.kind != "float" and fmt.width <= 1024 and fmt.frac_bits <= 1022:
        # The conversion of an integer is correctly rounded, and the scaling by a power of two stays among the normals.
        return np.ldexp(to_int(array, fmt).astype(np.float64), -fmt.frac_bits)
    value = unpack(array.reshape(-1), fmt)
    if fmt.significand_bits <= 53 and fmt.min_exponent - fmt.frac_bits >= -1074 and fmt.max_exponent <= 1023:
        # Every finite value is a float64, so that scaling rounds nothing.
        real = np.ldexp(value.magnitude.astype(np.float64), value.exponent)
        real = np.where(value.nan, np.nan, np.where(value.inf, np.inf, real))
        real = np.where(value.negative & ~value.nan, -real, real)
    else:
        real = pack("codes", value, _FP64, "rne", "ieee", "full")[0].view(np.float64)
    return real.reshape(array.shape)
