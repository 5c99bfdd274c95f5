"""Small designs written by hand, so that these tests depend on no generator."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from polymac.golden import ParameterError
from polymac.sim import Simulator, find

_ROLES = {"clk": "clock", "rst": "reset", "en": "enable"}
_STREAM_ROLES = ("data", "last", "valid", "ready")


@dataclass(frozen=True)
class HandWritten:
    """What a simulation needs of a design."""

    name: str
    verilog: str
    metadata: dict[str, Any]


def hand_written(verilog: str, latency: int = 0) -> HandWritten:
    """A design from Verilog-2001 whose header lists every port as ``input [7:0] a`` or ``output b``."""
    header = re.search(r"module\s+(\w+)\s*\((.*?)\);", verilog, re.DOTALL)
    assert header is not None
    ports = []
    for direction, most, name in re.findall(r"(input|output)\s+(?:reg\s+)?(?:\[(\d+):0\]\s+)?(\w+)", header[2]):
        stream, _, role = name.rpartition("_")
        is_stream = role in _STREAM_ROLES and bool(stream)
        ports.append(
            {
                "name": name,
                "direction": direction,
                "width": int(most or 0) + 1,
                "role": role if is_stream else _ROLES.get(name, "data"),
                "stream": stream if is_stream else None,
            }
        )
    return HandWritten(header[1], verilog, {"name": header[1], "ports": ports, "latency": latency})


def multiplier(name: str, a: int, b: int) -> HandWritten:
    """A combinational unsigned multiplier."""
    return hand_written(
        f"module {name}(input [{a - 1}:0] a, input [{b - 1}:0] b, output [{a + b - 1}:0] y);\n"
        "  assign y = a * b;\nendmodule\n"
    )


@pytest.fixture
def designs() -> Any:
    """The functions above."""

    class Designs:
        hand_written = staticmethod(hand_written)
        multiplier = staticmethod(multiplier)

    return Designs


@pytest.fixture(params=["verilator", "icarus"])
def simulator(request: pytest.FixtureRequest) -> Simulator:
    try:
        return find(request.param)
    except ParameterError as error:
        pytest.skip(str(error))


def vcd_changes(waves: Path, scope: str) -> dict[str, list[int]]:
    """The values that the signals right in a scope take, from a VCD file: neither unknown ones nor the 0 at first."""
    header, _, body = waves.read_text().partition("$enddefinitions $end")
    inside: list[str] = []
    names: dict[str, str] = {}
    for words in (line.split() for line in header.splitlines()):
        match words:
            case ["$scope", _, name, "$end"]:
                inside.append(name)
            case ["$upscope", "$end"]:
                inside.pop()
            case ["$var", _, _, code, name, *_] if inside[-1:] == [scope]:
                names[code] = name
    assert inside == []
    values: dict[str, list[int]] = {name: [] for name in names.values()}
    for bits, code in re.findall(r"(?m)^b([01]+) (\S+)$", body):
        seen, value = values.get(names.get(code, ""), []), int(bits, 2)
        if value and seen[-1:] != [value]:
            seen.append(value)
    return values


@pytest.fixture
def vcd() -> Any:
    """The function above."""

    class Vcd:
        changes = staticmethod(vcd_changes)

    return Vcd
