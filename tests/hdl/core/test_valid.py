"""What travels beside the operands: valid, stalled by en and cleared by a reset, at every number of stages."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from amaranth.hdl import ClockDomain, Module
from amaranth.sim import Simulator

from polymac import golden, hdl

CYCLES = 150
UNITS: list[dict[str, Any]] = [
    {"a": "int4", "b": "int4"},
    {"a": "fp4_e2m1", "b": "fp4_e2m1"},
    {"a": "q2.2", "b": "q2.2", "out": "q3.1"},
    {"a": "bin1", "b": "bin1"},
]


def simulate(unit: hdl.Multiplier, drive: dict[str, list[int]]) -> list[tuple[int, int]]:
    """y_valid and y after each clock edge."""
    m = Module()
    m.domains.sync = domain = ClockDomain()
    m.submodules.unit = unit
    simulator = Simulator(m)
    simulator.add_clock(1e-6)
    seen = []

    async def bench(ctx: Any) -> None:
        for cycle in range(CYCLES):
            for name, values in drive.items():
                ctx.set(domain.rst if name == "rst" else getattr(unit, name), values[cycle])
            await ctx.tick()
            seen.append((ctx.get(unit.y_valid), ctx.get(unit.y)))

    simulator.add_testbench(bench)
    simulator.run()
    return seen


def expect(unit: hdl.Multiplier, drive: dict[str, list[int]]) -> list[tuple[int, int | None]]:
    """The same from the docstring; y is None where it is not specified."""
    y = golden.multiply(drive["a"], drive["b"], unit.a_format, unit.b_format, out=unit.out_format).tolist()
    pipe: list[tuple[int, int | None]] = [(0, None)] * unit.stages
    seen = []
    for cycle in range(CYCLES):
        if drive["rst"][cycle]:
            pipe = [(0, None)] * unit.stages
        elif drive["en"][cycle]:
            pipe = [(drive["valid"][cycle], y[cycle]), *pipe[:-1]]
        seen.append(pipe[-1])
    return seen


@pytest.mark.parametrize("stages", range(1, 7))
@pytest.mark.parametrize("options", UNITS, ids=lambda options: options["a"])
def test_valid_stays_beside_its_product(options: dict[str, Any], stages: int) -> None:
    unit = hdl.Multiplier(stages=stages, valid=True, **options)
    generator = np.random.default_rng(stages)
    codes = unit.a_format.code_count
    drive = {name: generator.integers(0, codes, CYCLES).tolist() for name in ("a", "b")}
    for name, share in (("valid", 0.6), ("en", 0.7), ("rst", 0.05)):
        drive[name] = (generator.random(CYCLES) < share).astype(int).tolist()
    want = expect(unit, drive)
    got = simulate(unit, drive)
    assert [valid for valid, _ in got] == [valid for valid, _ in want]
    assert all(y == code for (_, y), (_, code) in zip(got, want, strict=True) if code is not None)
    assert 10 < sum(valid for valid, _ in got) < CYCLES - 10


def test_ports_of_valid() -> None:
    ports = {port.name: port for port in hdl.Multiplier(a="int8", b="int8", stages=1, valid=True).ports}
    assert (ports["valid"].direction, ports["valid"].role) == ("input", "valid")
    assert (ports["y_valid"].direction, ports["y_valid"].role) == ("output", "valid")
    assert not {"valid", "y_valid"} & {port.name for port in hdl.Multiplier(a="int8", b="int8", stages=1).ports}
