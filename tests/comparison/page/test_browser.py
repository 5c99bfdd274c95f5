"""The page in a real browser: contents, sorting, filter, choice, records, colours, widths, keyboard."""

from __future__ import annotations

import re

import pytest

#: Contrast of every visible text with what is behind it, by the formula of WCAG 2; the least ones first.
CONTRAST = """() => {
  const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  const rgba = (color) => {
    canvas.clearRect(0, 0, 1, 1); canvas.fillStyle = color; canvas.fillRect(0, 0, 1, 1);
    return canvas.getImageData(0, 0, 1, 1).data;
  };
  const luminance = ([r, g, b]) => {
    const [x, y, z] = [r, g, b].map((c) => (c /= 255) <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
    return 0.2126 * x + 0.7152 * y + 0.0722 * z;
  };
  const behind = (element) => {
    for (let e = element; e; e = e.parentElement) {
      const color = rgba(getComputedStyle(e).backgroundColor);
      if (color[3] === 255) return color;
    }
    return rgba(matchMedia("(prefers-color-scheme: dark)").matches ? "#000" : "#fff");
  };
  const found = [];
  for (const element of document.querySelectorAll("body *")) {
    const own = [...element.childNodes].some((node) => node.nodeType === 3 && node.textContent.trim());
    if (!own || !element.checkVisibility() || element.closest("script, style, option")) continue;
    const style = getComputedStyle(element);
    const text = luminance(rgba(element instanceof SVGElement ? style.fill : style.color));
    const back = luminance(behind(element));
    const ratio = (Math.max(text, back) + 0.05) / (Math.min(text, back) + 0.05);
    found.push([ratio, element.tagName, element.textContent.trim().slice(0, 40)]);
  }
  return found.sort((a, b) => a[0] - b[0]);
}"""


def column(page, index):
    """The texts of a column of the table, of the rows that are shown."""
    return page.locator(f"#results tbody tr:not([hidden]) > :nth-child({index})").all_inner_texts()


def place(page, title):
    """Which column, counted from 1, has this title."""
    heads = page.locator("#results thead th").all_inner_texts()
    return next(index for index, text in enumerate(heads, 1) if text.startswith(title))


def values(page, title):
    texts = column(page, place(page, title))
    return [None if text == "–" else float(text.replace(",", "")) for text in texts]


def test_what_the_rows_hold_is_there(open_page, rows):
    page = open_page()
    assert len(column(page, 1)) == len(rows)
    text = page.locator("body").text_content()
    assert "more than 120 s" in text
    assert "no energy: not measured for arrays" in text
    assert "16 products exactly, then one rounding to fp32" in text
    assert rows[0].least["library_sha256"] in text
    assert all(row.command in text for row in rows)


def test_hostile_texts_stay_texts(open_page, rows):
    page = open_page()
    assert page.title() != "broken"
    assert page.locator("img").count() == 0
    assert page.locator("script").count() == 2
    assert rows[-1].name in column(page, 1)


def test_sorting(open_page):
    page = open_page()
    head = page.locator("#results thead th").nth(place(page, "area, µm²") - 1)
    assert head.get_attribute("aria-sort") == "none"
    head.get_by_role("button").click()
    assert head.get_attribute("aria-sort") == "ascending"
    rising = values(page, "area, µm²")
    known = [value for value in rising if value is not None]
    assert known == sorted(known) and len(known) >= 5
    assert rising == [*known, *[None] * (len(rising) - len(known))]
    head.get_by_role("button").click()
    assert head.get_attribute("aria-sort") == "descending"
    assert values(page, "area, µm²") == [*reversed(known), *[None] * (len(rising) - len(known))]
    # Texts too, and the former column says that it no longer is sorted.
    page.locator("#results thead th").first.get_by_role("button").click()
    assert head.get_attribute("aria-sort") == "none"
    assert column(page, 1)[-1].startswith("mxfp4") and column(page, 1) != sorted(column(page, 1), reverse=True)


def test_filter(open_page, rows):
    page = open_page()
    page.get_by_label("Filter").fill("multiplier INT8")
    assert column(page, 1) == ["int4 × int8"]
    assert page.locator("#count").inner_text() == f"1 of {len(rows)} rows"
    page.get_by_label("Filter").fill("")
    page.get_by_label("Target").select_option("xc7")
    assert column(page, 3) == ["xc7"]


