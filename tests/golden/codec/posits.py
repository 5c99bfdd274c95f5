"""Posits one at a time, in fractions, from the text of the 2022 standard; and golden's codec by width and exponent bits."""

from bisect import bisect_right
from fractions import Fraction
from functools import cache

import numpy as np
from numpy.typing import NDArray

from polymac.golden.codec import posit as codec
from polymac.golden.codec.codes import Integers, Unpacked
from polymac.golden.codec.rounding import Target
from polymac.golden.formats import posit


def unpack_posit(codes: Integers, n: int, es: int) -> Unpacked:
    """Golden's decoder."""
    return codec.unpack_posit(codes, posit(n, es), "full")


def pack_posit(value: Unpacked, n: int, es: int) -> Integers:
    """Golden's encoder, which raises no exceptions."""
    fmt = posit(n, es)
    codes, flags = codec.pack_posit(value, Target(fmt, fmt.policy()), None)
    assert flags.shape == codes.shape and not flags.any()
    return codes


def reals(value: Unpacked) -> NDArray[np.float64]:
    """Decoded posits as float64, which holds all of 32 bits and less; NaR as NaN."""
    size = np.ldexp(value.magnitude.astype(np.float64), value.exponent)
    return np.where(value.nan, np.nan, np.where(value.negative, -size, size))


def exactly(x: NDArray[np.float64]) -> Unpacked:
    """Finite numbers as the encoder takes them."""
    size, exponent = np.frexp(np.abs(x))
    never = np.zeros(1, bool)
    return Unpacked(
        x < 0, (size * 2**53).astype(np.uint64), exponent.astype(np.int64) - 53, np.isinf(x), np.isnan(x), never
    )


def posit_value(code: int, n: int, es: int) -> Fraction | None:
    """What a code stands for, by the formula of section 3.3 with its fields; None for NaR."""
    if code == 0:
        return Fraction(0)
    if code == 1 << (n - 1):
        return None
    bits = f"{code:0{n}b}"
    s, rest = int(bits[0]), bits[1:]
    k = len(rest) - len(rest.lstrip(rest[0]))
    r = k - 1 if rest[0] == "1" else -k
    tail = rest[k + 1 :]
    e = int((tail[:es] + "0" * es)[:es] or "0", 2)
    fraction = tail[es:]
    f = Fraction(int(fraction or "0", 2), 1 << len(fraction))
    return ((1 - 3 * s) + f) * Fraction(2) ** ((1 - 2 * s) * ((r << es) + e + s))


@cache
def positive_posits(n: int, es: int) -> list[Fraction]:
    """The values of the codes 1 … 2^(n-1) - 1, which are in order."""
    values = [value for code in range(1, 1 << (n - 1)) if (value := posit_value(code, n, es)) is not None]
    assert values == sorted(values)
    return values


def posit_code(x: Fraction | None, n: int, es: int) -> int:
    """The code of a number, rounded by section 4.1; NaR for None.

    Between neighbours u and w the decision is at the posit of n + 1 bits between them, and a tie goes to the even code.
    """
    if x is None:
        return 1 << (n - 1)
    if x == 0:
        return 0
    if x < 0:
        return (1 << n) - posit_code(-x, n, es)
    values = positive_posits(n, es)
    if x >= values[-1]:
        return len(values)
    if x <= values[0]:
        return 1
    low = bisect_right(values, x)  # the code of u
    if x == values[low - 1]:
        return low
    middle = posit_value(2 * low + 1, n + 1, es)
    assert middle is not None
    return low + (x > middle or (x == middle and low % 2 == 1))
