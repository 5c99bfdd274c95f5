"""Every architecture of the integer product: all operands of small widths, corner and random ones of large widths."""

from __future__ import annotations

import itertools
import re
from typing import Any

import numpy as np
import pytest
from amaranth.hdl import Shape

from polymac import golden, hdl, sim
from polymac.hdl.integer.product import ARCHITECTURES, Product

SMALL = [(1, 1), (1, 4), (4, 1), (2, 2), (3, 5), (5, 3), (4, 4), (2, 7), (6, 5)]
LARGE = [(8, 8)]
HUGE = [(11, 13), (24, 24), (33, 32)]


def shapes(widths: list[tuple[int, int]]) -> list[tuple[Shape, Shape]]:
    """All signs of all widths; one bit has no sign."""
    return [
        (Shape(a, sa), Shape(b, sb))
        for a, b in widths
        for sa, sb in itertools.product((False, True), repeat=2)
        if not (sa and a == 1) and not (sb and b == 1)
    ]


def check(pairs: list[tuple[Shape, Shape]], architecture: str, operands: Any) -> None:
    units = {f"p{i}": Product(a=a, b=b, architecture=architecture) for i, (a, b) in enumerate(pairs)}
    model = sim.Model.build(hdl.generate_all(units))
    inputs = {name: operands(unit.a_shape, unit.b_shape) for name, unit in units.items()}
    for name, outputs in model.evaluate_all(inputs).items():
        unit = units[name]
        mask = (1 << (unit.a_shape.width + unit.b_shape.width)) - 1
        a, b = (integers(inputs[name][key], shape) for key, shape in (("a", unit.a_shape), ("b", unit.b_shape)))
        expected = [x * y & mask for x, y in zip(a, b, strict=True)]
        assert codes(outputs["y"]) == expected, unit.parameters


def codes(values: Any) -> list[int]:
    """Codes as Python integers; those of more than 64 bits come as rows of bytes."""
    if values.ndim == 2:
        return [int.from_bytes(row.tobytes(), "little") for row in values]
    return [int(value) for value in values]


def integers(values: Any, shape: Shape) -> list[int]:
    return [int(v) - (1 << shape.width if shape.signed and int(v) >> (shape.width - 1) else 0) for v in values]


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_all_operands(architecture: str) -> None:
    def every(a: Shape, b: Shape) -> dict[str, Any]:
        x, y = np.meshgrid(np.arange(1 << a.width), np.arange(1 << b.width))
        return {"a": x.ravel(), "b": y.ravel()}

    check(shapes(SMALL), architecture, every)


@pytest.mark.parametrize(
    ("widths", "architecture"),
    [(LARGE, name) for name in ARCHITECTURES]
    + [pytest.param(HUGE, name, marks=pytest.mark.slow) for name in ARCHITECTURES],
)
def test_large_operands(widths: list[tuple[int, int]], architecture: str) -> None:
    generator = np.random.default_rng(5)

    def some(a: Shape, b: Shape) -> dict[str, Any]:
        corners = [[0, 1, 2, 3, s - 1, s, s + 1, 2 * s - 2, 2 * s - 1] for s in (1 << a.width - 1, 1 << b.width - 1)]
        pairs = list(itertools.product(*corners))
        bits = generator.integers(0, 1 << 63, (500, 2), dtype=np.uint64) * np.uint64(2) + generator.integers(
            0, 2, (500, 2), dtype=np.uint64
        )
        pairs += [(int(x) & ((1 << a.width) - 1), int(y) & ((1 << b.width) - 1)) for x, y in bits]
        x, y = zip(*pairs, strict=True)
        return {"a": np.array(x, np.uint64), "b": np.array(y, np.uint64)}

    check(shapes(widths), architecture, some)


def test_unknown_architecture() -> None:
    with pytest.raises(golden.ParameterError) as error:
        Product(a=Shape(2), b=Shape(2), architecture="wallace")
    assert (
        str(error.value) == "architecture must be one of operator, baugh_wooley, booth, row_adders, tree, not 'wallace'"
    )


def test_a_broken_adder_is_seen() -> None:
    """The comparison fails for a product whose last carry is lost."""
    design = hdl.generate(Product(a=Shape(4), b=Shape(4), architecture="baugh_wooley"), "p")
    wire = max(line.split()[1] for line in design.verilog.splitlines() if line.startswith("  wire carry_6"))
    broken = re.sub(rf"(?m)^(  wire {wire} =) .*$", r"\1 1'b0;", design.verilog)
    assert broken != design.verilog
    model = sim.Model.build([hdl.Design(design.name, broken, design.metadata)])
    x, y = (part.ravel() for part in np.meshgrid(np.arange(16), np.arange(16)))
    assert not np.array_equal(model.evaluate_all({"p": {"a": x, "b": y}})["p"]["y"], x * y)
