"""Codebooks: decoding and encoding against fractions, and NF4 against the comparisons of its reference."""

from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest

from polymac.golden.codec import codebook as codec
from polymac.golden.codec.codes import Unpacked
from polymac.golden.codec.rounding import Target
from polymac.golden.formats import FORMATS, CodebookFormat, ParameterError

NF4 = FORMATS["nf4"]
assert isinstance(NF4, CodebookFormat)
NEVER = np.zeros(1, bool)
UNSORTED = CodebookFormat(
    "unsorted", "codebook", 3, values=tuple(map(Fraction, ("3", "-1/8", "0", "5/4", "3", "-2", "0", "1/1024")))
)
# fp32's extremes: midpoints that no float64 holds.
SPREAD = CodebookFormat(
    "spread",
    "codebook",
    2,
    values=(Fraction(2) ** 127, Fraction(2) ** -149, Fraction(0), -Fraction((1 << 24) - 1) * 2**104),
)


MIDPOINTS = NF4.midpoints


def unpack_codebook(codes, book):
    return codec.unpack_codebook(codes, book, "full")


def pack_codebook(value, book):
    codes, flags = codec.pack_codebook(value, Target(book, book.policy()), None)
    assert flags.shape == codes.shape and not flags.any()
    return codes


def exactly(x, dtype=object):
    """Fractions as the encoder takes them."""
    places = [1 - value.denominator.bit_length() for value in x]
    magnitudes = np.array(
        [int(abs(value) / Fraction(2) ** place) for value, place in zip(x, places, strict=True)], object
    )
    negative = np.array([value < 0 for value in x])
    return Unpacked(negative, magnitudes.astype(dtype), np.array(places), NEVER, NEVER, NEVER)


def nearest(x, book):
    """The code of the nearest value; of two the lesser value, of equal values the least code."""
    return min(range(len(book.values)), key=lambda code: (abs(book.values[code] - x), book.values[code], code))


@pytest.mark.parametrize("book", [NF4, UNSORTED, SPREAD], ids=lambda book: book.name)
def test_every_code_decodes(book):
    value = unpack_codebook(np.arange(len(book.values)), book)
    parts = zip(value.negative.tolist(), value.magnitude.tolist(), value.exponent.tolist(), strict=True)
    assert tuple((-1) ** s * m * Fraction(2) ** e for s, m, e in parts) == book.values
    assert book.width == len(book.values).bit_length() - 1
    assert max(value.magnitude.tolist()).bit_length() == book.significand_bits


@pytest.mark.parametrize("dtype", [object, np.uint64])
@pytest.mark.parametrize("book", [NF4, UNSORTED, SPREAD], ids=lambda book: book.name)
def test_numbers_go_to_the_nearest_value(book, dtype):
    values = sorted(set(book.values))
    middles = [(low + high) / 2 for low, high in pairwise(values)]
    x = [*values, *middles, *(2 * value for value in values)]
    if dtype is object:
        x += [value * (1 + Fraction(sign, 2**70)) for value in middles for sign in (-1, 1)]
    else:  # as float64, which is what encode is given
        x = [Fraction(float(value)) for value in x if abs(value) < 2**1000]
        x += [Fraction(float(np.nextafter(float(value), end))) for value in x for end in (-np.inf, np.inf)]
        x = [value for value in x if abs(value) >= Fraction(2) ** -1000 or not value]
        lengths = [((value.numerator & -value.numerator).bit_length() - 1, value) for value in x]
        odd = [abs(value.numerator) >> max(zeros, 0) for zeros, value in lengths]
        places = [max(zeros, 0) + 1 - value.denominator.bit_length() for zeros, value in lengths]
        number = Unpacked(np.array([v < 0 for v in x]), np.array(odd, np.uint64), np.array(places), NEVER, NEVER, NEVER)
        assert pack_codebook(number, book).tolist() == [nearest(value, book) for value in x]
        return
    assert pack_codebook(exactly(x), book).tolist() == [nearest(value, book) for value in x]


def test_infinities_are_the_ends():
    inf = np.ones(2, bool)
    value = Unpacked(np.array([False, True]), np.zeros(2, np.uint64), np.zeros(1, np.int64), inf, NEVER, NEVER)
    assert pack_codebook(value, UNSORTED).tolist() == [0, 5]


# The comparisons by which bitsandbytes quantizes: x > t, in fp32.
THRESHOLDS = (
    *(-0.8480964004993439, -0.6106329262256622, -0.4599952697753906, -0.33967943489551544, -0.23460740596055984),
    *(-0.13791173323988914, -0.045525018125772476, 0.03979014977812767, 0.1202552504837513, 0.2035212516784668),
    *(0.2920137718319893, 0.3893125355243683, 0.5016634166240692, 0.6427869200706482, 0.8614784181118011),
)


def test_nf4_is_quantized_as_its_reference_does():
    rng = np.random.default_rng(1)
    limits = np.array(THRESHOLDS, np.float32)
    near = np.concatenate([limits, np.nextafter(limits, np.float32(2)), np.nextafter(limits, np.float32(-2))])
    x = np.concatenate([near, rng.uniform(-1.1, 1.1, 2000).astype(np.float32), np.array([0, -1, 1], np.float32)])
    expected = (x[:, None] > limits).sum(axis=1)
    exact = [Fraction(float(value)) for value in x]
    differs = pack_codebook(exactly(exact), NF4) != expected
    # Its limits are middles rounded to fp32: where that is up, the limit itself is nearer to the greater value.
    rounded_up = {
        Fraction(float(t)) for t, middle in zip(limits, MIDPOINTS, strict=True) if Fraction(float(t)) > middle
    }
    assert differs.tolist() == [value in rounded_up for value in exact]
    assert 0 < len(rounded_up) < len(limits)


@pytest.mark.parametrize(
    ("values", "error", "message"),
    [
        ((Fraction(1),), ParameterError, "values must be 2 numbers for 1 bits, not 1"),
        ((Fraction(1, 3), Fraction(1)), ParameterError, "values must be numbers of fp32, not 1/3"),
        ([0.1, 1.0], ParameterError, "values must be numbers of fp32, not 0.1"),
        ([float("inf"), 1.0], ParameterError, "values must be numbers of fp32, not inf"),
        ([float("nan"), 1.0], ParameterError, "values must be numbers of fp32, not nan"),
        ((Fraction((1 << 24) + 1), Fraction(1)), ParameterError, "values must be numbers of fp32, not 16777217"),
        ((Fraction(1 << 128), Fraction(1)), ParameterError, f"values must be numbers of fp32, not {1 << 128}"),
        ((Fraction(1, 1 << 150), Fraction(1)), ParameterError, f"values must be numbers of fp32, not 1/{1 << 150}"),
        ([True, 1.0], TypeError, "values must be numbers, not True"),
        ("ab", TypeError, "values must be a sequence of numbers, not 'ab'"),
    ],
)
def test_tables_that_are_none(values, error, message):
    with pytest.raises(error) as caught:
        CodebookFormat("mine", "codebook", 1, values=values)
    assert str(caught.value) == message
