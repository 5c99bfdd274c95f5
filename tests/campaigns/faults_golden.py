"""`make faults`: the golden model's source broken in many ways, each of which its tests have to notice.

Every mutant is a copy of the package with one comparison, operator, constant or branch changed; the test files about that
module run, the quickest first, until one fails. A mutant that passes them all must be one of those in
`tests/golden/mutants.toml`, which says why it computes the same, with evidence; or it is a survivor: named, with exit
status 1.
"""

from __future__ import annotations

import argparse
import ast
import importlib.util
import itertools
import os
import random
import resource
import shutil
import subprocess
import sys
import tempfile
import time
import tomllib
import warnings
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue
from types import ModuleType

import numpy as np

from polymac import golden
from polymac.cli.output import json_text, print_table, progress
from polymac.sim.engine.process import kill_group

ROOT = Path(__file__).resolve().parents[2]
_DATA = tomllib.loads((ROOT / "tests" / "golden" / "mutants.toml").read_text(encoding="utf-8"))
#: The modules by their paths in golden ("sums/xnor"), and the test files about them by their paths in tests/golden.
TESTS: dict[str, list[str]] = _DATA["tests"]
#: Modules whose tests need Numba where an array is long; the others' are quicker without. Those about loops call it.
NUMBA = ("codec/fast/jit",)
#: Processor seconds and bytes of memory after which a mutant counts as noticed: the sound model takes a third of either.
_SECONDS, _MEMORY = 120, 8 << 30
#: Seconds by the clock: a pool whose workers all die makes new ones for ever.
_WAIT = 1800

_COMPARISONS = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
}
_OPERATORS = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Add,
    ast.FloorDiv: ast.Mult,
    ast.Div: ast.Mult,
    ast.BitAnd: ast.BitOr,
    ast.BitOr: ast.BitAnd,
    ast.BitXor: ast.BitOr,
    ast.LShift: ast.RShift,
    ast.RShift: ast.LShift,
    ast.And: ast.Or,
    ast.Or: ast.And,
}
_FUNCTIONS = {"minimum": "maximum", "maximum": "minimum", "min": "max", "max": "min", "any": "all", "all": "any"}
_FUNCTIONS |= {"floor": "ceil", "ceil": "floor", "zeros": "ones", "ones": "zeros"}


@dataclass(frozen=True)
class Mutant:
    """One change of a module: of the node with that number, the change with that number."""

    module: str
    line: int
    change: str
    node: int
    number: int

    def __str__(self) -> str:
        return f"{self.module}.py:{self.line}: {self.change}"

    def source(self, text: str) -> str:
        """The module's source with the change."""
        tree = ast.parse(text)
        node = next(itertools.islice(ast.walk(tree), self.node, None))
        list(_changes(node, apply=self.number))
        return ast.unparse(tree)


def mutants(module: str, text: str) -> Iterator[Mutant]:
    """Every mutant of a module except in types, headers of functions, texts of errors, and what only changes the time."""
    tree = ast.parse(text)
    lines = text.splitlines()
    skipped = set(_without_arithmetic(tree))
    for index, node in enumerate(ast.walk(tree)):
        place = getattr(node, "lineno", 0)
        for number, what in enumerate(_changes(node)):
            if node not in skipped:
                yield Mutant(module, place, f"{what} in `{lines[place - 1].strip()}`", index, number)


