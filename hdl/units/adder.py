"""Adders of any two scalar formats."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib.wiring import In, Out

from ...golden.formats import Flag, FloatFormat, Format, RoundingMode
from ..core.pipeline import Pipeline
from ..core.step import step
from ..core.unit import number, shape_of
from ..operand.decoders import decode, decoder, raw_shape
from ..operand.raw_float import NEVER, RawFloat
from ..rounding.encoders import Path, encoder, has_path, rounder_of
from ..rounding.fixed_round import round_fixed
from ..rounding.modes import STOCHASTIC
from ..sums.sum_of_two import SumShape, as_fixed, fixed_sum, on_common_scale, ordered, sum_of_two, sum_shape
from .multiplier_options import Formats, choose_stages
from .operation import Operation

#: Bounds of the default number of random bits.
_RANDOM_BITS = (8, 32)


class Adder(Operation):
    """y = round(a + b); one sum per clock cycle, ``stages`` cycles of latency.

    Operands of any scalar formats and mix: the sum of what two codes stand for, exact inside and rounded once. Without
    ``out``, fixed-point and binary operands give the exact sum. Signed zeros are IEEE 754's: x + -x is +0, or -0 where
    rounded down; opposite infinities have a NaN sum. A result in a float or posit format takes one path: the operand of
    lesser magnitude is shifted to the right, one adder adds or subtracts, and the rounder of all units normalises. The
    reference, bit for bit, is :func:`polymac.golden.add`.

    Parameters
    ----------
    a, b : str or Format
        Formats of the operands; ``b`` by default that of ``a``.
    out : str or Format, optional
        Format of the sum; "exact": that of :func:`polymac.golden.exact_sum`, which never rounds and which operands without
        exponents alone have. Default: the exact one where there is one, else the operands' format where they have the
        same.
    rounding : str, optional
        One of :data:`formats.ROUNDINGS` (default "rne"); "stochastic": up with the probability of what is cut off, by
        ``random``; or "port": chosen by ``rounding_mode`` from one operation to the next. An exact sum has none.
    random_bits : int, optional
        Width of ``random``, 1 … 63. Default with "stochastic": the bits of the longer significand, or of what a
        fixed-point result cuts off, within 8 … 32; with "port": none, and no stochastic rounding.
    overflow : str, optional
        "ieee" (default) or "saturate" for a float result, "saturate" (default) or "wrap" for a fixed-point one.
    subnormals : str, optional
        Where a format is a float: "full" (default), or "flush": subnormal operands and results become zeros of their sign.
    stages : int
        Pipeline registers between inputs and outputs. Float and posit results: after the alignment first, then after the
        sum, inside the rounder, behind the operands in order, before the output, and all further ones after the
        alignment; fixed-point ones: after the sum first, then before the output. At most four more than both operands
        have bits.
    valid : bool
        With ``stages``: whether ``valid`` travels beside the operands.
    flags : bool, optional
        Whether a float result has a ``flags`` port; default True.

    Members
    -------
    a, b : In
        Codes of the operands.
    rounding_mode : In(3)
        With rounding="port": position in :data:`formats.ROUNDINGS` (RISC-V's ``frm``), or 5 for stochastic rounding where
        there are random bits; others: toward zero.
    random : In(random_bits)
        Uniform random bits, a new word for each sum: golden's ``random``.
    valid : In(1)
        With ``valid``: these operands count.
    y : Out
        Code of the sum.
    flags : Out(5)
        IEEE 754 exceptions, :class:`formats.Flag`; float results with ``flags`` only.
    y_valid : Out(1)
        With ``valid``: the sum is that of operands that counted. Low from a reset on, until there is one.
    en : In(1)
        With ``stages`` > 0: while 0, no register changes.

    Raises
    ------
    TypeError
        ``stages`` is not an integer, or a format neither name nor Format.
    ParameterError
        Formats that have no sum, or options that contradict each other.

    Examples
    --------
    >>> adder = hdl.Adder(a="fp16", stages=2)
    >>> adder.latency, {port.name: port.width for port in adder.ports if port.direction == "output"}
    (2, {'y': 16, 'flags': 5})
    >>> hdl.Adder(a="int8", b="uint4").out_format.name
    'int9'
    """

    kind = "adder"

    def __init__(
        self,
        *,
        a: str | Format,
        b: str | Format | None = None,
        out: str | Format | None = None,
        rounding: str | None = None,
        random_bits: int | None = None,
        overflow: str | None = None,
        subnormals: str | None = None,
        stages: int = 0,
        valid: bool = False,
        flags: bool | None = None,
    ) -> None:
        self.choices = Formats.of_sum(a, b, out)
        self.stages = choose_stages(self.choices, stages, valid)
        if rounding == STOCHASTIC and random_bits is None and not self.is_exact:
            random_bits = self._default_random_bits()
        self._choose(rounding, random_bits, overflow, subnormals, flags, valid)
        exact = self.rounding is None
        self.formula = (
            "y = a + b, exact" if exact else f"y = a + b, rounded once ({self.rounding}), overflow: {self.overflow}"
        )
        ports = self._ports(
            {"a": number(In, self.a_format), "b": number(In, self.b_format)}, {"y": number(Out, self.out_format)}
        )
        parameters = self._parameters(self._format_names, {"stages": stages})
        super().__init__(ports, parameters=parameters, registers=stages)

    def _default_random_bits(self) -> int:
        a, b, out = self.a_format, self.b_format, self.out_format
        if has_path(out, Path.FIXED_POINT):
            cut = out.lsb_exponent - min(a.lsb_exponent, b.lsb_exponent)
        else:
            cut = max(a.significand_bits, b.significand_bits)
        least, most = _RANDOM_BITS
        return min(max(cut, least), most)

    @property
    def command_parameters(self) -> dict[str, Any]:
        """The parameters with ``out`` as it was asked for: an exact sum's format may have no name on the command line."""
        return self.parameters | {"out": None} if self.is_exact else self.parameters

    def elaborate(self, platform: object) -> Module:
        m = Module()
        # Places: 0 behind the operands in order, 1 behind the alignment, 2 behind the sum, 3 inside the rounder, 4 before
        # the output.
        path = encoder(self.out_format).path
        order = {
            Path.NORMALIZED: (1, 2, 3, 0, 4),
            Path.FIXED_POINT: (2,) if self.rounding is None else (2, 4),
            Path.SIGN: (2,),
        }
        pipeline = Pipeline(m, self.stages, order[path], self.enable)
        side = self._side()
        if path is Path.NORMALIZED:
            results = self._to_normalized(m, platform, pipeline, side)
        else:
            results = {"y": self._to_fixed(m, platform, pipeline, side, is_sign=path is Path.SIGN)}
        self._drive(m, pipeline, results, 4)
        return m

    def _to_fixed(
        self, m: Module, platform: object, pipeline: Pipeline, side: dict[str, Signal], is_sign: bool
    ) -> Signal:
        """The sum in fixed point, exact or rounded; or its sign, +1 for zero."""
        operands = {"a": (self.a, self.a_format), "b": (self.b, self.b_format)}
        step(m, "The exact sum")
        if all(fmt.is_integral for _, fmt in operands.values()):
            terms = [
                (decoder(fmt).integer(m, f"{name}_integer", code), -fmt.lsb_exponent)
                for name, (code, fmt) in operands.items()
            ]
        else:
            subnormals = self.subnormals or "full"
            terms = [
                as_fixed(m, decode(m, platform, name, code, fmt, subnormals)) for name, (code, fmt) in operands.items()
            ]
        total, frac_bits = fixed_sum(m, terms)
        (total,) = pipeline.cut(2, total)
        side = pipeline.cut_named(2, side)
        result = Signal(1 if is_sign else shape_of(self.out_format), name="result")
        if is_sign:
            m.d.comb += result.eq(~total[-1])
        elif self.rounding is None or self.overflow is None:
            m.d.comb += result.eq(total)
        else:
            options: dict[str, Any] = {"rounding": side.get("rounding_mode", self.rounding), "overflow": self.overflow}
            rounded = round_fixed(m, total, frac_bits, self.out_format, random=side.get("random"), **options)
            m.d.comb += result.eq(rounded)
        return result

    def _to_normalized(
        self, m: Module, platform: object, pipeline: Pipeline, side: dict[str, Signal]
    ) -> dict[str, Signal]:
        greater, lesser, shape, special = self._operands_in_order(m, platform)
        greater, lesser = greater.registered(pipeline, 0), lesser.registered(pipeline, 0)
        side = pipeline.cut_named(0, side)
        mode = side.get("rounding_mode")
        down = Const(int(self.rounding == RoundingMode.RDN), 1) if mode is None else mode == RoundingMode.RDN.port_code
        total = sum_of_two(m, greater, lesser, shape, down, pipeline, (1, 2), special)
        side = pipeline.delay_named(pipeline.depth(1) + pipeline.depth(2), side)
        offset = raw_shape(self.out_format).bias - shape.bias
        least, greatest = shape.least + offset, max(shape.greatest + offset, 0)
        step(m, f"Its exponent, biased as in {self.out_format}")
        exponent = Signal(range(min(least, 0), greatest + 1), name="exponent")
        m.d.comb += exponent.eq(total.exponent + offset)
        wires: dict[str, Any] = {"significand": total.magnitude, "exponent": exponent}
        wires |= {name: getattr(total, name) for name in ("leading_zeros", "sign", "zero", "inf", "nan", "invalid")}
        rounder = rounder_of(self.out_format)(
            fmts=(self.out_format,),
            min_exponent=least,
            max_exponent=greatest,
            significand_bits=shape.bits,
            most_zeros=shape.bits - shape.skipped - 1,
            slack=False,
            policy=self._policy,
            flags=self.with_flags,
            stages=pipeline.depth(3),
            random_bits=self.random_bits,
        )
        step(m, "Normalised, rounded and packed")
        results = self._round(m, platform, rounder, wires, side, "raised")
        if self.with_flags:
            raised = results["flags"]
            results["flags"] = Signal(5, name="result_flags")
            # Tiny sums of numbers that are no finer than the result are exact: what else would detect it is left out.
            m.d.comb += results["flags"].eq(raised & (~Flag.UNDERFLOW & 31 if self._tiny_is_exact() else 31))
        return results

    def _tiny_is_exact(self) -> bool:
        formats = (self.a_format, self.b_format)
        return self.subnormals == "full" and min(fmt.lsb_exponent for fmt in formats) >= self.out_format.lsb_exponent

    def _operands_in_order(self, m: Module, platform: object) -> tuple[RawFloat, RawFloat, SumShape, bool]:
        """Both operands on a common scale, the greater one first; the sum's shape; and whether the greater one is special
        where any is."""
        a, b, out, subnormals = self.a_format, self.b_format, self.out_format, self.subnormals or "full"
        # The bits that the rounder keeps, the first one cut off, or the random word's, and one for all below.
        visible = out.significand_bits + max(2, self.random_bits + 1)
        flushes = [isinstance(fmt, FloatFormat) and fmt.has_subnormals and subnormals == "flush" for fmt in (a, b)]
        if a == b and isinstance(a, FloatFormat) and a.negative_zero != "nan":
            # The codes' order is that of their magnitudes, infinity and NaN being the greatest.
            step(m, "The operands in the order of their magnitudes, which is that of their codes")
            size = a.width - a.signed
            less = Signal(name="a_is_less")
            greater, lesser = Signal(a.width, name="greater"), Signal(a.width, name="lesser")
            m.d.comb += [
                less.eq(self.a[:size] < self.b[:size]),
                greater.eq(Mux(less, self.b, self.a)),
                lesser.eq(Mux(less, self.a, self.b)),
            ]
            first, second = (
                decode(m, platform, name, code, a, subnormals)
                for name, code in (("greater", greater), ("lesser", lesser))
            )
            shape = sum_shape(first.shape, second.shape, (False, False), visible)
            # Of the greater one only a flushed zero, below which there are only zeros, has a significand other than 0.
            first = first if flushes[0] else replace(first, zero=NEVER)
            return first, _without_flushed(m, second) if flushes[0] else second, shape, True
        step(m, "The operands as sign, exponent, significand and class")
        x, y = (decode(m, platform, name, getattr(self, name), fmt, subnormals) for name, fmt in (("a", a), ("b", b)))
        has_subnormals = (x.subnormal is not None, y.subnormal is not None)
        shape = sum_shape(x.shape, y.shape, has_subnormals, visible)
        x, y = (_without_flushed(m, item) if flush else item for item, flush in zip((x, y), flushes, strict=True))
        step(m, "On a common scale, and in order")
        first, second = ordered(m, on_common_scale(m, x, shape), on_common_scale(m, y, shape))
        return first, second, shape, False


def _without_flushed(m: Module, x: RawFloat) -> RawFloat:
    """The number with the significand 0 where it is flushed to zero."""
    significand: Value = Signal(x.width, name=f"{x.name}_kept")
    m.d.comb += significand.eq(x.significand & Cat((~x.zero).replicate(x.width)))
    return replace(x, significand=significand)
