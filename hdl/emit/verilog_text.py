"""Verilog expressions from exact ones: widths, signs and parentheses.

Verilog computes an expression in one width, the greatest of its operands' and of what it is assigned to, and extends each
operand to it by its sign if all operands are signed, else by zeros. So it is decided for each such *region* which width and
sign it has; what would lose a carry or be extended wrongly there becomes a wire of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from .verilog_nodes import COMPARISONS, REDUCTIONS, RING, Node, Nodes, Wire

#: A place where a long line may be broken.
BREAK = "\0"
#: How tightly operators bind, the loosest first.
_BINDING = {"?:": 1, "|": 4, "^": 5, "&": 6, "==": 7, "!=": 7, "<": 8, "<=": 8, ">": 8, ">=": 8}
_BINDING |= {"<<": 9, ">>": 9, ">>>": 9, "+": 10, "-": 10, "*": 11}
_UNARY, _ATOM = 12, 13


@dataclass
class _Region:
    """What is evaluated in one width: the width, whether signed, and constants written in more bits than they have."""

    width: int
    signed: bool = False
    leaves: list[tuple[Node, int]] = field(default_factory=list)
    wide: dict[Node, int] = field(default_factory=dict)
    shifts_sign: bool = False


class Printer:
    """Writes expressions.

    Parameters
    ----------
    nodes : Nodes
        Of the module.
    isolate : callable
        Gives the wire for an expression that has to have one.
    """

    def __init__(self, nodes: Nodes, isolate: Callable[[Node], Wire]) -> None:
        self._nodes = nodes
        self._isolate = isolate
        self._wires: dict[Node, Node] = {}

    def name(self, node: Node, wire: Wire | None = None) -> None:
        """Give the expression a wire, by which it is named from now on; a new one unless one is given."""
        if node not in self._wires:
            named = self._nodes.wire(self._isolate(node) if wire is None else wire)
            self._wires[node] = self._nodes.cast(named, node.signed)

    def has_wire(self, node: Node) -> bool:
        """Whether the expression has a wire."""
        return node in self._wires

    def wire_of(self, node: Node) -> Wire:
        """The wire that the expression has."""
        named = self._wires[node]
        return (named.nodes[0] if named.op == "cast" else named).wire

    def is_cut_short(self, node: Node) -> bool:
        """Whether the expression would lose its highest bits in a place that has no width of its own."""
        return node.op != "extend" and self._own_width(node) < node.width

    def assigned(self, node: Node, width: int) -> str:
        """The right side of an assignment to ``width`` bits."""
        resized = self._nodes.resize(node, width)
        return self._stable(lambda: self._printed(self._region([resized], width), resized)[0])

    def exactly(self, node: Node) -> str:
        """In a place that has no width of its own: as many bits as the expression has."""
        return self._stable(lambda: self._exact(node)[0])

    def condition(self, node: Node) -> str:
        """Before a question mark."""
        text, binding = self._exact(node)
        return text if binding >= _UNARY else f"({text})"

    def definition(self, node: Node) -> str:
        """The right side of the assignment to the wire that the expression has."""
        wire = self._wires.pop(node)
        text = self.assigned(node, node.width)
        self._wires[node] = wire
        return text

    def _stable(self, write: Callable[[], str]) -> str:
        """The text once nothing in it has to be isolated any more, which changes widths."""
        while True:
            count = len(self._wires)
            text = write()
            if len(self._wires) == count:
                return text

    # Widths

    def _leaf(self, node: Node) -> Node:
        """The node, or the wire that it has."""
        return self._wires.get(node, node)

    def _own_width(self, node: Node, region: _Region | None = None) -> int:
        """The width that Verilog gives the expression where nothing around it asks for more."""
        node = self._leaf(node)
        if region is not None and node in region.wide:
            return region.wide[node]
        if node.op == "cast":  # if it is written at all, the region is wider
            return self._own_width(node.nodes[0], region)
        if node.op not in RING and node.op != ">>":
            return node.width
        if node.op in ("<<", ">>", "extend"):
            return self._own_width(node.nodes[0], region)
        return max(self._own_width(operand, region) for operand in _values(node))

    def _region(self, roots: Sequence[Node], floor: int, *, exact: bool = False, signed: bool | None = None) -> _Region:
        """The region of expressions that share a width of at least ``floor``.

        With ``exact`` each has to have its exact value in it; ``signed``: what a comparison needs.
        """
        region = _Region(floor)
        while True:
            if exact:
                self._widen(roots, region)
            width = max(floor, *(self._own_width(root, region) for root in roots))
            region = _Region(width, wide=region.wide)
            for root in roots:
                self._check(root, width, region)
            if max(floor, *(self._own_width(root, region) for root in roots)) == width:
                extended = [leaf.signed for leaf, need in region.leaves if need > leaf.width and leaf.op != "const"]
                # A sum with a signed number is a signed one, also where its bits are the same without.
                adds_sign = any(root.op == "+" for root in roots) and any(
                    leaf.signed for leaf, _ in region.leaves if leaf.op != "const"
                )
                region.signed = any(extended) or region.shifts_sign or adds_sign if signed is None else signed
                if signed is False and (any(extended) or region.shifts_sign):
                    if fresh := [root for root in roots if self._leaf(root).op in RING | {">>", "cast"}]:
                        for root in fresh:
                            self.name(root)
                        continue
                    raise AssertionError("unsigned comparison of a signed operand")
                return region

    def _widen(self, roots: Sequence[Node], region: _Region) -> None:
        """See to it that the region is as wide as each of the expressions, which the width of a constant may do."""
        for root in sorted(roots, key=lambda node: -node.width):
            if max(self._own_width(node, region) for node in roots) >= root.width:
                return
            constants = [node for other in roots for node in self._constants(other)]
            padded = [node for node in roots if node.op == "extend" and not node.nodes[0].signed]
            if constants or padded:
                region.wide[(constants or padded)[0]] = root.width
            else:
                self.name(root)

    def _constants(self, node: Node) -> list[Node]:
        """The constants among the operands that share the node's region."""
        node = self._leaf(node)
        if node.op == "const":
            return [node]
        if node.op not in ("+", "-", "*", "&", "|", "^"):
            return []
        return [found for operand in node.nodes for found in self._constants(operand)]

    def _check(self, node: Node, need: int, region: _Region) -> None:
        """Collect what the expression's lowest ``need`` bits depend on, and isolate what would be wrong in them."""
        node = self._leaf(node)
        if node.op == "cast" and need <= node.width:
            self._check(node.nodes[0], need, region)
            return
        if self._is_leaf(node, region):
            region.leaves.append((node, need))
            return
        if node.op == ">>":
            value = node.nodes[0]
            if region.width < value.width:
                self.name(value)  # as wide as the region has to be
            region.shifts_sign |= value.signed
            self._check(value, region.width, region)
            return
        lost = need > node.width and (not node.exact or (node.op == "~" and not node.signed))
        if lost or node.op == "slice":
            self.name(node.nodes[0] if node.op == "slice" else node)
            region.leaves.append((self._leaf(node), need))
            return
        for operand in _values(node):
            self._check(operand, need, region)

    def _is_leaf(self, node: Node, region: _Region) -> bool:
        """Whether its width and value do not depend on the region."""
        if (node.op == "~" and node.width == 1 and region.width > 1) or node in region.wide:
            return True
        return node.op not in RING and node.op not in (">>", "slice")

    # Text

    def _exact(self, node: Node) -> tuple[str, int]:
        """Text and binding of an expression in a place that has no width of its own."""
        node = self._leaf(node)
        if node.op == "cat":
            return self._concatenation(node), _ATOM
        if node.op == "extend" and not node.nodes[0].signed:
            return f"{{{node.width - node.nodes[0].width}'d0, {self.exactly(node.nodes[0])}}}", _ATOM
        region = self._region([node], 0, exact=True)
        return self._printed(region, node)

    def _printed(self, region: _Region, node: Node) -> tuple[str, int]:
        """Text and binding of a part of a region."""
        node = self._leaf(node)
        return self._text(node, region.width, region)

    def _text(self, node: Node, need: int, region: _Region) -> tuple[str, int]:
        node = self._leaf(node)
        if node.op == "cast" and need <= node.width:
            return self._text(node.nodes[0], need, region)
        if self._is_leaf(node, region) or node.op == "slice":
            return self._leaf_text(node, need, region)
        if node.op == "extend":
            return self._text(node.nodes[0], need, region)
        if node.op == "?:":
            condition, chosen, other = node.nodes
            texts = [self._text(value, need, region) for value in (chosen, other)]
            first = texts[0][0] if texts[0][1] > 1 else f"({texts[0][0]})"
            return f"{self.condition(condition)} ? {first} : {BREAK}{texts[1][0]}", _BINDING["?:"]
        if node.op in ("~", "neg"):
            text, binding = self._text(node.nodes[0], need, region)
            return f"{'~' if node.op == '~' else '-'}{text if binding >= _ATOM else f'({text})'}", _UNARY
        if node.op in ("<<", ">>"):
            value, amount = node.nodes
            sign = ">>>" if node.op == ">>" and value.signed else node.op
            left = self._text(value, region.width if node.op == ">>" else need, region)
            places = (str(amount.value), _ATOM) if amount.op == "const" else self._exact(amount)
            return self._binary(sign, [left, places])
        first, last = node.nodes
        if node.op == "+" and first.op == "const":
            first, last = last, first
        if node.op == "+" and last.op == "const" and -1 << (last.width - 1) < last.value < 0:
            minus = constant(-last.value, region.wide.get(last, last.width), signed=region.signed)
            return self._binary("-", [self._text(first, need, region), (minus, _ATOM)])
        return self._binary(node.op, [self._text(operand, need, region) for operand in (first, last)])

    def _binary(self, op: str, operands: Sequence[tuple[str, int]]) -> tuple[str, int]:
        """An operator between its operands; what mixes bits or shifts has parentheses around other operators."""
        binding = _BINDING[op]
        texts = []
        for index, (text, inner) in enumerate(operands):
            same = index == 0 and inner == binding and op not in COMPARISONS
            is_plain = inner >= _UNARY and text[:1] not in "|&^-"
            clear = inner > binding and (op in ("+", "-") or (op in COMPARISONS and inner > _BINDING["<<"]))
            associative = op in ("&", "|", "^", "+", "*") and inner == binding
            texts.append(text if is_plain or same or clear or associative else f"({text})")
        return f" {op} {BREAK}".join(texts), binding

    def _leaf_text(self, node: Node, need: int, region: _Region) -> tuple[str, int]:
        if node.op == "const":
            return self._constant(node, need, region), _ATOM
        text, binding = self._plain(node)
        signed = node.op in ("cast", "wire") and node.signed
        if not region.signed or signed:
            return text, binding
        return f"$signed({{1'b0, {text}}})" if need > node.width and not node.signed else f"$signed({text})", _ATOM

    def _plain(self, node: Node) -> tuple[str, int]:
        """A leaf as it is."""
        if node.op == "wire":
            return _bits(node), _ATOM
        if node.op == "slice":
            inner = self._leaf(node.nodes[0])
            assert inner.op == "wire"
            return _bits(self._nodes.wire(inner.wire, inner.low + node.low, node.width)), _ATOM
        if node.op == "cat":
            return self._concatenation(node), _ATOM
        if node.op == "extend":
            inner = node.nodes[0]
            return f"{{{node.width - inner.width}'d0, {self.exactly(inner)}}}", _ATOM
        if node.op == "cast":
            return f"{'$signed' if node.signed else '$unsigned'}({self.exactly(node.nodes[0])})", _ATOM
        if node.op in REDUCTIONS:
            text, binding = self._exact(node.nodes[0])
            return f"{REDUCTIONS[node.op]}{text if binding >= _ATOM else f'({text})'}", _UNARY
        if node.op == "~":
            text, binding = self._exact(node.nodes[0])
            return f"!{text if binding >= _ATOM else f'({text})'}", _UNARY
        assert node.op in COMPARISONS, node.op
        signed = None if node.op in ("==", "!=") else any(operand.signed for operand in node.nodes)
        region = self._region(node.nodes, 0, exact=True, signed=signed)
        texts = [self._text(operand, region.width, region) for operand in node.nodes]
        if signed is False and not any(self._is_unsigned(operand, region.width) for operand in node.nodes):
            texts[0] = (f"$unsigned({texts[0][0]})", _ATOM)
        return self._binary(node.op, texts)

    def _is_unsigned(self, node: Node, need: int) -> bool:
        """Whether Verilog takes the expression, as printed in an unsigned region, for unsigned."""
        node = self._leaf(node)
        if node.op == "cast" and need <= node.width:
            return self._is_unsigned(node.nodes[0], need)
        if node.op in RING or node.op == ">>":
            values = _values(node) if node.op != ">>" else node.nodes[:1]
            return any(self._is_unsigned(value, need) for value in values)
        return not node.signed or node.op == "const"

    def _concatenation(self, node: Node) -> str:
        """With repeated parts written once."""
        runs: list[tuple[Node, int]] = []
        for part in reversed(node.nodes):
            if runs and runs[-1][0] is part:
                runs[-1] = (part, runs[-1][1] + 1)
            else:
                runs.append((part, 1))
        texts = [self.exactly(part) if count == 1 else f"{{{count}{{{self.exactly(part)}}}}}" for part, count in runs]
        if len(runs) == 1:
            return texts[0]
        return f"{{{f', {BREAK}'.join(texts)}}}"

    def _constant(self, node: Node, need: int, region: _Region) -> str:
        width = region.wide.get(node, node.width)
        if not region.signed:
            if node.signed and need > width:
                width = need
            return constant(node.value, width, signed=False)
        if not node.signed and node.value >> (width - 1) and need > width:
            width += 1
        return constant(node.value, width, signed=True)


