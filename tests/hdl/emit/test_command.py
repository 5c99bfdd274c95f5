"""The command that makes a unit again is one that the command line takes, and it makes the same unit."""

from __future__ import annotations

import shlex

import click
import pytest

from polymac import hdl
from polymac.cli.generate import generate

UNITS = [
    hdl.Multiplier(a="int8", b="uint5"),
    hdl.Multiplier(a="q4.4", b="uq0.8", out="q3.3", rounding="rna", overflow="wrap", stages=3, architecture="booth"),
    hdl.Multiplier(a="fp16", b="bf16", out="fp32", rounding="port", subnormals="flush", flags=False),
    hdl.Multiplier(a="bin1", b="bin1"),
    hdl.Multiplier(a="fp8_e4m3", b="int4", out="exact"),
    hdl.Multiplier(a="fp8_e4m3", b="int4", out="unpacked", subnormals="flush", stages=1, valid=True),
    hdl.Multiplier(formats=("fp8_e4m3", "fp8_e5m2"), rounding="stochastic"),
    hdl.Multiplier(formats=("fp4_e2m1", "fp6_e3m2"), out="fp16", rounding="port", random_bits=3, stages=4),
    hdl.Multiplier(a="int12", b="int12", architecture="auto", target="ice40"),
    hdl.Mac(a="int8", b="int4", lanes=3, stages=2, acc="int17", overflow="saturate"),
    hdl.Dot(a="fp8_e5m2", b="fp8_e5m2", acc="rounded:fp16", rounding="port", flags=True, stages=1),
    hdl.Dot(a="mxfp4", b="mxfp4", lanes=4, acc="exact:rup", out="bf16", max_k=32),
    hdl.Array(a="int8", b="int4", rows=3, cols=2, max_k=9),
    hdl.Requantizer(relu=True, stages=2),
]


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.kind)
def test_round_trip(unit: hdl.Unit, tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    words = shlex.split(hdl.command_line("generate", unit, name="again", output=None, force=False))
    assert words[:2] == ["polymac", "generate"]
    with click.Context(generate) as context:
        generate.invoke(generate.make_context("generate", words[2:], parent=context))
    assert (tmp_path / "build" / "again.v").read_text() == hdl.generate(unit, "again").verilog


def test_options_of_the_command() -> None:
    text = hdl.command_line("verify", hdl.Mac(a="int4", b="int4"), seed=7, waves=True, exhaustive=False, simulator=None)
    assert text.startswith("polymac verify mac --a int4 --b int4 --acc int24 ")
    assert text.endswith(" --seed 7 --waves")
