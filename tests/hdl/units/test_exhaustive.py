"""All operand pairs of every 8-bit IEEE-like float, and of all small floats with each other, in the native simulator."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from polymac import golden, hdl, sim
from polymac.sim.engine.packing import operand_pairs

ROUNDINGS = ("rne", "rtz", "rdn", "rup", "rna")


def check(units: list[hdl.Multiplier]) -> int:
    """Compare all operand pairs of all units, built as one model; returns how many."""
    model = sim.Model.build([hdl.generate(unit, f"m{index}") for index, unit in enumerate(units)])
    inputs, expected = {}, {}
    for index, unit in enumerate(units):
        ((a, b),) = operand_pairs(unit.a_format.width, unit.b_format.width)
        inputs[f"m{index}"] = {"a": a, "b": b}
        expected[f"m{index}"] = golden.multiply(
            a,
            b,
            unit.a_format,
            unit.b_format,
            out=unit.out_format,
            rounding=unit.rounding or "rne",
            overflow=unit.overflow,
            subnormals=unit.subnormals,
            flags=True,
        )
    for name, outputs in model.evaluate_all(inputs).items():
        codes, flags = expected[name]
        assert np.array_equal(outputs["y"], codes), units[int(name[1:])].parameters
        assert np.array_equal(outputs["flags"], flags), units[int(name[1:])].parameters
    return sum(len(columns["a"]) for columns in inputs.values())


@pytest.mark.parametrize("exp_bits", range(2, 8))
def test_every_8_bit_ieee_like_float_in_five_modes(exp_bits: int) -> None:
    name = f"e{exp_bits}m{7 - exp_bits}"
    assert check([hdl.Multiplier(a=name, b=name, rounding=mode) for mode in ROUNDINGS]) == 5 << 16


def test_all_mixes_of_floats_of_6_bits_and_fewer() -> None:
    names = ["fp4_e2m1", "fp6_e3m2", "fp6_e2m3", "e4m1", "e5m0"]
    pairs = list(itertools.product(names, names))
    outs = ["fp8_e4m3", "fp8_e5m2", "e2m1", "fp16"]
    units = [hdl.Multiplier(a=a, b=b, out=outs[index % len(outs)]) for index, (a, b) in enumerate(pairs)]
    assert check(units) > 25 << 8
