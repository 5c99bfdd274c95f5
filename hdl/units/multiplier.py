"""Multipliers of any two scalar formats."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from amaranth.hdl import Module, Mux, Signal, signed
from amaranth.lib.wiring import In, Out

from ...golden.formats import Format, product_format, unpacked_product
from ..core.hierarchy import instantiate
from ..core.pipeline import Pipeline
from ..core.step import step
from ..core.unit import PortSpec, control, number, shape_of
from ..integer.product import Product
from ..operand.decoders import decode, decode_selected, is_sign, raw_shape
from ..operand.raw_float import RawFloat, chosen
from ..product.significand import add_one, count_leading_zeros, exact_product, product_shape, significand_product
from ..rounding.encoders import Path, encoder, has_path, rounder_of
from ..rounding.fixed_round import round_fixed
from .multiplier_options import (
    EXACT,
    UNPACKED,
    Formats,
    choose_product,
    choose_stages,
)
from .operation import Operation

__all__ = ["EXACT", "UNPACKED", "Multiplier"]


class Multiplier(Operation):
    """y = round(a * b); one product per clock cycle, ``stages`` cycles of latency.

    Operands of any scalar formats and mix: the product of what two codes stand for, exact inside and rounded once. Float
    results have subnormals, signed zeros, infinities and NaN, any NaN result being ``out.nan_code``. Without ``out``,
    fixed-point operands give the exact product, as any others do with out="exact". A product of one-bit numbers is their
    exclusive NOR. Elements and scales of a block format are scalar formats (``BlockFormat.element``, ``.scale``); the
    product of two exponent-only scales is an adder. The reference, bit for bit, is :func:`polymac.golden.multiply`, that
    of out="unpacked" :func:`polymac.golden.multiply_unpacked`.

    Parameters
    ----------
    a, b : str or Format
        Formats of the operands.
    formats : sequence of str or Format
        In place of ``a`` and ``b``: the float formats among which ``select`` chooses that of both operands, from one
        operation to the next, and without ``out`` also that of the product.
    out : str or Format, optional
        Format of the product; "exact": that of :func:`polymac.golden.exact_product`, which never rounds; or "unpacked":
        sign, exponent and significand of :func:`polymac.golden.unpacked_product`, which is not even normalised. Default:
        the exact product of fixed-point operands, else the operands' format where they have the same.
    rounding : str, optional
        One of :data:`formats.ROUNDINGS` (default "rne"); "stochastic": up with the probability of what is cut off, by
        ``random``; or "port": chosen by ``rounding_mode`` from one operation to the next. An exact product has none.
    random_bits : int, optional
        Width of ``random``, 1 … 63. Default with "stochastic": as many bits as a normal result has cut off, within 8 … 32;
        with "port": none, and no stochastic rounding.
    overflow : str, optional
        "ieee" (default) or "saturate" for a float result, "saturate" (default) or "wrap" for a fixed-point one.
    subnormals : str, optional
        Where a format is a float: "full" (default), or "flush": subnormal operands and results become zeros of their sign.
    stages : int
        Pipeline registers between inputs and outputs: after the significands' product first, then inside the rounder (float
        results), then behind the unpacked operands, then before the output; all further ones after the product. At most
        four more than both operands have bits.
    valid : bool
        With ``stages``: whether ``valid`` travels beside the operands.
    flags : bool, optional
        Whether a float result has a ``flags`` port; default True, except for an exact product.
    architecture : str, optional
        How significands are multiplied: one of :data:`product.ARCHITECTURES`; default "operator", the synthesizer's
        choice. "auto": what :func:`.architecture.choose_architecture` says of ``target`` and the widths.
    target : str, optional
        With architecture="auto", one of :data:`.architecture.TARGETS`; default "nangate45".

    Members
    -------
    a, b : In
        Codes of the operands; with ``formats`` in the low bits.
    select : In
        With ``formats``: position of the format; the last one for greater numbers.
    rounding_mode : In(3)
        With rounding="port": position in :data:`formats.ROUNDINGS` (RISC-V's ``frm``), or 5 for stochastic rounding where
        there are random bits; others: toward zero.
    random : In(random_bits)
        Uniform random bits, a new word for each product: golden's ``random``.
    valid : In(1)
        With ``valid``: these operands count.
    y : Out
        Code of the product.
    sign, exponent, significand, zero, inf, nan : Out
        With out="unpacked", in place of ``y``: see :class:`polymac.golden.exact.UnpackedFormat`.
    flags : Out(5)
        IEEE 754 exceptions, :class:`formats.Flag`; float results with ``flags`` only.
    y_valid : Out(1)
        With ``valid``: the product is that of operands that counted. Low from a reset on, until there is one.
    en : In(1)
        With ``stages`` > 0: while 0, no register changes.

    Raises
    ------
    TypeError
        ``stages`` is not an integer, or a format neither name nor Format.
    ParameterError
        Formats that have no product, or options that contradict each other.

    Examples
    --------
    >>> multiplier = hdl.Multiplier(a="fp16", b="bf16", out="fp32", stages=2)
    >>> multiplier.latency, {port.name: port.width for port in multiplier.ports if port.direction == "output"}
    (2, {'y': 32, 'flags': 5})
    """

    kind = "multiplier"

    def __init__(
        self,
        *,
        a: str | Format | None = None,
        b: str | Format | None = None,
        formats: Sequence[str | Format] | None = None,
        out: str | Format | None = None,
        rounding: str | None = None,
        random_bits: int | None = None,
        overflow: str | None = None,
        subnormals: str | None = None,
        stages: int = 0,
        valid: bool = False,
        flags: bool | None = None,
        architecture: str | None = None,
        target: str | None = None,
    ) -> None:
        self.choices = Formats.make(a, b, formats, out)
        self.stages = choose_stages(self.choices, stages, valid)
        self.architecture = choose_product(self.choices, architecture, target)
        self._choose(rounding, random_bits, overflow, subnormals, flags, valid)
        self.formula = self._formula()
        super().__init__(
            self._ports(self._operand_ports(), self._result_ports()),
            parameters=self._parameters(
                self._formats(given_out=out is not None), {"architecture": self.architecture, "stages": self.stages}
            ),
            registers=stages,
        )

    @property
    def is_selected(self) -> bool:
        """Whether ``select`` chooses the formats."""
        return self.choices.selected

    @property
    def is_unpacked(self) -> bool:
        """Whether the product is not even normalised."""
        return self.choices.is_unpacked

    def _operand_ports(self) -> dict[str, PortSpec]:
        if not self.is_selected:
            return {"a": number(In, self.a_format), "b": number(In, self.b_format)}
        # Numbers in one of several formats.
        code = PortSpec(In(max(item.width for item in self.choices.a)), "data")
        return {"a": code, "b": code, "select": control(range(len(self.choices.a)))}

    def _result_ports(self) -> dict[str, PortSpec]:
        if not self.is_unpacked:
            width = max(item.width for item in self.choices.out)
            return {"y": PortSpec(Out(width), "data", None if self.is_selected else self.out_format)}
        fmt = unpacked_product(self.a_format, self.b_format, self.subnormals)
        widths = {"sign": 1, "exponent": fmt.exp_bits, "significand": fmt.significand_bits}
        present = {"zero": fmt.has_zero, "inf": fmt.has_inf, "nan": fmt.has_nan}
        widths |= {name: 1 for name, has in present.items() if has}
        return {name: PortSpec(Out(width), "data") for name, width in widths.items()}

    def _formats(self, given_out: bool) -> dict[str, Any]:
        """The formats as parameters."""
        if self.is_selected:
            names = [item.name for item in self.choices.a]
            return {"formats": names, "out": self.out_format.name if given_out else None}
        return self._format_names | ({"out": UNPACKED} if self.is_unpacked else {})

    @property
    def command_parameters(self) -> dict[str, Any]:
        """The parameters with ``out`` as it was asked for: an exact product's format has no name on the command line."""
        if not self.is_exact or self.is_unpacked:
            return self.parameters
        fixed = all(has_path(fmt, Path.FIXED_POINT) for fmt in (self.a_format, self.b_format))
        return self.parameters | {"out": None if fixed else EXACT}

    def _formula(self) -> str:
        if self.is_unpacked:
            bias = unpacked_product(self.a_format, self.b_format, self.subnormals).bias
            return f"a * b = (-1)**sign * significand * 2**(exponent - {bias}), exact and not normalised"
        if self.rounding is None or self.overflow is None:
            return "y = a * b, exact"
        return f"y = a * b, rounded once ({self.rounding}), overflow: {self.overflow}"

    def elaborate(self, platform: object) -> Module:
        m = Module()
        # Places: 0 behind the operands, 1 after the significands' product, 2 inside the rounder, 3 before the output.
        path = Path.FIXED_POINT if self.is_unpacked else encoder(self.out_format).path
        order = {
            Path.NORMALIZED: (1, 2, 0, 3),
            Path.FIXED_POINT: (1, 0) if self.rounding is None else (1, 0, 3),
            Path.SIGN: (0,),
        }
        pipeline = Pipeline(m, self.stages, order[path], self.enable)
        side = self._side() | ({"select": self.select} if self.is_selected else {})
        side = pipeline.cut_named(0, side)
        if self.is_unpacked:
            results = self._to_unpacked(m, platform, pipeline)
        elif path is Path.NORMALIZED:
            results = self._to_normalized(m, platform, pipeline, side)
        elif path is Path.FIXED_POINT:
            results = {"y": self._to_fixed(m, platform, pipeline, side)}
        else:
            results = {"y": self._to_sign(m, platform, pipeline)}
        self._drive(m, pipeline, results, 3)
        return m

    def _operands(self, m: Module, platform: object, pipeline: Pipeline) -> tuple[RawFloat, RawFloat]:
        subnormals = self.subnormals or "full"
        step(m, "The operands as sign, exponent, significand and class")
        if self.is_selected:
            a, b = (
                decode_selected(m, platform, name, getattr(self, name), self.choices.a, subnormals, self.select)
                for name in ("a", "b")
            )
        else:
            a = decode(m, platform, "a", self.a, self.a_format, subnormals)
            b = decode(m, platform, "b", self.b, self.b_format, subnormals)
        return a.registered(pipeline, 0), b.registered(pipeline, 0)

    def _to_sign(self, m: Module, platform: object, pipeline: Pipeline) -> Signal:
        """The sign, +1 for zero."""
        x, y = self._operands(m, platform, pipeline)
        step(m, "The sign of the product")
        result = Signal(name="result")
        m.d.comb += result.eq(~(x.sign ^ y.sign) | x.zero | y.zero)
        return result

    def _to_fixed(self, m: Module, platform: object, pipeline: Pipeline, side: dict[str, Signal]) -> Signal:
        exact, frac_bits = self._exact_fixed(m, platform, pipeline)
        (exact,) = pipeline.cut(1, exact)
        if self.rounding is None or self.overflow is None:
            return exact
        side = pipeline.cut_named(1, side)
        result = Signal(self.out_format.width, name="result")
        options: dict[str, Any] = {"rounding": side.get("rounding_mode", self.rounding), "overflow": self.overflow}
        rounded = round_fixed(m, exact, frac_bits, self.out_format, random=side.get("random"), **options)
        m.d.comb += result.eq(rounded)
        return result

    def _exact_fixed(self, m: Module, platform: object, pipeline: Pipeline) -> tuple[Signal, int]:
        """The exact product as a fixed-point number, and its fraction bits."""
        formats = (self.a_format, self.b_format)
        signs = tuple(is_sign(fmt) for fmt in formats)
        frac_bits = -sum(fmt.lsb_exponent for fmt in formats)
        if all(fmt.is_integral for fmt in formats):
            a, b = pipeline.cut(0, self.a, self.b)
            step(m, "The exact product")
            if not any(signs):
                product = Signal(shape_of(product_format(self.a_format, self.b_format)), name="product")
                unit = Product(a=a.shape(), b=b.shape(), architecture=self.architecture)
                instantiate(m, platform, "multiply", unit, a=a, b=b, y=product)
                return product, frac_bits
            # One bit is +1 or -1.
            one, other = (a, b) if signs[0] else (b, a)
            value = Mux(other, 1, -1) if all(signs) else other
            product = Signal(signed(len(value) + 1), name="product")
            m.d.comb += product.eq(Mux(one, value, -value))
            return product, frac_bits
        x, y = self._operands(m, platform, pipeline)
        significand = significand_product(m, platform, x, y, self.architecture)
        shape = product_shape(x.shape, y.shape)
        step(m, "The product in fixed point")
        magnitude = Signal(len(significand) + shape.span, name="magnitude")
        product = Signal(signed(len(magnitude) + 1), name="fixed_product")
        shift = Signal(range(shape.span + 1), name="shift")
        zero = x.zero | y.zero
        m.d.comb += [
            shift.eq(x.exponent + y.exponent - shape.min_exponent),
            magnitude.eq(Mux(zero, 0, significand << shift)),
            product.eq(Mux(x.sign ^ y.sign, -magnitude, magnitude)),
        ]
        return product, -shape.quantum

    def _to_unpacked(self, m: Module, platform: object, pipeline: Pipeline) -> dict[str, Signal]:
        x, y = self._operands(m, platform, pipeline)
        significand = significand_product(m, platform, x, y, self.architecture)
        step(m, "The exponent of the product")
        exponent = Signal(len(self.exponent), name="exponent_sum")
        m.d.comb += exponent.eq(x.exponent + y.exponent)
        product = exact_product(m, x, y, significand, exponent, "product_")
        names = ("sign", "exponent", "significand", "zero", "inf", "nan")
        results = {name: getattr(product, name) for name in names if hasattr(self, name)}
        return pipeline.cut_named(1, results)

    def _to_normalized(
        self, m: Module, platform: object, pipeline: Pipeline, side: dict[str, Signal]
    ) -> dict[str, Signal]:
        x, y = self._operands(m, platform, pipeline)
        significand = significand_product(m, platform, x, y, self.architecture)
        # The significands' product may have its leading one in either of two places, unless one of them is a single bit.
        slack = 1 not in (x.width, y.width)
        ranges = self._exponent_ranges(x, y, slack)
        zeros, most_zeros = count_leading_zeros(m, x, y, all(min_exponent <= 0 for _, min_exponent, _ in ranges))
        min_exponent, max_exponent = min(item[1] for item in ranges), max(item[2] for item in ranges)
        step(m, f"Its exponent, biased as in {'the result' if self.is_selected else self.out_format}")
        exponent = Signal(range(min(min_exponent, 0), max(max_exponent, 0) + 1), name="exponent")
        offsets = [offset - 1 for offset, _, _ in ranges]
        offset = chosen(side["select"], offsets) if self.is_selected and len(set(offsets)) > 1 else offsets[0]
        m.d.comb += exponent.eq(add_one(x.exponent, y.exponent) + offset)
        product = exact_product(m, x, y, significand, exponent)
        wires: dict[str, Any] = {"significand": significand, "exponent": exponent, "leading_zeros": zeros}
        wires |= {name: getattr(product, name) for name in ("sign", "zero", "inf", "nan", "invalid")}
        wires, side = pipeline.cut_named(1, wires), pipeline.cut_named(1, side)
        options: dict[str, Any] = {
            "min_exponent": min_exponent,
            "max_exponent": max(max_exponent, 0),
            "significand_bits": len(significand),
            "most_zeros": most_zeros,
            "slack": slack,
            "policy": self._policy,
            "flags": self.with_flags,
            "stages": pipeline.depth(2),
            "random_bits": self.random_bits,
        }
        step(m, "Normalised, rounded and packed" if self.rounding else "Normalised and packed")
        fmts = self.choices.out if len(set(self.choices.out)) > 1 else (self.out_format,)
        rounder = rounder_of(fmts[0])(fmts=fmts, **options)
        return self._round(m, platform, rounder, wires, side, "result_flags")

    def _exponent_ranges(self, x: RawFloat, y: RawFloat, slack: bool) -> list[tuple[int, int, int]]:
        """For each choice of formats: what is added to the operands' exponents to give the product's, biased as in the
        result's format and of the product's second bit from the top; and the bounds of that."""
        if not self.is_selected:
            shape = product_shape(x.shape, y.shape)
            offset = slack - 1 + raw_shape(self.out_format).bias - x.shape.bias - y.shape.bias
            return [(offset, shape.min_exponent + offset, shape.max_exponent + offset)]
        ranges = []
        for fmt, out in zip(self.choices.a, self.choices.out, strict=True):
            shape = raw_shape(fmt, self.subnormals)
            offset = slack - 1 + raw_shape(out).bias - 2 * shape.bias
            ranges.append((offset, 2 * shape.min_exponent + offset, 2 * shape.max_exponent + offset))
        return ranges
