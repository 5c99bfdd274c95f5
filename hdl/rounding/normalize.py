"""The one shifter of every float result: it brings the leading one to the top, or as far up as a subnormal's may go."""

from __future__ import annotations

from dataclasses import dataclass

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value, signed

from ..core.pipeline import Pipeline
from ..core.step import step
from ..integer.shifter import shift_window


@dataclass(frozen=True)
class Normalizer:
    """Normalises ``significand * 2**exponent``, ``exponent`` being the biased one of its second bit from the top.

    Parameters
    ----------
    min_exponent, max_exponent : int
        Bounds of the exponent.
    most_zeros : int
        Bound of the leading zeros.
    reach : int
        Shifted to the right by as many places, a significand is below all bits that decide.
    flush : bool
        Whether results below the least normal are normalised as well, since they become zeros.
    """

    min_exponent: int
    max_exponent: int
    most_zeros: int
    reach: int
    flush: bool

    @property
    def base(self) -> range:
        """Bounds of the exponent field of the result less its hidden bit."""
        return range(min(self.min_exponent - self.most_zeros, 0) if self.flush else 0, self.max_exponent + 1)

    def build(
        self,
        m: Module,
        significand: Signal,
        exponent: Value,
        zeros: Value | None,
        zero: Value,
        length: int,
        pipeline: Pipeline | None = None,
    ) -> tuple[Value, Value, Signal, Value]:
        """The significand's window of ``length`` bits, the OR of the bits below it, the exponent field of the result less
        its hidden bit, and whether that field may still go down by one.

        ``zeros`` are the leading zeros, None where there are none; ``zero`` says that the number is zero. The first two
        results are delayed by the pipeline's registers at its places 0, before the shift, and 1, halfway through it.
        """
        width = len(significand)
        leading = Const(0, 1) if zeros is None else zeros
        step(m, "Exponent field of a normal result, less its hidden bit")
        normalized = Signal(
            range(min(self.min_exponent - self.most_zeros, 0), self.max_exponent + 1), name="normalized_exponent"
        )
        m.d.comb += normalized.eq(exponent - leading)
        base = Signal(normalized.shape() if self.flush else range(self.max_exponent + 1), name="base")
        if self.flush or self.min_exponent >= self.most_zeros:
            step(m, "Normalised: shifted up by the leading zeros, and the OR of what falls out below the window")
            m.d.comb += base.eq(normalized if self.flush else Mux(zero, 0, normalized))
            amount = Signal(range(self.most_zeros + 1))
            m.d.comb += amount.eq(leading)
            window, below = self._shift(m, significand, amount, width - 1, length, pipeline)
            return window, below, base, normalized > 0 if self.min_exponent <= self.most_zeros else Const(1)
        step(
            m,
            "Shifted up by the leading zeros, or to where a subnormal's last place is; and the OR of what falls out below",
        )
        # To the left by the leading zeros, but not beyond the exponent 1, whose subnormals have the field 0; to the right
        # if the exponent is below that, by a power of two at most, so that the sum of both is a concatenation.
        subnormal = Signal(name="is_subnormal")
        m.d.comb += [subnormal.eq(normalized < 0), base.eq(Mux(subnormal | zero, 0, normalized))]
        right_bits = (min(max(-self.min_exponent, 1), self.reach) - 1).bit_length()
        while (1 << right_bits) <= self.most_zeros:
            right_bits += 1
        negative = lost = Const(0, 1)
        if self.min_exponent < 0:
            negative, lost = exponent < 0, exponent < -(1 << right_bits)
        amount = Signal(right_bits + 1)
        # A product with a fixed-point operand may have few exponents, whose bits are fewer than those of the amount.
        low_bits = exponent[:right_bits]
        if self.min_exponent < 0 and len(exponent) < right_bits:
            low_bits = Signal(signed(right_bits), name="extended_exponent")
            m.d.comb += low_bits.eq(exponent)
        shift = Mux(lost, 0, low_bits)
        m.d.comb += amount.eq(Cat(Mux(subnormal, shift, leading)[:right_bits], ~negative))
        window, below = self._shift(m, significand, amount, width - 1 + (1 << right_bits), length, pipeline)
        return window, below, base, normalized > 0

    def _shift(
        self, m: Module, significand: Signal, amount: Signal, top: int, length: int, pipeline: Pipeline | None
    ) -> tuple[Value, Value]:
        if pipeline is None or not any(pipeline.depths(0, 2)):
            return shift_window(m, significand, amount, top, length)
        significand, amount = pipeline.cut(0, significand, amount)
        return shift_window(m, significand, amount, top, length, lambda *values: pipeline.cut(1, *values))
