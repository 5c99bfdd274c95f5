"""Text of a mismatch: the operands and both results, each as code and value."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ...golden.formats import Flag, Format
from ...hdl.core.unit import Port

#: Maximum number of mismatches reported.
SHOWN = 5
#: Maximum number of elements of a vector shown.
_ELEMENTS = 8


def code_text(fmt: Format | None, code: int) -> str:
    """A code and, where it has a format, its value: ``0x85 (-123)``."""
    return f"{code:#x}" if fmt is None else f"{code:#x} ({fmt.text(code)})"


def vector_text(fmt: Format | None, codes: Sequence[int]) -> str:
    """Codes as :func:`code_text` in brackets, the first few of a long vector."""
    shown = [code_text(fmt, int(code)) for code in codes[:_ELEMENTS]]
    return f"[{', '.join(shown)}{f', … {len(codes)} in all' if len(codes) > _ELEMENTS else ''}]"


def port_text(port: Port, value: Any) -> str:
    """What a port carries: an integer, its bytes, or its bits as text where some have no value."""
    if isinstance(value, str):
        return f"0b{value}"
    code = int.from_bytes(value.tobytes(), "little") if isinstance(value, np.ndarray) else int(value)
    if port.role == "flags":
        return f"{code:#x} ({Flag(code).name or 'none'})"
    if port.elements == 1:
        return code_text(port.format, code)
    bits = port.width // port.elements
    return vector_text(port.format, [code >> (bits * k) & ((1 << bits) - 1) for k in range(port.elements)])


def ports_text(ports: Mapping[str, Port], values: Mapping[str, Any]) -> str:
    """``a=0x85 (-123), b=0x0 (0)``."""
    return ", ".join(f"{name}={port_text(ports[name], value)}" for name, value in values.items())


def results_text(ports: Mapping[str, Port], got: Mapping[str, Any], want: Mapping[str, Any]) -> str:
    """What the hardware gave and what the golden model gives."""
    return f"hardware {ports_text(ports, got)}, golden {ports_text(ports, want)}"
