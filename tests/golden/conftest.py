"""What the golden tests share: seeded random numbers, and a scalar rounder in Fractions.

The rounder takes the values of codes from the formats, and none of golden's rounding.
"""

import bisect
import math
import os
from dataclasses import dataclass
from fractions import Fraction
from functools import cache

import numpy as np
import pytest

from polymac.golden import Flag, Format


@pytest.fixture
def rng():
    """Random numbers; the seed is printed with a failure and set by the environment variable POLYMAC_SEED."""
    seed = int(os.environ.get("POLYMAC_SEED", "1"))
    print(f"POLYMAC_SEED={seed}")
    return np.random.default_rng(seed)


@cache
def _ladder(fmt: Format) -> list[Fraction]:
    """The magnitudes of a float in code order, and one step more, as if the exponent had no bound."""
    values = [fmt.fraction(code) for code in range(fmt.max_code + 1)]
    ulp = Fraction(2) ** (fmt.max_exponent - fmt.frac_bits)
    return [*values, values[-1] + ulp]


#: A mode of ROUNDINGS, or the word and the number of bits of a stochastic rounding.
Mode = str | tuple[int, int]


def _stochastic_up(rest: Fraction, mode: tuple[int, int]) -> bool:
    """Whether a rest, as a fraction of one unit in the last place, and a random word carry into that unit."""
    word, bits = mode
    return math.floor(rest * 2**bits) + word >= 2**bits


def _nearest_step(fmt: Format, size: Fraction, negative: bool, rounding: Mode) -> tuple[int, bool]:
    """The index in the ladder of a rounded magnitude (the extra step for all beyond), and whether it is inexact."""
    ladder = _ladder(fmt)
    if size >= ladder[-1]:
        return len(ladder) - 1, True
    low = bisect.bisect_right(ladder, size) - 1
    if ladder[low] == size:
        return low, False
    if not isinstance(rounding, str):
        return low + _stochastic_up((size - ladder[low]) / (ladder[low + 1] - ladder[low]), rounding), True
    middle = (ladder[low] + ladder[low + 1]) / 2
    # A significand of one bit is odd in every normal number; IEEE 754 then takes the larger magnitude.
    even_is_up = low % 2 == 1 if fmt.frac_bits else low > 0
    up = {
        "rne": size > middle or (size == middle and even_is_up),
        "rna": size >= middle,
        "rtz": False,
        "rup": not negative,
        "rdn": negative,
    }[rounding]
    return low + up, True


def round_float(
    fmt: Format, negative: bool, size: Fraction, rounding: Mode, overflow: str, subnormals: str
) -> tuple[int, Flag]:
    """Code and exceptions of ``±size`` in a signed float with a zero, by searching all its values."""
    step, inexact = _nearest_step(fmt, size, negative, rounding)
    flags = Flag.INEXACT if inexact else Flag(0)
    least_normal = Fraction(2) ** fmt.min_exponent
    tiny = False
    if 0 < size < least_normal:
        # The same significand among the normals: up to but not including the least normal's binade's end.
        scaled = size
        while scaled < least_normal:
            scaled *= 2
        rounded = _ladder(fmt)[_nearest_step(fmt, scaled, negative, rounding)[0]]
        tiny = rounded / scaled * size < least_normal
    if tiny and subnormals == "flush":
        step, flags = 0, Flag.INEXACT | Flag.UNDERFLOW
    elif tiny and inexact:
        flags |= Flag.UNDERFLOW
    sign = fmt.sign_mask if negative and (step or fmt.negative_zero == "zero") else 0
    if step <= fmt.max_code:
        return step | sign, flags
    flags = Flag.OVERFLOW | Flag.INEXACT
    stays = rounding == "rtz" or (rounding == "rdn" and not negative) or (rounding == "rup" and negative)
    if overflow == "ieee" and not stays:
        if fmt.inf_code is not None:
            return fmt.inf_code | sign, flags
        if fmt.nan_code is not None:
            return fmt.nan_code, flags
    return fmt.max_code | sign, flags


