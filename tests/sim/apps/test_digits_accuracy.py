"""Accuracy of the digits network by format, against what the whole run with hardware reports, and its tensors."""

from __future__ import annotations

import numpy as np
import pytest

from polymac import golden, sim
from polymac.sim.apps import digits

pytest.importorskip("sklearn")


def test_wide_formats_lose_nothing_and_narrow_ones_do() -> None:
    found = {name: sim.digits_accuracy(name, seeds=[0]) for name in ("fp32", "int8", "mxfp8_e4m3", "fp4_e2m1", "int2")}
    assert found["fp32"].percent == found["fp32"].float_percent > 95
    for name in ("int8", "mxfp8_e4m3"):
        assert abs(found[name].percent - found[name].float_percent) < 0.7
    assert 93 < found["fp4_e2m1"].percent < 97
    assert 40 < found["int2"].percent < found["fp4_e2m1"].percent
    assert found["int8"].test_rows == 899


def test_mean_and_spread_are_those_of_the_seeds() -> None:
    each = [sim.digits_accuracy("fp4_e2m1", seeds=[seed]).percent for seed in (0, 1)]
    both = sim.digits_accuracy("fp4_e2m1", seeds=[0, 1])
    assert both.percent == pytest.approx(np.mean(each)) and both.spread == pytest.approx(np.std(each, ddof=1))


@pytest.mark.parametrize("name", ["int8", "mxfp4"])
def test_it_is_the_accuracy_of_the_run_with_hardware(name: str, tmp_path: object) -> None:
    run = digits.run(format=name, rows=2, cols=2, folder=tmp_path)  # type: ignore[arg-type]
    accumulate = None if name == "int8" else "fp32"
    assert sim.digits_accuracy(name, seeds=[0], accumulate=accumulate).percent == pytest.approx(
        100 * run.accuracy_golden
    )


def test_sums_in_a_style() -> None:
    exact, rounded = (sim.digits_accuracy("nvfp4", seeds=[0], accumulate=how).percent for how in ("exact", "fp32"))
    assert abs(exact - sim.digits_accuracy("nvfp4", seeds=[0]).percent) < 0.3 and abs(rounded - exact) < 0.5
    # Two fraction bits are too few for a sum of 64 products.
    exact, rounded = (
        sim.digits_accuracy("fp8_e4m3", seeds=[0], accumulate=how).percent for how in ("exact", "fp8_e5m2")
    )
    assert rounded < exact - 1.5


def test_tensors() -> None:
    tensors = sim.digits_tensors()
    assert {name: x.shape for name, x in tensors.items()} == {
        "digits_weights_1": (64, 64),
        "digits_inputs_1": (256, 64),
        "digits_weights_2": (10, 64),
        "digits_inputs_2": (256, 64),
    }
    rows = golden.noise_table(["int8", "mxfp4"], [], seeds=[0], tensors={name: [x] for name, x in tensors.items()})
    assert len(rows) == 8 and all(10 < row.sqnr_db < 60 for row in rows)


def test_errors() -> None:
    with pytest.raises(golden.ParameterError, match=r"^seeds must hold at least one seed, not none$"):
        sim.digits_accuracy("int8", seeds=[])
    with pytest.raises(
        golden.ParameterError, match=r"^accumulate must be left out with int8, whose sums are exact integer"
    ):
        sim.digits_accuracy("int8", accumulate="fp32")
