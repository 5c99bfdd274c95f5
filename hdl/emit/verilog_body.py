"""The contents of a module as Verilog nodes: what drives each wire, from Amaranth's statements.

Amaranth's statements keep the names and the order that a component gives them; its netlist would be one of bits. An
Amaranth construct that no component uses is an error here, and never wrong Verilog.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from amaranth.hdl import ClockSignal, Const, Fragment, Instance, ResetSignal, Signal, Value
from amaranth.hdl._ast import Assign, Concat, Operator, Slice, Statement, Switch, SwitchValue

from ..core.step import CLOCKED, PART, STEP
from .verilog_nodes import COMPARISONS, REDUCTIONS, Node, Nodes, Wire
from .verilog_parts import Clocked, Drive, If, Part, Set, assigned, simplified

_NUMBERED = re.compile(r"_\d+_\d+$")

#: A target of an assignment: signal, first bit, bits, and the first bit of the value.
Target = tuple[Signal, int, int, int]


def targets(value: Value) -> list[Target]:
    """The signals behind the left side of an assignment."""
    if isinstance(value, Signal):
        return [(value, 0, len(value), 0)]
    if isinstance(value, Operator) and value.operator in ("u", "s"):
        return targets(value.operands[0])
    found: list[Target] = []
    if isinstance(value, Concat):
        start = 0
        for part in value.parts:
            found += [(signal, low, width, start + offset) for signal, low, width, offset in targets(part)]
            start += len(part)
    elif isinstance(value, Slice):
        for signal, low, width, offset in targets(value.value):
            first, last = max(offset, value.start), min(offset + width, value.stop)
            if first < last:
                found.append((signal, low + first - offset, last - first, first - value.start))
    else:
        raise NotImplementedError(f"assignment to {value!r}")
    return [target for target in found if target[2]]


@dataclass
class _Source:
    """All that a signal is driven by: indices of statements that assign to it, and whether from a clock or an instance."""

    statements: list[int] = field(default_factory=list)
    is_register: bool = False
    is_output_of_part: bool = False


class Body:
    """What a module holds.

    Parameters
    ----------
    fragment : Fragment
        The elaborated unit, whose submodules are instances.
    inputs, outputs : sequence of (Wire, Signal)
        Its ports, but for clock and reset.
    clock : sequence of Wire
        Those, or none.

    Attributes
    ----------
    drives, parts, steps : list
        In the order of the statements; of ``steps`` the place and the text.
    registers : list of Clocked
        The statements at the clock's edge.
    """

    def __init__(
        self,
        fragment: Fragment,
        inputs: Sequence[tuple[Wire, Signal]],
        outputs: Sequence[tuple[Wire, Signal]],
        clock: Sequence[Wire],
    ) -> None:
        self._fragment = fragment
        self._combinational = list(fragment.statements.get("comb", ()))
        self._clocked = list(fragment.statements.get("sync", ()))
        if set(fragment.statements) - {"comb", "sync"}:
            raise NotImplementedError("more than one clock")
        self._ports = {id(signal): wire for wire, signal in (*inputs, *outputs)}
        self._inputs = {id(signal) for _, signal in inputs}
        self._clock = clock
        self._targets = {id(s): targets(s.lhs) for s in self._assignments((*self._combinational, *self._clocked))}
        self._sources = self._find_sources()
        #: Registers that never change, by the signal's identity.
        self._constant: set[int] = set()
        while not self._build(outputs):
            pass

    def _assignments(self, statements: Iterable[Statement]) -> Iterable[Assign]:
        for statement in statements:
            if isinstance(statement, Assign):
                yield statement
            elif isinstance(statement, Switch):
                for _, inner, _ in statement.cases:
                    yield from self._assignments(inner)
            else:
                raise NotImplementedError(f"statement {statement!r}")

    def _find_sources(self) -> dict[int, _Source]:
        sources: dict[int, _Source] = {}
        for is_register, statements in ((False, self._combinational), (True, self._clocked)):
            for index, statement in enumerate(statements):
                for assignment in self._assignments([statement]):
                    for signal, *_ in self._targets[id(assignment)]:
                        source = sources.setdefault(id(signal), _Source(is_register=is_register))
                        if index not in source.statements[-1:]:
                            source.statements.append(index)
        for part, _, _ in self._fragment.subfragments:
            if not isinstance(part, Instance) or part.parameters:
                raise NotImplementedError(f"submodule {part!r}")
            for value, direction in part.ports.values():
                if direction == "o":
                    for signal, *_ in targets(value):
                        sources.setdefault(id(signal), _Source()).is_output_of_part = True
        return sources

    def _build(self, outputs: Sequence[tuple[Wire, Signal]]) -> bool:
        """Make all nodes; False where a register was found to be constant, which may make others so."""
        self.nodes = Nodes()
        self._wires: dict[int, Wire] = {}
        self._values: dict[int, tuple[Node, Value]] = {}
        self._signals: dict[int, Node] = {}
        self._bundles: dict[int, int] = {}
        self.drives: list[Drive] = []
        self.steps: list[tuple[int, str]] = []
        order: dict[str, int] = {}
        sections: list[tuple[int, int]] = []
        for position, statement in enumerate(self._combinational):
            if isinstance(statement, Assign) and isinstance(statement.lhs, Signal) and not len(statement.lhs):
                attributes = statement.lhs.attrs
                sections.append((attributes.get(CLOCKED, 0), position))
                if STEP in attributes:
                    self.steps.append((position, attributes[STEP]))
                elif PART in attributes:
                    order[attributes[PART]] = position
            for assignment in self._assignments([statement]):
                for signal, *_ in self._targets[id(assignment)]:
                    self._signal(signal)
        for _, signal in outputs:
            self._signal(signal)
        self.parts = [
            self._part(order.get(name, len(self._combinational)), part, name)
            for part, name, _ in self._fragment.subfragments
        ]
        self.registers = [
            Clocked(
                max((position for before, position in sections if before <= index), default=-1),
                min((position for before, position in sections if before > index), default=len(self._combinational)),
                tuple(self._statements([statement])),
            )
            for index, statement in enumerate(self._clocked)
        ]
        return not self._find_constant_registers()

    def _find_constant_registers(self) -> bool:
        """Whether there are registers, not known before, that are only ever set to the value that they start with."""
        changing = {id(item.wire) for each in self.registers for item in assigned(each.statements) if _changes(item)}
        found = {
            key
            for key, source in self._sources.items()
            if source.is_register and key in self._wires and id(self._wires[key]) not in changing
        } - self._constant
        self._constant |= found
        return bool(found)

    def _part(self, position: int, part: Instance, name: str) -> Part:
        inputs = tuple((port, self.value(value)) for port, (value, kind) in part.ports.items() if kind == "i")
        outputs = []
        for port, (value, kind) in part.ports.items():
            if kind == "o":
                pieces = [self.nodes.wire(self._wire(s), low, width) for s, low, width, _ in targets(value)]
                outputs.append((port, self.nodes.cat(pieces)))
        return Part(position, part.type, name, inputs, tuple(outputs))

    def _wire(self, signal: Signal) -> Wire:
        key = id(signal)
        if key not in self._wires:
            shape = signal.shape()
            wire = self._ports.get(key, Wire(signal.name, shape.width, shape.signed))
            if key in self._sources and self._sources[key].is_register:
                wire.is_register, wire.resets = key not in self._constant, not signal.reset_less
                wire.init = signal.init & ((1 << shape.width) - 1)
            self._wires[key] = wire
        return self._wires[key]

    def _signal(self, signal: Signal) -> Node:
        """What stands for a signal: its wire, or what it is another name of."""
        key = id(signal)
        if key in self._signals:
            return self._signals[key]
        source = self._sources.get(key)
        shape = signal.shape()
        if key not in self._inputs and (source is None or key in self._constant or not shape.width):
            self._signals[key] = self.nodes.const(signal.init, shape.width, shape.signed)
            if key in self._ports:
                self.drives.append(Drive(-1, self._wire(signal), 0, self._signals[key]))
            return self._signals[key]
        self._signals[key] = whole = self.nodes.wire(self._wire(signal))
        if source is None or source.is_register or key in self._inputs:
            return whole
        drives = self._drives(signal, source)
        self.drives += drives
        if source.is_output_of_part:
            return whole
        # What is constant or another whole wire needs no name of its own; nor have the payloads of streams, whose fields
        # are ports.
        node = drives[0].node
        inner = node.nodes[0] if node.op == "cast" else node
        is_bundle = "__" in signal.name and key not in self._ports
        if is_bundle or all(drive.node.op == "const" for drive in drives) or (len(drives) == 1 and inner.is_whole_wire):
            if len(drives) == 1 and inner.is_whole_wire and key not in self._ports:
                self._rename(inner.wire, signal.name)
            node = self.nodes.cat([drive.node for drive in sorted(drives, key=lambda drive: drive.low)])
            self._signals[key] = self.nodes.cast(node, shape.signed)
            if is_bundle:
                self._bundles[key] = max(drive.position for drive in drives)
        return self._signals[key]

    def _rename(self, wire: Wire, name: str) -> None:
        """A numbered wire gets the name that the component gives it in the end."""
        if not wire.direction and _NUMBERED.search(wire.name) and not _NUMBERED.search(name):
            wire.name = name

    def _drives(self, signal: Signal, source: _Source) -> list[Drive]:
        """What drives the bits of a signal that is no register, in pieces that are assigned together."""
        width = len(signal)
        edges, driven = {0, width}, 0
        for index in source.statements:
            for assignment in self._assignments([self._combinational[index]]):
                for target, low, bits, _ in self._targets[id(assignment)]:
                    if target is signal:
                        edges |= {low, low + bits}
                        driven |= ((1 << bits) - 1) << low
        bounds = sorted(edges)
        found = []
        for low, high in pairwise(bounds):
            node = self.nodes.const(signal.init >> low, high - low)
            position = -1
            if not driven >> low & 1 and source.is_output_of_part:
                continue
            for index in source.statements:
                before, node = node, self._after(self._combinational[index], signal, low, high, node)
                position = index if node is not before else position
                # A port takes the place of what it shows of a stream.
                assignment = self._combinational[position]
                if isinstance(assignment, Assign) and position >= 0:
                    shown = assignment.rhs.value if isinstance(assignment.rhs, Slice) else assignment.rhs
                    position = self._bundles.get(id(shown), position)
            found.append(Drive(position, self._wire(signal), low, node))
        return sorted(found, key=lambda drive: drive.position)

    def _after(self, statement: Statement, signal: Signal, low: int, high: int, before: Node) -> Node:
        """What bits of a signal are after a statement."""
        if isinstance(statement, Assign):
            for target, first, width, offset in self._targets[id(statement)]:
                if target is signal and first <= low < first + width:
                    value = self.nodes.resize(self.value(statement.rhs), len(statement.lhs))
                    if offset == 0 and width == len(statement.lhs) and (low, high) == (first, first + width):
                        return value
                    return self.nodes.slice(value, offset + low - first, offset + high - first)
            return before
        assert isinstance(statement, Switch)
        result = before
        for patterns, inner, _ in reversed(statement.cases):
            node = before
            for each in inner:
                node = self._after(each, signal, low, high, node)
            if patterns is None:
                result = node
            else:
                both = (self.nodes.cast(node, False), self.nodes.cast(result, False))
                result = self.nodes.operation("?:", [self._matches(statement.test, patterns), *both])
        return result

    def _statements(self, statements: Iterable[Statement]) -> list[Set | If]:
        """Statements at the clock's edge, without those that do nothing."""
        found: list[Set | If] = []
        for statement in statements:
            if isinstance(statement, Assign):
                value = self.nodes.resize(self.value(statement.rhs), len(statement.lhs))
                for signal, low, width, offset in self._targets[id(statement)]:
                    if id(signal) not in self._constant:
                        piece = value if width == value.width else self.nodes.slice(value, offset, offset + width)
                        found.append(Set(self._wire(signal), low, piece))
                continue
            assert isinstance(statement, Switch)
            branches: list[tuple[Node | None, tuple[Set | If, ...]]] = []
            for patterns, inner, _ in statement.cases:
                condition = None if patterns is None else self._matches(statement.test, patterns)
                if condition is not None and condition.op == "const":
                    if not condition.value:
                        continue
                    condition = None
                branches.append((condition, tuple(self._statements(inner))))
                if condition is None:
                    break
            found += simplified(branches)
        return found

    def _matches(self, test: Value, patterns: Sequence[str]) -> Node:
        """Whether a value is like one of the patterns of zeros, ones, and dashes for either."""
        nodes, value = self.nodes, self.nodes.cast(self.value(test), False)
        found = nodes.const(0, 1)
        for pattern in patterns:
            if "-" in pattern or len(pattern) == 1:
                matched = nodes.const(1, 1)
                for bit, wanted in enumerate(reversed(pattern)):
                    if wanted != "-":
                        have = nodes.slice(value, bit, bit + 1)
                        have = have if wanted == "1" else nodes.operation("~", [have])
                        matched = nodes.operation("&", [matched, have])
            else:
                matched = nodes.operation("==", [value, nodes.const(int(pattern or "0", 2), len(pattern))])
            found = nodes.operation("|", [found, matched])
        return found

    def value(self, value: Value) -> Node:
        """The node of an Amaranth expression."""
        if id(value) not in self._values:
            node = self._make(value)
            shape = value.shape()
            assert (node.width, node.signed and node.width > 0) == (shape.width, shape.signed and shape.width > 0), (
                value
            )
            self._values[id(value)] = node, value  # which keeps the identity from being used again
        return self._values[id(value)][0]

    def _make(self, value: Value) -> Node:
        nodes = self.nodes
        if isinstance(value, Const):
            return nodes.const(value.value, len(value), value.shape().signed)
        if isinstance(value, Signal):
            return self._signal(value)
        if isinstance(value, ClockSignal | ResetSignal):
            return nodes.wire(self._clock[isinstance(value, ResetSignal)])
        if isinstance(value, Slice):
            return nodes.slice(self.value(value.value), value.start, value.stop)
        if isinstance(value, Concat):
            return nodes.cat([self.value(part) for part in value.parts])
        if isinstance(value, SwitchValue):
            return self._make_switch(value)
        if not isinstance(value, Operator):
            raise NotImplementedError(f"value {value!r}")
        operands = [self.value(operand) for operand in value.operands]
        match value.operator, len(operands):
            case ("u" | "s") as sign, 1:
                return nodes.cast(operands[0], sign == "s")
            case "b", 1:
                return nodes.operation("r|", operands)
            case "-", 1:
                return nodes.operation("neg", operands)
            case op, _ if (
                op in COMPARISONS or op in REDUCTIONS or op in ("+", "-", "*", "&", "|", "^", "~", "<<", ">>")
            ):
                return nodes.operation(op, operands)
        raise NotImplementedError(f"operator {value.operator}")

    def _make_switch(self, value: SwitchValue) -> Node:
        """A choice; what no case is for is 0, as in Amaranth."""
        shape = value.shape()
        result = self.nodes.const(0, shape.width, shape.signed)
        is_mux = [patterns for patterns, _ in value.cases] == [("0" * len(value.test),), None]
        for patterns, chosen in reversed(value.cases):
            node = self.nodes.extend(self.value(chosen), shape.width, shape.signed)
            if patterns is None:
                result = node
                continue
            if is_mux:
                test = self.nodes.operation("r|", [self.value(value.test)])
                result = self.nodes.operation("?:", [test, result, node])
                continue
            result = self.nodes.operation("?:", [self._matches(value.test, patterns), node, result])
        return result


def _changes(item: Set) -> bool:
    """Whether the register becomes anything but what it starts with or is."""
    if item.node.op == "const":
        mask = (1 << item.node.width) - 1
        return item.node.value & mask != item.wire.init >> item.low & mask
    return not (item.node.op == "wire" and item.node.wire is item.wire and item.node.low == item.low)
