"""A rounding mode that golden has and hardware does not know: every place that maps modes refuses it."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from amaranth.hdl import Module, Signal

from polymac import hdl
from polymac.golden import ParameterError
from polymac.golden.formats import FloatFormat, RoundingMode, accumulation
from polymac.golden.formats import format as format_of
from polymac.hdl.rounding.fixed_round import round_fixed
from polymac.hdl.rounding.modes import Policy, RoundingLogic, check_mode, rounds_down, rounds_toward_zero_on_a_side
from polymac.hdl.units.description import describe
from polymac.hdl.units.multiplier_options import Formats

FP8 = {"a": "fp8_e5m2", "b": "fp8_e5m2"}


@pytest.fixture(autouse=True)
def to_odd(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """One mode more in the enum and in all lists of modes that golden makes of it."""
    # Modules of units that fail are never used.
    monkeypatch.setattr(Module, "_MustUse__silence", True, raising=False)
    mode = str.__new__(RoundingMode, "odd")
    mode._name_, mode._value_, mode.port_code, mode.definition = "ODD", "odd", 6, "to odd"
    monkeypatch.setitem(RoundingMode._member_map_, "ODD", mode)
    monkeypatch.setitem(RoundingMode._value2member_map_, "odd", mode)
    monkeypatch.setattr(RoundingMode, "_member_names_", [*RoundingMode._member_names_, "ODD"])
    monkeypatch.setattr(accumulation, "ROUNDINGS", (*accumulation.ROUNDINGS, "odd"))
    assert RoundingMode("odd") in RoundingMode and len(format_of("fp16").roundings) == 7
    yield
    gc.collect()


def fixed(mode: Any) -> None:
    round_fixed(Module(), Signal(8), 4, format_of("int4"), rounding=mode, overflow="saturate")


def described(rounding: str) -> list[str]:
    return describe(Formats.make("fp16", "fp16", None, "fp16"), rounding, 0, "ieee", "full", False)


@pytest.mark.parametrize(
    "use",
    [
        lambda: check_mode("odd"),
        lambda: rounds_down("odd"),
        lambda: rounds_toward_zero_on_a_side("odd"),
        lambda: Policy("odd", "ieee", "full"),
        lambda: Policy.of(accumulation.Exact("odd"), format_of("fp16")),
        lambda: RoundingLogic("odd"),
        lambda: RoundingLogic(Signal(3)),
        lambda: fixed("odd"),
        lambda: fixed(Signal(3)),
        lambda: described("odd"),
        lambda: hdl.generate(hdl.Multiplier(**FP8, rounding="odd")),
        lambda: hdl.generate(hdl.Multiplier(**FP8, rounding="port")),
        lambda: hdl.generate(hdl.Multiplier(a="q4.4", b="q4.4", out="int4", rounding="odd")),
        lambda: hdl.generate(hdl.Multiplier(a="q4.4", b="q4.4", out="int4", rounding="port")),
        lambda: hdl.generate(hdl.Dot(**FP8, acc="rounded:fp16:odd")),
        lambda: hdl.generate(hdl.Dot(**FP8, acc="fp16", rounding="port")),
        lambda: hdl.generate(hdl.Dot(**FP8, acc="exact:odd")),
        lambda: hdl.generate(hdl.Mac(**FP8, acc="exact:odd", max_k=4)),
        lambda: hdl.Mac(**FP8, acc="exact:odd", max_k=4).accumulator.state_bits,
    ],
)
def test_hardware_refuses_a_mode_that_it_does_not_know(use: Callable[[], object]) -> None:
    with pytest.raises(ParameterError, match=r"rounding must be a mode that hardware has .*, not odd"):
        use()


def test_other_modes_still_have_hardware() -> None:
    assert isinstance(format_of("fp16"), FloatFormat)
    assert hdl.generate(hdl.Multiplier(**FP8, rounding="rdn")).verilog
    assert described("rtz")[1].endswith("the largest number where rounded toward zero.")
