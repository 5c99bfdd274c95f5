"""Products that are neither normalised nor rounded: sign, exponent and significand as integers."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike

from ..codec.codes import Bools, Integers, Unpacked, as_codes
from ..codec.kinds import unpack
from ..codec.rounding import bit_length
from ..formats import Format, ParameterError, format
from ..formats.derived import UnpackedFormat, unpacked_product


@dataclass(frozen=True)
class UnpackedProduct:
    """Products of one :class:`.derived.UnpackedFormat`, element by element.

    ``exponent`` and ``significand`` mean nothing where ``zero`` (if the format has it), ``inf`` or ``nan`` is set.

    Examples
    --------
    >>> found = golden.multiply_unpacked([0x38], [0x40], "fp8_e4m3", "fp8_e4m3")
    >>> found.significand * 2.0 ** (found.exponent - found.fmt.bias)
    array([2.])
    """

    fmt: UnpackedFormat
    sign: Bools
    exponent: Integers
    significand: Integers
    zero: Bools
    inf: Bools
    nan: Bools

    @property
    def meaningless(self) -> Bools:
        """Where exponent and significand mean nothing."""
        return self.inf | self.nan | (self.zero & self.fmt.has_zero)


def multiply_unpacked(
    a: ArrayLike, b: ArrayLike, fa: str | Format, fb: str | Format, *, subnormals: str = "full"
) -> UnpackedProduct:
    """a · b = (-1)^sign · significand · 2^(exponent - bias), exact, in the format of :func:`.derived.unpacked_product`.

    Parameters
    ----------
    a, b : array_like of int
        Codes of ``fa`` and ``fb``, of the same shape.
    fa, fb : str or Format
        Formats of the operands; at least one is a float.
    subnormals : str
        "full", or "flush": subnormal operands are zeros of their sign.

    Raises
    ------
    TypeError
        ``a`` or ``b`` are not integers.
    ParameterError
        A code out of range, shapes that differ, or formats that have no such product.

    Examples
    --------
    >>> found = golden.multiply_unpacked([0xb8], [0x40], "fp8_e4m3", "fp8_e4m3")
    >>> found.sign, found.exponent, found.significand
    (array([ True]), array([15]), array([64], dtype=uint64))
    """
    fa, fb = format(fa), format(fb)
    fmt = unpacked_product(fa, fb, subnormals)
    codes = [np.atleast_1d(as_codes(name, array, item)) for name, array, item in (("a", a, fa), ("b", b, fb))]
    if codes[0].shape != codes[1].shape:
        raise ParameterError(f"a and b must be of one shape, not {codes[0].shape} and {codes[1].shape}")
    x, y = (_as_in_hardware(unpack(part, item, subnormals), item) for part, item in zip(codes, (fa, fb), strict=True))
    wide = object if fmt.significand_bits > 64 else np.uint64
    nan = x.nan | y.nan | (x.inf & y.zero) | (x.zero & y.inf)
    shape = codes[0].shape
    return UnpackedProduct(
        fmt,
        sign=np.broadcast_to(x.negative ^ y.negative, shape),
        exponent=np.broadcast_to(x.exponent + y.exponent + fmt.bias, shape),
        significand=x.magnitude.astype(wide) * y.magnitude.astype(wide),
        zero=np.broadcast_to((x.zero | y.zero) & ~nan, shape),
        inf=np.broadcast_to((x.inf | y.inf) & ~nan, shape),
        nan=np.broadcast_to(nan, shape),
    )


def _as_in_hardware(value: Unpacked, fmt: Format) -> Unpacked:
    """The numbers with the significands that :class:`.derived.UnpackedFormat` counts on: see ``Format.is_normalized``."""
    if not fmt.is_normalized:
        return value
    up = fmt.significand_bits - bit_length(value.magnitude)
    exponent = np.where(value.magnitude == 0, -fmt.exponent_bias - (fmt.significand_bits - 1), value.exponent - up)
    return replace(value, magnitude=value.magnitude << up.astype(np.uint64), exponent=exponent)
