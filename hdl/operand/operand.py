"""Operands of a multiplication, whatever their format: sign, significand, exponent and class."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value

from ...golden.formats import Format
from ..core.hierarchy import place
from ..core.pipeline import Pipeline
from .fixed_unpack import FixedUnpack
from .float_unpack import FloatUnpack

CLASSES = ("zero", "inf", "nan", "signaling")


@dataclass(frozen=True)
class Operand:
    """One number: ``(-1)**sign * significand * 2**(exponent - bias - (width of significand - 1))``, or what its class says.

    Attributes
    ----------
    name : str
        What its signals are called by.
    sign, significand, exponent : Value
        The exponent is not negative. The significand's most significant bit is 1 but for subnormal and fixed-point
        numbers.
    bias, least, greatest : int
        The exponent's bias and bounds.
    subnormal : Value or None
        Float: the significand's most significant bit is 0, if that can be.
    integer : bool
        Fixed point: any bits of the significand may be 0.
    zero, inf, nan, signaling : Value
        The class, none of them set for other numbers.
    """

    name: str
    sign: Value
    significand: Value
    exponent: Value
    bias: int
    least: int
    greatest: int
    subnormal: Value | None
    integer: bool
    zero: Value
    inf: Value
    nan: Value
    signaling: Value

    @classmethod
    def unpack(cls, m: Module, platform: object, name: str, code: Value, fmt: Format, subnormals: str) -> Operand:
        """The operand that a code stands for."""
        never = Const(0, 1)
        if fmt.kind == "binary":
            negative = Signal(name=f"{name}_sign")
            m.d.comb += negative.eq(~code)
            return cls(name, negative, Const(1, 1), never, 0, 0, 0, None, False, never, never, never, never)
        unit = FixedUnpack(fmt=fmt) if fmt.kind == "fixed" else FloatUnpack(fmt=fmt, subnormals=subnormals)
        wires = {p.name: Signal(v.shape(), name=f"{name}_{p.name}") for p, v in unit.flat_ports() if p.name != "code"}
        place(m, platform, f"unpack_{name}", unit, code=code, **wires)
        sign, significand, zero = wires["sign"], wires["significand"], wires["zero"]
        if fmt.kind == "fixed":
            bias = fmt.frac_bits - (fmt.width - 1)
            return cls(name, sign, significand, never, bias, 0, 0, None, True, zero, never, never, never)
        least, greatest = float_bounds(fmt, subnormals == "full")
        classes = {key: wires[key] for key in CLASSES}
        subnormal = wires.get("subnormal")
        return cls(name, sign, significand, wires["exponent"], fmt.bias, least, greatest, subnormal, False, **classes)

    @classmethod
    def select(
        cls,
        m: Module,
        platform: object,
        name: str,
        code: Value,
        choices: Sequence[Format],
        subnormals: str,
        select: Value,
    ) -> Operand:
        """The operand that a code stands for in the float format that ``select`` chooses, in the code's low bits.

        Significands are aligned at their hidden bits. The exponent keeps the bias of its own format, for which
        ``bias``, ``least`` and ``greatest`` are those of the first.
        """
        items = [cls.unpack(m, platform, f"{name}_{fmt.name}", code[: fmt.width], fmt, subnormals) for fmt in choices]
        width = max(item.width for item in items)
        aligned = [Cat(Const(0, width - item.width), item.significand) for item in items]
        never = Const(0, 1)
        values = {key: [getattr(item, key) for item in items] for key in ("sign", "exponent", *CLASSES)}
        values["significand"] = aligned
        if any(item.subnormal is not None for item in items):
            values["subnormal"] = [never if item.subnormal is None else item.subnormal for item in items]
        wires = {}
        for key, parts in values.items():
            wires[key] = Signal(max(map(len, parts)), name=f"{name}_{key}")
            m.d.comb += wires[key].eq(chosen(select, parts))
        return replace(items[0], name=name, **({"subnormal": None} | wires))

    def registered(self, pipeline: Pipeline, place: int) -> Operand:
        """The operand as it is behind the pipeline's registers of that place."""
        wires = {key: value for key, value in vars(self).items() if isinstance(value, Signal)}
        return replace(self, **pipeline.cut_named(place, wires))

    @property
    def width(self) -> int:
        """Bits of the significand."""
        return len(self.significand)

    def leading_part(self) -> Value | None:
        """The bits whose leading zeros are those of the significand after a first bit that is known to be 0, or all of
        them for an integer; None where the first bit is always 1 (or there is no other)."""
        if self.integer:
            return self.significand
        return self.significand[:-1] if self.subnormal is not None and self.width > 1 else None


def float_bounds(fmt: Format, reads_subnormals: bool) -> tuple[int, int]:
    """The least and the greatest exponent of a float operand that is finite."""
    least = int(fmt.subnormals and reads_subnormals)
    return least, max(fmt.max_code >> fmt.frac_bits, least)


def chosen(select: Value, values: Sequence[Value]) -> Value:
    """The value whose number ``select`` is; the last one for greater numbers."""
    result = values[-1]
    for number in reversed(range(len(values) - 1)):
        result = Mux(select == number, values[number], result)
    return result


def shared_fraction(x: Operand, y: Operand) -> Value:
    """The fraction of whichever of two floats is subnormal, from the top of as many bits as the longer one has."""
    width = max(x.width, y.width) - 1

    def gated(operand: Operand) -> Value:
        fraction = Cat(Const(0, width - (operand.width - 1)), operand.significand[:-1])
        return Mux(operand.subnormal, fraction, 0) if operand.subnormal is not None else Const(0, width)

    return gated(x) | gated(y)
