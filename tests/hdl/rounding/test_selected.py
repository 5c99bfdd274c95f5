"""One unit for several float formats, chosen from one operation to the next, and what its parts are."""

from __future__ import annotations

import re
from typing import Any

import pytest

from polymac import hdl, sim

FP8 = ("fp8_e4m3", "fp8_e5m2")
SMALL = [
    {"formats": FP8, "rounding": "port", "flags": True},
    {"formats": FP8, "subnormals": "flush", "stages": 4},
    {"formats": FP8, "out": "bf16", "rounding": "rup"},
    {"formats": FP8, "out": "fp8_e5m2", "overflow": "saturate", "stages": 1},
    {"formats": FP8, "rounding": "stochastic", "random_bits": 3, "flags": False},
    {"formats": ("fp8_e4m3", "fp6_e3m2", "fp4_e2m1"), "stages": 2},
    {"formats": ("fp8_e4m3fnuz", "fp6_e2m3", "e0m4"), "rounding": "rdn"},
    {"formats": ("fp4_e2m1", "fp6_e3m2"), "overflow": "saturate", "subnormals": "flush", "rounding": "rna"},
    {"formats": ("e8m0", "fp8_e5m2"), "out": "e9m3", "stages": 3},
]
LARGE = [
    {"formats": ("fp16", "bf16"), "rounding": "port", "stages": 3, "valid": True},
    {"formats": ("fp8_e4m3", "fp16", "tf32")},
    {"formats": ("bf16", "fp16"), "subnormals": "flush", "rounding": "stochastic", "random_bits": 9},
]


def test_all_pairs_in_every_format(check: Any) -> None:
    assert check([hdl.Multiplier(**options) for options in SMALL[:5]]) > 1 << 20


@pytest.mark.slow
def test_all_pairs_in_more_formats(check: Any) -> None:
    assert check([hdl.Multiplier(**options) for options in SMALL[5:]]) > 1 << 18


@pytest.mark.slow
def test_large_formats(check: Any) -> None:
    check([hdl.Multiplier(**options) for options in LARGE])


def test_one_product_one_shifter_and_one_rounder() -> None:
    verilog = hdl.generate(hdl.Multiplier(formats=FP8), "both").verilog
    assert re.findall(r"^module (\w+)", verilog, re.MULTILINE) == [
        "both",
        "both_unpack",
        "both_unpack_v2",
        "both_product",
        "both_round",
    ]
    rounder = verilog[verilog.index("module both_round (") :]
    for name in ("shifted_1", "increment", "truncated", "double"):
        assert len(re.findall(rf"^  (?:assign|wire.*) {name} = ", rounder, re.MULTILINE)) == 1, name


def test_ports_and_metadata() -> None:
    metadata = hdl.generate(hdl.Multiplier(formats=("fp4_e2m1", "fp8_e5m2", "fp6_e3m2")), "three").metadata
    ports = {port["name"]: port for port in metadata["ports"]}
    assert [(name, port["width"], port["role"]) for name, port in ports.items()] == [
        ("a", 8, "data"),
        ("b", 8, "data"),
        ("select", 2, "control"),
        ("y", 8, "data"),
        ("flags", 5, "flags"),
    ]
    assert metadata["parameters"]["formats"] == ["fp4_e2m1", "fp8_e5m2", "fp6_e3m2"]
    assert metadata["command"].startswith("polymac generate multiplier --formats fp4_e2m1,fp8_e5m2,fp6_e3m2 --rounding")


def test_an_inverted_select_is_seen(break_unit: Any) -> None:
    unit = hdl.Multiplier(formats=FP8)
    assert not sim.verify(unit, design=break_unit(unit, r"\.select\(select\)", ".select(~select)")).passed
