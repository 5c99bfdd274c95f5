"""One of each kind of unit, in variants that use every part of `hdl/`."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Sequence

import numpy as np
import pytest

from polymac import hdl, sim
from polymac.sim.units import entry_of
from polymac.sim.units.operands import operand_bits

UNITS: dict[str, hdl.Unit] = {
    "integers": hdl.Multiplier(a="int8", b="uint5"),
    "fixed_rounded": hdl.Multiplier(a="q4.4", b="uq0.8", out="q3.3", rounding="rna", stages=3),
    "fixed_widened": hdl.Multiplier(a="int4", b="int4", out="q10.4", overflow="wrap"),
    "fp16": hdl.Multiplier(a="fp16", b="fp16"),
    "mixed_floats": hdl.Multiplier(a="bf16", b="fp8_e4m3", out="bf16", rounding="rup", subnormals="flush", stages=4),
    "no_flags": hdl.Multiplier(a="fp4_e2m1", b="fp6_e3m2", out="fp6_e2m3", overflow="saturate", flags=False),
    "unpacked": hdl.Multiplier(a="fp8_e4m3", b="fp8_e5m2", out="unpacked", subnormals="flush", stages=1, valid=True),
    "selected": hdl.Multiplier(formats=("fp8_e4m3", "fp8_e5m2", "fp4_e2m1"), rounding="port", random_bits=4, stages=2),
    "stochastic": hdl.Multiplier(a="int8", b="fp6_e3m2", out="q4.2", rounding="stochastic", stages=1),
    "sum_of_integers": hdl.Adder(a="int8", b="uq3.2", stages=1),
    "sum_fixed": hdl.Adder(a="fp6_e2m3", b="q3.3", out="q3.1", rounding="rna"),
    "sum_fp16": hdl.Adder(a="fp16", rounding="port", stages=5, valid=True),
    "sum_mixed": hdl.Adder(a="fp8_e4m3", b="int8", out="fp16", subnormals="flush", rounding="stochastic", stages=2),
    "mac": hdl.Mac(a="int8", b="int4", lanes=3, stages=2),
    "mac_saturating": hdl.Mac(a="uint8", b="uint8", acc="uint17", overflow="saturate"),
    "mac_exact": hdl.Mac(a="fp4_e2m1", b="fp4_e2m1", lanes=2, acc="exact:rdn", interleave=2),
    "mac_interleaved": hdl.Mac(a="fp16", b="fp8_e4m3", acc="fp32", interleave=4, stages=1),
    "mac_blocks": hdl.Mac(a="mxint8", b="int8", lanes=4),
    "dot_bits": hdl.Dot(a="bin1", b="bin1", lanes=6, acc="exact", architecture="tree"),
    "dot_rounded": hdl.Dot(a="fp16", b="fp8_e4m3", lanes=4, acc="rounded:fp32:rdn:2", stages=5),
    "dot_aligned": hdl.Dot(a="fp8_e5m2", b="fp8_e5m2", lanes=4, acc="aligned:2:13:13", stages=5),
    "dot_sparse_blocks": hdl.Dot(a="nvfp4", b="mxfp4", lanes=8, sparse=True, stages=4),
    "array": hdl.Array(a="int8", b="int4", rows=3, cols=2),
    "array_one": hdl.Array(a="int4", b="uint8", rows=1, cols=1),
    "array_deep": hdl.Array(a="q2.3", b="int4", rows=18, cols=17, lanes=2, stages=2, acc="q8.3", overflow="saturate"),
    "requantizer": hdl.Requantizer(relu=True, stages=2),
}


@pytest.fixture(params=UNITS, scope="session")
def design(request: pytest.FixtureRequest) -> hdl.Design:
    """The Verilog of each unit."""
    return hdl.generate(UNITS[request.param], request.param)


@pytest.fixture(scope="session")
def units() -> dict[str, hdl.Unit]:
    """What :func:`design` is the Verilog of, by name."""
    return UNITS


Check = Callable[..., int]


@pytest.fixture(scope="session")
def check() -> Check:
    """Compares multipliers, built as one model, with golden: all operands up to some bits, else seeded ones."""

    def compare(units: Sequence[hdl.Multiplier], *, most_bits: int = 20, vectors: int = 50_000) -> int:
        named = {f"m{index}": unit for index, unit in enumerate(units)}
        model = sim.Model.build(hdl.generate_all(named))
        inputs = {}
        for name, unit in named.items():
            whole = operand_bits(unit) <= most_bits
            chunks = list(entry_of(unit).operand_sets(unit, None if whole else vectors))
            inputs[name] = {port: np.concatenate([chunk[port] for chunk in chunks]) for port in chunks[0]}
        for name, outputs in model.evaluate_all(inputs).items():
            for port, want in entry_of(named[name]).expected(named[name], inputs[name]).items():
                differs = (outputs[port] != np.ma.getdata(want)) & ~np.ma.getmaskarray(want)
                assert not differs.any(), (named[name].parameters, port, int(differs.argmax()))
        return sum(len(columns["a"]) for columns in inputs.values())

    return compare


@pytest.fixture(scope="session")
def break_unit() -> Callable[[hdl.Unit, str, str], hdl.Design]:
    """The Verilog of a unit in which the first match of a pattern is replaced."""

    def broken(unit: hdl.Unit, pattern: str, replacement: str) -> hdl.Design:
        design = hdl.generate(unit, f"broken_{unit.kind}")
        verilog, count = re.subn(pattern, replacement, design.verilog, count=1)
        assert count == 1, pattern
        return dataclasses.replace(design, verilog=verilog)

    return broken
