"""Formats of a user's: registered from Python, from a TOML file, from the environment."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from polymac import golden, hdl
from polymac.golden.formats import (
    BLOCK_FORMATS,
    FORMATS,
    FORMATS_VARIABLE,
    BlockFormat,
    Format,
    ParameterError,
    any_format,
    block_format,
    load_formats,
    register,
)
from polymac.golden.formats import registry as names

FILE = """
[mx_mine]
kind = "block"
element = "float8_mine"
scale = "e8m0"
block_size = 8
rounding = "rna"
source = "a test"

[float8_mine]
kind = "float"
width = 8
frac_bits = 4
bias = 2
nan_codes = [0x7e, 0x7f]
inf_code = 0x7d

[fixed_mine]
kind = "fixed"
width = 6
frac_bits = 8
"""
MINE = Format("float8_mine", "float", 8, 4, bias=2, inf_code=0x7D, nan_codes=range(0x7E, 0x80))
FIXED = Format("fixed_mine", "fixed", 6, 8)
BLOCK = BlockFormat("mx_mine", MINE, FORMATS["e8m0"], 8, rounding="rna", source="a test")


@pytest.fixture(autouse=True)
def catalogue(monkeypatch):
    """Leaves the catalogue as it was."""
    scalars, blocks = dict(FORMATS), dict(BLOCK_FORMATS)
    monkeypatch.delenv(FORMATS_VARIABLE, raising=False)
    monkeypatch.setattr(names, "_environment", "")
    yield
    FORMATS.clear()
    FORMATS.update(scalars)
    BLOCK_FORMATS.clear()
    BLOCK_FORMATS.update(blocks)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "mine.toml"
    path.write_text(FILE)
    return path


def test_a_registered_format_works_where_a_name_works():
    assert register(MINE) is MINE
    assert golden.format("float8_mine") is any_format("float8_mine") is MINE
    assert golden.encode([1.5], "float8_mine").tolist() == [(2 << 4) + 8]
    assert golden.multiply([0x28], [0x20], "float8_mine", "float8_mine").tolist() == [0x28]
    assert "module mul" in hdl.generate(hdl.Multiplier(a="float8_mine", b="float8_mine"), "mul").verilog
    register(BLOCK)
    assert block_format("mx_mine") is BLOCK
    # The same again changes nothing.
    register(Format("float8_mine", "float", 8, 4, bias=2, inf_code=0x7D, nan_codes=range(0x7E, 0x80)))
    assert golden.format("float8_mine") is MINE


@pytest.mark.parametrize(
    ("fmt", "message"),
    [
        (Format("fp16", "fixed", 8), "name must be new, not 'fp16', which is another format"),
        (Format("mxfp4", "fixed", 8), "name must be new, not 'mxfp4', which is another format"),
        (Format("int7", "fixed", 8), "name must be new, not 'int7', which is another format"),
        (Format("e99m1", "fixed", 8), "name must be new, not 'e99m1', which is another format"),
        (BlockFormat("int8", MINE, FORMATS["e8m0"], 8), "name must be new, not 'int8', which is another format"),
        (Format("my format", "fixed", 8), "name must be a letter and up to 39 letters, digits and _, not 'my format'"),
        (Format("8bit", "fixed", 8), "name must be a letter and up to 39 letters, digits and _, not '8bit'"),
    ],
)
def test_names_that_cannot_be_registered(fmt, message):
    with pytest.raises(ParameterError) as error:
        register(fmt)
    assert str(error.value) == message
    assert fmt.name not in FORMATS or FORMATS[fmt.name] != fmt


def test_register_takes_formats_alone():
    with pytest.raises(TypeError) as error:
        register("fp16")  # pyright: ignore[reportArgumentType]
    assert str(error.value) == "fmt must be a Format or a BlockFormat, not 'fp16'"


def test_a_file_says_what_python_says(file):
    assert load_formats(file) == [BLOCK, MINE, FIXED]
    assert (block_format("mx_mine"), golden.format("float8_mine"), golden.format("fixed_mine")) == (BLOCK, MINE, FIXED)
    assert load_formats(file) == [BLOCK, MINE, FIXED]


def test_the_environment_names_files(file, tmp_path, monkeypatch):
    second = tmp_path / "second.toml"
    second.write_text('[mx_second]\nkind = "block"\nelement = "float8_mine"\nscale = "e8m0"\nblock_size = 4\n')
    monkeypatch.setenv(FORMATS_VARIABLE, f"{file}{os.pathsep}{second}")
    assert golden.format("float8_mine") == MINE
    assert block_format("mx_second").element == MINE


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_worker_processes_know_the_environments_formats(file, tmp_path, method):
    script = tmp_path / "workers.py"
    script.write_text(
        "import multiprocessing\n"
        "from polymac import golden\n"
        "if __name__ == '__main__':\n"
        f"    with multiprocessing.get_context({method!r}).Pool(1) as pool:\n"
        "        print(pool.map(golden.format, ['float8_mine'])[0].bias)\n"
    )
    environment = {**os.environ, FORMATS_VARIABLE: str(file)}
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, check=False, env=environment)
    assert (done.stdout, done.returncode) == ("2\n", 0), done.stderr


ERRORS = {
    "toml": (
        "[x\n",
        "formats file must be TOML, not this: Expected ']' at the end of a table declaration (at line 1, column 3)",
    ),
    "no table": ("x = 3\n", "x must be the table of a format, not 3"),
    "no kind": (
        "[x]\nwidth = 8\n",
        "in [x], kind must be one of binary, codebook, fixed, float, posit, block, not None",
    ),
    "kind": (
        '[x]\nkind = "int"\n',
        "in [x], kind must be one of binary, codebook, fixed, float, posit, block, not 'int'",
    ),
    "key": (
        '[x]\nkind = "float"\nwidth = 8\nfraction = 3\n',
        "in [x], key must be one of kind, width, source, frac_bits, signed, bias, subnormals, inf_code, nan_codes, "
        "negative_zero, not 'fraction'",
    ),
    "no width": ('[x]\nkind = "fixed"\n', "in [x], width must be given, not left out"),
    "wrong kind": ('[x]\nkind = "fixed"\nwidth = "8"\n', "in [x], width must be an integer, not '8'"),
    "range": ('[x]\nkind = "fixed"\nwidth = 0\n', "in [x], width must be in 1 … 16384, not 0"),
    "nan": (
        '[x]\nkind = "float"\nwidth = 8\nnan_codes = [1, 2, 3]\n',
        "in [x], nan_codes must be the first and the last code, not [1, 2, 3]",
    ),
    "contradiction": (
        '[x]\nkind = "binary"\nwidth = 2\n',
        "in [x], width must be 1 in a binary format, not 2",
    ),
    "element": (
        '[x]\nkind = "block"\nelement = "fp5"\nscale = "e8m0"\nblock_size = 8\n',
        "in [x], element must be the name of a scalar format, not 'fp5'",
    ),
    "scale": (
        '[x]\nkind = "block"\nelement = "int8"\nscale = 8\nblock_size = 8\n',
        "in [x], scale must be the name of a scalar format, not 8",
    ),
    "no element": ('[x]\nkind = "block"\nblock_size = 8\n', "in [x], element must be given, not left out"),
    "block key": (
        '[x]\nkind = "block"\nwidth = 8\n',
        "in [x], key must be one of element, scale, block_size, tensor_scale, scale_rule, rounding, symmetric, zero_scale, "
        "source, not 'width'",
    ),
    "parametric": (
        '[x]\nkind = "block"\nelement = "int99"\nscale = "e8m0"\nblock_size = 8\n',
        "in [x], the width of int99 must be in 2 … 64, not 99",
    ),
    "clash": (
        '[fine]\nkind = "fixed"\nwidth = 7\n[fp16]\nkind = "fixed"\nwidth = 8\n',
        "name must be new, not 'fp16', which is another format",
    ),
}


@pytest.mark.parametrize("case", ERRORS)
def test_files_that_say_no_format(case, tmp_path, monkeypatch):
    path = tmp_path / "bad.toml"
    text, message = ERRORS[case]
    path.write_text(text)
    before = (dict(FORMATS), dict(BLOCK_FORMATS))
    with pytest.raises(ParameterError) as error:
        load_formats(path)
    assert str(error.value) == f"{path}: {message}"
    assert before == (FORMATS, BLOCK_FORMATS)
    monkeypatch.setenv(FORMATS_VARIABLE, str(path))
    for _ in range(2):  # it stays an error
        with pytest.raises(ParameterError) as error:
            golden.format("fp16")
        assert str(error.value) == f"{FORMATS_VARIABLE}: {path}: {message}"


def test_files_that_cannot_be_read(tmp_path):
    missing, binary = tmp_path / "missing.toml", tmp_path / "binary.toml"
    binary.write_bytes(b"\xff")
    for path, message in (
        (missing, f"formats file must be a file that can be read, not {missing}: No such file or directory"),
        (tmp_path, f"formats file must be a file that can be read, not {tmp_path}: Is a directory"),
        (
            binary,
            f"{binary}: formats file must be TOML, not this: "
            "'utf-8' codec can't decode byte 0xff in position 0: invalid start byte",
        ),
    ):
        with pytest.raises(ParameterError) as error:
            load_formats(path)
        assert str(error.value) == message
