"""The table of rounded float32 numbers equals the general rounder."""

from __future__ import annotations

import numpy as np
import pytest

from polymac.golden import FORMATS, Format
from polymac.golden.codec import kinds
from polymac.golden.codec.fast import rounding_table as tables
from polymac.golden.codec.kinds import pack
from polymac.golden.codec.rounding import Target


@pytest.mark.parametrize(
    "fmt",
    [
        Format("last", "float", 10, 5, bias=126),
        Format("last", "float", 9, 4, bias=127),
        Format("last", "fixed", 6, 130),
        Format("last", "fixed", 5, 131),
    ],
    ids=lambda fmt: f"{fmt.kind}{fmt.width}",
)
def test_rounding_tables_at_the_bounds_of_what_they_see(fmt):
    last_place = fmt.min_exponent - fmt.frac_bits if fmt.kind == "float" else -fmt.frac_bits
    assert (fmt.significand_bits, last_place) in ((6, -130), (5, -130), (5, -131))
    bits = np.arange(1 << 16, dtype=np.uint32)[:, None] << np.uint32(16) | np.array([0, 1, 0x8000, 0xFFFF], np.uint32)
    x = bits.reshape(-1).view(np.float32)
    x = x[np.isfinite(x)]
    exact = kinds.unpack(x.view(np.uint32), FORMATS["fp32"])
    for rounding in ("rne", "rna", "rup"):
        target = Target.of(fmt, rounding, "saturate", "full")
        found = tables.rounded_by_table(x, target, flags=True)
        expected = pack("x", exact, Target.of(fmt, rounding, "saturate", "full"))
        for part, other in zip(found, expected, strict=True):
            np.testing.assert_array_equal(part, other)
