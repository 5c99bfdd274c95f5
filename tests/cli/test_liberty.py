"""Liberty files of the user's own that are bad or odd: one line, or a column less and a note."""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from polymac.synth import TARGETS

WANTED = "liberty must be a Liberty file with buffer, inverter, two-input NAND and D flip-flop, not 'my.lib': it holds "
NONE = "liberty must be a Liberty file, not 'my.lib': it holds no 'library (NAME)'"
CELLS = ("BUF_X1", "INV_X1", "NAND2_X1", "NOR2_X1", "DFF_X1")
MAC = ("compare", "--unit", "mac", "--max-k", "4", "--formats", "int2", "--liberty", "my.lib")


def _cells() -> tuple[str, dict[str, str]]:
    """What stands before the cells of nangate45, and each cell."""
    library = TARGETS["nangate45"].liberty
    assert library is not None
    head, *groups = re.split(r"(?m)^(?=[ \t]*cell[ \t]*\()", library.content.decode())
    # What follows the last cell closes the library.
    groups[-1] = groups[-1].rstrip().removesuffix("}")
    return head, {re.match(r"\s*cell\s*\(\s*(\w+)", group)[1]: group for group in groups}  # pyright: ignore[reportOptionalSubscript]


def library(cells: Sequence[str] = CELLS) -> str:
    head, groups = _cells()
    return head + "".join(groups[name] for name in cells) + "}\n"


def without(text: str, kind: str) -> str:
    """The text without groups of that kind."""
    kept, place = "", 0
    for match in re.finditer(rf"\b{kind}\s*\([^)]*\)\s*\{{", text):
        depth, end = 1, match.end()
        while depth:
            depth += (text[end] == "{") - (text[end] == "}")
            end += 1
        kept, place = kept + text[place : match.start()], end
    return kept + text[place:]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (lambda: b"", NONE),
        (lambda: bytes(range(256)) * 500, NONE),
        (lambda: library()[:300].encode(), NONE),
        (
            lambda: b"library (x) {\n" + bytes(range(256)) * 500,
            "liberty must be a whole Liberty file, not 'my.lib': unreadable from line 3",
        ),
        (
            lambda: b"library (x) {\n  cell (INV) {\n    area : 1;\n",
            "liberty must be a whole Liberty file, not 'my.lib': unreadable from line 4",
        ),
        (lambda: b"library (x) {\n}\n", WANTED + "no cells"),
        (lambda: without(library(), "timing").encode(), WANTED + "no timing, by which ABC maps"),
        (lambda: library(("BUF_X1", "INV_X1", "DFF_X1")).encode(), WANTED + "no two-input NAND"),
        (lambda: library(("BUF_X1", "NAND2_X1", "DFF_X1")).encode(), WANTED + "no inverter"),
        (lambda: library(("INV_X1", "NAND2_X1", "NOR2_X1", "DFF_X1")).encode(), WANTED + "no buffer"),
        (lambda: library(CELLS[:-1]).encode(), WANTED + "no D flip-flop"),
    ],
    ids=["empty", "binary", "header", "encrypted", "cut", "cells", "timing", "nand", "inverter", "buffer", "flip-flop"],
)
def test_one_line_for_a_bad_library(polymac, content, message):
    Path("my.lib").write_bytes(content())
    result = polymac(*MAC)
    assert (result.status, result.out, result.err) == (2, "", f"polymac: {message}\n")


def test_a_folder(polymac):
    Path("my.lib").mkdir()
    result = polymac(*MAC)
    assert result.err == "polymac: liberty must be a readable Liberty file, not 'my.lib': Is a directory\n"
    assert result.status == 2


def test_no_power_tables_cost_their_columns(polymac):
    Path("my.lib").write_text(without(library(), "internal_power"))
    result = polymac(*MAC)
    assert result.status == 0
    assert "period ns" in result.out
    assert "pJ" not in result.out
    assert (
        "int2: no energy: the library NangateOpenCellLibrary must have power tables (internal_power) for energy, "
        "not none\n"
    ) in result.out


def test_line_ends_and_quoted_names_change_no_figure(polymac):
    figures = []
    odd = library().replace("library (NangateOpenCellLibrary)", 'library ("My Cells")')
    odd = odd.replace("cell (NAND2_X1)", 'cell ("NAND2_X1")').replace("\n", "\r\n")
    for text in (library(), odd):
        Path("my.lib").write_bytes(text.encode())
        out = polymac(*MAC).out
        figures.append(re.search(r"(?m)^ int2 .*$", out)[0].split())  # pyright: ignore[reportOptionalSubscript]
    assert "mac on My Cells: Liberty library My Cells" in out
    assert figures[0] == figures[1]


@pytest.mark.slow
def test_two_hundred_megabytes(polymac):
    """The cells that are mapped to, and thousands of copies of a big one; cut short, it is refused."""
    head, groups = _cells()
    big = groups["DFF_X1"]
    copies = "".join(big.replace("DFF_X1", f"DFF_COPY{number}") for number in range(200_000_000 // len(big) + 1))
    text = head + "".join(groups[name] for name in CELLS) + copies
    Path("my.lib").write_text(text)
    start = time.monotonic()
    result = polymac(*MAC)
    assert result.status == 2
    assert result.err.startswith("polymac: liberty must be a whole Liberty file, not 'my.lib': unreadable from line ")
    assert time.monotonic() - start < 120
