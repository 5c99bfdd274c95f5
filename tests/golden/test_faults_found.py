"""What seeded faults in golden's source (`make faults`) got past the other tests."""

from __future__ import annotations

import numpy as np
import pytest

from polymac import golden
from polymac.golden import ParameterError
from polymac.golden.requantize import rounding_shift


@pytest.mark.parametrize("wrong", [-(2**31) - 1, 2**31])
def test_one_value_beyond_32_bits_among_others_is_found_at_either_end(wrong):
    with pytest.raises(ParameterError, match=rf"^x must fit 32 bits, not {wrong}$"):
        rounding_shift([0, wrong, 1], 1)


@pytest.mark.parametrize("wrong", [-1, 33])
def test_one_place_out_of_range_among_others_is_found_at_either_end(wrong):
    with pytest.raises(ParameterError, match=rf"^places must be in 0 … 32, not {wrong}$"):
        rounding_shift([4, 4, 4], [0, wrong, 1])


def test_a_product_rounded_to_its_sign_is_inexact_unless_its_magnitude_is_one():
    values = np.array([0.0, 0.5, 1.0, 1.5, 2.0, 4.0, -1.0, -2.0, np.inf])
    a, one = golden.encode(values, "fp16"), golden.encode(np.ones(len(values)), "fp16")
    y, flags = golden.multiply(a, one, "fp16", "fp16", out="bin1", flags=True)
    assert y.tolist() == [1, 1, 1, 1, 1, 1, 0, 0, 1]
    assert flags.tolist() == np.where(np.abs(values) == 1, 0, golden.Flag.INEXACT).tolist()
