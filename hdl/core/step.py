"""What a component says of itself for the reader of its Verilog: comments between steps, and where a part stands."""

from __future__ import annotations

from amaranth.hdl import Module, Signal

#: Attributes of signals of no bits, assignments to which mark a place among the combinational statements: what they
#: mark, and how many statements of the clock's edge come before.
STEP, PART, CLOCKED, CUT = "polymac.step", "polymac.part", "polymac.clocked", "polymac.cut"


def step(m: Module, text: str) -> None:
    """Say what the statements from here on compute: a comment in the Verilog, nothing in the netlist.

    Outside of ``m.If``. Where nothing is left of a step, its comment is left out.
    """
    _mark(m, STEP, text)


def mark_part(m: Module, name: str) -> None:
    """The submodule of that name stands here among the statements."""
    _mark(m, PART, name)


def mark_cut(m: Module) -> None:
    """The registers of the statements that follow stand behind all that is above."""
    _mark(m, CUT, "")


def _mark(m: Module, attribute: str, text: str) -> None:
    marker = Signal(0, name="marker", attrs={attribute: text})
    m.d.comb += marker.eq(0)
    marker.attrs[CLOCKED] = len(m._statements.get("sync", ()))
