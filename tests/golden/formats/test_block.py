"""Block formats as data: properties, names, contradictions."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
from fractions import Fraction

import pytest

from polymac import golden
from polymac.golden import Format
from polymac.golden.formats import BLOCK_FORMATS, BlockFormat, ParameterError, any_format, block_format

E2M1, E8M0, E4M3, FP32 = (golden.format(name) for name in ("fp4_e2m1", "e8m0", "fp8_e4m3", "fp32"))
LISTED = f"block format must be one of {', '.join(BLOCK_FORMATS)}, not"


def test_the_data_needs_no_numpy():
    # The package's own __init__ imports NumPy, so that the modules of the data are imported without it.
    code = (
        "import sys, types, pathlib, importlib.util as u\n"
        "package = types.ModuleType('formats_only'); package.__path__ = [sys.argv[1]]\n"
        "sys.modules['formats_only'] = package\n"
        "import formats_only.formats as f\n"
        "assert f.block_format('mxfp4').element is f.format('fp4_e2m1')\n"
        "assert 'numpy' not in sys.modules\n"
    )
    folder = str(golden.__path__[0])
    done = subprocess.run([sys.executable, "-c", code, folder], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_every_name_finds_its_format():
    for name, fmt in BLOCK_FORMATS.items():
        assert block_format(name) is block_format(fmt) is any_format(name) is any_format(fmt) is fmt
        assert str(fmt) == name
    assert any_format("fp16") is any_format(golden.format("fp16")) is golden.format("fp16")


def test_properties():
    nvfp4, mxint8 = block_format("nvfp4"), block_format("mxint8")
    assert [fmt.name for fmt in nvfp4.factors] == ["fp4_e2m1", "fp8_e4m3", "fp32"]
    assert nvfp4.bits_per_element == Fraction(9, 2)
    assert nvfp4.max == 6 * 448 * FP32.max
    assert nvfp4.min_positive == Fraction(1, 2) * Fraction(1, 1 << 9) * Fraction(1, 1 << 149)
    assert (nvfp4.power_of_two, mxint8.power_of_two) == (False, True)
    assert (nvfp4.twos_complement, mxint8.twos_complement) == (False, True)
    assert (mxint8.max, mxint8.min_positive) == (Fraction(127, 64) * 2**127, Fraction(1, 64) / 2**127)


@pytest.mark.parametrize(
    ("lookup", "name", "message"),
    [
        (block_format, "mxfp5", f"{LISTED} 'mxfp5'; did you mean mxfp4 or msfp15 or mxfp8_e5m2?"),
        (block_format, "zzzz", f"{LISTED} 'zzzz'"),
        (block_format, "int8", f"{LISTED} the scalar format int8"),
        (block_format, E2M1, f"{LISTED} the scalar format fp4_e2m1"),
        (
            golden.format,
            block_format("mxfp4"),
            "format must be a scalar format, not the block format mxfp4 (of fp4_e2m1)",
        ),
        (
            any_format,
            "mxfp5",
            f"format must be one of {', '.join(golden.FORMATS)}, or intN, uintN, qM.N, uqM.N, eXmY, positN, positN_ES, "
            f"or of the block "
            f"formats {', '.join(BLOCK_FORMATS)}, not 'mxfp5'; did you mean mxfp4 or msfp15 or mxfp8_e5m2?",
        ),
    ],
)
def test_names_of_no_such_format(lookup, name, message):
    with pytest.raises(ParameterError) as error:
        lookup(name)
    assert str(error.value) == message


@pytest.mark.parametrize(
    ("lookup", "message"),
    [
        (block_format, "block format must be a name or a BlockFormat, not 4"),
        (any_format, "format must be a name, a Format or a BlockFormat, not 4"),
    ],
)
def test_names_of_a_wrong_type(lookup, message):
    with pytest.raises(TypeError) as error:
        lookup(4)
    assert str(error.value) == message


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"block_size": 0}, "block_size must be in 1 … 1048576, not 0"),
        ({"scale_rule": "log2"}, "scale_rule must be one of floor, ceil, amax, not 'log2'"),
        ({"rounding": "up"}, "rounding must be one of rne, rtz, rdn, rup, rna, not 'up'"),
        ({"element": E8M0}, "element must be a format with a zero, not e8m0"),
        ({"symmetric": True}, "symmetric must be False unless element is two's complement, not True with fp4_e2m1"),
        ({"scale": E4M3}, "scale must be a format of powers of two under floor, not fp8_e4m3"),
        ({"scale": golden.format("int8")}, "scale must be a format of powers of two under floor, not int8"),
        ({"tensor_scale": FP32}, "tensor_scale must be None under floor, not fp32"),
        ({"scale_rule": "amax"}, "scale must be a float format with a zero under amax, not e8m0"),
        (
            {"scale_rule": "amax", "scale": E4M3, "tensor_scale": E8M0},
            "tensor_scale must be a float format with a zero under amax, not e8m0",
        ),
        ({"scale_rule": "amax", "scale": E4M3, "zero_scale": True}, "zero_scale must be False under amax, not True"),
        (
            {"scale_rule": "amax", "scale": golden.format("fp64")},
            "element and scales must have products that are float64 numbers, not fp4_e2m1 · fp64",
        ),
        (
            {"scale_rule": "amax", "scale": golden.format("e5m52")},
            "element and scales must have products that are float64 numbers, not fp4_e2m1 · e5m52",
        ),
    ],
)
def test_contradictions(changes, message):
    with pytest.raises(ParameterError) as error:
        dataclasses.replace(BlockFormat("mine", E2M1, E8M0, 32), **changes)
    assert str(error.value) == message


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"name": ""}, "name must be a text, not ''"),
        ({"source": None}, "source must be a text, not None"),
        ({"element": "fp4_e2m1"}, "element must be a Format, not 'fp4_e2m1'"),
        ({"scale": 8}, "scale must be a Format, not 8"),
        ({"tensor_scale": "fp32"}, "tensor_scale must be a Format or None, not 'fp32'"),
        ({"block_size": 3.0}, "block_size must be an integer, not 3.0"),
        ({"symmetric": 1}, "symmetric must be True or False, not 1"),
        ({"zero_scale": 0}, "zero_scale must be True or False, not 0"),
    ],
)
def test_parameters_of_a_wrong_kind(changes, message):
    with pytest.raises(TypeError) as error:
        dataclasses.replace(BlockFormat("mine", E2M1, E8M0, 32), **changes)
    assert str(error.value) == message


def power(exponent: int) -> Format:
    """A scale whose only values are 2^exponent and the next power."""
    return Format("power", "float", 1, 0, signed=False, bias=-exponent, subnormals=False)


@pytest.mark.parametrize(
    ("element", "scale", "allowed"),
    [
        ("fp4_e2m1", power(1020), True),
        ("fp4_e2m1", power(1021), False),
        (Format("to_4", "float", 3, 0, bias=1), power(1021), False),
        (Format("to_4", "float", 3, 0, bias=1), power(1020), True),
        ("fp4_e2m1", power(-1073), True),
        ("fp4_e2m1", power(-1074), False),
        ("int52", power(0), True),
        ("int53", power(0), False),
    ],
)
def test_block_formats_at_the_bounds_of_float64(element, scale, allowed):
    element = golden.format(element)
    if allowed:
        fmt = BlockFormat("x", element, scale, 1)
        for code in (1, element.max_code):
            assert golden.decode_blocks(([1], [code]), fmt) == [float(2 * scale.fraction(0) * element.fraction(code))]
        return
    with pytest.raises(ParameterError) as caught:
        BlockFormat("x", element, scale, 1)
    message = f"element and scales must have products that are float64 numbers, not {element} · {scale}"
    assert str(caught.value) == message
