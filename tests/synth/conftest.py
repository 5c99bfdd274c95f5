"""Small designs and a small Liberty, whose figures can be counted by hand."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from polymac.synth import TARGETS


@dataclass(frozen=True)
class StandIn:
    """What synthesis needs of a generated design."""

    name: str
    verilog: str
    metadata: dict[str, Any] = field(default_factory=lambda: {"unit": "multiplier", "parameters": {"a": "int4"}})


_REGISTERED = """module mul4 (input clk, input rst, input signed [3:0] a, input signed [3:0] b, output signed [7:0] y);
  (* init = 8'h00 *) reg [7:0] product = 8'h00;
  always @(posedge clk) if (rst) product <= 8'h00; else product <= a * b;
  assign y = product;
endmodule
"""

#: The least cells that make a library. ABC aborts on invented round delays, so real ones are picked from the package.
SMALL_LIBRARY = ("BUF_X1", "INV_X1", "NAND2_X1", "NOR2_X1", "DFF_X1")


@pytest.fixture
def design() -> Callable[[str, str], StandIn]:
    """Makes a design of a name and the Verilog text of its top module."""
    return StandIn


@pytest.fixture
def mul4() -> StandIn:
    """A signed 4 × 4 multiplier with an output register of 8 bits, reset and initial value."""
    return StandIn("mul4", _REGISTERED)


@pytest.fixture
def write_liberty(tmp_path: Path) -> Callable[..., Path]:
    """Writes a Liberty of these cells of nangate45, with another name and, where given, another unit of time."""

    def write(cells: Sequence[str] = SMALL_LIBRARY, *, time_unit: str = "1ns") -> Path:
        library = TARGETS["nangate45"].liberty
        assert library is not None
        head, *groups = re.split(r"(?m)^(?=[ \t]*cell[ \t]*\()", library.content.decode())
        picked = [group for group in groups if re.match(r"\s*cell\s*\(\s*(\w+)", group)[1] in cells]  # pyright: ignore[reportOptionalSubscript]
        assert len(picked) == len(cells)
        head = head.replace("NangateOpenCellLibrary", "small")
        head, count = re.subn(r'(\btime_unit\s*:\s*)"1ns"', rf'\1"{time_unit}"', head)
        assert count == 1
        path = tmp_path / "small library.lib"
        path.write_text(head + "".join(picked) + "}\n")
        return path

    return write


@pytest.fixture
def left_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], list[str]]]:
    """Puts the jobs' folders below ``tmp_path``; the function gives the commands of the processes that still run there,
    and the folders that are still there."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))

    def find() -> list[str]:
        found = [path.name for path in tmp_path.glob("polymac-synth-*")]
        for process in Path("/proc").glob("[0-9]*"):
            try:
                if (process / "cwd").readlink().is_relative_to(tmp_path):
                    found.append((process / "cmdline").read_text().replace("\0", " "))
            except OSError:  # it has ended meanwhile, or is another user's
                continue
        return found

    yield find
