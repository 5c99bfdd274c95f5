"""Aligned sums whose result is subnormal, or has more bits than the style keeps, against golden."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from polymac import hdl, sim
from polymac.sim.expected.sums import to_bus
from polymac.sim.units import entry_of


@pytest.mark.parametrize(
    "options",
    [
        {"a": "exp8", "b": "exp8", "lanes": 8, "acc": "aligned:8:14:14", "addend": False},
        {"a": "exp8", "b": "exp8", "lanes": 2, "acc": "aligned:1:3:5", "addend": False, "stages": 17},
    ],
    ids=lambda options: options["acc"],
)
def test_subnormal_results(options: dict[str, Any]) -> None:
    """Those keep 14 bits from their leading one, and of these what is a multiple of the least number of fp32."""
    unit = hdl.Dot(**options)
    generator = np.random.default_rng(1)
    # Exponents of products about that of the least normal number, 2**-126 or 128 in codes, and one of the example found.
    a = generator.integers(0, 8, (4_000, unit.accumulator.lanes))
    b = generator.integers(95, 130, (4_000, 1)) + generator.integers(0, 9, a.shape) - a
    if unit.accumulator.lanes == 8:
        a[0], b[0] = [6, 6, 7, 5, 5, 7, 6, 5], [99, 100, 99, 97, 98, 101, 101, 103]
    inputs = {"a": to_bus(a, unit.accumulator.a_element), "b": to_bus(b, unit.accumulator.b_element)}
    expected = entry_of(unit).expected(unit, inputs)["d"]
    assert np.count_nonzero(expected < 1 << 23) > 500 and np.count_nonzero(expected >= 1 << 23) > 500
    found = sim.Model.build(hdl.generate(unit, "aligned_dot")).evaluate(inputs)["d"]
    np.testing.assert_array_equal(found, expected)
