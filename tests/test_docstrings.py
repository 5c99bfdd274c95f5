"""Docstrings: each public name has an example, which gives what is shown there; references are to what exists."""

from __future__ import annotations

import ast
import dataclasses
import doctest
import inspect
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from amaranth.hdl import signed

from polymac import golden, hdl, sim, synth
from polymac.golden.formats import BLOCK_FORMATS, FORMATS

PACKAGES: dict[str, ModuleType] = {"golden": golden, "hdl": hdl, "sim": sim, "synth": synth}
#: What an example finds without importing it.
NAMES: dict[str, Any] = PACKAGES | {
    "np": np,
    "Path": Path,
    "dataclasses": dataclasses,
    "signed": signed,
    "tempfile": tempfile,
}
#: Names without an example: errors, what only functions with an example return, the protocols and entries that a caller
#: writes for a unit of his own, and proofs that take longer than a moment.
WITHOUT = {
    "golden": {"ParameterError", "Trace"},
    "hdl": {"PortSpec", "StreamSpec"},
    "sim": {"Exhaustion", "GemmRun", "SimulationError", "UnitEntry", "Verification"},
    "synth": {
        *("Design", "Energy", "Monitor", "Progress", "Proof", "Record", "Result", "SynthesisError", "Verdict"),
        *("liberty_target", "prove", "prove_no_overflow", "prove_streams", "prove_tiles"),
    },
}
PUBLIC = [
    (package, name)
    for package, module in PACKAGES.items()
    for name in module.__all__
    if callable(getattr(module, name))
]


@pytest.fixture
def as_before() -> Iterator[None]:
    """Forgets the formats that an example has registered."""
    known = {*FORMATS, *BLOCK_FORMATS}
    yield
    for catalogue in (FORMATS, BLOCK_FORMATS):
        for name in catalogue.keys() - known:
            del catalogue[name]


def examples(package: str, name: str) -> list[doctest.Example]:
    text = inspect.getdoc(getattr(PACKAGES[package], name)) or ""
    return doctest.DocTestParser().get_examples(text, f"{package}.{name}")


def test_every_other_public_name_has_an_example():
    without = {
        package: {name for of, name in PUBLIC if of == package and not examples(of, name)} for package in PACKAGES
    }
    assert without == WITHOUT


@pytest.mark.parametrize(
    ("package", "name"), [item for item in PUBLIC if item[1] not in WITHOUT[item[0]]], ids=lambda text: text
)
def test_example(package: str, name: str, as_before: None) -> None:
    label = f"{package}.{name}"
    test = doctest.DocTest(examples(package, name), dict(NAMES), label, None, 0, None)
    report: list[str] = []
    outcome = doctest.DocTestRunner().run(test, out=report.append)
    assert outcome.attempted and not outcome.failed, "".join(report)


ROOT = Path(__file__).resolve().parents[1]
ROLE = re.compile(r":(?:mod|func|class|meth|data|attr|exc):`~?([.\w]+)`")


def _defined(text: str) -> set[str]:
    """All names that a module's text defines or imports, those within classes and functions included."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            found.add(node.name)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            found.add(node.id)
        elif isinstance(node, ast.alias):
            found.add((node.asname or node.name).partition(".")[0])
    return found


def unresolved(sources: dict[str, str], names: dict[str, set[str]], module: str) -> list[str]:
    """The references in a module that are neither a module, a name of a module, nor a name of this module.

    ``.scalar.encode`` may leave out the packages before ``scalar``.
    """

    def exists(target: str) -> bool:
        parts = target.lstrip(".").split(".")
        if not target.startswith((".", "polymac.")) and parts[0] in names[module]:
            return True
        for length in range(len(parts), 0, -1):
            end = ".".join(parts[:length])
            found = [name for name in names if f".polymac.{name}".endswith(f".{end}")]
            if length == len(parts) and found:
                return True
            if any(parts[length] in names[name] for name in found if length < len(parts)):
                return True
        return False

    return [target for target in ROLE.findall(sources[module]) if not exists(target)]


@pytest.mark.parametrize("folder", ["golden", "sim", "cli", "synth/proofs", "synth/faults", "synth/yosys"])
def test_references_are_to_what_exists(folder):
    sources = {}
    for top in ("golden", "hdl", "sim", "synth", "cli"):
        for path in sorted((ROOT / top).rglob("*.py")):
            name = ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
            sources[name] = path.read_text(encoding="utf-8")
    names = {name: _defined(text) for name, text in sources.items()}
    inside = [name for name in sources if f"{name}.".startswith(folder.replace("/", ".") + ".")]
    assert inside
    assert {name: bad for name in inside if (bad := unresolved(sources, names, name))} == {}


@pytest.mark.parametrize(
    ("text", "bad"),
    [
        (":func:`.scalar.encode`, :mod:`polymac.golden.codec.scalar`, :mod:`.codec.scalar`", []),
        (":func:`own`, :meth:`Kind.method`", []),
        (":func:`.codec.encode`", [".codec.encode"]),
        (":func:`.scalar.decode`, :func:`encode`", [".scalar.decode", "encode"]),
        (":mod:`polymac.scalar`", ["polymac.scalar"]),
    ],
)
def test_references_that_lead_nowhere_are_seen(text, bad):
    sources = {"golden.codec": "", "golden.codec.scalar": "def encode(): ...", "golden.x": text}
    names = {"golden.codec": set(), "golden.codec.scalar": {"encode"}, "golden.x": {"own", "Kind"}}
    assert unresolved(sources, names, "golden.x") == bad
