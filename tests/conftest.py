"""The scripts of campaigns/ and bench/, which are no modules of a package, for their tests."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest


@pytest.fixture(scope="session")
def script() -> Callable[[str], ModuleType]:
    """What gives a script, by its path in tests/ without suffix, as a module: the same one each time."""
    found: dict[str, ModuleType] = {}

    def load(name: str) -> ModuleType:
        if name not in found:
            module = name.replace("/", "_")
            spec = importlib.util.spec_from_file_location(module, Path(__file__).parent / f"{name}.py")
            assert spec is not None and spec.loader is not None
            found[name] = importlib.util.module_from_spec(spec)
            sys.modules[module] = found[name]  # where dataclasses look for the names of annotations
            spec.loader.exec_module(found[name])
        return found[name]

    return load
