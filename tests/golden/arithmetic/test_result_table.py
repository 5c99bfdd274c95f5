"""Which operations have a table of all results."""

from __future__ import annotations

import numpy as np
import pytest

from polymac import golden
from polymac.golden.codec.fast.rounding_table import TABLE_SIZE


@pytest.mark.parametrize(("name_a", "name_b"), [("fp8_e4m3", "fp16"), ("fp16", "fp8_e4m3"), ("int8", "int12")])
def test_no_table_where_one_of_two_codes_is_longer_than_8_bits(name_a, name_b, rng):
    fa, fb = golden.format(name_a), golden.format(name_b)
    a, b = (rng.integers(0, fmt.code_count, 2 * TABLE_SIZE) for fmt in (fa, fb))
    found = golden.multiply(a, b, fa, fb, out="fp16")
    short = [golden.multiply(a[i : i + 1000], b[i : i + 1000], fa, fb, out="fp16") for i in range(0, len(a), 1000)]
    np.testing.assert_array_equal(found, np.concatenate(short))
