"""Groups, plots, labels, tables and the page's text, without a browser."""

from __future__ import annotations

import dataclasses
import json
import re
import struct
import subprocess
import sys

import pytest

from polymac.comparison import Row
from polymac.comparison.page import charts, groups, latex, markdown, page, png, svg
from polymac.comparison.page.labels import CHARACTER, FONT, place_labels
from polymac.comparison.page.plots import Point, pareto
from polymac.golden import ParameterError


def entry(rows, name="int4"):
    return next(item for group in groups(rows) for item in group.entries if item.row.name == name)


def chart(rows, group, plot):
    (found,) = (item for item in groups(rows) if item.name == group)
    return next(item for item in charts(found) if item.plot.name == plot)


def spec_of(rows, group, plot):
    found = chart(rows, group, plot).spec
    assert found is not None
    return found


def test_rows_are_grouped_by_what_may_be_compared(measured):
    found = {group.name: [item.label for item in group.entries] for group in groups(measured)}
    assert found == {
        "array, nangate45": ["int4"],
        "mac-fp32, nangate45": ["fp8_e4m3"],
        "multiplier, nangate45": ["int4", "fp4_e2m1", "int4 × int8"],
        "multiplier, xc7": ["int4"],
        "tensor-core, nangate45": ["mxfp4"],
    }
    sentences = {group.name: group.sentence for group in groups(measured)}
    assert sentences["mac-fp32, nangate45"].startswith("One product per cycle, added to an fp32 accumulator")
    assert sentences["multiplier, xc7"].startswith("Nothing besides")


def test_of_the_same_request_the_last_row_counts(measured):
    later = dataclasses.replace(measured[0], figures={"area_um2": 1.0})
    found = [item.row for group in groups([*measured, later]) for item in group.entries]
    assert len(found) == len(measured)
    assert later in found and measured[0] not in found


def test_labels_tell_rows_of_the_same_formats_apart(measured):
    request = measured[0].request
    others = [
        dataclasses.replace(measured[0], request=request | {"options": request["options"] | {"stages": stages}})
        for stages in (1, 2)
    ]
    (found,) = groups([measured[0], *others])
    assert [item.label for item in found.entries] == ["int4", "int4 stages=1", "int4 stages=2"]


@pytest.mark.parametrize(
    ("more", "expected"),
    [(True, [(1, 1), (2, 5), (4, 6)]), (False, [(1, 1)])],
)
def test_the_front_is_what_no_point_is_as_good_as(measured, more, expected):
    points = [Point(entry(measured), x, y) for x, y in [(3, 5), (2, 5), (1, 1), (4, 6), (5, 6), (2, 3)]]
    assert [(point.x, point.y) for point in pareto(points, more=more)] == expected


def test_points_are_areas_for_each_product(measured):
    found = spec_of(measured, "tensor-core, nangate45", "area-delay")
    row = next(row for row in measured if row.name == "mxfp4")
    values = found["data"]["values"]
    assert [(item["x"], item["y"]) for item in values] == [
        (item["delay_ns"], item["area_um2"] / 16) for item in row.pareto
    ]
    assert values[0]["href"] == f"#r{entry(measured, 'mxfp4').place}"


def test_of_an_array_the_whole_is_shown_not_its_processing_element(measured):
    found = spec_of(measured, "array, nangate45", "area-delay")
    figures = next(row for row in measured if row.request["unit"] == "array").figures
    assert [item["y"] for item in found["data"]["values"]] == [
        figures["area_um2"] / 64,
        figures["fast_area_um2"] / 64,
    ]


def test_a_plot_without_data_is_left_out_and_the_page_says_so(measured, rows):
    assert chart(measured, "multiplier, nangate45", "area-accuracy").spec is None
    assert "Area and accuracy: left out, no row has area and SQNR." in page(measured)
    found = chart(rows, "multiplier, nangate45", "area-accuracy")
    assert found.spec is not None and found.left_out == ["fp64"]


def test_numbers_that_no_axis_holds_are_named(rows):
    perfect = dataclasses.replace(rows[0], figures=dict(rows[0].figures) | {"sqnr_gaussian_db": float("inf")})
    again = [*rows, perfect]
    assert chart(again, "multiplier, nangate45", "area-accuracy").left_out == ["int4", "fp64"]
    assert 'data-value="Infinity"' in page(again)


