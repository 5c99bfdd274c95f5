"""The regression that broken designs are run through: it passes for sound ones, and notices what a reset leaves."""

from __future__ import annotations

import dataclasses
import re
from typing import Any

import pytest

from polymac import hdl, sim
from polymac.sim.campaigns import regression

MAC = hdl.Mac(a="int4", b="int4", stages=1)
MULTIPLIER = hdl.Multiplier(a="int4", b="int4", stages=2, valid=True)
ARRAY = hdl.Array(a="int3", b="int3", rows=2, cols=2)


def noticed(unit: hdl.Unit, pattern: str | None = None, replacement: str = "") -> list[bool]:
    """For each trace of the regression, whether the design is seen to differ; a change to its Verilog breaks it."""
    design: Any = hdl.generate(unit, f"{unit.kind}_in_regression")
    design.metadata["latency"] = 0
    if pattern is not None:
        verilog, count = re.subn(pattern, replacement, design.verilog, count=1)
        assert count == 1, pattern
        design = dataclasses.replace(design, verilog=verilog)
    model = sim.Model.build(design)
    return [trace.differs(model, {}) for trace in regression.traces(unit, sim.Model.build(design), 1)]


@pytest.mark.parametrize("unit", [MAC, MULTIPLIER, ARRAY], ids=lambda unit: unit.kind)
def test_sound_designs_pass(unit: hdl.Unit) -> None:
    assert not any(noticed(unit))


@pytest.mark.parametrize(
    ("unit", "register"), [(MAC, "acc"), (MAC, "step_1"), (MULTIPLIER, "y_valid"), (MULTIPLIER, "valid_1")]
)
def test_a_register_that_no_reset_clears_is_noticed(unit: hdl.Unit, register: str) -> None:
    assert noticed(unit, rf"if \(rst\) {register} <= .*;\n +else |\n +{register} <= .*;")[0]
