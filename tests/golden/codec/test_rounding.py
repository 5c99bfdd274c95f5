"""What the rounder is made of."""

from __future__ import annotations

import numpy as np

from polymac.golden.codec.rounding import bit_length


def test_bit_lengths_around_powers_of_two():
    values = sorted(
        {abs((1 << place) + step) for place in range(64) for step in (-(1 << max(place - 53, 0)), -1, 0, 1)}
    )
    found = bit_length(np.array(values, np.uint64))
    assert found.dtype == np.int64 and found.tolist() == [value.bit_length() for value in values]
