"""Rounding to a float format that is chosen from one operation to the next."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib.wiring import In, Out

from ..golden.formats import Format
from .float_pack import Packing, Window, any_of, exception_flags
from .normalize import Normalizer
from .operand import chosen
from .pipeline import Pipeline, PipelinedUnit
from .rounding import PORT, RoundingMode


class FloatSelectRound(PipelinedUnit):
    """:class:`.float_round.FloatRound` with several formats that share the shifter, the rounder and the packer.

    The shifter brings a significand to the same place whatever the format, since exponents come biased as in the chosen
    one. Then the significand is moved to the right until its last place is that of the longest fraction, where it is
    rounded; exponent field and special codes are put in front of the fraction that the format has.

    Parameters
    ----------
    fmts : sequence of Format
        Float formats with a sign and a zero.
    select_bits : int
        Width of ``select``.
    least, greatest, significand_bits, most_zeros, slack, rounding, overflow, subnormals, flags, stages, random_bits
        As in :class:`.float_round.FloatRound`, the bounds over all formats.

    Members
    -------
    select : In(select_bits)
        The format's number; the last format for greater numbers.
    y : Out
        The code, in the low bits of as many as the widest format has.

    The others are those of :class:`.float_round.FloatRound`.
    """

    kind = "round"
    formula = "y = round((-1)**sign * significand * 2**(exponent - bias - significand_bits + 2))"

    def __init__(
        self,
        *,
        fmts: Sequence[Format],
        select_bits: int,
        least: int,
        greatest: int,
        significand_bits: int,
        most_zeros: int,
        slack: bool,
        rounding: str,
        overflow: str,
        subnormals: str,
        flags: bool,
        stages: int = 0,
        random_bits: int = 0,
    ) -> None:
        self.fmts = tuple(fmts)
        self.mode = rounding
        flush = subnormals == "flush"
        self.packings = [Packing(fmt, overflow, flush, flags, slack, random_bits) for fmt in self.fmts]
        reach = max(packing.fmt.frac_bits + packing.cut_bits for packing in self.packings)
        self.normalizer = Normalizer(least, greatest, most_zeros, reach, flush)
        members = {"select": In(select_bits)} | self.packings[0].members(
            range(min(least, 0), greatest + 1), significand_bits, most_zeros, rounding
        )
        super().__init__(
            members | {"y": Out(max(fmt.width for fmt in self.fmts))},
            formats={},
            parameters={
                "packings": self.packings,
                "normalizer": self.normalizer,
                "significand_bits": significand_bits,
                "rounding": rounding,
                "stages": stages,
            },
            registers=stages,
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        pipeline = Pipeline(m, self.latency, (0,), self.enable)
        length = max(packing.window_bits for packing in self.packings)
        wires = {"window": Signal(length, name="window")}
        wires |= {name: Signal(name=name) for name in ("below_window", "is_normal")}
        zeros = self.leading_zeros if self.normalizer.most_zeros else None
        shifted, below, base, above_least = self.normalizer.build(
            m, self.significand, self.exponent, zeros, self.zero, length
        )
        m.d.comb += [wires["window"].eq(shifted), wires["below_window"].eq(below), wires["is_normal"].eq(above_least)]
        wires["base"] = base
        given = {port.name for port, _ in self.flat_ports()}
        names = ("sign", "zero", "inf", "nan", "select", "invalid", "rounding", "random")
        wires |= {name: getattr(self, name) for name in names if name in given}
        wires = pipeline.cut_named(0, wires)
        random = wires.get("random")
        mode = RoundingMode(wires["rounding"] if self.mode == PORT else self.mode, random)
        window = Window(*(wires[name] for name in ("window", "below_window", "base", "is_normal")))
        self._round(m, mode, wires, window)
        return m

    def _each(self, select: Value, of: Callable[[Packing], Any]) -> Value:
        """What a packing says, of the one that is chosen."""
        return chosen(select, [Value.cast(of(packing)) for packing in self.packings])

    def _round(self, m: Module, mode: RoundingMode, wires: dict[str, Signal], window: Window) -> None:
        """As :meth:`.float_pack.Packing.build`, whose comments hold here."""
        widest, select, sign = max(self.packings, key=lambda item: item.fmt.frac_bits), wires["select"], wires["sign"]
        longest, last, top = widest.fmt.frac_bits, widest.cut_bits - 1, window.bits[-1]
        shorter = {packing: longest - packing.fmt.frac_bits for packing in self.packings}
        bits, below = Signal(len(window.bits), name="aligned"), Signal(name="below_aligned")
        kept, guard, sticky = Signal(longest + 1, name="kept"), Signal(name="guard"), Signal(name="sticky")
        increment, tiny = Signal(name="increment"), Signal(name="tiny")
        m.d.comb += [
            bits.eq(self._each(select, lambda item: window.bits[shorter[item] :])),
            below.eq(window.below | self._each(select, lambda item: window.bits[: shorter[item]].any())),
        ]
        rest = None
        if widest.slack:
            double = Signal(name="double")
            m.d.comb += [
                double.eq(~top & (Const(1) if widest.flush else window.is_normal)),
                Cat(guard, kept).eq(Mux(double, bits[last:], bits[last + 1 :])),
                sticky.eq(below | any_of(bits[:last]) | (bits[last] & ~double)),
            ]
            if mode.random is not None:
                rest = Mux(double, bits[1 : last + 1], bits[2 : last + 2])
        else:
            m.d.comb += [Cat(guard, kept).eq(bits[last:]), sticky.eq(below | any_of(bits[:last]))]
            rest = bits[1 : last + 1] if mode.random is not None else None
        field = Signal((window.base + 1).shape(), name="field")
        # The hidden bit, in kept above the fraction, is in the field already.
        unrounded = Signal((field << longest).shape(), name="unrounded")
        rounded = Signal((unrounded + increment).shape(), name="rounded")
        m.d.comb += [
            increment.eq(mode.increment(sign, kept[0], guard, sticky, rest)),
            field.eq(window.base + top),
            unrounded.eq(
                self._each(select, lambda item: Cat(kept[: item.fmt.frac_bits], field).as_signed())
                if field.shape().signed
                else self._each(select, lambda item: Cat(kept[: item.fmt.frac_bits], field))
            ),
            rounded.eq(unrounded + increment),
        ]
        finite, inexact = Signal(name="finite"), Signal(name="inexact")
        overflows, underflows = Signal(name="overflows"), Signal(name="underflows")
        m.d.comb += [
            finite.eq(~(wires["inf"] | wires["nan"] | (wires["zero"] if widest.flush else Const(0)))),
            inexact.eq(finite & (guard | sticky)),
            overflows.eq(finite & self._each(select, lambda item: rounded > item.largest)),
        ]
        if widest.flush:
            m.d.comb += underflows.eq(finite & self._each(select, lambda item: rounded < (1 << item.fmt.frac_bits)))
        elif widest.flags:
            self._tiny(m, mode, sign, select, bits, below, window, tiny)
            normals = self._each(select, lambda item: Const(int(item.fmt.max_code >> item.fmt.frac_bits > 0)))
            m.d.comb += underflows.eq(inexact & tiny & (~overflows | normals))
        self._pack(m, mode, wires, rounded, overflows, underflows)
        if widest.flags:
            m.d.comb += self.flags.eq(exception_flags(inexact, underflows, overflows, wires["invalid"]))

    def _tiny(
        self,
        m: Module,
        mode: RoundingMode,
        sign: Value,
        select: Value,
        bits: Signal,
        below: Signal,
        window: Window,
        tiny: Signal,
    ) -> None:
        """As :meth:`.float_pack.Packing.is_tiny`."""
        longest = max(self.packings, key=lambda item: item.fmt.frac_bits)
        low = longest.cut_bits - 1 + longest.slack
        carried = Signal(name="carried")
        sticky = any_of(bits[: low - 1]) | below if low > 1 else below
        rest = bits[low - longest.random_bits : low] if mode.random is not None else None
        increment = mode.increment(sign, Const(1, 1), bits[low - 1], sticky, rest)
        ones = self._each(select, lambda item: bits[low : low + item.fmt.frac_bits + 1].all())
        m.d.comb += [
            carried.eq(ones & increment),
            tiny.eq(~window.bits[-1] & ~window.is_normal & ~carried),
        ]

    def _pack(
        self,
        m: Module,
        mode: RoundingMode,
        wires: dict[str, Signal],
        rounded: Signal,
        overflows: Signal,
        underflows: Signal,
    ) -> None:
        select, is_negative, is_nan = wires["select"], wires["sign"], wires["nan"]
        magnitude = Signal(max(packing.fmt.width for packing in self.packings) - 1, name="magnitude")
        infinite = Signal(name="infinite")
        m.d.comb += infinite.eq(wires["inf"] | (overflows & mode.overflow_to_infinity(is_negative)))
        with m.If(is_nan):
            m.d.comb += magnitude.eq(self._each(select, lambda item: item.fmt.nan_code or 0))
        with m.Elif(infinite):
            m.d.comb += magnitude.eq(self._each(select, lambda item: item.infinity))
        with m.Elif(overflows):
            m.d.comb += magnitude.eq(self._each(select, lambda item: item.fmt.max_code))
        if self.packings[0].flush:
            with m.Elif(underflows | wires["zero"]):
                m.d.comb += magnitude.eq(0)
        with m.Else():
            m.d.comb += magnitude.eq(rounded)

        def code(packing: Packing) -> Value:
            own = magnitude[: packing.fmt.width - 1]
            return Cat(own, packing.sign(is_negative, is_nan, infinite, own))

        m.d.comb += self.y.eq(self._each(select, code))
