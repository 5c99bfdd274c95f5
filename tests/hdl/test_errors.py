"""The whole text of every error that a unit's parameters can cause."""

from __future__ import annotations

from typing import Any

import pytest

from polymac import golden, hdl

INT8 = {"a": "int8", "b": "int8"}
FP16 = {"a": "fp16", "b": "fp16"}
ARRAY = {"rows": 2, "cols": 2}

MULTIPLIER = [
    ({"a": "int8", "b": "fp16"}, "out must be given where a and b differ, not left out with a=int8 and b=fp16"),
    ({"a": "bin1", "b": "bin1", "rounding": "rne"}, "rounding must be left out with out=bin1, not 'rne'"),
    ({"a": "bin1", "b": "bin1", "overflow": "wrap"}, "overflow must be left out with out=bin1, not 'wrap'"),
    (
        INT8 | {"architecture": "wallace"},
        "architecture must be one of operator, baugh_wooley, booth, row_adders, tree, not 'wallace'",
    ),
    (INT8 | {"stages": -1}, "stages must be in 0 … 64, not -1"),
    (INT8 | {"stages": 65}, "stages must be in 0 … 64, not 65"),
    (INT8 | {"flags": True}, "flags must be left out where out is no float, not True with int16"),
    (INT8 | {"subnormals": "full"}, "subnormals must be left out without a float format, not 'full' with a=int8"),
    (INT8 | {"out": "e8m0"}, "out must be a format with sign and zero, not e8m0"),
    (INT8 | {"rounding": "rne"}, "rounding must be left out with an exact product, not 'rne'"),
    (INT8 | {"overflow": "wrap"}, "overflow must be left out with an exact product, not 'wrap'"),
    (INT8 | {"out": "int8", "rounding": "up"}, "rounding must be one of rne, rtz, rdn, rup, rna, port, not 'up'"),
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
    (FP16 | {"rounding": "up"}, "rounding must be one of rne, rtz, rdn, rup, rna, port, not 'up'"),
    (FP16 | {"overflow": "wrap"}, "overflow must be one of ieee, saturate for float formats, not 'wrap'"),
    (FP16 | {"subnormals": "none"}, "subnormals must be one of full, flush, not 'none'"),
]

MAC = [
    ({"a": "fp16", "b": "int8"}, "a must be an integer or fixed-point format, not fp16 (float)"),
    ({"a": "int8", "b": "bin1"}, "b must be an integer or fixed-point format, not bin1 (binary)"),
    (INT8 | {"lanes": 0}, "lanes must be in 1 … 128, not 0"),
    (INT8 | {"lanes": 129}, "lanes must be in 1 … 128, not 129"),
    (INT8 | {"overflow": "ieee"}, "overflow must be one of saturate, wrap, not 'ieee'"),
    (INT8 | {"max_k": 0}, "max_k must be at least 1, not 0"),
    (INT8 | {"max_k": 8, "acc": "int20"}, "max_k must be left out where acc is given, not 8 with acc=int20"),
    (
        {"a": "q4.4", "b": "int8", "acc": "int20"},
        "acc must be a signed fixed-point format with 4 fraction bits for q4.4 × int8, not int20",
    ),
    (
        {"a": "uint8", "b": "uint8", "acc": "int20"},
        "acc must be an unsigned fixed-point format with 0 fraction bits for uint8 × uint8, not int20",
    ),
    (INT8 | {"acc": "fp32"}, "acc must be a signed fixed-point format with 0 fraction bits for int8 × int8, not fp32"),
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
