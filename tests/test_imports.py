"""No two modules of the package import each other in a circle, and each layer of golden, hdl and sim only those before it.

Unlike import-linter's contracts this counts what is imported within functions and under TYPE_CHECKING as well.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
FOLDERS = ("golden", "hdl", "sim", "synth", "cli")
#: From the lowest up: a layer may import those before it; two in one entry may not import each other.
LAYERS: dict[str, list[set[str]]] = {
    "golden": [
        {"checks"},
        {"formats"},
        {"codec"},
        {"arithmetic", "sums"},
        {"quantization"},
        {"accuracy", "arrays"},
    ],
    "hdl": [
        {name} for name in ("core", "integer", "operand", "rounding", "product", "sums", "units", "arrays", "emit")
    ],
    "sim": [{"engine"}, {"expected"}, {"stimulus"}, {"units"}, {"apps", "benches", "campaigns"}],
}


def imports(sources: dict[str, str]) -> dict[str, set[str]]:
    """The modules that each module imports, by dotted names below polymac; a package is its ``__init__``."""
    return {name: set(_imported(name, text, sources)) - {name} for name, text in sources.items()}


def _imported(name: str, text: str, sources: dict[str, str]) -> Iterator[str]:
    is_package = any(other.startswith(f"{name}.") for other in sources)
    package = name.split(".") if is_package else name.split(".")[:-1]
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else ["polymac"]
            if not node.level and (node.module or "").partition(".")[0] != "polymac":
                continue
            parts = [*base, *(node.module or "").split(".")] if node.module and node.level else base
            if not node.level:
                parts = (node.module or "").split(".")[1:]
            module = ".".join(parts)
            for alias in node.names:
                # A name of a package is a module of it, or something that the package's __init__ holds.
                inner = f"{module}.{alias.name}".lstrip(".")
                if inner in sources:
                    yield inner
                elif module in sources:
                    yield module
        elif isinstance(node, ast.Import):
            for alias in node.names:
                if alias.name.startswith("polymac.") and alias.name.partition(".")[2] in sources:
                    yield alias.name.partition(".")[2]


def circle(graph: dict[str, set[str]]) -> list[str]:
    """Modules that import each other in a circle, or none."""
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return error.args[1]
    return []


@pytest.fixture(scope="module")
def sources() -> dict[str, str]:
    found = {}
    for folder in FOLDERS:
        for path in sorted((ROOT / folder).rglob("*.py")):
            parts = path.relative_to(ROOT).with_suffix("").parts
            name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
            found[name] = path.read_text(encoding="utf-8")
    return found


def test_no_modules_import_each_other_in_a_circle(sources):
    assert circle(imports(sources)) == []


def siblings(folder: str, graph: dict[str, set[str]]) -> dict[str, set[str]]:
    """Which sub-packages of a folder import which."""
    found: dict[str, set[str]] = {}
    for name, imported in graph.items():
        if name.startswith(f"{folder}."):
            here = name.split(".")[1]
            others = {other.split(".")[1] for other in imported if other.startswith(f"{folder}.")}
            found.setdefault(here, set()).update(others - {here})
    return found


@pytest.mark.parametrize("folder", FOLDERS)
def test_no_sub_packages_import_each_other_in_a_circle(folder, sources):
    assert circle(siblings(folder, imports(sources))) == []


def test_circles_of_sub_packages_are_seen():
    made = {
        "sim": "",
        "sim.a": "",
        "sim.a.x": "from ..b import y",
        "sim.b": "",
        "sim.b.y": "",
        "sim.b.z": "from ..a import x",
    }
    graph = imports(made)
    assert circle(graph) == []
    assert set(circle(siblings("sim", graph))) == {"a", "b"}


@pytest.mark.parametrize("folder", LAYERS)
def test_each_layer_imports_only_those_before_it(folder, sources):
    height = {f"{folder}.{name}": level for level, names in enumerate(LAYERS[folder]) for name in names}
    graph = imports(sources)
    found = {".".join(name.split(".")[:2]) for name in graph if name.startswith(f"{folder}.")}
    assert found == set(height)
    wrong = []
    for name, imported in graph.items():
        here = ".".join(name.split(".")[:2])
        for other in imported if here in height else ():
            there = ".".join(other.split(".")[:2])
            if there == folder or (there in height and there != here and height[there] >= height[here]):
                wrong.append(f"{name} imports {other}")
    assert wrong == []


@pytest.mark.parametrize("folder", ["hdl", "synth"])
def test_hardware_takes_formats_alone_from_golden(folder, sources):
    allowed = ("golden.formats", "golden.checks")
    wrong = [
        f"{name} imports {other}"
        for name, imported in imports(sources).items()
        for other in imported
        if name.split(".")[0] == folder and other.split(".")[0] == "golden" and not other.startswith(allowed)
    ]
    assert wrong == []


@pytest.mark.parametrize(
    "text",
    [
        "from .b import x",
        "from . import b",
        "from ..p import b",
        "from polymac.golden.p.b import x",
        "import polymac.golden.p.b",
        "def f():\n    from .b import x",
        "if TYPE_CHECKING:\n    from .b import x",
    ],
)
def test_every_way_to_import_is_seen(text):
    made = {"golden": "", "golden.p": "", "golden.p.a": text, "golden.p.b": "from .a import y"}
    graph = imports(made)
    assert graph["golden.p.a"] == {"golden.p.b"} and graph["golden.p.b"] == {"golden.p.a"}
    assert set(circle(graph)) == {"golden.p.a", "golden.p.b"}
    assert circle(imports(made | {"golden.p.a": "import numpy\nfrom numpy import a"})) == []
