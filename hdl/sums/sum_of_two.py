"""The sum of two numbers, exact or rounded to odd: what an adder hands to the rounder."""

from __future__ import annotations

from dataclasses import dataclass, replace

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value, signed

from ..core.pipeline import Pipeline
from ..core.step import step
from ..integer.shifter import count_zeros
from ..operand.raw_float import NEVER, RawFloat, RawShape


@dataclass(frozen=True)
class SumShape:
    """Widths and bounds of the sum of two numbers, made by :func:`sum_shape`.

    Attributes
    ----------
    width : int
        Bits of the longer significand, to which the other one is extended.
    bias : int
        The common exponent signal less the exponent of a significand's first bit.
    least, greatest : int
        Bounds of the common exponent signal.
    loose : int
        Leading zeros that a significand may have although its exponent is not ``least``.
    low : int
        Bits of the sum below the last bit of the number with the greater exponent.
    is_exact : bool
        Whether those hold every sum; else the last bit is the OR of all that is below the others.
    """

    width: int
    bias: int
    least: int
    greatest: int
    loose: int
    low: int
    is_exact: bool

    @property
    def bits(self) -> int:
        """Bits of the sum's magnitude, one for the carry included."""
        return self.width + self.low + 1

    @property
    def skipped(self) -> int:
        """Last bits of the magnitude that the leading one never is among."""
        return max(self.low - self.loose - 1, 0)


def _least(shape: RawShape, bias: int) -> int:
    """A number's least exponent signal with another bias."""
    return shape.min_exponent + bias - shape.bias


def sum_shape(x: RawShape, y: RawShape, subnormals: tuple[bool, bool], visible: int) -> SumShape:
    """Widths and bounds of x + y.

    ``subnormals`` says of each whether its first bit may be 0 at its least exponent. ``visible`` is how many leading bits
    the rounder tells from others, the last of which may be the OR of all below.

    Let the number B with the greater exponent have ``loose`` leading zeros at most, S be the other one and d the
    distance of their exponents. Where d > low loses bits of S, S is below B / 2, since low > loose, and the sum's leading
    one is no further down than one place below that of B: ``visible`` bits are left above the bit that is the OR. That
    bit makes the sum odd exactly where bits are lost, and B is even there, so that the exact sum lies between the two
    even integers next to it.
    """
    width, bias = max(x.width, y.width), max(x.bias, y.bias)
    least = min(_least(x, bias), _least(y, bias))
    greatest = max(shape.max_exponent + bias - shape.bias for shape in (x, y))
    loose = 0
    for shape, has_subnormals in zip((x, y), subnormals, strict=True):
        if (has_subnormals or shape.is_integer) and _least(shape, bias) > least:
            loose = max(loose, shape.width - 1)
    span = greatest - least
    wanted = max(loose + 1, visible - width + 1 + loose)
    return SumShape(width, bias, least, greatest, loose, min(span, wanted), span <= wanted)


def on_common_scale(m: Module, x: RawFloat, shape: SumShape) -> RawFloat:
    """A number with the sum's width and bias; a zero has the least exponent, so that it never loses the other number."""
    exponent = Signal(range(shape.greatest + 1), name=f"{x.name}_common_exponent")
    significand = Signal(shape.width, name=f"{x.name}_aligned")
    own = x.exponent + (shape.bias - x.shape.bias)
    above = _least(x.shape, shape.bias) > shape.least
    m.d.comb += [
        exponent.eq(Mux(x.zero, shape.least, own) if above else own),
        significand.eq(Cat(Const(0, shape.width - x.width), x.significand)),
    ]
    return replace(x, exponent=exponent, significand=significand, subnormal=None)


def ordered(m: Module, x: RawFloat, y: RawFloat) -> tuple[RawFloat, RawFloat]:
    """Two numbers of one scale, that with the greater exponent first and of equal exponents that with the greater
    significand: by magnitude where no significand but those of the least exponent begins with a zero."""
    less = Signal(name="a_is_less")
    m.d.comb += less.eq(Cat(x.significand, x.exponent) < Cat(y.significand, y.exponent))
    names = ("sign", "exponent", "significand", "inf", "nan", "signaling")
    results = []
    for name, first, second in (("greater", x, y), ("lesser", y, x)):
        wires: dict[str, Value] = {}
        for part in names:
            one, other = (Value.cast(getattr(item, part)) for item in (first, second))
            if isinstance(one, Const) and isinstance(other, Const):
                wires[part] = one
                continue
            wires[part] = Signal(max(len(one), len(other)), name=f"{name}_{part}")
            m.d.comb += wires[part].eq(Mux(less, other, one))
        results.append(RawFloat(x.shape, name=name, **wires))
    return results[0], results[1]


