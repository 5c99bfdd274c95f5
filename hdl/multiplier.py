"""Multipliers: fixed point by fixed point, and float by float."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value
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
    format,
    product_format,
)
from .fixed_round import round_fixed
from .float_round import FloatRound
from .float_unpack import FloatUnpack
from .pipeline import Pipeline
from .product import ARCHITECTURES, Product
from .rounding import PORT, PORT_BITS
from .shifter import leading_zeros
from .unit import Unit, place, shape_of

#: More stages than a datapath can use are a mistake, not a wish.
MAX_STAGES = 64


class Multiplier(Unit):
    """y = round(a * b); one product per clock cycle, ``stages`` cycles of latency.

    Fixed point: the exact product, or the product rounded to ``out`` and then saturated or wrapped. Float: correctly
    rounded once, with subnormals, signed zeros, infinities and NaN. Any NaN result is ``out.nan_code``. The reference,
    bit for bit, is :func:`polymac.golden.multiply`.

    Parameters
    ----------
    a, b : str or Format
        Formats of the operands: both fixed point (of any widths and signs), or both float.
    out : str or Format, optional
        Format of the product. Default: the exact product (fixed point), or the operands' format where they have the
        same (float).
    rounding : str, optional
        One of :data:`formats.ROUNDINGS`; default "rne". An exact product has none.
    overflow : str, optional
        "saturate" (default) or "wrap" for fixed point, "ieee" (default) or "saturate" for floats.
    subnormals : str, optional
        Floats: "full" (default), or "flush": subnormal operands and results become zeros of their sign.
    stages : int
        Pipeline registers between inputs and outputs: after the significand product first, then behind the operands,
        then before the output; all further ones after the product.
    flags : bool, optional
        Floats: whether there is a ``flags`` port; default True.

    Members
    -------
    a, b : In
        Codes of the operands.
    y : Out
        Code of the product.
    flags : Out(5)
        IEEE 754 exceptions, :class:`formats.Flag`; floats with ``flags`` only.
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
        self.architecture = choose("architecture", architecture or "operator", ARCHITECTURES)
        self.a_format, self.b_format = format(a), format(b)
        kinds = (self.a_format.kind, self.b_format.kind)
        if kinds not in (("fixed", "fixed"), ("float", "float")):
            names = f"{self.a_format} ({kinds[0]}) and {self.b_format} ({kinds[1]})"
            raise ParameterError(f"a and b must be both fixed point or both float, not {names}")
        self.is_float = kinds[0] == "float"
        self.stages = check_int("stages", stages, 0, MAX_STAGES)
        if self.is_float:
            self._check_float(out, rounding, overflow, subnormals, flags)
        else:
            self._check_fixed(out, rounding, overflow, subnormals, flags)
        self.formula = "y = a * b, exact"
        if self.rounding is not None:
            self.formula = f"y = a * b, rounded once ({self.rounding}), overflow: {self.overflow}"
        members = {"a": In(shape_of(self.a_format)), "b": In(shape_of(self.b_format)), "y": Out(self.out_format.width)}
        parameters: dict[str, Any] = {"a": self.a_format.name, "b": self.b_format.name, "out": self.out_format.name}
        parameters |= {"rounding": self.rounding, "overflow": self.overflow}
        if self.is_float:
            parameters |= {"subnormals": self.subnormals, "flags": self.with_flags}
        super().__init__(
            members
            | ({"rounding_mode": In(PORT_BITS)} if self.rounding == PORT else {})
            | ({"flags": Out(5)} if self.with_flags else {})
            | ({"en": In(1, init=1)} if stages else {}),
            formats={"a": (self.a_format, 1), "b": (self.b_format, 1), "y": (self.out_format, 1)},
            parameters=parameters | {"architecture": self.architecture, "stages": stages},
            latency=stages,
            clocked=stages > 0,
        )

    def _check_fixed(
        self,
        out: str | Format | None,
        rounding: str | None,
        overflow: str | None,
        subnormals: str | None,
        flags: object,
    ) -> None:
        for argument, value in (("subnormals", subnormals), ("flags", flags or None)):
            if value is not None:
                raise ParameterError(
                    f"{argument} must be left out for fixed-point formats, not {value!r} with a={self.a_format}"
                )
        self.product = product_format(self.a_format, self.b_format)
        self.out_format = self.product if out is None else format(out)
        self.with_flags = False
        self.rounding = self.overflow = None
        if self.out_format.kind != "fixed":
            raise ParameterError(
                f"out must be fixed point where a and b are, not {self.out_format} ({self.out_format.kind})"
            )
        if out is None:
            for argument, value in (("rounding", rounding), ("overflow", overflow)):
                if value is not None:
                    raise ParameterError(
                        f"{argument} must be left out with an exact product (no out format), not {value!r}"
                    )
            return
        self.rounding = choose("rounding", "rne" if rounding is None else rounding, (*ROUNDINGS, PORT))
        self.overflow = choose(
            "overflow", "saturate" if overflow is None else overflow, FIXED_OVERFLOWS, " for fixed-point formats"
        )

    def _check_float(
        self,
        out: str | Format | None,
        rounding: str | None,
        overflow: str | None,
        subnormals: str | None,
        flags: bool | None,
    ) -> None:
        a, b = self.a_format, self.b_format
        if out is None and a != b:
            raise ParameterError(f"out must be given where a and b differ, not left out with a={a} and b={b}")
        self.out_format = a if out is None else format(out)
        result = self.out_format
        if result.kind != "float":
            raise ParameterError(f"out must be a float format where a and b are, not {result} ({result.kind})")
        if not (result.signed and result.has_zero):
            raise ParameterError(f"out must be a format with sign and zero, not {result}")
        if any(item.has_nan or item.has_inf for item in (a, b)) and not result.has_nan:
            raise ParameterError(
                f"out must be a format with NaN where a or b has one, not {result} with a={a} and b={b}"
            )
        self.rounding = choose("rounding", "rne" if rounding is None else rounding, (*ROUNDINGS, PORT))
        self.overflow = choose(
            "overflow", "ieee" if overflow is None else overflow, FLOAT_OVERFLOWS, " for float formats"
        )
        self.subnormals = choose("subnormals", "full" if subnormals is None else subnormals, SUBNORMALS)
        self.with_flags = True if flags is None else bool(flags)

    def elaborate(self, platform: object) -> Module:
        return self._elaborate_float(platform) if self.is_float else self._elaborate_fixed(platform)

    def _elaborate_fixed(self, platform: object) -> Module:
        m = Module()
        pipeline = Pipeline(m, self.stages, (1, 0, 2) if self.rounding else (1, 0), self._enable)
        a, b = pipeline.cut(0, self.a, self.b)
        product = Signal(shape_of(self.product))
        unit = Product(a=a.shape(), b=b.shape(), architecture=self.architecture)
        place(m, platform, "product", unit, a=a, b=b, y=product)
        (product,) = pipeline.cut(1, product)
        if self.rounding is None or self.overflow is None:
            m.d.comb += self.y.eq(product)
            return m
        result = Signal(self.out_format.width)
        rounding, overflow = self.rounding, self.overflow
        frac_bits = self.product.frac_bits
        m.d.comb += result.eq(round_fixed(m, product, frac_bits, self.out_format, rounding=rounding, overflow=overflow))
        (result,) = pipeline.cut(2, result)
        m.d.comb += self.y.eq(result)
        return m

    @property
    def _enable(self) -> Signal:
        return self.en if self.stages else Signal(name="unused")

    def _elaborate_float(self, platform: object) -> Module:
        m = Module()
        pipeline = Pipeline(m, self.stages, (1, 0, 2), self._enable)
        operands = []
        for name, code, fmt in (("a", self.a, self.a_format), ("b", self.b, self.b_format)):
            unit = FloatUnpack(fmt=fmt, subnormals=self.subnormals)
            wires = {
                p.name: Signal(v.shape(), name=f"{name}_{p.name}") for p, v in unit.flat_ports() if p.name != "code"
            }
            place(m, platform, f"unpack_{name}", unit, code=code, **wires)
            operands.append(dict(zip(wires, pipeline.cut(0, *wires.values()), strict=True)))
        x, y = operands

        significand, top = self._significand(m, platform, x["significand"], y["significand"])
        # The biased exponent of the product's second bit from the top.
        offset = top - 1 + self.out_format.bias - self.a_format.bias - self.b_format.bias
        least, greatest = (
            sum(self._field_limits(fmt)[end] for fmt in (self.a_format, self.b_format)) + offset for end in (0, 1)
        )
        zeros, most_zeros = self._leading_zeros(m, x, y, least)
        exponent = Signal(range(min(least, 0), greatest + 1))
        sign, zero, inf, nan, invalid = (Signal(name=name) for name in ("sign", "zero", "inf", "nan", "invalid"))
        any_inf, any_zero = x["inf"] | y["inf"], x["zero"] | y["zero"]
        m.d.comb += [
            exponent.eq(_add_one(x["exponent"], y["exponent"]) + (offset - 1)),
            sign.eq(x["sign"] ^ y["sign"]),
            invalid.eq(x["signaling"] | y["signaling"] | (x["inf"] & y["zero"]) | (x["zero"] & y["inf"])),
            nan.eq(x["nan"] | y["nan"] | invalid),
            inf.eq(any_inf & ~nan),
            zero.eq(any_zero & ~nan),
        ]
        names = ("significand", "exponent", "leading_zeros", "sign", "zero", "inf", "nan", "invalid")
        values = pipeline.cut(1, significand, exponent, zeros, sign, zero, inf, nan, invalid)
        wires = dict(zip(names, values, strict=True))
        rounder = FloatRound(
            fmt=self.out_format,
            least=least,
            greatest=greatest,
            significand_bits=len(significand),
            most_zeros=most_zeros,
            slack=bool(top),
            rounding=self.rounding or "rne",
            overflow=self.overflow or "ieee",
            subnormals=self.subnormals,
            flags=self.with_flags,
        )
        results = {"y": Signal(self.out_format.width, name="result")}
        if self.with_flags:
            results["flags"] = Signal(5, name="result_flags")
        if self.rounding == PORT:
            wires["rounding"] = self.rounding_mode
        given = {port.name for port, _ in rounder.flat_ports()}
        place(m, platform, "round", rounder, **{n: w for n, w in (wires | results).items() if n in given})
        registered = pipeline.cut(2, *results.values())
        m.d.comb += [getattr(self, name).eq(value) for name, value in zip(results, registered, strict=True)]
        return m

    def _significand(self, m: Module, platform: object, x: Signal, y: Signal) -> tuple[Signal, int]:
        """The significands' product, and by how much its most significant bit weighs more than 1 (in powers of two)."""
        if 1 in (len(x), len(y)):
            one, other = (x, y) if len(x) == 1 else (y, x)
            product = Signal(len(other), name="product")
            m.d.comb += product.eq(Mux(one, other, 0))
            return product, 0
        product = Signal(len(x) + len(y), name="product")
        unit = Product(a=x.shape(), b=y.shape(), architecture=self.architecture)
        place(m, platform, "product", unit, a=x, b=y, y=product)
        return product, 1

    def _field_limits(self, fmt: Format) -> tuple[int, int]:
        least = 1 if fmt.subnormals and self.subnormals == "full" else 0
        return least, fmt.max_code >> fmt.frac_bits

    def _leading_zeros(self, m: Module, x: dict[str, Signal], y: dict[str, Signal], least: int) -> tuple[Signal, int]:
        """How many leading zeros the product has, or one less, and their greatest number.

        That of the subnormal operand; the product of two subnormals is so far below the least normal number of most
        formats that its leading zeros play no part, which one counter for both operands does for.
        """
        zeros = Signal(name="leading_zeros")
        counted = [(w, name) for w, name in ((x, "a"), (y, "b")) if "subnormal" in w and len(w["significand"]) > 1]
        if not counted:
            return zeros, 0
        counts = []
        if len(counted) == 2 and least <= 0:
            high = max((w["significand"] for w, _ in counted), key=len)
            # Both fractions from the top, each only if its number is subnormal.
            fraction = Signal(len(high) - 1, name="subnormal_fraction")
            gated = [
                Mux(w["subnormal"], Cat(Const(0, len(high) - len(w["significand"])), w["significand"][:-1]), 0)
                for w, _ in counted
            ]
            m.d.comb += fraction.eq(gated[0] | gated[1])
            counts.append((fraction, x["subnormal"] | y["subnormal"], "subnormal"))
        else:
            for w, name in counted:
                counts.append((w["significand"][:-1], w["subnormal"], name))
        total, most = Const(0, 1), 0
        for fraction, subnormal, name in counts:
            count = leading_zeros(m, fraction, f"{name}_zeros")
            most += len(fraction)
            total = total + Mux(subnormal, count + 1, 0)
        zeros = Signal(range(most + 1), name="leading_zeros")
        m.d.comb += zeros.eq(total)
        return zeros, most


def _add_one(x: Value, y: Value) -> Value:
    """x + y + 1 by one adder, the 1 as its carry; biases are one less than a power of two, which leaves a short addition
    for the rest."""
    return (Cat(Const(1, 1), x) + Cat(Const(1, 1), y))[1:]
