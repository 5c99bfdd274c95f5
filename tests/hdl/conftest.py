"""One of each kind of unit, in variants that use every part of `hdl/`."""

from __future__ import annotations

import pytest

from polymac import hdl

UNITS: dict[str, hdl.Unit] = {
    "integers": hdl.Multiplier(a="int8", b="uint5"),
    "fixed_rounded": hdl.Multiplier(a="q4.4", b="uq0.8", out="q3.3", rounding="rna", stages=3),
    "fixed_widened": hdl.Multiplier(a="int4", b="int4", out="q10.4", overflow="wrap"),
    "fp16": hdl.Multiplier(a="fp16", b="fp16"),
    "mixed_floats": hdl.Multiplier(a="bf16", b="fp8_e4m3", out="bf16", rounding="rup", subnormals="flush", stages=4),
    "no_flags": hdl.Multiplier(a="fp4_e2m1", b="fp6_e3m2", out="fp6_e2m3", overflow="saturate", flags=False),
    "mac": hdl.Mac(a="int8", b="int4", lanes=3, stages=2),
    "mac_saturating": hdl.Mac(a="uint8", b="uint8", acc="uint17", overflow="saturate"),
    "array": hdl.Array(a="int8", b="int4", rows=3, cols=2),
    "array_one": hdl.Array(a="int4", b="uint8", rows=1, cols=1),
    "array_deep": hdl.Array(a="q2.3", b="int4", rows=18, cols=17, lanes=2, stages=2, acc="q8.3", overflow="saturate"),
    "requantizer": hdl.Requantizer(relu=True, stages=2),
}


@pytest.fixture(params=UNITS, scope="session")
def design(request: pytest.FixtureRequest) -> hdl.Design:
    """The Verilog of each unit."""
    return hdl.generate(UNITS[request.param], request.param)
