"""Area of dot products, fused multiply-adds, MACs and arrays beside public designs that do the same work, from scratch.

Each row is for the target in which its peer was measured: gates of two inputs (``abc -g cmos2``), NanGate45 (µm²), or LUTs
of xc7 without hard multipliers. The best of the architectures and recipes that are run is printed.

What the peers compute:

* Dot products of 32 (MX-for-FPGA, ``dot_int`` and ``dot_fp_spec``): the exact sum of the elements' products in fixed
  point, 21 bits for int8, for e4m3 43 bits and whether there is a NaN. Scales are not part of it; for ours with both
  scales and one rounding to fp32 there are rows without a peer.
* Fused multiply-adds (Berkeley HardFloat, IEEE in and out): all five rounding modes by a port, and the flags.
* MSFP11 (most likely Koios' Brainwave-like design): four products of floats with 5 exponent bits and 5 fraction bits,
  aligned to the greatest exponent of all operands and truncated, before integers are multiplied and added. Ours aligns
  exact products instead. What the MSFP paper calls MSFP11, whose operands share exponents beforehand, is another row.
* The array: 8 × 8 products of int8 with accumulators of 32 bits. Ours has streams with back-pressure, skew, two
  planes of accumulators (os) or weights (ws) and an output buffer besides.
* The processing element: the registers of a, b and a sum of 32 bits that can be cleared. That of our array has an enable,
  control bits that travel, and a second register of 32 bits, in which a finished sum drains while the next one is added.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal

from amaranth.hdl import Module, Mux, Signal, signed
from amaranth.lib.wiring import In, Out
from history import History, add_option

from polymac import golden, hdl, synth
from polymac.cli.output import json_text, print_table, progress
from polymac.hdl.arrays.output_stationary import OutputElement
from polymac.hdl.integer.sum_of_products import sum_of_products
from polymac.hdl.sums.fixed import FixedSum, sum_bits
from polymac.hdl.sums.select import accumulator
from polymac.synth import Record, Target
from polymac.synth.area.recipes import CARRY_CHAIN_RECIPES, FULL_ADDER_RECIPES, TWO_INPUT_RECIPES
from polymac.synth.area.targets import Count

HISTORY = History("area_sums")
Figure = Literal["gates", "area_um2", "luts"]

#: Gates of two inputs, as others count them.
CMOS2 = Target(
    "cmos2",
    "NAND, NOR and NOT of two inputs, no library",
    TWO_INPUT_RECIPES,
    "transistors",
    {"gates": Count(r"\$_(NAND|NOR|NOT)_"), "ffs": Count(r"\$_DFF_P_")},
)
#: NanGate45 with the recipes for full-adder cells besides.
NANGATE45 = replace(synth.target("nangate45"), recipes=(*synth.target("nangate45").recipes, *FULL_ADDER_RECIPES))
#: xc7 with the recipe for carry chains besides.
XC7 = replace(synth.target("xc7"), recipes=(*synth.target("xc7").recipes, *CARRY_CHAIN_RECIPES))
#: Seconds for one recipe.
TIMEOUT = 2400.0


class IntegerMac(hdl.Unit):
    """y = c + a * b of int8 and 32 bits; or with registers on a, b and clear, y = (0 if clear else y) + a * b."""

    kind = "integer_mac"
    formula = "y = c + a * b"

    def __init__(self, *, registers: bool, architecture: str) -> None:
        self.registers, self.architecture = registers, architecture
        ports = {name: hdl.PortSpec(In(signed(8)), "data") for name in "ab"} | {
            "y": hdl.PortSpec(Out(signed(32)), "data")
        }
        super().__init__(
            ports
            | ({"clear": hdl.PortSpec(In(1), "control")} if registers else {"c": hdl.PortSpec(In(signed(32)), "data")}),
            parameters={"registers": registers, "architecture": architecture},
            latency=2 * registers,
            clocked=registers,
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        if not self.registers:
            pairs = [(self.a, self.b)]
            m.d.comb += self.y.eq(sum_of_products(m, pairs, self.c, architecture=self.architecture, width=32))
            return m
        a, b, clear = Signal(signed(8), name="held_a"), Signal(signed(8), name="held_b"), Signal(name="held_clear")
        m.d.sync += [a.eq(self.a), b.eq(self.b), clear.eq(self.clear)]
        addend = Signal(signed(32), name="addend")
        m.d.comb += addend.eq(Mux(clear, 0, self.y))
        m.d.sync += self.y.eq(sum_of_products(m, [(a, b)], addend, architecture=self.architecture, width=32))
        return m


@dataclass(frozen=True)
class Row:
    """One kind of work: how to make it in an architecture, and the peer's figure and the goal, where there are any.

    ``delay`` is what a goal of area allows in ns; ``recipes`` are those that are run, all of the target's for None.
    """

    work: str
    make: Callable[[str], hdl.Unit]
    target: Target
    figure: Figure
    peer: float | None
    goal: float | None
    architectures: tuple[str, ...]
    recipes: tuple[str, ...] | None = None
    delay: float | None = None


class UnscaledSum(FixedSum):
    """sum = Σ a·b over 32 pairs of floats, exact in fixed point, without scales and not rounded."""

    def __init__(self, *, fmt: str, architecture: str) -> None:
        element = golden.format(fmt)
        bits, _ = sum_bits(element, element, 32)
        super().__init__(a=element, b=element, count=32, width=bits, signs=(), architecture=architecture)
        self.parameters = {"a": fmt, "b": fmt, "count": 32, "width": bits, "architecture": architecture}


def fused(fmt: str, architecture: str) -> hdl.Dot:
    """A fused multiply-add with all rounding modes and flags."""
    return hdl.Dot(a=fmt, b=fmt, acc=f"rounded:{fmt}", rounding="port", flags=True, architecture=architecture)


def processing_element(architecture: str) -> OutputElement:
    """What an output-stationary array of int8 with sums of 32 bits is made of."""
    return OutputElement(accumulator=accumulator(a="int8", b="int8", acc="int32", architecture=architecture), stages=0)


_GATES = ("booth", "baugh_wooley")
_WIDE = ("short script",)
_LUTS = ("row_adders", "booth")
_CHAINS = ("plain", "carry chains")


def _rows() -> list[Row]:
    rows: list[Row] = []
    for fmt, gates, luts in (("int8", 39_159, 5_459), ("fp8_e4m3", 40_101, 5_473)):
        work, architectures = (
            f"exact sum of 32 products, {fmt}",
            _GATES if fmt == "int8" else ("baugh_wooley", "operator"),
        )
        make = {
            "int8": lambda name: hdl.Dot(a="int8", b="int8", lanes=32, acc="int21", addend=False, architecture=name),
            "fp8_e4m3": lambda name: UnscaledSum(fmt="fp8_e4m3", architecture=name),
        }[fmt]
        rows.append(Row(work, make, CMOS2, "gates", gates, round(0.8 * gates), architectures, _WIDE))
        rows.append(Row(work, make, XC7, "luts", luts, round(0.8 * luts), _LUTS[: 1 + (fmt == "int8")], _CHAINS))
    for fmt in ("mxint8", "mxfp8_e4m3"):

        def scaled(name: str, fmt: str = fmt) -> hdl.Unit:
            return hdl.Dot(a=fmt, b=fmt, lanes=32, acc="exact", architecture=name)

        work = f"dot of a block, scales, to fp32, {fmt}"
        rows.append(
            Row(work, scaled, CMOS2, "gates", None, None, ("booth" if fmt == "mxint8" else "baugh_wooley",), _WIDE)
        )
    for fmt, gates in (("fp16", 5_372), ("bf16", 3_955)):

        def multiply_add(name: str, fmt: str = fmt) -> hdl.Unit:
            return fused(fmt, name)

        work = f"fused multiply-add, {fmt}"
        rows.append(
            Row(f"{work}, the peer's script", multiply_add, CMOS2, "gates", gates, gates, _GATES, ("default script",))
        )
        rows.append(Row(work, multiply_add, CMOS2, "gates", gates, gates, _GATES))
    aligned = {"a": "e5m5", "b": "e5m5", "lanes": 4, "acc": "aligned:4:10:5", "out": "e5m5", "addend": False}
    rows += [
        Row(
            "four aligned products of e5m5",
            lambda name: hdl.Dot(**aligned, architecture=name),
            NANGATE45,
            "area_um2",
            4505,
            4505,
            _GATES,
        ),
        Row(
            "four products of MSFP11, to fp32",
            lambda name: hdl.Dot(a="msfp11", b="msfp11", lanes=4, acc="exact", architecture=name),
            NANGATE45,
            "area_um2",
            4505,
            4505,
            _GATES,
        ),
        Row(
            "int8 MAC, 32 bits, no registers",
            lambda name: IntegerMac(registers=False, architecture=name),
            NANGATE45,
            "area_um2",
            435,
            391,
            _GATES,
            None,
            2.60,
        ),
    ]
    elements: dict[str, Callable[[str], hdl.Unit]] = {
        "int8 PE, registers": lambda name: IntegerMac(registers=True, architecture=name),
        "int8 PE of our array": processing_element,
    }
    for work, make in elements.items():
        rows.append(Row(work, make, NANGATE45, "area_um2", 1172, 1055, _GATES))
    for work, make in elements.items():
        fast = Row(f"{work}, fast", make, NANGATE45, "area_um2", 1453, 1307, ("tree", "operator"), None, 0.54)
        rows.append(fast)
    for dataflow in ("os", "ws"):

        def array(name: str, dataflow: str = dataflow) -> hdl.Unit:
            return hdl.Array(a="int8", b="int8", acc="int32", rows=8, cols=8, architecture=name, dataflow=dataflow)

        rows.append(Row(f"8 x 8 array of int8, {dataflow}", array, XC7, "luts", 12_701, 12_701, _LUTS, ("plain",)))
    return rows


ROWS = _rows()


@dataclass(frozen=True)
class Measured:
    """A row with the record that has the least of its figure, and those that the other recipes gave."""

    row: Row
    best: Record
    records: list[Record]

    @property
    def value(self) -> float:
        """The figure."""
        return getattr(self.best, self.row.figure)


def measure(row: Row, jobs: int) -> Measured:
    """All architectures of a row through its recipes.

    Raises
    ------
    SynthesisError
        No recipe ends within the time limit, or none keeps the delay.
    """
    designs = [hdl.generate(row.make(name), "unit") for name in row.architectures]
    with progress(f"{row.work} on {row.target.name}") as report:
        (result,) = synth.compare(
            [designs],
            [row.target],
            recipes=row.recipes,
            max_delay_ns=row.delay,
            timeout=TIMEOUT,
            jobs=jobs,
            progress=report,
        )
    allowed = [
        item
        for item in result.records
        if row.delay is None or (item.delay_ns is not None and item.delay_ns <= row.delay)
    ]
    if not allowed:
        raise synth.SynthesisError(f"{row.work}: no recipe keeps {row.delay:g} ns")
    best = min(allowed, key=lambda item: (getattr(item, row.figure), item.delay_ns or 0.0))
    return Measured(row, best, result.records)


def cells(measured: Measured) -> list[str]:
    """A line of the table."""
    row, best = measured.row, measured.best
    unit = {"gates": "gates", "area_um2": "µm²", "luts": "LUT"}[row.figure]
    return [
        row.work,
        row.target.name,
        f"{measured.value:,.1f}" if row.figure == "area_um2" else f"{measured.value:,.0f}",
        "–" if row.goal is None else f"{row.goal:,.0f}",
        "–" if row.peer is None else f"{row.peer:,.0f}",
        unit,
        "–" if row.goal is None else "met" if measured.value <= row.goal else "MISSED",
        "–" if best.delay_ns is None else f"{best.delay_ns:.3f}",
        f"{best.ffs}",
        f"{best.parameters.get('architecture', 'operator')}, {best.recipe}",
    ]


def print_rows(measured: Sequence[Measured]) -> None:
    """The table."""
    columns = ["work", "target", "ours", "goal", "peer", "unit", "goals", "ns", "FF", "architecture, recipe"]
    print_table("", columns, [cells(item) for item in measured], left=("work", "target", "unit", "goals", columns[-1]))
    print(", ".join(f"{tool} {number}" for tool, number in measured[0].best.versions.items()))


def main() -> None:
    """Print the table, and write it as JSON where that is asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", metavar="TEXT", default="", help="only the rows whose work contains this")
    parser.add_argument("--jobs", metavar="N", type=int, default=2, help="recipes at a time")
    parser.add_argument("--json", metavar="FILE", type=Path, help="write all records there")
    add_option(parser)
    arguments = parser.parse_args()
    HISTORY.file = arguments.history
    measured = [measure(row, arguments.jobs) for row in ROWS if arguments.only in row.work]
    print_rows(measured)
    for item in measured:
        unit = {"gates": "gates", "area_um2": "µm²", "luts": "LUT"}[item.row.figure]
        HISTORY.add(f"{item.row.work} on {item.row.target.name}", item.value, unit)
    if arguments.json:
        plain: list[dict[str, Any]] = [
            {
                "work": item.row.work,
                "peer": item.row.peer,
                "goal": item.row.goal,
                "records": list(map(asdict, item.records)),
            }
            for item in measured
        ]
        arguments.json.write_text(json_text(plain), encoding="utf-8")


if __name__ == "__main__":
    main()
