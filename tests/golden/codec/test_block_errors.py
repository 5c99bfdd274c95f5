"""What blocks cannot be made of, and what cannot be read as blocks: the whole text of each error."""

from __future__ import annotations

import numpy as np
import pytest

from polymac import golden
from polymac.golden.formats import ParameterError

ENCODE_ERRORS = {
    "block": ("mxfp4", np.zeros((2, 33)), {}, "x must have a multiple of 32 elements along axis -1 for mxfp4, not 33"),
    "scalar": ("mxfp4", 1.0, {}, "axis must be in -0 … -1 for x of shape (), not -1"),
    "axis": ("mxfp4", np.zeros(32), {"axis": 1}, "axis must be in -1 … 0 for x of shape (32,), not 1"),
    "nan": (
        "mxfp4",
        np.where(np.arange(64).reshape(2, 32) == 37, np.nan, 0),
        {},
        "x must be finite for mxfp4 unless nonfinite='nan', not nan at index (1, 5)",
    ),
    "inf": (
        "mxint8",
        np.where(np.arange(32) == 2, -np.inf, 0),
        {},
        "x must be finite for mxint8 unless nonfinite='nan', not -inf at index (2,)",
    ),
    "box": (
        "msfp12",
        np.full(16, np.inf, np.float32),
        {},
        "x must be finite for msfp12, not inf at index (0,)",
    ),
    "no nan": ("msfp12", np.zeros(16), {"nonfinite": "nan"}, "nonfinite must be one of error for msfp12, not 'nan'"),
    "rule": (
        "mxfp4",
        np.zeros(32),
        {"scale_rule": "amax"},
        "scale_rule must be one of floor, ceil for mxfp4, not 'amax'",
    ),
    "rule of amax": (
        "nvfp4",
        np.zeros(32),
        {"scale_rule": "ceil"},
        "scale_rule must be one of amax for nvfp4, not 'ceil'",
    ),
    "rounding": (
        "mxfp4",
        np.zeros(32),
        {"rounding": "up"},
        "rounding must be one of rne, rtz, rdn, rup, rna, stochastic, not 'up'",
    ),
    "no words": (
        "mxfp4",
        np.zeros(32),
        {"rounding": "stochastic"},
        "random must be a seed, a Generator or an array of words for stochastic rounding, not None",
    ),
    "words": (
        "mxfp4",
        np.zeros(32),
        {"random": 1},
        "rounding must be stochastic where random is given, not rne",
    ),
    "shape of words": (
        "mxfp4",
        np.zeros(32),
        {"rounding": "stochastic", "random": [1, 2]},
        "random must be of a shape that broadcasts to (32,), not (2,)",
    ),
    "random bits": (
        "nvfp4",
        np.zeros(32),
        {"rounding": "stochastic", "random": 1, "random_bits": 52},
        "random_bits must be in 1 … 51, not 52",
    ),
    "overflow": (
        "mxint8",
        np.zeros(32),
        {"overflow": "wrap"},
        "overflow must be one of saturate for mxint8, not 'wrap'",
    ),
    "symmetric": ("mxfp4", np.zeros(32), {"symmetric": True}, "symmetric must be None or False for mxfp4, not True"),
    "tensor": ("mxfp4", np.zeros(32), {"tensor_scale": 1}, "tensor_scale must be None for mxfp4, not 1"),
    "tensor code": (
        "nvfp4",
        np.zeros(32),
        {"tensor_scale": 0xFF800000},
        "tensor_scale must be the code of a finite positive number, not that of -inf",
    ),
    "tensor shape": (
        "nvfp4",
        np.zeros(32),
        {"tensor_scale": [1, 2]},
        "tensor_scale must be one code, not 2",
    ),
    "integers": ("mxfp4", [2**60] * 32, {}, f"x must hold integers of magnitudes up to 2^53, not {2**60}"),
}


@pytest.mark.parametrize("case", ENCODE_ERRORS)
def test_encode_errors(case):
    name, x, options, message = ENCODE_ERRORS[case]
    with pytest.raises(ParameterError) as error:
        golden.encode_blocks(x, name, **options)
    assert str(error.value) == message


@pytest.mark.parametrize(
    ("x", "options", "message"),
    [
        (["a"] * 32, {}, "x must be an array of float64, float32, float16 or integers, not of <U1"),
        ([1.0] * 32, {"rounding": "stochastic", "random": 0.5}, "random must be an array of integers, not of float64"),
        ([True] * 32, {}, "x must be an array of float64, float32, float16 or integers, not of bool"),
        (np.zeros(32), {"axis": 0.0}, "axis must be an integer, not 0.0"),
    ],
)
def test_encode_of_wrong_kinds(x, options, message):
    with pytest.raises(TypeError) as error:
        golden.encode_blocks(x, "mxfp4", **options)
    assert str(error.value) == message


@pytest.mark.parametrize(
    ("name", "blocks", "message"),
    [
        ("mxfp4", (np.zeros(2, int), np.zeros(32, int)), "scales must have shape (1,) for elements of (32,), not (2,)"),
        ("mxfp4", (np.zeros(1, int), np.full(32, 16)), "elements must hold codes of fp4_e2m1, 0 … 0xf, not 16"),
        ("mxfp4", (np.full(1, -1), np.zeros(32, int)), "scales must hold codes of e8m0, 0 … 0xff, not -1"),
        (
            "mxfp4",
            (np.zeros(1, int), np.zeros(31, int)),
            "elements must have a multiple of 32 elements along axis -1 for mxfp4, not 31",
        ),
        (
            "mxfp4",
            (np.zeros(1, int), np.zeros(32, int), 0),
            "blocks must be (scales, elements) for mxfp4, not 3 arrays",
        ),
        (
            "nvfp4",
            (np.zeros(1, int), np.zeros(16, int)),
            "blocks must be (scales, elements, tensor scale) for nvfp4, not 2 arrays",
        ),
    ],
)
def test_decode_errors(name, blocks, message):
    with pytest.raises(ParameterError) as error:
        golden.decode_blocks(blocks, name)
    assert str(error.value) == message
