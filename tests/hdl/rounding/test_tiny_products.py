"""Products of fixed-point numbers that lie among the subnormals of a float: their few exponents say how far to shift."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from polymac import hdl, sim
from polymac.golden import Format
from polymac.golden.formats import ROUNDINGS
from polymac.sim.units import entry_of
from polymac.sim.units.operands import operand_bits

FNUZ = Format("e4m3fnuz", "float", 8, 3, bias=8, negative_zero="nan")
OPERANDS = {
    "fixed": (Format("x8_16", "fixed", 8, 16), "int2", "fp8_e4m3"),
    "float": (Format("x20_27", "fixed", 20, 27), "fp4_e2m1", "fp8_e4m3"),
    "long": ("int32", Format("z", "fixed", 2, 40, signed=False), "fp8_e4m3"),
    "one_bit": ("int32", Format("z1", "fixed", 1, 40, signed=False), FNUZ),
}
MODES: list[dict[str, Any]] = [{"rounding": "port"}, {"rounding": "stochastic", "random_bits": 5}]
FIXED_MODES: list[dict[str, Any]] = [{"rounding": mode} for mode in ROUNDINGS]


def check(units: list[hdl.Unit]) -> int:
    """Compare all operands of short ones, else random ones, of all units, built as one model; return how many."""
    by_name = {f"u{index}": unit for index, unit in enumerate(units)}
    model = sim.Model.build(hdl.generate_all(by_name))
    inputs = {}
    for name, unit in by_name.items():
        whole = isinstance(unit, hdl.Multiplier) and operand_bits(unit) <= 12
        chunks = list(entry_of(unit).operand_sets(unit, None if whole else 4000, 1))
        inputs[name] = {port: np.concatenate([chunk[port] for chunk in chunks]) for port in chunks[0]}
    for name, outputs in model.evaluate_all(inputs).items():
        for port, want in entry_of(by_name[name]).expected(by_name[name], inputs[name]).items():
            assert np.array_equal(outputs[port], want), (by_name[name].parameters, port)
    return sum(len(columns["a"]) for columns in inputs.values())


@pytest.mark.parametrize("case", OPERANDS)
def test_multiplier_and_dot(case: str) -> None:
    a, b, out = OPERANDS[case]
    units: list[hdl.Unit] = [hdl.Multiplier(a=a, b=b, out=out, stages=2 * index, **m) for index, m in enumerate(MODES)]
    units.append(hdl.Dot(a=a, b=b, lanes=2, acc="exact", out=out, stages=1))
    assert check(units) >= 10_000


@pytest.mark.slow
@pytest.mark.parametrize("case", OPERANDS)
def test_all_modes_and_stages(case: str) -> None:
    a, b, out = OPERANDS[case]
    units: list[hdl.Unit] = [hdl.Multiplier(a=a, b=b, out=out, **mode) for mode in FIXED_MODES]
    units += [
        hdl.Multiplier(a=a, b=b, out=out, stages=stages, subnormals=subnormals, **mode)
        for mode in MODES
        for stages in (0, 1, 4)
        for subnormals in ("full", "flush")
    ]
    units += [hdl.Dot(a=a, b=b, lanes=2, acc=f"exact:{mode}", out=out) for mode in ROUNDINGS]
    assert check(units) >= 60_000
