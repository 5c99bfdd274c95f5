"""Posits: decoding and encoding against the standard's formula in fractions."""

from collections.abc import Sequence
from fractions import Fraction

import numpy as np
import pytest

from polymac.golden.codec.codes import Unpacked
from polymac.golden.formats import posit

from .posits import pack_posit, posit_code, posit_value, positive_posits, unpack_posit

SMALL = [(n, es) for n in range(3, 9) for es in range(5)]
STANDARD = [(8, 2), (16, 2), (32, 2)]
NEVER = np.zeros(1, bool)


def fractions_of(value: Unpacked) -> list[Fraction | None]:
    parts = np.broadcast_arrays(value.negative, value.magnitude, value.exponent, value.nan, value.inf)
    return [
        None if nan or inf else (-1) ** int(negative) * int(magnitude) * Fraction(2) ** int(exponent)
        for negative, magnitude, exponent, nan, inf in zip(*(part.tolist() for part in parts), strict=True)
    ]


def unpacked(numbers: Sequence[Fraction | None], dtype: type = object, spare: int = 0) -> Unpacked:
    """The numbers as they are handed to the rounder, with ``spare`` zeros behind their last bits."""
    exact = [Fraction(0) if x is None else x for x in numbers]
    places = [(abs(x.numerator) & -abs(x.numerator)).bit_length() - x.denominator.bit_length() - spare for x in exact]
    magnitudes = [int(abs(x) / Fraction(2) ** place) for x, place in zip(exact, places, strict=True)]
    return Unpacked(
        np.array([x < 0 for x in exact]),
        np.array(magnitudes, object).astype(dtype),
        np.array(places, np.int64),
        inf=NEVER,
        nan=np.array([x is None for x in numbers]),
        signaling=NEVER,
    )


@pytest.mark.parametrize(
    ("n", "es"),
    [
        *SMALL,
        *((n, es) for n in (9, 12) for es in range(5)),
        *(pytest.param(16, es, marks=pytest.mark.slow) for es in range(5)),
    ],
)
def test_every_code_decodes_as_the_standard_says(n, es):
    codes = np.arange(1 << n)
    value = unpack_posit(codes, n, es)
    assert fractions_of(value) == [posit_value(code, n, es) for code in range(1 << n)]
    assert not value.negative[0]
    assert [posit(n, es).fraction(code) for code in range(1 << n) if code != 1 << (n - 1)] == [
        x for x in fractions_of(value) if x is not None
    ]
    assert not value.signaling.any()
    # Encoding gives every code back.
    assert np.array_equal(pack_posit(value, n, es), codes)


@pytest.mark.parametrize(("n", "es"), SMALL)
@pytest.mark.parametrize(("dtype", "spare"), [(np.uint64, 0), (object, 0), (object, 80)])
def test_numbers_between_codes_round_in_the_bit_string(n, es, dtype, spare):
    # All posits with three bits more: codes, ties, and a number on either side of each; then numbers beyond both ends.
    numbers = [posit_value(code, n + 3, es) for code in range(1 << (n + 3))]
    limit = Fraction(2) ** posit(n, es).max_exponent
    beyond = [limit * 3, limit * 2, limit * Fraction(3, 2), 1 / limit / 2, 1 / limit / 3 * Fraction(2) ** -40]
    beyond = [x for x in beyond if not x.denominator & (x.denominator - 1)]
    numbers += beyond + [-x for x in beyond]
    codes = pack_posit(unpacked(numbers, dtype, spare), n, es)
    assert codes.tolist() == [posit_code(x, n, es) for x in numbers]


def test_rounding_within_the_exponent_is_not_to_the_nearest_value():
    # Of posit8 the codes 1 and 2 are 2^-24 and 2^-20; the bit string's middle is 2^-22, not 8.5 · 2^-24.
    numbers = [
        Fraction(2) ** -22,
        Fraction(2) ** -22 * Fraction(1025, 1024),
        Fraction(2) ** -24 * Fraction(1, 1 << 200),
    ]
    assert pack_posit(unpacked(numbers), 8, 2).tolist() == [2, 2, 1]
    assert pack_posit(unpacked([Fraction(4095, 4096) * numbers[0]]), 8, 2).tolist() == [1]