@pytest.fixture(name="round_float", scope="session")
def round_float_fixture():
    return round_float


def round_fixed(fmt: Format, negative: bool, size: Fraction, rounding: Mode, overflow: str) -> tuple[int, Flag]:
    """Code and exceptions of ``±size`` in a fixed-point format."""
    steps = size * 2**fmt.frac_bits
    low = math.floor(steps)
    rest = steps - low
    if not isinstance(rounding, str):
        low += _stochastic_up(rest, rounding)
    elif rounding == "rne":
        low = round(steps)
    else:
        low += {"rna": rest >= Fraction(1, 2), "rtz": False, "rup": rest and not negative, "rdn": rest and negative}[
            rounding
        ]
    flags = Flag.INEXACT if rest else Flag(0)
    integer = -low if negative else low
    least, greatest = (-(1 << fmt.width >> 1), (1 << fmt.width >> 1) - 1) if fmt.signed else (0, (1 << fmt.width) - 1)
    if not least <= integer <= greatest:
        flags |= Flag.INEXACT | Flag.OVERFLOW
        if overflow == "saturate":
            integer = min(max(integer, least), greatest)
    return integer % (1 << fmt.width), flags


@dataclass(frozen=True)
class Number:
    """What a code stands for: "finite", "inf", "nan" or "snan" (signaling), sign and magnitude."""

    kind: str
    negative: bool
    size: Fraction = Fraction(0)


_NAN, _INVALID = Number("nan", False), Number("snan", False)


def describe(fmt: Format, code: int, subnormals: str = "full") -> Number:
    """The number of a code, field by field."""
    if fmt.kind != "float":
        value = fmt.fraction(code)
        return Number("finite", value < 0, abs(value))
    negative, magnitude = bool(code & fmt.sign_mask), code & ~fmt.sign_mask
    if fmt.text(code) == "nan":
        quiet = not fmt.has_signaling_nan or magnitude >> (fmt.frac_bits - 1) & 1
        return Number("nan" if quiet else "snan", negative)
    if magnitude == fmt.inf_code:
        return Number("inf", negative)
    size = abs(fmt.fraction(code))
    if subnormals == "flush" and size < Fraction(2) ** fmt.min_exponent:
        size = Fraction(0)
    return Number("finite", negative, size)


def _product(x: Number, y: Number) -> Number:
    kinds = {x.kind, y.kind}
    zero = Number("finite", False) in (Number(x.kind, False, x.size), Number(y.kind, False, y.size))
    if "snan" in kinds or (kinds == {"inf", "finite"} and zero):
        return _INVALID
    if "nan" in kinds:
        return _NAN
    return Number("inf" if "inf" in kinds else "finite", x.negative != y.negative, x.size * y.size)


def _sum(x: Number, y: Number, rounding: Mode) -> Number:
    kinds = {x.kind, y.kind}
    if "snan" in kinds or (x.kind == y.kind == "inf" and x.negative != y.negative):
        return _INVALID
    if "nan" in kinds:
        return _NAN
    if "inf" in kinds:
        return x if x.kind == "inf" else y
    value = (-x.size if x.negative else x.size) + (-y.size if y.negative else y.size)
    negative = value < 0
    if value == 0:
        negative = x.negative if x.negative == y.negative else rounding == "rdn"
    return Number("finite", negative, abs(value))


def reference(operation, codes, formats, out, rounding, overflow=None, subnormals="full") -> tuple[int, Flag]:
    """Code and exceptions of one result of "multiply", "add" or "fma", by IEEE 754's rules on exact fractions."""
    first, second, *third = [describe(fmt, code, subnormals) for fmt, code in zip(formats, codes, strict=True)]
    result = _sum(first, second, rounding) if operation == "add" else _product(first, second)
    if operation == "fma":
        result = _sum(result, third[0], rounding)
    if overflow is None:
        overflow = "ieee" if out.kind == "float" else "saturate"
    if result.kind in ("nan", "snan"):
        return out.nan_code, Flag.INVALID if result.kind == "snan" else Flag(0)
    if out.kind != "float":
        if result.kind == "inf":
            return (out.sign_mask if result.negative else out.max_code), Flag(0)
        return round_fixed(out, result.negative, result.size, rounding, overflow)
    if result.kind == "finite":
        return round_float(out, result.negative, result.size, rounding, overflow, subnormals)
    if overflow == "ieee" and out.inf_code is not None:
        return out.inf_code | result.negative * out.sign_mask, Flag(0)
    if overflow == "ieee" and out.nan_code is not None:
        return out.nan_code, Flag(0)
    return out.max_code | result.negative * out.sign_mask, Flag(0)