def test_labels_cover_neither_points_nor_each_other():
    points = [(100.0 + 12 * (index % 3), 100.0 + 9 * index, f"fp8_e{index}m3") for index in range(6)]
    boxes = []
    for (x, y, text), (dx, dy, align) in zip(points, place_labels(points, [], [], 400, 300), strict=True):
        width = len(text) * CHARACTER
        left = x + dx - {"left": 0, "center": width / 2, "right": width}[align]
        boxes.append((left, y + dy - FONT / 2, left + width, y + dy + FONT / 2))
    for place, (left, top, right, bottom) in enumerate(boxes):
        assert left >= 0 and right <= 400
        assert not any(left < x < right and top < y < bottom for x, y, _ in points)
        for other in boxes[:place]:
            assert left >= other[2] or right <= other[0] or top >= other[3] or bottom <= other[1]


def test_pictures(rows):
    spec = spec_of(rows, "multiplier, nangate45", "area-delay")
    text = svg(spec)
    assert text.startswith("<svg ") and "area for each product, µm²" in text and ">fp4_e2m1</text>" in text
    assert "href" not in text and '<a href="#r' in svg(spec, links=True)
    image = png(spec)
    assert image[:8] == b"\x89PNG\r\n\x1a\n"
    width, height = struct.unpack(">II", image[16:24])
    assert width > 900 and height > 600
    assert png(spec) == image


def test_nothing_is_fetched_for_a_plot(rows):
    spec = spec_of(rows, "multiplier, nangate45", "area-delay") | {"data": {"url": "http://localhost:9/x.json"}}
    with pytest.raises(ValueError, match=r"http://localhost:9/x.json"):
        svg(spec)


def test_the_same_rows_give_the_same_page(rows, tmp_path):
    text = page(rows)
    assert page(rows) == text
    results = tmp_path / "rows.json"
    results.write_text(json.dumps([row.plain() for row in rows]))
    code = "import json, sys; from polymac.comparison import Row; from polymac.comparison.page import page\n"
    code += "rows = [Row(**row) for row in json.load(open(sys.argv[1]))]; sys.stdout.buffer.write(page(rows).encode())"
    other = subprocess.run([sys.executable, "-c", code, results], capture_output=True, check=True)
    assert other.stdout.decode() == text


def test_the_page_names_nothing_outside_of_it(rows):
    found = re.findall(r'(?:src|href)="([^"]*)"', page(rows[:-1]))
    assert len(found) > 20
    assert all(address.startswith("#") or address == "data:," for address in found)


def test_markdown(rows):
    lines = markdown(rows).splitlines()
    assert "### multiplier, xc7" in lines
    (line,) = (line for line in lines if line.startswith("| int4 |") and "| 18 |" in line)
    assert line == "| int4 | 1 | 18 | 0 | 0 | 4.00 | 0.0312 |  |"
    assert any(line.startswith("| fp64 |") and line.endswith("more than 120 s |") for line in lines)
    # What a row holds adds no cells and no HTML.
    (hostile,) = (line for line in lines if "broken" in line)
    assert "<" not in hostile.replace("\\<", "")
    assert len(re.findall(r"(?<!\\)\|", hostile)) == len(re.findall(r"(?<!\\)\|", lines[lines.index(hostile) - 1]))


def test_latex(rows):
    text = latex(rows)
    assert text.count(r"\begin{tabular}") == text.count(r"\end{tabular}") == 5
    assert r"int4 $\times$ int8 & 1 & 141.51 &" in text
    assert r"fp4\_e2m1 &" in text and r"area, \textmu{}m\textsuperscript{2}" in text
    # One unescaped & between cells, in every line alike.
    for table in text.split(r"\begin{tabular}")[1:]:
        counts = {len(re.findall(r"(?<!\\)&", line)) for line in table.splitlines() if line.endswith(r"\\")}
        assert len(counts) == 1


def test_a_row_needs_no_figures():
    row = Row("x", {"unit": "mac", "options": {}, "target": "none", "preset": ""}, "polymac")
    assert "Area and delay: left out, no row has area and delay." in page([row])
    assert "| x |" in markdown([row])


@pytest.mark.parametrize(
    ("module", "message"),
    [
        ("jinja2", r"--html must be left out where Jinja2 is not installed \(pip install 'polymac\[page\]'\)"),
        ("vl_convert", r"plots must be left out where vl-convert is not installed \(pip install 'polymac\[page\]'\)"),
    ],
)
def test_what_is_not_installed(monkeypatch, measured, module, message):
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ParameterError, match=message):
        page(measured)
