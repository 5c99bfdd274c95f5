"""What the commands print and write where nothing is wrong."""

from __future__ import annotations

import functools
import json
import re
import shlex
from pathlib import Path

import click
import pytest

from polymac import golden, hdl, sim, synth
from polymac.cli import generate as generate_module
from polymac.cli import run as run_module
from polymac.cli.application import polymac as command
from polymac.sim import digits

README = (Path(__file__).resolve().parents[2] / "README.md").read_text()


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
    program, *arguments = shlex.split(line)
    assert program == "polymac"
    result = polymac(*arguments)
    assert (result.status, result.err) == (0, "")
    assert result.out
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
    assert len([line for line in out.splitlines() if ", as " in line]) == 5


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
        "polymac generate array --a int8 --b int8 --acc int32 --overflow wrap --architecture operator --rows 3 --cols 2"
    )
    assert json.loads(paths[1].read_text())["command"] == f"{command} --name gemm"


def test_generate_json(polymac):
    plain = json.loads(polymac("generate", "mac", "--a", "int4", "--json").out)
    assert plain["files"] == ["build/mac.v", "build/mac.json", "build/mac.core"]
    assert plain["metadata"] == json.loads(Path("build/mac.json").read_text())
    assert plain["exact_k"] == golden.exact_depth("int4", "int4", plain["metadata"]["parameters"]["acc"])


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
        ("dot --a fp16", "rounded to fp32 after every product in order (rne)"),
        (
            "dot --preset v100_fp16",
            "blocks of 4 aligned and truncated at 23 fraction bits, sums truncated to 23 of fp32",
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
    plain = {"passed": True, "checked": 9, "mismatches": 0, "how": "all 9", "seed": 3, "seconds": 1.0, "simulator": "S"}
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


def test_compare_table_and_json(polymac):
    result = polymac(
        "compare",
        "--formats",
        "int2,int3",
        "--architecture",
        "operator",
        "--target",
        "cmos,ice40",
        "--json",
        "areas.json",
    )
    assert (result.status, result.err) == (0, "")
    plain = json.loads(Path("areas.json").read_text())
    assert [(item["format"], item["target"]) for item in plain["results"]] == [
        ("int2", "cmos"),
        ("int2", "ice40"),
        ("int3", "cmos"),
        ("int3", "ice40"),
    ]
    small, small_lut, large, large_lut = (item["best_area"] for item in plain["results"])
    rows = [line.split() for line in result.out.splitlines() if line.startswith((" int2 ", " int3 "))]
    assert [row[0] for row in rows] == ["int2", "int3"] * 2
    ratio = f"{large['transistors'] / small['transistors']:.2f}"
    assert rows[0][1:5] == [str(small["transistors"]), str(small["gates"]), "0", "1.00"]
    assert rows[1][1:5] == [str(large["transistors"]), str(large["gates"]), "0", ratio]
    for row, record in zip(rows[2:], (small_lut, large_lut), strict=True):
        assert row[1:5] == [str(record[name]) for name in ("area_luts", "luts", "carries", "ffs")]
        assert row[5] == f"{record['area_luts'] / small_lut['area_luts']:.2f}"
    for tool, number in small["versions"].items():
        assert f"{tool} {number}" in result.out


def test_compare_says_where_it_is_not_of_like_with_like(polymac):
    arguments = ("compare", "--target", "cmos", "--architecture", "operator", "--formats")
    assert "Compared are" not in polymac(*arguments, "int2,int3").out
    exact = "Compared are the exact product for int2; a rounded product, subnormals full,"
    out = polymac(*arguments, "int2,fp4_e2m1,e2m1").out
    assert f"\n{exact} IEEE flags on, for fp4_e2m1 and e2m1.\n" in out
    out = polymac(*arguments, "int2,fp4_e2m1", "--flags", "off").out
    assert f"\n{exact} IEEE flags off, for fp4_e2m1.\n" in out
    assert "Compared are" not in polymac(*arguments, "int2,int3", "--out", "int2", "--rounding", "rne").out


def test_compare_with_a_library_names_it(polymac):
    library = synth.TARGETS["nangate45"].liberty
    assert library is not None
    result = polymac("compare", "--formats", "int2", "--liberty", library.locate())
    assert result.status == 0
    assert f"library:  {library.name}, sha256 {library.sha256}" in result.out
    plain = json.loads(polymac("compare", "--formats", "int2", "--json", "-").out)["results"][0]
    (row,) = [line for line in result.out.splitlines() if line.startswith(" int2 ")]
    delay = plain["best_delay"]
    for figure in (f"{plain['best_area']['area_um2']:.2f}", plain["best_area"]["recipe"], f"{delay['delay_ns']:.3f}"):
        assert f" {figure} " in row
    assert delay["recipe"] in row
    points = plain["pareto"]
    assert points[0]["area_um2"] == plain["best_area"]["area_um2"]
    assert points[-1]["delay_ns"] == delay["delay_ns"]
    assert list(points[0]) == ["architecture", "recipe", "area_um2", "delay_ns"]


def test_compare_with_a_delay_that_is_short_enough(polymac):
    arguments = ("compare", "--formats", "int3", "--architecture", "tree", "--max-delay")
    plain = json.loads(polymac(*arguments, "0.25", "--json", "-").out)["results"][0]
    within = plain["best_within"]
    assert within["delay_ns"] <= 0.25
    assert within["area_um2"] == min(item["area_um2"] for item in plain["records"] if item["delay_ns"] <= 0.25)
    assert any("-D 250" in command.replace(",", " ") for record in plain["records"] for command in record["commands"])
    result = polymac(*arguments, "0.25")
    (row,) = [line for line in result.out.splitlines() if line.startswith(" int3 ")]
    assert "µm² ≤ 0.25 ns" in result.out
    assert f" {within['area_um2']:.2f} " in row
    assert row.rstrip().endswith(within["recipe"])
    result = polymac(*arguments, "0.25", "--target", "ice40")
    message = "--max-delay must be left out with a target without delays, not given with ice40"
    assert (result.status, result.err) == (2, f"polymac: {message}\n")


@pytest.fixture
def network(monkeypatch):
    """Stands in for the network; the function sets its mismatches and gives the arguments of its calls."""
    calls = []

    def use(mismatches):
        plain = {"format": "int8", "test_rows": 899, "accuracy_float": 0.97, "accuracy_golden": 0.965}
        plain |= {"accuracy_rtl": 0.9655, "results_compared": 12345, "mismatches": mismatches, "cycles": 5000}
        plain |= {"utilization": 0.5, "seconds": 2.0, "simulator": "S", "seed": 0, "weights": "trained here"}
        result = digits.DigitsResult(**plain, verilog=[Path("build/array.v")])
        monkeypatch.setattr(digits, "run", lambda **how: calls.append(how) or result)
        return calls

    return use


def test_run_digits_prints_what_was_measured(polymac, network):
    calls = network(0)
    result = polymac("run", "digits", "--rows", "8", "--seed", "4", "--no-area")
    assert (result.status, result.err) == (0, "")
    assert calls == [
        {
            "format": "int8",
            "rows": 8,
            "cols": None,
            "seed": 4,
            "folder": Path("build"),
            "force": False,
            "progress": None,
        }
    ]
    assert dict(re.split(r": +", line, maxsplit=1) for line in result.out.splitlines()) == {
        "accuracy fp32": "97.00%",
        "accuracy golden": "96.50%",
        "accuracy RTL": "96.55% of 899 digits",
        "results compared": "12,345",
        "mismatches": "0",
        "cycles": "5,000",
        "array utilization": "50.0%",
        "time": "2.0 s",
        "weights": "trained here",
        "simulator": "S",
        "Verilog": "build/array.v",
    }


def test_run_digits_repeats_into_its_own_files_only(polymac, monkeypatch):
    monkeypatch.setattr(digits, "train", functools.cache(digits.train))
    arguments = ("run", "digits", "--rows", "8", "--cols", "8", "--no-area")
    assert polymac(*arguments).status == 0
    verilog = Path("build/digits_array.v")
    first = verilog.read_bytes()
    quoted = re.search(r"^// Generated by polymac \S+: polymac (.*)$", first.decode(), re.MULTILINE)
    assert quoted is not None
    # The command of the header gives the same bytes, which are no obstacle.
    assert polymac(*shlex.split(quoted[1]), "--no-area").status == 0
    for other in ([*arguments, "--cols", "3"], arguments):
        result = polymac(*other)
        assert (result.status, result.out) == (2, "")
        assert result.err == f"polymac: output must not hold digits_array.v unless --force is given, not {verilog}\n"
        verilog.write_bytes(changed := first + b"// mine\n")
    assert verilog.read_bytes() == changed
    assert polymac(*arguments, "--force").status == 0
    assert verilog.read_bytes() == first


def test_run_digits_writes_all_files_or_none(polymac):
    Path("build").mkdir()
    Path("build/digits_requantizer.core").write_text("mine")
    result = polymac("run", "digits", "--rows", "4", "--cols", "4", "--no-area")
    message = "output must not hold digits_requantizer.core unless --force is given, not build/digits_requantizer.core"
    assert (result.status, result.out, result.err) == (2, "", f"polymac: {message}\n")
    assert [(path.name, path.read_text()) for path in Path("build").iterdir()] == [("digits_requantizer.core", "mine")]


def test_run_digits_fails_on_a_mismatch(polymac, network):
    network(3)
    result = polymac("run", "digits", "--no-area", "--json")
    assert result.status == 1
    plain = json.loads(result.out)
    assert (plain["digits"]["mismatches"], plain["area"]) == (3, None)


def test_run_digits_says_where_areas_are_in_transistors(polymac, network, monkeypatch):
    network(0)
    reason = "the library is not installed"
    monkeypatch.setattr(synth.Target, "missing", lambda target: reason if target.liberty else "")
    monkeypatch.setattr(run_module, "_AREA_FORMATS", ("int2", "int3"))
    result = polymac("run", "digits")
    assert result.status == 0
    assert f"\nArea in transistors, since {reason}.\n" in result.out
    assert "multiplier on cmos" in result.out


def test_json_file_is_new(polymac, monkeypatch):
    Path("areas.json").write_text("mine")
    arguments = ("compare", "--formats", "int2", "--target", "cmos", "--json", "areas.json")
    result = polymac(*arguments)
    assert (result.status, result.out) == (2, "")
    assert result.err == "polymac: --json must be a new file unless --force is given, not areas.json\n"
    assert Path("areas.json").read_text() == "mine"
    assert polymac(*arguments, "--force").status == 0
    assert json.loads(Path("areas.json").read_text())["results"][0]["format"] == "int2"


def test_a_defect_is_not_taken_for_the_users_mistake(polymac, monkeypatch):
    def broken(*arguments, **how):
        raise TypeError("a defect")

    monkeypatch.setattr(generate_module.hdl, "generate", broken)
    with pytest.raises(TypeError, match=r"^a defect$"):
        polymac("generate", "mac")
