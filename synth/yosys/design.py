"""What Yosys is given: a generated design."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Protocol

from ...golden.formats import ParameterError


class Design(Protocol):
    """What synthesis has to know of a generated design: its top module's name, its Verilog, and of its metadata the
    entries ``unit`` and ``parameters``."""

    @property
    def name(self) -> str: ...
    @property
    def verilog(self) -> str: ...
    @property
    def metadata(self) -> Mapping[str, Any]: ...


def check_design(design: Design) -> None:
    """Raise a ParameterError if the design's name cannot be put into a Yosys script."""
    if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", design.name):
        raise ParameterError(f"design name must be a Verilog identifier, not {design.name!r}")
