"""Switching activity as a SAIF file, for other tools' power reports (IEEE 1801, annex I: backward SAIF 2.0)."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
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

    Each named bit gets T0 and T1, the time that it is 0 and 1 (as at the ends of cycles), TX = 0, TC, its toggles, and
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
    ...     print(*(line for line in path.read_text().splitlines() if "TC" in line), sep="\\n")
        (a (T0 2000) (T1 6000) (TX 0) (TC 2) (IG 0))
        (y (T0 6000) (T1 2000) (TX 0) (TC 2) (IG 0))
    """
    if isinstance(period_ns, bool) or not isinstance(period_ns, int | float):
        raise TypeError(f"period_ns must be a number of nanoseconds, not {period_ns!r}")
    period = round(period_ns * _PER_NS) if math.isfinite(period_ns) else 0
    if period < 1:
        raise ParameterError(f"period_ns must be 0.001 ns or more, and finite, not {period_ns:g}")
    activity = energy.activity
    if glitches and activity.events is None:
        raise ParameterError("energy must be measured with glitches for a SAIF file with glitches, not without")
    cycles = energy.cycles
    nets: dict[str, str] = {}
    named = {**{name: item["bits"] for name, item in netlist["netnames"].items()}}
    named.update({name: item["bits"] for name, item in netlist["ports"].items()})
    for name, bits in named.items():
        for place, bit in enumerate(bits):
            if bit in activity.clock:
                t1, toggles, extra = cycles * period // 2, 2 * cycles, 0
            elif bit in activity.toggles:
                t1 = activity.ones[bit] * period
                toggles = activity.toggles[bit]
                extra = 0
                if glitches and activity.events is not None:
                    extra = activity.events[bit] - toggles
                    toggles = activity.events[bit]
            else:  # a constant, or a net that neither an input nor a cell drives
                continue
            label = _escaped(name if len(bits) == 1 else f"{name}[{place}]")
            nets[label] = f"(T0 {cycles * period - t1}) (T1 {t1}) (TX 0) (TC {toggles}) (IG {extra})"
    lines = [
        '(SAIFILE (SAIFVERSION "2.0") (DIRECTION "backward") (DESIGN) (VENDOR "polymac") (PROGRAM_NAME "polymac")',
        f"(DIVIDER / ) (TIMESCALE 1 ps) (DURATION {cycles * period})",
        f"(INSTANCE {_escaped(top)}",
        "  (NET",
        *(f"    ({label} {text})" for label, text in nets.items()),
        "  )",
        "))",
        "",
    ]
    try:
        Path(path).write_text("\n".join(lines), encoding="utf-8")
    except OSError as error:
        raise ParameterError(
            f"path must be a file that can be written, not {fspath(path)!r}: {error.strerror}"
        ) from None


def _escaped(name: str) -> str:
    return re.sub(r"([^\w])", r"\\\1", name)
