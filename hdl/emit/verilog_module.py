"""A Verilog module from its contents: what is written, in which order, and how it looks."""

from __future__ import annotations

from collections.abc import Sequence

from .verilog_body import Body
from .verilog_nodes import COMPARISONS, REDUCTIONS, Node, Wire
from .verilog_parts import Drive, If, Part, Set
from .verilog_plan import Item, Plan, defined_by, nodes_of, wires_of
from .verilog_registers import Registers
from .verilog_text import Printer, constant, wrapped

#: What an expression that got a wire of its own computes, as the end of its name.
_SUFFIXES = {
    "+": "sum",
    "-": "difference",
    "neg": "negated",
    "*": "product",
    "<<": "shifted",
    ">>": "shifted",
    "?:": "choice",
    "~": "inverted",
    "extend": "extended",
    "cast": "value",
}


class ModuleText:
    """Writes one module.

    Parameters
    ----------
    name : str
        The module's name.
    body : Body
        Its contents.
    ports : sequence of Wire
        In their order.
    reserved : set of str
        Words that are no names.
    """

    def __init__(self, name: str, body: Body, ports: Sequence[Wire], reserved: frozenset[str]) -> None:
        self._name = name
        self._body = body
        self._names = {wire.name for wire in ports}
        self._reserved = reserved
        self._printer = Printer(body.nodes, self._isolated)
        self._hint = ""
        self._waiting: list[Node] = []
        plan = Plan(body, ports, self._printer.is_cut_short)
        self._ports, self._items, self._used, self._uses = plan.ports, plan.items, plan.used, plan.uses
        self._name_wires()

    def _name_wires(self) -> None:
        """Give every wire a name of its own, in the order of the text; instances have theirs before them."""
        renamed: set[Wire] = set(self._ports)
        for item in self._items:
            if isinstance(item, Part):
                self._names.add(item.name)
        for item in self._items:
            for wire in defined_by(item):
                if wire not in renamed:
                    renamed.add(wire)
                    wire.name = self._unique(wire.name)

    def _unique(self, wanted: str) -> str:
        wanted = "".join(c if c.isalnum() or c == "_" else "_" for c in wanted)
        name, number = wanted, 1
        while name in self._names or name in self._reserved:
            number += 1
            name = f"{wanted}_{number}"
        self._names.add(name)
        return name

    def _isolated(self, node: Node) -> Wire:
        """A wire for an expression that needs one, named after what it is for and what it computes."""
        suffix = _SUFFIXES.get(node.op, "is" if node.op in COMPARISONS else "any" if node.op in REDUCTIONS else "bits")
        base = self._hint.removesuffix(f"_{suffix}")
        wire = Wire(self._unique(f"{base}_{suffix}"), node.width, node.signed)
        self._waiting.append(node)
        return wire

    def _definitions(self) -> list[str]:
        """The wires of expressions isolated since the last call, each before it is used."""
        lines: list[str] = []
        while self._waiting:
            node = self._waiting.pop(0)
            later, self._waiting = self._waiting, []
            text = self._printer.definition(node)
            lines += self._definitions()
            lines.append(wrapped(f"  {_declaration('wire', self._printer.wire_of(node))} = {text};"))
            self._waiting += later
        return lines

    def text(self) -> str:
        """The module."""
        lines: list[str] = []
        hoisted = self._hoisted()
        declared = set(self._ports) | set(hoisted)
        steps = list(self._body.steps)
        previous: Item | None = None
        for item in self._items:
            comment = ""
            while steps and steps[0][0] <= item.position:
                comment = steps.pop(0)[1]
            if comment:
                lines += ["", f"  // {comment}"]
            elif previous is None or not (isinstance(item, Drive) and isinstance(previous, Drive)):
                lines.append("")
            lines += self._item(item, declared)
            previous = item
        head = self._head()
        if hoisted:
            head += ["", *(self._declared(wire) for wire in hoisted)]
        return "\n".join([*head, *lines, "endmodule"]) + "\n"

    def _head(self) -> list[str]:
        ports = []
        for wire in self._ports:
            kind = f"{wire.direction} {'reg' if wire.is_register else 'wire'}"
            init = f" = {constant(wire.init, wire.width)}" if wire.is_register else ""
            ports.append(f"  {_declaration(kind, wire)}{init}")
        return [f"module {self._name} (", ",\n".join(ports), ");"]

    def _hoisted(self) -> list[Wire]:
        """Wires that are used above the place where they are driven; in the order of their uses."""
        where: dict[Wire, int] = {}
        for index, item in enumerate(self._items):
            for wire in defined_by(item):
                where.setdefault(wire, index)
        found: dict[Wire, None] = {}
        for index, item in enumerate(self._items):
            for wire in wires_of(nodes_of(item)):
                later = where.get(wire, -1)
                if not wire.direction and (later > index or (later == index and isinstance(item, Drive))):
                    found.setdefault(wire)
        return list(found)

    def _declared(self, wire: Wire) -> str:
        if wire.is_register:
            return f"  {_declaration('reg', wire)} = {constant(wire.init, wire.width)};"
        return f"  {_declaration('wire', wire)};"

    def _item(self, item: Item, declared: set[Wire]) -> list[str]:
        nodes = nodes_of(item)
        if isinstance(item, Drive):
            self._hint = item.wire.name
        elif isinstance(item, Part):
            self._hint = item.name
        else:
            self._hint = next(iter(item.wires)).name
        shared = [line for node in nodes for line in self._shared(node, isinstance(item, Drive))]
        if isinstance(item, Drive):
            body = self._drive(item, declared)
        elif isinstance(item, Part):
            body = self._part(item, declared)
        else:
            body = self._registers(item, declared)
        return [*shared, *self._definitions(), *body]

    def _shared(self, node: Node, is_drive: bool) -> list[str]:
        """Wires for the expressions in it that are used more than once and are not short."""
        lines: list[str] = []
        if node.cost < 1 or self._printer.has_wire(node):
            return lines
        for operand in node.nodes:
            lines += self._shared(operand, False)
        if self._uses[node] > 1 and not is_drive and _deserves_wire(node):
            self._printer.name(node)
            lines += self._definitions()
        return lines

    def _drive(self, drive: Drive, declared: set[Wire]) -> list[str]:
        wire, width = drive.wire, drive.node.width
        text = self._printer.assigned(drive.node, width)
        if wire in declared:
            left = "assign " + _range(wire, drive.low, width)
        elif width == wire.width:
            left = _declaration("wire", wire)
        else:
            declared.add(wire)
            return [self._declared(wire), wrapped(f"  assign {_range(wire, drive.low, width)} = {text};")]
        declared.add(wire)
        if width == wire.width and _deserves_wire(drive.node):
            self._printer.name(drive.node, wire)
        return [wrapped(f"  {left} = {text};")]

    def _part(self, part: Part, declared: set[Wire]) -> list[str]:
        lines = []
        for _, node in part.outputs:
            for wire in wires_of([node]):
                if wire in self._used and wire not in declared:
                    declared.add(wire)
                    lines.append(self._declared(wire))
        pins = [(port, self._printer.exactly(node)) for port, node in part.inputs]
        for port, node in part.outputs:
            pins.append((port, self._printer.exactly(node) if self._used.intersection(wires_of([node])) else ""))
        listed = ",\n".join(wrapped(f"    .{port}({text})") for port, text in pins)
        return [*lines, f"  {part.module} {part.name} (", listed, "  );"]

    def _registers(self, group: Registers, declared: set[Wire]) -> list[str]:
        lines = []
        for wire in group.wires:
            if wire not in declared:
                declared.add(wire)
                lines.append(self._declared(wire))
        clk, rst = (wire.name for wire in self._ports[:2])
        lines.append(f"  always @(posedge {clk})")
        if group.resets:
            resets = [f"{wire.name} <= {constant(wire.init, wire.width)};" for wire in group.wires]
            if len(resets) == 1:
                lines.append(f"    if ({rst}) {resets[0]}")
                end = "    else"
            else:
                lines += [f"    if ({rst}) begin", *(f"      {line}" for line in resets)]
                end = "    end else"
            return lines + self._block(group.statements, end, 4)
        return lines + self._block(group.statements, "   ", 4)

    def _block(self, statements: Sequence[Set | If], start: str, indent: int) -> list[str]:
        """Statements behind ``start`` (``else`` or what an ``if`` begins with), itself on the line given."""
        if len(statements) == 1:
            (only,) = statements
            if isinstance(only, If):
                return self._if(only, start, indent)
            return [wrapped(f"{start} {self._set(only)}")]
        lines = [f"{start} begin"]
        for statement in statements:
            lines += self._statement(statement, indent + 2)
        return [*lines, f"{' ' * indent}end"]

    def _statement(self, statement: Set | If, indent: int) -> list[str]:
        if isinstance(statement, Set):
            return [wrapped(f"{' ' * indent}{self._set(statement)}")]
        return self._if(statement, " " * (indent - 1), indent)

    def _set(self, item: Set) -> str:
        return (
            f"{_range(item.wire, item.low, item.node.width)} <= {self._printer.assigned(item.node, item.node.width)};"
        )

    def _if(self, statement: If, start: str, indent: int) -> list[str]:
        lines: list[str] = []
        for number, (condition, inner) in enumerate(statement.branches):
            is_last = number == len(statement.branches) - 1
            if number:
                start = f"{' ' * indent}else"
                if lines[-1] == f"{' ' * indent}end":
                    start = f"{lines.pop()} else"
            # An `if` that holds nothing but another one is one of both conditions.
            while is_last and not number and len(inner) == 1 and isinstance(inner[0], If):
                (inner_condition, inmost), *others = inner[0].branches
                if condition is None or inner_condition is None or others:
                    break
                condition, inner = self._body.nodes.operation("&", [condition, inner_condition]), inmost
            if condition is not None:
                start = wrapped(f"{start} if ({self._printer.exactly(condition)})")
            if len(inner) == 1 and (isinstance(inner[0], Set) or (condition is None and is_last)):
                lines += self._block(inner, start, indent)
            else:
                lines.append(f"{start} begin")
                for each in inner:
                    lines += self._statement(each, indent + 2)
                lines.append(f"{' ' * indent}end")
        return lines


def _deserves_wire(node: Node) -> bool:
    """Whether an expression that is used more than once is written only once."""
    if node.op in ("cat", "slice", "cast", "extend", "wire", "const"):
        return False
    return node.cost > 2 or node.op in ("+", "-", "*", "<<", ">>", "neg")


def _declaration(kind: str, wire: Wire) -> str:
    sign = " signed" if wire.signed else ""
    bits = f" [{wire.width - 1}:0]" if wire.width > 1 or wire.signed else ""
    return f"{kind}{sign}{bits} {wire.name}"


def _range(wire: Wire, low: int, width: int) -> str:
    """Bits of a wire on the left side of an assignment."""
    if width == wire.width:
        return wire.name
    return f"{wire.name}[{low}]" if width == 1 else f"{wire.name}[{low + width - 1}:{low}]"
