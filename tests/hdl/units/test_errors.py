"""The whole text of every error that a unit's parameters can cause."""

from __future__ import annotations

from typing import Any

import pytest

from polymac import golden, hdl

INT8 = {"a": "int8", "b": "int8"}
FP16 = {"a": "fp16", "b": "fp16"}
FP8 = {"formats": ("fp8_e4m3", "fp8_e5m2")}
ARRAY = {"rows": 2, "cols": 2}
ROUNDINGS = "rne, rtz, rdn, rup, rna, stochastic, port"
TARGETS = "nangate45, cmos, xc7, ice40, ecp5, xc7_dsp, ice40_dsp, ecp5_dsp"
BLOCK = "such as the element fp8_e4m3 or the scale e8m0, or the unit dot, not the block format mxfp8_e4m3"

MULTIPLIER = [
    ({"a": "int8", "b": "fp16"}, "out must be given where a and b differ, not left out with a=int8 and b=fp16"),
    ({"a": "bin1", "b": "bin1", "rounding": "rne"}, "rounding must be left out with out=bin1, not 'rne'"),
    ({"a": "bin1", "b": "bin1", "overflow": "wrap"}, "overflow must be left out with out=bin1, not 'wrap'"),
    (
        INT8 | {"architecture": "wallace"},
        "architecture must be one of operator, baugh_wooley, booth, row_adders, tree, auto, not 'wallace'",
    ),
    (INT8 | {"stages": -1}, "stages must be in 0 … 64, not -1"),
    (INT8 | {"stages": 65}, "stages must be in 0 … 64, not 65"),
    (INT8 | {"flags": True}, "flags must be left out where out is no float, not True with int16"),
    (INT8 | {"subnormals": "full"}, "subnormals must be left out without a float format, not 'full' with a=int8"),
    (INT8 | {"out": "e8m0"}, "out must be a format with sign and zero, not e8m0"),
    (INT8 | {"rounding": "rne"}, "rounding must be left out with an exact product, not 'rne'"),
    (INT8 | {"overflow": "wrap"}, "overflow must be left out with an exact product, not 'wrap'"),
    (INT8 | {"out": "int8", "rounding": "up"}, f"rounding must be one of {ROUNDINGS}, not 'up'"),
    (
        INT8 | {"out": "int8", "overflow": "ieee"},
        "overflow must be one of saturate, wrap for fixed-point formats, not 'ieee'",
    ),
    ({"a": "fp16", "b": "bf16"}, "out must be given where a and b differ, not left out with a=fp16 and b=bf16"),
    (FP16 | {"out": "int8"}, "out must be a format with NaN where a or b has one, not int8 with a=fp16 and b=fp16"),
    (FP16 | {"out": "e8m0"}, "out must be a format with sign and zero, not e8m0"),
    (
        FP16 | {"out": "fp4_e2m1"},
        "out must be a format with NaN where a or b has one, not fp4_e2m1 with a=fp16 and b=fp16",
    ),
    (FP16 | {"out": "exact", "rounding": "rne"}, "rounding must be left out with an exact product, not 'rne'"),
    (FP16 | {"rounding": "up"}, f"rounding must be one of {ROUNDINGS}, not 'up'"),
    (FP16 | {"overflow": "wrap"}, "overflow must be one of ieee, saturate for float formats, not 'wrap'"),
    (FP16 | {"subnormals": "none"}, "subnormals must be one of full, flush, not 'none'"),
    ({}, "a must be given without formats, not None"),
    ({"a": "int8"}, "b must be given without formats, not None"),
    ({"a": "mxfp8_e4m3", "b": "int8"}, f"a must be a scalar format, {BLOCK}"),
    ({"a": "int8", "b": golden.block_format("mxfp8_e4m3")}, f"b must be a scalar format, {BLOCK}"),
    (FP16 | {"out": "mxfp8_e4m3"}, f"out must be a scalar format, {BLOCK}"),
    ({"formats": ("mxfp8_e4m3", "fp16")}, f"formats must be a scalar format, {BLOCK}"),
    (INT8 | {"stages": 21}, "stages must be at most 20, as many as can be balanced with a=int8 and b=int8, not 21"),
    (
        {"a": "bin1", "b": "fp4_e2m1", "out": "exact", "stages": 10},
        "stages must be at most 9, as many as can be balanced with a=bin1 and b=fp4_e2m1, not 10",
    ),
    (INT8 | {"valid": True}, "valid must be left out with stages=0, not True"),
    (INT8 | {"random_bits": 4}, "random_bits must be left out with an exact product, not 4"),
    (INT8 | {"rounding": "stochastic"}, "rounding must be left out with an exact product, not 'stochastic'"),
    ({"a": "bin1", "b": "bin1", "random_bits": 4}, "random_bits must be left out with out=bin1, not 4"),
    (FP16 | {"random_bits": 4}, "random_bits must be left out with rounding=rne, not 4"),
    (FP16 | {"rounding": "rup", "random_bits": 4}, "random_bits must be left out with rounding=rup, not 4"),
    (FP16 | {"rounding": "stochastic", "random_bits": 0}, "random_bits must be in 1 … 63, not 0"),
    (FP16 | {"rounding": "port", "random_bits": 64}, "random_bits must be in 1 … 63, not 64"),
    (
        INT8 | {"out": "unpacked"},
        "out must be exact or a format without a float operand, not unpacked with a=int8 and b=int8",
    ),
    (FP16 | {"out": "unpacked", "rounding": "rne"}, "rounding must be left out with an exact product, not 'rne'"),
    (FP16 | {"out": "unpacked", "flags": True}, "flags must be left out with out=unpacked, not True"),
    (FP8 | {"a": "fp16"}, "a must be left out with formats, not fp16"),
    (FP8 | {"b": "fp16"}, "b must be left out with formats, not fp16"),
    ({"formats": ("fp16",)}, "formats must be at least two different formats, not fp16"),
    ({"formats": ("fp16", "bf16", "fp16")}, "formats must be at least two different formats, not fp16, bf16, fp16"),
    ({"formats": ("fp16", "int8")}, "formats must be float formats, not int8"),
    (FP8 | {"out": "exact"}, "out must be a float format or left out with formats, not exact"),
    (FP8 | {"out": "unpacked"}, "out must be a float format or left out with formats, not unpacked"),
    (FP8 | {"out": "int8"}, "out must be a float format or left out with formats, not int8"),
    ({"formats": ("e8m0", "fp16")}, "out must be a format with sign and zero, not e8m0"),
    (
        FP8 | {"out": "fp4_e2m1"},
        "out must be a format with NaN where a or b has one, not fp4_e2m1 with a=fp8_e4m3 and b=fp8_e4m3",
    ),
    (INT8 | {"target": "xc7"}, "target must be left out unless architecture is auto, not 'xc7' with operator"),
    (
        INT8 | {"target": "xc7", "architecture": "booth"},
        "target must be left out unless architecture is auto, not 'xc7' with booth",
    ),
    (INT8 | {"target": "xc8", "architecture": "auto"}, f"target must be one of {TARGETS}, not 'xc8'"),
]

