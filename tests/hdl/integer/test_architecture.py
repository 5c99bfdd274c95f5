"""architecture="auto": the rule, and that a unit and its metadata have what was chosen."""

from __future__ import annotations

import pytest

from polymac import hdl
from polymac.hdl.integer.architecture import TARGETS

CHOSEN = [
    ("int8", "nangate45", "booth"),
    ("int3", "nangate45", "row_adders"),
    ("uint7", "nangate45", "row_adders"),
    ("uint8", "cmos", "booth"),
    ("fp8_e4m3", "nangate45", "row_adders"),
    ("bf16", "nangate45", "booth"),
    ("fp16", "cmos", "booth"),
    ("fp16", "xc7", "row_adders"),
    ("int8", "ice40", "row_adders"),
    ("fp8_e4m3", "ecp5", "row_adders"),
    ("fp16", "xc7_dsp", "operator"),
    ("int8", "ice40_dsp", "operator"),
    ("int8", "ecp5_dsp", "operator"),
]


@pytest.mark.parametrize(("fmt", "target", "chosen"), CHOSEN)
def test_rule(fmt: str, target: str, chosen: str) -> None:
    unit = hdl.Multiplier(a=fmt, b=fmt, architecture="auto", target=target)
    assert unit.architecture == chosen
    assert unit.parameters == hdl.Multiplier(a=fmt, b=fmt, architecture=chosen).parameters
    assert unit.parameters["architecture"] == chosen


def test_every_target_has_a_choice() -> None:
    assert {target for _, target, _ in CHOSEN} == set(TARGETS)


def test_the_shorter_operand_and_the_widest_choice_decide() -> None:
    def chosen(**options: object) -> str:
        return hdl.Multiplier(architecture="auto", **options).architecture

    assert chosen(a="int16", b="int3") == "row_adders"
    assert chosen(a="int16", b="uint4") == "row_adders"
    assert chosen(formats=("fp8_e4m3", "fp16")) == "booth"
    assert chosen(formats=("fp8_e4m3", "fp8_e5m2")) == "row_adders"


def test_the_default_is_the_synthesizers_choice() -> None:
    assert hdl.Multiplier(a="fp16", b="fp16").architecture == "operator"
