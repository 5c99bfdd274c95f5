"""Exact sums: fixed point wide enough for any sum, rounded once at the end."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, ClassVar, Self

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value, signed

from ...golden.formats import BlockFormat, Exact, ParameterError, check_choice, check_int
from ..core.delays import LUT, adder
from ..core.pipeline import Pipeline
from ..core.step import step
from ..integer.product import ARCHITECTURES
from ..integer.shifter import shift_delays
from ..operand.decoders import raw_shape
from ..rounding.encoders import Path, has_path
from ..rounding.modes import Policy, rounds_down
from ..rounding.round_magnitude import ROUND_PLACES, round_delays, round_magnitude
from .accumulator import MAX_EXACT_BITS, Accumulator, Beat, check_nan
from .block import block_delays, block_term
from .fixed import sum_bits
from .integer import DEFAULT_MAX_K
from .options import Request
from .scales import check_scales


@dataclass(frozen=True)
class ExactSum(Accumulator):
    """sum = sum + Σ a·b in fixed point, exact for ``max_k`` products; the result is rounded once to ``out``.

    Independent of the order of the products (Kulisch 1971). NaN and infinities have bits of their own. The reference is
    :func:`polymac.golden.gemm` with ``acc=Exact(…)``, for block formats :func:`polymac.golden.block_gemm`.

    Parameters
    ----------
    exact : Exact
        The style: how the result is rounded.
    max_k : int
        Products that are added without overflow.

    Attributes
    ----------
    sum_bits : int
        Bits of the fixed-point sum, its sign included.
    quantum : int
        The weight of its last bit, as a power of two.
    """

    takes: ClassVar[frozenset[str]] = frozenset({"max_k", "force_wide"})

    exact: Exact
    max_k: int

    @classmethod
    def make(cls, request: Request) -> Self:
        """Check what the user gave and fill in the rest.

        Raises
        ------
        ParameterError
            ``out`` is no float with a sign and a zero, or has no NaN where it needs one, or the sum has over 256 bits and
            ``force_wide`` is not given.
        """
        options, a, b, lanes = request.options, request.a, request.b, request.lanes
        sparse, overflow, architecture = options.sparse, options.overflow, options.architecture
        exact, out, max_k = request.accumulation, request.out, options.max_k
        assert isinstance(exact, Exact) and out is not None
        if request.one_beat and max_k is None:
            max_k = lanes
        if out.is_for_operands_only:
            raise ParameterError(f"out must be a format that results can be rounded to, not {out}")
        if not (has_path(out, Path.NORMALIZED) and out.is_result):
            raise ParameterError(f"out must be a float format with a sign and a zero for acc=exact, not {out}")
        check_nan("out", out, a, b)
        check_scales(a, b)
        overflow = check_choice("overflow", out.overflows[0] if overflow is None else overflow, out.overflows)
        exact = replace(exact, overflow=overflow)
        exact.policy(out)
        architecture = check_choice("architecture", architecture or "operator", ARCHITECTURES)
        max_k = check_int("max_k", DEFAULT_MAX_K if max_k is None else max_k, 1)
        accumulator = cls(a, b, lanes, out, sparse, architecture, exact, max(max_k, lanes))
        if accumulator.sum_bits > MAX_EXACT_BITS and not options.force_wide:
            raise ParameterError(
                f"acc=exact must take at most {MAX_EXACT_BITS} bits unless force_wide is True, not "
                f"{accumulator.sum_bits} as for {a} × {b}"
            )
        return accumulator

    @property
    def _scales(self) -> tuple[int, int, int]:
        """Of the product of the scales: bits of the significand, range of exponents, weight of the last bit."""
        bits = span = quantum = 0
        for fmt in (self.a, self.b):
            if isinstance(fmt, BlockFormat):
                scale = raw_shape(fmt.scale)
                bits += scale.width if fmt.scale.frac_bits else 0
                span += scale.span
                quantum += scale.quantum
        return bits, span, quantum

    @property
    def sum_bits(self) -> int:
        """Bits of the fixed-point sum."""
        bits, span, _ = self._scales
        return sum_bits(self.a_element, self.b_element, self.max_k)[0] + bits + span

    @property
    def quantum(self) -> int:
        """The weight of the sum's last bit, as a power of two."""
        return sum_bits(self.a_element, self.b_element, self.max_k)[1] + self._scales[2]

    @property
    def _classes(self) -> tuple[str, ...]:
        """The bits of the state beside the sum."""
        formats = [self.a_element, self.b_element]
        formats += [fmt.scale for fmt in (self.a, self.b) if isinstance(fmt, BlockFormat)]
        special = any(fmt.has_specials for fmt in formats)
        names = ("nan", "plus_inf", "minus_inf") if special else ()
        return (*names, *(("any_negative",) if rounds_down(self.exact.rounding) else ()))

    @property
    def exact_k(self) -> int:
        return self.max_k

    @property
    def state_bits(self) -> int:
        return self.sum_bits + len(self._classes)

    @property
    def state_is_encoded(self) -> bool:
        return False

    @property
    def style(self) -> Exact:
        return self.exact

    @property
    def description(self) -> str:
        return f"exact in {self.sum_bits} bits for K up to {self.max_k}, rounded once to {self.out} ({self.exact.rounding})"

    @property
    def _options(self) -> dict[str, Any]:
        return {"out": self.out.name, "overflow": self.exact.overflow, "max_k": self.max_k}

    @property
    def parameters(self) -> dict[str, Any]:
        return super().parameters | {"force_wide": self.sum_bits > MAX_EXACT_BITS}

    @property
    def _shift_delays(self) -> tuple[float, ...]:
        """Estimated delay of the shift by the scales, if there are any."""
        span = self._scales[1]
        return (sum(shift_delays(span.bit_length())),) if span else ()

    @property
    def feed_delays(self) -> tuple[float, ...]:
        return (*block_delays(self, self.products), *self._shift_delays)

    @property
    def add_delays(self) -> tuple[float, ...]:
        return (adder(self.sum_bits),)

    @property
    def result_delays(self) -> tuple[float, ...]:
        return (LUT + adder(self.sum_bits), *round_delays(self.out, self.sum_bits))

    def _add(
        self, m: Module, platform: object, pipeline: Pipeline, beat: Beat, state: Value, registers: tuple[int, ...]
    ) -> Value:
        # The shift by the scales has a place of its own, the last one.
        count = len(self.feed_delays) - len(self._shift_delays)
        step(m, "The exact sum of the products in fixed point")
        before = Pipeline.at(m, (0, *pipeline.depths(1, count)), pipeline.enable)
        term = block_term(m, platform, "block", self, beat, before)
        value = term.significand
        if term.shape.span:
            step(m, "Shifted by the scales")
            value = Signal(signed(len(term.significand) + term.shape.span), name="term_in_place")
            m.d.comb += value.eq(term.significand << term.exponent)
        found = {
            "nan": term.nan,
            "plus_inf": term.inf & ~term.sign,
            "minus_inf": term.inf & term.sign,
            "any_negative": term.any_negative,
        }
        classes = Signal(len(self._classes), name="term_classes")
        m.d.comb += classes.eq(Cat(*(found[name] for name in self._classes)))
        value, classes = pipeline.delay(
            pipeline.stages - pipeline.depth(0) - before.stages, value, classes, reset=False
        )
        step(m, "Added to the sum")
        total, following = (Signal(signed(self.sum_bits), name=name) for name in ("total", "next_sum"))
        found_classes = Signal(len(classes), name="next_classes")
        m.d.comb += [
            total.eq(state[: self.sum_bits]),
            following.eq(total + value),
            found_classes.eq(state[self.sum_bits :] | classes),
        ]
        return Cat(*pipeline.delay(sum(registers), following, found_classes))

    def result(
        self, m: Module, platform: object, state: Value, registers: tuple[int, ...] = (), enable: Signal | None = None
    ) -> Value:
        steps = Pipeline.at(m, registers, Signal(name="always") if enable is None else enable)
        step(m, "Magnitude, sign and class of the sum")
        total, code = Signal(signed(self.sum_bits), name="sum"), Signal(self.out.width, name="rounded_sum")
        magnitude = Signal(self.sum_bits, name="sum_magnitude")
        m.d.comb += [total.eq(state[: self.sum_bits]), magnitude.eq(Mux(total < 0, -total, total))]
        bits: dict[str, Any] = dict.fromkeys(("nan", "plus_inf", "minus_inf", "any_negative"), Const(0, 1))
        bits |= {name: state[self.sum_bits + index] for index, name in enumerate(self._classes)}
        plus, minus = bits["plus_inf"], bits["minus_inf"]
        # A reset clears the sum, and with it the registers behind it.
        classes = {name: Signal(name=f"sum_{name}", init=name == "zero") for name in ("sign", "zero", "nan", "inf")}
        m.d.comb += [
            classes["nan"].eq(bits["nan"] | (plus & minus)),
            classes["inf"].eq((plus | minus) & ~classes["nan"]),
            classes["zero"].eq((total == 0) & ~classes["nan"] & ~classes["inf"]),
            classes["sign"].eq(Mux(classes["inf"], minus, (total < 0) | (classes["zero"] & bits["any_negative"]))),
        ]
        classes = steps.cut_named(0, classes)
        (magnitude,) = steps.cut(0, magnitude)
        weight = self.quantum + raw_shape(self.out).bias
        step(m, f"Rounded once to {self.out}")
        policy = Policy.of(self.exact, self.out)
        last = (Const(weight), weight, weight)
        round_magnitude(m, platform, self.out, policy, magnitude, None, last, classes, code, steps, first=1)
        return steps.cut(1 + ROUND_PLACES, code)[0]