def aligned_lesser(m: Module, lesser: RawFloat, distance: Signal, shape: SumShape) -> Signal:
    """The lesser number's significand in the places of the sum, shifted to the right by the distance of the exponents;
    what falls out leaves a trace in the last bit."""
    step(
        m, "The lesser one shifted to its place" + ", what falls out leaving a 1 in the last bit" * (not shape.is_exact)
    )
    low = shape.low if shape.is_exact else shape.low - 1
    source = Signal(low + shape.width, name="right_by_0")
    m.d.comb += source.eq(Cat(Const(0, low), lesser.significand))
    levels = len(source).bit_length()
    amount = distance[:levels]
    if len(distance) > levels:  # further than everything
        clamped = Signal(levels, name="clamped_distance")
        m.d.comb += clamped.eq(amount | distance[levels:].any().replicate(levels))
        amount = clamped
    lost: list[Value] = []
    for level in reversed(range(len(amount))):
        places = 1 << level
        kept = max(len(source) - places, 0)
        if not shape.is_exact:
            lost.append(amount[level] & source[: len(source) - kept].any())
        shifted = Signal(len(source), name=f"right_by_{places}")
        m.d.comb += shifted.eq(Mux(amount[level], source[len(source) - kept :], source))
        source = shifted
    result = Signal(shape.width + shape.low, name="lesser_aligned")
    m.d.comb += result.eq(source if shape.is_exact else Cat(Cat(*lost).any(), source))
    return result


@dataclass(frozen=True)
class Sum:
    """A sum: ``(-1)**sign * magnitude * 2**(exponent - bias - (bits of magnitude - 2))``, or what its class says.

    Attributes
    ----------
    magnitude, exponent, leading_zeros : Signal
        The exponent is that of the magnitude's second bit from the top, biased as :class:`SumShape` says. The leading
        zeros mean nothing for zero.
    sign, zero, inf, nan, invalid : Signal
    """

    magnitude: Signal
    exponent: Signal
    leading_zeros: Signal
    sign: Signal
    zero: Signal
    inf: Signal
    nan: Signal
    invalid: Signal