def _changes(node: ast.AST, apply: int | None = None) -> Iterator[str]:
    """What can be changed in a node; the change of number ``apply`` is made."""
    changes: list[tuple[str, ast.AST, str, object]] = []
    if isinstance(node, ast.Compare) and (other := _COMPARISONS.get(type(node.ops[0]))):
        changes.append((f"{_name(node.ops[0])} → {other.__name__}", node, "ops", [other(), *node.ops[1:]]))
    if isinstance(node, ast.BinOp | ast.AugAssign | ast.BoolOp) and (other := _OPERATORS.get(type(node.op))):
        changes.append((f"{_name(node.op)} → {other.__name__}", node, "op", other()))
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not | ast.Invert | ast.USub):
        changes.append((f"no {_name(node.op)}", node, "op", ast.UAdd()))
    if isinstance(node, ast.Constant) and isinstance(node.value, bool):
        changes.append((f"{node.value} → {not node.value}", node, "value", not node.value))
    elif isinstance(node, ast.Constant) and isinstance(node.value, int):
        changes += [(f"{node.value} → {node.value + step}", node, "value", node.value + step) for step in (1, -1)]
    if isinstance(node, ast.IfExp):
        changes.append(("condition inverted", node, "test", ast.UnaryOp(ast.Not(), node.test)))
    if isinstance(node, ast.If):
        changes.append(("condition inverted", node, "test", ast.UnaryOp(ast.Not(), node.test)))
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute | ast.Name):
        called = node.func.attr if isinstance(node.func, ast.Attribute) else node.func.id
        if called in _FUNCTIONS:
            field = "attr" if isinstance(node.func, ast.Attribute) else "id"
            changes.append((f"{called} → {_FUNCTIONS[called]}", node.func, field, _FUNCTIONS[called]))
        if called == "where" and len(node.args) == 3:
            args = [node.args[0], node.args[2], node.args[1]]
            changes.append(("branches exchanged", node, "args", args))
    for number, (what, target, field, value) in enumerate(changes):
        if number == apply:
            setattr(target, field, value)
        yield what


def _name(node: ast.AST) -> str:
    return type(node).__name__


def path_of(name: str) -> str:
    """The path of a test file, from the root of the repository."""
    folder, _, file = name.rpartition("/")
    return (Path("tests") / "golden" / folder / f"test_{file}.py").as_posix()


def text_of(module: str) -> str:
    """The source of a module of golden."""
    return (ROOT / "golden" / f"{module}.py").read_text(encoding="utf-8")


