"""What multipliers and adders share: formats, the ports and parameters of rounding, the rounder, and the output."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Module, Signal
from amaranth.lib.wiring import In, Out

from ...golden.formats import Format
from ..core.hierarchy import instantiate
from ..core.pipeline import Pipeline, PipelinedUnit
from ..core.unit import PortSpec, Unit, control
from ..rounding.modes import PORT, PORT_BITS, Policy
from .description import describe
from .multiplier_options import Formats, choose_float_options, choose_rounding


class Operation(PipelinedUnit):
    """An operation on two numbers whose result is exact or rounded once.

    Attributes
    ----------
    choices : Formats
        Formats of operands and result.
    stages : int
        Pipeline registers.
    rounding, random_bits, overflow, subnormals, with_flags, with_valid
        The options, checked and completed.
    """

    choices: Formats
    stages: int

    def _choose(
        self,
        rounding: str | None,
        random_bits: int | None,
        overflow: str | None,
        subnormals: str | None,
        flags: bool | None,
        valid: bool,
    ) -> None:
        """Check the options and complete them, :attr:`choices` and :attr:`stages` being known."""
        self.rounding, self.random_bits, self.overflow = choose_rounding(self.choices, rounding, random_bits, overflow)
        self.subnormals, self.with_flags = choose_float_options(self.choices, subnormals, flags)
        self.with_valid = bool(valid)
        options = (self.rounding, self.random_bits, self.overflow, self.subnormals, self.with_flags)
        self.description = tuple(describe(self.choices, *options))

    @property
    def is_exact(self) -> bool:
        """Whether the result is exact; a product's may be normalised or not."""
        return self.choices.is_exact

    @property
    def a_format(self) -> Format:
        """Format of a, with ``formats`` the first of them."""
        return self.choices.a[0]

    @property
    def b_format(self) -> Format:
        """Format of b, with ``formats`` the first of them."""
        return self.choices.b[0]

    @property
    def out_format(self) -> Format:
        """Format of the result, with ``formats`` the first of them; out="unpacked": of the exact product."""
        return self.choices.out[0]

    def _ports(self, operands: dict[str, PortSpec], results: dict[str, PortSpec]) -> dict[str, PortSpec]:
        """All ports, in order, those of the options beside operands and results."""
        ports = dict(operands)
        ports |= {"rounding_mode": control(PORT_BITS)} if self.rounding == PORT else {}
        ports |= {"random": control(self.random_bits)} if self.random_bits else {}
        ports |= {"valid": PortSpec(In(1), "valid")} if self.with_valid else {}
        ports |= results
        ports |= {"flags": PortSpec(Out(5), "flags")} if self.with_flags else {}
        ports |= {"y_valid": PortSpec(Out(1), "valid")} if self.with_valid else {}
        return ports

    def _parameters(self, formats: dict[str, Any], others: dict[str, Any]) -> dict[str, Any]:
        """All parameters, in order, those of the options between the formats and all others."""
        parameters = formats | {"rounding": self.rounding, "overflow": self.overflow}
        parameters |= {"random_bits": self.random_bits} if self.random_bits else {}
        parameters |= {"subnormals": self.subnormals} if self.subnormals else {}
        has_flags = self.out_format.raises_flags and not self.choices.is_unpacked
        parameters |= {"flags": self.with_flags} if has_flags else {}
        parameters |= others
        return parameters | ({"valid": True} if self.with_valid else {})

    @property
    def _format_names(self) -> dict[str, Any]:
        return {"a": self.a_format.name, "b": self.b_format.name, "out": self.out_format.name}

    def _side(self) -> dict[str, Signal]:
        """What comes with the operands: how the result is rounded, chosen by ports."""
        names = {"rounding_mode": self.rounding == PORT, "random": self.random_bits}
        return {name: getattr(self, name) for name, present in names.items() if present}

    @property
    def _policy(self) -> Policy:
        """How a float or posit result is rounded; where it is exact, its rounder only packs."""
        return Policy(self.rounding or "rne", self.overflow or "ieee", self.subnormals)

    def _round(
        self, m: Module, platform: object, rounder: Unit, wires: dict[str, Any], side: dict[str, Signal], flags: str
    ) -> dict[str, Signal]:
        """Place the rounder of a normalised result.

        Parameters
        ----------
        wires : dict
            Its inputs by port, of which it takes those that it has.
        side : dict
            Of :meth:`_side`, as late as the wires.
        flags : str
            The name of the signal of its flags.

        Returns
        -------
        dict of str to Signal
            ``y``, and ``flags`` where the unit has them.
        """
        wires = wires | {"rounding" if name == "rounding_mode" else name: value for name, value in side.items()}
        wires |= {"en": self.en} if self.stages else {}
        results = {"y": Signal(len(self.y), name="result")}
        results |= {"flags": Signal(5, name=flags)} if self.with_flags else {}
        given = {port.name for port, _ in rounder.flat_ports()}
        instantiate(m, platform, "round", rounder, **{n: w for n, w in (wires | results).items() if n in given})
        return results

    def _drive(self, m: Module, pipeline: Pipeline, results: dict[str, Signal], place: int) -> None:
        """Connect the outputs, behind the registers of the cut point before them."""
        results = pipeline.cut_named(place, results)
        if self.with_valid:
            (results["y_valid"],) = pipeline.delay(self.stages, self.valid)
        m.d.comb += [getattr(self, name).eq(value) for name, value in results.items()]
