"""Ways in which a word-level cell can be wrong, each what a slip in a generator would give."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from ..yosys.netlist import Bit, Cell, Netlist, inputs_of, number

#: Adds what a fault needs to a netlist and returns the bits that stand in place of the cell's output (a register's: input).
Change = Callable[[Netlist, Cell], Sequence[Bit]]
#: The kind of a mutation, what exactly it changes, and the change.
Mutation = tuple[str, str, Change]

#: Operations that are mistaken for one another; both take the same parameters.
_MISTAKEN = {
    "$add": ("$sub",),
    "$sub": ("$add",),
    "$mul": ("$add",),
    "$and": ("$or", "$xor"),
    "$or": ("$and", "$xor"),
    "$xor": ("$xnor", "$or"),
    "$xnor": ("$xor",),
    "$not": ("$pos",),
    "$neg": ("$pos", "$not"),
    "$eq": ("$ne",),
    "$ne": ("$eq",),
    "$lt": ("$le", "$gt"),
    "$le": ("$lt", "$ge"),
    "$gt": ("$ge", "$lt"),
    "$ge": ("$gt", "$le"),
    "$shl": ("$shr",),
    "$shr": ("$shl",),
    "$sshl": ("$sshr",),
    "$sshr": ("$shr",),
    "$reduce_or": ("$reduce_and", "$reduce_xor"),
    "$reduce_and": ("$reduce_or",),
    "$reduce_bool": ("$reduce_and",),
    "$reduce_xor": ("$reduce_xnor",),
    "$logic_not": ("$reduce_bool",),
    "$logic_and": ("$logic_or",),
    "$logic_or": ("$logic_and",),
}
#: Operations whose operands are not to be exchanged, and those in which the order of an operand's bits does not matter.
_ORDERED = ("$sub", "$lt", "$le", "$gt", "$ge")
_UNORDERED = ("$reduce_or", "$reduce_and", "$reduce_xor", "$reduce_bool", "$logic_not", "$logic_and", "$logic_or")
_REGISTER = "$dff"


def mutations(cell: Cell, read: set[Bit]) -> Iterator[Mutation]:
    """Every mutation of a cell, given the bits that anything reads: a wrong bit that nobody reads is no fault."""
    if cell["type"] == _REGISTER:
        yield "register", "is a cycle late", _late
        yield "register", "keeps its value", lambda net, cell: cell["connections"]["Q"]
        return
    output = cell["connections"]["Y"]
    for other in _MISTAKEN.get(cell["type"], ()):
        # Reductions of a single bit are all the same.
        if number(cell, "A_WIDTH") > 1 or "$reduce" not in other:
            yield "operation", f"{other[1:]} in place of {cell['type'][1:]}", _replaced(type=other)
    yield from _signs(cell)
    yield from _operands(cell)
    if cell["type"] == "$mux":
        yield from _selects(cell)
    if cell["type"] in ("$add", "$sub"):
        for bit in range(1, len(output)):
            low = [any(net != "0" for net in cell["connections"][port][:bit]) for port in "AB"]
            if not read.isdisjoint(output[bit:]) and (all(low) or cell["type"] == "$sub"):
                yield "carry", f"no carry into bit {bit}", _no_carry(bit)
    for bit, net in enumerate(output):
        if net in read:
            yield "inversion", f"bit {bit} of the result is inverted", _inverted(bit)


def _signs(cell: Cell) -> Iterator[Mutation]:
    """An operand taken as signed, or no more, where that can matter: not in operations of single bits."""
    names = [name for name in ("A_SIGNED", "B_SIGNED") if name in cell["parameters"]]
    arithmetic = ("$add", "$sub", "$mul", "$lt", "$le", "$gt", "$ge", "$sshr")
    if cell["type"] in arithmetic and names and number(cell, "A_WIDTH") > 1:
        flipped = {name: f"{1 - number(cell, name):032b}" for name in names}
        yield "sign", f"operands are {'signed' if '1' in flipped[names[0]] else 'unsigned'}", _replaced(flipped)


def _operands(cell: Cell) -> Iterator[Mutation]:
    for port, bits in inputs_of(cell):
        if port == "S":
            continue
        if all(isinstance(bit, str) for bit in bits):
            value = int("".join(map(str, reversed(bits))).replace("x", "0"), 2)
            for step in (1, -1) if len(bits) > 1 else (1,):
                wrong = (value + step) % (1 << len(bits))
                text = f"constant {port} is {wrong} in place of {value}"
                yield "constant", text, _replaced(connections={port: list(reversed(f"{wrong:0{len(bits)}b}"))})
            continue
        for index, bit in enumerate(bits):
            if isinstance(bit, str):
                continue
            for stuck in "01":
                changed = [*bits[:index], stuck, *bits[index + 1 :]]
                kind = "bit lost" if stuck == "0" else "bit set"
                yield kind, f"bit {index} of {port} is {stuck}", _replaced(connections={port: changed})
            if index and bits[index - 1] != bit and cell["type"] not in _UNORDERED:
                changed = [*bits[: index - 1], bit, bits[index - 1], *bits[index + 1 :]]
                text = f"bits {index - 1} and {index} of {port} are exchanged"
                yield "exchange", text, _replaced(connections={port: changed})
    operands = cell["connections"]
    same = cell["type"] in _ORDERED and len(operands["A"]) == len(operands["B"]) and operands["A"] != operands["B"]
    if same:
        exchanged = {"A": operands["B"], "B": operands["A"]}
        yield "exchange", "operands are exchanged", _replaced(connections=exchanged)


def _selects(cell: Cell) -> Iterator[Mutation]:
    arms = cell["connections"]
    if arms["A"] != arms["B"]:
        exchanged = {"A": arms["B"], "B": arms["A"]}
        yield "select", "select is inverted", _replaced(connections=exchanged)
        for stuck in "01":
            yield "select", f"select is always {stuck}", _replaced(connections={"S": [stuck]})


def _replaced(
    parameters: Mapping[str, str] | None = None,
    *,
    type: str | None = None,
    connections: Mapping[str, Sequence[Bit]] | None = None,
) -> Change:
    """A cell of another type, with other parameters or other inputs."""

    def change(net: Netlist, cell: Cell) -> Sequence[Bit]:
        other: dict[str, Any] = copy.deepcopy(cell)
        result = net.fresh(len(cell["connections"]["Y"]))
        other["type"] = type or cell["type"]
        other["parameters"] |= parameters or {}
        other["connections"] |= {**(connections or {}), "Y": result}
        if type is not None and "$reduce" in type:
            other["parameters"].pop("B_SIGNED", None)
        net.cells[f"$added${len(net.cells)}"] = other
        return result

    return change


def _inverted(index: int) -> Change:
    def change(net: Netlist, cell: Cell) -> Sequence[Bit]:
        output = list(cell["connections"]["Y"])
        (inverted,) = net.fresh(1)
        parameters = {"A_SIGNED": 0, "A_WIDTH": 1, "Y_WIDTH": 1}
        net.add("$not", parameters, {"A": [output[index]], "Y": [inverted]}, "Y")
        output[index] = inverted
        return output

    return change


def _no_carry(place: int) -> Change:
    """The bits from ``place`` up added on their own."""

    def change(net: Netlist, cell: Cell) -> Sequence[Bit]:
        output = cell["connections"]["Y"]
        signed = number(cell, "A_SIGNED") and number(cell, "B_SIGNED")
        upper = {}
        for port in "AB":
            bits = cell["connections"][port]
            extended = [*bits, *[bits[-1] if signed else "0"] * len(output)]
            upper[port] = extended[place : len(output)]
        width = len(output) - place
        result = net.fresh(width)
        parameters = {"A_SIGNED": 0, "A_WIDTH": width, "B_SIGNED": 0, "B_WIDTH": width, "Y_WIDTH": width}
        net.add(cell["type"], parameters, {**upper, "Y": result}, "Y")
        return [*output[:place], *result]

    return change


def _late(net: Netlist, cell: Cell) -> Sequence[Bit]:
    given = cell["connections"]
    result = net.fresh(len(given["D"]))
    parameters = {"WIDTH": len(result), "CLK_POLARITY": int(cell["parameters"]["CLK_POLARITY"], 2)}
    net.add(_REGISTER, parameters, {"CLK": given["CLK"], "D": given["D"], "Q": result}, "Q")
    return result
