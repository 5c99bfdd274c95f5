"""The generated Verilog as a person, and as a strict reader, reads it."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import pytest

from polymac import hdl
from polymac.hdl.emit.design import generate_all

from .emission import netlist_of

#: The name of a net that is declared together with its expression.
DECLARED = re.compile(r"^  wire (?:signed )?(?:\[\d+:0\] )?(\w+) = ", re.MULTILINE)


def modules(design: hdl.Design) -> list[str]:
    """Each module without its comments."""
    text = re.sub(r"(?m)^ *//.*\n", "", design.verilog)
    return re.findall(r"^module .*?^endmodule$", text, re.MULTILINE | re.DOTALL)


def complaints(module: str, given: set[str]) -> list[str]:
    """What a reader would object to; ``given`` are the names that the component gives."""
    found = re.findall(r"\b_\d+_\b|\w+_r\b|\w+_r_r\w*", module)
    found += [line for line in module.splitlines() if len(line) > 120]
    words = Counter(re.findall(r"\b[A-Za-z_]\w*", module))
    for name in DECLARED.findall(module):
        made = name not in given and re.sub(r"_\d+$", "", name) not in given
        # A name for what is used once has a reason: Verilog takes bits of names alone, or a carry would be lost.
        needed = re.search(rf"\b{name}\[|[{{,] ?{name}\b|\b{name}[,}}]", module)
        if words[name] < 2 or (made and words[name] == 2 and not needed):
            found.append(name)
    return found


def test_nothing_to_object_to(design: hdl.Design, units: dict[str, hdl.Unit]) -> None:
    given = set(re.findall(r"\\(\w+)", netlist_of(units[design.name], design.name)))
    assert [text for module in modules(design) for text in complaints(module, given)] == []


def test_objections_are_raised() -> None:
    design = hdl.generate(hdl.Multiplier(a="fp8_e4m3", b="fp8_e4m3", stages=1), "mul")
    (module, *_) = modules(design)
    given = set(re.findall(r"\w+", module))
    assert complaints(module, given) == []
    for line, found in (
        ("  wire _045_ = en & rst;\n", "_045_"),
        ("  wire start_r_r = en & rst;\n", "start_r_r"),
        ("  wire unread = en;\n", "unread"),
        (f"  assign long = {' & '.join(['sign'] * 20)};\n", f"  assign long = {' & '.join(['sign'] * 20)};"),
        ("  wire y_sum = en & rst;\n  assign more = y_sum + 1;\n", "y_sum"),
    ):
        assert found in complaints(module.replace("endmodule", f"{line}endmodule"), given), line


def test_registers_with_an_enable_are_ifs_and_share_an_always() -> None:
    (module, *_) = modules(hdl.generate(hdl.Mac(a="int8", b="int8", stages=1), "mac"))
    assert "else if (en) begin" in module
    assert not re.search(r"<= en \?", module)
    assert module.count("always @(posedge clk)") == 3  # control, products, and the sum
    deep = hdl.generate(hdl.Mac(a="int8", b="int8", stages=4), "mac").verilog
    assert [f"start_{cycle} <=" in deep for cycle in range(1, 6)] == [True] * 4 + [False]


def test_steps_are_comments_in_the_order_of_the_data() -> None:
    verilog = hdl.generate(hdl.Requantizer(stages=2), "requantizer").verilog
    comments = re.findall(r"^  // (.*)$", verilog, re.MULTILINE)
    assert comments == [
        "The accumulator with its bias times the multiplier, exact",
        "Shift by all but one place; the last bit then rounds, ties up",
        "Add the zero point and clamp",
    ]
    places = [verilog.index(text) for text in (comments[0], " product = ", comments[1], " halves = ", comments[2])]
    assert places == sorted(places)


def test_elements_of_a_port_are_numbered() -> None:
    verilog = hdl.generate(hdl.Dot(a="fp8_e4m3", b="fp8_e4m3", lanes=2, acc="aligned:2:13"), "dot").verilog
    assert ".a(a[8*1 +: 8])," in verilog


def test_several_units_at_once_have_the_bytes_of_each() -> None:
    units = {"one": hdl.Mac(a="fp8_e4m3", b="fp8_e4m3"), "two": hdl.Multiplier(a="fp16", b="fp16", stages=2)}
    assert [design.files for design in generate_all(units)] == [
        hdl.generate(unit, name).files for name, unit in units.items()
    ]


def test_slang_reads_it_without_a_warning(design: hdl.Design, tmp_path: Path) -> None:
    pytest.importorskip("pyslang", reason="pyslang is not installed")
    from pyslang import driver

    file = tmp_path / "design.v"
    file.write_text(design.verilog)
    reader = driver.Driver()
    reader.addStandardArgs()
    assert reader.parseCommandLine(f"slang --std 1364-2005 --top {design.name} {file}") and reader.processOptions()
    assert reader.parseAllSources()
    reader.reportCompilation(reader.createCompilation(), True)
    assert (reader.diagEngine.numErrors, reader.diagEngine.numWarnings) == (0, 0)
