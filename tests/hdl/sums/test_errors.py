"""The whole text of every error that the parameters of a sum of products can cause."""

from __future__ import annotations

from typing import Any

import pytest

from polymac import golden, hdl
from polymac.golden.formats.accumulation import STYLES
from polymac.golden.formats.block import BlockFormat

INT8 = {"a": "int8", "b": "int8"}
FP16 = {"a": "fp16", "b": "fp16"}
BF16 = {"a": "bf16", "b": "bf16"}
E4M3 = {"a": "fp8_e4m3", "b": "fp8_e4m3"}
E2M1 = {"a": "fp4_e2m1", "b": "fp4_e2m1"}
MXFP4 = {"a": "mxfp4", "b": "mxfp4"}

SUMS = [
    (INT8 | {"lanes": 0}, "lanes must be in 1 … 128, not 0"),
    (INT8 | {"lanes": 129}, "lanes must be in 1 … 128, not 129"),
    (INT8 | {"lanes": 6, "sparse": True}, "lanes must be a multiple of 4 for sparse operands, not 6"),
    (MXFP4 | {"lanes": 24}, "lanes must divide the block size of a=mxfp4, 32, not 24"),
    (MXFP4 | {"lanes": 64}, "lanes must divide the block size of a=mxfp4, 32, not 64"),
    ({"a": "fp16", "b": "nvfp4", "lanes": 32}, "lanes must divide the block size of b=nvfp4, 16, not 32"),
    (INT8 | {"acc": "int20", "out": "int8"}, "out must be left out for a fixed-point accumulator, not int8"),
    (INT8 | {"force_wide": True}, "force_wide must be left out for a fixed-point accumulator, not True"),
    (INT8 | {"overflow": "ieee"}, "overflow must be one of saturate, wrap, not 'ieee'"),
    (INT8 | {"max_k": 0}, "max_k must be at least 1, not 0"),
    (INT8 | {"acc": "int20", "max_k": 0}, "max_k must be at least 1, not 0"),
    (
        INT8 | {"acc": "int20", "max_k": 32},
        "max_k must be at most 31, the products of int8 × int8 that int20 holds, not 32",
    ),
    (
        {"a": "bin1", "b": "bin1", "acc": "int8", "max_k": 128},
        "max_k must be at most 127, the products of bin1 × bin1 that int8 holds, not 128",
    ),
    (INT8 | {"acc": "int15"}, "acc must hold one product, at least 16 bits for int8 × int8, not int15 (15 bits)"),
    (
        INT8 | {"acc": "uint32"},
        "acc must be a signed fixed-point format with 0 fraction bits for int8 × int8, not uint32",
    ),
    (
        INT8 | {"architecture": "wallace"},
        "architecture must be one of operator, baugh_wooley, booth, row_adders, tree, not 'wallace'",
    ),
    (
        FP16 | {"acc": "int32"},
        "acc must be exact, rounded or aligned for fp16 × fp16, not the fixed-point format int32",
    ),
    (FP16 | {"acc": "chain"}, f"acc must be {STYLES}, not 'chain'"),
    (FP16 | {"max_k": 8}, "max_k must be left out with acc=fp32, not 8: it has no bound"),
    (
        FP16 | {"acc": "aligned:1:24", "max_k": 8},
        "max_k must be left out with acc=aligned:1:24, not 8: it has no bound",
    ),
    (FP16 | {"acc": "fp32", "force_wide": True}, "force_wide must be left out with acc=fp32: only exact sums are wide"),
    (FP16 | {"acc": "bf16", "out": "fp32"}, "out must be bf16, the accumulator's format, or None, not fp32"),
    (
        FP16 | {"acc": "exact", "out": "int32"},
        "out must be a float format with a sign and a zero for acc=exact, not int32",
    ),
    (
        FP16 | {"acc": "exact", "out": "e8m0"},
        "out must be a float format with a sign and a zero for acc=exact, not e8m0",
    ),
    (FP16 | {"acc": "e8m0"}, "acc must be rounded in a float format with a sign and a zero, not e8m0"),
    (FP16 | {"acc": "exact", "overflow": "wrap"}, "overflow must be one of ieee, saturate, not 'wrap'"),
    (FP16 | {"acc": "fp32", "overflow": "wrap"}, "overflow must be one of ieee, saturate, not 'wrap'"),
    (
        FP16 | {"acc": "exact", "out": "fp6_e3m2"},
        "out must be a format with NaN where a or b has one, not fp6_e3m2 with a=fp16 and b=fp16",
    ),
    (
        MXFP4 | {"acc": "fp6_e3m2"},
        "acc must be a format with NaN where a or b has one, not fp6_e3m2 with a=mxfp4 and b=mxfp4",
    ),
    (
        E4M3 | {"acc": "aligned:1:6:2", "out": "fp6_e3m2"},
        "out must be a format with NaN where a or b has one, not fp6_e3m2 with a=fp8_e4m3 and b=fp8_e4m3",
    ),
    (
        FP16 | {"lanes": 6, "acc": "rounded:fp32:rne:4"},
        "lanes must be a multiple of the 4 products that are rounded together, not 6",
    ),
    (
        MXFP4 | {"lanes": 8, "acc": "rounded:fp32:rne:4"},
        "acc must be rounded after the 8 products of a beat for mxfp4 × mxfp4, not after 4",
    ),
    (
        BF16 | {"lanes": 2, "acc": "rounded:fp32:rne:2"},
        "acc must be rounded after each product of bf16 × bf16, whose exact sums take 524 bits (at most 256), not 2",
    ),
    (FP16 | {"lanes": 6, "acc": "aligned:4:24"}, "lanes must be a multiple of the block of 4 products, not 6"),
    (
        FP16 | {"acc": "aligned:129:24"},
        "acc must have blocks that 128 lanes can fill, not 129 products (aligned:129:24)",
    ),
    (
        FP16 | {"acc": "aligned:65:24", "sparse": True},
        "acc must have blocks that 128 lanes can fill, not 65 products (aligned:65:24)",
    ),
    (
        FP16 | {"acc": "aligned:1:19"},
        "acc must have at least the 20 fraction bits of a product of fp16 × fp16, not 19 (aligned:1:19)",
    ),
    (INT8 | {"acc": "aligned:1:24"}, "a must be a float format for acc=aligned:1:24, not int8"),
    ({"a": "fp16", "b": "mxfp4", "acc": "aligned:1:24"}, "b must be a float format for acc=aligned:1:24, not mxfp4"),
    (
        E2M1 | {"acc": "aligned:1:24", "overflow": "saturate"},
        "overflow must be left out with acc=aligned:1:24, not saturate",
    ),
    (
        E2M1 | {"acc": "aligned:1:24:13"},
        "acc must keep all 23 fraction bits of fp32, or no fewer than the 24 it aligns, not 13 (aligned:1:24:13)",
    ),
    (
        BF16 | {"acc": "exact"},
        "acc=exact must take at most 256 bits unless force_wide is True, not {bits} as for bf16 × bf16",
    ),
]