@pytest.mark.parametrize(("n", "es"), [*STANDARD, (24, 3), (32, 0), (32, 4), (31, 1)])
@pytest.mark.parametrize("bits", [1, 20, 62, 200])
def test_random_numbers(n, es, bits, rng):
    limit = posit(n, es).max_exponent
    exponents = rng.integers(-limit - 3, limit + 4, 400)
    words = [int.from_bytes(rng.bytes(25), "little") >> (200 - bits) | 1 for _ in exponents]
    signs = rng.integers(0, 2, 400)
    if bits > 20:  # also next to ties: few bits, and one far below
        words[:200] = [(word >> (bits - 8) | 1) << (bits - 8) | 1 for word in words[:200]]
    numbers = [
        (-1) ** int(sign) * word * Fraction(2) ** int(exponent - word.bit_length() + 1)
        for sign, word, exponent in zip(signs, words, exponents, strict=True)
    ]
    found = pack_posit(unpacked(numbers, object, spare=3), n, es).tolist()
    assert found == [round_string(x, n, es) for x in numbers]
    if bits < 63:
        short = Unpacked(signs == 1, np.array(words, np.uint64), exponents, NEVER, NEVER, NEVER)
        shifted = [
            (-1) ** int(sign) * word * Fraction(2) ** int(e)
            for sign, word, e in zip(signs, words, exponents, strict=True)
        ]
        assert pack_posit(short, n, es).tolist() == [round_string(x, n, es) for x in shifted]


def round_string(x: Fraction, n: int, es: int) -> int:
    """The code of a number that is not zero: its bits written out, cut behind n, and rounded; for wide posits."""
    size, limit = abs(x), Fraction(2) ** posit(n, es).max_exponent
    if size >= limit:
        code = (1 << (n - 1)) - 1
    elif size <= 1 / limit:
        code = 1
    else:
        exponent = size.numerator.bit_length() - size.denominator.bit_length()
        exponent -= size < Fraction(2) ** exponent
        r, e = exponent >> es, exponent & ((1 << es) - 1)
        text = "1" * (r + 1) + "0" if r >= 0 else "0" * -r + "1"
        text += f"{e:0{es}b}" if es else ""
        rest = size / Fraction(2) ** exponent - 1
        while len(text) < n - 1 or rest:
            rest *= 2
            text += "1" if rest >= 1 else "0"
            rest -= rest >= 1
        kept, cut = text[: n - 1], text[n - 1 :]
        half = "1" + "0" * (len(cut) - 1)
        code = int(kept, 2) + (bool(cut) and (cut > half or (cut == half and kept[-1] == "1")))
    return code if x > 0 else (1 << n) - code


def test_the_two_references_agree():
    for n, es in [(6, 2), (8, 0), (8, 2), (7, 4)]:
        for code in range(1, 1 << (n + 3)):
            x = posit_value(code, n + 3, es)
            assert x is None or round_string(x, n, es) == posit_code(x, n, es)


def test_specials():
    value = Unpacked(
        np.array([False, True, False, True, True]),
        np.zeros(5, np.uint64),
        np.zeros(1, np.int64),
        inf=np.array([True, True, False, False, False]),
        nan=np.array([False, False, True, True, False]),
        signaling=NEVER,
    )
    # Both infinities and NaN are NaR; a negative zero is the zero.
    assert pack_posit(value, 16, 2).tolist() == [0x8000] * 4 + [0]


@pytest.mark.parametrize(("n", "es"), [(3, 0), (8, 2), (16, 1)])
def test_every_posit_is_a_multiple_of_the_least(n, es):
    least = Fraction(2) ** -posit(n, es).max_exponent
    assert positive_posits(n, es)[0] == least
    assert positive_posits(n, es)[-1] == 1 / least
    assert all((x / least).denominator == 1 for x in positive_posits(n, es))