def test_choice(open_page):
    page = open_page()
    rows = page.locator("#choose-rows tbody tr")
    assert page.get_by_label("Comparison").locator("option").all_inner_texts() == ["multiplier, nangate45"]
    assert rows.count() == 4  # those with an accuracy
    page.get_by_label("Wanted, at least").fill("17.5")
    assert rows.locator("th").all_inner_texts() == ["int4", "int4 × int8"]
    answer = page.get_by_role("status").filter(has_text="remain")
    assert "Least area: int4, 60.6 µm²" in answer.inner_text()
    assert "Least energy: int4, 0.105 pJ" in answer.inner_text()
    page.get_by_label("Wanted, at least").fill("17")
    # Sums of 16 have ten times the error of those of 4096 in these rows.
    page.get_by_label("Relative error of a sum, at most").select_option("0.1")
    assert rows.count() == 0 and "None of 4 formats remains" in answer.inner_text()
    page.get_by_label("Length K of the sums").select_option("4096")
    assert rows.locator("th").all_inner_texts() == ["fp4_e2m1", "int4", "int4 × int8"]


def test_rows_and_points_open_records(open_page):
    page = open_page()
    page.locator("#results tbody a", has_text="mxfp4").click()
    name = page.url.partition("#")[2]
    assert page.evaluate("document.activeElement.id") == name
    assert page.locator(f"#{name}").is_visible()
    point = page.locator(".plot svg a").last
    href = point.get_attribute("href")
    point.click()
    assert page.evaluate("document.activeElement.id") == href[1:]
    assert page.locator(href).is_visible()
    # Closed by hand, the same link opens it again.
    page.evaluate("id => { document.querySelector(id).closest('details').open = false }", href)
    point.click()
    assert page.locator(href).is_visible()


def test_copying(open_page, rows):
    page = open_page(permissions=["clipboard-read", "clipboard-write"])
    page.locator("#results tbody a", has_text="mxfp4").click()
    page.locator("details[open] .copy").first.click()
    page.locator("details[open] .copy", has_text=re.compile("Copied|Selected")).first.wait_for()
    copied = page.evaluate("getSelection().toString() || navigator.clipboard.readText()")
    assert copied == next(row.command for row in rows if row.name == "mxfp4")


def test_without_javascript(open_page, rows):
    page = open_page(java_script_enabled=False)
    assert page.locator("#results tbody tr").count() == len(rows)
    assert page.locator(".plot svg").count() >= 4
    for locator in (page.locator("#choose"), page.locator("#filter"), page.locator(".copy").first):
        assert not locator.is_visible()
    page.locator("summary").first.click()
    assert page.locator("#r0").is_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_contrast(open_page, scheme):
    page = open_page(color_scheme=scheme)
    page.evaluate("for (const item of document.querySelectorAll('details')) item.open = true")
    found = page.evaluate(CONTRAST)
    assert len(found) > 100
    assert {"text", "TH", "A", "BUTTON", "PRE"} <= {tag for _, tag, _ in found}
    assert [item for item in found if item[0] < 4.5] == []


def test_dark_is_dark(open_page):
    back = "getComputedStyle(document.body).backgroundColor"
    plot = "getComputedStyle(document.querySelector('.plot svg [fill=white]')).fill"
    light, dark = open_page(color_scheme="light"), open_page(color_scheme="dark")
    assert light.evaluate(back) == light.evaluate(plot) == "rgb(255, 255, 255)"
    assert dark.evaluate(back) == dark.evaluate(plot) != "rgb(255, 255, 255)"


@pytest.mark.parametrize("width", [320, 390, 1400])
def test_the_page_never_scrolls_sideways(open_page, width):
    page = open_page(width)
    page.evaluate("for (const item of document.querySelectorAll('details')) item.open = true")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    # The table does, in its own box.
    assert page.evaluate("(box => box.scrollWidth > box.clientWidth)(document.querySelector('#table .scroll'))")


def test_keyboard_alone(open_page):
    page = open_page()
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    page.keyboard.press("Enter")
    focused = []
    for _ in range(60):
        page.keyboard.press("Tab")
        focused.append(page.evaluate("document.activeElement.id || document.activeElement.textContent"))
        if focused[-1].startswith("area, µm²"):
            page.keyboard.press("Enter")
        if focused[-1] == "fp4_e2m1":
            break
    assert {"filter", "target", "area, µm²"} <= set(focused)
    assert page.locator("th[aria-sort=ascending]").inner_text().startswith("area, µm²")
    outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
    assert outline == "solid"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id").startswith("r")
    # Points of plots are links with names.
    points = page.locator(".plot svg a")
    assert points.count() >= 10
    assert all(": " in label for label in points.locator("[aria-label]").evaluate_all("l => l.map(e => e.ariaLabel)"))
    points.first.focus()
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == points.first.get_attribute("href")[1:]
