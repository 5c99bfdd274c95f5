"""How the numbers of a block become the codes of its scale and of its elements."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..formats import FORMATS, ROUNDINGS, STOCHASTIC, ParameterError, check_choice, check_int
from ..formats.block import BlockFormat
from .codes import Integers, code_dtype
from .fast.jit import compiled
from .fast.jit_loops import scale_blocks
from .scalar import decode, encode

#: Floats of one dtype, float64 or float32.
Reals = NDArray[np.floating[Any]]
#: One random word for each number, or None where rounding takes none.
Words = NDArray[np.uint64] | None

#: What becomes of a block with a NaN or an infinity: an error, or a block whose scale is NaN.
NONFINITE = ("error", "nan")
FP32_MAX = np.finfo(np.float32).max
_LARGEST = np.finfo(np.float64).max
_FP32 = FORMATS["fp32"]


@dataclass(frozen=True)
class Options:
    """The policies of one call, checked."""

    scale_rule: str
    rounding: str
    overflow: str
    symmetric: bool
    random_bits: int

    @classmethod
    def of(
        cls,
        fmt: BlockFormat,
        scale_rule: str | None,
        rounding: str | None,
        overflow: str,
        symmetric: bool | None,
        nonfinite: str,
        random_bits: int,
    ) -> Options:
        rules = ("floor", "ceil") if fmt.power_of_two else ("amax",)
        rule = check_choice("scale_rule", fmt.scale_rule if scale_rule is None else scale_rule, rules, f" for {fmt}")
        mode = check_choice("rounding", fmt.rounding if rounding is None else rounding, (*ROUNDINGS, STOCHASTIC))
        check_choice(
            "overflow", overflow, tuple(rule for rule in fmt.element.overflows if rule != "wrap"), f" for {fmt}"
        )
        check_choice("nonfinite", nonfinite, NONFINITE if fmt.scale.has_nan else NONFINITE[:1], f" for {fmt}")
        if symmetric and not fmt.twos_complement:
            raise ParameterError(f"symmetric must be None or False for {fmt}, not {symmetric!r}")
        if mode == STOCHASTIC and not fmt.power_of_two:
            # A float64 quotient has no more bits than these.
            check_int("random_bits", random_bits, 1, 53 - fmt.element.significand_bits)
        return cls(rule, mode, overflow, fmt.symmetric if symmetric is None else bool(symmetric), random_bits)

    @property
    def stochastic(self) -> bool:
        """Whether rounding takes random words."""
        return self.rounding == STOCHASTIC

    @property
    def directed(self) -> bool:
        """Whether a number may be rounded away from 0 however small it is."""
        return self.rounding in ("rup", "rdn")

    def elements(self, scaled: Reals, numbers: Reals, random: Words, fmt: BlockFormat, out: Integers) -> None:
        """Write the codes of scaled numbers to ``out``; ``scaled`` is overwritten."""
        if self.directed:
            # The least number stands for one that is not zero and vanished when it was scaled.
            tiny = np.copysign(np.finfo(scaled.dtype).smallest_subnormal, scaled)
            np.copyto(scaled, tiny, where=(scaled == 0) & (numbers != 0))
        policies = {"rounding": self.rounding, "overflow": self.overflow}
        codes = encode(scaled, fmt.element, **policies, random=random, random_bits=self.random_bits)
        if self.symmetric:
            codes += codes == fmt.element.sign_mask
        out[...] = codes


class PowerOfTwo:
    """Encodes blocks whose scale is a power of two."""

    def __init__(self, fmt: BlockFormat, options: Options) -> None:
        self.fmt = fmt
        self.options = options
        # The largest element as mantissa · 2^exponent, mantissa in [1/2, 1).
        self.mantissa, self.exponent = np.frexp(float(fmt.element.max))
        self.least = 2.0 ** (1 - fmt.scale.bias) if fmt.zero_scale else 0.0
        # Whether a float32 times the reciprocal of its scale is a float32, up to bits that only random words reach.
        self.narrow = not options.stochastic and 0 <= fmt.scale.max_exponent <= 149 and fmt.scale.min_exponent >= -127

    def encode_in_loop(self, rows: Reals, random: Words, out: Integers) -> Integers | None:
        """:meth:`encode` of float32 with a compiled loop; None where that is not possible, or a number is not finite."""
        suits = self.narrow and rows.dtype == np.float32 and not self.options.directed
        loop = compiled(scale_blocks, rows.size) if suits else None
        if loop is None:
            return None
        scale, largest = self.fmt.scale, 1 << 24
        if self.options.scale_rule == "ceil":
            largest = int(self.mantissa * largest)
        reciprocals = np.ldexp(np.float32(1), scale.bias - np.arange(scale.max_code + 1))
        offset = scale.bias - int(self.exponent) - (_FP32.bias - 1)
        least = int(np.float32(self.least).view(np.uint32))
        scaled, codes = np.empty_like(rows), np.empty(len(rows), code_dtype(scale))
        if not loop(rows, scaled, codes, reciprocals, offset, largest, least):
            return None
        self.options.elements(scaled, rows, random, self.fmt, out)
        return codes

    def encode(self, rows: Reals, amax: Reals, random: Words, out: Integers) -> Integers:
        """Write the elements of blocks to ``out`` and return the codes of their scales."""
        scale = self.fmt.scale
        mantissa, exponent = np.frexp(amax)
        code = exponent.astype(np.int64) + (scale.bias - int(self.exponent))
        if self.options.scale_rule == "ceil":
            code += mantissa > self.mantissa
        code = np.clip(code, int(self.fmt.zero_scale), scale.max_code)
        code[(amax < self.least) | (amax == 0)] = 0
        if not self.narrow:
            rows = rows.astype(np.float64)
        # With larger scales such numbers round to 0 anyway, except in directed and in stochastic rounding.
        far = self.options.directed or self.options.stochastic
        if self.least and (far or code.min(initial=scale.max_code) <= self.fmt.element.width):
            rows = np.where(np.abs(rows) < self.least, np.copysign(np.zeros((), rows.dtype), rows), rows)
        reciprocal = np.ldexp(np.ones((), rows.dtype), (scale.bias - code).astype(np.int32))
        # Exact, except for subnormal products, which neither rounding to nearest nor random bits distinguish from 0.
        with np.errstate(over="ignore"):
            scaled = rows * reciprocal[:, None]
        if not self.narrow:
            np.clip(scaled, -_LARGEST, _LARGEST, out=scaled)
        self.options.elements(scaled, rows, random, self.fmt, out)
        return code


class Quotient:
    """Encodes blocks whose scale is a float, by dividing.

    ``factor`` is what a block's amax over the largest element is multiplied by, ``tensor`` the tensor scale's value.
    """

    def __init__(self, fmt: BlockFormat, options: Options, factor: np.float32, tensor: float) -> None:
        self.fmt = fmt
        self.options = options
        largest = float(fmt.element.max)
        if not 2.0**-126 <= largest <= FP32_MAX:
            raise ParameterError(f"fmt must have a largest element of 2^-126 … 2^127 under amax, not {fmt} ({largest})")
        self.factor = factor * (np.float32(1) / np.float32(largest))
        self.tensor = tensor

    def encode_in_loop(self, rows: Reals, random: Words, out: Integers) -> None:
        """There is no loop for these scales."""

    def encode(self, rows: Reals, amax: Reals, random: Words, out: Integers) -> Integers:
        """Write the elements of blocks to ``out`` and return the codes of their scales."""
        with np.errstate(over="ignore"):
            real = np.minimum(fp32(amax) * self.factor, FP32_MAX)
        code = encode(real, self.fmt.scale, overflow="saturate")
        step = decode(code, self.fmt.scale) * self.tensor
        step = np.where(step == 0, np.inf, step)[:, None]
        # The float64 quotient is on the same side of every tie and of every element, or equal to it, as the exact one.
        # Such a bound t has few bits, so that t · step is a float64; an x beside it differs from it by an ulp or more,
        # and the quotient from t by more than half an ulp of t. Random bits see more of it.
        with np.errstate(over="ignore"):
            scaled = _toward_zero(rows, step) if self.options.stochastic else rows / step
        if scaled.dtype == np.float64:
            np.clip(scaled, -_LARGEST, _LARGEST, out=scaled)
        numbers = np.where(np.isinf(step), 0, rows) if self.options.directed else rows
        self.options.elements(scaled, numbers, random, self.fmt, out)
        return code


def _toward_zero(x: Reals, step: Reals) -> Reals:
    """x / step truncated to a float64: the leading bits of the exact quotient; ``step`` may be infinite."""
    (x, exponent), (step, step_exponent) = np.frexp(x.astype(np.float64)), np.frexp(step)
    quotient = x / step
    with np.errstate(invalid="ignore", under="ignore"):
        # Dekker: quotient · step is product + error, exactly; and the product is so near to x that their difference is
        # a float64.
        product = quotient * step
        (high, low), (step_high, step_low) = _halves(quotient), _halves(step)
        error = low * step_low - (((product - high * step_high) - low * step_high) - high * step_low)
        beyond = np.sign(x) * ((product - x) + error) > 0
        # Too small for a float64, it is also too small for any random word to round it up.
        return np.ldexp(np.where(beyond, np.nextafter(quotient, 0), quotient), exponent - step_exponent)


def _halves(x: Reals) -> tuple[Reals, Reals]:
    """Two float64 of at most 26 bits whose sum is ``x`` (Veltkamp)."""
    part = x * (2.0**27 + 1)
    high = part - (part - x)
    return high, x - high


def fp32(values: Reals) -> NDArray[np.float32]:
    """Finite magnitudes rounded to fp32, at most the largest."""
    with np.errstate(over="ignore"):
        return np.minimum(values.astype(np.float32), FP32_MAX)
