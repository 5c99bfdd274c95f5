"""What of a module's contents is written, and in which order."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence

from .verilog_body import Body
from .verilog_nodes import Node, Wire
from .verilog_parts import Drive, If, Part, Set, expressions
from .verilog_registers import Registers, merged, register_groups

#: What is written at one place: a net, a group of registers, or an instance.
Item = Drive | Registers | Part


class Plan:
    """What is written, in the order of the component's statements.

    Parameters
    ----------
    body : Body
        The contents of the module.
    ports : sequence of Wire
        In their order.
    is_cut_short : callable
        Whether an expression would lose its highest bits in a place that has no width of its own.

    Attributes
    ----------
    ports : list of Wire
        The wires that are the ports.
    items : list
        What is written.
    used : set of Wire
        What an output or an instance depends on.
    uses : Counter
        How often each expression is used.
    """

    def __init__(self, body: Body, ports: Sequence[Wire], is_cut_short: Callable[[Node], bool]) -> None:
        self._body = body
        self._is_cut_short = is_cut_short
        self.ports = list(ports)
        self._rename_outputs()
        self._find_used()
        self.items = self._ordered()

    def _rename_outputs(self) -> None:
        """An output that is another wire or register takes its place."""
        taken: set[Wire] = set()
        self._drives: list[Drive] = []
        for drive in self._body.drives:
            node = drive.node.nodes[0] if drive.node.op == "cast" else drive.node
            whole = drive.low == 0 and drive.wire.direction == "output" and node.width == drive.wire.width
            if whole and node.is_whole_wire and not node.wire.direction and node.wire not in taken:
                node.wire.name, node.wire.direction = drive.wire.name, "output"
                taken.add(node.wire)
                self.ports[self.ports.index(drive.wire)] = node.wire
            else:
                self._drives.append(drive)

    def _find_used(self) -> None:
        """Keep what an output or an instance depends on; and count how often each expression is used."""
        drivers: dict[Wire, list[Node]] = {}
        for drive in self._drives:
            drivers.setdefault(drive.wire, []).append(drive.node)
        for clocked in self._body.registers:
            _collect(clocked.statements, (), drivers)
        self.uses: Counter[Node] = Counter()
        self.used: set[Wire] = set()
        seen: set[Node] = set()
        nodes = [node for part in self._body.parts for _, node in part.inputs]
        wires = [wire for wire in self.ports if wire.direction == "output"]
        while nodes or wires:
            while nodes:
                node = nodes.pop()
                if node.op == "wire":
                    wires.append(node.wire)
                self.uses[node] += 1
                if node not in seen:
                    seen.add(node)
                    nodes.extend(node.nodes)
            while wires:
                wire = wires.pop()
                if wire not in self.used:
                    self.used.add(wire)
                    nodes.extend(drivers.get(wire, ()))

    def _ordered(self) -> list[Item]:
        """What is written, in the order of the statements, registers behind what they keep."""
        items: list[tuple[int, int, Item]] = []
        positions: dict[Wire, int] = {}
        for drive in self._drives:
            if drive.wire in self.used:
                items += [(drive.position, 0, piece) for piece in self._pieces(drive)]
                positions[drive.wire] = max(drive.position, positions.get(drive.wire, -1))
        for part in self._body.parts:
            items.append((part.position, 0, part))
            for _, node in part.outputs:
                positions |= dict.fromkeys(wires_of([node]), part.position)
        for group in register_groups(self._body.registers, self.used, positions):
            items.append((group.position, 1, group))
        found: list[Item] = []
        for *_, item in sorted(items, key=lambda entry: entry[:2]):
            before = found[-1] if found else None
            if (
                isinstance(before, Registers)
                and isinstance(item, Registers)
                and not self._is_step_between(before, item)
            ):
                found[-1:] = merged([before, item])
            else:
                found.append(item)
        return found

    def _is_step_between(self, before: Item, after: Item) -> bool:
        return any(before.position < position <= after.position for position, _ in self._body.steps)

    def _pieces(self, drive: Drive) -> list[Drive]:
        """Of bits side by side, those of sums and the like are assigned for themselves, to as many bits as they have."""
        node = drive.node.nodes[0] if drive.node.op == "cast" else drive.node
        alone = [node.op == "cat" and self.uses[part] < 2 and self._is_cut_short(part) for part in node.nodes]
        if not any(alone):
            return [drive]
        found: list[Drive] = []
        low, run = drive.low, list[Node]()
        for part, is_alone in zip((*node.nodes, None), (*alone, True), strict=True):
            if is_alone and run:
                found.append(Drive(drive.position, drive.wire, low, self._body.nodes.cat(run)))
                low, run = low + found[-1].node.width, []
            if is_alone and part is not None:
                found.append(Drive(drive.position, drive.wire, low, part))
                low += part.width
            elif part is not None:
                run.append(part)
        return found


def defined_by(item: Item) -> list[Wire]:
    """The wires that an item drives, or sets."""
    if isinstance(item, Drive):
        return [item.wire]
    if isinstance(item, Registers):
        return list(item.wires)
    return [wire for _, node in item.outputs for wire in wires_of([node])]


def wires_of(nodes: Iterable[Node]) -> list[Wire]:
    """All wires in expressions."""
    found: dict[Wire, None] = {}
    seen: set[Node] = set()
    waiting = list(nodes)
    while waiting:
        node = waiting.pop()
        if node not in seen:
            seen.add(node)
            if node.op == "wire":
                found.setdefault(node.wire)
            waiting.extend(node.nodes)
    return list(found)


def nodes_of(item: Item) -> list[Node]:
    """The expressions that an item computes with."""
    if isinstance(item, Drive):
        return [item.node]
    if isinstance(item, Part):
        return [node for _, node in item.inputs]
    return [node for statement in item.statements for node in expressions(statement)]


def _collect(statements: Sequence[Set | If], conditions: tuple[Node, ...], drivers: dict[Wire, list[Node]]) -> None:
    """For each register the expressions that its next value depends on."""
    for statement in statements:
        if isinstance(statement, Set):
            drivers.setdefault(statement.wire, []).extend((*conditions, statement.node))
            continue
        before = conditions
        for condition, inner in statement.branches:
            before = before if condition is None else (*before, condition)
            _collect(inner, before, drivers)
