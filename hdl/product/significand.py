"""What is common to all products of two operands: the significands' product, leading zeros, class and exponent."""

from __future__ import annotations

from collections.abc import Sequence

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value, unsigned

from ..core.hierarchy import place
from ..core.pipeline import Pipeline
from ..integer.product import Product
from ..integer.product_in_steps import product_in_steps
from ..integer.shifter import leading_zeros
from ..operand.operand import Operand, shared_fraction


def significand_product(m: Module, platform: object, x: Operand, y: Operand, architecture: str) -> tuple[Signal, int]:
    """The significands' product, and by how much its most significant bit weighs more than theirs together (as a power
    of two: 1, or 0 where a significand is one bit)."""
    product = Signal(x.width + y.width - (1 in (x.width, y.width)), name="product")
    if 1 in (x.width, y.width):
        one, other = (x, y) if x.width == 1 else (y, x)
        m.d.comb += product.eq(Mux(one.significand, other.significand, 0))
        return product, 0
    unit = Product(a=unsigned(x.width), b=unsigned(y.width), architecture=architecture)
    place(m, platform, "multiply", unit, a=x.significand, b=y.significand, y=product)
    return product, 1


def significand_product_in_steps(
    m: Module, x: Operand, y: Operand, architecture: str, registers: Sequence[int], enable: Signal
) -> Signal:
    """The significands' product as of :func:`.significand.significand_product`, after so many registers."""
    a, b = (Signal(operand.width, name=f"{operand.name}_factor") for operand in (x, y))
    m.d.comb += [a.eq(x.significand), b.eq(y.significand)]
    if 1 not in (x.width, y.width):
        return product_in_steps(m, a, b, architecture, registers, enable)
    product = Signal(x.width + y.width - 1, name="product")
    one, other = (a, b) if x.width == 1 else (b, a)
    m.d.comb += product.eq(other & one[0].replicate(len(other)))
    return Pipeline.at(m, registers, enable).cut(0, product)[0]


def count_leading_zeros(m: Module, x: Operand, y: Operand, shared: bool) -> tuple[Signal, int]:
    """How many leading zeros the significands' product has, or one less, and their greatest number.

    ``shared`` says that the product of two subnormals is subnormal, whatever its leading zeros: then one counter serves
    both operands.
    """
    zero_counts: list[tuple[Value, int]] = []
    parts = [(operand, part) for operand in (x, y) if (part := operand.leading_part()) is not None]
    if len(parts) == 2 and not (x.integer or y.integer) and shared:
        assert x.subnormal is not None and y.subnormal is not None
        fraction = Signal(max(x.width, y.width) - 1, name="subnormal_fraction")
        m.d.comb += fraction.eq(shared_fraction(x, y))
        count = leading_zeros(m, fraction, "fraction_zeros")
        zero_counts.append((Mux(x.subnormal | y.subnormal, count + 1, 0), len(fraction)))
    else:
        for operand, part in parts:
            count = leading_zeros(m, part, f"{operand.name}_zeros")
            if operand.subnormal is not None:
                zero_counts.append((Mux(operand.subnormal, count + 1, 0), len(part)))
            else:
                zero_counts.append((count, len(part) - 1))
    most = sum(bound for _, bound in zero_counts)
    zeros = Signal(range(most + 1), name="leading_zeros")
    m.d.comb += zeros.eq(sum((value for value, _ in zero_counts), start=Const(0, 1)))
    return zeros, most


def product_class(m: Module, x: Operand, y: Operand, prefix: str = "") -> dict[str, Signal]:
    """Sign and class of the product: ``sign``, and ``zero``, ``inf``, ``nan`` of which one is set at most; ``invalid``.

    The signals' names begin with ``prefix``.
    """
    classes = {name: Signal(name=f"{prefix}{name}") for name in ("sign", "zero", "inf", "nan", "invalid")}
    invalid, nan = classes["invalid"], classes["nan"]
    m.d.comb += [
        classes["sign"].eq(x.sign ^ y.sign),
        invalid.eq(x.signaling | y.signaling | (x.inf & y.zero) | (x.zero & y.inf)),
        nan.eq(x.nan | y.nan | invalid),
        classes["inf"].eq((x.inf | y.inf) & ~nan),
        classes["zero"].eq((x.zero | y.zero) & ~nan),
    ]
    return classes


def add_one(x: Value, y: Value) -> Value:
    """x + y + 1 by one adder, the 1 as its carry; biases are one less than a power of two, which leaves a short addition
    for the rest."""
    return (Cat(Const(1, 1), x) + Cat(Const(1, 1), y))[1:]
