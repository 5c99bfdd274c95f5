"""What `polymac compare` prints and writes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from polymac import comparison, synth
from polymac.comparison.export import read_rows


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
    assert [(item["name"], item["request"]["target"]) for item in plain["rows"]] == [
        ("int2", "cmos"),
        ("int3", "cmos"),
        ("int2", "ice40"),
        ("int3", "ice40"),
    ]
    small, large, small_lut, large_lut = (item["least"] for item in plain["rows"])
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
    plain = json.loads(polymac("compare", "--formats", "int2", "--json", "-").out)["rows"][0]
    (row,) = [line for line in result.out.splitlines() if line.startswith(" int2 ")]
    delay = plain["fast"]
    for figure in (f"{plain['least']['area_um2']:.2f}", plain["least"]["recipe"], f"{delay['delay_ns']:.3f}"):
        assert f" {figure} " in row
    assert delay["recipe"] in row
    points = plain["pareto"]
    assert points[0]["area_um2"] == plain["least"]["area_um2"]
    assert points[-1]["delay_ns"] == delay["delay_ns"]
    assert list(points[0]) == ["architecture", "recipe", "area_um2", "delay_ns"]


def test_compare_with_a_delay_that_is_short_enough(polymac):
    arguments = ("compare", "--formats", "int3", "--architecture", "tree", "--max-delay")
    plain = json.loads(polymac(*arguments, "0.25", "--json", "-").out)["rows"][0]
    within = plain["within"]
    assert within["delay_ns"] <= 0.25
    assert within["area_um2"] == min(item["area_um2"] for item in plain["pareto"] if item["delay_ns"] <= 0.25)
    assert any("-D 250" in command.replace(",", " ") for command in within["commands"])
    result = polymac(*arguments, "0.25")
    (row,) = [line for line in result.out.splitlines() if line.startswith(" int3 ")]
    assert "µm² ≤ delay" in result.out
    assert f" {within['area_um2']:.2f} " in row and f" {within['recipe']} " in row
    result = polymac(*arguments, "0.25", "--target", "ice40")
    message = "--max-delay must be left out with a target without delays, not given with ice40"
    assert (result.status, result.err) == (2, f"polymac: {message}\n")


def test_json_file_is_new(polymac, monkeypatch):
    Path("areas.json").write_text("mine")
    arguments = ("compare", "--formats", "int2", "--target", "cmos", "--json", "areas.json")
    result = polymac(*arguments)
    assert (result.status, result.out) == (2, "")
    assert result.err == "polymac: --json must be a new file unless --force is given, not areas.json\n"
    assert Path("areas.json").read_text() == "mine"
    assert polymac(*arguments, "--force").status == 0
    assert json.loads(Path("areas.json").read_text())["rows"][0]["name"] == "int2"


def rows_of(polymac, *arguments: str) -> list[dict]:
    result = polymac("compare", *arguments, "--json", "-")
    assert (result.status, result.err) == (0, "")
    return json.loads(result.out)["rows"]


def test_two_lists_of_formats_and_the_row_that_others_are_compared_with(polymac):
    arguments = ("--a", "int3,int2", "--b", "int2", "--target", "ice40", "--architecture", "operator")
    rows = rows_of(polymac, *arguments)
    assert [row["name"] for row in rows] == ["int3 × int2", "int2"]
    assert [row["figures"]["bits_a"] for row in rows] == [3.0, 2.0]
    result = polymac("compare", *arguments, "--relative-to", "int2")
    ratio = rows[0]["figures"]["area_luts"] / rows[1]["figures"]["area_luts"]
    assert f" {ratio:.2f} " in next(line for line in result.out.splitlines() if line.startswith(" int3 × int2 "))
    assert rows[0]["command"] == (
        "polymac compare --unit multiplier --a int3 --b int2 --architecture operator --target ice40"
    )


def test_energy_names_its_operands(polymac):
    arguments = ("--formats", "int2", "--architecture", "tree")
    gaussian, uniform = (rows_of(polymac, *arguments, "--activity", name)[0]["figures"] for name in comparison.SOURCES)
    assert gaussian["activity"] == "gaussian"
    assert 0 < gaussian["energy_pj"] <= gaussian["energy_glitch_pj"]
    assert gaussian["energy_09v_pj"] == pytest.approx(gaussian["energy_pj"] * (0.9 / 1.1) ** 2, abs=1e-6)
    assert uniform["activity"] == "uniform" and uniform["energy_pj"] != gaussian["energy_pj"]
    loaded = rows_of(polymac, *arguments, "--wire-cap", "5")[0]["figures"]
    assert loaded["energy_pj"] > gaussian["energy_pj"]


def test_delays_make_a_front(polymac):
    arguments = ("--formats", "int2", "--architecture", "tree", "--activity", "none")
    front, plain = rows_of(polymac, *arguments, "--delays", "0.07,0.1"), rows_of(polymac, *arguments)
    assert "energy_pj" not in plain[0]["figures"]
    points = front[0]["pareto"]
    assert [item["area_um2"] for item in points] == sorted(item["area_um2"] for item in points)
    assert [item["delay_ns"] for item in points] == sorted((item["delay_ns"] for item in points), reverse=True)
    assert len(points) > len(plain[0]["pareto"])


def test_a_matched_comparison_says_what_is_equal_and_what_is_not(polymac):
    result = polymac(
        "compare", "--preset", "tensor-core", "--formats", "int2,fp4_e2m1", "--target", "cmos", "--lanes", "2"
    )
    assert result.status == 2  # lanes of the preset's aligned sum
    result = polymac("compare", "--preset", "mac-fp32", "--formats", "int2,fp4_e2m1", "--target", "ice40")
    assert (result.status, result.err) == (0, "")
    assert "mac-fp32: One product per cycle, added to an fp32 accumulator with one rounding" in result.out
    for line in result.out.splitlines():
        if line.startswith(("int2: ", "fp4_e2m1: ")):
            assert "acc=fp32" in line
    result = polymac("compare", "--formats", "int2,fp4_e2m1", "--unit", "mac", "--target", "ice40")
    assert "Compared are sums in int20 for int2; sums in fp32 for fp4_e2m1." in result.out


def test_rows_are_written_for_the_report(polymac):
    arguments = ("compare", "--formats", "int2", "--target", "ice40", "--accuracy")
    result = polymac(*arguments, "--output", "a.json", "--output", "a.csv", "--html", "a.html")
    assert (result.status, result.err) == (0, "")
    assert "SQNR dB" in result.out
    assert [row.name for row in read_rows("a.json")] == [row.name for row in read_rows("a.csv")] == ["int2"]
    assert "<html" in Path("a.html").read_text()
    result = polymac(*arguments, "--output", "a.json")
    assert result.err == "polymac: --output must be a new file unless --force is given, not a.json\n"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("--preset mac", "--preset must be one of mac-exact, mac-fp32, tensor-core, horowitz, published, not 'mac'"),
        ("--preset mac-fp32 --unit dot", "--unit must be left out with a preset, which has its own, not 'dot'"),
        ("--formats int2 --a int3", "--formats must be left out where --a or --b is given, not given as well"),
        (
            "--preset horowitz --a int3",
            "--formats, --a and --b must be left out with --preset horowitz, which has its own",
        ),
        ("--b int3", "--a must be given where --b is, not left out"),
        ("--activity loud", "--activity must be one of gaussian, uniform, none, not 'loud'"),
        ("--delays 1,x", "--delays must be numbers of nanoseconds, not '1,x'"),
        ("--formats int2 --relative-to int3", "--relative-to must be one of int2, not 'int3'"),
        (
            "--formats int2 --target ice40 --delays 1",
            "--delays must be left out with a target without delays, not given with ice40",
        ),
    ],
)
def test_wrong_options(polymac, arguments, message):
    result = polymac("compare", *arguments.split())
    assert (result.status, result.out) == (2, "")
    assert result.err == f"polymac: {message}\n"
