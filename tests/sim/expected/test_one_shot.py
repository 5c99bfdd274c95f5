"""Exact sums of one beat against golden's inner product of block formats: one rounding, whatever the scales."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest

from polymac import golden, hdl, sim
from polymac.golden.formats import BLOCK_FORMATS
from polymac.sim.expected.sums import to_bus

#: Formats, lanes, rounding, result, stages.
CASES: list[dict[str, Any]] = [
    {"name": "mxfp4", "lanes": 8},
    {"name": "mxint8", "lanes": 4, "rounding": "rdn", "out": "bf16", "stages": 3},
    {"name": "mxfp8_e4m3", "lanes": 2, "out": "fp16", "stages": 6},
    {"name": "mxfp8_e5m2", "lanes": 2, "rounding": "rtz"},
    {"name": "nvfp4", "lanes": 4, "rounding": "rna", "stages": 1},
    {"name": "msfp12", "lanes": 4, "rounding": "rup"},
]


def operands(name: str, lanes: int, seed: int) -> tuple[list[Any], list[Any]]:
    """Scales and elements of one beat each of both operands: near one, far from each other, and any codes."""
    fmt = golden.block_format(name)
    generator = np.random.default_rng(seed)
    sides = []
    for _ in range(2):
        spread = np.exp2(generator.integers(-40, 40, (3000, 1)) * generator.integers(0, 2, (3000, 1)))
        scales, elements = golden.encode_blocks(generator.standard_normal((3000, fmt.block_size)) * spread, fmt)[:2]
        elements = elements[:, :lanes]
        wild = generator.random(3000) < 0.3
        elements[wild] = generator.integers(0, 1 << fmt.element.width, (3000, lanes))[wild]
        scales[wild] = generator.integers(0, 1 << fmt.scale.width, scales.shape)[wild]
        sides.append([scales[:, :1], elements])
    return sides[0], sides[1]


def unit_of(case: dict[str, Any]) -> hdl.Dot:
    name, rounding = case["name"], case.get("rounding", "rne")
    options = {"out": case.get("out", "fp32"), "stages": case.get("stages", 0), "architecture": "booth"}
    return hdl.Dot(a=name, b=name, lanes=case["lanes"], acc=f"exact:{rounding}", **options)


@pytest.fixture(scope="module")
def model() -> sim.Model:
    """The units of all cases in one."""
    return sim.Model.build(hdl.generate_all({case["name"]: unit_of(case) for case in CASES}))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_as_block_dot(case: dict[str, Any], model: sim.Model) -> None:
    """Codes of scales and elements straight into golden's product: what it calls Exact is one rounding."""
    name, lanes = case["name"], case["lanes"]
    fmt = golden.block_format(name)
    part = dataclasses.replace(fmt, block_size=lanes, tensor_scale=None)
    a, b = operands(name, lanes, seed=3)
    accumulator = golden.Exact(case.get("rounding", "rne"))
    expected = golden.block_dot(a, b, part, part, acc=accumulator, out=case.get("out", "fp32"))
    inputs = {"a": to_bus(a[1], fmt.element), "b": to_bus(b[1], fmt.element)}
    inputs |= {"a_scale": a[0][:, 0], "b_scale": b[0][:, 0]}
    found = model.evaluate_all({name: inputs})[name]["d"]
    np.testing.assert_array_equal(found, expected)
    assert np.unique(found).size > 300


def test_every_block_format_has_an_exact_dot_product() -> None:
    """None of them has to be asked for with force_wide."""
    for name, fmt in BLOCK_FORMATS.items():
        unit = hdl.Dot(a=name, b=name, lanes=fmt.block_size, acc="exact")
        assert not unit.parameters["force_wide"]
        assert unit.accumulator.exact_k == fmt.block_size


def test_nothing_goes_on_from_beat_to_beat() -> None:
    """A MAC of the same style still keeps the whole range of the scales."""
    with pytest.raises(golden.ParameterError, match="acc=exact must take at most 256 bits unless force_wide is True"):
        hdl.Mac(a="mxfp4", b="mxfp4", lanes=32, acc="exact")
