"""Arrays by their parts: beside the flattened ones, and the sizes that only this way is for."""

from __future__ import annotations

import pytest

from polymac import hdl, synth
from polymac.golden import ParameterError
from polymac.synth.area.parts import measure_frame
from polymac.synth.yosys.runner import Workers

RECIPE = "plain area"


def by_parts(side: int, dataflow: str, fmt: str = "int4", acc: str | None = None):
    unit = hdl.Array(a=fmt, b=fmt, acc=acc, rows=side, cols=side, dataflow=dataflow, architecture="booth")
    design = hdl.generate(unit, "array")
    frame = measure_frame(design, "array_pe", synth.target("nangate45"), Workers(2, 300.0))
    results = synth.compare(frame.designs(design), ["nangate45"], recipes=[RECIPE])
    areas = [(result.best_area.area_um2 or 0.0, result.best_area.sequential_area_um2 or 0.0) for result in results]
    ffs = frame.ffs + sum(
        item.instances * result.best_area.ffs for item, result in zip(frame.elements, results, strict=True)
    )
    return design, frame, frame.parts(areas), ffs


@pytest.mark.parametrize(
    ("side", "dataflow"),
    [
        (4, "os"),
        (4, "ws"),
        pytest.param(8, "os", marks=pytest.mark.slow),
        pytest.param(8, "ws", marks=pytest.mark.slow),
    ],
)
def test_within_five_per_cent_of_the_flattened_array(side: int, dataflow: str) -> None:
    design, frame, parts, ffs = by_parts(side, dataflow)
    flat = synth.synthesize(design, recipes=[RECIPE], timeout=600.0).best_area
    assert flat.area_um2 is not None
    total = sum(part.area_um2 for part in parts)
    print(f"{side} × {side}, {dataflow}: {total / flat.area_um2 - 1:+.1%}")
    assert abs(total / flat.area_um2 - 1) < 0.05
    # Flattening merges registers that always hold the same, which the parts of a large array do not share.
    assert flat.ffs <= ffs <= 1.15 * flat.ffs
    assert sum(item.instances for item in frame.elements) == side * side
    assert sum(part.share for part in parts) == pytest.approx(1.0)


def test_a_large_array_is_counted_whole():
    _, _, parts, ffs = by_parts(128, "os")
    assert parts[0].name == "processing elements" and parts[0].instances == 128 * 128
    names = [part.name for part in parts]
    assert {"control", "skew_a", "skew_b", "skew_c"} <= set(names)
    # The skew of a delays row r by r registers of 4 bits; that of c, column c by 127 - c of the accumulator's 24.
    triangle = 127 * 128 // 2
    skews = {part.name: part for part in parts}
    assert skews["skew_a"].sequential_area_um2 == pytest.approx(skews["skew_b"].sequential_area_um2)
    assert skews["skew_c"].sequential_area_um2 / skews["skew_a"].sequential_area_um2 == pytest.approx(24 / 4, rel=0.05)
    assert ffs > 128 * 128 * 24 + triangle * 24


def test_only_for_cell_libraries():
    design = hdl.generate(hdl.Array(a="int2", b="int2", rows=2, cols=2), "array")
    message = r"^target must have a cell library for an array by its parts, not 'ice40'$"
    with pytest.raises(ParameterError, match=message):
        measure_frame(design, "array_pe", synth.target("ice40"), Workers(1, 60.0))
