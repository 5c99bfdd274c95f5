"""An exact number as signals, whatever format it came from or goes to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from amaranth.hdl import Cat, Const, Mux, Signal, Value

from ..core.pipeline import Pipeline

#: A class bit that is never set.
NEVER = Const(0, 1)


def never() -> Const:
    """:data:`NEVER`, as the default of a dataclass wants it."""
    return NEVER


@dataclass(frozen=True)
class RawShape:
    """What is known of a :class:`RawFloat` before there is any signal.

    Attributes
    ----------
    width : int
        Bits of the significand.
    lsb : int
        Weight of the significand's last bit where the exponent signal is 0, as a power of two.
    min_exponent, max_exponent : int
        Bounds of the exponent signal in finite numbers. It is never negative in an operand.
    exponent_bits : int
        Bits of the exponent in the code; 0 where all numbers have the same.
    is_integer : bool
        Any bits of the significand may be 0, as in fixed point. Else its first bit is 1, except in zeros and where
        ``RawFloat.subnormal`` is set.
    """

    width: int
    lsb: int
    min_exponent: int = 0
    max_exponent: int = 0
    exponent_bits: int = 0
    is_integer: bool = False

    @property
    def bias(self) -> int:
        """The exponent signal less the exponent of the significand's first bit."""
        return -self.lsb - (self.width - 1)

    @property
    def quantum(self) -> int:
        """Weight of the significand's last bit at the least exponent, as a power of two."""
        return self.lsb + self.min_exponent

    @property
    def span(self) -> int:
        """How much the exponent may vary."""
        return self.max_exponent - self.min_exponent


@dataclass(frozen=True)
class RawFloat:
    """One number, ``(-1)**sign * significand * 2**(exponent + shape.lsb)``, or what its class says.

    The same bundle serves unpacked operands, exact products, terms of a sum, and what a rounder is given; HardFloat calls
    it rawFloat.

    Attributes
    ----------
    shape : RawShape
        Widths and bounds.
    sign, exponent, significand : Value
        A significand that is a signed number has no other sign: ``sign`` is then that of an infinity.
    zero, inf, nan : Value
        The class; none is set for other numbers.
    name : str
        Prefix of its signals' names.
    subnormal : Value or None
        The significand's first bit is 0, if that can be.
    signaling : Value
        The NaN raises the invalid flag.
    invalid : Value or None
        It comes from an invalid operation, where flags are wanted.
    all_negative, any_negative : Value
        Whether all, and whether some, of the products in a term of a sum are negative, zeros included: the sign of a zero
        sum follows from them.
    """

    shape: RawShape
    sign: Value
    exponent: Value
    significand: Value
    zero: Value = field(default_factory=never)
    inf: Value = field(default_factory=never)
    nan: Value = field(default_factory=never)
    name: str = ""
    subnormal: Value | None = None
    signaling: Value = field(default_factory=never)
    invalid: Value | None = None
    all_negative: Value = field(default_factory=never)
    any_negative: Value = field(default_factory=never)

    def registered(self, pipeline: Pipeline, cut_point: int) -> RawFloat:
        """An operand behind the registers of a cut point; constants stay constants."""
        wires = self._signals("sign", "significand", "exponent", "subnormal", "zero", "inf", "nan", "signaling")
        return replace(self, **pipeline.cut_named(cut_point, wires))

    def delayed(self, pipeline: Pipeline, cycles: int) -> RawFloat:
        """A term as it was that many enabled cycles ago, in registers without reset; constants stay constants."""
        names = ("significand", "exponent", "sign", "nan", "inf", "all_negative", "any_negative", "invalid")
        wires = self._signals(*names)
        # One signal may be several of them.
        distinct = {id(value): value for value in wires.values()}
        later = dict(zip(distinct, pipeline.delay(cycles, *distinct.values(), reset=False), strict=True))
        return replace(self, **{name: later[id(value)] for name, value in wires.items()})

    def _signals(self, *names: str) -> dict[str, Signal]:
        found = {name: getattr(self, name) for name in names}
        return {name: value for name, value in found.items() if isinstance(value, Signal)}

    @property
    def width(self) -> int:
        """Bits of the significand."""
        return len(self.significand)

    @property
    def is_signed(self) -> bool:
        """Whether the significand is a signed number."""
        return Value.cast(self.significand).shape().signed

    def leading_part(self) -> Value | None:
        """The bits whose leading zeros are those of the significand after a first bit that is known to be 0, or all of
        them for an integer; None where the first bit is always 1 (or there is no other)."""
        if self.shape.is_integer:
            return self.significand
        return self.significand[:-1] if self.subnormal is not None and self.width > 1 else None


def chosen(select: Value, values: Sequence[Value]) -> Value:
    """The value at position ``select``; the last one for greater numbers."""
    result = values[-1]
    for number in reversed(range(len(values) - 1)):
        result = Mux(select == number, values[number], result)
    return result


def shared_fraction(x: RawFloat, y: RawFloat) -> Value:
    """The fraction of whichever of two floats is subnormal, from the top of as many bits as the longer one has."""
    width = max(x.width, y.width) - 1

    def gated(operand: RawFloat) -> Value:
        fraction = Cat(Const(0, width - (operand.width - 1)), operand.significand[:-1])
        return Mux(operand.subnormal, fraction, 0) if operand.subnormal is not None else Const(0, width)

    return gated(x) | gated(y)