def sample(count: int, seed: int, modules: list[str]) -> list[Mutant]:
    """``count`` mutants at random, as many of each module; those of a smaller count are among them."""
    chosen: list[Mutant] = []
    for number, module in enumerate(modules):
        every = list(mutants(module, text_of(module)))
        random.Random(f"{seed} {module}").shuffle(every)
        chosen += every[: count // len(modules) + (number < count % len(modules))]
    return chosen


def _without_arithmetic(tree: ast.Module) -> Iterator[ast.AST]:
    """Nodes of errors, annotations and headers of functions; assertions, sizes of caches and whether memory is copied."""
    for node in ast.walk(tree):
        parts: list[ast.AST] = []
        if isinstance(node, ast.Raise | ast.Assert) or (isinstance(node, ast.AnnAssign) and node.value is None):
            parts = [node]
        elif isinstance(node, ast.AnnAssign):
            parts = [node.annotation]
        elif isinstance(node, ast.FunctionDef):
            parts = [node.args, *node.decorator_list, *([] if node.returns is None else [node.returns])]
        elif isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
            yield node
        elif isinstance(node, ast.keyword) and node.arg in ("strict", "copy"):
            parts = [node]
        for part in parts:
            yield from ast.walk(part)


@dataclass(frozen=True)
class Equivalent:
    """A mutant that computes the same, and why; what evidence there is.

    Attributes
    ----------
    module, change : str
        Those of the mutant.
    reason : str
        Why no result differs.
    same : str
        An expression that is the same in the module with and without the change.
    test : str
        A test, as ``file::name``, which compares what the two versions do where they do not do the same.
    which : int
        Which of the mutants of the same change to lines of the same text it is, if there are several.
    """

    module: str
    change: str
    reason: str
    same: str = ""
    test: str = ""
    which: int = 0

    def mutant(self) -> Mutant:
        """The mutant, once its evidence has been seen.

        Raises
        ------
        ValueError
            There is none, or no evidence, or that is wrong.
        """
        name = f"{self.module}.py: {self.change}"
        text = text_of(self.module)
        found = [each for each in mutants(self.module, text) if each.change == self.change]
        if not 0 <= self.which < len(found):
            raise ValueError(f"{name} must be a mutant, not number {self.which} of {len(found)}")
        mutant = found[self.which]
        if bool(self.same) == bool(self.test):
            raise ValueError(f"{name} must have an expression or a test as evidence, not both or neither")
        if self.same and not _same(self.same, *(_loaded(self.module, each) for each in (text, mutant.source(text)))):
            raise ValueError(f"{name} must not change {' '.join(self.same.split())}")
        if self.test:
            file, _, test = self.test.partition("::")
            tests = ROOT / path_of(file)
            if not tests.exists() or f"def test_{test}(" not in tests.read_text(encoding="utf-8"):
                raise ValueError(f"{name} must name a test as evidence, not {self.test}")
        return mutant


def _same(expression: str, sound: ModuleType, changed: ModuleType) -> bool:
    """Whether an expression has one value in two modules, and raises and warns of nothing."""
    try:
        with warnings.catch_warnings(action="error"):
            np.testing.assert_equal(*(eval(expression, vars(module)) for module in (changed, sound)))
    except Exception:
        return False
    return True


def _loaded(module: str, source: str) -> ModuleType:
    """A module of golden made of this source, beside the one that the others import."""
    name = f"polymac.golden.{module.replace('/', '.')}"
    spec = importlib.util.find_spec(name)
    assert spec is not None
    loaded = importlib.util.module_from_spec(spec)
    sound, sys.modules[name] = sys.modules.get(name), loaded  # dataclasses look their module up
    try:
        exec(compile(source, name, "exec"), vars(loaded))
    finally:
        del sys.modules[name]
        if sound is not None:
            sys.modules[name] = sound
    vars(loaded).update(np=np, golden=golden)  # for the evidence
    return loaded


def equivalents(modules: list[str]) -> dict[Mutant, str]:
    """The known equivalent mutants of modules, and the reasons."""
    known = [Equivalent(**record) for record in _DATA.get("equivalent", []) if record["module"] in modules]
    return {each.mutant(): each.reason for each in known}


@contextmanager
def copies(count: int) -> Iterator[SimpleQueue[Path]]:
    """Folders with a copy of the package and of its tests each, in which one mutant after the other is tried."""
    free: SimpleQueue[Path] = SimpleQueue()
    with tempfile.TemporaryDirectory(prefix="polymac-faults-") as name:
        for number in range(count):
            folder = Path(name) / str(number)
            for part in ("golden", "hdl", "sim", "synth", "cli"):
                ignored = shutil.ignore_patterns("__pycache__")
                shutil.copytree(ROOT / part, folder / "path" / "polymac" / part, ignore=ignored)
            shutil.copytree(ROOT / "tests" / "golden", folder / "tests" / "golden")
            shutil.copy(ROOT / "pyproject.toml", folder)
            free.put(folder)
        yield free


def noticed(mutant: Mutant | None, module: str, free: SimpleQueue[Path] | None = None) -> str | None:
    """The first test file about a module that fails on a mutant, or None; without a mutant, on the sound package."""
    if free is None:
        with copies(1) as made:
            return noticed(mutant, module, made)
    folder = free.get()
    file = folder / "path" / "polymac" / "golden" / f"{module}.py"
    text = file.read_text(encoding="utf-8")
    try:
        if mutant is not None:
            file.write_text(mutant.source(text), encoding="utf-8")
        return next((test for test in TESTS[module] if _fails(test, folder, numba=module in NUMBA)), None)
    finally:
        file.write_text(text, encoding="utf-8")
        if module == "codec/fast/jit_loops":
            # Numba knows a changed source by its time and size alone.
            shutil.rmtree(file.parent / "__pycache__", ignore_errors=True)
        free.put(folder)


def _fails(test: str, folder: Path, *, numba: bool) -> bool:
    environment = {**os.environ, "PYTHONPATH": str(folder / "path"), "PYTHONDONTWRITEBYTECODE": "1"}
    # One thread each, and the same examples of Hypothesis's every time, with no limit to what one may take.
    environment |= {"POLYMAC_NUMBA": str(int(numba)), "OPENBLAS_NUM_THREADS": "1", "CI": "1"}
    command = [sys.executable, "-m", "pytest", "-x", "-q", "-n", "0", "-p", "no:cacheprovider"]
    command.append(path_of(test))
    output = subprocess.DEVNULL
    options = {"cwd": folder, "env": environment, "stdout": output, "stderr": output, "start_new_session": True}
    with subprocess.Popen(command, **options) as tests:
        for limit, most in ((resource.RLIMIT_CPU, _SECONDS), (resource.RLIMIT_AS, _MEMORY)):
            resource.prlimit(tests.pid, limit, (most, most))
        try:
            return tests.wait(_WAIT) != 0
        except subprocess.TimeoutExpired:
            kill_group(tests)
            return True


def _run(modules: list[str], chosen: list[Mutant], jobs: int) -> Iterator[tuple[Mutant, str | None]]:
    """Every mutant and what noticed it, in the order in which they are done."""
    runs = {(test, module in NUMBA) for module in modules for test in TESTS[module]}
    with copies(jobs) as free, ThreadPoolExecutor(jobs) as pool:

        def sound(test: str, numba: bool) -> bool:
            folder = free.get()
            try:
                return not _fails(test, folder, numba=numba)
            finally:
                free.put(folder)

        for test, passes in zip(runs, pool.map(lambda run: sound(*run), runs), strict=True):
            if not passes:
                sys.exit(f"{path_of(test[0])} must pass without a fault")
        futures = {pool.submit(noticed, mutant, mutant.module, free): mutant for mutant in chosen}
        for future in as_completed(futures):
            yield futures[future], future.result()


def _write(file: Path, found: dict[Mutant, str | None], known: dict[Mutant, str]) -> None:
    records = [{"mutant": str(each), "test": test, "equivalent": known.get(each)} for each, test in found.items()]
    file.write_text(json_text(records), encoding="utf-8")


def main() -> int:
    """Break the modules asked for, print a table of what was noticed, and name the survivors."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--module", choices=TESTS, nargs="+", default=list(TESTS), help="all unless given")
    parser.add_argument("--count", type=int, default=240, help="mutants in all")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=2, help="mutants that are tried at the same time")
    parser.add_argument("--json", type=Path, metavar="FILE", help="every mutant, and the test file that noticed it")
    arguments = parser.parse_args()
    modules: list[str] = arguments.module
    started = time.perf_counter()
    known = equivalents(modules)
    chosen = sample(arguments.count, arguments.seed, modules)
    found: dict[Mutant, str | None] = {mutant: None for mutant in chosen if mutant in known}
    with progress("golden") as report:
        for mutant, test in _run(modules, [mutant for mutant in chosen if mutant not in known], arguments.jobs):
            found[mutant] = test
            if report is not None:
                report(len(found), len(chosen), str(mutant)[:60])
            if arguments.json:
                _write(arguments.json, found, known)
    if arguments.json:
        _write(arguments.json, found, known)
    rows = []
    for module in [*modules, "all"]:
        mine = [mutant for mutant in found if module in (mutant.module, "all")]
        equivalent = sum(mutant in known for mutant in mine)
        killed = sum(found[mutant] is not None for mutant in mine)
        counts = (len(mine), killed, equivalent, len(mine) - killed - equivalent)
        rows.append((module, *map(str, counts), f"{killed / max(1, len(mine) - equivalent):.1%}"))
    columns = ("module", "mutants", "killed", "equivalent", "survivors", "kill rate")
    print_table("", columns, rows, left=("module",))
    for mutant in chosen:
        if mutant in known:
            print(f"equivalent: {mutant}: {known[mutant]}")
    survivors = [mutant for mutant in chosen if mutant not in known and found[mutant] is None]
    for mutant in survivors:
        print(f"survivor: {mutant}")
    print(f"{time.perf_counter() - started:.0f} s")
    return bool(survivors)


if __name__ == "__main__":
    sys.exit(main())
