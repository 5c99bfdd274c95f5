"""Sums of products in every architecture against the integers: all operands of small widths, random ones of large."""

from __future__ import annotations

import itertools
import re
from typing import Any

import numpy as np
import pytest
from amaranth.hdl import Module, Shape, Signal, signed, unsigned
from amaranth.lib.wiring import In, Out

from polymac import golden, hdl, sim
from polymac.hdl.integer.product import ARCHITECTURES
from polymac.hdl.integer.sum_of_products import sum_of_products, sum_shape

Pairs = list[tuple[Shape, Shape]]

U1, U2, U3, S2, S3, S4 = unsigned(1), unsigned(2), unsigned(3), signed(2), signed(3), signed(4)
#: Pairs, the addend and the width of the sum: 16 bits of operands at most.
SMALL: list[tuple[Pairs, Shape | None, int | None]] = [
    ([(S3, S3)], None, None),
    ([(S3, U3)], S4, None),
    ([(U3, S3)], unsigned(6), None),
    ([(S2, S2), (S2, S2), (S2, S2)], S4, None),
    ([(U2, U2), (U2, U2)], unsigned(5), None),
    ([(S2, U2), (U2, S3), (U1, S2)], U3, None),
    ([(U2, U2), (U2, U1)], S2, None),
    ([(S4, S4)], signed(8), 8),
    ([(U3, U3)], unsigned(9), 6),
    ([(S2, S2), (S3, S3)], signed(6), 4),
    ([(U1, U1), (U1, U1), (U1, U1), (U1, U1)], S3, None),
    # Addends with more bits than the products, which are counted up or down there.
    ([(S2, S2)], signed(9), 9),
    ([(U2, U2)], unsigned(9), 9),
    ([(S2, U2), (S2, S2)], unsigned(8), 12),
    ([(U2, U1), (U1, U2)], signed(9), None),
    ([(S3, S2)], signed(10), 8),
]
LARGE: list[tuple[Pairs, Shape | None, int | None]] = [
    ([(signed(8), signed(8))], signed(32), 32),
    ([(signed(8), unsigned(4))] * 4, signed(20), None),
    ([(unsigned(11), unsigned(11)), (signed(5), signed(9))], unsigned(7), 30),
]


class Sum(hdl.Unit):
    """A sum and the same sum again, whose names must differ."""

    kind = "sum"
    formula = "y = c + sum of a * b"

    def __init__(self, pairs: Pairs, addend: Shape | None, width: int | None, architecture: str) -> None:
        self.pairs, self.addend, self.width, self.architecture = pairs, addend, width, architecture
        self.operands = {f"{x}{i}": shape for i, pair in enumerate(pairs) for x, shape in zip("ab", pair, strict=True)}
        self.operands |= {} if addend is None else {"c": addend}
        signals = {name: Signal(shape) for name, shape in self.operands.items()}
        exact = sum_shape(self.lanes(signals), signals.get("c"))
        self.shape = exact if width is None else Shape(width, exact.signed)
        super().__init__(
            {name: hdl.PortSpec(In(shape), "data") for name, shape in self.operands.items()}
            | {name: hdl.PortSpec(Out(self.shape), "data") for name in "yz"},
            parameters={"case": (pairs, addend, width, architecture)},
            latency=0,
            clocked=False,
        )

    def lanes(self, values: dict[str, Any]) -> list[tuple[Any, Any]]:
        return [(values[f"a{i}"], values[f"b{i}"]) for i in range(len(self.pairs))]

    def elaborate(self, platform: object) -> Module:
        m = Module()
        values = {name: getattr(self, name) for name in self.operands}
        for port, name in ((self.y, ""), (self.z, "again")):
            total = sum_of_products(
                m, self.lanes(values), values.get("c"), architecture=self.architecture, width=self.width, name=name
            )
            assert total.shape() == self.shape
            m.d.comb += port.eq(total)
        return m

    def reference(self, values: dict[str, Any]) -> Any:
        """The codes of the sums."""
        numbers = {
            name: values[name] - (values[name] >> shape.width - 1 << shape.width if shape.signed else 0)
            for name, shape in self.operands.items()
        }
        total = sum(a * b for a, b in self.lanes(numbers)) + numbers.get("c", 0)
        if self.width is None:  # it holds any sum
            low = -1 << self.shape.width - 1 if self.shape.signed else 0
            assert low <= total.min() and total.max() < low + (1 << self.shape.width)
        return total & (1 << self.shape.width) - 1