def sum_of_two(
    m: Module,
    greater: RawFloat,
    lesser: RawFloat,
    shape: SumShape,
    round_down: Value,
    pipeline: Pipeline,
    places: tuple[int, int],
    greater_is_special: bool,
) -> Sum:
    """greater + lesser.

    Parameters
    ----------
    greater, lesser : RawFloat
        The numbers on the common scale, in the order of :func:`ordered`. A zero's significand is 0, but where ``zero`` of
        the greater one is set both are.
    round_down : Value
        Whether the sum of x and -x is -0, as in IEEE 754 where results are rounded down.
    pipeline : Pipeline
        Whose registers at the ``places`` lie behind the alignment and behind the sum with its leading zeros.
    greater_is_special : bool
        Whether ``greater`` is infinite or NaN where any of both is.
    """
    step(m, "The distance of the exponents")
    distance = Signal(range(shape.greatest - shape.least + 1), name="distance")
    subtract, exponent = Signal(name="subtract"), Signal(greater.exponent.shape(), name="greater_exponent_kept")
    m.d.comb += [
        distance.eq(greater.exponent - lesser.exponent),
        subtract.eq(greater.sign ^ lesser.sign),
        exponent.eq(greater.exponent),
    ]
    aligned = aligned_lesser(m, lesser, distance, shape)
    classes = _classes(m, greater, lesser, subtract, greater_is_special)
    down, significand = Signal(name="zero_sign"), Signal(shape.width, name="greater_bits")
    m.d.comb += [down.eq(Mux(subtract, round_down, greater.sign)), significand.eq(greater.significand)]
    beside = classes | {"subtract": subtract, "exponent": exponent, "zero_sign": down}
    if isinstance(greater.zero, Signal):
        beside["both_zero"] = Signal(name="both_zero")
        m.d.comb += beside["both_zero"].eq(greater.zero)
    aligned, significand = pipeline.cut(places[0], aligned, significand)
    beside = pipeline.cut_named(places[0], beside)
    step(m, "The sum of the magnitudes, or their difference, by one adder")
    may_be_negative = shape.loose > 0
    bits = shape.bits + may_be_negative
    total, complemented = Signal(bits, name="total"), Signal(bits, name="lesser_complemented")
    subtract = beside.pop("subtract")
    m.d.comb += [
        complemented.eq(aligned ^ subtract.replicate(bits)),
        total.eq((Cat(subtract, Const(0, shape.low), significand) + Cat(subtract, complemented))[1:]),
    ]
    negative: Value = Const(0, 1)
    magnitude = total
    if may_be_negative:
        negative, magnitude = Signal(name="total_is_negative"), Signal(shape.bits, name="magnitude")
        m.d.comb += [negative.eq(total[-1]), magnitude.eq((total ^ negative.replicate(bits)) + negative)]
    step(m, "Its leading zeros, sign and class")
    counted = magnitude[shape.skipped :]
    zeros = Signal(range(len(counted)), name="leading_zeros")
    zero, sign = Signal(name="sum_zero"), Signal(name="sum_sign")
    m.d.comb += [
        zeros.eq(count_zeros(m, counted, "zeros")),
        zero.eq(~counted.any() | beside.pop("both_zero", NEVER)),
        sign.eq(Mux(zero, beside["zero_sign"], beside.pop("sign") ^ negative)),
    ]
    if not greater_is_special:
        finite_sign, sign = sign, Signal(name="sign_or_infinity")
        m.d.comb += sign.eq(Mux(beside["inf"], beside.pop("inf_sign"), finite_sign))
    del beside["zero_sign"]
    found = {"magnitude": magnitude, "leading_zeros": zeros, "zero": zero, "sign": sign} | beside
    return Sum(**pipeline.cut_named(places[1], found))


def _classes(
    m: Module, greater: RawFloat, lesser: RawFloat, subtract: Signal, greater_is_special: bool
) -> dict[str, Signal]:
    """Sign of the greater number, class of the sum, and the sign of an infinite one."""
    names = ("inf", "nan", "invalid", "sign") + (() if greater_is_special else ("inf_sign",))
    classes = {name: Signal(name=f"sum_{name}" if name != "sign" else "greater_sign_kept") for name in names}
    inf, nan = greater.inf, greater.nan
    if not greater_is_special:
        inf, nan = inf | lesser.inf, nan | lesser.nan
        m.d.comb += classes["inf_sign"].eq(Mux(greater.inf, greater.sign, lesser.sign))
    opposite = Signal(name="opposite_infinities")
    m.d.comb += [
        opposite.eq(greater.inf & lesser.inf & subtract),
        classes["sign"].eq(greater.sign),
        classes["inf"].eq(inf),
        classes["nan"].eq(nan | opposite),
        classes["invalid"].eq(greater.signaling | lesser.signaling | opposite),
    ]
    return classes


def fixed_sum(m: Module, terms: list[tuple[Value, int]]) -> tuple[Signal, int]:
    """The exact sum of integers, each times two to the power of minus its fraction bits; and the sum's fraction bits."""
    frac_bits = max(bits for _, bits in terms)
    width = max(len(value) + frac_bits - bits + (not Value.cast(value).shape().signed) for value, bits in terms) + 1
    total = Signal(signed(width), name="exact_sum")
    (x, x_bits), (y, y_bits) = terms
    m.d.comb += total.eq((x << (frac_bits - x_bits)) + (y << (frac_bits - y_bits)))
    return total, frac_bits


def as_fixed(m: Module, x: RawFloat) -> tuple[Signal, int]:
    """A finite number as a signed integer, and its fraction bits."""
    shape = x.shape
    magnitude = Signal(x.width + shape.span, name=f"{x.name}_magnitude")
    value = Signal(signed(len(magnitude) + 1), name=f"{x.name}_fixed")
    shift = Signal(range(shape.span + 1), name=f"{x.name}_shift")
    m.d.comb += [
        shift.eq(x.exponent - shape.min_exponent),
        magnitude.eq(Mux(x.zero, 0, x.significand << shift)),
        value.eq(Mux(x.sign, -magnitude, magnitude)),
    ]
    return value, -shape.quantum
