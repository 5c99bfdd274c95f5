"""The examples in the docstrings of public names: each name has one, and gives what is shown there."""

from __future__ import annotations

import dataclasses
import doctest
import inspect
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
