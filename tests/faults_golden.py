"""`make faults`: the golden model's source broken in many ways, each of which its tests have to notice.

Every mutant is a copy of the package with one comparison, operator, constant or branch changed; the tests of that module
run until the first fails. A mutant that passes is a survivor and is named: it may compute the same, only slower.
"""

from __future__ import annotations

import argparse
import ast
import itertools
import os
import random
import re
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from polymac.cli.output import json_text, print_table, progress

ROOT = Path(__file__).resolve().parents[1]
#: The arithmetic modules and the test files that are about them, the quickest first.
TESTS = {
    "rounding": ("faults_found", "fixed_multiply", "published", "properties_arithmetic", "codec", "fast", "add"),
    "codec": ("published", "formats", "codec", "properties_arithmetic", "fast"),
    "arithmetic": ("fixed_multiply", "properties_arithmetic", "oracles_arithmetic", "fma", "add", "arithmetic"),
    "fast": ("properties_arithmetic", "fast", "oracles_arithmetic", "fma", "arithmetic"),
    "tables": ("properties_arithmetic", "fast", "oracles_arithmetic", "arithmetic"),
    "aligned": ("presets", "aligned", "dot", "gemm"),
    "dot": ("exact", "dot", "gemm", "aligned"),
    "limbs": ("exact", "dot", "fma"),
    "requantize": ("faults_found", "quantize", "network", "requantize"),
    "block_codec": ("block_formats", "block_errors", "block_gemm", "block", "block_properties"),
}
#: Processor seconds after which a mutant counts as noticed: the sound tests of a module take a third of that.
_LIMIT = 600

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
    """Every mutant of a module but those of what an error says and of types."""
    tree = ast.parse(text)
    lines = text.splitlines()
    skipped = _without_arithmetic(tree)
    for index, node in enumerate(ast.walk(tree)):
        place = getattr(node, "lineno", 0)
        for number, what in enumerate(_changes(node)):
            if place not in skipped:
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


def text_of(module: str) -> str:
    """The source of a module of golden."""
    return (ROOT / "golden" / f"{module}.py").read_text(encoding="utf-8")


def sample(count: int, seed: int, modules: list[str]) -> list[Mutant]:
    """``count`` mutants at random, as many of each module."""
    chosen: list[Mutant] = []
    for number, module in enumerate(modules):
        every = list(mutants(module, text_of(module)))
        share = count // len(modules) + (number < count % len(modules))
        chosen += random.Random(f"{seed} {module}").sample(every, min(share, len(every)))
    return chosen


def _without_arithmetic(tree: ast.Module) -> set[int]:
    """Lines that raise errors or annotate."""
    lines: set[int] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Raise):
            lines |= set(range(node.lineno, (node.end_lineno or node.lineno) + 1))
        if isinstance(node, ast.AnnAssign) and node.value is None:
            lines.add(node.lineno)
        if isinstance(node, ast.FunctionDef):
            lines |= set(range(node.lineno, node.body[0].lineno))
    return lines


def noticed(mutant: Mutant | None, module: str) -> str | None:
    """The first test file that fails on a mutant, or None; without a mutant, on the sound package."""
    with tempfile.TemporaryDirectory(prefix="polymac-faults-") as name:
        folder = Path(name)
        package = folder / "path" / "polymac"
        package.mkdir(parents=True)
        shutil.copytree(ROOT / "golden", package / "golden", ignore=shutil.ignore_patterns("__pycache__"))
        for other in ("hdl", "sim", "synth", "cli"):
            (package / other).symlink_to(ROOT / other)
        shutil.copytree(ROOT / "tests" / "golden", folder / "tests" / "golden")
        shutil.copy(ROOT / "pyproject.toml", folder)
        if mutant is not None:
            source = mutant.source(text_of(mutant.module))
            (package / "golden" / f"{mutant.module}.py").write_text(source, encoding="utf-8")
        environment = {**os.environ, "PYTHONPATH": str(package.parent), "PYTHONDONTWRITEBYTECODE": "1"}
        files = [f"tests/golden/test_{test}.py" for test in TESTS[module]]
        command = [sys.executable, "-m", "pytest", "-x", "-q", "-n", "0", "-p", "no:cacheprovider", *files]
        tests = subprocess.run(
            command, cwd=folder, env=environment, capture_output=True, text=True, preexec_fn=_limit, check=False
        )
    if not tests.returncode:
        return None
    failed = re.search(r"^(?:FAILED|ERROR) (\S+?\.py)", tests.stdout, re.MULTILINE)
    return failed[1] if failed else "time limit"


def _limit() -> None:
    resource.setrlimit(resource.RLIMIT_CPU, (_LIMIT, _LIMIT))


def main() -> int:
    """Break the modules asked for, print a table of what was noticed, and name the survivors."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--module", choices=[*TESTS, "all"], default="all")
    parser.add_argument("--count", type=int, default=100, help="mutants in all")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", type=Path, metavar="FILE", help="every mutant, and the test file that noticed it")
    arguments = parser.parse_args()
    modules = list(TESTS) if arguments.module == "all" else [arguments.module]
    started = time.perf_counter()
    found: list[tuple[Mutant, str | None]] = []
    with progress("golden") as report:
        for module in modules:
            if (test := noticed(None, module)) is not None:
                sys.exit(f"{test} must pass without a fault")
        chosen = sample(arguments.count, arguments.seed, modules)
        for mutant in chosen:
            found.append((mutant, noticed(mutant, mutant.module)))
            if report is not None:
                report(len(found), len(chosen), str(mutant)[:60])
            if arguments.json:
                records = [{"mutant": str(item), "test": test} for item, test in found]
                arguments.json.write_text(json_text(records), encoding="utf-8")
    rows = []
    for module in [*modules, "all"]:
        mine = [test for mutant, test in found if module in (mutant.module, "all")]
        killed = sum(test is not None for test in mine)
        rows.append((module, str(len(mine)), str(killed), str(len(mine) - killed), f"{killed / max(1, len(mine)):.1%}"))
    print_table("", ("module", "mutants", "killed", "survivors", "kill rate"), rows, left=("module",))
    survivors = [mutant for mutant, test in found if test is None]
    for mutant in survivors:
        print(mutant)
    print(f"{time.perf_counter() - started:.0f} s")
    return bool(survivors)


if __name__ == "__main__":
    sys.exit(main())
