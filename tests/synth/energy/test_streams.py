"""Streams as bits, and uniform codes."""

from __future__ import annotations

import numpy as np
import pytest

from polymac.golden.formats import ParameterError
from polymac.synth.energy.streams import port_bits, uniform_codes


@pytest.mark.parametrize("width", [1, 5, 63, 64, 70])
def test_uniform_codes(width):
    codes = uniform_codes(width, 4000, seed=3)
    assert codes.shape == (4000,) and min(codes) >= 0 and max(codes) < 1 << width
    ones = np.array([[int(code) >> place & 1 for place in range(width)] for code in codes]).mean(axis=0)
    # Each bit is 1 half the time, within five standard deviations of 4000 throws.
    assert (abs(ones - 0.5) < 5 * 0.5 / 4000**0.5).all()
    assert list(uniform_codes(width, 4000, seed=3)) == list(codes) != list(uniform_codes(width, 4000, seed=4))


@pytest.mark.parametrize(
    ("arguments", "text"),
    [((0, 5), "width must be at least 1, not 0"), ((4, 0), "count must be at least 1, not 0")],
)
def test_errors(arguments, text):
    with pytest.raises(ParameterError) as error:
        uniform_codes(*arguments)
    assert str(error.value) == text


@pytest.mark.parametrize("width", [7, 8, 62, 63, 64, 65, 200])
def test_bits_of_codes_and_of_negative_numbers(width):
    values = [0, 1, -1, (1 << width) - 1, 1 << (width - 1), -(1 << (width - 1))]
    bits = port_bits({"x": np.array(values, object), "one": [1]}, {"x": width, "one": 2})
    assert bits.shape == (6, width + 2) and bits.dtype == np.uint8
    for row, value in zip(bits, values, strict=True):
        assert sum(int(bit) << place for place, bit in enumerate(row[:width])) == value & ((1 << width) - 1)
        assert list(row[width:]) == [1, 0]
