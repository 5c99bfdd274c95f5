"""What the commands print and write where nothing is wrong."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import click
import pytest

from polymac import golden, hdl, sim
from polymac.cli import generate as generate_module
from polymac.cli.application import polymac as command
from polymac.comparison.export import read_rows, write_rows

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text()
FIGURES = ROOT / "docs" / "figures"


def examples() -> list[str]:
    """Every command line under "Examples:" in every --help."""

    def walk(item: click.Command, context: click.Context) -> list[str]:
        text = item.get_help(context).partition("Examples:\n")[2]
        found = [line.strip() for line in text.splitlines() if line.strip()]
        assert found, f"{context.command_path} --help has no example"
        if isinstance(item, click.Group):
            for name, below in item.commands.items():
                found += walk(below, click.Context(below, context, name))
        return found

    return walk(command, click.Context(command, info_name="polymac"))


#: Those that the README has as well are run by its own test.
README = (Path(__file__).resolve().parents[2] / "README.md").read_text()


@pytest.mark.parametrize("line", [line for line in dict.fromkeys(examples()) if f"\n{line}\n" not in README])
def test_examples_of_help(polymac, line):
    # What the examples of `polymac sweep` read.
    Path("formats.toml").write_text('[grid]\na = ["int2", "int3"]\ntarget = "ice40"\n')
    program, *arguments = shlex.split(line)
    if arguments[:1] == ["report"]:
        rows = read_rows(FIGURES / "front.csv")
        for name in ("results.json", "macs.json", "arrays.parquet"):
            write_rows(name, rows)
    assert program == "polymac"
    result = polymac(*arguments)
    assert (result.status, result.err) == (0, "")
    assert result.out or "--html" in arguments
    if "--json" in arguments:
        json.loads(result.out)


def test_alone_shows_first_steps(polymac):
    result = polymac()
    assert result.status == 0
    lines = re.findall(r"^  (polymac .*?)  ", result.out, re.MULTILINE)
    assert {line.split()[1] for line in lines} == set(command.commands)
    # The examples of --help run above, the README's in a test of its own.
    assert set(lines) <= {*examples(), *re.findall(r"^(?:\$ )?(polymac .*)", README, re.MULTILINE)}


def test_version(polymac):
    assert re.fullmatch(r"polymac \d+\.\d+\.\d+\n", polymac("--version").out)


def test_formats_json_has_every_format(polymac):
    listed = json.loads(polymac("formats", "--json").out)
    assert [item["name"] for item in listed] == [*golden.FORMATS, *golden.BLOCK_FORMATS]
    fp16 = next(item for item in listed if item["name"] == "fp16")
    assert (fp16["max"], fp16["min_normal"], fp16["min_positive"]) == (65504.0, 2.0**-14, 2.0**-24)
    assert fp16["specials"] == ["-0", "Inf", "NaN"]
    (int64,) = json.loads(polymac("formats", "int64", "--json").out)
    assert int64["max"] == 2**63 - 1


def test_formats_table_is_whole_and_plain_when_piped(polymac):
    out = polymac("formats").out
    assert "\x1b" not in out and "…" not in out
    for name, item in golden.FORMATS.items():
        (row,) = [line for line in out.splitlines() if line.split()[:1] == [name]]
        assert item.source in row
    assert len([line for line in out.splitlines() if ", as " in line]) == 7


def test_generate_writes_what_it_says(polymac, tmp_path):
    result = polymac("generate", "array", "--a", "int8", "--rows", "3", "--cols", "2", "--name", "gemm")
    paths = [Path("build", f"gemm.{end}") for end in ("v", "json", "core")]
    assert result.out.splitlines() == [
        *map(str, paths),
        "latency:     6 clock cycles",
        "throughput:  one beat of a and b per clock cycle while K/lanes ≥ rows",
        "accumulator: int32, exact for K up to 131,071 products",
    ]
    assert sorted(path.name for path in (tmp_path / "build").iterdir()) == sorted(path.name for path in paths)
    command = (
        "polymac generate array --a int8 --b int8 --acc int32 --overflow wrap --lanes 1 --architecture operator"
        " --rows 3 --cols 2 --name gemm"
    )
    assert json.loads(paths[1].read_text())["command"] == command


def test_generate_json(polymac):
    plain = json.loads(polymac("generate", "mac", "--a", "int4", "--json").out)
    assert plain["files"] == ["build/mac.v", "build/mac.json", "build/mac.core"]
    assert plain["metadata"] == json.loads(Path("build/mac.json").read_text())
    assert plain["exact_k"] == golden.exact_k("int4", "int4", plain["metadata"]["parameters"]["acc"])


def test_defaults_give_the_same_bytes_as_the_options_that_say_them(polymac):
    assert polymac("generate", "array", "--rows", "2", "--output", "first").status == 0
    said = ("--cols", "16", "--b", "int8", "--stages", "0", "--a", "int8", "--dataflow", "os", "--name", "array")
    assert polymac("generate", "array", "--rows", "2", *said, "--output", "second").status == 0
    for path in Path("first").iterdir():
        assert path.read_bytes() == Path("second", path.name).read_bytes()


@pytest.mark.parametrize(
    "line",
    [
        "multiplier --a fp16 --rounding rtz --subnormals flush --flags off --stages 2 --name mul",
        "multiplier --a uint4 --b q3.2 --out int6 --overflow wrap",
        "multiplier --formats fp8_e4m3,fp8_e5m2 --rounding port --random-bits 4 --stages 3 --valid --name both",
        "multiplier --a fp8_e4m3 --b int4 --out unpacked --subnormals flush --architecture auto --target ice40",
        "mac --a int4 --max-k 100 --lanes 2",
        "mac --a fp4_e2m1 --acc exact:rtz --out bf16 --max-k 64 --interleave 2",
        "dot --preset h100_e4m3 --stages 2",
        "dot --a nvfp4 --b mxfp4 --lanes 8 --sparse --addend off",
        "requantizer --acc int24 --relu --stages 1",
        "array --a int4 --rows 2 --cols 2 --dataflow os --acc int12 --overflow saturate",
    ],
)
def test_the_command_in_the_header_gives_the_same_bytes(polymac, tmp_path, line):
    assert polymac("generate", *line.split(), "--output", "first").status == 0
    (core,) = Path("first").glob("*.v")
    quoted = re.search(r"^// Generated by polymac \S+: (.*)$", core.read_text(), re.MULTILINE)
    assert quoted and str(tmp_path) not in core.read_text()
    program, *arguments = shlex.split(quoted[1])
    assert program == "polymac" and polymac(*arguments, "--output", "second").status == 0
    for path in Path("first").iterdir():
        assert path.read_bytes() == Path("second", path.name).read_bytes()


def test_options_of_a_unit_reach_it(polymac):
    assert polymac("generate", "multiplier", "--a", "bf16", "--flags", "off", "--rounding", "rup").status == 0
    parameters = json.loads(Path("build/multiplier.json").read_text())["parameters"]
    assert parameters == hdl.Multiplier(a="bf16", b="bf16", flags=False, rounding="rup").parameters


def test_architecture_auto_says_what_was_chosen(polymac):
    chosen = hdl.Multiplier(a="int12", b="int12", architecture="auto", target="ecp5").architecture
    result = polymac("generate", "multiplier", "--a", "int12", "--architecture", "auto", "--target", "ecp5")
    assert result.out.splitlines()[-1] == f"architecture: {chosen}"
    assert json.loads(Path("build/multiplier.json").read_text())["parameters"]["architecture"] == chosen
    assert "architecture" not in polymac("generate", "multiplier", "--force").out


@pytest.mark.parametrize(
    ("line", "accumulator"),
    [
        ("mac --a fp16 --acc exact", "100 bits, exact for K up to 65,536 products"),
        ("mac --a int8 --acc int20", "int20, exact for K up to 31 products"),
        ("dot --a fp4_e2m1 --lanes 4 --acc exact", "11 bits, exact for K up to 4 products"),
        ("dot --a mxfp4 --lanes 32 --acc exact", "14 bits, exact for K up to 32 products"),
        ("dot --a fp16", "rounded to fp32 after every product in order (rne)"),
        (
            "dot --preset v100_fp16",
            "blocks of 4 aligned and truncated at 23 fraction bits, sums truncated to 23 of fp32",
        ),
        (
            "array --a fp8_e4m3 --b fp8_e5m2 --acc aligned:32:13 --dataflow ws --rows 2 --cols 2",
            "blocks of 32 aligned and truncated at 13 fraction bits, sums truncated to 23 of fp32",
        ),
    ],
)
def test_generate_says_what_the_accumulator_is(polymac, line, accumulator):
    result = polymac("generate", *line.split())
    assert result.status == 0
    assert f"accumulator: {accumulator}\n" in result.out
    plain = json.loads(polymac("generate", *line.split(), "--force", "--json").out)
    bits, exact_k = (re.search(text, accumulator) for text in (r"^(\d+) bits", r"K up to ([\d,]+)"))
    assert bits is None or plain["accumulator_bits"] == int(bits[1])
    assert plain["exact_k"] == (int(exact_k[1].replace(",", "")) if exact_k else None)


def test_presets(polymac):
    listed = json.loads(polymac("presets", "--json").out)
    assert [item["name"] for item in listed] == list(golden.PRESETS)
    for item in listed:
        preset = golden.preset(item["name"])
        assert [item[key] for key in ("a", "b", "out", "lanes", "source")] == [
            getattr(preset, key) for key in ("a", "b", "out", "lanes", "source")
        ]
    assert {item["name"]: item["acc"] for item in listed}["h100_e4m3"] == "aligned:32:13:13"
    table = polymac("presets").out
    for item in listed:
        (row,) = [line for line in table.splitlines() if line.split()[:1] == [item["name"]]]
        assert item["acc"] in row and item["source"] in row


def test_force_overwrites(polymac):
    assert polymac("generate", "mac", "--a", "int4").status == 0
    assert polymac("generate", "mac", "--a", "int8", "--force").status == 0
    assert json.loads(Path("build/mac.json").read_text())["parameters"]["a"] == "int8"


def _verification(**changes):
    plain = {
        "passed": True,
        "checked": 9,
        "mismatches": 0,
        "coverage": "all 9",
        "seed": 3,
        "seconds": 1.0,
        "simulator": "S",
    }
    return sim.Verification(**plain | changes)


def test_verify_passes_on_what_is_asked(polymac, monkeypatch):
    calls = []
    monkeypatch.setattr(sim, "verify", lambda unit, **how: calls.append((unit, how)) or _verification())
    result = polymac("verify", "multiplier", "--a", "int4", "--seed", "3", "--vectors", "9", "--waves")
    assert result.status == 0 and result.out.startswith("PASSED: multiplier, all 9\n")
    ((unit, how),) = calls
    assert unit.parameters == hdl.Multiplier(a="int4", b="int4").parameters
    assert how == {
        "vectors": 9,
        "seed": 3,
        "exhaustive": False,
        "simulator": None,
        "waves": True,
        "folder": Path("build"),
        "progress": None,
    }


def test_verify_fails_with_status_1_and_says_how_to_repeat(polymac, monkeypatch):
    command = "polymac verify multiplier --a int4 --b int4 --architecture operator --seed 3"
    failed = _verification(passed=False, mismatches=2, details=["a=1 b=2: 3, not 2"], reproduce=command)
    monkeypatch.setattr(sim, "verify", lambda unit, **how: failed)
    arguments = ("verify", "multiplier", "--a", "int4", "--seed", "3")
    result = polymac(*arguments)
    assert result.status == 1 and result.out.startswith("FAILED: multiplier, all 9\n")
    assert f"reproduce:  {command}\n" in result.out
    assert result.out.endswith("  a=1 b=2: 3, not 2\n")
    result = polymac(*arguments, "--json")
    assert result.status == 1
    plain = json.loads(result.out)
    assert plain["details"] == failed.details
    assert plain["reproduce"] == command


def test_a_defect_is_not_taken_for_the_users_mistake(polymac, monkeypatch):
    def broken(*arguments, **how):
        raise TypeError("a defect")

    monkeypatch.setattr(generate_module.hdl, "generate", broken)
    with pytest.raises(TypeError, match=r"^a defect$"):
        polymac("generate", "mac")
