"""Expressions between Amaranth's and Verilog's: exact integers with a width and a sign, simplified as they are made.

A node stands for an integer, as an Amaranth value does: its width and sign say which integers it can be. Sums, products
and the like are as wide as their exact result, or cut down to their lowest bits (then unsigned). Equal nodes are one
object, so that what is used twice is found by counting.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from dataclasses import dataclass

#: Operators whose lowest bits depend only on the lowest bits of their operands, whatever the width they are computed in.
RING = frozenset(["+", "-", "*", "neg", "&", "|", "^", "~", "?:", "<<", "extend"])
COMPARISONS = frozenset(["==", "!=", "<", "<=", ">", ">="])
#: One bit made from all bits of the operand.
REDUCTIONS = {"r|": "|", "r&": "&", "r^": "^"}
_OPPOSITE = {"==": "!=", "!=": "==", "<": ">=", ">=": "<", ">": "<=", "<=": ">"}
#: Nodes of which bits can be taken without computing anything.
_PLAIN = frozenset(["wire", "const", "cat", "cast"])
_STEPS: dict[str, Callable[[int, int], int]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "<<": operator.lshift,
    ">>": operator.rshift,
    "&": operator.and_,
    "|": operator.or_,
    "^": operator.xor,
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


@dataclass(eq=False)
class Wire:
    """A net or register of a module.

    Attributes
    ----------
    name, width, signed
        As declared.
    direction : str
        Of a port: ``input`` or ``output``.
    is_register : bool
        Whether it changes at the clock's edge.
    init : int
        Of a register: its bits at power-up.
    resets : bool
        Of a register: whether a reset sets it to them.
    group : int
        Of a port that packs several elements: bits of one of them, else 0.
    """

    name: str
    width: int
    signed: bool
    direction: str = ""
    is_register: bool = False
    init: int = 0
    resets: bool = True
    group: int = 0


@dataclass(eq=False)
class Node:
    """An expression; ``op`` is an operator, or ``wire``, ``const``, ``cat``, ``slice`` or ``cast``.

    Attributes
    ----------
    args : tuple
        Operands, and what else the operator takes: wire and bounds, value, or bounds.
    exact : bool
        Whether the value is that of the operation on the operands' exact values, and not its lowest bits only.
    cost : int
        How many operators it holds.
    """

    op: str
    args: tuple[object, ...]
    width: int
    signed: bool
    exact: bool
    cost: int

    @property
    def nodes(self) -> tuple[Node, ...]:
        """The operands that are expressions."""
        return tuple(arg for arg in self.args if isinstance(arg, Node))

    @property
    def wire(self) -> Wire:
        """Of op ``wire``: which."""
        wire = self.args[0]
        assert isinstance(wire, Wire)
        return wire

    @property
    def low(self) -> int:
        """Of op ``wire`` or ``slice``: the number of the first bit."""
        low = self.args[1]
        assert isinstance(low, int)
        return low

    @property
    def value(self) -> int:
        """Of op ``const``."""
        value = self.args[0]
        assert isinstance(value, int)
        return value

    @property
    def is_whole_wire(self) -> bool:
        """Whether it is all bits of a wire."""
        return self.op == "wire" and self.width == self.wire.width


def unified(operands: Sequence[Node]) -> tuple[int, bool]:
    """Width and sign that hold every value of the operands."""
    signed = any(node.signed for node in operands)
    return max(node.width + (signed and not node.signed) for node in operands), signed


def natural(op: str, operands: Sequence[Node]) -> tuple[int, bool]:
    """Width and sign of the exact result, as Amaranth defines them."""
    first = operands[0]
    if op in COMPARISONS or op in REDUCTIONS:
        return 1, False
    if op in ("&", "|", "^"):
        return unified(operands)
    if op in ("+", "-"):
        width, signed = unified(operands)
        return width + 1, signed or op == "-"
    if op == "*":
        return sum(node.width for node in operands), any(node.signed for node in operands)
    if op == "neg":
        return first.width + 1, True
    if op == "?:":
        return unified(operands[1:])
    if op == "<<":
        return first.width + (1 << operands[1].width) - 1, first.signed
    assert op in ("~", ">>", "extend")
    return first.width, first.signed


class Nodes:
    """Makes the nodes of one module."""

    def __init__(self) -> None:
        self._known: dict[tuple[object, ...], Node] = {}

    def _make(self, op: str, args: tuple[object, ...], width: int, signed: bool, exact: bool = True) -> Node:
        key = (op, args, width, signed)
        if key not in self._known:
            cost = sum(arg.cost for arg in args if isinstance(arg, Node))
            cost += op not in ("wire", "const", "cat", "slice", "cast", "extend")
            self._known[key] = Node(op, args, width, signed, exact, cost)
        return self._known[key]

    def const(self, value: int, width: int, signed: bool = False) -> Node:
        """The constant whose bits are those of ``value``."""
        value &= (1 << width) - 1
        if signed and width and value >> (width - 1):
            value -= 1 << width
        return self._make("const", (value,), width, signed)

    def wire(self, wire: Wire, low: int = 0, width: int | None = None) -> Node:
        """Bits of a wire; all of them have its sign, some have none."""
        width = wire.width if width is None else width
        return self._make("wire", (wire, low), width, wire.signed and width == wire.width)

    def cat(self, parts: Sequence[Node]) -> Node:
        """The bits of all parts, the first in the least significant ones."""
        flat: list[Node] = []
        for part in parts:
            pieces = part.nodes if part.op == "cat" else (self.cast(part, False),)
            for piece in pieces:
                if piece.width:
                    if flat and (joined := self._joined(flat[-1], piece)) is not None:
                        flat[-1] = joined
                    else:
                        flat.append(piece)
        if not flat:
            return self.const(0, 0)
        if len(flat) == 1:
            return self.cast(flat[0], False)
        return self._make("cat", tuple(flat), sum(part.width for part in flat), False)

    def _joined(self, low: Node, high: Node) -> Node | None:
        """Both as one, where they are neighbours in a wire or constants."""
        if low.op == high.op == "const":
            bits = low.value & ((1 << low.width) - 1) | (high.value & ((1 << high.width) - 1)) << low.width
            return self.const(bits, low.width + high.width)
        if low.op == "cast":
            low = low.nodes[0]
        if low.op == high.op == "wire" and low.wire is high.wire and low.low + low.width == high.low:
            return self.cast(self.wire(low.wire, low.low, low.width + high.width), False)
        return None

    def cast(self, node: Node, signed: bool) -> Node:
        """The same bits with or without a sign."""
        if node.signed == signed or not node.width:
            return node
        if node.op == "const":
            return self.const(node.value, node.width, signed)
        if node.op == "cast":
            return node.nodes[0]
        return self._make("cast", (node,), node.width, signed)

    def extend(self, node: Node, width: int, signed: bool) -> Node:
        """The same value in a greater width, as a signed number where ``signed``."""
        if node.width == width:
            return self.cast(node, signed)
        assert node.width < width and (signed or not node.signed)
        if node.op == "const":
            return self.const(node.value, width, signed)
        return self._make("extend", (node,), width, signed)

    def resize(self, node: Node, width: int) -> Node:
        """What an assignment to ``width`` bits takes of it: its lowest bits, or more by its sign."""
        if node.width > width:
            return self.slice(node, 0, width)
        return self.extend(node, width, node.signed)

    def slice(self, node: Node, low: int, high: int) -> Node:
        """Bits ``low`` to ``high`` - 1, as an unsigned number."""
        if low == 0 and high == node.width:
            return self.cast(node, False)
        if high == low:
            return self.const(0, 0)
        if node.op == "const":
            return self.const(node.value >> low, high - low)
        if node.op == "wire":
            return self.wire(node.wire, node.low + low, high - low)
        if node.op == "cast":
            return self.slice(node.nodes[0], low, high)
        if node.op == "slice":
            return self.slice(node.nodes[0], node.low + low, node.low + high)
        if node.op == "cat":
            parts, start = [], 0
            for part in node.nodes:
                first, last = max(low, start), min(high, start + part.width)
                if first < last:
                    parts.append(self.slice(part, first - start, last - start))
                start += part.width
            return self.cat(parts)
        if node.op == "extend":
            return self._slice_extended(node.nodes[0], low, high)
        values = node.nodes[node.op == "?:" :]
        is_plain = all(value.op in _PLAIN and high <= value.width for value in values)
        if low and node.op in ("&", "|", "^", "~", "?:") and is_plain:
            parts = [self.slice(value, low, high) for value in values]
            return self.operation(node.op, [*node.nodes[: node.op == "?:"], *parts])
        if node.op in RING and high < node.width:
            return self.slice(self._cut(node, high), low, high)
        return self._make("slice", (node, low, high), high - low, False)

    def _slice_extended(self, inner: Node, low: int, high: int) -> Node:
        if high <= inner.width:
            return self.slice(inner, low, high)
        if not inner.signed:
            parts = [self.slice(inner, low, inner.width)] if low < inner.width else []
            return self.cat([*parts, self.const(0, high - max(low, inner.width))])
        extended = self._make("extend", (inner,), high, True)
        return self.cast(extended, False) if low == 0 else self._make("slice", (extended, low, high), high - low, False)

    def _cut(self, node: Node, width: int) -> Node:
        """The lowest bits of a ring operation, computed from the lowest bits of its operands."""
        is_value = {"?:": (1, 2), "<<": (0,)}.get(node.op, range(len(node.nodes)))
        operands = [
            self.slice(operand, 0, width) if index in is_value and operand.width > width else operand
            for index, operand in enumerate(node.nodes)
        ]
        full, signed = natural(node.op, operands)
        if full <= width:
            return self.cast(self.extend(self.operation(node.op, operands), width, signed), False)
        simple = self._simplified(node.op, operands, full, signed)
        if simple is not None:
            return self.slice(simple, 0, width)
        return self._make(node.op, tuple(operands), width, False, exact=False)

    def operation(self, op: str, operands: Sequence[Node]) -> Node:
        """The exact result of an operator on operands."""
        if op in COMPARISONS:
            both, sign = unified(operands)
            operands = [self.extend(operand, both, sign) for operand in operands]
        width, signed = natural(op, operands)
        simple = self._simplified(op, operands, width, signed)
        return self._make(op, tuple(operands), width, signed) if simple is None else simple

    def _simplified(self, op: str, operands: Sequence[Node], width: int, signed: bool) -> Node | None:
        """A simpler node of the same value, width and sign."""
        if all(node.op == "const" for node in operands):
            return self.const(_evaluate(op, operands), width, signed)
        first, last = operands[0], operands[-1]
        simple: Node | None = None
        if op in ("&", "|", "^"):
            simple = self._bitwise(op, first, last, width, signed)
        elif op in ("+", "-") and last.op == "const" and last.value == 0:
            simple = first
        elif op == "+" and first.op == "const" and first.value == 0:
            simple = last
        elif op == "*" and any(node.op == "const" and node.value == 0 for node in operands):
            simple = self.const(0, width, signed)
        elif op in ("<<", ">>") and last.op == "const":
            simple = self._shifted(op, first, last.value)
        elif op == "?:":
            simple = self._chosen(*operands)
        elif op == "~" and first.op == "~":
            simple = first.nodes[0]
        elif op == "~" and first.op in COMPARISONS:
            simple = self.operation(_OPPOSITE[first.op], first.nodes)
        elif op in REDUCTIONS and first.width == 1:
            simple = self.cast(first, False)
        elif op == "r|" and first.op == "cat" and any(part.op == op for part in first.nodes):
            parts = [part.nodes[0] if part.op == op else part for part in first.nodes]
            simple = self.operation(op, [self.cat(parts)])
        elif (
            op in ("==", "!=")
            and first.width == last.width == 1
            and first.signed == last.signed
            and "const" in (first.op, last.op)
        ):
            bit, other = (first, last) if last.op == "const" else (last, first)
            bit = self.cast(bit, False)
            simple = bit if bool(other.value) == (op == "==") else self.operation("~", [bit])
        if simple is None or (simple.signed and not signed and simple.width < width):
            return None
        return self.extend(simple, width, signed)

    def _bitwise(self, op: str, first: Node, last: Node, width: int, signed: bool) -> Node | None:
        if first is last:
            return self.const(0, width, signed) if op == "^" else first
        for constant, other in ((first, last), (last, first)):
            if constant.op == "const":
                ones = constant.value in (-1, (1 << width) - 1) and other.width == width
                if constant.value == 0:
                    return self.const(0, width, signed) if op == "&" else other
                if ones and op != "^":
                    return other if op == "&" else self.const(-1, width, signed)
                if ones:
                    return self.operation("~", [self.cast(other, signed)])
        return None

    def _shifted(self, op: str, value: Node, amount: int) -> Node | None:
        if amount == 0:
            return value
        if op == "<<":
            return self.cast(self.cat([self.const(0, amount), value]), value.signed)
        if value.signed:
            return None
        return self.slice(value, min(amount, value.width), value.width) if amount < value.width else self.const(0, 1)

    def _chosen(self, condition: Node, chosen: Node, other: Node) -> Node | None:
        if condition.op == "const":
            return chosen if condition.value else other
        if chosen is other:
            return chosen
        if chosen.op == other.op == "const" and chosen.width == other.width == 1 and not chosen.signed | other.signed:
            return condition if chosen.value else self.operation("~", [condition])
        return None


def _evaluate(op: str, operands: Sequence[Node]) -> int:
    """The result of an operator on constants."""
    first, width = operands[0].value, operands[0].width
    bits = first & ((1 << width) - 1)
    if op in _STEPS:
        return int(_STEPS[op](first, operands[1].value))
    match op:
        case "neg":
            return -first
        case "~":
            return ~first
        case "?:":
            return operands[1].value if first else operands[2].value
        case "r|":
            return int(bits != 0)
        case "r&":
            return int(bits == (1 << width) - 1)
        case "r^":
            return bits.bit_count() & 1
    raise AssertionError(op)
