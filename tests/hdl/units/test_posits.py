"""Units of posits and codebooks against golden: all operands of 8-bit multipliers, and sums of every style."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from polymac import hdl, sim
from polymac.golden import ParameterError
from polymac.hdl.core.unit import Unit

MULTIPLIERS: list[dict[str, Any]] = [
    {"a": "posit8", "b": "posit8"},
    {"a": "nf4", "b": "posit8", "out": "posit8"},
    {"a": "nf4", "b": "fp8_e4m3", "out": "fp16"},
    {"a": "posit8", "b": "posit8", "out": "unpacked"},
    {"a": "fp8_e5m2", "b": "posit8", "out": "posit8", "stages": 3},
    {"a": "posit8", "b": "int8", "out": "posit16"},
    {"a": "posit8_0", "b": "posit8_0"},
    {"a": "posit6_4", "b": "posit8_1", "out": "posit11_3"},
    {"a": "nf4", "b": "posit8", "out": "unpacked"},
    {"a": "posit8", "b": "posit8", "out": "fp32"},
    {"a": "nf4", "b": "nf4", "out": "exact"},
    {"a": "int4", "b": "nf4", "out": "int8"},
]
SUMS: list[tuple[type[Unit], dict[str, Any]]] = [
    (hdl.Dot, {"a": "posit8", "b": "posit8", "lanes": 2, "acc": "exact", "out": "posit8"}),
    (hdl.Dot, {"a": "posit8", "b": "posit8", "lanes": 2, "acc": "exact", "out": "fp32"}),
    (hdl.Dot, {"a": "nf4", "b": "posit8", "lanes": 3, "acc": "exact", "out": "posit16", "stages": 3}),
    (hdl.Mac, {"a": "posit8", "b": "posit8", "acc": "exact", "out": "posit8"}),
    (hdl.Mac, {"a": "posit16", "b": "posit16", "acc": "exact", "out": "posit16"}),
    (hdl.Mac, {"a": "posit8", "b": "posit8", "acc": "posit8", "stages": 4}),
    (hdl.Mac, {"a": "posit8", "b": "posit8", "acc": "posit16"}),
    (hdl.Mac, {"a": "nf4", "b": "nf4", "acc": "fp32"}),
    (hdl.Array, {"rows": 2, "cols": 2, "a": "posit8", "b": "posit8", "acc": "exact", "out": "posit8"}),
    (hdl.Array, {"rows": 2, "cols": 2, "a": "nf4", "b": "posit8", "acc": "posit16", "dataflow": "ws"}),
]
QUICK = 2


def quick_first(cases: list[Any], count: int) -> list[Any]:
    """The first ones as they are, the others marked slow."""
    return [*cases[:count], *(pytest.param(case, marks=pytest.mark.slow) for case in cases[count:])]


@pytest.mark.parametrize("options", quick_first(MULTIPLIERS, 4), ids=str)
def test_every_product(options: dict[str, Any]) -> None:
    unit = hdl.Multiplier(**options)
    result = sim.verify(unit)
    assert result.passed, result.details
    assert result.checked >= 1 << (unit.a_format.width + unit.b_format.width)


@pytest.mark.slow
@pytest.mark.parametrize(("unit", "options"), SUMS, ids=str)
def test_sums(unit: type[Unit], options: dict[str, Any]) -> None:
    result = sim.verify(unit(**options))
    assert result.passed, result.details


def test_a_small_exact_sum() -> None:
    result = sim.verify(hdl.Dot(a="posit8", b="nf4", lanes=2, acc="exact", out="posit8"), vectors=20_000)
    assert result.passed, result.details


def test_the_exact_sum_leaves_out_the_bits_that_are_always_zero() -> None:
    # Every product of posit16 is a multiple of 2^-112 and below 2^114, as far as two significands and an exponent tell:
    # 226 bits, 16 more for 65536 of them, and the sign. All bits of two significands of 12 bits would be 22 more.
    unit = hdl.Mac(a="posit16", b="posit16", acc="exact", out="posit16")
    assert (unit.accumulator.sum_bits, unit.accumulator.quantum) == (243, -112)
    assert hdl.Mac(a="posit8", b="posit8", acc="exact", out="posit8").accumulator.quantum == -48


def test_a_users_codebook(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = '[mine]\nkind = "codebook"\nwidth = 2\nvalues = [-1.5, 0, 0.15625, 96]\n'
    (tmp_path / "mine.toml").write_text(text)
    monkeypatch.setenv("POLYMAC_FORMATS", str(tmp_path / "mine.toml"))
    result = sim.verify(hdl.Multiplier(a="mine", b="posit8", out="posit8"))
    assert result.passed, result.details


@pytest.mark.parametrize(
    ("unit", "options", "message"),
    [
        (
            hdl.Multiplier,
            {"a": "nf4", "b": "nf4", "out": "nf4"},
            "out must be a format that results can be rounded to, not nf4",
        ),
        (
            hdl.Mac,
            {"a": "nf4", "b": "nf4", "acc": "nf4"},
            "acc must be a format that results can be rounded to, not nf4",
        ),
        (
            hdl.Multiplier,
            {"a": "posit8", "b": "posit8", "rounding": "rtz"},
            "rounding must be one of rne for posit8, not 'rtz'",
        ),
        (
            hdl.Multiplier,
            {"a": "posit8", "b": "posit8", "rounding": "port"},
            "rounding must be one of rne for posit8, not 'port'",
        ),
        (
            hdl.Multiplier,
            {"a": "posit8", "b": "posit8", "flags": True},
            "flags must be left out where out is no float, not True with posit8",
        ),
        (
            hdl.Multiplier,
            {"a": "posit8", "b": "posit8", "overflow": "ieee"},
            "overflow must be one of saturate for posit formats, not 'ieee'",
        ),
        (
            hdl.Mac,
            {"a": "posit8", "b": "posit8", "acc": "exact:rtz", "out": "posit8"},
            "rounding must be one of rne for posit8, not 'rtz'",
        ),
        (
            hdl.Mac,
            {"a": "posit8", "b": "posit8", "acc": "exact", "out": "posit8", "overflow": "ieee"},
            "overflow must be one of saturate, not 'ieee'",
        ),
        (
            hdl.Dot,
            {"a": "posit8", "b": "posit8", "lanes": 1, "acc": "posit8", "addend": True, "flags": True},
            "flags must be left out with acc=posit8, which raises none, not on",
        ),
        (
            hdl.Dot,
            {"a": "posit8", "b": "posit8", "lanes": 1, "acc": "posit8", "addend": True, "rounding": "port"},
            "rounding must be left out with acc=posit8, which has one mode, not port",
        ),
    ],
)
def test_errors(unit: type[Unit], options: dict[str, Any], message: str) -> None:
    with pytest.raises(ParameterError) as error:
        unit(**options)
    assert str(error.value) == message
