"""The rounder and packer of every float operation, also of those whose format a port chooses."""

from __future__ import annotations

from amaranth.hdl import Module, Signal
from amaranth.lib.wiring import Out

from ...golden.formats import Format
from ..core.pipeline import Pipeline, PipelinedUnit
from .float_pack import Packing, Window
from .modes import PORT, Policy, RoundingLogic
from .normalize import Normalizer


class FloatRound(PipelinedUnit):
    """Rounds an exact result to a float format and packs it; combinational, or with registers.

    The result is ``round((-1)**sign * significand * 2**(exponent - bias - (significand_bits - 2)))``: ``exponent``, biased
    as in the result's format, is that of the significand's second bit from the top. ``leading_zeros`` bits above the
    leading one are zero, or one more than that. One shifter brings the leading one to the top, or as far up as a
    subnormal's leading one may go, so that neither operands nor result have a shifter of their own. Or the result is what
    ``zero``, ``inf`` or ``nan`` say. NaN is always the ``nan_code`` of the format. An infinity in a format without one
    becomes NaN ("ieee", if the format has one) or the largest finite value. Flags are IEEE 754's, tininess being detected
    after rounding.

    Parameters
    ----------
    fmts : tuple of Format
        The float format of the result, with a sign and a zero; or several among which ``select`` chooses. The bounds are
        those over all of them.
    min_exponent, max_exponent : int
        Bounds of ``exponent``.
    significand_bits : int
        Width of the significand, any.
    most_zeros : int
        Bound of ``leading_zeros``.
    slack : bool
        Whether there may be one more leading zero than ``leading_zeros`` says.
    policy : Policy
        Flushed is what is less than the least normal number after rounding to full precision with unbounded exponent.
    flags : bool
        Whether there are the ports ``invalid`` and ``flags``.
    stages : int or tuple of int
        Registers after the shift; or at each of its places, which are behind the amount of the shift, halfway through it,
        behind it, behind the decision to round up, behind that addition, and behind the decision which code it is.
    random_bits : int
        Random bits, for "stochastic" or the code 5 of a port; 0 without.

    Members
    -------
    select : In
        With several formats: the format's position; the last one for greater numbers.
    sign, zero, inf, nan : In(1)
        The class of the result.
    exponent : In
    significand : In(significand_bits)
    leading_zeros : In
        If ``most_zeros`` is not 0.
    rounding : In(3)
        If the policy's rounding is PORT: the mode's ``port_code``.
    random : In(random_bits)
        If ``random_bits`` is not 0: a word that is added to the first bits below the last place; its carry rounds up.
    y : Out
        The code, in the low bits of as many as the widest format has.
    invalid : In(1)
        With ``flags``: the operation is invalid.
    flags : Out(5)
        :class:`formats.Flag`.
    en : In(1)
        With ``stages``: while 0, no register changes.
    """

    kind = "round"
    formula = "y = round((-1)**sign * significand * 2**(exponent - bias - significand_bits + 2))"

    def __init__(
        self,
        *,
        fmts: tuple[Format, ...],
        min_exponent: int,
        max_exponent: int,
        significand_bits: int,
        most_zeros: int,
        slack: bool,
        policy: Policy,
        flags: bool,
        stages: int | tuple[int, ...] = 0,
        random_bits: int = 0,
    ) -> None:
        self.mode = policy.rounding
        self.packing = Packing(fmts, policy.overflow, policy.flushes, flags, slack, random_bits)
        self.normalizer = Normalizer(
            min_exponent, max_exponent, most_zeros, self.packing.frac_bits + self.packing.cut_bits, self.packing.flush
        )
        members = self.packing.members(
            range(min(min_exponent, 0), max_exponent + 1), significand_bits, most_zeros, policy.rounding
        )
        super().__init__(
            members | {"y": Out(max(fmt.width for fmt in fmts))},
            parameters={
                "fmts": fmts,
                "min_exponent": min_exponent,
                "max_exponent": max_exponent,
                "significand_bits": significand_bits,
                "most_zeros": most_zeros,
                "slack": slack,
                "policy": policy,
                "flags": flags,
                "random_bits": random_bits,
            },
            registers=(0, 0, stages, 0, 0, 0) if isinstance(stages, int) else stages,
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        pipeline = Pipeline.at(m, self.registers, self.enable)
        packing = self.packing
        window, below_window = Signal(packing.window_bits, name="window"), Signal(name="below_window")
        is_normal = Signal(name="is_normal")
        zeros = self.leading_zeros if self.normalizer.most_zeros else None
        shifted, below, base, above_min = self.normalizer.build(
            m, self.significand, self.exponent, zeros, self.zero, packing.window_bits, pipeline
        )
        m.d.comb += [window.eq(shifted), below_window.eq(below), is_normal.eq(above_min)]
        # Up to behind the shift, of which only the window and what is below it are delayed already.
        before = sum(pipeline.depths(0, 2))
        base, is_normal = pipeline.delay(before, base, is_normal)
        before += pipeline.depth(2)
        names = ["sign", "zero", "inf", "nan"]
        names += ["invalid"] if packing.flags else []
        names += ["select"] if packing.is_selected else []
        classes = pipeline.delay_named(before, {name: getattr(self, name) for name in names})
        (mode,) = pipeline.delay(before, self.rounding) if self.mode == PORT else (self.mode,)
        (random,) = pipeline.delay(before, self.random) if packing.random_bits else (None,)
        window, below_window, base, is_normal = pipeline.cut(2, window, below_window, base, is_normal)
        cut = Window(window, below_window, base, is_normal, top=window[-1])
        flags = self.flags if packing.flags else None
        packing.build(m, RoundingLogic(mode, random), classes, cut, self.y, flags, pipeline)
        return m