def every(unit: Sum) -> dict[str, Any]:
    grid = np.meshgrid(*(np.arange(1 << shape.width) for shape in unit.operands.values()))
    return {name: values.ravel() for name, values in zip(unit.operands, grid, strict=True)}


def some(unit: Sum) -> dict[str, Any]:
    generator = np.random.default_rng(6)
    return {
        name: np.concatenate([generator.integers(0, 1 << shape.width, 2000), corners(shape)])
        for name, shape in unit.operands.items()
    }


def corners(shape: Shape) -> list[int]:
    """Extremes of all operands at the same place."""
    half = 1 << shape.width - 1
    return [0, half, half - 1, 2 * half - 1]


def mismatches(designs: list[hdl.Design], units: list[Sum], operands: Any) -> list[Any]:
    model = sim.Model.build(designs)
    inputs = {design.name: operands(unit) for design, unit in zip(designs, units, strict=True)}
    outputs = model.evaluate_all(inputs)
    return [
        unit.parameters
        for design, unit in zip(designs, units, strict=True)
        if not all(
            np.array_equal(outputs[design.name][port], unit.reference(inputs[design.name])) for port in ("y", "z")
        )
    ]


@pytest.mark.parametrize(("cases", "operands"), [(SMALL, every), (LARGE, some)], ids=["all", "some"])
def test_sums(cases: list[tuple[Pairs, Shape | None, int | None]], operands: Any) -> None:
    units = [Sum(*case, name) for case, name in itertools.product(cases, ARCHITECTURES)]
    designs = hdl.generate_all({f"s{i}": unit for i, unit in enumerate(units)})
    assert mismatches(designs, units, operands) == []


def test_a_lost_carry_is_seen() -> None:
    unit = Sum([(S3, S3), (S2, S2)], S4, None, "baugh_wooley")
    design = hdl.generate(unit, "s")
    wire = max(line.split()[1] for line in design.verilog.splitlines() if line.startswith("  wire carry_4"))
    broken = re.sub(rf"(?m)^(  wire {wire} =) .*$", r"\1 1'b0;", design.verilog)
    assert broken != design.verilog
    assert mismatches([hdl.Design(design.name, broken, design.metadata)], [unit], every) == [unit.parameters]


@pytest.mark.parametrize(
    ("pairs", "addend", "shape"),
    [
        ([(S2, S2)], None, signed(4)),  # -2 … 4
        ([(U2, U2)], None, unsigned(4)),  # 0 … 9
        ([(U2, U2)] * 7, None, unsigned(6)),  # 0 … 63
        ([(U2, U2)] * 7, U1, unsigned(7)),  # 0 … 64
        ([(U2, U2)], S2, signed(5)),  # -2 … 10
        ([(signed(8), signed(8))] * 4, None, signed(18)),
    ],
)
def test_the_sum_is_as_wide_as_it_must_be(pairs: Pairs, addend: Shape | None, shape: Shape) -> None:
    assert Sum(pairs, addend, None, "tree").shape == shape


@pytest.mark.parametrize(
    ("pairs", "architecture", "message"),
    [
        ([], "tree", "pairs must be at least one pair of operands, not an empty sequence"),
        (
            [(Signal(2), Signal(2))],
            "wallace",
            "architecture must be one of operator, baugh_wooley, booth, row_adders, tree, not 'wallace'",
        ),
    ],
)
def test_nothing_to_add_and_no_way_to_add_it(pairs: list[Any], architecture: str, message: str) -> None:
    m = Module()
    m._MustUse__silence = True  # pyright: ignore[reportAttributeAccessIssue]  # it is made for nothing
    with pytest.raises(golden.ParameterError) as error:
        sum_of_products(m, pairs, architecture=architecture)
    assert str(error.value) == message