MAC = [
    (INT8 | {"lanes": 0}, "lanes must be in 1 … 128, not 0"),
    (INT8 | {"lanes": 129}, "lanes must be in 1 … 128, not 129"),
    (INT8 | {"overflow": "ieee"}, "overflow must be one of saturate, wrap, not 'ieee'"),
    (INT8 | {"max_k": 0}, "max_k must be at least 1, not 0"),
    (
        {"a": "q4.4", "b": "int8", "acc": "int20"},
        "acc must be a signed fixed-point format with 4 fraction bits for q4.4 × int8, not int20",
    ),
    (
        {"a": "uint8", "b": "uint8", "acc": "int20"},
        "acc must be an unsigned fixed-point format with 0 fraction bits for uint8 × uint8, not int20",
    ),
    (
        INT8 | {"acc": "int15"},
        "acc must hold one product, at least 16 bits for int8 × int8, not int15 (15 bits)",
    ),
    (INT8 | {"stages": 65}, "stages must be in 0 … 64, not 65"),
]

SIDES = [
    (INT8 | {"rows": 0, "cols": 4}, "rows must be in 1 … 1024, not 0"),
    (INT8 | {"rows": 1025, "cols": 4}, "rows must be in 1 … 1024, not 1025"),
    (INT8 | {"rows": 4, "cols": 0}, "cols must be in 1 … 1024, not 0"),
]

REQUANTIZER = [
    ({"acc": "fp32"}, "acc must be an integer format, not fp32"),
    ({"acc": "q16.16"}, "acc must be an integer format, not q16.16"),
    ({"acc": "uint32"}, "acc must be a signed integer format, not uint32"),
    ({"out": "bf16"}, "out must be an integer format, not bf16"),
    ({"stages": -1}, "stages must be in 0 … 64, not -1"),
]

CASES = [
    *((hdl.Multiplier, options, message) for options, message in MULTIPLIER),
    *((hdl.Mac, options, message) for options, message in MAC),
    *((hdl.Array, ARRAY | options, message) for options, message in MAC),
    *((hdl.Array, options, message) for options, message in SIDES),
    *((hdl.Requantizer, options, message) for options, message in REQUANTIZER),
]


@pytest.mark.parametrize(("unit", "options", "message"), CASES)
def test_parameter_errors(unit: type[hdl.Unit], options: dict[str, Any], message: str) -> None:
    with pytest.raises(golden.ParameterError) as error:
        unit(**options)
    assert str(error.value) == message


@pytest.mark.parametrize(
    ("unit", "options", "message"),
    [
        (hdl.Multiplier, INT8 | {"stages": 1.0}, "stages must be an integer, not 1.0"),
        (hdl.Multiplier, {"a": 8, "b": "int8"}, "format must be a name or a Format, not 8"),
        (hdl.Multiplier, {"formats": "fp16,bf16"}, "formats must be a sequence of formats, not 'fp16,bf16'"),
        (hdl.Multiplier, {"formats": 8}, "formats must be a sequence of formats, not 8"),
        (hdl.Multiplier, FP16 | {"rounding": "port", "random_bits": "4"}, "random_bits must be an integer, not '4'"),
        (hdl.Mac, INT8 | {"lanes": "2"}, "lanes must be an integer, not '2'"),
        (hdl.Mac, INT8 | {"max_k": True}, "max_k must be an integer, not True"),
        (hdl.Array, INT8 | {"rows": 2.0, "cols": 2}, "rows must be an integer, not 2.0"),
        (hdl.Array, INT8 | {"rows": 2, "cols": None}, "cols must be an integer, not None"),
        (hdl.Requantizer, {"stages": "1"}, "stages must be an integer, not '1'"),
    ],
)
def test_type_errors(unit: type[hdl.Unit], options: dict[str, Any], message: str) -> None:
    with pytest.raises(TypeError) as error:
        unit(**options)
    assert str(error.value) == message
