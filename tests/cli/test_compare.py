"""What `polymac compare` prints and writes."""

from __future__ import annotations

import json
from pathlib import Path

from polymac import synth


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


def test_json_file_is_new(polymac, monkeypatch):
    Path("areas.json").write_text("mine")
    arguments = ("compare", "--formats", "int2", "--target", "cmos", "--json", "areas.json")
    result = polymac(*arguments)
    assert (result.status, result.out) == (2, "")
    assert result.err == "polymac: --json must be a new file unless --force is given, not areas.json\n"
    assert Path("areas.json").read_text() == "mine"
    assert polymac(*arguments, "--force").status == 0
    assert json.loads(Path("areas.json").read_text())["results"][0]["format"] == "int2"
