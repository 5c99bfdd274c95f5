"""From a unit to the text of its Verilog module."""

from __future__ import annotations

from amaranth.hdl import Fragment

from ..core.hierarchy import FlatTop, Hierarchy
from ..core.unit import Unit
from .verilog_body import Body
from .verilog_module import ModuleText
from .verilog_nodes import Wire


def module_text(name: str, unit: Unit, hierarchy: Hierarchy, reserved: frozenset[str]) -> str:
    """The Verilog module of a unit, whose parts are instances of other modules of the hierarchy.

    Parameters
    ----------
    name : str
        The module's name.
    unit : Unit
        What is in it.
    hierarchy : Hierarchy
        Which names modules.
    reserved : frozenset of str
        Words that are no names in Verilog.
    """
    top = FlatTop(unit)
    fragment = Fragment.get(top, hierarchy)
    ports: list[Wire] = []
    pairs = []
    for port in unit.ports:
        if port.role in ("clock", "reset"):
            ports.append(Wire(port.name, 1, False, port.direction))
            continue
        signal = getattr(top, port.name)
        group = port.width // port.elements if port.elements > 1 else 0
        ports.append(Wire(port.name, port.width, signal.shape().signed, port.direction, group=group))
        pairs.append((ports[-1], signal))
    inputs, outputs = ([pair for pair in pairs if pair[0].direction == way] for way in ("input", "output"))
    body = Body(fragment, inputs, outputs, ports[:2])
    return ModuleText(name, body, ports, reserved).text()
