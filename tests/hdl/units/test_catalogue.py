"""Every two formats of the catalogue whose codes total at most 20 bits, all operand pairs, in every rounding and policy."""

from __future__ import annotations

import itertools
import random
from typing import Any

import numpy as np
import pytest

from polymac import golden, hdl, sim
from polymac.golden.formats import ROUNDINGS, Format
from polymac.sim.engine.packing import operand_pairs

from ...catalogue import SAMPLED

MOST_BITS = 20
#: Formats of results; each pair of operands has its product in two of them, one being an operand's where that can be.
RESULTS = (
    "fp8_e4m3",
    "int8",
    "fp16",
    "fp4_e2m1",
    "bf16",
    "uint4",
    "fp8_e5m2",
    "fp6_e2m3",
    "fp32",
    "bin1",
    "fp8_e4m3fnuz",
    "int16",
)
#: Units of one model.
PART = 48


def can_hold(a: Format, b: Format, out: Format) -> bool:
    """Whether a multiplier takes the three formats."""
    if not out.is_result:
        return False
    return out.has_nan or not (a.has_nan or b.has_nan)


def results(a: Format, b: Format, number: int) -> list[Format]:
    """Two formats for the products of the pair of that number."""
    rotated = [golden.format(RESULTS[(number + step) % len(RESULTS)]) for step in range(len(RESULTS))]
    own = [fmt for fmt in (a, b) if can_hold(a, b, fmt)][:1]
    return [*own, *(fmt for fmt in rotated if can_hold(a, b, fmt) and fmt not in own)][:2]


def variants(a: Format, b: Format, out: Format) -> list[dict[str, Any]]:
    """Every policy, the rounding by port."""
    options: dict[str, Any] = {"a": a, "b": b, "out": out}
    if len(out.roundings) == 1:
        return [options]
    overflows = out.overflows
    subnormals = ("full", "flush") if "float" in (a.kind, b.kind, out.kind) else (None,)
    return [
        options | {"rounding": "port", "overflow": overflow, "subnormals": policy}
        for overflow, policy in itertools.product(overflows, subnormals)
    ]


def bits(options: dict[str, Any]) -> int:
    """Of both operands."""
    return options["a"].width + options["b"].width


def all_options() -> list[dict[str, Any]]:
    """Arguments of all multipliers, few operand bits first: a model takes as long as its longest member."""
    formats = [golden.FORMATS[name] for name in SAMPLED]
    found = []
    for number, (a, b) in enumerate(itertools.product(formats, formats)):
        if a.width + b.width <= MOST_BITS:
            found.append({"a": a, "b": b, "out": "exact"})
            for out in results(a, b, number):
                found += variants(a, b, out)
    return sorted(found, key=bits)


OPTIONS = all_options()


def operands(unit: hdl.Multiplier) -> dict[str, Any]:
    """All pairs, with a rounding port in every mode."""
    ((a, b),) = operand_pairs(unit.a_format.width, unit.b_format.width)
    if unit.rounding != "port":
        return {"a": a, "b": b}
    modes = np.repeat(np.arange(len(ROUNDINGS), dtype=np.uint8), len(a))
    return {"a": np.tile(a, len(ROUNDINGS)), "b": np.tile(b, len(ROUNDINGS)), "rounding_mode": modes}


def check(options: list[dict[str, Any]]) -> None:
    by_name = {f"m{index}": hdl.Multiplier(**each) for index, each in enumerate(options)}
    model = sim.Model.build(hdl.generate_all(by_name))
    outputs = model.evaluate_all({name: operands(unit) for name, unit in by_name.items()})
    for name, unit in by_name.items():
        ((a, b),) = operand_pairs(unit.a_format.width, unit.b_format.width)
        for number, mode in enumerate(ROUNDINGS if unit.rounding == "port" else ("rne",)):
            part = slice(number * len(a), (number + 1) * len(a))
            codes, flags = golden.multiply(
                a,
                b,
                unit.a_format,
                unit.b_format,
                out=unit.out_format,
                rounding=mode,
                overflow=unit.overflow,
                subnormals=unit.subnormals or "full",
                flags=True,
            )
            assert np.array_equal(outputs[name]["y"][part], codes), (unit.parameters, mode)
            if unit.with_flags:
                assert np.array_equal(outputs[name]["flags"][part], flags), (unit.parameters, mode)


def test_every_pair_is_there_and_every_policy() -> None:
    formats = [golden.FORMATS[name] for name in SAMPLED]
    asked = {(a.name, b.name) for a, b in itertools.product(formats, formats) if a.width + b.width <= MOST_BITS}
    assert {(options["a"].name, options["b"].name) for options in OPTIONS} == asked
    assert len(asked) > 300
    policies = {(options["overflow"], options["subnormals"]) for options in OPTIONS if "overflow" in options}
    assert policies >= set(itertools.product(("ieee", "saturate", "wrap"), ("full", "flush"))) | {("wrap", None)}


def test_some() -> None:
    """A seeded choice of those with at most 14 bits; all of them are slow."""
    small = [options for options in OPTIONS if bits(options) <= 14]
    check(random.Random(1).sample(small, 16))


@pytest.mark.slow
@pytest.mark.parametrize("start", range(0, len(OPTIONS), PART))
def test_all(start: int) -> None:
    check(OPTIONS[start : start + PART])


def test_a_broken_mode_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rounding to nearest with ties away in place of ties to even."""
    options = {"a": "fp4_e2m1", "b": "fp4_e2m1", "out": "fp4_e2m1", "rounding": "port"}
    check([options])
    multiply = golden.multiply
    monkeypatch.setattr(golden, "multiply", lambda *args, rounding, **kwargs: multiply(*args, rounding="rna", **kwargs))
    with pytest.raises(AssertionError):
        check([options])