#: The bits of an exact sum of one product of bf16 (a dot product), and of 65536 (a MAC).
EXACT_BITS = {hdl.Dot: 523, hdl.Mac: 539}

DOT = [
    (
        FP16 | {"acc": "exact", "addend": True},
        "addend must be False for acc=exact, whose sums are not codes of fp32: "
        "rounded:fp32:rne:1 adds one exactly before it rounds",
    ),
    (INT8 | {"stages": 65}, "stages must be in 0 … 64, not 65"),
    (FP16 | {"rounding": "rtz"}, "rounding must be one of port, not 'rtz'"),
    (
        FP16 | {"acc": "rounded:fp32:rtz", "rounding": "port"},
        "rounding must be left out with acc=rounded:fp32:rtz, not port",
    ),
    (
        INT8 | {"rounding": "port"},
        "rounding must be left out with a fixed-point accumulator, which is not rounded product by product, not port",
    ),
    (
        INT8 | {"acc": "int20", "flags": True},
        "flags must be left out with acc=int20, which is not rounded product by product, not on",
    ),
    (
        FP16 | {"acc": "exact", "rounding": "port"},
        "rounding must be left out with acc=exact, which is not rounded product by product, not port",
    ),
    (
        FP16 | {"acc": "aligned:1:24", "flags": True},
        "flags must be left out with acc=aligned:1:24, which is not rounded product by product, not on",
    ),
    (
        FP16 | {"lanes": 2, "acc": "rounded:fp32:rne:2", "flags": True},
        "flags must be left out with acc=rounded:fp32:rne:2, which rounds 2 products at once, not on",
    ),
    (
        MXFP4 | {"lanes": 8, "acc": "fp32", "flags": True},
        "flags must be left out with a=mxfp4 and b=mxfp4, whose products are scaled, not on",
    ),
]
MAC = [
    (INT8 | {"stages": -1}, "stages must be in 0 … 64, not -1"),
    (INT8 | {"interleave": 0}, "interleave must be in 1 … 64, not 0"),
    (INT8 | {"interleave": 65}, "interleave must be in 1 … 64, not 65"),
]


