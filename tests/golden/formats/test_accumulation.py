"""Styles of accumulation and their names."""

from __future__ import annotations

from typing import Any, cast

import pytest

from polymac.golden import ParameterError
from polymac.golden.formats import FORMATS
from polymac.golden.formats.accumulation import STYLES, Aligned, Exact, Rounded, check_accumulation, style, style_name

STYLE_OF = {
    "exact": Exact(),
    "exact:rtz": Exact("rtz"),
    "fp32": Rounded(),
    "bf16": Rounded("bf16"),
    "e5m7": Rounded("e5m7"),
    "rounded:fp32:rup": Rounded("fp32", "rup"),
    "rounded:fp16:rne:4": Rounded("fp16", block=4),
    "rounded:fp32:rdn:16": Rounded("fp32", "rdn", block=16),
    "aligned:8:24": Aligned(8, 24),
    "aligned:32:13:13": Aligned(32, 13, 13),
}


@pytest.mark.parametrize(("text", "expected"), STYLE_OF.items())
def test_names_and_styles(text, expected):
    assert style(text) == expected
    assert style_name(expected) == text
    assert style(expected) is expected


@pytest.mark.parametrize(
    ("text", "shortest"),
    [
        ("exact:rne", "exact"),
        ("rounded:fp32", "fp32"),
        ("rounded:fp32:rne:1", "fp32"),
        ("rounded:fp32:rtz:1", "rounded:fp32:rtz"),
        ("aligned:4:23:23", "aligned:4:23"),
    ],
)
def test_longer_ways_to_say_it(text, shortest):
    assert style_name(style(text)) == shortest


def test_policies_are_not_in_the_name():
    assert style_name(Exact(overflow="saturate", subnormals="flush")) == "exact"
    assert style_name(Rounded(FORMATS["fp16"], overflow="saturate")) == "fp16"


def test_output_format():
    assert check_accumulation(Exact(), None) == (Exact(), FORMATS["fp32"])
    assert check_accumulation(Exact(), "int8") == (Exact(), FORMATS["int8"])
    assert check_accumulation(Rounded("bf16"), None) == (Rounded("bf16"), FORMATS["bf16"])
    assert check_accumulation(Rounded("bf16"), "bf16") == (Rounded("bf16"), FORMATS["bf16"])
    assert check_accumulation(Aligned(4, 23, 10), "fp16") == (Aligned(4, 23, 10), FORMATS["fp16"])


FORMAT_NAMES = f"format must be one of {', '.join(FORMATS)}, or intN, uintN, qM.N, uqM.N, eXmY, positN, positN_ES"


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: style(cast(Any, 32)), TypeError, "acc must be a style or its name, not 32"),
        (lambda: style("chain"), ParameterError, f"acc must be {STYLES}, not 'chain'"),
        (lambda: style("int32"), ParameterError, f"acc must be {STYLES}, not 'int32'"),
        (lambda: style("exact:rne:4"), ParameterError, f"acc must be {STYLES}, not 'exact:rne:4'"),
        (lambda: style("aligned:8"), ParameterError, f"acc must be {STYLES}, not 'aligned:8'"),
        (lambda: style("aligned:8:x"), ParameterError, f"acc must be {STYLES}, not 'aligned:8:x'"),
        (lambda: style("rounded:fp32:4"), ParameterError, f"acc must be {STYLES}, not 'rounded:fp32:4'"),
        (lambda: style("rounded"), ParameterError, f"acc must be {STYLES}, not 'rounded'"),
        (
            lambda: style("rounded:fp33"),
            ParameterError,
            f"{FORMAT_NAMES}, not 'fp33'; did you mean fp32 or tf32 or fp8_e4m3?",
        ),
        (lambda: style("exact:up"), ParameterError, "rounding must be one of rne, rtz, rdn, rup, rna, not 'up'"),
        (lambda: style("rounded:fp32:rne:0"), ParameterError, "block must be at least 1, not 0"),
        (lambda: style("aligned:0:24"), ParameterError, "block must be in 1 … 512, not 0"),
        (lambda: style("aligned:8:41"), ParameterError, "frac_bits must be in 0 … 40, not 41"),
        (lambda: style("aligned:8:24:53"), ParameterError, "out_frac_bits must be in 0 … 52, not 53"),
        (
            lambda: check_accumulation("exact", None),
            TypeError,
            "acc must be Exact, Rounded or Aligned, not 'exact'",
        ),
        (
            lambda: check_accumulation(Rounded("bf16"), "fp32"),
            ParameterError,
            "out must be bf16, the accumulator's format, or None, not fp32",
        ),
        (
            lambda: check_accumulation(Aligned(4, 23), "fp16"),
            ParameterError,
            "out must be a float format with at least 23 fraction bits, not fp16",
        ),
        (
            lambda: check_accumulation(Aligned(4, 23, 4), "int8"),
            ParameterError,
            "out must be a float format with at least 4 fraction bits, not int8",
        ),
    ],
)
def test_errors(call, error, message):
    with pytest.raises(error) as caught:
        call()
    assert str(caught.value) == message
