"""The exact product of two operands: significand, exponent, leading zeros and class."""

from __future__ import annotations

from collections.abc import Sequence

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value, unsigned

from ..core.hierarchy import instantiate
from ..core.pipeline import Pipeline
from ..core.step import step
from ..integer.product import Product
from ..integer.product_in_steps import product_in_steps
from ..integer.shifter import leading_zeros
from ..operand.raw_float import RawFloat, RawShape, shared_fraction


def product_shape(x: RawShape, y: RawShape) -> RawShape:
    """Widths and bounds of a product, its exponent being the sum of both."""
    return RawShape(
        x.width + y.width - (1 in (x.width, y.width)),
        x.lsb + y.lsb,
        x.min_exponent + y.min_exponent,
        x.max_exponent + y.max_exponent,
    )


def significand_product(m: Module, platform: object, x: RawFloat, y: RawFloat, architecture: str) -> Signal:
    """The significands' product, one bit shorter than both together where one of them is a single bit."""
    step(m, "The exact product of the significands")
    product = Signal(x.width + y.width - (1 in (x.width, y.width)), name="product")
    if 1 in (x.width, y.width):
        one, other = (x, y) if x.width == 1 else (y, x)
        m.d.comb += product.eq(Mux(one.significand, other.significand, 0))
        return product
    unit = Product(a=unsigned(x.width), b=unsigned(y.width), architecture=architecture)
    instantiate(m, platform, "multiply", unit, a=x.significand, b=y.significand, y=product)
    return product


def significand_product_in_steps(
    m: Module, x: RawFloat, y: RawFloat, architecture: str, registers: Sequence[int], enable: Signal
) -> Signal:
    """The significands' product as of :func:`.significand.significand_product`, after so many registers."""
    step(m, "The exact product of the significands")
    a, b = (Signal(operand.width, name=f"{operand.name}_factor") for operand in (x, y))
    m.d.comb += [a.eq(x.significand), b.eq(y.significand)]
    if 1 not in (x.width, y.width):
        return product_in_steps(m, a, b, architecture, registers, enable)
    product = Signal(x.width + y.width - 1, name="product")
    one, other = (a, b) if x.width == 1 else (b, a)
    m.d.comb += product.eq(other & one[0].replicate(len(other)))
    return Pipeline.at(m, registers, enable).cut(0, product)[0]


def count_leading_zeros(m: Module, x: RawFloat, y: RawFloat, shared: bool) -> tuple[Signal, int]:
    """How many leading zeros the significands' product has, or one less, and their greatest number.

    ``shared`` says that the product of two subnormals is subnormal, whatever its leading zeros: then one counter serves
    both operands.
    """
    zero_counts: list[tuple[Value, int]] = []
    parts = [(operand, part) for operand in (x, y) if (part := operand.leading_part()) is not None]
    step(m, "Its leading zeros, or one less: those of subnormal significands")
    if len(parts) == 2 and not (x.shape.is_integer or y.shape.is_integer) and shared:
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


def or_invalid(bit: Value, x: RawFloat, y: RawFloat) -> Value:
    """``bit``, or whether the product is that of infinity and zero."""
    return bit | (x.inf & y.zero) | (x.zero & y.inf)


def exact_product(
    m: Module, x: RawFloat, y: RawFloat, significand: Signal, exponent: Signal, prefix: str = ""
) -> RawFloat:
    """The product of that significand and exponent with its sign and class; ``zero``, ``inf`` and ``nan`` exclude each
    other. The signals' names begin with ``prefix``."""
    names = ("sign", "zero", "inf", "nan", "invalid")
    step(m, "Sign and class of the product")
    sign, zero, inf, nan, invalid = (Signal(name=f"{prefix}{name}") for name in names)
    m.d.comb += [
        sign.eq(x.sign ^ y.sign),
        invalid.eq(or_invalid(x.signaling | y.signaling, x, y)),
        nan.eq(x.nan | y.nan | invalid),
        inf.eq((x.inf | y.inf) & ~nan),
        zero.eq((x.zero | y.zero) & ~nan),
    ]
    return RawFloat(product_shape(x.shape, y.shape), sign, exponent, significand, zero, inf, nan, invalid=invalid)


def add_one(x: Value, y: Value) -> Value:
    """x + y + 1 by one adder, the 1 as its carry; biases are one less than a power of two, which leaves a short addition
    for the rest."""
    return (Cat(Const(1, 1), x) + Cat(Const(1, 1), y))[1:]
