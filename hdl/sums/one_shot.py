"""The exact sum of one beat, rounded once: what a dot product without an addend is."""

from __future__ import annotations

from dataclasses import dataclass

from amaranth.hdl import Module, Mux, Signal, Value

from ...golden.formats import BlockFormat
from ..core.delays import LUT, adder
from ..core.pipeline import Pipeline
from ..core.step import step
from ..operand.decoders import raw_shape
from ..rounding.modes import Policy, rounds_down
from ..rounding.round_magnitude import ROUND_PLACES, round_delays, round_magnitude
from .accumulator import Beat
from .block import block_delays, block_term
from .exact import ExactSum
from .fixed import sum_bits


@dataclass(frozen=True)
class OneShotSum(ExactSum):
    """sum = round(Σ a·b) of one beat, whatever the sum before it was.

    As nothing is carried from one beat to the next, the scales of blocks need no bits of fixed point: the sum of the
    elements is exact in fixed point, the scales add an exponent to it (and multiply it, where they have significands),
    and the product is rounded. The reference is :func:`polymac.golden.dot` with ``acc=Exact(…)``, for block formats
    :func:`polymac.golden.block_dot`.

    Attributes
    ----------
    sum_bits : int
        Bits of the sum of the elements' products times the scales' significands, its sign included.
    """

    @property
    def sum_bits(self) -> int:
        """Bits of the exact sum."""
        return sum_bits(self.a_element, self.b_element, self.products)[0] + self._scales[0]

    @property
    def state_bits(self) -> int:
        return self.out.width

    @property
    def accumulator_bits(self) -> int:
        return self.sum_bits

    @property
    def description(self) -> str:
        scaled = " times the scales" * any(isinstance(fmt, BlockFormat) for fmt in (self.a, self.b))
        return f"exact in {self.sum_bits} bits{scaled}, rounded once to {self.out} ({self.exact.rounding})"

    @property
    def feed_delays(self) -> tuple[float, ...]:
        return block_delays(self, self.products)

    @property
    def add_delays(self) -> tuple[float, ...]:
        return (LUT + adder(self.sum_bits), *round_delays(self.out, self.sum_bits))

    @property
    def result_delays(self) -> tuple[float, ...]:
        return ()

    def _add(
        self, m: Module, platform: object, pipeline: Pipeline, beat: Beat, state: Value, registers: tuple[int, ...]
    ) -> Value:
        step(m, "The exact sum of the products in fixed point")
        term = block_term(m, platform, "block", self, beat, pipeline)
        step(m, "Magnitude, sign and class of the sum, and the weight of its last bit")
        steps = Pipeline.at(m, registers, pipeline.enable)
        magnitude = Signal(len(term.significand), name="sum_magnitude")
        classes = {name: Signal(name=f"sum_{name}") for name in ("sign", "zero", "nan", "inf")}
        min_weight = term.shape.quantum + raw_shape(self.out).bias
        weight = Signal(range(min(min_weight, 0), min_weight + term.shape.span + 1), name="last_weight")
        down = term.any_negative if rounds_down(self.exact.rounding) else 0
        m.d.comb += [
            magnitude.eq(Mux(term.significand < 0, -term.significand, term.significand)),
            weight.eq(term.exponent + min_weight),
            classes["nan"].eq(term.nan),
            classes["inf"].eq(term.inf & ~term.nan),
            classes["zero"].eq((term.significand == 0) & ~term.nan & ~term.inf),
            classes["sign"].eq(Mux(term.inf, term.sign, Mux(classes["zero"], down, term.significand < 0))),
        ]
        classes = steps.cut_named(0, classes)
        magnitude, weight = steps.cut(0, magnitude, weight)
        step(m, f"Rounded once to {self.out}")
        policy = Policy.of(self.exact, self.out)
        code = Signal(self.out.width, name="rounded_sum")
        last = (weight, min_weight, min_weight + term.shape.span)
        round_magnitude(m, platform, self.out, policy, magnitude, None, last, classes, code, steps, first=1)
        return steps.cut(1 + ROUND_PLACES, code)[0]

    def result(
        self, m: Module, platform: object, state: Value, registers: tuple[int, ...] = (), enable: Signal | None = None
    ) -> Value:
        return state
