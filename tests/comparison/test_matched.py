"""Like with like: every scalar and block format has its place in every matched comparison, and what differs is said."""

from __future__ import annotations

import pytest

from polymac import comparison, golden
from polymac.golden.formats import BLOCK_FORMATS, FORMATS

RESULTS = [name for name, fmt in FORMATS.items() if fmt.signed and fmt.has_zero and fmt.width <= 32]
EVERY = [*RESULTS, *BLOCK_FORMATS]


@pytest.mark.parametrize("preset", list(comparison.MATCHED))
@pytest.mark.parametrize("name", EVERY)
def test_every_format_has_a_unit_with_the_same_accumulator(preset: str, name: str) -> None:
    request = comparison.Request(options={"a": name, "b": name}, target="cmos", preset=preset)
    unit, matched = request.make(), request.matched
    assert matched is not None
    assert unit.kind == comparison.MATCHED[preset].unit
    expected = {"mac-exact": ("exact", 1), "mac-fp32": ("fp32", 1)}.get(preset)
    if expected is not None:
        assert (unit.parameters["acc"], unit.parameters["lanes"]) == expected
    else:
        assert unit.parameters["lanes"] == 16
        aligned = unit.parameters["acc"] == "aligned:16:25"
        assert aligned == (not matched.difference(request.options))
    is_block = name in BLOCK_FORMATS
    assert bool(matched.difference(request.options)) == is_block or preset == "tensor-core"


def test_what_is_given_takes_precedence():
    request = comparison.Request(options={"a": "int8", "b": "int8", "lanes": 2}, preset="mac-fp32")
    assert request.make().parameters["lanes"] == 2


def test_there_is_no_such_comparison():
    with pytest.raises(
        golden.ParameterError, match=r"^preset must be one of mac-exact, mac-fp32, tensor-core, not 'x'$"
    ):
        comparison.matched("x")
