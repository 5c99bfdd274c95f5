"""The exact product of two integers, in several architectures."""

from __future__ import annotations

from amaranth.hdl import Module, Shape, Value
from amaranth.lib.wiring import In, Out

from ...golden.formats import check_choice
from ..core.unit import PortSpec, Unit
from .bit_matrix import BitMatrix
from .partial_products import add_bit_products, add_booth_products, add_rows

#: Ways to multiply: what each is good for stands in :class:`Product`.
ARCHITECTURES = ("operator", "baugh_wooley", "booth", "row_adders", "tree")
#: What puts the partial products into a matrix, for the architectures that are made of gates.
ADD_PRODUCTS = {"baugh_wooley": add_bit_products, "booth": add_booth_products, "tree": add_bit_products}


class Product(Unit):
    """y = a * b, exact; combinational.

    Architectures, all of them with the same result:

    * ``operator``: Verilog's ``*``; the synthesizer decides, and on an FPGA may take a hard multiplier.
    * ``baugh_wooley``: all products of one bit by one bit, signs handled by complements and a constant (Baugh and Wooley,
      1973), added by chains of full adders: the least area for short operands.
    * ``booth``: b recoded to digits -2 … 2 (Booth 1951, radix 4 after MacSorley 1961), which halves the rows: the least
      area for long ones.
    * ``tree``: the bits of ``baugh_wooley`` in a Dadda tree (Dadda 1965) and one adder: the least delay.
    * ``row_adders``: rows of a, one for each bit of b, added in pairs by ``+``: for the carry chains of FPGAs.

    Parameters
    ----------
    a, b : Shape
        Widths and signs of the operands.
    architecture : str
        One of :data:`ARCHITECTURES`.

    Members
    -------
    a, b : In
    y : Out
        As wide as both operands together, signed if one of them is.
    """

    kind = "product"
    formula = "y = a * b, exact"

    def __init__(self, *, a: Shape, b: Shape, architecture: str) -> None:
        self.a_shape, self.b_shape = a, b
        self.architecture = check_choice("architecture", architecture, ARCHITECTURES)
        super().__init__(
            {
                "a": PortSpec(In(a), "data"),
                "b": PortSpec(In(b), "data"),
                "y": PortSpec(Out(Shape(a.width + b.width, a.signed or b.signed)), "data"),
            },
            parameters={"a": a, "b": b, "architecture": architecture},
            latency=0,
            clocked=False,
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.d.comb += self.y.eq(product_of(m, self.a, self.b, self.architecture))
        return m


def product_of(m: Module, a: Value, b: Value, architecture: str, prefix: str = "") -> Value:
    """a * b by one of the :data:`ARCHITECTURES`; ``prefix`` begins the names of the signals."""
    if architecture == "operator":
        return a * b
    if architecture == "row_adders":
        return add_rows(m, a, b, prefix)
    matrix = BitMatrix(m, len(a) + len(b), prefix)
    ADD_PRODUCTS[architecture](m, matrix, a, b, prefix)
    return matrix.tree() if architecture == "tree" else matrix.ripple()
