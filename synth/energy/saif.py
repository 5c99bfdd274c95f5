"""Switching activity as a SAIF file, for other tools' power reports (IEEE 1801, annex I: backward SAIF 2.0)."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from os import PathLike, fspath
from pathlib import Path
from typing import Any

from ...golden.formats import ParameterError
from .measure import Energy

#: Time of the file, in units of its timescale of 1 ps.
_PER_NS = 1000


def write_saif(
    path: str | PathLike[str],
    netlist: Mapping[str, Any],
    energy: Energy,
    *,
    top: str,
    period_ns: float = 1.0,
    glitches: bool = False,
) -> None:
    """Write what the nets of a netlist did while its energy was measured.

    The nets of the netlist are written by their names, and each cell as an instance whose nets are its pins. Tools find
    them by these names, which Yosys' ``rename -enumerate`` makes the same in the JSON and in Verilog.

    Each gets T0 and T1, the time that it is 0 and 1 (as at the ends of cycles), TX = 0, TC, its toggles, and
    IG, those that glitches add (0 without). The clock has a high and a low phase in each cycle.

    Parameters
    ----------
    path : path
        The file.
    netlist : mapping
        The one that was measured.
    energy : Energy
        What :func:`measure_energy` gave.
    top : str
        The name of the instance in the file.
    period_ns : float
        The clock's period in ns, a whole number of ps.
    glitches : bool
        TC counts the toggles of glitches too (then IG is the part of them).

    Raises
    ------
    ParameterError
        The file cannot be written, the period is not over 0, or there are no toggles with glitches.

    Examples
    --------
    >>> inverter = {"type": "INV_X1", "connections": {"A": [2], "ZN": [3]}}
    >>> ports = {"a": {"direction": "input", "bits": [2]}, "y": {"direction": "output", "bits": [3]}}
    >>> netlist = {"ports": ports, "cells": {"gate": inverter}, "netnames": {}}
    >>> energy = synth.measure_energy(netlist, synth.target("nangate45").liberty, {"a": [0, 1, 1, 1]})
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "inverter.saif")
    ...     synth.write_saif(path, netlist, energy, top="inverter", period_ns=2)
    ...     print(*path.read_text().splitlines()[2:10], sep="\\n")
    (INSTANCE inverter
      (NET
        (a (T0 2000) (T1 6000) (TX 0) (TC 2) (IG 0))
        (y (T0 6000) (T1 2000) (TX 0) (TC 2) (IG 0))
      )
      (INSTANCE gate
        (NET
          (A (T0 2000) (T1 6000) (TX 0) (TC 2) (IG 0))
    """
    if isinstance(period_ns, bool) or not isinstance(period_ns, int | float):
        raise TypeError(f"period_ns must be a number of nanoseconds, not {period_ns!r}")
    period = round(period_ns * _PER_NS) if math.isfinite(period_ns) else 0
    if period < 1:
        raise ParameterError(f"period_ns must be 0.001 ns or more, and finite, not {period_ns:g}")
    activity = energy.activity
    if glitches and activity.events is None:
        raise ParameterError("energy must be measured with glitches for a SAIF file with glitches, not without")
    named = {name: item["bits"] for name, item in (*netlist["netnames"].items(), *netlist["ports"].items())}
    nets = {
        name if len(bits) == 1 else f"{name}[{place}]": bit
        for name, bits in named.items()
        for place, bit in enumerate(bits)
    }
    text = _Text(energy, period, glitches)
    lines = [
        '(SAIFILE (SAIFVERSION "2.0") (DIRECTION "backward") (DESIGN) (VENDOR "polymac") (PROGRAM_NAME "polymac")',
        f"(DIVIDER / ) (TIMESCALE 1 ps) (DURATION {energy.cycles * period})",
        f"(INSTANCE {_escaped(top)}",
        *text.nets("  ", nets),
    ]
    for name, cell in netlist["cells"].items():
        pins = {pin: bit for pin, bits in cell["connections"].items() for bit in bits}
        lines += [f"  (INSTANCE {_escaped(name)}", *text.nets("    ", pins), "  )"]
    lines += ["))", ""]
    try:
        Path(path).write_text("\n".join(lines), encoding="utf-8")
    except OSError as error:
        raise ParameterError(
            f"path must be a file that can be written, not {fspath(path)!r}: {error.strerror}"
        ) from None


@dataclass(frozen=True)
class _Text:
    """The entries of nets, with a clock of a period in ps."""

    energy: Energy
    period: int
    glitches: bool

    def nets(self, indent: str, bits: Mapping[str, int | str]) -> list[str]:
        """The entries of names and their bits; constants, and what neither an input nor a cell drives, have none."""
        entries = ((name, self._entry(bit)) for name, bit in bits.items())
        return [
            f"{indent}(NET",
            *(f"{indent}  ({_escaped(name)} {entry})" for name, entry in entries if entry),
            f"{indent})",
        ]

    def _entry(self, bit: int | str) -> str:
        activity, cycles = self.energy.activity, self.energy.cycles
        if not isinstance(bit, int) or (bit not in activity.toggles and bit not in activity.clock):
            return ""
        extra = 0
        if bit in activity.clock:
            high, toggles = cycles * self.period // 2, 2 * cycles
        else:
            high, toggles = activity.ones[bit] * self.period, activity.toggles[bit]
            if self.glitches and activity.events is not None:
                extra = activity.events[bit] - toggles
        low = cycles * self.period - high
        return f"(T0 {low}) (T1 {high}) (TX 0) (TC {toggles + extra}) (IG {extra})"


def _escaped(name: str) -> str:
    return re.sub(r"([^\w])", r"\\\1", name)
