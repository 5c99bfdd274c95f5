"""Multipliers of any two scalar formats."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value, signed, unsigned
from amaranth.lib.wiring import In, Out

from ..golden.formats import (
    FIXED_OVERFLOWS,
    FLOAT_OVERFLOWS,
    ROUNDINGS,
    SUBNORMALS,
    Format,
    ParameterError,
    check_int,
    choose,
    exact_product,
    format,
    product_format,
)
from .fixed_round import round_fixed
from .float_round import FloatRound
from .operand import Operand, shared_fraction
from .pipeline import Pipeline
from .product import ARCHITECTURES, Product
from .rounding import PORT, PORT_BITS
from .shifter import leading_zeros
from .unit import Unit, place, shape_of

#: The value of ``out`` that asks for the format of the exact product.
EXACT = "exact"
#: More stages than a datapath can use are a mistake, not a wish.
MAX_STAGES = 64


class Multiplier(Unit):
    """y = round(a * b); one product per clock cycle, ``stages`` cycles of latency.

    Operands of any scalar formats and mix: the product of what two codes stand for, exact inside and rounded once. Float
    results have subnormals, signed zeros, infinities and NaN, any NaN result being ``out.nan_code``. Without ``out``,
    fixed-point operands give the exact product, as any others do with out="exact". A product of one-bit numbers is their
    exclusive NOR. The reference, bit for bit, is :func:`polymac.golden.multiply`.

    Parameters
    ----------
    a, b : str or Format
        Formats of the operands.
    out : str or Format, optional
        Format of the product, or "exact": that of :func:`polymac.golden.exact_product`, which never rounds. Default: the
        exact product of fixed-point operands, else the operands' format where they have the same.
    rounding : str, optional
        One of :data:`formats.ROUNDINGS` (default "rne"), or "port": chosen by ``rounding_mode`` from one operation to the
        next. An exact product has none.
    overflow : str, optional
        "ieee" (default) or "saturate" for a float result, "saturate" (default) or "wrap" for a fixed-point one.
    subnormals : str, optional
        Where a format is a float: "full" (default), or "flush": subnormal operands and results become zeros of their sign.
    stages : int
        Pipeline registers between inputs and outputs: after the significands' product first, then inside the rounder (float
        results), then behind the unpacked operands, then before the output; all further ones after the product.
    flags : bool, optional
        Whether a float result has a ``flags`` port; default True, but for an exact product.
    architecture : str, optional
        How significands are multiplied: one of :data:`product.ARCHITECTURES`; default "operator", the synthesizer's
        choice.

    Members
    -------
    a, b : In
        Codes of the operands.
    rounding_mode : In(3)
        With rounding="port": position in :data:`formats.ROUNDINGS` (RISC-V's ``frm``); above those, toward zero.
    y : Out
        Code of the product.
    flags : Out(5)
        IEEE 754 exceptions, :class:`formats.Flag`; float results with ``flags`` only.
    en : In(1)
        With ``stages`` > 0: while 0, no register changes.

    Raises
    ------
    TypeError
        ``stages`` is not an integer, or a format neither name nor Format.
    ParameterError
        Formats that have no product, or an option that they have no meaning for.
    """

    kind = "multiplier"

    def __init__(
        self,
        *,
        a: str | Format,
        b: str | Format,
        out: str | Format | None = None,
        rounding: str | None = None,
        overflow: str | None = None,
        subnormals: str | None = None,
        stages: int = 0,
        flags: bool | None = None,
        architecture: str | None = None,
    ) -> None:
        self.a_format, self.b_format = format(a), format(b)
        self.stages = check_int("stages", stages, 0, MAX_STAGES)
        self.architecture = choose("architecture", architecture or "operator", ARCHITECTURES)
        both_fixed = self.a_format.kind == self.b_format.kind == "fixed"
        self.is_exact = out == EXACT or (out is None and both_fixed)
        self.out_format = self._choose_out(out)
        self.rounding, self.overflow = self._choose_rounding(rounding, overflow)
        self.subnormals, self.with_flags = self._choose_float_options(subnormals, flags)
        self.formula = "y = a * b, exact"
        if self.rounding is not None:
            self.formula = f"y = a * b, rounded once ({self.rounding}), overflow: {self.overflow}"
        members = {"a": In(shape_of(self.a_format)), "b": In(shape_of(self.b_format))}
        members |= {"rounding_mode": In(PORT_BITS)} if self.rounding == PORT else {}
        members |= {"y": Out(self.out_format.width)}
        members |= {"flags": Out(5)} if self.with_flags else {}
        members |= {"en": In(1, init=1)} if stages else {}
        parameters: dict[str, Any] = {"a": self.a_format.name, "b": self.b_format.name, "out": self.out_format.name}
        parameters |= {"rounding": self.rounding, "overflow": self.overflow}
        parameters |= {"subnormals": self.subnormals} if self.subnormals else {}
        parameters |= {"flags": self.with_flags} if self.out_format.kind == "float" else {}
        super().__init__(
            members,
            formats={"a": (self.a_format, 1), "b": (self.b_format, 1), "y": (self.out_format, 1)},
            parameters=parameters | {"architecture": self.architecture, "stages": stages},
            latency=stages,
            clocked=stages > 0,
        )

    def _choose_out(self, out: str | Format | None) -> Format:
        a, b = self.a_format, self.b_format
        if self.is_exact:
            return exact_product(a, b)
        if out is None and a != b:
            raise ParameterError(f"out must be given where a and b differ, not left out with a={a} and b={b}")
        result = a if out is None else format(out)
        if result.kind == "float" and not (result.signed and result.has_zero):
            raise ParameterError(f"out must be a format with sign and zero, not {result}")
        if any(item.has_nan or item.has_inf for item in (a, b)) and not result.has_nan:
            raise ParameterError(
                f"out must be a format with NaN where a or b has one, not {result} with a={a} and b={b}"
            )
        return result

    def _choose_rounding(self, rounding: str | None, overflow: str | None) -> tuple[str | None, str | None]:
        kind = self.out_format.kind
        if self.is_exact or kind == "binary":
            what = "an exact product" if self.is_exact else f"out={self.out_format}"
            for argument, value in (("rounding", rounding), ("overflow", overflow)):
                if value is not None:
                    raise ParameterError(f"{argument} must be left out with {what}, not {value!r}")
            return None, None
        mode = choose("rounding", "rne" if rounding is None else rounding, (*ROUNDINGS, PORT))
        allowed = {"float": FLOAT_OVERFLOWS, "fixed": FIXED_OVERFLOWS}[kind]
        name = {"float": "float", "fixed": "fixed-point"}[kind]
        return mode, choose("overflow", allowed[0] if overflow is None else overflow, allowed, f" for {name} formats")

    def _choose_float_options(self, subnormals: str | None, flags: bool | None) -> tuple[str, bool]:
        kinds = {item.kind for item in (self.a_format, self.b_format, self.out_format)}
        if "float" not in kinds and subnormals is not None:
            raise ParameterError(
                f"subnormals must be left out without a float format, not {subnormals!r} with a={self.a_format}"
            )
        if self.out_format.kind != "float" and flags:
            raise ParameterError(f"flags must be left out where out is no float, not {flags!r} with {self.out_format}")
        chosen = choose("subnormals", "full" if subnormals is None else subnormals, SUBNORMALS)
        has_flags = self.out_format.kind == "float" and (not self.is_exact if flags is None else bool(flags))
        return chosen if "float" in kinds else "", has_flags

    def elaborate(self, platform: object) -> Module:
        m = Module()
        enable = self.en if self.stages else Signal(name="unused")
        # Places: 0 behind the operands, 1 after the significands' product, 2 inside the rounder, 3 before the output.
        order = {"float": (1, 2, 0, 3), "fixed": (1, 0) if self.rounding is None else (1, 0, 3), "binary": (0,)}
        pipeline = Pipeline(m, self.stages, order[self.out_format.kind], enable)
        mode: Value | str | None = self.rounding
        if self.rounding == PORT:
            (mode,) = pipeline.cut(0, self.rounding_mode)
        if self.out_format.kind == "float":
            results = self._to_float(m, platform, pipeline, mode)
        elif self.out_format.kind == "fixed":
            results = {"y": self._to_fixed(m, platform, pipeline, mode)}
        else:
            results = {"y": self._to_binary(m, platform, pipeline)}
        results = dict(zip(results, pipeline.cut(3, *results.values()), strict=True))
        m.d.comb += [getattr(self, name).eq(value) for name, value in results.items()]
        return m

    def _operands(self, m: Module, platform: object, pipeline: Pipeline) -> tuple[Operand, Operand]:
        subnormals = self.subnormals or "full"
        x = Operand.unpack(m, platform, "a", self.a, self.a_format, subnormals)
        y = Operand.unpack(m, platform, "b", self.b, self.b_format, subnormals)
        return x.registered(pipeline, 0), y.registered(pipeline, 0)

    def _to_binary(self, m: Module, platform: object, pipeline: Pipeline) -> Signal:
        """The sign, +1 for zero."""
        x, y = self._operands(m, platform, pipeline)
        result = Signal(name="result")
        m.d.comb += result.eq(~(x.sign ^ y.sign) | x.zero | y.zero)
        return result

    def _to_fixed(self, m: Module, platform: object, pipeline: Pipeline, mode: Value | str | None) -> Signal:
        exact, frac_bits = self._exact_fixed(m, platform, pipeline)
        (exact,) = pipeline.cut(1, exact)
        if mode is None or self.overflow is None:
            return exact
        if isinstance(mode, Signal):
            (mode,) = pipeline.cut(1, mode)
        result = Signal(self.out_format.width, name="result")
        m.d.comb += result.eq(round_fixed(m, exact, frac_bits, self.out_format, rounding=mode, overflow=self.overflow))
        return result

    def _exact_fixed(self, m: Module, platform: object, pipeline: Pipeline) -> tuple[Signal, int]:
        """The exact product as a fixed-point number, and its fraction bits."""
        kinds = (self.a_format.kind, self.b_format.kind)
        frac_bits = self.a_format.frac_bits + self.b_format.frac_bits
        if "float" not in kinds:
            a, b = pipeline.cut(0, self.a, self.b)
            if kinds == ("fixed", "fixed"):
                product = Signal(shape_of(product_format(self.a_format, self.b_format)), name="product")
                unit = Product(a=a.shape(), b=b.shape(), architecture=self.architecture)
                place(m, platform, "multiply", unit, a=a, b=b, y=product)
                return product, frac_bits
            # One bit is +1 or -1.
            one, other = (a, b) if kinds[0] == "binary" else (b, a)
            value = Mux(other, 1, -1) if kinds == ("binary", "binary") else other
            product = Signal(signed(len(value) + 1), name="product")
            m.d.comb += product.eq(Mux(one, value, -value))
            return product, frac_bits
        x, y = self._operands(m, platform, pipeline)
        significand, top = significand_product(m, platform, x, y, self.architecture)
        least, greatest = x.least + y.least, x.greatest + y.greatest
        magnitude = Signal(len(significand) + greatest - least, name="magnitude")
        product = Signal(signed(len(magnitude) + 1), name="product")
        shift = Signal(range(greatest - least + 1), name="shift")
        zero = x.zero | y.zero
        m.d.comb += [
            shift.eq(x.exponent + y.exponent - least),
            magnitude.eq(Mux(zero, 0, significand << shift)),
            product.eq(Mux(x.sign ^ y.sign, -magnitude, magnitude)),
        ]
        return product, len(significand) - 1 - top - (least - x.bias - y.bias)

    def _to_float(self, m: Module, platform: object, pipeline: Pipeline, mode: Value | str | None) -> dict[str, Signal]:
        x, y = self._operands(m, platform, pipeline)
        significand, top = significand_product(m, platform, x, y, self.architecture)
        # The biased exponent of the product's second bit from the top.
        offset = top - 1 + self.out_format.bias - x.bias - y.bias
        least, greatest = x.least + y.least + offset, x.greatest + y.greatest + offset
        zeros, most_zeros = count_leading_zeros(m, x, y, least)
        exponent = Signal(range(min(least, 0), max(greatest, 0) + 1), name="exponent")
        classes = {name: Signal(name=name) for name in ("sign", "zero", "inf", "nan", "invalid")}
        invalid, nan = classes["invalid"], classes["nan"]
        m.d.comb += [
            exponent.eq(_add_one(x.exponent, y.exponent) + (offset - 1)),
            classes["sign"].eq(x.sign ^ y.sign),
            invalid.eq(x.signaling | y.signaling | (x.inf & y.zero) | (x.zero & y.inf)),
            nan.eq(x.nan | y.nan | invalid),
            classes["inf"].eq((x.inf | y.inf) & ~nan),
            classes["zero"].eq((x.zero | y.zero) & ~nan),
        ]
        wires = {"significand": significand, "exponent": exponent, "leading_zeros": zeros, **classes}
        wires |= {"rounding": mode} if isinstance(mode, Signal) else {}
        wires = dict(zip(wires, pipeline.cut(1, *wires.values()), strict=True))
        rounder = FloatRound(
            fmt=self.out_format,
            least=least,
            greatest=max(greatest, 0),
            significand_bits=len(significand),
            most_zeros=most_zeros,
            slack=bool(top),
            rounding=self.rounding or "rne",
            overflow=self.overflow or "ieee",
            subnormals=self.subnormals,
            flags=self.with_flags,
            stages=pipeline.depth(2),
        )
        wires |= {"en": self.en} if self.stages else {}
        results = {"y": Signal(self.out_format.width, name="result")}
        results |= {"flags": Signal(5, name="result_flags")} if self.with_flags else {}
        given = {port.name for port, _ in rounder.flat_ports()}
        place(m, platform, "round", rounder, **{n: w for n, w in (wires | results).items() if n in given})
        return results


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


def count_leading_zeros(m: Module, x: Operand, y: Operand, least: int) -> tuple[Signal, int]:
    """How many leading zeros the significands' product has, or one less, and their greatest number.

    ``least`` is the least biased exponent of the product's second bit. Where it is 0 or less the product of two subnormals
    is subnormal, whatever its leading zeros: then one counter serves both operands.
    """
    zero_counts: list[tuple[Value, int]] = []
    parts = [(operand, part) for operand in (x, y) if (part := operand.leading_part()) is not None]
    if len(parts) == 2 and not (x.integer or y.integer) and least <= 0:
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


def _add_one(x: Value, y: Value) -> Value:
    """x + y + 1 by one adder, the 1 as its carry; biases are one less than a power of two, which leaves a short addition
    for the rest."""
    return (Cat(Const(1, 1), x) + Cat(Const(1, 1), y))[1:]
