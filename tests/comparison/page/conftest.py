"""Measured rows, with accuracies as a later measurement adds them, and the page in a headless browser."""

from __future__ import annotations

import dataclasses
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from polymac.comparison import Row
from polymac.comparison.export import read_rows
from polymac.comparison.page import page

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

#: Rows as `polymac` measured them: multipliers, MACs, a dot product, an array and an FPGA; without Verilog.
MEASURED = Path(__file__).with_name("rows.json")
#: What would break out of the page if it were not escaped.
HOSTILE = "</script><script>document.title = 'broken'</script><img src=x onerror=\"document.title='broken'\">"
_SQNR = {"int4": 18.5, "fp4_e2m1": 17.1, "int4 × int8": 18.5}


@pytest.fixture
def measured() -> list[Row]:
    """The rows as they were measured: none has an accuracy."""
    return read_rows(MEASURED)


@pytest.fixture(scope="session")
def rows() -> list[Row]:
    """Multipliers have accuracies; one row failed; one has texts that are HTML."""
    found = []
    for row in read_rows(MEASURED):
        figures = dict(row.figures)
        if row.request["unit"] == "multiplier" and row.request["target"] == "nangate45":
            figures["sqnr_gaussian_db"] = _SQNR[row.name]
            figures["sum_error_16"] = 10 ** -(_SQNR[row.name] / 20)
            figures["sum_error_4096"] = figures["sum_error_16"] / 10
        found.append(dataclasses.replace(row, figures=figures))
    request = found[0].request
    failed = {"request": request | {"options": {"a": "fp64"}}, "command": "polymac compare --a fp64"}
    found.append(Row("fp64", **failed, error="more than 120 s"))
    hostile = {"request": request | {"options": {"a": HOSTILE}}, "command": HOSTILE, "verilog": f"// {HOSTILE}\n"}
    figures = dict(found[0].figures) | {"activity": HOSTILE, "sqnr_gaussian_db": 5.0}
    found.append(Row(HOSTILE, **hostile, figures=figures, notes=[HOSTILE], differs=HOSTILE, computes=HOSTILE))
    return found


@pytest.fixture(scope="session")
def path(rows: list[Row], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file of the page."""
    found = tmp_path_factory.mktemp("page") / "results.html"
    found.write_text(page(rows), encoding="utf-8")
    return found


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """An installed Chromium without a window."""
    sync_api = pytest.importorskip("playwright.sync_api", reason="the extra browser is not installed: no playwright")
    name = os.environ.get("POLYMAC_CHROMIUM") or next(filter(None, map(shutil.which, ("chromium", "chrome"))), None)
    if name is None:
        pytest.skip("no Chromium is installed (or POLYMAC_CHROMIUM names none)")
    with sync_api.sync_playwright() as playwright:
        # Chromium refuses to run as root with its sandbox; the page is our own.
        found = playwright.chromium.launch(executable_path=name, args=["--no-sandbox"])
        yield found
        found.close()


Open = Callable[..., "Page"]


@pytest.fixture
def open_page(browser: Browser, path: Path) -> Iterator[Open]:
    """Opens the page with the options of a browser context; in the end, there was no error and no request."""
    contexts, errors, requests = [], [], []

    def call(width: int = 1400, height: int = 900, **options: object) -> Page:
        context = browser.new_context(viewport={"width": width, "height": height}, **options)  # pyright: ignore[reportArgumentType]
        contexts.append(context)
        opened = context.new_page()
        opened.on("console", lambda message: errors.append(message.text))
        opened.on("pageerror", lambda error: errors.append(str(error)))
        opened.on("request", lambda request: requests.append(request.url))
        opened.goto(path.as_uri())
        return opened

    yield call
    for context in contexts:
        context.close()
    assert errors == []
    assert {url.partition("#")[0] for url in requests if not url.startswith("data:,")} <= {path.as_uri()}
