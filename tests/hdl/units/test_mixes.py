"""Products of any two kinds of formats to any third, all operand pairs, with every rounding and policy by turns."""

from __future__ import annotations

import itertools
import random
from typing import Any

import numpy as np
import pytest

from polymac import golden, hdl, sim
from polymac.golden.formats import ROUNDINGS, Format
from polymac.sim.engine.packing import operand_pairs

#: A float whose only NaN is the code of -0.
FNUZ = Format("e4m3fnuz", "float", 8, 3, bias=8, negative_zero="nan")
OPERANDS = [
    "bin1",
    "int4",
    "uint5",
    "q2.3",
    "fp4_e2m1",
    "fp6_e3m2",
    "fp8_e4m3",
    "fp8_e5m2",
    "e5m0",
    "e0m3",
    "e8m0",
    FNUZ,
]
RESULTS = ["exact", "bin1", "int6", "uq3.2", "fp8_e4m3", "e4m3", "e8m2", "fp6_e2m3", "e0m4", FNUZ, "fp32"]


def all_units() -> list[hdl.Multiplier]:
    """Every mix that has a product, each in one variant and with 0 to 5 stages; a seeded order mixes the kinds."""
    found = []
    policies = itertools.cycle(
        itertools.product((*ROUNDINGS, "port"), (None, "saturate"), ("full", "flush"), (True, False))
    )
    for a, b, out in itertools.product(OPERANDS, OPERANDS, RESULTS):
        rounding, overflow, subnormals, flags = next(policies)
        fa, fb = golden.format(a), golden.format(b)
        fy = golden.exact_product(fa, fb) if out == "exact" else golden.format(out)
        if (fa.has_nan or fb.has_nan) and not fy.has_nan:
            continue
        options: dict[str, Any] = {"rounding": rounding, "overflow": overflow}
        if fy.kind == "binary" or out == "exact":
            options = {}
        options["stages"] = len(found) % 6
        if "float" in (fa.kind, fb.kind, fy.kind):
            options["subnormals"] = subnormals
        if fy.kind == "float":
            options["flags"] = flags
        found.append(hdl.Multiplier(a=fa, b=fb, out="exact" if out == "exact" else fy, **options))
    random.Random(1).shuffle(found)
    return found


UNITS = all_units()
PART = 40


def expected(unit: hdl.Multiplier, a: Any, b: Any, modes: Any) -> tuple[Any, Any]:
    """Codes and flags from golden; ``modes`` are those of a rounding port."""

    def product(a: Any, b: Any, rounding: str) -> tuple[Any, Any]:
        return golden.multiply(
            a,
            b,
            unit.a_format,
            unit.b_format,
            out=unit.out_format,
            rounding=rounding,
            overflow=unit.overflow,
            subnormals=unit.subnormals or "full",
            flags=True,
        )

    if unit.rounding != "port":
        return product(a, b, unit.rounding or "rne")
    codes, flags = np.zeros(len(a), np.int64), np.zeros(len(a), np.int64)
    for mode in range(8):
        here = modes == mode
        # The three codes without a mode round toward zero.
        codes[here], flags[here] = product(a[here], b[here], ROUNDINGS[mode] if mode < len(ROUNDINGS) else "rtz")
    return codes, flags


def check(units: list[hdl.Multiplier]) -> None:
    by_name = {f"m{index}": unit for index, unit in enumerate(units)}
    model = sim.Model.build(hdl.generate_all(by_name))
    inputs = {}
    for name, unit in by_name.items():
        ((a, b),) = operand_pairs(unit.a_format.width, unit.b_format.width)
        inputs[name] = {"a": a, "b": b}
        if unit.rounding == "port":
            inputs[name]["rounding_mode"] = np.random.default_rng(1).integers(0, 8, len(a))
    for name, outputs in model.evaluate_all(inputs).items():
        unit, given = by_name[name], inputs[name]
        codes, flags = expected(unit, given["a"], given["b"], given.get("rounding_mode"))
        assert np.array_equal(outputs["y"], codes), unit.parameters
        if unit.with_flags:
            assert np.array_equal(outputs["flags"], flags), unit.parameters


def test_mixes() -> None:
    """The first of a seeded order; the others are slow."""
    assert len(UNITS) > 400
    check(UNITS[:PART])


@pytest.mark.slow
@pytest.mark.parametrize("start", range(PART, len(UNITS), PART))
def test_all_mixes(start: int) -> None:
    check(UNITS[start : start + PART])


def test_exact_products_never_round() -> None:
    units = [unit for unit in UNITS if unit.is_exact and unit.out_format.kind == "float"][:PART]
    assert len(units) == PART
    check(units)
    for unit in units:
        ((a, b),) = operand_pairs(unit.a_format.width, unit.b_format.width)
        _, flags = golden.multiply(a, b, unit.a_format, unit.b_format, out=unit.out_format, flags=True)
        assert not (flags & golden.Flag.INEXACT).any()


def test_one_bit_products_are_exclusive_nor() -> None:
    unit = hdl.Multiplier(a="bin1", b="bin1")
    assert unit.out_format.name == "bin1"
    check([unit])
    assert hdl.generate(unit, "one_bit").verilog.count("assign") < 6
