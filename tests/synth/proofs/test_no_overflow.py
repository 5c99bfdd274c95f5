"""Accumulators hold what they promise and no more; one that is a bit too narrow, or loses one on the way, is seen."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest

from polymac import golden, hdl
from polymac.golden.formats import ParameterError
from polymac.hdl.sums import exact as exact_sum
from polymac.synth.proofs.no_overflow import prove_no_overflow

LOST = "no operation loses a bit"


def total(max_k: int) -> str:
    return f"the accumulator is the sum of up to {max_k} products"


def mac(**options: Any) -> hdl.Mac:
    given: dict[str, Any] = {"a": "int2", "b": "int2"}
    return hdl.Mac(**(given | options))


@pytest.mark.parametrize(
    ("options", "max_k"),
    [
        ({"acc": "int6"}, 7),
        ({"a": "fp4_e2m1", "b": "fp4_e2m1", "acc": "exact", "max_k": 16}, 16),
        *(
            pytest.param(*case, marks=pytest.mark.slow)
            for case in (
                ({"a": "int4", "b": "int4", "acc": "int10"}, 7),
                ({"a": "int4", "b": "uint4", "acc": "int11", "lanes": 2}, 8),
                ({"a": "uint3", "b": "uint2", "acc": "uint9", "lanes": 3}, 24),
                ({"a": "int2", "b": "int2", "acc": "int8", "lanes": 4}, 31),
                ({"a": "int2", "b": "int2", "acc": "int8", "lanes": 4, "architecture": "row_adders"}, 31),
                ({"a": "bin1", "b": "int4", "acc": "int12", "lanes": 2}, 255),
                ({"a": "bin1", "b": "bin1", "acc": "int6", "lanes": 8}, 31),
                ({"a": "fp4_e2m1", "b": "fp4_e2m1", "acc": "exact", "max_k": 16, "lanes": 2}, 16),
                ({"a": "fp4_e2m1", "b": "int4", "acc": "exact", "max_k": 16}, 16),
                ({"a": "fp6_e2m3", "b": "fp6_e2m3", "acc": "exact", "max_k": 100}, 100),
                ({"a": "fp6_e3m2", "b": "fp6_e3m2", "acc": "exact", "max_k": 100}, 100),
            )
        ),
    ],
    ids=lambda value: "-".join(map(str, value.values())) if isinstance(value, dict) else None,
)
def test_a_sum_is_exact_as_far_as_it_promises(options: dict[str, Any], max_k: int) -> None:
    verdicts = prove_no_overflow(mac(**options))
    assert [(v.claim, v.holds, v.method) for v in verdicts] == [
        (total(max_k), True, "induction"),
        (LOST, True, "induction"),
    ]


@pytest.mark.slow
@pytest.mark.parametrize("architecture", ["booth", "tree"])
def test_adders_made_of_gates(architecture: str) -> None:
    """Their columns drop carries by intention: only the sum itself is claimed, and the addition that ends a tree."""
    verdicts = prove_no_overflow(mac(acc="int7", lanes=2, architecture=architecture))
    assert verdicts[0].claim == total(15)
    assert verdicts[0].proven


@pytest.mark.slow
def test_nan_ends_the_claim_until_the_sum_is_cleared() -> None:
    """A format of one's own with two exponent bits, a NaN and an infinity."""
    fmt = golden.Format(
        name="tiny",
        source="this test",
        kind="float",
        width=5,
        frac_bits=2,
        bias=1,
        inf_code=12,
        nan_codes=range(13, 16),
    )
    verdicts = prove_no_overflow(mac(a=fmt, b="int2", acc="exact", max_k=4))
    assert all(verdict.proven for verdict in verdicts)


def test_one_product_more_overflows() -> None:
    """-2 · -2, seven times, is 28; int6 ends at 31. The run is the shortest: eight steps, and the cycle after them."""
    first, second = prove_no_overflow(mac(acc="int6"), max_k=8)
    assert (first.holds, first.depth, second.holds, second.depth) == (False, 9, False, 8)
    assert [(cycle["a"], cycle["b"]) for cycle in first.trace[:8]] == [(2, 2)] * 8
    assert all(cycle["valid"] and cycle["en"] for cycle in first.trace[:8])
    assert str(first) == f"{total(8)}: fails in 9 cycles"


def test_a_narrower_exact_sum_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """One bit less than the formula of the width gives: four products of 6 · 6 fill more than half of it."""
    width = exact_sum.sum_bits
    monkeypatch.setattr(exact_sum, "sum_bits", lambda *given: (width(*given)[0] - 1, width(*given)[1]))
    first, second = prove_no_overflow(mac(a="fp4_e2m1", b="fp4_e2m1", acc="exact", max_k=4), timeout=60)
    assert not first.holds
    assert not second.holds


@pytest.mark.parametrize(
    ("options", "pattern", "replacement", "broken"),
    [
        # One wire of the product is cut off before it is added.
        ({"acc": "int6"}, r"\$signed\(a\) \* \$signed\(b\)", "($signed(a) * $signed(b) & 6'sh07)", total(7)),
        # A clear that keeps the sum.
        ({"acc": "int6"}, r"total = clear \? 6'd0 : acc;", "total = acc;", total(7)),
    ],
)
def test_a_broken_sum_is_seen(options: dict[str, Any], pattern: str, replacement: str, broken: str) -> None:
    unit = mac(**options)
    design = hdl.generate(unit, "mac")
    text, count = re.subn(pattern, replacement, design.verilog)
    assert count == 1
    verdicts = prove_no_overflow(unit, replace(design, verilog=text), timeout=60)
    assert broken in [verdict.claim for verdict in verdicts if not verdict.holds]


def test_errors() -> None:
    for options, message in (
        (
            {"acc": "int6", "overflow": "saturate"},
            "mac must have an exact sum or one that wraps, not acc=int6: exact, then saturated in int6",
        ),
        (
            {"a": "fp16", "b": "fp16"},
            "mac must have an exact sum or one that wraps, not acc=fp32: "
            "rounded to fp32 after every product in order (rne)",
        ),
        ({"a": "int9", "b": "int2", "acc": "int16"}, "mac must have scalar operands of at most 8 bits, not int9"),
        (
            {"a": "mxfp4", "b": "mxfp4", "acc": "exact", "force_wide": True},
            "mac must have scalar operands of at most 8 bits, not mxfp4",
        ),
        ({"acc": "int6", "stages": 1}, "stages must be 0 for a proof of the sum, not 1"),
        ({"acc": "int6", "interleave": 2}, "interleave must be 1 for a proof of the sum, not 2"),
        ({"acc": "int6", "lanes": 4, "sparse": True}, "sparse must be False for a proof of the sum, not True"),
    ):
        with pytest.raises(ParameterError) as error:
            prove_no_overflow(mac(**options))
        assert str(error.value) == message
    with pytest.raises(ParameterError) as error:
        prove_no_overflow(mac(acc="int6", lanes=2), max_k=1)
    assert str(error.value) == "max_k must be at least 2, not 1"
