"""SAIF files, read back."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from polymac import hdl, synth
from polymac.golden.formats import ParameterError
from polymac.synth.energy.streams import uniform_codes

STREAMS = {"a": [0, 1, 1, 0] * 2, "b": [0, 0, 1, 1] * 2}


def parse(text: str) -> list[Any]:
    """Nested lists of the words of an S-expression."""
    stack: list[list[Any]] = [[]]
    for token in re.findall(r"[()]|\"[^\"]*\"|(?:\\.|[^\s()\\])+", text):
        if token == "(":
            stack.append([])
        elif token == ")":
            inner = stack.pop()
            stack[-1].append(inner)
        else:
            stack[-1].append(token)
    assert len(stack) == 1
    return stack[0][0]


def nets(path: Path, top: str, *, pins: bool = False) -> tuple[int, dict[str, dict[str, int]]]:
    """The duration, and what each net, or pin of a cell, has."""
    root = parse(path.read_text())
    assert root[0] == "SAIFILE" and ["SAIFVERSION", '"2.0"'] in root and ["DIRECTION", '"backward"'] in root
    assert ["TIMESCALE", "1", "ps"] in root
    (duration,) = (int(item[1]) for item in root if item[0] == "DURATION")
    (instance,) = (item for item in root if item[0] == "INSTANCE")
    assert instance[1] == top and instance[2][0] == "NET"
    found = {"": instance[2][1:]}
    if pins:
        found = {f"{cell[1]}/": cell[2][1:] for cell in instance[3:]}
        assert all(cell[0] == "INSTANCE" and cell[2][0] == "NET" and len(cell) == 3 for cell in instance[3:])
    return duration, {
        prefix + name: {key: int(value) for key, value in items}
        for prefix, entries in found.items()
        for name, *items in entries
    }


def test_ten_cells_by_hand(toy, tmp_path):
    """Two periods of four cycles; n5 is 1010, n7 1000, and q changes once a period."""
    energy = synth.measure_energy(toy.ten, toy.write(), STREAMS, glitches=False)
    path = tmp_path / "ten.saif"
    synth.write_saif(path, toy.ten, energy, top="ten", period_ns=2)
    duration, found = nets(path, "ten")
    assert duration == 16_000
    assert set(found) == {"clk", "a", "b", "y", *(f"n{bit}" for bit in (*range(1, 9), 10, 90, 91, 92, 93))}
    assert found["clk"] == {"T0": 8000, "T1": 8000, "TX": 0, "TC": 16, "IG": 0}
    assert found["n5"] == {"T0": 8000, "T1": 8000, "TX": 0, "TC": 8, "IG": 0}
    assert found["n7"] == {"T0": 12_000, "T1": 4000, "TX": 0, "TC": 4, "IG": 0}
    assert found["n10"]["TC"] == 2 and found["n93"]["T0"] == found["n10"]["T1"]
    _, pins = nets(path, "ten", pins=True)
    assert set(pins) == {f"{name}/{pin}" for name, item in toy.ten["cells"].items() for pin in item["connections"]}
    assert (pins["x1/Y"], pins["g2/B"], pins["r/CK"]) == (found["n5"], found["n5"], found["clk"])


def test_constants_have_no_entry(toy, tmp_path):
    gate = toy.module({"a": 91}, {"y": 93}, g=toy.cell("NAND", A=91, B="1", Y=93))
    path = tmp_path / "gate.saif"
    synth.write_saif(path, gate, synth.measure_energy(gate, toy.write(), {"a": [0, 1]}), top="gate")
    assert set(nets(path, "gate", pins=True)[1]) == {"g/A", "g/Y"}


def test_buses_and_glitches(map_netlist, nangate, tmp_path):
    netlist = map_netlist(hdl.generate(hdl.Multiplier(a="int4", b="int4"), "mul"))
    streams = {"a": uniform_codes(4, 300, 1), "b": uniform_codes(4, 300, 2)}
    energy = synth.measure_energy(netlist, nangate, streams)
    plain, full = tmp_path / "plain.saif", tmp_path / "full.saif"
    synth.write_saif(plain, netlist, energy, top="mul")
    synth.write_saif(full, netlist, energy, top="mul", glitches=True)
    duration, settled = nets(plain, "mul")
    _, with_glitches = nets(full, "mul")
    assert set(settled) == set(with_glitches) > {"a\\[0\\]", "b\\[3\\]", "y\\[7\\]"}
    for name, item in settled.items():
        other = with_glitches[name]
        assert item["T0"] + item["T1"] == duration == 300_000 and item["IG"] == 0
        assert other["IG"] <= other["TC"] - (item["TC"] > 0) and (name[0] not in "ab" or other["IG"] == 0)
        assert other["TC"] - other["IG"] == item["TC"] and other["IG"] % 2 == 0 and other["T1"] == item["T1"]
    assert any(item["IG"] for item in with_glitches.values())
    stream = streams["a"] & 1
    changes = int((stream != [*stream[-1:], *stream[:-1]]).sum())
    assert settled["a\\[0\\]"]["TC"] == changes and settled["a\\[0\\]"]["T1"] == 1000 * int(stream.sum())


@pytest.mark.parametrize(
    ("options", "error", "text"),
    [
        ({"period_ns": 0}, ParameterError, "period_ns must be 0.001 ns or more, and finite, not 0"),
        ({"period_ns": float("inf")}, ParameterError, "period_ns must be 0.001 ns or more, and finite, not inf"),
        ({"period_ns": "1"}, TypeError, "period_ns must be a number of nanoseconds, not '1'"),
        (
            {"glitches": True},
            ParameterError,
            "energy must be measured with glitches for a SAIF file with glitches, not without",
        ),
    ],
)
def test_errors(toy, tmp_path, options, error, text):
    energy = synth.measure_energy(toy.ten, toy.write(), STREAMS, glitches=False)
    with pytest.raises(error) as caught:
        synth.write_saif(tmp_path / "x.saif", toy.ten, energy, top="ten", **options)
    assert str(caught.value) == text and not (tmp_path / "x.saif").exists()


def test_a_folder_that_is_not_there(toy, tmp_path):
    energy = synth.measure_energy(toy.ten, toy.write(), STREAMS, glitches=False)
    path = tmp_path / "none" / "x.saif"
    with pytest.raises(ParameterError) as caught:
        synth.write_saif(path, toy.ten, energy, top="ten")
    assert str(caught.value) == f"path must be a file that can be written, not {str(path)!r}: No such file or directory"
