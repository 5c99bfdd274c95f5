"""What a module is made of: driven nets, registers and their statements, instances."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from .verilog_nodes import Node, Wire


@dataclass(frozen=True)
class Drive:
    """Bits of a net and the expression that they are; ``place`` is a place in the order of statements."""

    position: int
    wire: Wire
    low: int
    node: Node


@dataclass(frozen=True)
class Set:
    """Bits of a register and what they become at the clock's edge."""

    wire: Wire
    low: int
    node: Node


@dataclass(frozen=True)
class If:
    """Conditions in their order and what happens under the first that holds; None always holds."""

    branches: tuple[tuple[Node | None, tuple[Set | If, ...]], ...]


@dataclass(frozen=True)
class Clocked:
    """Statements at the clock's edge, which stand somewhere between two places in the order of the others."""

    first: int
    last: int
    statements: tuple[Set | If, ...]


@dataclass(frozen=True)
class Part:
    """An instance: its module, its name, its inputs, and which bits of wires its outputs drive."""

    position: int
    module: str
    name: str
    inputs: tuple[tuple[str, Node], ...]
    outputs: tuple[tuple[str, Node], ...]


def assigned(statements: Iterable[Set | If]) -> Iterable[Set]:
    """All assignments in statements at the clock's edge."""
    for statement in statements:
        if isinstance(statement, Set):
            yield statement
        else:
            for _, inner in statement.branches:
                yield from assigned(inner)


def simplified(branches: list[tuple[Node | None, tuple[Set | If, ...]]]) -> list[Set | If]:
    """An ``if`` without branches that do nothing at its end; or what always happens."""
    while branches and not branches[-1][1]:
        branches.pop()
    if not branches:
        return []
    return list(branches[0][1]) if branches[0][0] is None else [If(tuple(branches))]


def expressions(statement: Set | If) -> Iterable[Node]:
    """All conditions and values in a statement at the clock's edge, in their order."""
    if isinstance(statement, Set):
        yield statement.node
        return
    for condition, inner in statement.branches:
        if condition is not None:
            yield condition
        for each in inner:
            yield from expressions(each)
