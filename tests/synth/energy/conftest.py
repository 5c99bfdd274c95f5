"""A library whose every figure is a small whole number, and netlists of its cells."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from polymac import synth
from polymac.synth.area.measure import synthesis_job
from polymac.synth.area.recipes import NETLIST_REPORT
from polymac.synth.yosys.runner import Outcome, Workers

#: 2 V, fF, ns, nW: a net's toggle costs ½·C·2² = 2·C fJ.
HEAD = """library (toy) {
  time_unit : "1ns"; voltage_unit : "1V"; leakage_power_unit : "1nW"; capacitive_load_unit (1, ff); nom_voltage : 2.0;
"""


def scalars(kind: str, rise: float, fall: float, what: str, before: str = "") -> str:
    """A group of two constant tables."""
    edges = ("cell_rise", "cell_fall") if what == "timing" else ("rise_power", "fall_power")
    tables = " ".join(
        f'{edge} (scalar) {{ values ("{value}"); }}' for edge, value in zip(edges, (rise, fall), strict=True)
    )
    return f"{what} () {{ {before} {kind} {tables} }}\n"


def power(rise: float, fall: float, pin: str = "", when: str = "") -> str:
    """The energy in fJ of either edge."""
    related = f'related_pin : "{pin}";' if pin else ""
    return scalars(related, rise, fall, "internal_power", f'when : "{when}";' if when else "")


def timing(delay: float, pin: str, sense: str) -> str:
    """The delay in ns of both edges."""
    return scalars(f'related_pin : "{pin}"; timing_sense : {sense};', delay, delay, "timing")


def pin(name: str, capacitance: float, groups: str = "") -> str:
    """An input."""
    return f"pin ({name}) {{ direction : input; capacitance : {capacitance}; {groups} }}\n"


def liberty(xor_delay: float = 1, timed: bool = True, powered: bool = True) -> str:
    """The library: INV, NAND, XOR and DFF."""
    inv = timing(1, "A", "negative_unate") + power(3, 1, "A")
    nand = timing(1, "A", "negative_unate") + timing(1, "B", "negative_unate") + power(2, 4, "A") + power(6, 8, "B")
    xor = timing(xor_delay, "A", "non_unate") + timing(xor_delay, "B", "non_unate")
    xor += power(1, 2, "A", "!B") + power(3, 4, "A", "B") + power(5, 6, "B", "!A") + power(7, 8, "B", "A")
    q = scalars('related_pin : "CK"; timing_type : rising_edge;', 1, 1, "timing") + power(10, 20, "CK")
    clock = power(1, 3, when="!D & !Q") + power(5, 7, when="D & Q") + power(0, 9, when="D ^ Q")
    data = power(2, 4, when="CK") + power(6, 8, when="!CK")
    text = f"""{HEAD}
  cell (INV) {{ {pin("A", 1)} pin (Y) {{ direction : output; function : "!A"; {inv} }}
    leakage_power () {{ when : "A"; value : 10; }} leakage_power () {{ when : "!A"; value : 20; }} }}
  cell (NAND) {{ {pin("A", 1)} {pin("B", 2)} pin (Y) {{ direction : output; function : "(A B)'"; {nand} }}
    cell_leakage_power : 5; }}
  cell (XOR) {{ {pin("A", 2)} {pin("B", 3)} pin (Y) {{ direction : output; function : "A ^ B"; {xor} }}
    cell_leakage_power : 3; leakage_power () {{ when : "!A & !B"; value : 1; }} }}
  cell (DFF) {{ ff (IQ, IQN) {{ next_state : "D"; clocked_on : "CK"; }}
    {pin("D", 1, data)} {pin("CK", 4, clock)} pin (Q) {{ direction : output; function : "IQ"; {q} }}
    leakage_power () {{ when : "CK"; value : 30; }} leakage_power () {{ when : "!CK"; value : 50; }} }}
}}
"""
    if not timed:
        text = text.replace("timing (", "other (")
    return text if powered else text.replace("internal_power (", "other (")


def cell(kind: str, **connections: int | str) -> dict[str, Any]:
    """A cell of a netlist."""
    return {"type": kind, "connections": {name: [bit] for name, bit in connections.items()}}


def module(inputs: dict[str, int | str], outputs: dict[str, int | str], **cells: dict[str, Any]) -> dict[str, Any]:
    """A netlist with ports of one bit, whose other nets are called n and their number."""
    ports = {name: {"direction": "input", "bits": [bit]} for name, bit in inputs.items()}
    ports |= {name: {"direction": "output", "bits": [bit]} for name, bit in outputs.items()}
    bits = {bit for item in cells.values() for (bit,) in item["connections"].values()}
    names = {f"n{bit}": {"bits": [bit]} for bit in sorted(bits, key=str)}
    return {"ports": ports, "cells": cells, "netnames": names}


#: Ten cells, of which one is a flip-flop: q takes over n7 ^ q.
TEN = module(
    {"clk": 90, "a": 91, "b": 92},
    {"y": 93},
    i1=cell("INV", A=91, Y=1),
    i2=cell("INV", A=1, Y=2),
    i3=cell("INV", A=92, Y=3),
    g1=cell("NAND", A=91, B=92, Y=4),
    x1=cell("XOR", A=2, B=3, Y=5),
    g2=cell("NAND", A=4, B=5, Y=6),
    i4=cell("INV", A=6, Y=7),
    x2=cell("XOR", A=7, B=10, Y=8),
    r=cell("DFF", D=8, CK=90, Q=10),
    i5=cell("INV", A=10, Y=93),
)


@dataclass(frozen=True)
class Toy:
    """What the tests need of this module, which they cannot import."""

    write: Callable[..., synth.LibertyFile]
    ten: dict[str, Any]
    cell: Callable[..., dict[str, Any]]
    module: Callable[..., dict[str, Any]]
    liberty: Callable[..., str]


@pytest.fixture
def toy(tmp_path: Path) -> Toy:
    """The library (``write`` makes a file of it, or of a text), the netlist ``ten``, and makers of others."""

    def write(text: str | None = None, **options: Any) -> synth.LibertyFile:
        path = tmp_path / "toy.lib"
        path.write_text(liberty(**options) if text is None else text)
        return synth.LibertyFile(str(path))

    return Toy(write, TEN, cell, module, liberty)


@pytest.fixture(scope="session")
def nangate() -> synth.LibertyFile:
    """The library of nangate45."""
    target = synth.target("nangate45")
    if not target.available():
        pytest.skip(target.missing())
    assert target.liberty is not None
    return target.liberty


@pytest.fixture(scope="session")
def map_netlist(nangate: synth.LibertyFile) -> Callable[..., dict[str, Any]]:
    """Maps a design by a recipe of nangate45 and gives the netlist."""
    target = synth.target("nangate45")

    def run(design: synth.Design, name: str = "plain area") -> dict[str, Any]:
        (recipe,) = target.choose_recipes([name])
        recipe = replace(recipe, commands=(*recipe.commands, f"write_json {NETLIST_REPORT}"))
        (outcome,) = Workers(1, 100).run([synthesis_job(design, target, recipe)])
        assert isinstance(outcome, Outcome), outcome
        return outcome.reports[NETLIST_REPORT]["modules"][design.name]

    return run
