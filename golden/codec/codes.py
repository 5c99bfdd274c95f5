"""Arrays of codes: their dtype, their checks, and what a code is made of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..formats import BinaryFormat, FixedFormat, Format, ParameterError, format

#: An array whose elements are codes or integers: of a NumPy integer dtype, or of Python integers (dtype object).
Integers = NDArray[Any]
Bools = NDArray[np.bool_]

#: Magnitudes of up to this many bits are computed in uint64, longer ones in Python integers. One bit is left over, so
#: that half a unit in the last place of a number shifted out entirely is still a uint64.
FAST_BITS = 63
#: Numbers that are computed at once: their temporaries stay in the cache, and memory is bounded, while the time of a call
#: of NumPy is small beside its work.
CHUNK = 1 << 16


@dataclass(frozen=True)
class Unpacked:
    """Numbers as ``(-1)**negative * magnitude * 2**exponent``, exactly; element by element, all arrays broadcastable.

    ``magnitude`` is uint64 of at most FAST_BITS bits, or Python integers of any size. Where ``inf`` or ``nan`` is set,
    the magnitude is 0 and stands for nothing; where both are, it is NaN. ``signaling`` marks those NaNs whose use is an
    invalid operation.
    """

    negative: Bools
    magnitude: Integers
    exponent: NDArray[np.int64]
    inf: Bools
    nan: Bools
    signaling: Bools

    @property
    def zero(self) -> Bools:
        """Which of the numbers are zero."""
        return (self.magnitude == 0) & ~self.inf & ~self.nan


def code_dtype(fmt: Format) -> np.dtype[Any]:
    """The least unsigned dtype that holds a format's codes; object (Python integers) above 64 bits.

    Examples
    --------
    >>> golden.code_dtype(golden.format("fp8_e4m3")), golden.code_dtype(golden.format("int24"))
    (dtype('uint8'), dtype('uint32'))
    """
    for bits in (8, 16, 32, 64):
        if fmt.width <= bits:
            return np.dtype(f"uint{bits}")
    return np.dtype(object)


def as_array(values: ArrayLike) -> NDArray[Any]:
    """``values`` as an array in which no integer has been rounded.

    NumPy makes float64 of a list of Python integers of which some need int64 and some uint64.
    """
    array = np.asarray(values)
    if array.dtype == np.float64 and not isinstance(values, (np.ndarray, np.generic)):
        items = np.asarray(values, object)
        if items.size and all(isinstance(item, (int, np.integer)) for item in items.flat):
            return items
    return array


def as_integers(argument: str, values: ArrayLike) -> Integers:
    """``values`` as an array of a NumPy integer dtype or of Python integers.

    Raises
    ------
    TypeError
        They are not integers.
    """
    array = as_array(values)
    if array.dtype == object:
        for item in array.flat:
            if isinstance(item, (bool, np.bool_)) or not isinstance(item, (int, np.integer)):
                raise TypeError(f"{argument} must be an array of integers, not of {type(item).__name__}")
    elif array.dtype.kind not in "iu":
        raise TypeError(f"{argument} must be an array of integers, not of {array.dtype}")
    return array


def as_codes(argument: str, codes: ArrayLike, fmt: Format) -> Integers:
    """``codes`` as an array of the format's :func:`code_dtype`.

    Raises
    ------
    TypeError
        They are not integers.
    ParameterError
        One of them is no code of the format.
    """
    array = as_integers(argument, codes)
    if array.size and (array.dtype.kind != "u" or array.dtype.itemsize * 8 > fmt.width):
        for extreme in ([] if array.dtype.kind == "u" else [int(array.min())]) + [int(array.max())]:
            if not 0 <= extreme <= fmt.code_mask:
                raise ParameterError(f"{argument} must hold codes of {fmt}, 0 … {fmt.code_mask:#x}, not {extreme}")
    return array.astype(code_dtype(fmt), copy=False)


def check_fixed(argument: str, fmt: Format) -> Format:
    """Return ``fmt`` if it is a fixed-point format; else raise a ParameterError that names ``argument``."""
    if not isinstance(fmt, FixedFormat):
        raise ParameterError(f"{argument} must be a fixed-point format, not {fmt}")
    return fmt


def check_integral(argument: str, fmt: Format) -> Format:
    """Return ``fmt`` if its codes stand for integers; else raise a ParameterError that names ``argument``."""
    if not fmt.is_integral:
        raise ParameterError(f"{argument} must be a fixed-point or binary format, not {fmt}")
    return fmt


def to_int(codes: ArrayLike, fmt: str | Format) -> Integers:
    """The integers that fixed-point codes stand for (value = integer · 2^-frac_bits); -1 and +1 for binary codes.

    Returns int64, or Python integers (dtype object) where the format's integers do not fit.

    Raises
    ------
    TypeError
        ``codes`` are not integers.
    ParameterError
        One is out of range, or the format is a float.

    Examples
    --------
    >>> golden.to_int([255, 5], "int8")
    array([-1,  5])
    """
    fmt = check_integral("fmt", format(fmt))
    array = as_codes("codes", codes, fmt)
    if isinstance(fmt, BinaryFormat):
        return 2 * array.astype(np.int64) - 1
    if fmt.width > 64 or (fmt.width == 64 and not fmt.signed):
        # At least one dimension, or NumPy would turn a lone Python integer into a scalar.
        wide = np.atleast_1d(array.astype(object))
        return np.where((wide & fmt.sign_mask) != 0, wide - fmt.code_count, wide).reshape(array.shape)
    # Shifted to the top of an int64 and back, the sign bit fills the upper bits.
    unused = 64 - fmt.width if fmt.signed else 0
    return (array.astype(np.uint64) << np.uint64(unused)).astype(np.int64) >> unused


def from_int(values: ArrayLike, fmt: str | Format) -> Integers:
    """The fixed-point codes of integers, the inverse of :func:`to_int`.

    Raises
    ------
    TypeError
        ``values`` are not integers.
    ParameterError
        One is beyond the format's range, or the format is not a fixed-point format.

    Examples
    --------
    >>> golden.from_int([-1, 5], "int8")
    array([255,   5], dtype=uint8)
    """
    fmt = check_fixed("fmt", format(fmt))
    array = as_integers("values", values)
    if array.size:
        for extreme in (int(array.min()), int(array.max())):
            if not fmt.min_int <= extreme <= fmt.max_int:
                raise ParameterError(f"values must be in {fmt.min_int} … {fmt.max_int} of {fmt}, not {extreme}")
    return wrapped(array, fmt)


def wrapped(values: Integers, fmt: Format) -> Integers:
    """The codes made of the low ``fmt.width`` bits of integers in two's complement."""
    if fmt.width > 64 or values.dtype == object:
        low = np.atleast_1d(values.astype(object)) & fmt.code_mask
        return low.reshape(values.shape).astype(code_dtype(fmt))
    return (values.astype(np.uint64) & np.uint64(fmt.code_mask)).astype(code_dtype(fmt))
