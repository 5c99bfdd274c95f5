"""What both dataflows ask of a processing element."""

from __future__ import annotations

from collections.abc import Mapping

from amaranth.lib.wiring import In, Out

from ..core.unit import Unit
from ..sums.accumulator import Accumulator


class ProcessingElement(Unit):
    """One place of an array: a :class:`.Accumulator`, and registers through which operands and sums move on.

    Parameters
    ----------
    accumulator : Accumulator
        How products are added.
    stages : int
        Pipeline registers between operands and sum.
    west, north : mapping of str to int
        Bits of what comes from the left and from above. Each leaves to the other side, one enabled cycle later, on a port
        of the same name with the suffix ``_out``.

    Members
    -------
    en : In(1)
        While 0, no register changes.
    """

    kind = "pe"

    def __init__(
        self, *, accumulator: Accumulator, stages: int, west: Mapping[str, int], north: Mapping[str, int]
    ) -> None:
        self.accumulator = accumulator
        self.stages = stages
        self.west = dict(west)
        self.north = dict(north)
        # Plain bits: Amaranth would show each element of a layout as a wire with brackets in its name.
        bits = self.west | self.north
        super().__init__(
            {"en": In(1)}
            | {name: In(width) for name, width in bits.items()}
            | {f"{name}_out": Out(width) for name, width in bits.items()},
            parameters=accumulator.parameters | {"stages": stages},
            latency=stages + 2,
            clocked=True,
        )