def constant(value: int, width: int, *, signed: bool = False) -> str:
    """A constant of that width: small ones in decimal."""
    bits = value & ((1 << width) - 1)
    sign = "s" if signed else ""
    if width == 1:
        return f"1'{sign}b{bits}"
    if signed and value < 0 and -value < 1 << (width - 1) and -value < 1024:
        return f"-{width}'sd{-value}"
    return f"{width}'{sign}d{bits}" if bits < 1024 else f"{width}'{sign}h{bits:0{(width + 3) // 4}x}"


def _values(node: Node) -> tuple[Node, ...]:
    """The operands that are computed in the node's own region."""
    if node.op == "?:":
        return node.nodes[1:]
    return node.nodes[:1] if node.op in ("<<", ">>") else node.nodes


def _bits(node: Node) -> str:
    """Bits of a wire; of a port of several elements by the element's number."""
    wire, low, width = node.wire, node.low, node.width
    if width == wire.width:
        return wire.name
    if wire.group and width == wire.group and low % width == 0 and width > 1:
        return f"{wire.name}[{width}*{low // width} +: {width}]"
    return f"{wire.name}[{low}]" if width == 1 else f"{wire.name}[{low + width - 1}:{low}]"


def wrapped(line: str, width: int = 110) -> str:
    """A line broken at operators where it is longer than that, what follows indented."""
    if len(line.replace(BREAK, "")) <= width:
        return line.replace(BREAK, "")
    indent = " " * (len(line) - len(line.lstrip()) + 4)
    lines, current = [], ""
    for piece in line.split(BREAK):
        if current.strip() and len(current) + len(piece.rstrip()) > width:
            lines.append(current.rstrip())
            current = indent
        current += piece
    return "\n".join([*lines, current])