@pytest.mark.parametrize(
    ("unit", "parameters", "text"),
    [(unit, *case) for unit in (hdl.Dot, hdl.Mac) for case in SUMS]
    + [(hdl.Dot, *case) for case in DOT]
    + [(hdl.Mac, *case) for case in MAC],
)
def test_message(unit: type[hdl.Unit], parameters: dict[str, Any], text: str) -> None:
    with pytest.raises(golden.ParameterError) as error:
        unit(**parameters)
    assert str(error.value) == text.format(bits=EXACT_BITS.get(unit))


def test_scales_are_finite() -> None:
    fmt = BlockFormat("inf_scale", golden.format("int4"), golden.format("fp16"), 16, scale_rule="amax")
    with pytest.raises(golden.ParameterError) as error:
        hdl.Dot(a=fmt, b="int8")
    assert str(error.value) == "the scale of inf_scale must be a format without infinities, not fp16"


@pytest.mark.parametrize(
    ("parameters", "text"),
    [
        (INT8 | {"lanes": 2.0}, "lanes must be an integer, not 2.0"),
        (INT8 | {"sparse": 1}, "sparse must be True or False, not 1"),
        (FP16 | {"flags": 1}, "flags must be True or False, not 1"),
        (INT8 | {"acc": 32}, "format must be a name or a Format, not 32"),
    ],
)
def test_wrong_kinds(parameters: dict[str, Any], text: str) -> None:
    with pytest.raises(TypeError) as error:
        hdl.Dot(**parameters)
    assert str(error.value) == text


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ({"a": "bf16"}, "a must be left out or fp16 with preset=h100_fp16, not bf16"),
        ({"lanes": 8}, "lanes must be left out or 16 with preset=h100_fp16, not 8"),
        ({"acc": "fp32"}, "acc must be left out or aligned:16:25 with preset=h100_fp16, not fp32"),
        ({"out": "fp16"}, "out must be left out or fp32 with preset=h100_fp16, not fp16"),
    ],
)
def test_presets_with_contradictions(given: dict[str, Any], text: str) -> None:
    with pytest.raises(golden.ParameterError) as error:
        hdl.with_preset("h100_fp16", given)
    assert str(error.value) == text


def test_preset_with_what_it_says_nothing_of() -> None:
    expected = hdl.preset_parameters("h100_fp16") | {"stages": 3}
    assert hdl.with_preset("h100_fp16", {"stages": 3, "a": "fp16"}) == expected
