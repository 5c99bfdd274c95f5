"""``polymac formats``: lists, one format in full, pictures, files of formats."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

from polymac.cli import layout
from polymac.golden.formats import (
    BLOCK_FORMATS,
    FORMATS,
    FORMATS_VARIABLE,
    BlockFormat,
    any_format,
    block_format,
    format,
)
from polymac.golden.formats import registry as names

SCALARS = f"{', '.join(FORMATS)}, or intN, uintN, qM.N, uqM.N, eXmY, positN, positN_ES"
ALL = f"{SCALARS}, or of the block formats {', '.join(BLOCK_FORMATS)}"
MINE = '[mine]\nkind = "float"\nwidth = 5\nfrac_bits = 2\nbias = 2\nsource = "a test"\n'


@pytest.fixture(autouse=True)
def catalogue(monkeypatch):
    """Leaves the catalogue as it was."""
    scalars = dict(FORMATS)
    monkeypatch.delenv(FORMATS_VARIABLE, raising=False)
    monkeypatch.setattr(names, "_environment", "")
    yield
    FORMATS.clear()
    FORMATS.update(scalars)


def cells(text: str, first: str) -> list[str]:
    """The cells of the one table row whose first cell is that."""
    rows = [re.split(r" {2,}", line.strip()) for line in text.splitlines()]
    (row,) = [row for row in rows if row[0] == first]
    return row


def test_list_has_scalars_and_blocks(polymac):
    out = polymac("formats").out
    assert cells(out, "fp8_e4m3") == [
        "fp8_e4m3", "8", "1/4/3", "7", "448", "0.015625", "0.00195312", "-0, NaN", FORMATS["fp8_e4m3"].source,
    ]  # fmt: skip
    assert cells(out, "mxfp4") == [
        "mxfp4", "4.25", "32 × fp4_e2m1", "e8m0", "floor", "rne", "1.02085e+39", "2.93874e-39", "NaN scale",
        BLOCK_FORMATS["mxfp4"].source,
    ]  # fmt: skip
    assert cells(out, "nvfp4")[2:5] == ["16 × fp4_e2m1", "fp8_e4m3 · fp32", "amax"]
    listed = [line.split()[0] for line in out.splitlines() if line.strip()]
    assert set(listed) >= {*FORMATS, *BLOCK_FORMATS}


def test_json_has_scalars_then_blocks(polymac):
    listed = json.loads(polymac("formats", "--json").out)
    assert [item["name"] for item in listed] == [*FORMATS, *BLOCK_FORMATS]
    (nvfp4,) = [item for item in listed if item["name"] == "nvfp4"]
    assert nvfp4 == {
        "name": "nvfp4",
        "kind": "block",
        "element": "fp4_e2m1",
        "scale": "fp8_e4m3",
        "block_size": 16,
        "tensor_scale": "fp32",
        "scale_rule": "amax",
        "rounding": "rne",
        "symmetric": False,
        "zero_scale": False,
        "bits_per_element": 4.5,
        "max": float(block_format("nvfp4").max),
        "min_positive": float(block_format("nvfp4").min_positive),
        "specials": ["NaN scale"],
        "source": "NVIDIA Blackwell, Transformer Engine",
    }


def test_several_names_are_a_table(polymac):
    out = polymac("formats", "e4m7", "mxint8", "q4.12").out
    assert cells(out, "e4m7")[2] == "1/4/7" and cells(out, "mxint8")[2] == "32 × q2.6"
    assert "special value" not in out and ", as " not in out


def test_one_format_in_full(polymac):
    out = polymac("formats", "fp8_e4m3").out
    assert re.search(r"^code: +bit 7 sign, bits 6…3 exponent, bits 2…0 fraction$", out, re.MULTILINE)
    formula = "(-1)^s · 2^(e - 7) · (1 + f/2^3); where e = 0 (-1)^s · 2^-6 · f/2^3"
    assert re.search(rf"^value: +{re.escape(formula)}$", out, re.MULTILINE)
    assert cells(out, "largest") == ["largest", "0x7e", "0.1111.110", "448.0"]
    assert cells(out, "least subnormal") == ["least subnormal", "0x01", "0.0000.001", "0.001953125"]
    assert out.count("1.1111.111") == 1  # the negative NaN
    values = {}
    for line in out.splitlines():
        if match := re.match(r" *0x([0-9a-f]{2}) ", line):
            values |= {int(match[1], 16) + low: text for low, text in enumerate(line.split()[1:])}
    assert {code: float(text) for code, text in values.items() if text != "nan"} == pytest.approx(
        {code: float(FORMATS["fp8_e4m3"].fraction(code)) for code in range(256) if code & 0x7F != 0x7F}, rel=1e-6
    )
    assert [code for code, text in values.items() if text == "nan"] == [0x7F, 0xFF]


def test_one_block_format_shows_its_elements(polymac):
    out = polymac("formats", "msfp12").out
    assert re.search(r"^scale rule: +floor$", out, re.MULTILINE)
    assert "The elements, e0m3:" in out
    assert cells(out, "largest") == ["largest", "0x7", "0.111", "1.75"]
    assert cells(out, "0x8") == ["0x8", "-0.0", "-0.25", "-0.5", "-0.75", "-1.0", "-1.25", "-1.5", "-1.75"]


def test_long_formats_list_no_values(polymac):
    out = polymac("formats", "fp16").out
    assert cells(out, "NaN of operations") == ["NaN of operations", "0x7e00", "0.11111.1000000000", "nan"]
    assert "+0" not in out


def test_one_format_as_json(polymac):
    (item,) = json.loads(polymac("formats", "fp4_e2m1", "--json").out)
    assert item["values"] == [
        *("0.0", "0.5", "1.0", "1.5", "2.0", "3.0", "4.0", "6.0"),
        *("-0.0", "-0.5", "-1.0", "-1.5", "-2.0", "-3.0", "-4.0", "-6.0"),
    ]
    assert {"what": "largest", "code": 7, "value": "6.0"} in item["special_codes"]
    assert item["layout"] == "bit 3 sign, bits 2…1 exponent, bit 0 fraction"
    (item,) = json.loads(polymac("formats", "fp16", "--json").out)
    assert "values" not in item
    (item,) = json.loads(polymac("formats", "mxfp4", "--json").out)
    assert len(item["values"]) == 16


@pytest.mark.parametrize("name", [*FORMATS, *BLOCK_FORMATS, "int2", "uq0.8", "uq4.4", "e11m52", "e2m0", "e0m1", "e3m4"])
def test_special_codes_are_what_they_say(name, polymac):
    assert polymac("formats", name).status == 0
    item = any_format(name)
    fmt = item.element if isinstance(item, BlockFormat) else item
    assert layout.bit_text(fmt, fmt.code_mask).replace(".", "") == "1" * fmt.width
    finite = [(what, fmt.text(code)) for what, code in fmt.landmarks]
    for what, text in finite:
        assert ("NaN" in what) == (text == "nan") and ("infinity" in what) == ("inf" in text), (what, text)
    numbers = {what: float(text) for what, text in finite if text not in ("nan", "inf", "-inf")}
    if fmt.width <= 16:
        values = [float(t) for t in map(fmt.text, range(fmt.code_count)) if t not in ("nan", "inf", "-inf")]
        assert max(numbers.values()) == max(values) and min(numbers.values()) == min(values)
        assert min(v for v in numbers.values() if v > 0) == min(v for v in values if v > 0)


def test_formulas():
    formulas = {name: format(name).formula for name in ("int8", "q2.6", "bin1", "e8m0", "e0m3", "e4m0")}
    assert formulas == {
        "int8": "i",
        "q2.6": "i · 2^-6",
        "bin1": "-1 for code 0, +1 for code 1",
        "e8m0": "2^(e - 127)",
        "e0m3": "(-1)^s · f · 2^-2",
        "e4m0": "(-1)^s · 2^(e - 7); where e = 0 (-1)^s · 0",
    }


def test_picture(polymac):
    result = polymac("formats", "fp4_e2m1", "msfp11", "--plot", "line.svg")
    assert (result.status, result.out, result.err) == (0, "line.svg\n", "")
    text = Path("line.svg").read_text()
    assert ElementTree.fromstring(text).tag.endswith("svg")
    # Collections of lines, one for normals and one for subnormals, in each of the two axes of fp4; msfp11 has none.
    collections = re.split(r'<g id="LineCollection_\d+">', text)[1:]
    lines = [part.split("</g>")[0].count("<path") for part in collections]
    # Zero has two codes, and no logarithm.
    assert lines == [14, 2, 6, 1, 8, 3]
    assert polymac("formats", "fp4_e2m1", "msfp11", "--plot", "line.svg", "--force").status == 0
    assert Path("line.svg").read_text() == text
    assert polymac("formats", "fp6_e2m3", "--plot", "line.svg", "--force").status == 0
    assert Path("line.svg").read_text() != text


def test_a_file_of_formats(polymac, monkeypatch):
    Path("mine.toml").write_text(MINE)
    assert polymac("formats", "mine").status == 2
    assert cells(polymac("formats", "mine", "int8", "--formats-file", "mine.toml").out, "mine")[-1] == "a test"
    del FORMATS["mine"]
    monkeypatch.setenv(FORMATS_VARIABLE, "mine.toml")
    assert cells(polymac("formats").out, "mine")[-1] == "a test"
    assert polymac("generate", "multiplier", "--a", "mine").status == 0
    assert "fp4_e2m1" not in Path("build/multiplier.v").read_text() and "mine" in Path("build/multiplier.v").read_text()


ERRORS = {
    "formats fp61": f"format must be one of {ALL}, not 'fp61'; did you mean fp64 or fp16 or msfp16?",
    "formats mxfp5": f"format must be one of {ALL}, not 'mxfp5'; did you mean mxfp4 or msfp15 or mxfp8_e5m2?",
    "generate multiplier --a mxfp4": "a must be a scalar format, such as the element fp4_e2m1 or the scale e8m0, "
    "or the unit dot, not the block format mxfp4",
    "formats fp16 --plot x.svg": "--plot must be of formats of at most 1024 codes, not fp16 (65536)",
    "formats int8 --plot x.png": "--plot must be a file that ends in .svg, not x.png",
    "formats --plot x.svg": "--plot must come with the names of formats, not without",
    "formats int8 --plot old.svg": "--plot must be a new file unless --force is given, not old.svg",
    "formats int8 --plot folder.svg": "--plot must be a file, not the folder folder.svg",
    "formats --formats-file none.toml": (
        "formats file must be a file that can be read, not none.toml: No such file or directory"
    ),
    "formats --formats-file bad.toml": (
        "bad.toml: in [x], kind must be one of binary, codebook, fixed, float, posit, block, not 8"
    ),
}


@pytest.mark.parametrize("command", ERRORS)
def test_errors(command, polymac, tmp_path):
    Path("old.svg").write_text("old")
    Path("folder.svg").mkdir()
    Path("bad.toml").write_text("[x]\nkind = 8\n")
    before = sorted(tmp_path.iterdir())
    result = polymac(*command.split())
    assert (result.status, result.out, result.err) == (2, "", f"polymac: {ERRORS[command]}\n")
    assert sorted(tmp_path.iterdir()) == before and Path("old.svg").read_text() == "old"


def test_a_bad_file_in_the_environment_is_an_error_everywhere(polymac, monkeypatch):
    Path("bad.toml").write_text("x = 1\n")
    monkeypatch.setenv(FORMATS_VARIABLE, "bad.toml")
    for command in ("formats", "generate multiplier --a int8"):
        result = polymac(*command.split())
        expected = f"polymac: {FORMATS_VARIABLE}: bad.toml: x must be the table of a format, not 1\n"
        assert (result.status, result.err) == (2, expected)


def test_a_bad_file_in_the_environment_of_a_new_process(tmp_path):
    """Names are looked up, and so the file is read, before there is a command."""
    environment = {**os.environ, FORMATS_VARIABLE: str(tmp_path / "none.toml")}
    command = [sys.executable, "-m", "polymac.cli.main", "formats", "int8"]
    done = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (2, "")
    text = f"formats file must be a file that can be read, not {tmp_path / 'none.toml'}: No such file or directory"
    assert done.stderr == f"polymac: {FORMATS_VARIABLE}: {text}\n"


def test_without_matplotlib(polymac, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    result = polymac("formats", "int8", "--plot", "x.svg")
    assert (result.status, result.err) == (
        2,
        "polymac: --plot must be left out where matplotlib is not installed (pip install 'polymac[plot]')\n",
    )
    assert not Path("x.svg").exists()
