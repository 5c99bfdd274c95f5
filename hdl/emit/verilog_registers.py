"""Registers in groups that share a clock, a reset and where possible an enable: one ``always`` each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from .verilog_nodes import Node, Wire
from .verilog_parts import Clocked, If, Set, assigned, expressions, simplified


@dataclass(frozen=True)
class Registers:
    """Registers of one ``always``; ``wires`` in the order in which they are set, ``place`` in that of all statements."""

    position: int
    resets: bool
    wires: tuple[Wire, ...]
    statements: tuple[Set | If, ...]


def register_groups(statements: Sequence[Clocked], used: set[Wire], positions: dict[Wire, int]) -> list[Registers]:
    """Divide the statements of a module by their registers.

    Parameters
    ----------
    statements : sequence of Clocked
        In their order.
    used : set of Wire
        The others are left out.
    places : dict of Wire to int
        Where wires are driven, in the order of statements; those of registers are added.
    """
    groups: list[Registers] = []
    for resets in (True, False):
        chosen = {
            wire
            for each in statements
            for wire in (item.wire for item in assigned(each.statements))
            if wire in used and wire.resets == resets
        }
        kept = [Clocked(each.first, each.last, _only(each.statements, chosen)) for each in statements]
        for each in _joined(kept):
            wires = tuple(dict.fromkeys(item.wire for item in assigned(each.statements)))
            # What is driven further below is fed back.
            above = [
                position for wire in _supports(each.statements) if (position := positions.get(wire, -1)) < each.last
            ]
            position = max((each.first, *above))
            groups.append(Registers(position, resets, wires, each.statements))
            positions |= dict.fromkeys(wires, position)
    by_position: dict[int, list[Registers]] = {}
    for group in groups:
        by_position.setdefault(group.position, []).append(group)
    return [group for same in by_position.values() for group in merged(same)]


def _only(statements: Sequence[Set | If], wires: set[Wire]) -> tuple[Set | If, ...]:
    """The statements without those that set other registers."""
    found: list[Set | If] = []
    for statement in statements:
        if isinstance(statement, Set):
            found += [statement] if statement.wire in wires else []
        else:
            found += simplified([(condition, _only(inner, wires)) for condition, inner in statement.branches])
    return tuple(found)


def _joined(statements: Sequence[Clocked]) -> list[Clocked]:
    """Those that set the same register as one, in the place of the last."""
    found: list[tuple[set[Wire], Clocked]] = []
    for each in statements:
        wires = {item.wire for item in assigned(each.statements)}
        if not wires:
            continue
        same = [entry for entry in found if entry[0] & wires]
        found = [entry for entry in found if not entry[0] & wires]
        parts = [statement for entry in same for statement in entry[1].statements]
        joined = Clocked(each.first, each.last, (*parts, *each.statements))
        found.append((wires.union(*(entry[0] for entry in same)), joined))
    return [each for _, each in found]


def merged(groups: Sequence[Registers]) -> list[Registers]:
    """Groups between which nothing stands, those that wait for the same condition as one, in the place of the first."""
    found: dict[tuple[object, ...], Registers] = {}
    for number, group in enumerate(groups):
        condition = _only_condition(group.statements)
        key: tuple[object, ...] = (group.resets, condition or number)
        if key not in found:
            found[key] = group
            continue
        before = found[key]
        bodies = [_body(each.statements) for each in (before, group)]
        statements = (If(((condition, (*bodies[0], *bodies[1])),)),)
        found[key] = Registers(before.position, group.resets, (*before.wires, *group.wires), statements)
    return list(found.values())


def _only_condition(statements: Sequence[Set | If]) -> Node | None:
    """The condition under which anything happens."""
    if len(statements) == 1 and isinstance(statements[0], If) and len(statements[0].branches) == 1:
        return statements[0].branches[0][0]
    return None


def _body(statements: Sequence[Set | If]) -> tuple[Set | If, ...]:
    (only,) = statements
    assert isinstance(only, If)
    return only.branches[0][1]


def _supports(statements: Sequence[Set | If]) -> set[Wire]:
    """The wires that the next values depend on."""
    waiting = [node for statement in statements for node in expressions(statement)]
    found: set[Wire] = set()
    seen: set[Node] = set()
    while waiting:
        node = waiting.pop()
        if node not in seen:
            seen.add(node)
            found |= {node.wire} if node.op == "wire" else set()
            waiting.extend(node.nodes)
    return found