@pytest.fixture(name="reference", scope="session")
def reference_fixture():
    return reference


def corners(fmt: Format) -> list[int]:
    """The codes next to all edges.

    Float: zeros, subnormals, ends of binades, powers of two around 1, infinities and NaNs. Fixed: around 0, halves and
    the extremes.
    """
    if fmt.kind != "float":
        edges = [0, 1 << fmt.frac_bits, 1 << fmt.frac_bits >> 1, fmt.sign_mask, fmt.max_code]
        return sorted({(edge + step) & fmt.code_mask for edge in edges for step in (-1, 0, 1)})
    one = fmt.bias << fmt.frac_bits
    edges = [0, 1 << fmt.frac_bits, one, 2 * one // 3, fmt.max_code, *([] if fmt.inf_code is None else [fmt.inf_code])]
    edges += [edge + (1 << fmt.frac_bits >> 1) for edge in edges]
    near = {edge + step for edge in edges for step in (-2, -1, 0, 1, 2)} | {fmt.magnitude_mask}
    magnitudes = sorted(code for code in near if 0 <= code <= fmt.magnitude_mask)
    return magnitudes + [code | fmt.sign_mask for code in magnitudes] * (fmt.sign_mask > 0)


@pytest.fixture(name="corners", scope="session")
def corners_fixture():
    return corners


def some_codes(fmt: Format, count: int, rng: np.random.Generator) -> np.ndarray:
    """Codes of which half are next to an edge and half are random."""
    random = rng.integers(0, fmt.code_mask, count, dtype=np.uint64, endpoint=True)
    edges = np.array(corners(fmt), np.uint64)
    return np.where(rng.random(count) < 0.5, random, rng.choice(edges, count))


@pytest.fixture(name="some_codes", scope="session")
def some_codes_fixture():
    return some_codes


def user_format(name: str, width: int, frac_bits: int, bias: int) -> Format:
    """A float of the fnuz family: no infinity, and the code of -0 is the only NaN."""
    return Format(name, "float", width, frac_bits, bias=bias, negative_zero="nan")


#: Formats that only data says, named as ml_dtypes names its types.
FNUZ = {
    "float8_e4m3fnuz": user_format("float8_e4m3fnuz", 8, 3, 8),
    "float8_e5m2fnuz": user_format("float8_e5m2fnuz", 8, 2, 16),
    "float8_e4m3b11fnuz": user_format("float8_e4m3b11fnuz", 8, 3, 11),
}
#: ml_dtypes' name of a type, and ours.
TWINS: dict[str, str | Format] = {
    "bfloat16": "bf16",
    "float8_e5m2": "fp8_e5m2",
    "float8_e4m3fn": "fp8_e4m3",
    "float8_e4m3": "e4m3",
    "float8_e3m4": "e3m4",
    "float6_e3m2fn": "fp6_e3m2",
    "float6_e2m3fn": "fp6_e2m3",
    "float4_e2m1fn": "fp4_e2m1",
    **FNUZ,
}


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """``twin`` runs over ml_dtypes' types, and ``small_twin`` over those of 8 bits and fewer, with their formats."""
    for fixture, twins in (
        ("twin", TWINS),
        ("small_twin", {name: fmt for name, fmt in TWINS.items() if name != "bfloat16"}),
    ):
        if fixture in metafunc.fixturenames:
            metafunc.parametrize(fixture, list(twins.items()), ids=list(twins))
