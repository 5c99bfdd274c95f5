"""The requantizer: from an accumulator to a code of the next layer."""

from __future__ import annotations

from amaranth.hdl import Const, Module, Mux, Signal, signed
from amaranth.lib.wiring import In, Out

from ...golden.formats import Format, ParameterError, check_int, format
from ..core.pipeline import MAX_STAGES, Pipeline, PipelinedUnit
from ..core.step import step
from ..core.unit import control, number, shape_of
from ..rounding.encoders import Path, has_path

#: Bits of a multiplier, and of a shift.
MULTIPLIER_BITS, SHIFT_BITS = 31, 6


class Requantizer(PipelinedUnit):
    """q = clamp(zero_point + floor(((acc + bias) * multiplier + 2**(shift - 1)) / 2**shift)).

    One rounding, ties toward +infinity; the clamp is to the range of ``out``, with ``relu`` from ``zero_point`` up. One
    result per clock cycle, ``stages`` cycles of latency. All parameters of a layer are ports, so that they may change
    from one output channel to the next. The reference, bit for bit, is :func:`polymac.golden.rescale` of acc + bias.

    Parameters
    ----------
    acc : str or Format
        Signed integer format of the accumulator and of the bias.
    out : str or Format
        Integer format of the result.
    relu : bool
        Whether negative real values become 0, whose code is ``zero_point``.
    stages : int
        Pipeline registers: after the product, behind the inputs, before the output, then more after the product.

    Members
    -------
    acc, bias : In(acc)
    multiplier : In(31)
        M, 2**30 … 2**31 - 1.
    shift : In(6)
        1 … 63.
    zero_point : In(out)
    y : Out(out)
    en : In(1)
        With ``stages`` > 0: while 0, no register changes.

    Raises
    ------
    TypeError, ParameterError
        A format that is no integer, or a number of stages out of range.

    Examples
    --------
    >>> {port.name: port.width for port in hdl.Requantizer(acc="int32", out="int8").ports}
    {'acc': 32, 'bias': 32, 'multiplier': 31, 'shift': 6, 'zero_point': 8, 'y': 8}
    """

    kind = "requantizer"
    formula = "y = clamp(zero_point + (((acc + bias) * multiplier + 2**(shift - 1)) >> shift))"

    def __init__(
        self, *, acc: str | Format = "int32", out: str | Format = "int8", relu: bool = False, stages: int = 0
    ) -> None:
        self.acc_format, self.out_format = format(acc), format(out)
        for argument, fmt in (("acc", self.acc_format), ("out", self.out_format)):
            if not has_path(fmt, Path.FIXED_POINT) or fmt.frac_bits:
                raise ParameterError(f"{argument} must be an integer format, not {fmt}")
        if not self.acc_format.signed:
            raise ParameterError(f"acc must be a signed integer format, not {self.acc_format}")
        self.relu = relu
        self.stages = check_int("stages", stages, 0, MAX_STAGES)
        super().__init__(
            {
                "acc": number(In, self.acc_format),
                "bias": number(In, self.acc_format),
                "multiplier": control(MULTIPLIER_BITS),
                "shift": control(SHIFT_BITS),
                "zero_point": number(In, self.out_format),
                "y": number(Out, self.out_format),
            },
            parameters={"acc": self.acc_format.name, "out": self.out_format.name, "relu": relu, "stages": stages},
            registers=stages,
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        fmt = self.out_format
        pipeline = Pipeline(m, self.stages, (1, 0, 2), self.enable)
        inputs = (self.acc, self.bias, self.multiplier, self.shift, self.zero_point)
        acc, bias, multiplier, shift, zero_point = pipeline.cut(0, *inputs)
        step(m, "The accumulator with its bias times the multiplier, exact")
        total = Signal((acc + bias).shape())
        product = Signal((total * multiplier).shape())
        m.d.comb += [total.eq(acc + bias), product.eq(total * multiplier)]
        product, shift, zero_point = pipeline.cut(1, product, shift, zero_point)
        # Shifting by all but one place leaves the bit that decides: adding it rounds ties up.
        step(m, "Shift by all but one place; the last bit then rounds, ties up")
        halves = Signal(signed(len(product)))
        scaled = Signal(signed(len(product)))
        shifted = Signal(signed(max(len(product), zero_point.shape().width + (not zero_point.shape().signed)) + 1))
        clamped = Signal(fmt.width)
        low = Signal(shape_of(fmt))
        m.d.comb += [
            halves.eq(product >> (shift - 1)[:SHIFT_BITS]),
            scaled.eq((halves >> 1) + halves[0]),
        ]
        step(m, "Add the zero point and clamp")
        m.d.comb += [
            shifted.eq(scaled + zero_point),
            low.eq(zero_point if self.relu else Const(fmt.min_int, shape_of(fmt))),
            clamped.eq(Mux(shifted < low, low, Mux(shifted > fmt.max_int, fmt.max_int, shifted))),
        ]
        (result,) = pipeline.cut(2, clamped)
        m.d.comb += self.y.eq(result)
        return m
