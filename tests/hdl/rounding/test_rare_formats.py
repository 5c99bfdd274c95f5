"""Units in formats outside the catalogue that were wrong once, against golden.

Products of fixed-point numbers that lie among the subnormals of a float: their few exponents say how far to shift. Special
codes among the subnormals, of formats with NaNs besides that of -0, and of formats without exponents; scales that are zero.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from polymac import hdl, sim
from polymac.golden import BlockFormat, Format
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


_PAIR = Format("e2m2_two_nans", "float", 5, 2, bias=1, nan_codes=range(12, 16), negative_zero="nan")
_SUBNORMAL = Format("e0m3_inf", "float", 4, 3, bias=0, inf_code=5, nan_codes=range(6, 8))
_INFINITE = Format("e0m2_inf", "float", 3, 2, bias=-1, inf_code=3)
_BLOCKS = BlockFormat("zero_scales", _PAIR, Format("e3m0", "float", 4, 0, bias=3), 2, scale_rule="amax")
RARE: dict[str, hdl.Unit] = {
    "nan_besides_that_of_zero": hdl.Multiplier(a=_PAIR, b="fp8_e4m3", out=_PAIR, rounding="port"),
    "nan_sums": hdl.Dot(a=_PAIR, b="int4", lanes=2, acc="exact", out=_PAIR),
    "largest_is_subnormal": hdl.Multiplier(a="fp8_e4m3", b="int4", out=_SUBNORMAL, rounding="port"),
    "largest_is_subnormal_flush": hdl.Multiplier(a="fp8_e4m3", b="int4", out=_SUBNORMAL, subnormals="flush"),
    "infinite_without_exponent": hdl.Dot(a=_INFINITE, b="uint4", lanes=2, acc="exact", out="fp8_e5m2"),
    "scale_of_zero": hdl.Dot(a="int4", b=_BLOCKS, lanes=2, acc="fp16"),
}


def test_rare_units() -> None:
    assert check(list(RARE.values())) >= 20_000
